"""The Pulumi program: the stack's settings become components, the components' results become exports."""

import signal

import pulumi

from components import beforehand
from components.migration_wave import declare_waves
from components.providers.evc_mode import EvcMode
from components.settings import Settings
from components.source_storage import SourceStorage
from components.target_site import TargetSite
from migration.errors import MigrationError

# On Ctrl-C the providers come to a safe point; this program has nothing to finish, and must not keep the engine waiting.
signal.signal(signal.SIGINT, signal.SIG_DFL)

try:
    stack = Settings.load()
    adoption = beforehand.look(stack)
except MigrationError as error:
    raise pulumi.RunError(str(error)) from None

target = TargetSite(
    "target",
    stack.target,
    password=pulumi.Output.secret(stack.target_password.get_secret_value()),
    host_password=pulumi.Output.secret(stack.host_password.get_secret_value()),
    adoption=adoption,
)
parts: list[pulumi.Resource] = [target]
if stack.target.cluster.evc is not None:
    parts.append(
        EvcMode("evc", stack.target, pulumi.runtime.is_dry_run(), opts=pulumi.ResourceOptions(depends_on=[target]))
    )
parts.append(SourceStorage("old-array", stack, after=[target]))
waves = declare_waves(stack.specs(), stack.waves, after=parts)

pulumi.export("adopted", target.adopted)
pulumi.export("vms", {name: vm.result() for wave in waves.values() for name, vm in wave.vms.items()})

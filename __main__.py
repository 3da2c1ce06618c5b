"""The Pulumi program: the stack's settings become components, the components' results become exports."""

import signal

import pulumi

from components import beforehand
from components.migration_wave import declare_waves, exports
from components.providers.evc_mode import EvcMode
from components.settings import Settings
from components.source_storage import SourceStorage
from components.target_site import TargetSite
from migration.errors import MigrationError

# On Ctrl-C the providers come to a safe point; this program has nothing to finish, and must not keep the engine waiting.
signal.signal(signal.SIGINT, signal.SIG_DFL)

try:
    stack = Settings.load()
    adoption, travelling = beforehand.look(stack)
except MigrationError as error:
    raise pulumi.RunError(str(error)) from None

preview = stack.checked() if pulumi.runtime.is_dry_run() else 0
target = TargetSite("target", stack, adoption, preview=preview)
storage = SourceStorage("old-array", stack, preview=preview, adoption=adoption, after=[target])
parts: list[pulumi.Resource] = [target, storage]
if stack.target.cluster.evc is not None:
    parts.append(EvcMode("evc", stack.target, preview, pulumi.ResourceOptions(depends_on=[target])))
waves = declare_waves(stack, preview=preview, parts=parts, travelling=travelling)
storage.retire(after=list(waves.values()))

pulumi.export("adopted", target.adopted)
for name, value in exports(waves).items():
    pulumi.export(name, value)

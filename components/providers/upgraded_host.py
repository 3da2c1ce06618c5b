"""UpgradedHost: one host of a rolling upgrade. The path of this module is in users' states: it stays."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from components.providers import runtime, verdict
from components.providers.accounted import accounted
from components.providers.outside import ThisMachine
from components.settings_upgrade import UpgradeSettings
from migration import upgrade_proof
from migration.errors import Blocked, Paused
from migration.upgrade import Done, decide
from migration.upgrade_concerns import Against
from migration.upgrade_host import Clock, upgrade
from vsphere import tls, upgrading
from vsphere.site import Site
from vsphere.tls import Endpoint
from vsphere.upgrading import UpgradedCluster
from vsphere.watch import News

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pulumi
    from pulumi.dynamic import ConfigureRequest

    from migration.model import Concern
    from migration.upgrade_fleet import Fleet, Wanted

SITE: Final = "site"

_lock: Final = threading.Lock()
_configuration: dict[str, str] = {}
_opened: list[tuple[UpgradeSettings, Site]] = []


class UpgradedHostProvider(ResourceProvider):
    """Upgrades the host from whatever it is in the middle of; the hosts before it are done by then."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Mend the server and remember the stack's configuration; nothing is contacted yet."""
        runtime.install()
        for key in UpgradeSettings.config_keys():
            value = req.config.get(key)
            if value is not None:
                _configuration[key] = value

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """In a preview, show the proof in numbers, once, and what stands against this host."""
        names = news.pop("all", None) or []
        if news.pop("preview", False):
            call = runtime.current_call()
            _preview(call, news["host"], names)
        return CheckResult(news, [])

    def diff(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare with what the host runs, so that a drift, or a host left half-way, is seen without a refresh."""
        return DiffResult(changes=not isinstance(decide(news["host"], _wanted(), _cluster().look()), Done))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Upgrade the host."""
        return CreateResult(props["host"], _settled(props["host"], props, {}))

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Upgrade the host; also what follows a failed create."""
        return UpdateResult(_settled(id_, news, olds))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what the host runs."""
        member = _cluster().look().member(id_)
        return ReadResult(id_, {**props, "runs": str(member) if member else ""})

    def delete(self, id_: str, _props: dict[str, Any]) -> None:
        """Forget the host; it stays as it is."""
        runtime.current_call().say(f"{id_} is left as it is")


class UpgradedHost(Resource, module="esxodus", name="UpgradedHost"):
    """A host that runs what is wanted, in service. `steps` are those that this stack took."""

    runs: pulumi.Output[str]
    steps: pulumi.Output[list[str]]
    audit: pulumi.Output[list[dict[str, str]]]

    def __init__(
        self,
        name: str,
        wanted: Wanted,
        hosts: Sequence[str],
        *,
        preview: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare that the host runs it. `hosts` are all that are upgraded; `preview`: the check says what it finds."""
        inputs = {"host": name, "wanted": str(wanted), "all": list(hosts), "preview": preview}
        outputs = {"runs": None, "steps": None, "audit": None}
        super().__init__(UpgradedHostProvider(), name, {**outputs, **inputs}, opts)


def _preview(call: runtime.Call, name: str, names: Sequence[str]) -> None:
    """Say what stands against the host.

    Raises: MigrationError for the last of the hosts where anything blocks any of them.
    """
    try:
        fleet = _cluster().look()
    except Blocked as error:
        verdict.show(call, name, error.concerns, len(names))
        return
    if verdict.first("the proof"):  # whatever its numbers: what VMs use differs from one look to the next
        call.say(upgrade_proof.table(fleet, _wanted(), names))
    verdict.show(call, name, _foreseen(name, fleet), len(names))


def _foreseen(name: str, fleet: Fleet) -> list[Concern]:
    """Return the host's concerns; where an earlier run left a host of ours out, only its own can be judged: it comes first."""
    wanted, image = _wanted(), _open()[0].upgrade.image
    member = fleet.member(name)
    left = [one.name for one in fleet.members if one.out and one.ours]
    if member and left and name not in left:
        return list(upgrade_proof.versions(member, wanted, fleet))
    found = list(upgrade_proof.concerns(name, wanted, fleet))
    if member is None or image is None or member.out or member.runs(wanted):
        return found
    try:
        known = upgrading.profiles(_open()[1], name, image.depot)
    except Blocked as error:
        return [*found, *error.concerns]
    if image.profile not in known:
        what = f"{image.depot} has no image profile {image.profile!r}; it has {', '.join(known) or 'none'}"
        found.append(Against.DEPOT.concern(name, what))
    return found


def _settled(id_: str, inputs: dict[str, Any], olds: Mapping[str, Any]) -> dict[str, Any]:
    """Upgrade the host and return the outputs.

    Raises: MigrationError.
    """
    call = runtime.current_call()
    with accounted(id_, inputs, olds) as outputs:
        stack, _ = _open()
        clock = Clock(time.monotonic, _pause(id_))
        outputs["steps"] = steps = [*(olds.get("steps") or ())]
        member = upgrade(id_, _wanted(), _cluster(), stack.upgrade.limits, clock, call.progress, steps)
        outputs["runs"] = str(member)
    return outputs


def _pause(name: str) -> Any:
    def sleep(seconds: float) -> None:
        if runtime.stop.wait(seconds) or runtime.stop.is_set():
            raise Paused(f"{name}: paused between two steps; run again to go on")

    return sleep


def _wanted() -> Wanted:
    return _open()[0].upgrade.wanted


def _cluster() -> UpgradedCluster:
    stack, site = _open()
    return UpgradedCluster(site, stack.upgrade.datacenter, stack.upgrade.cluster, _install)


def _install(name: str) -> None:
    """Upgrade the host by the means that the stack names.

    Raises: Blocked with what was said; MigrationError.
    """
    stack, site = _open()
    if image := stack.upgrade.image:
        upgrading.profile_update(site, name, image.depot, image.profile)
        return
    command = stack.upgrade.command
    assert command is not None  # noqa: S101 - one of the two is there
    machine = ThisMachine(runtime.stop, withheld=frozenset({stack.site_password.get_secret_value()}))
    facts = {
        "ESXODUS_HOST": name,
        "ESXODUS_VCENTER": stack.site.vcenter,
        "ESXODUS_CLUSTER": stack.upgrade.cluster,
        "ESXODUS_VERSION": stack.upgrade.version,
        "ESXODUS_BUILD": str(stack.upgrade.build),
    }
    if failure := machine.attempted(command.wanted(), name, facts):
        raise Blocked((Against.INSTALL.concern(name, f"{command.command[0]}: {failure}"),))


def _open() -> tuple[UpgradeSettings, Site]:
    """Return the stack's settings and its site; the first caller opens it.

    Raises: SettingsError, Refused, Unreachable.
    """
    with _lock:
        if not _opened:
            stack = UpgradeSettings.parse(_configuration)
            tls.hurry(runtime.stop)
            endpoint = Endpoint(
                name=SITE,
                vcenter=stack.site.vcenter,
                username=stack.site.username,
                password=stack.site_password.get_secret_value(),
                thumbprint=stack.site.thumbprint or "",
                ca_file=stack.site.ca_file or "",
            )
            _opened.append((stack, Site(endpoint, News(), runtime.stop)))
        return _opened[0]

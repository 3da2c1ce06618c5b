"""RemovedZones: our zones are gone, last of all. The path of this module is in users' states: it stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from components.providers import access, fabrics, runtime, verdict, zoned_by_hand
from components.providers.accounted import accounted
from fabric import zoning
from fabric.against import Against
from migration.errors import Blocked
from migration.model import Concern
from vsphere import host_storage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pulumi
    from pulumi.dynamic import ConfigureRequest

    from fabric.zoning import Plan, Zone

ID: Final = "removed zones"

Made = dict[str, dict[str, "Zone"]]


class RemovedZonesProvider(ResourceProvider):
    """Takes away the zones that FabricZones has made, once no host uses a disk through them; never another's."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Remember the stack's configuration; no site is contacted yet."""
        access.configure(req)

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """In a preview, say which zones will go from which fabric, and what stands against it. Reads only."""
        expected = int(news.pop("preview", 0))
        if expected:
            call = runtime.current_call()
            made = fabrics.read(news["made"]) or fabrics.read(news["remembered"].get("made"))
            concerns = list(_unnamed(news, made))
            if news["kind"] != fabrics.BROCADE:
                for fabric, zones in made.items():
                    call.say(f"{fabric}: last of all, by hand, - zone {', '.join(sorted(zones))}")
            else:
                try:
                    plans = _plans(news, made)
                except Blocked as error:
                    concerns, plans = [*concerns, *error.concerns], []
                for plan in plans:
                    concerns += plan.concerns
                    if gone := (*plan.change.leave, *plan.change.remove):
                        call.say(f"{plan.fabric}: last of all, - zone {', '.join(gone)}")
            verdict.show(call, "the zones to remove", concerns, expected)
        return CheckResult(news, [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare with the switches: a zone of ours that is there again goes again."""
        if not olds.get("complete") or news["kind"] != fabrics.BROCADE:
            return DiffResult(changes=not olds.get("complete"))
        try:
            return DiffResult(changes=any(plan.change for plan in _plans(news, fabrics.read(news["made"]))))
        except Blocked:  # the update says so
            return DiffResult(changes=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Take the zones away."""
        return CreateResult(ID, _settled(ID, props, {}))

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Take away the zones that are still there; also what follows a failed create."""
        return UpdateResult(_settled(id_, news, olds))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what was done; `diff` looks at the switches themselves."""
        return ReadResult(id_, props)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Forget; FabricZones makes the zones again where they are wanted again."""


class RemovedZones(Resource, module="esxodus", name="RemovedZones"):
    """The zones that are taken away in the end, after the last disk is detached."""

    complete: pulumi.Output[bool]
    before: pulumi.Output[dict[str, Any]]
    after: pulumi.Output[dict[str, Any]]
    commands: pulumi.Output[dict[str, Any]]
    audit: pulumi.Output[list[dict[str, str]]]

    def __init__(
        self,
        name: str,
        fabric: Mapping[str, Any],
        made: pulumi.Input[Mapping[str, Any]],
        remembered: Mapping[str, Any],
        preview: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare that these zones are gone. `made` is `FabricZones.made`; the others are as there."""
        inputs = {**fabric, "made": made, "remembered": dict(remembered), "preview": preview}
        told = ("complete", "before", "after", "commands", "audit")
        super().__init__(RemovedZonesProvider(), name, {**dict.fromkeys(told), **inputs}, opts)


def _plans(inputs: Mapping[str, Any], made: Made) -> list[Plan]:
    """Return what is to go from each fabric that the settings name, as it was last seen in this run.

    Raises: Blocked where a switch cannot be used.
    """
    with fabrics.opened([name for name in fabrics.named(inputs) if made.get(name)]) as seen:
        return [zoning.removal(zones, made[name]) for name, zones in seen.zonings.items()]


def _unnamed(inputs: Mapping[str, Any], made: Made) -> Iterator[Concern]:
    for name in sorted({name for name, zones in made.items() if zones} - set(fabrics.named(inputs))):
        sentence = f"we made {', '.join(sorted(made[name]))} there, and the settings do not name it any more"
        yield Against.GONE_FROM_SETTINGS.concern(name, sentence)


def _settled(id_: str, inputs: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
    """Take the zones away and return the outputs.

    Raises: MigrationError.
    """
    with accounted(id_, inputs, olds) as outputs:
        outputs["complete"] = False
        made = fabrics.read(inputs["made"])
        if wrong := [*_unnamed(inputs, made)]:
            raise Blocked(wrong)
        if inputs["kind"] == fabrics.BROCADE:
            _remove(inputs, made, outputs)
        else:
            if wrong := [*_in_use(made)]:
                raise Blocked(wrong)
            outputs["commands"] = zoned_by_hand.removal(inputs, made)
            zoned_by_hand.tell(runtime.current_call(), outputs["commands"])
        outputs["complete"] = True
    return outputs


def _remove(inputs: Mapping[str, Any], made: Made, outputs: dict[str, Any]) -> None:
    """Take our zones out of one fabric after the other.

    Raises: Blocked where anything stands against any of them, before the first is changed; MigrationError.
    """
    call = runtime.current_call()
    known = {port for zones in made.values() for zone in zones.values() for port in zone.all}
    with fabrics.opened([name for name in fabrics.named(inputs) if made.get(name)], again=True) as seen:
        plans = [zoning.removal(zones, made[name], known) for name, zones in seen.zonings.items()]
        concerns = [concern for plan in plans for concern in plan.concerns]
        if any(plan.change for plan in plans):
            concerns += _in_use(made)
        verdict.heed(call, concerns)
        for plan in plans:
            gone = (*plan.change.leave, *plan.change.remove)
            zones = fabrics.carry_out(call, seen, plan, outputs, f"removing {len(gone)} zones", "removed")
            if plan.change:
                call.say(
                    f"{plan.fabric}: - zone {', '.join(gone)}; {zones.configuration} is in effect with "
                    f"{len(zones.effective)} zones, checksum {zones.checksum}; all of them are as they were"
                )


def _in_use(made: Made) -> Iterator[Concern]:
    """Yield what hosts of the target still have attached through these zones, and whose ports are of a host that cannot say."""
    hosts = host_storage.host_storage(access.site("target"))
    zones = [zone for zones in made.values() for zone in zones.values()]
    opened = {port for zone in zones for port in zone.all}
    told: set[str] = set()
    array: set[str] = set()
    for name, host in sorted(hosts.items()):
        told |= set(host.initiators.values())
        array |= {port for disk in host.disks.values() for port in disk.ports}
        if not opened & set(host.initiators.values()):
            continue
        if used := sorted(disk.name for disk in host.disks.values() if disk.attached and disk.ports & opened):
            some = ", ".join(used[:5]) + (f" and {len(used) - 5} more" if len(used) > 5 else "")
            yield Against.IN_USE.concern(name, f"it has {some} attached, which it reaches through zones that are to go")
    for zone in zones:
        # In a zone of peers the members are the hosts' ports; in another one the first is, as it was made.
        initiators = zone.members if zone.type == zoning.PEER else zone.members[:1]
        for port in sorted(set(initiators) - told - array):
            yield Against.UNTOLD.concern(port, f"it is in zone {zone.name}, and no host that is connected has it")

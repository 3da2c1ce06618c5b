"""RemovedZones: our zones are gone, last of all. The path of this module is in users' states: it stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from components.providers import access, fabrics, runtime, verdict
from components.providers.accounted import accounted
from fabric import commands, zoning
from fabric.against import Against
from migration.errors import Blocked, Paused
from migration.model import Concern, Severity
from vsphere import host_storage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pulumi
    from pulumi.dynamic import ConfigureRequest

ID = "removed zones"


class RemovedZonesProvider(ResourceProvider):
    """Takes away the zones that FabricZones has made, once no new host uses a disk through them; never another's."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Remember the stack's configuration; no site is contacted yet."""
        access.configure(req)

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """In a preview, say which zones will go from which fabric, and what stands against it. Reads only."""
        expected = int(news.pop("preview", 0))
        if expected:
            call = runtime.current_call()
            concerns: list[Concern] = []
            if news["kind"] == fabrics.BROCADE:
                try:
                    with fabrics.opened([one["name"] for one in news["fabrics"]]) as seen:
                        found = fabrics.made(news) or fabrics.ours(news, seen)
                        plans = [zoning.removal(seen.zonings[name], zones) for name, zones in found.items()]
                except Blocked as error:
                    concerns, plans = list(error.concerns), []
                for plan in plans:
                    concerns += plan.concerns
                    if plan.change:
                        call.say(f"{plan.fabric}: last of all, - zone {', '.join(plan.change.remove)}")
            verdict.show(call, "the zones to remove", concerns, expected)
        return CheckResult(news, [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare with the switches: a zone of ours that is there again goes again."""
        if not olds.get("complete") or news["kind"] != fabrics.BROCADE:
            return DiffResult(changes=not olds.get("complete"))
        try:
            with fabrics.opened([*fabrics.made(news)]) as seen:
                plans = [zoning.removal(seen.zonings[name], made) for name, made in fabrics.made(news).items()]
        except Blocked:  # the update says so
            return DiffResult(changes=True)
        return DiffResult(changes=any(plan.change for plan in plans))

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
        hosts: Sequence[str],
        datastores: Sequence[str],
        preview: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare that these zones are gone. `made` is `FabricZones.made`; `fabric`, `preview`: as there."""
        inputs = {**fabric, "made": made, "hosts": list(hosts), "datastores": list(datastores), "preview": preview}
        told = ("complete", "before", "after", "commands", "audit")
        super().__init__(RemovedZonesProvider(), name, {**dict.fromkeys(told), **inputs}, opts)


def _settled(id_: str, inputs: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
    """Take the zones away and return the outputs.

    Raises: MigrationError.
    """
    with accounted(id_, inputs, olds) as outputs:
        outputs["complete"] = False
        if inputs["kind"] == fabrics.BROCADE:
            _remove(inputs, outputs)
        else:
            _tell(inputs, outputs)
        outputs["complete"] = True
    return outputs


def _remove(inputs: Mapping[str, Any], outputs: dict[str, Any]) -> None:
    """Take our zones out of one fabric after the other.

    Raises: Blocked where anything stands against any of them, before the first is changed; MigrationError.
    """
    call = runtime.current_call()
    made = fabrics.made(inputs)
    before, after = dict(outputs.get("before") or {}), dict(outputs.get("after") or {})
    with fabrics.opened([*made], again=True) as seen:
        plans = [zoning.removal(seen.zonings[name], zones) for name, zones in made.items()]
        concerns = [concern for plan in plans for concern in plan.concerns]
        if any(plan.change for plan in plans):
            concerns += _in_use(inputs, made)
        if wrong := [concern for concern in concerns if concern.severity is Severity.BLOCKS]:
            raise Blocked(wrong)
        for concern in concerns:
            call.say(str(concern), severity="warning")
        for plan in plans:
            zones = seen.zonings[plan.fabric]
            if plan.change:
                if runtime.stop.is_set():
                    raise Paused(f"{plan.fabric}: paused before its zones are removed; run again to go on")
                call.progress(f"{plan.fabric}: removing {len(plan.change.remove)} zones", None)
                before[plan.fabric] = fabrics.shown(zones)
                zones = seen.switches[plan.fabric].apply(zones, plan.change)
                fabrics.keep(zones)
                call.say(
                    f"{plan.fabric}: - zone {', '.join(plan.change.remove)}; {zones.configuration} is in effect with "
                    f"{len(zones.effective)} zones, checksum {zones.checksum}; all of them are as they were"
                )
            after[plan.fabric] = fabrics.shown(zones)
            outputs.update(before=before, after=after)


def _in_use(inputs: Mapping[str, Any], made: Mapping[str, Mapping[str, zoning.Zone]]) -> Iterator[Concern]:
    """Yield each host with the disks that it still has attached through a port of the array that these zones open."""
    hosts = host_storage.host_storage(access.site("target"))
    opened = {port for zones in made.values() for zone in zones.values() for port in (*zone.members, *zone.principals)}
    for name in inputs["hosts"]:
        host = hosts.get(name)
        if host is None:
            continue
        if used := sorted(disk.name for disk in host.disks.values() if disk.attached and disk.ports & opened):
            some = ", ".join(used[:5]) + (f" and {len(used) - 5} more" if len(used) > 5 else "")
            yield Against.IN_USE.concern(name, f"it has {some} attached, which it reaches through zones that are to go")


def _tell(inputs: Mapping[str, Any], outputs: dict[str, Any]) -> None:
    """Say what people are to type in: the names are those that FabricZones told them to make."""
    call = runtime.current_call()
    found = fabrics.ports(inputs, inputs["targets"])
    zones = fabrics.manual(inputs, found)
    told: dict[str, dict[str, Sequence[str]]] = {}
    for one in inputs["fabrics"]:
        names = [zone.name for zone in zones[one["name"]]]
        if names:
            told[one["name"]] = {"brocade": commands.brocade_removal(one["configuration"], names)}
            if one["vsan"]:
                told[one["name"]]["cisco"] = commands.cisco_removal(int(one["vsan"]), one["configuration"], names)
    outputs["commands"] = told
    for fabric, families in told.items():
        for family, lines in families.items():
            call.say(
                "\n".join((f"{fabric}: to be typed in by the SAN team ({family}):", *(f"  {line}" for line in lines)))
            )

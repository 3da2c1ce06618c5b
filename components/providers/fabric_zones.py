"""FabricZones: the zones between new hosts and old array. The path of this module is in users' states: it stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from components.providers import access, fabrics, runtime, verdict
from components.providers.accounted import accounted
from fabric import commands, zoning
from migration.errors import Blocked, Paused
from migration.model import Concern, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pulumi
    from pulumi.dynamic import ConfigureRequest

    from components.providers.fabrics import Fabrics, Ports
    from fabric.zoning import Plan, Zone

ID = "fabric zones"


class FabricZonesProvider(ResourceProvider):
    """Adds zones to the configuration that is in effect in each fabric, one fabric after the other, or says what to type in."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Remember the stack's configuration; no site is contacted yet."""
        access.configure(req)

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """In a preview, say zone by zone what will be done in each fabric, and what stands against it. Reads only."""
        expected = int(news.pop("preview", 0))
        if expected:
            call = runtime.current_call()
            verdict.show(call, "the fabrics", [] if news["closing"] else _foretold(call, news), expected)
        return CheckResult(news, [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare with what the switches have in effect, so that a zone that somebody removed is seen without a refresh."""
        if bool(olds.get("closing")) != bool(news["closing"]) or not olds.get("complete"):
            return DiffResult(changes=True)
        if news["closing"]:
            return DiffResult(changes=False)
        try:
            found = fabrics.ports(news, olds.get("targets") or ())
            if news["kind"] != fabrics.BROCADE:
                return DiffResult(changes=_commands(news, fabrics.manual(news, found)) != (olds.get("commands") or {}))
            with fabrics.opened(_names(news)) as seen:
                plans = fabrics.plans(news, found, seen)
        except Blocked:  # the update says so
            return DiffResult(changes=True)
        return DiffResult(
            changes=any(plan.change or plan.concerns for plan in plans) or _paths(plans) != olds.get("paths")
        )

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the zones that are not there."""
        return CreateResult(ID, _settled(ID, props, {}))

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Make the zones that are not there; also what follows a failed create."""
        return UpdateResult(_settled(id_, news, olds))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what was done; `diff` looks at the switches themselves."""
        return ReadResult(id_, props)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Forget the zones; they stay."""
        runtime.current_call().say("the zones are left as they are: retiring all old datastores takes them away")


class FabricZones(Resource, module="esxodus", name="FabricZones"):
    """The zones in which the new hosts reach the old array.

    `paths` is how many paths each new host has to each LUN of it then (0: not known), `made` what we made (fabric to zone to
    its members), `before` and `after` what was in effect in each fabric, and `commands` what people are to type in.
    """

    paths: pulumi.Output[int]
    made: pulumi.Output[dict[str, Any]]
    targets: pulumi.Output[list[str]]
    commands: pulumi.Output[dict[str, Any]]
    before: pulumi.Output[dict[str, Any]]
    after: pulumi.Output[dict[str, Any]]
    audit: pulumi.Output[list[dict[str, str]]]

    def __init__(
        self,
        name: str,
        fabric: Mapping[str, Any],
        hosts: Sequence[str],
        datastores: Sequence[str],
        preview: int,
        *,
        closing: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare that these hosts reach the old array. `fabric` are the settings; `preview`: as for a VM.

        `closing`: the zones are about to be taken away (RemovedZones); nothing is done here.
        """
        inputs = {
            **fabric,
            "hosts": list(hosts),
            "datastores": list(datastores),
            "closing": closing,
            "preview": preview,
        }
        told = ("paths", "made", "commands", "before", "after", "complete", "audit")
        super().__init__(FabricZonesProvider(), name, {**dict.fromkeys(told), **inputs}, opts)


def _names(inputs: Mapping[str, Any]) -> list[str]:
    return [one["name"] for one in inputs["fabrics"]]


def _foretold(call: runtime.Call, news: Mapping[str, Any]) -> list[Concern]:
    """Say what will be done, and return what stands against it."""
    found = fabrics.ports(news)
    if found.unknown:
        call.say(
            f"the Fibre Channel ports of {', '.join(found.unknown)} are known once they have joined; then they are zoned"
        )
    if news["kind"] != fabrics.BROCADE:
        _tell(call, _commands(news, fabrics.manual(news, found)))
        return []
    try:
        with fabrics.opened(_names(news)) as seen:
            plans = fabrics.plans(news, found, seen)
            concerns = _judged(news, found, seen, plans)
    except Blocked as error:
        return list(error.concerns)
    for plan in plans:
        there = seen.zonings[plan.fabric]
        call.say(
            f"{plan.fabric}: {there.configuration or 'nothing'} is in effect with {len(there.effective)} zones, "
            f"checksum {there.checksum}"
        )
        for line in _told(plan.change, found):
            call.say(f"{plan.fabric}: {line}")
    return concerns


def _judged(inputs: Mapping[str, Any], found: Ports, seen: Fabrics, plans: Sequence[Plan]) -> list[Concern]:
    """Return what stands against the plans; of hosts that have not joined nothing is known."""
    hosts = [name for name in inputs["hosts"] if name not in found.unknown]
    concerns = [concern for plan in plans for concern in plan.concerns]
    if found.unknown:  # whatever stands against any change shall be known before the hosts have joined
        concerns += [concern for zones in seen.zonings.values() for concern in zoning.against(zones)]
    concerns += zoning.absent(list(seen.zonings.values()), found.initiators, found.targets, hosts)
    return list(dict.fromkeys(concerns))


def _told(change: zoning.Change, found: Ports) -> list[str]:
    """Return one line for each zone that is made, or taken away to be made anew."""
    who = {port.wwpn: str(port) for port in found.initiators}
    added = {zone.name for zone in change.add}
    lines = [f"- zone {name}" for name in change.remove if name not in added]
    for zone in change.add:
        members = ", ".join(who.get(port, port) for port in (*zone.members, *zone.principals))
        kind = "peer zone" if zone.type == zoning.PEER else "zone"
        lines.append(f"+ {kind} {zone.name}: {members}")
    return lines


def _paths(plans: Sequence[Plan]) -> int:
    """Return the paths that the host with the fewest has; hosts without any have a concern of their own."""
    reach: dict[str, int] = {}
    for plan in plans:
        for host, count in plan.reach.items():
            reach[host] = reach.get(host, 0) + count
    return min(reach.values(), default=0)


def _paths_by_hand(inputs: Mapping[str, Any], found: Ports, zones: Mapping[str, Sequence[Zone]]) -> int:
    """Return the paths that people's zones give the host with the fewest; 0 where a fabric's ports are not told."""
    if not all(one["targets"] for one in inputs["fabrics"]):
        return 0
    reach = dict.fromkeys((port.host for port in found.initiators), 0)
    for one in inputs["fabrics"]:
        for port in found.initiators:
            if port.device in one["hbas"] and zones[one["name"]]:
                reach[port.host] += len(one["targets"])
    return min(reach.values(), default=0)


def _settled(id_: str, inputs: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
    """Make the zones and return the outputs.

    Raises: MigrationError.
    """
    with accounted(id_, inputs, olds) as outputs:
        outputs["complete"] = False
        if not inputs["closing"]:
            found = fabrics.ports(inputs, olds.get("targets") or ())
            outputs["targets"] = list(found.targets)
            if inputs["kind"] == fabrics.BROCADE:
                _zone(inputs, found, outputs)
            else:
                zones = fabrics.manual(inputs, found)
                outputs["commands"] = _commands(inputs, zones)
                outputs["paths"] = _paths_by_hand(inputs, found, zones)
                _tell(runtime.current_call(), outputs["commands"])
        outputs["complete"] = True
    return outputs


def _zone(inputs: Mapping[str, Any], found: Ports, outputs: dict[str, Any]) -> None:
    """Change one fabric after the other: should one go wrong, the hosts still have their paths in the other.

    Raises: Blocked where anything stands against any of them, before the first is changed; MigrationError.
    """
    call = runtime.current_call()
    if found.unknown:
        call.say(f"not zoned, because they are not connected: {', '.join(found.unknown)}", severity="warning")
    made = fabrics.made(outputs)
    before, after = dict(outputs.get("before") or {}), dict(outputs.get("after") or {})
    with fabrics.opened(_names(inputs), again=True) as seen:
        plans = fabrics.plans(inputs, found, seen)
        concerns = _judged(inputs, found, seen, plans)
        if wrong := [concern for concern in concerns if concern.severity is Severity.BLOCKS]:
            raise Blocked(wrong)
        for concern in concerns:
            call.say(str(concern), severity="warning")
        for plan in plans:
            zones = seen.zonings[plan.fabric]
            if plan.change:
                if runtime.stop.is_set():
                    raise Paused(f"{plan.fabric}: paused before its zones are changed; run again to go on")
                call.progress(f"{plan.fabric}: zoning {len(plan.change.add)}", None)
                before[plan.fabric] = fabrics.shown(zones)
                zones = seen.switches[plan.fabric].apply(zones, plan.change)
                fabrics.keep(zones)
                others = len(zones.effective) - len(plan.change.add)
                for line in _told(plan.change, found):
                    call.say(f"{plan.fabric}: {line}")
                call.say(
                    f"{plan.fabric}: {zones.configuration} is in effect with {len(zones.effective)} zones, checksum "
                    f"{zones.checksum}; the other {others} are as they were"
                )
            after[plan.fabric] = fabrics.shown(zones)
            ours: dict[str, Zone] = {**made.get(plan.fabric, {}), **{zone.name: zone for zone in plan.zones}}
            made[plan.fabric] = {name: zone for name, zone in ours.items() if name in zones.effective}
            outputs.update(
                before=before, after=after, made={name: fabrics.written(kept) for name, kept in made.items()}
            )
    outputs["paths"] = _paths(plans)


def _commands(inputs: Mapping[str, Any], zones: Mapping[str, Any]) -> dict[str, Any]:
    """Return what people are to type in, by fabric and family of switches."""
    told = {}
    for one in inputs["fabrics"]:
        own = zones[one["name"]]
        if own:
            told[one["name"]] = {"brocade": commands.brocade(one["configuration"], own)}
            if one["vsan"]:
                told[one["name"]]["cisco"] = commands.cisco(int(one["vsan"]), one["configuration"], own)
    return told


def _tell(call: runtime.Call, told: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    for fabric, families in told.items():
        for family, lines in families.items():
            call.say(
                "\n".join((f"{fabric}: to be typed in by the SAN team ({family}):", *(f"  {line}" for line in lines)))
            )

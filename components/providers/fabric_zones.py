"""FabricZones: the zones between new hosts and old array. The path of this module is in users' states: it stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from components.providers import access, fabrics, runtime, verdict, zoned_by_hand
from components.providers.accounted import accounted
from fabric import zoning
from migration.errors import Blocked
from migration.model import Concern

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pulumi
    from pulumi.dynamic import ConfigureRequest

    from components.providers.fabrics import Fabrics, Ports
    from fabric.zoning import Plan

ID: Final = "fabric zones"


class FabricZonesProvider(ResourceProvider):
    """Adds zones to the configuration that is in effect in each fabric, one fabric after the other, or says what to type in."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Remember the stack's configuration; no site is contacted yet."""
        access.configure(req)

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """In a preview, say zone by zone what will be done in each fabric, and what stands against it. Reads only."""
        expected = int(news.pop("preview", 0))
        if expected:
            call = runtime.current_call()
            concerns: list[Concern] = []
            if not news["closing"]:
                known = news["remembered"] if not olds.get("closing") else {}
                found = fabrics.ports(news, news["remembered"])
                if news["kind"] == fabrics.BROCADE:
                    concerns = _foretold(call, news, found)
                else:
                    zoned_by_hand.tell(call, zoned_by_hand.commands_for(news, found, fabrics.read(known.get("made"))))
            verdict.show(call, "the fabrics", concerns, expected)
        return CheckResult(news, [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare with what the switches have in effect, so that a zone that somebody removed is seen without a refresh."""
        if bool(olds.get("closing")) != bool(news["closing"]) or not olds.get("complete"):
            return DiffResult(changes=True)
        if news["closing"]:
            return DiffResult(changes=False)
        made = fabrics.read(olds.get("made"))
        try:
            found = fabrics.ports(news, olds)
            if news["kind"] != fabrics.BROCADE:
                return DiffResult(changes=bool(zoned_by_hand.commands_for(news, found, made)))
            with fabrics.opened(fabrics.named(news)) as seen:
                plans = fabrics.plans(news, found, seen, made)
        except Blocked:  # the update says so
            return DiffResult(changes=True)
        away = set(found.unknown)
        grown = {host: ports for host, ports in _reach(plans).items() if host not in away} != {
            host: ports for host, ports in (olds.get("reach") or {}).items() if host not in away
        }
        return DiffResult(changes=grown or any(plan.change or plan.concerns for plan in plans))

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

    `reach` is how many of a host's ports see each port of the array (host to port to number; empty where it is not known),
    `made` what we made, or told people to make (fabric to zone to its members), `reached` the array's ports, `before` and
    `after` what was in effect in each fabric, and `commands` what people are to type in.
    """

    reach: pulumi.Output[dict[str, Any]]
    made: pulumi.Output[dict[str, Any]]
    reached: pulumi.Output[list[str]]
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
        remembered: Mapping[str, Any],
        *,
        closing: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare that these hosts reach the old array. `fabric` are the settings; `preview`: as for a VM.

        `remembered` are `made` and, as `targets`, `reached` of the state: in a preview a provider is not told its outputs.
        `closing`: the zones are about to be taken away (RemovedZones); nothing is made here.
        """
        inputs = {
            **fabric,
            "hosts": list(hosts),
            "datastores": list(datastores),
            "closing": closing,
            "remembered": dict(remembered),
            "preview": preview,
        }
        told = ("reach", "made", "reached", "commands", "before", "after", "complete", "audit")
        super().__init__(FabricZonesProvider(), name, {**dict.fromkeys(told), **inputs}, opts)


def _foretold(call: runtime.Call, news: Mapping[str, Any], found: Ports) -> list[Concern]:
    """Say what will be done, and return what stands against it."""
    if found.unknown:
        call.say(
            f"the Fibre Channel ports of {', '.join(found.unknown)} are known once they have joined; then they are zoned"
        )
    made = fabrics.read(news["remembered"].get("made"))
    try:
        with fabrics.opened(fabrics.named(news)) as seen:
            plans = fabrics.plans(news, found, seen, made)
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
    """Return one line for each zone that is made, grows, or is put into effect."""
    who = {port.wwpn: str(port) for port in found.initiators}
    lines = []
    for sign, zones in (("+ zone", change.add), ("+ in zone", change.extend)):
        for zone in zones:
            members = ", ".join(who.get(port, port) for port in (*zone.members, *zone.principals))
            lines.append(f"{sign} {zone.name}{' of peers' if zone.type == zoning.PEER else ''}: {members}")
    return [*lines, *(f"+ zone {name}, which is defined, into effect" for name in change.join)]


def _reach(plans: Sequence[Plan]) -> dict[str, dict[str, int]]:
    reach: dict[str, dict[str, int]] = {}
    for plan in plans:
        for host, ports in plan.reach.items():
            reach.setdefault(host, {}).update(ports)
    return reach


def _settled(id_: str, inputs: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
    """Make the zones and return the outputs.

    Raises: MigrationError.
    """
    with accounted(id_, inputs, olds) as outputs:
        outputs["complete"] = False
        outputs.setdefault("made", None)
        outputs["made"] = outputs["made"] or inputs["remembered"].get("made") or {}
        found = fabrics.ports(inputs, {"targets": olds.get("reached") or inputs["remembered"].get("targets")})
        outputs["reached"] = list(found.targets)
        if inputs["closing"]:
            if inputs["kind"] == fabrics.BROCADE:
                _adopt(inputs, found, outputs)
        elif inputs["kind"] == fabrics.BROCADE:
            _zone(inputs, found, outputs)
        else:
            zoned_by_hand.settle(inputs, found, outputs, anew=bool(olds.get("closing")))
        outputs["complete"] = True
    return outputs


def _adopt(inputs: Mapping[str, Any], found: Ports, outputs: dict[str, Any]) -> None:
    """Count as made what a run has made that was killed before it could say so: zones of our names, of our ports alone."""
    made = fabrics.read(outputs["made"])
    with fabrics.opened(fabrics.named(inputs), again=True) as seen:
        for plan in fabrics.plans(inputs, found, seen, made):
            defined = seen.zonings[plan.fabric].defined.zones
            ours = {
                zone.name: defined[zone.name]
                for zone in plan.zones
                if zone.name in defined and defined[zone.name].all <= found.known
            }
            made[plan.fabric] = {**ours, **made.get(plan.fabric, {})}
    outputs["made"] = {name: fabrics.written(zones) for name, zones in made.items()}


def _zone(inputs: Mapping[str, Any], found: Ports, outputs: dict[str, Any]) -> None:
    """Change one fabric after the other: should one go wrong, the hosts still have their paths in the other.

    Raises: Blocked where anything stands against any of them, before the first is changed; MigrationError.
    """
    call = runtime.current_call()
    if found.unknown:
        call.say(f"not zoned, because they are not connected: {', '.join(found.unknown)}", severity="warning")
    made = fabrics.read(outputs["made"])
    with fabrics.opened(fabrics.named(inputs), again=True) as seen:
        plans = fabrics.plans(inputs, found, seen, made)
        concerns = _judged(inputs, found, seen, plans)
        verdict.heed(call, concerns)
        for plan in plans:
            zones = seen.zonings[plan.fabric]
            # What is about to be ours is kept first: a run that fails between here and there has made it all the same.
            grown = {zone.name: zones.defined.zones.get(zone.name, zone) for zone in plan.zones}
            grown |= {more.name: grown[more.name].with_more(more) for more in plan.change.extend}
            made[plan.fabric] = {**made.get(plan.fabric, {}), **grown}
            outputs["made"] = {name: fabrics.written(kept) for name, kept in made.items()}
            had = len(zones.effective)
            zones = fabrics.carry_out(call, seen, plan, outputs, "zoning", "changed")
            if plan.change:
                for line in _told(plan.change, found):
                    call.say(f"{plan.fabric}: {line}")
                call.say(
                    f"{plan.fabric}: {zones.configuration} is in effect with {len(zones.effective)} zones, checksum "
                    f"{zones.checksum}; the {had} that were there are "
                    f"{'otherwise ' if plan.change.extend else ''}as they were"
                )
    outputs["reach"] = {**(outputs.get("reach") or {}), **_reach(plans)}

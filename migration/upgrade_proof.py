"""The proof that a cluster can do without each of its hosts in turn, in numbers; and what stands against it. Pure.

What runs now is what counts. Memory is what the running VMs are configured with, because that is what they may come to use; CPU
is what they use at the moment or have reserved, whichever is more. Both must fit into what the other hosts have, less what HA's
admission control keeps free then: with admission control on, vCenter does not empty a host below that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from migration.model import Concern, Power, Severity
from migration.upgrade_concerns import Against
from migration.upgrade_fleet import SHOWN, Fleet, Member, Wanted
from migration.upgrade_obstacles import obstacles
from migration.upgrade_paths import against as no_way
from migration.upgrade_paths import unmanaged

ROOM: Final = Against.NOWHERE.value.id

HYPERVISOR: Final = 2.0
"""GiB of each host's memory that count as ESXi's own."""


@dataclass(frozen=True, slots=True)
class Without:
    """What is needed, and what the other hosts have, without one host; MHz and GiB. HA's `reserve` is taken off already."""

    name: str
    needed: tuple[float, float]
    left: tuple[float, float]
    reserve: tuple[float, float]
    leaving: int

    @property
    def enough(self) -> bool:
        """Whether the others have enough of both."""
        return self.needed[0] <= self.left[0] and self.needed[1] <= self.left[1]

    def __str__(self) -> str:
        """Say the numbers that do not fit, without the host's name."""
        what = (("MHz of CPU", 0), ("GiB of memory", 1))
        short = [
            f"{self.needed[at]:.0f} {unit} needed, {self.left[at]:.0f} left"
            for unit, at in what
            if self.needed[at] > self.left[at]
        ]
        kept = f", with {max(self.reserve):.0%} kept free by HA" if max(self.reserve) else ""
        return f"without it, {'; '.join(short)}{kept}"


def without(name: str, fleet: Fleet) -> Without:
    """Return what is needed and what is left when the host is out."""
    running = [vm for vm in fleet.vms if vm.power is Power.ON]
    cpu = max(
        sum(vm.cpu_reservation for vm in running),
        sum(max(vm.cpu_reservation, fleet.usage.get(vm.instance_uuid, 0.0)) for vm in running),
    )
    others = [one.host for one in fleet.others(name) if not one.out or one.ours]  # ours comes back before its turn
    kept = fleet.reserve
    return Without(
        name,
        (cpu, sum(vm.memory for vm in running)),
        (
            sum(host.mhz for host in others) * (1 - kept[0]),
            sum(max(0.0, host.memory - HYPERVISOR) for host in others) * (1 - kept[1]),
        ),
        kept,
        len(list(fleet.on(name))),
    )


HELD: Final = ("rules", "local", "devices", "other")
"""What may hold VMs on a host, as the columns of the table."""


def table(fleet: Fleet, wanted: Wanted, names: Sequence[str]) -> str:
    """Return the proof for all hosts that are to be upgraded, as a table of text."""
    rows: list[tuple[str, ...]] = [
        ("without", "runs", "CPU MHz needed / left", "memory GiB needed / left", "leave", *HELD, "")
    ]
    rows += [_row(member, fleet, wanted) for name in names if (member := fleet.member(name))]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    kept = f" after the {max(fleet.reserve):.0%} that HA keeps free" if max(fleet.reserve) else ""
    title = (
        f"{fleet.cluster} to {wanted}, one host at a time: needed now, and left on the other hosts{kept}; "
        "VMs that leave, and how many of them something holds"
    )
    return "\n".join([title, *lines])


def _row(member: Member, fleet: Fleet, wanted: Wanted) -> tuple[str, ...]:
    one, stuck = without(member.name, fleet), held(member, fleet)
    verdict = "fits" if one.enough and not sum(stuck.values()) else "refused"
    return (
        member.name,
        str(member).removeprefix("ESXi "),
        f"{one.needed[0]:.0f} / {one.left[0]:.0f}",
        f"{one.needed[1]:.0f} / {one.left[1]:.0f}",
        str(one.leaving),
        *(str(stuck[what]) for what in HELD),
        "upgraded" if member.runs(wanted) else verdict,
    )


def held(member: Member, fleet: Fleet) -> Counter[str]:
    """Return how many VMs each kind of thing holds on the host."""
    count = Counter[str]()
    if any(one.out for one in fleet.members):
        return count  # where they could go is seen when all are back
    enough = without(member.name, fleet).enough
    for vm in fleet.on(member.name):
        kinds = {
            _column(one) for one in obstacles(vm, fleet, member.name) if blocks(one) and (enough or one.id != ROOM)
        }
        count.update(kinds)
    return count


def _column(concern: Concern) -> str:
    if concern.id == Against.LOCAL.value.id:
        return "local"
    if concern.id == Against.DEVICE.value.id:
        return "devices"
    return "rules" if concern.id == ROOM and "DRS rule" in concern.sentence else "other"


def blocks(concern: Concern) -> bool:
    """Say whether the concern blocks."""
    return concern.severity is Severity.BLOCKS


def concerns(name: str, wanted: Wanted, fleet: Fleet) -> tuple[Concern, ...]:
    """Return what stands against taking the host out of service and upgrading it; nothing where it is upgraded already."""
    member = fleet.member(name)
    if member is None:
        return (Against.UNKNOWN.concern(name, f"cluster {fleet.cluster} has no host of this name"),)
    if member.runs(wanted):
        return ()
    found = [*versions(member, wanted, fleet), *_others(member, fleet)]
    if not member.out:
        proof = without(name, fleet)
        if not proof.enough:
            found.append(Against.N_PLUS_ONE.concern(name, f"{fleet.cluster} is not N+1 for what runs now: {proof}"))
        for vm in fleet.on(name):
            stuck = obstacles(vm, fleet, name)
            # Where all of them together have too little, that is said once, and not of each VM.
            found += [one for one in stuck if proof.enough or one.id != ROOM]
        found += _apart(member, fleet)
        if by_hand := [vm for vm in fleet.vms if vm.power is Power.ON and not fleet.moved_by_drs(vm)]:
            what = f"DRS leaves {len(by_hand)} of its VMs to people: they are moved one by one"
            found.append(Against.MANUAL.concern(fleet.cluster, what))
    return tuple(sorted(dict.fromkeys(found), key=lambda concern: list(Severity).index(concern.severity)))


def versions(member: Member, wanted: Wanted, fleet: Fleet) -> Iterator[Concern]:
    """Yield what stands against the way from what the host runs to what is wanted, and against the vCenter."""
    if why := no_way(member.host.version, member.build, wanted):
        yield Against.PATH.concern(member.name, why)
    if fleet.lacking:
        lacking = ", ".join(f"{privilege} on {thing}" for thing, privilege in fleet.lacking)
        yield Against.PERMISSION.concern(fleet.cluster, f"our user lacks {lacking}")
    for why in unmanaged(fleet.vcenter, member.host.version, wanted):
        yield Against.VCENTER.concern(fleet.cluster, why)


def _others(member: Member, fleet: Fleet) -> Iterator[Concern]:
    """Yield the hosts that somebody else has taken out; one that an earlier run of ours has is no obstacle: it comes first."""
    for one in fleet.members:
        if one.out and not one.ours:
            what = "in maintenance mode" if one.maintenance else str(one.connection)
            yield Against.HOST_OUT.concern(one.name, f"it is {what}, and not by an upgrade of ours")
    if len(fleet.members) == 1:
        yield Against.N_PLUS_ONE.concern(member.name, f"it is the only host of {fleet.cluster}")


def _apart(member: Member, fleet: Fleet) -> Iterator[Concern]:
    hosts = [one for one in fleet.others(member.name) if not one.out]
    running = {vm.instance_uuid: vm for vm in fleet.vms if vm.power is Power.ON}
    rules = {rule.name: rule for vm in running.values() for rule in vm.metadata.rules}
    for name, rule in sorted(rules.items()):
        names = sorted(running[uuid].name for uuid, _ in rule.members if uuid in running)
        if rule.kind == "antiAffinity" and rule.enabled and len(names) > len(hosts):
            shown = f"{', '.join(names[:SHOWN])}{' …' if len(names) > SHOWN else ''}"
            yield Against.APART.concern(
                name,
                f"it keeps {len(names)} VMs apart ({shown}), and {len(hosts)} hosts are left without {member.name}",
            )

"""Rolling upgrade: the next step of one host. Pure.

A host's phase is recognised from the world alone: its version, its connection, maintenance mode, the image that it will boot
next, and our mark on it. The mark, a custom attribute of the host, is what tells a host that we took out of service from one
that somebody else did: ours goes back into service, the other one is left as it is and nothing is begun beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from migration.model import Vm
from migration.upgrade_fleet import SHOWN, Connection, Fleet, Member, Wanted
from migration.upgrade_places import destination

NOWHERE: Final = "make room or lift what the other hosts lack, or shut the VM down, then run again"


@dataclass(frozen=True, slots=True)
class SoFar:
    """What this run has found out about a host that the world does not show; another run finds it out anew.

    `installed`: the means of upgrading has ended well; `rebooted`: the host was restarted after that.
    """

    installed: bool = False
    rebooted: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Write our mark on the host, or take it away."""

    on: bool = True


@dataclass(frozen=True, slots=True)
class Move:
    """Move a VM that runs to another host of the cluster, because DRS leaves it to people."""

    vm: Vm
    to: str


@dataclass(frozen=True, slots=True)
class Enter:
    """Put the host into maintenance mode; DRS takes away what is left on it."""


@dataclass(frozen=True, slots=True)
class Install:
    """Upgrade the host by the means that is configured."""


@dataclass(frozen=True, slots=True)
class Reboot:
    """Restart the host, and see it go down."""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Let vCenter connect to the host again."""


@dataclass(frozen=True, slots=True)
class Leave:
    """End maintenance mode."""


@dataclass(frozen=True, slots=True)
class Await:
    """Wait for news of the host; `what` says what for, and what is wrong where it does not come."""

    what: str


Step = Mark | Move | Enter | Install | Reboot | Reconnect | Leave | Await


@dataclass(frozen=True, slots=True)
class Done:
    """The host runs what is wanted and is in service."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing more may be done to the host before somebody has acted; `remedy` says what on."""

    id: str
    why: str
    remedy: str


def decide(name: str, wanted: Wanted, fleet: Fleet, so_far: SoFar = SoFar()) -> Step | Done | Stop:
    """Return the next step of the host's upgrade. Whether the others can carry what runs: `migration.upgrade_proof`."""
    member = fleet.member(name)
    if member is None:
        return Stop(
            "upgrade.host-unknown",
            f"cluster {fleet.cluster} has no host {name}",
            "correct esxodus:upgrade.hosts",
        )
    if member.connection is not Connection.CONNECTED:
        return _gone(member)
    if member.maintenance:
        return _in_maintenance(member, wanted, fleet, so_far)
    if member.runs(wanted):
        return Mark(on=False) if member.ours else Done()
    return _in_service(member, fleet)


def _gone(member: Member) -> Step | Stop:
    if not member.ours:
        return Stop(
            "upgrade.host-out",
            f"{member.name} is {_words(member.connection)}, and not by an upgrade of ours",
            "bring it back, or take it out of esxodus:upgrade.hosts, then run again",
        )
    if member.connection is Connection.SILENT:
        return Await("it has not come back after its restart")
    return Reconnect()


def _in_maintenance(member: Member, wanted: Wanted, fleet: Fleet, so_far: SoFar) -> Step | Done | Stop:
    if not member.ours:
        if member.runs(wanted):
            return Done()  # and it stays in maintenance mode, as whoever put it there wants
        return Stop(
            "upgrade.host-out",
            f"{member.name} is in maintenance mode, and not by an upgrade of ours",
            "end its maintenance mode, or take it out of the cluster and of esxodus:upgrade.hosts, then run again",
        )
    if member.runs(wanted):
        ailing = next(iter(ailments(member, fleet)), "")
        return Await(ailing) if ailing else Leave()
    if so_far.rebooted:
        return Stop(
            "upgrade.reverted",
            f"{member.name} was restarted and runs {member} still",
            "see its /var/log/esxupdate.log and the console for why it did not boot the new image, then run again",
        )
    if member.next_image or so_far.installed:
        return Reboot()
    return Install()


def _in_service(member: Member, fleet: Fleet) -> Step | Stop:
    """Return the next step of a host that is to be taken out of service: never a second one."""
    out = [one for one in fleet.others(member.name) if one.out]
    if out:
        return Stop(
            "upgrade.host-out",
            f"{_listed(out)}: {member.name} is not taken out beside",
            "bring it back into service, then run again",
        )
    if not member.ours:
        return Mark()
    for vm in sorted(fleet.on(member.name), key=lambda vm: (-vm.memory, vm.name)):
        if not fleet.moved_by_drs(vm):
            to, against = destination(vm, fleet, member.name)
            if to is None:
                return Stop("upgrade.vm-nowhere", f"{vm.name} cannot leave {member.name}: {against}", NOWHERE)
            return Move(vm, to.name)
    return Await(f"it does not come into maintenance mode: {_left(member, fleet)}") if member.entering else Enter()


def _left(member: Member, fleet: Fleet) -> str:
    names = [vm.name for vm in fleet.on(member.name)]
    return (
        f"{', '.join(names[:SHOWN])}{' …' if len(names) > SHOWN else ''} still run on it"
        if names
        else "no VM is left on it"
    )


def ailments(member: Member, fleet: Fleet) -> Iterator[str]:
    """Yield what is wrong with a host that has been upgraded: what every other host in service has, it must have again."""
    others = [one.host for one in fleet.others(member.name) if not one.out]
    if not others:
        return
    if all(one.vmotion for one in others) and not member.host.vmotion:
        yield "no VMkernel adapter of it carries vMotion"
    volumes = frozenset.intersection(*(one.volumes for one in others)) - member.host.volumes
    if volumes:
        yield f"it does not reach the datastores {', '.join(sorted(fleet.volumes.get(one, one) for one in volumes))}"
    if networks := frozenset.intersection(*(one.networks for one in others)) - member.host.networks:
        yield f"it lacks the networks {', '.join(sorted(networks))}"


def _words(connection: Connection) -> str:
    return {Connection.SILENT: "not responding"}.get(connection, str(connection))


def _listed(members: list[Member]) -> str:
    return ", ".join(
        f"{one.name} is {'in maintenance mode' if one.maintenance else _words(one.connection)}" for one in members
    )

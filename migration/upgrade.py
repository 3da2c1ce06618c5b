"""Rolling upgrade: a cluster's hosts as they are seen, and the next step of one of them. Pure.

A host's phase is recognised from the world alone: its version, its connection, maintenance mode, the image that it will boot
next, and our mark on it. The mark, a custom attribute of the host, is what tells a host that we took out of service from one
that somebody else did: ours goes back into service, the other one is left as it is and nothing is begun beside it.
Sizes are GiB and MHz.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from migration.model import NONE, Power, Vm
from migration.observation import Host

MARK: Final = "esxodus.upgrade"
"""Custom attribute of a host that is, or is about to be, in maintenance mode for its upgrade."""

AUTOMATED: Final = "fullyAutomated"
"""The automation of DRS with which vCenter empties a host by itself."""


class Connection(enum.StrEnum):
    """How vCenter stands to a host, in vSphere's words."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    SILENT = "notResponding"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the hosts should run."""

    version: str
    build: int

    def __str__(self) -> str:
        """Give it as an operator writes it."""
        return f"ESXi {self.version} build {self.build}"


@dataclass(frozen=True, slots=True)
class Member:
    """A host of the cluster. `host` is what it offers to VMs, `ours` that it bears our mark.

    `next_image` is what it will boot next, where that is another image than the one it runs; `entering`: a task that puts it
    into maintenance mode is under way.
    """

    host: Host
    build: int
    connection: Connection = Connection.CONNECTED
    maintenance: bool = False
    ours: bool = False
    next_image: str = ""
    entering: bool = False

    @property
    def name(self) -> str:
        """Its name."""
        return self.host.name

    @property
    def out(self) -> bool:
        """Whether it can run no VM now."""
        return self.maintenance or self.connection is not Connection.CONNECTED

    def runs(self, wanted: Wanted) -> bool:
        """Say whether it runs what is wanted, or something newer."""
        return (numbers(self.host.version), self.build) >= (numbers(wanted.version), wanted.build)

    def __str__(self) -> str:
        """Say what it runs."""
        return f"ESXi {self.host.version} build {self.build}"


@dataclass(frozen=True, slots=True)
class Fleet:
    """A cluster with its VMs, as seen at one moment.

    `drs` is the automation of DRS, "" where it is off. `reserve` are the parts of CPU and memory that HA keeps free when one host
    fewer is in service. `groups` are hosts by the name of their DRS group. `usage` is MHz that each VM uses now, by instance UUID.
    """

    cluster: str
    vcenter: str
    members: tuple[Member, ...]
    vms: tuple[Vm, ...] = ()
    drs: str = ""
    reserve: tuple[float, float] = (0.0, 0.0)
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    usage: Mapping[str, float] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=lambda: NONE)

    def member(self, name: str) -> Member | None:
        """Return the host of this name."""
        return next((one for one in self.members if one.name == name), None)

    def others(self, name: str) -> tuple[Member, ...]:
        """Return every host but that one."""
        return tuple(one for one in self.members if one.name != name)

    def on(self, name: str) -> Iterator[Vm]:
        """Yield the VMs on a host that have to leave it: those that run or are suspended. What is off stays."""
        return (vm for vm in self.vms if vm.host == name and vm.power is not Power.OFF)

    def moved_by_drs(self, vm: Vm) -> bool:
        """Say whether vCenter moves it by itself when its host goes into maintenance mode."""
        own = vm.metadata.overrides
        return bool(self.drs) and own.drs_enabled != "false" and (own.drs_behavior or self.drs) == AUTOMATED

    def moved(self, vm: Vm, to: str) -> Fleet:
        """Return the fleet with the VM on another host."""
        vms = tuple(replace(one, host=to) if one is vm else one for one in self.vms)
        return replace(self, vms=vms)


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
    """Return the next step of the host's upgrade. Whether the others can carry what runs is asked by `migration.upgrade_proof`."""
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


SHOWN: Final = 5
"""How many VMs are named in one sentence."""
NOWHERE: Final = "make room or lift what the other hosts lack, or shut the VM down, then run again"


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


def destination(vm: Vm, fleet: Fleet, leaving: str) -> tuple[Host | None, str]:
    """Return the host for a VM that has to leave: of those that can take it, the one with the most free memory; else why none can."""
    against: dict[str, list[str]] = {}
    able = []
    for one in fleet.others(leaving):
        why = refused(vm, one, fleet)
        if why:
            against.setdefault(why, []).append(one.name)
        else:
            able.append(one.host)
    if able:
        return max(able, key=lambda host: (room(host, fleet)[1], host.name)), ""
    said = "; ".join(f"{', '.join(names)}: {why}" for why, names in against.items())
    return None, said or "there is no other host"


def room(host: Host, fleet: Fleet) -> tuple[float, float]:
    """Return the MHz that no VM that runs on the host has reserved, and the memory that none of them may come to use."""
    running = [vm for vm in fleet.vms if vm.host == host.name and vm.power is Power.ON]
    return host.mhz - sum(vm.cpu_reservation for vm in running), host.memory - sum(vm.memory for vm in running)


def refused(vm: Vm, member: Member, fleet: Fleet) -> str:
    """Return why a host cannot take the VM while it runs, "" where it can."""
    host = member.host
    if member.out:
        return "out of service"
    if not host.vmotion:
        return "carries no vMotion"
    if missing := sorted(fleet.volumes.get(one, one) for one in vm.volumes - host.volumes):
        return f"does not reach {', '.join(missing)}"
    if missing := sorted({nic.network for nic in vm.nics if nic.connected and nic.network} - host.networks):
        return f"lacks the network {', '.join(missing)}"
    if vm.evc and host.evc and vm.evc not in host.evc:
        return f"lacks processor features of {vm.evc}"
    if rule := _ruled_out(vm, host, fleet):
        return f"DRS rule {rule!r}"
    mhz, memory = room(host, fleet)
    if vm.memory > memory:
        return f"{memory:.0f} GiB of memory left"
    if vm.cpu_reservation > mhz:
        return f"{mhz:.0f} MHz left that nobody has reserved"
    return ""


def _ruled_out(vm: Vm, host: Host, fleet: Fleet) -> str:
    """Return the rule that keeps the VM off the host: apart from VMs there, or a group of hosts that it must, or must not, run on."""
    there = {one.instance_uuid for one in fleet.vms if one.host == host.name and one.power is Power.ON}
    for rule in sorted(vm.metadata.rules):
        if not rule.enabled:
            continue
        if rule.kind == "antiAffinity" and there & {uuid for uuid, _ in rule.members if uuid != vm.instance_uuid}:
            return rule.name
        if rule.kind == "vmHost" and rule.mandatory:
            inside = host.name in fleet.groups.get(rule.host_group, frozenset())
            if inside is not rule.affine:
                return rule.name
    return ""


def numbers(version: str) -> tuple[int, ...]:
    """Return "7.0.3" as it is compared."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _words(connection: Connection) -> str:
    return {Connection.SILENT: "not responding"}.get(connection, str(connection))


def _listed(members: list[Member]) -> str:
    return ", ".join(
        f"{one.name} is {'in maintenance mode' if one.maintenance else _words(one.connection)}" for one in members
    )

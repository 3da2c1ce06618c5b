"""A cluster whose hosts are upgraded one after another: its hosts and VMs as they are seen. Pure; sizes are GiB and MHz."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from migration.model import NONE, Power, Vm
from migration.observation import Host

MARK: Final = "esxodus.upgrade"
"""Custom attribute of a host that is, or is about to be, in maintenance mode for its upgrade."""

SHOWN: Final = 5
"""How many VMs are named in one sentence."""

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

    `drs` is the automation of DRS, "" where it is off. `reserve` are the parts of CPU and memory that HA keeps free when one
    host fewer is in service. `groups` are hosts by the name of their DRS group, `usage` is MHz that each VM uses now by its
    instance UUID, `volumes` are names by id. `lacking` are (object, privilege) that our user would need and has not.
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
    lacking: tuple[tuple[str, str], ...] = ()

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


def numbers(version: str) -> tuple[int, ...]:
    """Return "7.0.3" as it is compared."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())

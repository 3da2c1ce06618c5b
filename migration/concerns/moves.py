"""What a concern asks of a VM first: has it still to leave its site, or its files their array?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from migration import live, method
from migration.model import Device, Needs, Power, Vm
from migration.observation import Host, Observation, SiteView
from migration.schedule import can_run, suffices
from migration.wanted import Stage, VmSpec


@dataclass(frozen=True, slots=True)
class Move:
    """A registration that has to change its site, `here` where it is and `there` where it is wanted."""

    spec: VmSpec
    seen: Observation
    vm: Vm
    here: SiteView
    there: SiteView

    @property
    def crosses(self) -> bool:
        """It goes from vCenter to vCenter in one step; else it is reattached."""
        return method.crosses(self.spec, self.seen, self.vm)

    @property
    def mounts(self) -> bool:
        """Both sites have its datastores mounted on the way: its files stay where they are while it changes its site."""
        return not self.crosses or live.files_stay(self.spec, self.seen, self.vm)

    @property
    def copies(self) -> bool:
        """Its files are copied to another datastore on the way, or next."""
        if self.crosses:
            return not live.files_stay(self.spec, self.seen, self.vm)
        if self.spec.home == self.spec.target:
            return self.spec.stage is Stage.MIGRATED
        return not self.vm.volumes <= self.seen.volume_ids(self.spec.source, self.spec.old_volumes)

    @property
    def will_run(self) -> bool:
        """It is to run where it arrives."""
        return will_run(self.vm)

    @property
    def networks(self) -> dict[int, str]:
        """The network that each card, by device key, has there; a card on none is left out."""
        return live.networks_there(self.spec, self.vm)

    @property
    def needed(self) -> tuple[str, frozenset[str], frozenset[str]] | None:
        """Cluster, volumes and networks that the VM needs there; None where its papers are missing.

        Of a file that does not come along another concern tells: no host could ever see it.
        """
        networks = frozenset(self.networks.values())
        if self.vm.site == self.spec.source:
            along = frozenset(one.id for one in self.here.volumes if one.name in self.spec.old_volumes)
            return self.spec.cluster, self.vm.volumes & along if self.mounts else frozenset(), networks
        if self.vm.papers is None:
            return None  # the concern rollback.no-papers
        return self.vm.papers.cluster, frozenset(self.vm.papers.places(self.vm.disks).values()), networks

    @property
    def only(self) -> str:
        """The one host that it is to run on there, "" where any will do."""
        return self.spec.host if self.there.name == self.spec.target else ""

    @property
    def hosts(self) -> list[Host]:
        """The hosts that it may be given there: usable, in its cluster, with its datastores and networks."""
        needed = self.needed
        return [one for one in self.there.hosts if needed and can_run(one, *needed) and self.only in ("", one.name)]

    @property
    def modern(self) -> list[Host]:
        """Those of the hosts that run its virtual hardware; all where none does, which is a concern of its own."""
        return [one for one in self.hosts if suffices(one, Needs(hardware=self.vm.hardware))] or self.hosts

    @property
    def hardware(self) -> int:
        """The highest virtual hardware that one of the hosts runs, or where there is none one of its cluster; 0: not known."""
        cluster = self.needed[0] if self.needed else ""
        around = self.hosts or [host for host in self.there.hosts if cluster in ("", host.cluster)]
        return max((host.hardware for host in around), default=0)


def leaving(spec: VmSpec, seen: Observation) -> Iterator[Move]:
    """Yield each registration that has to change its site, in either direction."""
    there = seen.sites.get(spec.home)
    for vm in seen.vms:
        here = seen.sites.get(vm.site)
        if vm.site != spec.home and here and there:
            yield Move(spec, seen, vm, here, there)


def copying(spec: VmSpec, seen: Observation) -> Iterator[Vm]:
    """Yield each registration that is where it is wanted, restored, while its files are not."""
    old = seen.volume_ids(spec.source, spec.old_volumes) | seen.volume_ids(spec.target, spec.old_volumes)
    for vm in seen.vms:
        if vm.site != spec.target or spec.home != spec.target or (vm.papers and vm.papers.transit):
            continue
        if vm.volumes & old if spec.stage is Stage.MIGRATED else not vm.volumes <= old:
            yield vm


def touched(spec: VmSpec, seen: Observation) -> Iterator[Vm]:
    """Yield each registration that will be worked on: it has to change its site, or its files their array."""
    for move in leaving(spec, seen):
        yield move.vm
    yield from copying(spec, seen)


def will_run(vm: Vm) -> bool:
    """Say whether the VM runs, or is down for the move only."""
    papers = vm.papers if vm.papers and vm.papers.transit else None
    return vm.power is Power.ON or bool(papers and papers.power is Power.ON)


def devices(vm: Vm, *kinds: str) -> list[Device]:
    """Return its devices of these kinds."""
    return [device for device in vm.devices if device.kind in kinds]

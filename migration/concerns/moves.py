"""What a concern asks of a VM first: has it still to leave its site, or its files their array?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from migration import live, method
from migration.model import Device, Power, Vm
from migration.observation import Observation, SiteView
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

"""How long a step will take, so that nothing begins that cannot end inside its window. Pure; seconds and GiB.

A copy takes its size over a rate, which is learned from the copies of the run that have ended. A guest that is taken down
counts with the whole time that its shutdown may take: a window is a promise, and an early end breaks none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from migration.actions import Cross, Relocate
from migration.model import Power, Vm
from migration.wanted import Hook, Method, Stage, VmSpec

DEFAULT_RATE: Final = 100 * 10**6 / 2**30
"""GiB a second before anything was learned: 100 MB/s."""
WEIGHT: Final = 0.3
"""Of the newest copy, in what is learned; those before it share the rest."""
TELLING: Final = 1.0
"""GiB: the time of a smaller copy says more about vCenter's own work than about the rate."""
MARGIN: Final = 0.2
"""Part of the shutdown's time limit that is added for unregister, register and power on."""


@dataclass(frozen=True, slots=True)
class Rates:
    """GiB a second by kind of copy, as far as copies have ended."""

    learned: Mapping[str, float] = field(default_factory=dict)

    def of(self, kind: str) -> float:
        """Return the rate of a kind of copy."""
        return self.learned.get(kind, DEFAULT_RATE)

    def after(self, kind: str, size: float, seconds: float) -> Rates:
        """Return the rates once a copy of `size` has ended."""
        if size < TELLING or seconds <= 0:
            return self
        rate = size / seconds
        known = self.learned.get(kind)
        mixed = rate if known is None else WEIGHT * rate + (1 - WEIGHT) * known
        return Rates({**self.learned, kind: mixed})


def kind(copy: type[Relocate | Cross], vm: Vm) -> str:
    """Return the kind of copy: each has its own path and its own speed."""
    return f"{copy.__name__} {vm.power.value}"


def copied(action: Relocate | Cross, vm: Vm) -> float:
    """Return how many GiB an action copies; a vMotion copies the guest's memory too."""
    return action.size + (vm.memory if isinstance(action, Cross) and vm.power is Power.ON else 0.0)


def written(vm: Vm) -> float:
    """Return the GiB that a copy of all its disks has to move."""
    return sum(disk.written for disk in vm.disks)


def copying(action: Relocate | Cross, vm: Vm, rates: Rates) -> float:
    """Return the seconds that a copy will take."""
    return copied(action, vm) / rates.of(kind(type(action), vm))


def departing(spec: VmSpec, vm: Vm) -> float:
    """Return the seconds from asking the guest to shut down until it runs again at the other site."""
    return spec.shutdown_timeout * (MARGIN + (vm.power is Power.ON))


def hooking(hook: Hook | None) -> float:
    """Return the seconds that a hook may take, with all its attempts."""
    return hook.timeout * (1 + hook.retries) if hook else 0.0


def seconds(spec: VmSpec, vm: Vm) -> float:
    """Return the seconds of the whole way of a VM, at the rate before anything was learned; 0 where it is there already."""
    leaves = vm.site != spec.home
    total = 0.0
    if leaves:
        total += hooking(spec.before) + hooking(spec.after)
        total += spec.health.timeout if spec.health and vm.power is Power.ON and spec.home == spec.target else 0.0
        total += vm.memory / DEFAULT_RATE if spec.method is Method.XVM else departing(spec, vm)
    if files_move(spec, vm):
        total += written(vm) / DEFAULT_RATE
    return total


def files_move(spec: VmSpec, vm: Vm) -> bool:
    """Say whether files have to be copied, as far as the VM itself and its papers can tell."""
    if vm.papers is None:  # it has never left
        return spec.stage is Stage.MIGRATED and vm.site == spec.source
    there = frozenset(vm.papers.disks.values())
    return bool(vm.volumes & there) if spec.stage is Stage.MIGRATED else not vm.volumes <= there

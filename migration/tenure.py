"""What a run remembers of who works on one VM: itself, nobody, or another run that it watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from migration.actions import Action, SetAttributes, WritePapers
from migration.lease import BEAT, Holder, Lease, Watched
from migration.model import TEMPLATE_MARK
from migration.observation import Observation


class Tenure:
    """The lease of one VM as one `converge` sees it. `clock` is monotonic, in seconds."""

    def __init__(self, holder: Holder | None, clock: Callable[[], float]) -> None:
        """Know nothing yet. Without a holder no lease is heeded, nor written."""
        self._holder, self._clock = holder, clock
        self._beat = 0
        self._written: float | None = None
        self._watched: Watched | None = None
        self._void: Lease | None = None

    def judged(self, seen: Observation) -> Observation:
        """Return the observation with what this run makes of the VM's lease."""
        holder, lease, now = self._holder, seen.lease, self._clock()
        if holder is None:
            return seen
        ours = lease is not None and lease.run == holder.lease.run
        if lease is None or ours:
            self._watched = None
        elif not lease.voided(self._void):  # what has been found void stays so, whatever we do to the VM
            evidence = _evidence(seen)
            self._watched = self._watched.seeing(evidence, now) if self._watched else Watched(evidence, now)
            self._void = lease if holder.knows_void(lease) or self._watched.lapsed(now) else None
        return seen.knowing(run=holder.lease.run, void=self._void)

    def lacking(self, seen: Observation) -> bool:
        """Say whether a VM that has to say it does not say, or not any more, that this run works on it."""
        vm = seen.vm
        if self._holder is None or vm is None or not (vm.on_its_way or TEMPLATE_MARK in vm.attributes):
            return False
        said = vm.lease if vm.on_its_way else vm.held_by
        return said is None or said.run != self._holder.lease.run or self._written is None or self.due

    def renewed(self) -> Lease | None:
        """Return the lease to write now."""
        self._beat += 1
        return self._holder.renewed(self._beat) if self._holder else None

    def signed(self, action: Action) -> Action:
        """Return the action with our lease, where it writes what a lease goes with; else the action itself."""
        match action:
            case WritePapers() if self._holder:
                return replace(action, lease=self.renewed())
            case SetAttributes(attributes) if attributes.get(TEMPLATE_MARK) and (lease := self.renewed()):
                return SetAttributes({**attributes, TEMPLATE_MARK: lease.dumps()})
            case _:
                return action

    def written(self, since: float) -> None:
        """Note that the lease was written; `since` is when that began, by the clock: others may have seen it from then on."""
        self._written = since

    @property
    def due(self) -> bool:
        """Whether a lease that is ours has to be renewed."""
        return self._written is not None and self._clock() - self._written >= BEAT


def at_a_glance(holder: Holder, seen: Observation) -> Observation:
    """Return the observation with what can be said of the VM's lease without watching it, for previews and reports."""
    lease = seen.lease
    return seen.knowing(void=lease) if lease and holder.knows_void(lease) else seen


def _evidence(seen: Observation) -> object:
    """Return what changes where a run is at work, and does not where only the guest is."""
    found = [
        (vm.site, vm.power, vm.vmx, vm.nics, vm.papers, vm.attributes, vm.metadata, vm.in_flight, vm.question)
        for vm in seen.vms
    ]
    return (seen.lease, found, [one.vmx for one in seen.adrift])

"""Whether the wave of a VM lets it begin something now. Pure.

Only beginnings are asked for: the first step of a departure, and a copy. What has begun goes on whatever the clock says: a
guest that is down, or a VM that is on its way, is never held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from migration import estimate
from migration.actions import Action, Cross, MakeVm, PowerOff, Relocate, RunHook, SetAttributes, ShutDown, WritePapers
from migration.errors import Held, OutOfTime, Paused
from migration.estimate import Rates
from migration.live import files_stay
from migration.method import crosses
from migration.model import TEMPLATE_MARK, Power, Vm
from migration.observation import Observation
from migration.wanted import Stage, VmSpec, Window


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known of the run now, in seconds since 1970.

    `incomplete` are the waves of which a VM was held, paused or failed in this run; `failures` counts those that failed.
    `volumes` are those that the VMs of each wave are on, or go to, as far as they have asked.
    """

    now: float = 0.0
    rates: Rates = field(default_factory=Rates)
    incomplete: frozenset[str] = frozenset()
    failures: Mapping[str, int] = field(default_factory=dict)
    volumes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def asking(self, spec: VmSpec, seen: Observation) -> Moment:
        """Return what is known once the VM has asked to begin something."""
        known = self.volumes.get(spec.wave.name, frozenset())
        more = _volumes(spec, seen)
        return self if more <= known else replace(self, volumes={**self.volumes, spec.wave.name: known | more})

    def after(self, spec: VmSpec, error: BaseException | None) -> Moment:
        """Return what is known once the VM's part of the run has ended; None: it is where it is wanted."""
        wave = spec.wave.name
        if error is None:
            return self
        told = replace(self, incomplete=self.incomplete | {wave})
        if isinstance(error, Held | Paused | OutOfTime):
            return told
        return replace(told, failures={**self.failures, wave: self.failures.get(wave, 0) + 1})


@dataclass(frozen=True, slots=True)
class Closed:
    """The wave admits nothing in this run; `sentence` says why, and what to do."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Opens:
    """The wave's window opens soon, at `at`: the run waits."""

    at: float
    sentence: str


def held(spec: VmSpec, action: Action, seen: Observation, moment: Moment) -> Closed | Opens | None:
    """Say whether the VM's wave holds this action back; None: it may start."""
    vm = seen.vm
    if vm is None or not begins(spec, action, seen):
        return None
    wave, name = spec.wave, spec.identity.name
    if wave.paused:
        return Closed(f"{name}: wave {wave.name} is paused; take its `paused` away, then run again")
    if down := _down_for(spec, seen, moment):
        return Closed(
            f"{name}: wave {wave.name} begins nothing more while {down}; "
            "bring the paths back, or put the host into maintenance mode, then run again"
        )
    if spec.stage is Stage.SOURCE:  # the way back depends on no window, nor on what could not go forward
        return None
    if before := sorted(moment.incomplete.intersection(wave.after)):
        return Closed(
            f"{name}: wave {wave.name} comes after {', '.join(before)}, which is not complete in this run; "
            "see what held or stopped its VMs, then run again"
        )
    failures = moment.failures.get(wave.name, 0)
    if wave.max_failures is not None and failures and failures >= wave.max_failures:
        return Closed(
            f"{name}: wave {wave.name} admits no more, because {failures} of its VMs failed in this run "
            f"(at most {wave.max_failures}); see why, then run again"
        )
    return _within(spec, wave.window, lasts(spec, action, seen, vm, moment.rates), moment.now) if wave.window else None


def _down_for(spec: VmSpec, seen: Observation, moment: Moment) -> str:
    """Say which volume of the wave hosts have lost; for the way back only those of the VM itself count."""
    ours = _volumes(spec, seen)
    if spec.stage is not Stage.SOURCE:
        ours |= moment.volumes.get(spec.wave.name, frozenset())
    found = (
        f"{', '.join(one.hosts)} cannot reach {one.name}" + (f" ({one.reason})" if one.reason else "")
        for view in seen.sites.values()
        for one in view.lost
        if one.volume in ours
    )
    return " and ".join(found)


def _volumes(spec: VmSpec, seen: Observation) -> frozenset[str]:
    """Return the volumes that the VM's files are on, and those that they may go to."""
    there = seen.sites.get(spec.target)
    new = frozenset[str]()
    if there is not None and spec.stage is Stage.MIGRATED:
        lost = {one.volume for one in there.lost if one.name in spec.new_volumes}
        new = seen.volume_ids(spec.target, spec.new_volumes) | lost
    return new | (seen.vm.volumes if seen.vm else frozenset())


def _within(spec: VmSpec, window: Window, seconds: float, now: float) -> Closed | Opens | None:
    """Say whether what takes so long may start now."""
    name, wave = spec.identity.name, spec.wave
    opens, closes = _iso(window.start), _iso(window.end)
    if now >= window.end:
        return Closed(f"{name}: the window of wave {wave.name} closed at {closes}; give it a new one, then run again")
    if seconds > window.end - max(now, window.start):
        late = now > window.start and seconds <= window.end - window.start
        remedy = "give it a new one" if late else f"give it one of more than {seconds:.0f} s"
        return Closed(
            f"{name}: what comes next may take {seconds:.0f} s and would not end before the window of wave {wave.name} "
            f"closes at {closes}; {remedy}, then run again"
        )
    if now >= window.start:
        return None
    if window.start - now > wave.patience:
        return Closed(f"{name}: the window of wave {wave.name} opens at {opens}; run again after that")
    return Opens(window.start, f"waits for the window of wave {wave.name}, opens at {opens}")


def begins(spec: VmSpec, action: Action, seen: Observation) -> bool:
    """Say whether nothing would be lost by not starting this action: the VM is as its users know it, and stays so."""
    vm = seen.vm
    if vm is None or _down(vm):
        return False
    leaves = vm.site != spec.home
    prepared = seen.so_far.prepared  # the hook has made it ready to go
    match action:
        case Relocate() | RunHook("before"):
            return True
        case Cross():
            return not prepared
        case MakeVm():
            return vm.template
        case SetAttributes(attributes):
            return vm.template and TEMPLATE_MARK in attributes and bool(attributes[TEMPLATE_MARK])
        case WritePapers(papers):
            on_its_way = vm.papers is not None and vm.papers.transit
            unmade = TEMPLATE_MARK in vm.attributes  # a template that was made a VM for the journey
            departs = leaves and papers is not None and papers.transit
            return departs and not (on_its_way or unmade or prepared)
        case ShutDown() | PowerOff():
            return leaves and not seen.so_far.overdue and not prepared
        case _:
            return False


def _down(vm: Vm) -> bool:
    """Say whether its guest is down because of the move."""
    return bool(vm.papers and vm.papers.transit and vm.papers.power is Power.ON and vm.power is Power.OFF)


def lasts(spec: VmSpec, action: Action, seen: Observation, vm: Vm, rates: Rates) -> float:
    """Return the seconds until what begins with this action has come to where the VM may rest."""
    if isinstance(action, Relocate | Cross):
        return estimate.copying(action, vm, rates)
    hook = estimate.hooking(spec.before) if isinstance(action, RunHook) else 0.0
    if crosses(spec, seen, vm):
        size = vm.memory + (0.0 if files_stay(spec, seen, vm) else estimate.written(vm))
        return hook + size / rates.of(estimate.kind(Cross, vm))
    copies = vm.site == spec.target and estimate.files_move(spec, vm)  # before it leaves, or once it is no template
    copy = estimate.written(vm) / rates.of(estimate.kind(Relocate, vm)) if copies else 0.0
    return hook + copy + (estimate.departing(spec, vm) if vm.site != spec.home else 0.0)


def _iso(seconds: float) -> str:
    """Return a time as the operator's clock shows it, with its offset."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(timespec="seconds")

"""Carry one VM to where it is wanted: observe, decide, act, until settled.

Everything that may be lost with the process is only for the report: killed at any instant, the next run sees the world and
decides anew.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from migration import expect, health
from migration.actions import (
    Act,
    Action,
    Answer,
    CheckHealth,
    Cross,
    Done,
    Hold,
    Placed,
    PowerOff,
    PowerOn,
    Relocate,
    RestoreMetadata,
    RunHook,
    ShutDown,
    Stop,
    Wait,
    WritePapers,
)
from migration.admission import Admission, NotYet
from migration.decide import decide, stage_of
from migration.errors import Blocked, MigrationError, OutOfTime, Paused, Transient, Unexpected
from migration.lease import LOOK, Holder
from migration.method import choose
from migration.model import Power, Vm
from migration.observation import Observation, SoFar
from migration.outside import NOWHERE, Outside
from migration.phrase import phrase, whereabouts
from migration.report import Report
from migration.rule import guest_down
from migration.sites import Sites
from migration.tenure import Tenure
from migration.wanted import Method, Stage, VmSpec

ATTEMPTS = 5
"""Tries after a Transient error before it is given up; what counts is the number since the last step that ended well."""
ATTEMPTS_DOWN = 45
"""The same while a guest is down for the move: twenty minutes, in which a vCenter can restart."""
LONGEST_PAUSE = 30
"""Seconds between two tries, at most."""
SETTLE = 20.0
"""Seconds in which the sites must show the effect of a step that ended well."""
REPEATS = 3
"""How often one run does the same step: whoever undoes it must be found by an operator."""
PATIENCE = 6 * 3600.0
"""Seconds to wait for somebody else's task on a VM, without any change, before giving up for this run."""

Say = Callable[[str, int | None], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: where the VM is, what it took, as in `Report`."""

    vm: Vm
    stage: Stage | None
    steps: tuple[str, ...] = ()
    downtime: float | None = None
    timings: dict[str, float] = field(default_factory=dict)


def converge(
    spec: VmSpec,
    sites: Sites,
    admission: Admission,
    say: Say,
    stop: threading.Event,
    *,
    outside: Outside = NOWHERE,
    report: Report | None = None,
    holder: Holder | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Bring the VM to `spec.stage` and return what was done; nothing is written where it is there already.

    `say` is told what goes on and the percent done. `stop` asks for a pause at the next safe point. `outside` runs hooks and
    asks guests over the network. `report` is kept up to date step by step. `holder` is this run, as it says in the VM that it
    works on it; without it no other run is heeded.

    Raises: Blocked, Held, Paused, OutOfTime, Refused, Unexpected; Transient once the attempts are used up.
    """
    run = _Run(spec, sites, admission, say, stop, outside, report or Report(), Tenure(holder, clock), clock)
    try:
        return _settled(run, spec, say, stop)
    except MigrationError:
        run.let_go()
        raise


def _settled(run: _Run, spec: VmSpec, say: Say, stop: threading.Event) -> Outcome:
    attempts = 0
    while True:
        if stop.is_set():
            raise Paused(f"{spec.identity.name}: paused {run.where}; run again to go on")
        try:
            outcome = run.step()
        except Transient as error:
            attempts += 1
            limit = ATTEMPTS_DOWN if run.down else ATTEMPTS
            if attempts >= limit:
                raise
            pause = min(2**attempts, LONGEST_PAUSE)
            say(f"will look again in {pause} s ({attempts} of {limit - 1}): {error}", None)
            stop.wait(pause)
            run.forget_last()
            continue
        if run.progressed:
            attempts = 0
        if outcome:
            return outcome


class _Run:
    """The memory of one `converge`: only what the report and the guards need."""

    def __init__(
        self,
        spec: VmSpec,
        sites: Sites,
        admission: Admission,
        say: Say,
        stop: threading.Event,
        outside: Outside,
        report: Report,
        tenure: Tenure,
        clock: Callable[[], float],
    ) -> None:
        self.spec, self.sites, self.admission, self.say = spec, sites, admission, say
        self.stop, self.outside, self.report, self.tenure, self.clock = stop, outside, report, tenure, clock
        self.last: Action | None = None
        self.so_far = SoFar()
        self.progressed = False
        self.performed: list[Action] = []
        self.queued = ""
        self.where = "before its first step; nothing was begun"
        self.down_since: float | None = None
        self.down = False
        self.waited: tuple[str, int | None, float] = ("", None, 0.0)

    def forget_last(self) -> None:
        """After an error nothing is known of the last action: it may be decided again."""
        self.last = None

    def step(self) -> Outcome | None:
        """Observe, decide and act once."""
        self.progressed = False
        seen, version = self._observe()
        self._note_power(seen)
        self.where, self.down = whereabouts(seen), guest_down(seen)
        self._settle_method(seen)
        match decide(self.spec, seen):
            case Done():
                vm = seen.vm
                assert vm is not None  # noqa: S101 - Done is decided only of a registered VM
                report = self.report
                return Outcome(vm, stage_of(self.spec, seen), tuple(report.steps), report.downtime, report.timings)
            case Stop(concerns):
                raise Blocked(concerns)
            case Wait(reason):
                self._wait(seen, version, reason)
            case Act(action) if action == self.last:
                self._await_effect(action, seen, version)
            case Act(action):
                self._act(action, seen)
        return None

    def _settle_method(self, seen: Observation) -> None:
        """Stay with the method that `auto` chooses at first: nobody goes down whom this run meant to move live."""
        vm = seen.vm
        if self.spec.method is Method.AUTO and vm and vm.site != self.spec.home:
            self.spec = replace(self.spec, method=choose(self.spec, seen, vm).method)

    def _observe(self) -> tuple[Observation, int]:
        seen, version = self.sites.observe(self.spec.identity)
        return self.tenure.judged(replace(seen, so_far=self.so_far)), version

    def _wait(self, seen: Observation, version: int, reason: str) -> None:
        vm = seen.vm
        if vm:
            self.admission.beside(self.spec, vm)
        progress = vm.in_flight.progress if vm and vm.in_flight else None
        self.say(f"waiting: {reason}", progress)
        if seen.holder:
            self.last = None  # whatever we did last, it is for the other to go on
            self.sites.wait(version, LOOK)
            return
        if self.waited[:2] != (reason, progress):
            self.waited = (reason, progress, self.clock())
        left = PATIENCE - (self.clock() - self.waited[2])
        if left <= 0 or not self.sites.wait(version, left):
            raise OutOfTime(
                f"{self.spec.identity.name}: {reason}, and nothing has changed for {PATIENCE / 3600:g} h; run again later"
            )

    def _queue(self, action: Action, seen: Observation, reason: str) -> None:
        words = reason or f"waiting for its turn: {phrase(action, seen)}"
        if words != self.queued:
            self.queued = words
            self.say(words, None)
        self.admission.wait(self.spec, self.stop)

    def _note_power(self, seen: Observation) -> None:
        """The guest is up again once it is seen powered on after this run powered it on."""
        powered_on = any(isinstance(action, PowerOn) for action in self.performed)
        if self.down_since is not None and powered_on and seen.vm and seen.vm.power is Power.ON:
            self.report.downtime, self.down_since = self.clock() - self.down_since, None

    def _await_effect(self, action: Action, seen: Observation, version: int) -> None:
        """Wait for a step that ended well to show; never send it again blindly."""
        deadline = self.clock() + SETTLE
        while (left := deadline - self.clock()) > 0:
            if not self.sites.wait(version, left):
                break
            seen, version = self._observe()
            if decide(self.spec, seen) != Act(action):
                return
        name = self.spec.identity.name
        raise Unexpected(
            f"{name}: “{phrase(action, seen)}” ended well, but the sites do not show it after {SETTLE:g} s; "
            "look at the VM in vCenter, then run again"
        )

    def _hold(self, seen: Observation) -> Observation:
        """Say in the VM that this run works on it, unless another has been quicker; return what is seen then."""
        vm, began = seen.vm, self.clock()
        assert vm is not None  # noqa: S101 - only what is registered can say it
        lease = self.tenure.renewed()
        self.sites.perform(vm, Hold(lease), Placed(), lambda *_: None)
        self.tenure.written(began)
        return replace(seen, vms=(expect.holding(vm, Hold(lease)),))

    def let_go(self) -> None:
        """Leave a VM that is still on its way to any other run, at once; where that fails, our lease lapses."""
        with contextlib.suppress(MigrationError):
            seen, _ = self._observe()
            vm = seen.vm
            if vm and vm.held_by and vm.held_by.run == seen.so_far.run and not vm.in_flight:
                self.sites.perform(vm, Hold(self.tenure.renewed(), let_go=True), Placed(), lambda *_: None)

    def _while_waiting(self, action: Action, seen: Observation, words: str) -> Callable[[str, int | None], None]:
        """Return what is told of an action's progress; while a guest shuts down, that is when the lease is renewed."""

        def told(text: str, percent: int | None) -> None:
            self.say(text or words, percent)
            if isinstance(action, ShutDown) and self.tenure.due:
                with contextlib.suppress(Transient):
                    self._hold(seen)

        return told

    def _act(self, action: Action, seen: Observation) -> None:
        if self.performed.count(action) >= REPEATS:
            raise Unexpected(
                f"{self.spec.identity.name}: “{phrase(action, seen)}” has been done {REPEATS} times in this run and is undone "
                "each time; look at the VM's tasks in vCenter, then run again"
            )
        vm = seen.vm
        with self.admission.admitted(self.spec, action, vm, seen) as placed:
            if isinstance(placed, NotYet):
                self._queue(action, seen, placed.sentence)
                return
            words = phrase(action, seen, placed)
            self.say(words, 0 if isinstance(action, Relocate | Cross) else None)
            started = self.clock()
            if isinstance(action, ShutDown | PowerOff) and self.down_since is None:
                self.down_since = started
            done = self._perform(action, seen, placed, words)
        self.report.took(action, self.clock() - started)
        if not done:
            self.so_far = replace(self.so_far, overdue=True)
            self.last = None
            return
        self.last, self.progressed = action, True
        self.performed.append(action)
        self.report.did(action, words)

    def _perform(self, action: Action, seen: Observation, placed: Placed, words: str) -> bool:
        """Do one action, wherever it is done; False only for a guest that did not shut down in time."""
        match action:
            case RunHook(when, hook):
                self.outside.run(hook, health.facts(self.spec, seen, when), lambda text: self.say(text, None))
                prepared, received = self.so_far.prepared or when == "before", self.so_far.received or when == "after"
                self.so_far = replace(self.so_far, prepared=prepared, received=received)
            case CheckHealth():
                problems = health.check(
                    action, self.sites, self.spec.identity, self.outside, self.stop, self.say, self.clock
                )
                self.so_far = replace(self.so_far, checked=not problems, unhealthy=problems)
            case _:
                began = self.clock()
                if self.tenure.lacking(seen) and not isinstance(action, WritePapers | Answer):
                    seen = self._hold(seen)  # papers say it themselves, and a question stops everything else
                signed = self.tenure.signed(action)
                done = self.sites.perform(seen.vm, signed, placed, self._while_waiting(action, seen, words))
                if signed is not action:
                    self.tenure.written(began)
                self.so_far = replace(self.so_far, restored=self.so_far.restored or isinstance(action, RestoreMetadata))
                return done
        return True

"""Carry one VM to where it is wanted: observe, decide, act, until settled.

Everything that may be lost with the process is only for the report: killed at any instant, the next run sees the world and
decides anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from migration import health
from migration.actions import (
    Act,
    Action,
    CheckHealth,
    Cross,
    Done,
    Placed,
    PowerOff,
    PowerOn,
    Relocate,
    RestoreMetadata,
    RunHook,
    ShutDown,
    Stop,
    Wait,
)
from migration.admission import Admission, NotYet
from migration.decide import decide, stage_of
from migration.errors import Blocked, OutOfTime, Paused, Transient, Unexpected
from migration.method import choose
from migration.model import Power, Vm
from migration.observation import Observation, SoFar
from migration.outside import NOWHERE, Outside
from migration.phrase import phrase
from migration.report import Report
from migration.rule import guest_down
from migration.sites import Sites
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
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Bring the VM to `spec.stage` and return what was done; nothing is written where it is there already.

    `say` is told what goes on and the percent done. `stop` asks for a pause at the next safe point. `outside` runs hooks and
    asks guests over the network. `report` is kept up to date step by step.

    Raises: Blocked, Held, Paused, OutOfTime, Refused, Unexpected; Transient once the attempts are used up.
    """
    run = _Run(spec, sites, admission, say, stop, outside, report or Report(), clock)
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
        clock: Callable[[], float],
    ) -> None:
        self.spec, self.sites, self.admission, self.say = spec, sites, admission, say
        self.stop, self.outside, self.report, self.clock = stop, outside, report, clock
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
        self.where, self.down = _where(seen), guest_down(seen)
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
        return replace(seen, so_far=self.so_far), version

    def _wait(self, seen: Observation, version: int, reason: str) -> None:
        vm = seen.vm
        if vm:
            self.admission.beside(self.spec, vm)
        progress = vm.in_flight.progress if vm and vm.in_flight else None
        self.say(f"waiting: {reason}", progress)
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
                done = self.sites.perform(
                    seen.vm, action, placed, lambda text, percent: self.say(text or words, percent)
                )
                self.so_far = replace(self.so_far, restored=self.so_far.restored or isinstance(action, RestoreMetadata))
                return done
        return True


def _where(seen: Observation) -> str:
    """Say how a VM is left that is paused between two steps; what is urgent about it first."""
    vm = seen.vm
    if vm is None:
        return "while it is registered nowhere"
    on_its_way = vm.papers is not None and vm.papers.transit
    if on_its_way and vm.papers and vm.papers.power is Power.ON and vm.power is Power.OFF:
        return f"at {vm.site} while its guest is down"
    return f"between two steps at {vm.site}, {'powered on' if vm.power is Power.ON else 'powered off'}"

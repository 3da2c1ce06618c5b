"""Who may start: the one lock around `migration.turns` and `migration.waves`, shared by every VM of a run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from migration import estimate
from migration.actions import Action, Cross, Placed, PowerOn, Register, Relocate
from migration.errors import Blocked, Held
from migration.load import Cost
from migration.model import Vm
from migration.observation import Observation
from migration.schedule import Admitted, Nowhere, foreign
from migration.turns import Request, Turns
from migration.wanted import Identity, VmSpec
from migration.waves import Closed, Moment, Opens, held

SLICE: Final = 1.0
"""Seconds after which a waiter looks whether the run was asked to stop."""
LOOK: Final = 15.0
"""Seconds after which a waiter looks at the sites again although it was not called: others change them too."""
GRACE: Final = 10.0
"""Seconds in which a VM that was called must ask again before its turn is given to the next."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """An action may not start now. `sentence` says why; "" where it is only not its turn."""

    sentence: str = ""


class Admission:
    """Lets actions of all VMs of a run start only as far as waves and the cost model allow; one instance for a process."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Start with nothing running. `clock` gives seconds since 1970."""
        self._clock = clock
        self._turns = Turns()
        self._moment = Moment()
        self._changed = threading.Condition()
        self._called: frozenset[Identity] = frozenset()
        self._asleep: set[Identity] = set()
        self._awake: dict[Identity, float] = {}  # since when, of those that had to wait
        self._opens: dict[Identity, float] = {}
        self._promised: dict[Identity, Cost] = {}  # from its registration until it runs and is seen to need it
        self._foreign: dict[Identity, Cost] = {}

    @contextmanager
    def admitted(self, spec: VmSpec, action: Action, vm: Vm | None, seen: Observation) -> Iterator[Placed | NotYet]:
        """Hold the action's cost while the block runs, placed where it goes; NotYet: it may not start now.

        What was seen grows old while one waits, so who is told NotYet must `wait` and look again before asking anew.

        Raises: Blocked where there is no place for it, however long one waits. Held where its wave admits no more.
        """
        with self._changed:
            answer = self._ask(spec, action, vm, seen)
        if isinstance(answer, NotYet):
            yield answer
            return
        started = self._clock()
        try:
            yield answer.placed
            with self._changed:
                self._done(spec.identity, action, vm, answer, self._clock() - started)
        finally:
            with self._changed:
                self._turns = self._turns.ended(answer.cost)
                self._call()

    def wait(self, spec: VmSpec, stop: threading.Event) -> None:
        """Wait until it is the VM's turn, its window opens, it is time to look again, or the run is asked to stop."""
        who = spec.identity
        with self._changed:
            end = time.monotonic() + min(LOOK, self._opens.get(who, float("inf")) - self._clock())
            self._asleep.add(who)
            try:
                while not stop.is_set() and who not in self._called and (left := end - time.monotonic()) > 0:
                    self._changed.wait(min(left, SLICE))
            finally:
                self._asleep.discard(who)
                self._awake[who] = time.monotonic()

    def beside(self, spec: VmSpec, vm: Vm) -> None:
        """Count what somebody else's task takes that is running on the VM, until the VM asks for something or has ended."""
        with self._changed:
            self._drop(self._foreign, spec.identity)
            if cost := foreign(vm):
                self._foreign[spec.identity] = cost
                self._turns = self._turns.holding(cost)
            self._call()

    def ended(self, spec: VmSpec, error: BaseException | None) -> None:
        """Take note that the VM's part of the run has ended, well or with this error: its wave may admit no more."""
        with self._changed:
            self._moment = self._moment.after(spec, error)
            self._drop(self._promised, spec.identity)
            self._drop(self._foreign, spec.identity)
            self._forget(spec.identity)

    def _ask(self, spec: VmSpec, action: Action, vm: Vm | None, seen: Observation) -> Admitted | NotYet:
        who = spec.identity
        self._moment = self._moment.asking(spec, seen)
        moment = replace(self._moment, now=self._clock())
        self._opens.pop(who, None)
        self._drop(self._foreign, who)
        match held(spec, action, seen, moment):
            case Closed(sentence):
                self._forget(who)
                raise Held(sentence)
            case Opens(at, sentence):
                self._forget(who)
                self._opens[who] = at
                return NotYet(sentence)
            case None:
                pass
        seconds = estimate.copying(action, vm, moment.rates) if isinstance(action, Relocate | Cross) and vm else 0.0
        self._awake[who] = time.monotonic()
        self._turns, answer = self._turns.ask(Request(who, action, vm, seen, spec.wave.order, seconds))
        self._call()
        if isinstance(answer, Nowhere):
            raise Blocked((answer.concern,))
        return answer if isinstance(answer, Admitted) else NotYet()

    def _done(self, who: Identity, action: Action, vm: Vm | None, answer: Admitted, seconds: float) -> None:
        """Learn from what has ended well."""
        match action:
            case Relocate() | Cross() if vm is not None:
                size, kind = estimate.copied(action, vm), estimate.kind(type(action), vm)
                self._moment = replace(self._moment, rates=self._moment.rates.after(kind, size, seconds))
            case Register():
                self._drop(self._promised, who)
                self._promised[who] = Cost(memory=answer.cost.memory, mhz=answer.cost.mhz)
                self._turns = self._turns.holding(self._promised[who])
            case PowerOn():
                self._drop(self._promised, who)
            case _:
                pass

    def _drop(self, costs: dict[Identity, Cost], who: Identity) -> None:
        """Give back what is kept for a VM beside its actions."""
        if cost := costs.pop(who, None):
            self._turns = self._turns.ended(cost)

    def _forget(self, who: Identity) -> None:
        """Let the VM wait no more."""
        self._turns = self._turns.without(who)
        self._awake.pop(who, None)
        self._call()

    def _call(self) -> None:
        """Find out whose turn it is now; a VM that was called and does not ask again loses its place."""
        now = time.monotonic()
        for who in self._turns.waiting:
            if who not in self._asleep and now - self._awake[who] > GRACE:
                self._turns = self._turns.without(who)
        self._called = frozenset(self._turns.next())
        self._changed.notify_all()

"""Whose turn it is: who runs, who waits, and who may start when something ends. Pure: `migration.admission` holds the lock.

The longest copy of the earliest wave comes first, so that no long one is left for the end. What does not fit lets others
pass, so that nothing stands idle; but only so often: then what it needs is set aside for it, and it comes before all others.
A run has a finite number of VMs, so a short copy waits at most for the longer ones of its wave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from migration.actions import Action, Cross, Placed, Relocate
from migration.load import Cost, Load
from migration.model import Vm
from migration.observation import Observation
from migration.schedule import Admitted, Later, Nowhere, admit, stuck, ways
from migration.wanted import Identity

PASSES: Final = 8
"""So often others that come after it may take what a waiting copy needs."""


@dataclass(frozen=True, slots=True)
class Request:
    """A VM that asks whether its next action may start, with what it saw just before.

    `wave` counts waves as they are declared, `seconds` is what the action will take. The rest is for the queue:
    `ticket` is the order of arrival, `passed` how often others went before, `aside` the place that is then kept.
    """

    who: Identity
    action: Action
    vm: Vm | None
    seen: Observation
    wave: int = 0
    seconds: float = 0.0
    ticket: int = 0
    passed: int = 0
    aside: Placed | None = None

    @property
    def order(self) -> tuple[bool, int, float, int]:
        """Who comes first: who was passed often enough, the earlier wave, the longer copy, the earlier arrival."""
        return (self.passed < PASSES, self.wave, -self.seconds, self.ticket)

    def answer(self, load: Load) -> Admitted | Later | Nowhere:
        """Say whether it may start with this load."""
        return admit(self.who.name, self.action, self.vm, self.seen, load)

    def stuck(self, load: Load) -> bool:
        """Say whether it cannot start wherever it goes."""
        return isinstance(self.action, Relocate | Cross) and self.vm is not None and stuck(self.action, self.vm, load)

    def needs(self, load: Load) -> Admitted | None:
        """Return the place that it waits for: the one set aside while that is still possible, else the best."""
        found = ways(self.who.name, self.action, self.vm, self.seen, load)
        possible = () if isinstance(found, Nowhere) else tuple(found)
        return next((way for way in possible if way.placed == self.aside), next(iter(possible), None))

    def passing(self, cost: Cost, load: Load) -> Request:
        """Return it passed over by something of that cost, where that takes what it waits for."""
        way = self.needs(load)
        if way is None or not way.cost.units().keys() & cost.units().keys():
            return self
        return replace(self, passed=self.passed + 1, aside=way.placed)


@dataclass(frozen=True, slots=True)
class Turns:
    """What runs, and who waits for its turn."""

    load: Load = field(default_factory=Load)
    waiting: Mapping[Identity, Request] = field(default_factory=dict)
    tickets: int = 0

    def ask(self, request: Request) -> tuple[Turns, Admitted | Later | Nowhere]:
        """Answer a request. Admitted: it counts as running until `ended`; Later: it waits, and asks again in its turn.

        Only copies wait. Who asks again keeps its place, with what it sees now.
        """
        if not isinstance(request.action, Relocate | Cross):
            answer = request.answer(self.load)
            started = self.load.add(answer.cost) if isinstance(answer, Admitted) else self.load
            return replace(self.without(request.who), load=started), answer
        known = self.waiting.get(request.who)
        if known and type(known.action) is type(request.action):
            request = replace(request, ticket=known.ticket, passed=known.passed, aside=known.aside)
        else:
            request = replace(request, ticket=self.tickets)
        turns = replace(self, waiting={**self.waiting, request.who: request}, tickets=self.tickets + 1)
        answer = request.answer(self.load)
        if isinstance(answer, Nowhere):
            return turns.without(request.who), answer
        starting = turns.next()
        if request.who not in starting:
            return turns, Later()
        return turns._started(request, starting), starting[request.who]

    def next(self) -> dict[Identity, Admitted]:
        """Return who of the waiting may start now, and where; all of them together stay within every limit."""
        load = self.load
        starting: dict[Identity, Admitted] = {}
        for request in sorted(self.waiting.values(), key=lambda one: one.order):
            answer = Later() if request.stuck(load) else request.answer(load)
            if isinstance(answer, Admitted):
                starting[request.who] = answer
                load = load.add(answer.cost)
            elif isinstance(answer, Later) and request.passed >= PASSES and (way := request.needs(load)):
                load = load.add(way.cost)  # above the limit: until it drains, nobody takes any of it
        return starting

    def ended(self, cost: Cost) -> Turns:
        """Return what is left when something that was admitted has ended, well or not."""
        return replace(self, load=self.load.remove(cost))

    def holding(self, cost: Cost) -> Turns:
        """Return the same with something taken that nobody waits for, until it has `ended`."""
        return replace(self, load=self.load.add(cost))

    def without(self, who: Identity) -> Turns:
        """Return the same with that VM waiting no more."""
        return replace(self, waiting={one: request for one, request in self.waiting.items() if one != who})

    def _started(self, request: Request, starting: Mapping[Identity, Admitted]) -> Turns:
        """Let one start; who comes before it, cannot start, and needs the same, was passed over."""
        cost = starting[request.who].cost
        left = self.without(request.who)
        waiting = {
            who: other.passing(cost, self.load) if other.order < request.order and who not in starting else other
            for who, other in left.waiting.items()
        }
        return replace(left, load=self.load.add(cost), waiting=waiting)

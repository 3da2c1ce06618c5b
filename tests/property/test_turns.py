"""Can any order of events take vCenter above a limit, or let a copy wait for ever?"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import schedule as bench
from migration.actions import Cross, Placed, Relocate
from migration.load import Cost, Load
from migration.model import Power
from migration.observation import Observation, SiteView
from migration.schedule import Admitted
from migration.turns import PASSES, Request, Turns
from migration.wanted import Identity, Stage, VmSpec, Wave, Window
from tests.limits import KINDS, RELOCATE, STAY, Running, exceeded, placed_vm, places, two_sites

MB_100 = 100e6 / 2**30
"""GiB a second that a copy is thought to make before any has ended."""
SLOWER = 3.0
"""So many times longer than thought, or shorter, a copy may take."""


@dataclass
class Play:
    """A queue, and what a vCenter would see of it."""

    sites: dict[str, SiteView]
    turns: Turns = field(default_factory=Turns)
    requests: dict[Identity, Request] = field(default_factory=dict)
    running: dict[Identity, tuple[Running, Cost]] = field(default_factory=dict)

    def come(self, action: Relocate | Cross, host: int, volume: str, seconds: float, *, on: bool, wave: int) -> None:
        name = f"vm{len(self.requests)}"
        vm = placed_vm(name, action, host, volume, on=on)
        if isinstance(action, Cross):
            action = replace(action, live=on)
        request = Request(Identity(name), action, vm, Observation((vm,), self.sites), wave, seconds)
        self.requests[request.who] = request
        self.ask(request.who)
        self.call()

    def ask(self, who: Identity) -> bool:
        request = self.requests[who]
        assert request.vm is not None
        assert isinstance(request.action, Relocate | Cross)
        alone = self.turns.next().keys() <= {who}  # who wakes late may find that others have gone another way
        passed = self.turns.waiting[who].passed if who in self.turns.waiting else 0
        self.turns, answer = self.turns.ask(request)
        if not isinstance(answer, Admitted):
            return False
        self.running[who] = ((request.action, request.vm, answer.placed), answer.cost)
        assert exceeded([one for one, _ in self.running.values()], self.sites) == []
        starting = self.turns.next()
        for other in self.turns.waiting.values():
            if alone and passed < PASSES and other.who not in starting and alike(other, request):
                assert other.seconds <= request.seconds, "longest first among equals"
        return True

    def call(self) -> None:
        """Let everybody ask whose turn it is, the last first: threads wake in any order."""
        while called := list(self.turns.next()):
            assert any([self.ask(who) for who in reversed(called)]), "called, and then refused"

    def end(self, who: Identity) -> None:
        _, cost = self.running.pop(who)
        self.turns = self.turns.ended(cost)
        self.call()

    def idle(self) -> list[Identity]:
        """Those who wait although a place is free for them that nobody has set aside."""
        now = [one for one, _ in self.running.values()]
        return [
            who
            for who, request in self.turns.waiting.items()
            if request.vm and isinstance(request.action, Relocate | Cross)
            for place in places(request.action, request.vm, self.sites)
            if not exceeded([*now, (request.action, request.vm, place)], self.sites)
        ]


def alike(one: Request, other: Request) -> bool:
    """Whether two copies differ in nothing but their length."""

    def shape(request: Request) -> tuple[object, ...]:
        assert request.vm is not None
        return (request.action, request.wave, request.vm.host, request.vm.volumes, request.vm.power)

    return shape(one) == shape(other)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from([4, 8]))
def test_never_above_a_limit_never_idle_never_waiting_for_ever(data: st.DataObject, links: int) -> None:
    play = Play(two_sites(links))
    for _ in range(data.draw(st.integers(1, 80))):
        if play.running and data.draw(st.integers(0, 3)) == 0:
            play.end(data.draw(st.sampled_from(sorted(play.running, key=lambda who: who.name))))
        else:
            play.come(
                data.draw(st.sampled_from(KINDS)),
                data.draw(st.integers(0, 2)),
                data.draw(st.sampled_from(["a", "b"])),
                data.draw(st.sampled_from([10.0, 20.0, 30.0])),
                on=data.draw(st.booleans()),
                wave=data.draw(st.integers(0, 2)),
            )
        if all(request.passed < PASSES for request in play.turns.waiting.values()):
            assert play.idle() == []
    while play.running:
        play.end(data.draw(st.sampled_from(sorted(play.running, key=lambda who: who.name))))
    assert not play.turns.waiting
    assert play.turns.load == Load()


@pytest.mark.parametrize("seconds", [10.0, 0.0])
def test_a_big_one_is_not_passed_for_ever_by_those_that_fit(seconds: float) -> None:
    play = Play(two_sites())
    for _ in range(8):  # cold ones: 1 each, the host bears 8
        play.come(RELOCATE, 0, "a", 1, on=False, wave=0)
    play.come(RELOCATE, 0, "a", 1 + seconds, on=True, wave=0)  # takes 4
    big = Identity("vm8")
    for ends in range(1, 40):
        play.end(next(iter(play.running)))
        play.come(RELOCATE, 0, "a", 1, on=False, wave=0)
        if big in play.running:
            assert ends <= PASSES + 4  # then four of the eight that run must end
            return
    pytest.fail("it waits for ever")


def test_nothing_is_set_aside_that_it_does_not_need() -> None:
    play = Play(two_sites())
    for _ in range(8):
        play.come(RELOCATE, 0, "a", 1, on=False, wave=0)
    play.come(RELOCATE, 0, "a", 9, on=True, wave=0)
    while play.turns.waiting[Identity("vm8")].passed < PASSES:
        play.end(next(iter(play.running)))
        play.come(RELOCATE, 0, "a", 1, on=False, wave=0)
    before = len(play.running)
    play.come(RELOCATE, 1, "b", 1, on=True, wave=0)
    assert len(play.running) == before + 1
    play.end(next(iter(play.running)))
    play.come(RELOCATE, 0, "b", 50, on=False, wave=0)  # even a longer one comes after it now
    assert Identity(f"vm{len(play.requests) - 1}") in play.turns.waiting


def test_the_earlier_wave_copies_first_and_in_it_the_longest() -> None:
    play = Play(two_sites())
    for wave, seconds in ((9, 9), (9, 9), (1, 5), (0, 1), (0, 3), (1, 7)):
        play.come(RELOCATE, 0, "a", seconds, on=True, wave=wave)
    order: list[str] = []
    while play.running:
        who = next(iter(play.running))
        order.append(who.name)
        play.end(who)
    assert order == ["vm0", "vm1", "vm4", "vm3", "vm5", "vm2"]


def foreseen(story: bench.Story, copy: bench.Copy, now: float) -> float:
    """Return how long a copy that starts now would take, as the copies of its kind that have ended tell; written anew."""
    size, rate = amount(copy), 0.0
    for one in sorted(story.ran, key=lambda one: one.end):
        if one.end <= now and amount(one.copy) >= 1 and kind(one.copy) == kind(copy):
            newest = amount(one.copy) / one.copy.lasts
            rate = 0.3 * newest + 0.7 * rate if rate else newest
    return size / (rate or MB_100)


def amount(copy: bench.Copy) -> float:
    """Return the GiB that it moves: files, and of a guest that is moved live its memory."""
    live = isinstance(copy.action, Cross) and copy.vm.power is Power.ON
    return copy.action.size + (copy.vm.memory if live else 0.0)


def kind(copy: bench.Copy) -> tuple[object, ...]:
    return (type(copy.action), copy.vm.power)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([4, 8]))
def test_200_vms_in_five_waves_stay_within_limits_and_windows(seed: int, links: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a model, no secret
    sites = two_sites(links, room=100_000)
    waves: list[Wave] = []
    for order in range(5):
        start = 2000.0 * order
        window = Window(start, start + chance.choice([1500.0, 6000.0])) if chance.random() < 0.8 else None
        first = chance.choice(waves) if waves and chance.random() < 0.5 else None
        after = (*first.after, first.name) if first else ()
        patience = chance.choice([0.0, 20_000.0])
        waves.append(Wave(f"wave{order}", after, window, patience=patience, order=order))
    copies = []
    for number in range(200):
        name, shape = f"vm{number}", chance.choice(KINDS)
        on = chance.random() < 0.8
        size = 0.0 if shape is STAY else chance.choice([5.0, 20.0, 90.0])
        action = replace(shape, size=size, live=on) if isinstance(shape, Cross) else replace(shape, size=size)
        vm = replace(placed_vm(name, shape, chance.randrange(3), chance.choice("ab"), on=on), memory=4.0)
        spec = VmSpec(Identity(name), Stage.MIGRATED, wave=chance.choice(waves))
        copy = bench.Copy(spec, action, vm, chance.uniform(0, 8000), 0.0)
        copies.append(replace(copy, lasts=chance.uniform(1 / SLOWER, SLOWER) * amount(copy) / MB_100))

    story = bench.simulate(sites, copies)

    assert len(story.ran) + len(story.held) == 200
    incomplete = {copy.spec.wave.name for copy, _ in story.held}
    for now in story.ran:
        beside = [(one.copy.action, one.copy.vm, one.placed) for one in story.ran if one.start <= now.start < one.end]
        assert exceeded(beside, sites) == []
        wave = now.copy.spec.wave
        assert not incomplete.intersection(wave.after)
        assert all(one.end <= now.start for one in story.ran if one.copy.spec.wave.name in wave.after)
        assert now.start >= now.copy.arrives
        if wave.window:
            expected = foreseen(story, now.copy, now.start)
            assert wave.window.start <= now.start <= wave.window.end - expected + 1e-6
            # Rates lie between the slowest and the fastest copy, so an estimate errs by no more than the two are apart.
            assert now.end - wave.window.end <= now.copy.lasts - now.copy.lasts / SLOWER**2 + 1e-6
    for copy, _ in story.held:
        assert copy.spec.wave.window or incomplete.intersection(copy.spec.wave.after)


@pytest.mark.parametrize(("slower", "begins"), [(1.0, True), (SLOWER, False)])
def test_a_copy_that_was_slow_keeps_the_next_from_a_window_too_short_for_it(slower: float, *, begins: bool) -> None:
    lasts = 90 / MB_100
    first = slower * lasts
    window = Window(0.0, first + 2 * lasts)  # it would fit twice, if it were as fast as nobody knows
    copies = []
    for number, (arrives, takes) in enumerate([(0.0, first), (first + 1, lasts)]):
        vm = placed_vm(f"vm{number}", RELOCATE, 0, "a")
        wave = Wave("night", window=window)
        spec = VmSpec(Identity(vm.name), Stage.MIGRATED, wave=wave)
        copies.append(bench.Copy(spec, replace(RELOCATE, size=90.0), vm, arrives, takes))
    last = replace(copies[0].spec, identity=Identity("vm2"), wave=Wave("morning", ("night",), order=1))
    copies.append(bench.Copy(last, replace(RELOCATE, size=5.0), placed_vm("vm2", RELOCATE, 1, "b"), 0.0, 1.0))

    story = bench.simulate(two_sites(), copies)

    assert [one.copy.vm.name for one in story.ran] == (["vm0", "vm1", "vm2"] if begins else ["vm0"])
    assert [copy.vm.name for copy, _ in story.held] == ([] if begins else ["vm1", "vm2"])
    assert all("would not end before" in why or "is not complete" in why for _, why in story.held)


def test_a_volume_is_never_promised_more_than_its_room() -> None:
    play = Play(two_sites(room=100))
    for host in range(3):
        for _ in range(2):
            play.come(replace(RELOCATE, size=60), host, "a", 1, on=True, wave=0)
    placed = [running[2] for running, _ in play.running.values()]
    assert sorted(placed, key=str) == [Placed(volume="n1"), Placed(volume="n2")]
    assert len(play.turns.waiting) == 4

"""Can two runs ever be at work on one VM? Both go on in any order, each in the middle of the other's steps, and may be killed.

- whoever acts on a VM that is on its way is named in it
- a run takes over only from one that is gone, or that has done nothing for long
- the one that is left brings the VM where it wants it, and leaves no lease behind
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Event

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from migration.actions import Action, Answer, Hold, Placed, SetAttributes, WritePapers
from migration.admission import Admission
from migration.converge import Outcome, _Run
from migration.errors import MigrationError, Transient
from migration.lease import BEAT, LAPSE, Holder, Lease
from migration.model import Power, Vm
from migration.observation import Observation
from migration.outside import NOWHERE
from migration.report import Report
from migration.sites import Progress
from migration.tenure import Tenure
from migration.wanted import Identity, Method, Stage
from tests.fake_sites import FakeSites, a_vm
from tests.property.test_migration import spec

RUNS = st.sampled_from(["a", "b"])


class Place:
    """One VM, a clock, and the runs that are at work on it."""

    def __init__(self, vm: Vm, versions: tuple[str, str]) -> None:
        self.sites = FakeSites([vm], versions)
        self.sites.located[vm.instance_uuid] = f"source:{vm.vmx}"
        self.now = 0.0
        self.dead: set[str] = set()
        self.acted: dict[str, float] = {}
        self.meanwhile: Callable[[str], None] = lambda name: None


class Mine:
    """The sites as one run reaches them: what it does is checked against what the VM says."""

    def __init__(self, name: str, place: Place) -> None:
        self.name, self.place = name, place

    def observe(self, who: Identity, *, look_adrift: bool = True) -> tuple[Observation, int]:
        return self.place.sites.observe(who, look_adrift=look_adrift)

    def wait(self, version: int, timeout: float) -> bool:
        return self.place.sites.wait(version, timeout)

    def perform(self, vm: Vm | None, action: Action, placed: Placed, progress: Progress) -> bool:
        place = self.place
        place.meanwhile(self.name)  # between its look and its deed the others go on
        now = place.sites.vms[0] if place.sites.vms else None
        held = now.held_by.run if now and now.held_by else self.name
        done = place.sites.perform(vm, action, placed, progress)
        if held != self.name:
            assert isinstance(action, Hold | WritePapers | SetAttributes | Answer), (
                f"{self.name} did {action} to a VM that {held} holds"
            )
            silent = place.now - place.acted.get(held, 0.0)
            assert held in place.dead or silent >= LAPSE - BEAT, f"taken from {held}, who was at work {silent} s ago"
        elif now and now.papers and now.papers.transit and not isinstance(action, Hold | WritePapers):
            assert now.lease, f"{self.name} did {action} to a VM that says of nobody that he works on it"
        if not isinstance(
            action, Answer
        ):  # with a question pending no lease can be renewed; answered twice it is the same
            place.acted[self.name] = place.now
        return done


class Runner:
    """A run that goes on step by step, until it has ended or is killed."""

    def __init__(self, name: str, stage: Stage, place: Place, method: Method) -> None:
        self.name, self.place, self.stage = name, place, stage
        self.outcome: Outcome | None = None
        self.over = self.busy = False
        holder = Holder(Lease(name, f"run {name}"), lambda other: other.run in place.dead, lambda: place.now)
        clock = lambda: place.now  # noqa: E731
        self.run = _Run(
            spec(stage, method=method), Mine(name, place), Admission(), lambda *_: None, Event(), NOWHERE, Report(),
            Tenure(holder, clock), clock,
        )  # fmt: skip

    def step(self) -> None:
        if self.over or self.busy or self.name in self.place.dead:
            return
        self.busy = True
        try:
            self.outcome = self.run.step()
            self.over = self.outcome is not None
        except Transient:
            self.run.forget_last()
        except MigrationError:
            self.run.let_go()
            self.over = True
        finally:
            self.busy = False


class TwoRuns(RuleBasedStateMachine):
    """Two runs, which may want the same or the opposite."""

    @initialize(
        first=st.sampled_from(Stage),
        second=st.sampled_from(Stage),
        new=st.booleans(),
        power=st.sampled_from([Power.ON, Power.OFF]),
        template=st.booleans(),
    )
    def a_site(self, first: Stage, second: Stage, new: bool, power: Power, template: bool) -> None:
        vm = a_vm(power=Power.OFF if template else power, template=template)
        self.place = Place(vm, ("6.7.0", "7.0.3") if new else ("6.0.0", "7.0.3"))
        self.runs = {
            name: Runner(name, stage, self.place, Method.AUTO) for name, stage in (("a", first), ("b", second))
        }
        self.template = template

    @rule(name=RUNS, steps=st.integers(1, 4))
    def one_goes_on(self, name: str, steps: int) -> None:
        for _ in range(steps):
            self.runs[name].step()

    @rule(name=RUNS, steps=st.integers(1, 4))
    def one_goes_on_in_the_middle_of_the_others_step(self, name: str, steps: int) -> None:
        def meanwhile(acting: str) -> None:
            if acting == name:
                self.place.meanwhile = lambda _: None
                for _ in range(steps):
                    self.runs["b" if name == "a" else "a"].step()

        self.place.meanwhile = meanwhile
        self.runs[name].step()
        self.place.meanwhile = lambda _: None

    @rule(seconds=st.sampled_from([1.0, BEAT, LAPSE]))
    def time_passes(self, seconds: float) -> None:
        self.place.now += seconds

    @rule(name=RUNS)
    def one_is_killed(self, name: str) -> None:
        self.place.dead.add(name)

    @invariant()
    def never_lost_never_twice(self) -> None:
        if hasattr(self, "place"):
            assert len(self.place.sites.vms) + len(self.place.sites.adrift) == 1

    def teardown(self) -> None:
        """Kill the first; the second must settle, for all that has happened."""
        if not hasattr(self, "place"):
            return
        self.place.dead |= {"a", "b"}
        last = Runner("c", self.runs["b"].stage, self.place, Method.AUTO)
        for _ in range(60):
            last.step()
        assert last.outcome is not None, "the one that is left has not come to an end"
        assert last.outcome.stage is last.stage
        assert last.outcome.vm.lease is None
        assert last.outcome.vm.template is self.template


TwoRuns.TestCase.settings = settings(max_examples=500, stateful_step_count=30, deadline=None)
TestTwoRuns = TwoRuns.TestCase


def test_a_run_that_is_left_waiting_goes_on_once_the_other_has_ended() -> None:
    place = Place(a_vm(), ("6.0.0", "7.0.3"))
    first, second = (Runner(name, Stage.MIGRATED, place, Method.AUTO) for name in "ab")
    for _ in range(2):
        first.step()
    second.step()
    assert [type(action).__name__ for action in place.sites.writes] == ["WritePapers", "ShutDown"]
    while not first.over:
        first.step()
    writes = len(place.sites.writes)
    second.step()
    assert second.outcome is not None
    assert len(place.sites.writes) == writes, "there was nothing left to do"


def test_one_that_neither_lives_nor_can_be_asked_is_watched_before_it_is_followed() -> None:
    place = Place(a_vm(), ("6.0.0", "7.0.3"))
    first, second = (Runner(name, Stage.MIGRATED, place, Method.AUTO) for name in "ab")
    for _ in range(2):
        first.step()
    for _ in range(5):
        second.step()
        place.now += LAPSE / 5 - 1
    assert len(place.sites.writes) == 2
    place.now += LAPSE / 5 + 1
    for _ in range(12):
        second.step()
    assert second.outcome is not None
    assert second.outcome.stage is Stage.MIGRATED
    assert replace(second.outcome.vm, lease=None) == second.outcome.vm

"""The loop around `decide`: what it repeats, what it gives up, what it reports."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from migration.actions import Action, PowerOff, PowerOn, Register, Relocate, SetAttributes, ShutDown, Unregister
from migration.admission import Admission
from migration.converge import ATTEMPTS, ATTEMPTS_DOWN, REPEATS, Outcome, converge
from migration.errors import Blocked, Busy, OutOfTime, Paused, Unexpected
from migration.load import Load
from migration.model import InFlight, Power, Tools
from migration.wanted import Stage, VmSpec
from tests.fake_sites import FakeSites, Killed, a_vm
from tests.unit.test_decide import SPEC


class Clock:
    """Seconds that pass with every step: 10 each."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run(
    sites: FakeSites, spec: VmSpec = SPEC, stop: threading.Event | None = None, clock: Callable[[], float] | None = None
) -> tuple[Outcome, list[str]]:
    said: list[str] = []
    stop = stop or threading.Event()
    if not stop.is_set():
        stop.wait = lambda timeout=None: False  # type: ignore[method-assign] # no real back-off
    outcome = converge(
        spec, sites, Admission(), lambda text, percent: said.append(text), stop, clock=clock or (lambda: 0.0)
    )
    return outcome, said


def test_the_whole_way_step_by_step() -> None:
    sites = FakeSites([a_vm()])
    outcome, said = run(sites)
    assert outcome.stage is Stage.MIGRATED
    assert [type(action).__name__ for action in sites.writes] == [
        "WritePapers",
        "ShutDown",
        "Unregister",
        "Register",
        "Reconnect",
        "PowerOn",
        "SetAttributes",
        "WritePapers",
        "Relocate",
    ]
    assert "register at vc70 on esx70-1" in said
    assert "Storage vMotion of 12 GiB to gold7-01" in said


def test_downtime_is_from_asking_the_guest_until_it_is_seen_on_again() -> None:
    clock = Clock()
    sites = FakeSites([a_vm()])

    def ten_seconds(_: Action) -> None:
        clock.now += 10

    sites.after = ten_seconds
    outcome, _ = run(sites, clock=clock)
    assert outcome.downtime == 50  # shut down, unregister, register, reconnect, power on
    assert outcome.timings["relocate"] == 10


def test_a_guest_that_does_not_obey_is_not_up_while_it_is_waited_for() -> None:
    clock = Clock()
    sites = FakeSites([a_vm()], guest_obeys=False)

    def ten_seconds(_: Action) -> None:
        clock.now += 10

    sites.after = ten_seconds
    outcome, _ = run(sites, clock=clock)
    assert outcome.downtime == 60  # and ten seconds for a shutdown that came to nothing


def test_a_vm_that_was_off_has_no_downtime() -> None:
    outcome, _ = run(FakeSites([a_vm(power=Power.OFF, tools=Tools.NOT_RUNNING)]))
    assert outcome.downtime is None


@pytest.mark.parametrize(("refused", "attempts"), [(ShutDown, ATTEMPTS), (Unregister, ATTEMPTS_DOWN)])
def test_what_passes_is_tried_again_a_bounded_number_of_times_longer_for_a_guest_that_is_down(
    refused: type[Action], attempts: int
) -> None:
    sites = FakeSites([a_vm()])
    tries = 0

    def busy(action: Action) -> None:
        nonlocal tries
        if isinstance(action, refused):
            tries += 1
            raise Busy("another task is in progress")

    sites.before = busy
    with pytest.raises(Busy):
        run(sites)
    assert tries == attempts
    sites.before = lambda action: None
    assert run(sites)[0].stage is Stage.MIGRATED


def test_an_error_after_the_work_was_done_does_not_do_it_twice() -> None:
    sites = FakeSites([a_vm()])
    lost = [Register]

    def answer_lost(action: Action) -> None:
        if lost and isinstance(action, lost[0]):
            lost.clear()
            raise Busy("the connection broke")

    sites.after = answer_lost
    run(sites)
    assert sum(isinstance(action, Register) for action in sites.writes) == 1


def test_a_step_that_is_undone_each_time_is_given_up() -> None:
    sites = FakeSites([a_vm()])

    def undo(action: Action) -> None:
        if isinstance(action, SetAttributes):
            sites.person("app01", power=Power.OFF, attributes={})

    sites.after = undo
    with pytest.raises(Unexpected, match="is undone each time"):
        run(sites)
    assert sum(isinstance(action, PowerOn) for action in sites.writes) == REPEATS


def test_a_step_whose_effect_never_shows_is_not_sent_again() -> None:
    class Blind(FakeSites):
        def perform(self, *arguments: object) -> bool:
            self.writes.append(arguments[1])  # type: ignore[arg-type]
            return True

    sites = Blind([a_vm()])
    with pytest.raises(Unexpected, match="do not show it"):
        run(sites)
    assert len(sites.writes) == 1


def test_asked_to_stop_it_stops_before_the_next_step() -> None:
    stop = threading.Event()
    sites = FakeSites([a_vm()])
    sites.after = lambda action: stop.set() if isinstance(action, Unregister) else None
    with pytest.raises(Paused, match="app01"):
        run(sites, stop=stop)
    assert sites.adrift
    assert run(sites)[0].stage is Stage.MIGRATED


def test_somebody_elses_task_is_waited_for_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    sites = FakeSites([a_vm()])
    sites.busy("app01")
    outcome, said = run(sites)
    assert outcome.stage is Stage.MIGRATED
    assert any("Create snapshot" in text for text in said)

    stuck = FakeSites([a_vm(in_flight=InFlight("task-1", "Create snapshot"))])
    monkeypatch.setattr(stuck, "wait", lambda version, timeout: False)
    with pytest.raises(OutOfTime, match="Create snapshot"):
        run(stuck)


def test_a_guest_that_does_not_obey_is_powered_off_once_its_time_is_up() -> None:
    sites = FakeSites([a_vm(notes="never obeys")])
    run(sites)
    assert any(isinstance(action, PowerOff) for action in sites.writes)
    sites = FakeSites([a_vm(notes="never obeys")])
    with pytest.raises(Blocked, match="shutdown-overdue"):
        run(sites, replace(SPEC, on_shutdown_timeout="stop"))
    assert sites.vms[0].power is Power.ON


def test_a_killed_process_gives_back_what_it_was_admitted_for() -> None:
    sites = FakeSites([a_vm()])
    admission = Admission()

    def kill(action: Action) -> None:
        if isinstance(action, Relocate):
            raise Killed

    sites.before = kill
    with pytest.raises(Killed):
        converge(SPEC, sites, admission, lambda text, percent: None, threading.Event())
    assert admission._turns.load == Load()


def test_who_was_to_go_live_does_not_go_down_when_that_is_refused_meanwhile() -> None:
    sites = FakeSites([a_vm()], versions=("6.7.0", "7.0.3"))

    def another_takes_its_mac(action: Action) -> None:
        del action
        sites.versions = ("6.0.0", "7.0.3")  # whatever rule it is that no longer holds

    sites.after = another_takes_its_mac
    with pytest.raises(Blocked) as stopped:
        run(sites)
    assert [concern.id for concern in stopped.value.concerns] == ["live.version"]
    assert sites.vms[0].power is Power.ON
    assert not any(isinstance(action, ShutDown | PowerOff) for action in sites.writes)


def test_a_hung_task_is_not_waited_for_for_ever_though_other_things_happen() -> None:
    clock = Clock()
    sites = FakeSites([a_vm(in_flight=InFlight("task-9", "Create snapshot", 10))])

    def wait(version: int, timeout: float) -> bool:
        del version, timeout
        clock.now += 3600.0
        return True

    sites.wait = wait  # type: ignore[method-assign]
    with pytest.raises(OutOfTime):
        run(sites, clock=clock)
    assert clock.now <= 7 * 3600

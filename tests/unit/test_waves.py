"""Whether a wave lets a VM begin: windows, pauses, order, failures; and what is never held."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migration.actions import (
    Action,
    Answer,
    CheckHealth,
    Cross,
    MakeVm,
    PowerOff,
    PowerOn,
    Reconnect,
    Relocate,
    RunHook,
    SetAttributes,
    ShutDown,
    Unregister,
    WritePapers,
)
from migration.errors import Blocked, Busy, Held, OutOfTime, Paused
from migration.estimate import DEFAULT_RATE, Rates
from migration.model import TEMPLATE_MARK, File, Power, Vm
from migration.observation import Lost, Observation
from migration.wanted import Hook, Identity, Stage, VmSpec, Wave, Window
from migration.waves import Closed, Moment, Opens, begins, held
from tests.fake_sites import a_vm
from tests.unit.test_decide import BACK, PAPERS, SPEC, arrived, see, settled

COPY = Relocate({}, ("vmfs:n1",), 100 * DEFAULT_RATE)  # 100 s
ACROSS = Cross("target", "app01", "", "", "", "", (), "", {}, {}, ("vmfs:n1",), 100 * DEFAULT_RATE, live=True)
LEAVE = WritePapers(PAPERS)


def ask(wave: Wave, moment: Moment, action: Action = COPY, vm: Vm | None = None) -> Closed | Opens | None:
    return held(replace(SPEC, wave=wave), action, see(vm or settled()), moment)


def said(answer: Closed | Opens | None) -> str:
    assert isinstance(answer, Closed)
    return answer.sentence


def test_without_conditions_everything_may_begin() -> None:
    assert ask(Wave(), Moment(0)) is None


def test_a_window_is_waited_for_as_long_as_patience_lasts() -> None:
    wave = Wave("pilot", window=Window(1000, 5000), patience=900)
    answer = ask(wave, Moment(100))
    assert isinstance(answer, Opens)
    assert answer.at == 1000
    when = answer.sentence.removeprefix("waits for the window of wave pilot, opens at ")
    assert datetime.fromisoformat(when).timestamp() == 1000
    assert "run again after" in said(ask(wave, Moment(99)))
    assert ask(wave, Moment(1000)) is None


def test_nothing_begins_that_would_not_end_inside() -> None:
    wave = Wave("pilot", window=Window(1000, 5000))
    assert ask(wave, Moment(4900)) is None
    assert "give it a new one" in said(ask(wave, Moment(4901)))
    assert "closed at" in said(ask(wave, Moment(5000)))
    assert "more than 100 s" in said(ask(Wave("pilot", window=Window(1000, 1099)), Moment(900)))
    fast = Moment(4990, Rates({"Relocate poweredOn": 10 * DEFAULT_RATE}))
    assert ask(wave, fast) is None


def test_a_departure_is_counted_until_the_guest_runs_again() -> None:
    wave = Wave("pilot", window=Window(1000, 5000))
    shut = ShutDown(30)
    for action in (LEAVE, shut, PowerOff("no VMware Tools")):
        assert ask(wave, Moment(5000 - 36), action, a_vm()) is None
        assert "36 s" in said(ask(wave, Moment(5000 - 35), action, a_vm()))
    hooked = replace(SPEC, wave=wave, before=Hook(("x",), 60))
    assert "96 s" in said(held(hooked, RunHook("before", Hook(("x",), 60)), see(a_vm()), Moment(4950)))


def test_a_paused_wave_admits_nothing() -> None:
    assert "paused" in said(ask(Wave("pilot", paused=True), Moment()))


def test_a_wave_comes_after_those_that_are_complete() -> None:
    wave = Wave("databases", after=("pilot",))
    assert ask(wave, Moment(incomplete=frozenset({"other"}))) is None
    assert "comes after pilot" in said(ask(wave, Moment(incomplete=frozenset({"pilot"}))))
    back = replace(BACK, wave=wave)
    assert held(back, ShutDown(30), see(settled()), Moment(incomplete=frozenset({"pilot"}))) is None


@pytest.mark.parametrize(("most", "failed", "open_"), [(None, 9, True), (2, 1, True), (2, 2, False), (0, 0, True)])
def test_a_wave_bears_so_many_failures(most: int | None, failed: int, open_: bool) -> None:
    moment = Moment(failures={"pilot": failed})
    assert (ask(Wave("pilot", max_failures=most), moment) is None) is open_


def test_what_counts_as_a_failure() -> None:
    spec = replace(SPEC, wave=Wave("pilot"))
    assert Moment().after(spec, None) == Moment()
    for error in (Held("later"), Paused("asked"), OutOfTime("late")):
        assert Moment().after(spec, error) == Moment(incomplete=frozenset({"pilot"}))
    for failure in (Blocked(()), Busy("busy"), RuntimeError("a bug")):
        after = Moment().after(spec, failure).after(spec, failure)
        assert (after.incomplete, after.failures) == (frozenset({"pilot"}), {"pilot": 2})


SHUT = Moment(10**9, incomplete=frozenset({"earlier"}), failures={"w": 5})
CLOSED = Wave("w", after=("earlier",), window=Window(1, 2), paused=True, max_failures=1)
DOWN = a_vm(power=Power.OFF, papers=PAPERS)
MARKED = {TEMPLATE_MARK: "yes"}
NEVER: list[tuple[str, Action, Vm]] = [
    ("unregister", Unregister("source"), DOWN),
    ("a guest that is down crosses", ACROSS, DOWN),
    ("papers of one that is down", LEAVE, DOWN),
    ("connect", Reconnect({4000: "pg-prod"}), arrived()),
    ("power on", PowerOn(), arrived()),
    ("answer", Answer("7", "1", "I Moved It"), arrived()),
    ("arrived", WritePapers(replace(PAPERS, transit=False)), arrived()),
    ("health", CheckHealth(True, (), (), 10), settled()),
    ("hook after", RunHook("after", Hook(("x",))), settled()),
    ("papers of a template made a VM", LEAVE, a_vm(power=Power.OFF, attributes=MARKED)),
    ("a template that arrived is marked", SetAttributes(MARKED), arrived()),
]
ALWAYS: list[tuple[str, Action, Vm]] = [
    ("papers", LEAVE, a_vm()),
    ("hook before", RunHook("before", Hook(("x",))), a_vm()),
    ("shut down, papers from an earlier run", ShutDown(30), a_vm(papers=PAPERS)),
    ("power off", PowerOff("no VMware Tools"), a_vm(papers=PAPERS)),
    ("across", ACROSS, a_vm(papers=PAPERS)),
    ("copy", COPY, settled()),
    ("mark a template", SetAttributes(MARKED), a_vm(template=True, power=Power.OFF)),
    ("a template becomes a VM", MakeVm(), a_vm(template=True, power=Power.OFF, attributes=MARKED)),
    ("one that is off anyway leaves", LEAVE, a_vm(power=Power.OFF)),
]


@pytest.mark.parametrize(("action", "vm"), [(action, vm) for _, action, vm in NEVER], ids=[one[0] for one in NEVER])
def test_never_held(action: Action, vm: Vm) -> None:
    assert ask(CLOSED, SHUT, action, vm) is None


@pytest.mark.parametrize(("action", "vm"), [(action, vm) for _, action, vm in ALWAYS], ids=[one[0] for one in ALWAYS])
def test_held(action: Action, vm: Vm) -> None:
    assert isinstance(ask(CLOSED, SHUT, action, vm), Closed)


def test_a_guest_that_was_asked_to_shut_down_or_made_ready_goes_on() -> None:
    spec = replace(SPEC, wave=CLOSED)
    assert held(spec, PowerOff("late"), see(a_vm(papers=PAPERS), overdue=True), SHUT) is None
    ready = see(a_vm()).knowing(prepared=True)
    assert held(spec, LEAVE, ready, SHUT) is None
    assert held(spec, ShutDown(30), ready, SHUT) is None
    assert held(spec, ACROSS, ready, SHUT) is None  # the hook was held by what all of it would take
    assert isinstance(held(spec, ACROSS, see(a_vm()), SHUT), Closed)


def test_a_vm_that_is_registered_nowhere_is_never_held() -> None:
    assert not begins(SPEC, Unregister("source"), Observation((), {}))


@given(
    now=st.floats(0, 10_000),
    start=st.floats(0, 10_000),
    length=st.floats(1, 5000),
    patience=st.floats(0, 5000),
    seconds=st.floats(0, 3000),
)
def test_never_outside_its_window(now: float, start: float, length: float, patience: float, seconds: float) -> None:
    spec: VmSpec = replace(
        SPEC, stage=Stage.MIGRATED, wave=Wave("w", window=Window(start, start + length), patience=patience)
    )
    copy = replace(COPY, size=seconds * DEFAULT_RATE)
    answer = held(spec, copy, see(settled()), Moment(now))
    if answer is None:
        assert start <= now
        assert now + seconds <= start + length + 1e-6
    if isinstance(answer, Opens):
        assert now < answer.at == start <= now + patience + 1e-6
        assert start + seconds <= start + length + 1e-6


LOST = Lost("vmfs:b", "old-b", ("esx60-1", "esx60-2"), "AllPathsDown_Start")
"""What app01, which is on vmfs:a, does not need."""


def losing(*lost: Lost, site: str = "source", vm: Vm | None = None) -> Observation:
    seen = see(vm or a_vm())
    return replace(seen, sites={**seen.sites, site: replace(seen.sites[site], lost=lost)})


def test_a_volume_that_hosts_lose_stops_the_wave_of_whoever_is_on_it() -> None:
    spec = replace(SPEC, wave=Wave("pilot"))
    other = replace(spec, identity=Identity("db01"))
    on_b = a_vm("db01", disks=(replace(a_vm().disks[0], file=File("vmfs:b", "db01/db01.vmdk")),))
    alone = Moment().asking(spec, see(a_vm()))
    assert held(spec, LEAVE, losing(LOST), alone) is None, "nobody of the wave is on it"
    both = alone.asking(other, see(on_b))
    assert said(held(spec, LEAVE, losing(LOST), both)) == (
        "app01: wave pilot begins nothing more while esx60-1, esx60-2 cannot reach old-b (AllPathsDown_Start); "
        "bring the paths back, or put the host into maintenance mode, then run again"
    )
    assert held(spec, LEAVE, losing(), both) is None, "the paths are back"
    assert held(replace(spec, wave=Wave("next")), LEAVE, losing(LOST), both) is None, "another wave goes on"
    assert both.asking(other, see(on_b)) is both


def test_a_new_datastore_that_hosts_lose_stops_who_goes_there_and_nobody_on_the_way_back() -> None:
    spec = replace(SPEC, wave=Wave("pilot"))
    seen = losing(Lost("vmfs:n1", "gold7-01", ("esx70-1",)), site="target", vm=settled())
    assert "esx70-1 cannot reach gold7-01;" in said(held(spec, COPY, seen, Moment()))
    assert held(replace(spec, stage=Stage.REHOSTED), LEAVE, seen, Moment()) is None
    back = replace(BACK, wave=Wave("pilot"))
    assert held(back, ShutDown(30), seen, Moment(volumes={"pilot": frozenset({"vmfs:n1"})})) is None
    own = losing(Lost("vmfs:a", "old-a", ("esx60-1",)), vm=settled())
    assert "cannot reach old-a" in said(held(back, ShutDown(30), own, Moment()))
    on_its_way = replace(settled(), papers=replace(PAPERS, transit=True), power=Power.OFF)
    assert held(spec, PowerOn(), losing(Lost("vmfs:a", "old-a", ("x",)), vm=on_its_way), Moment()) is None

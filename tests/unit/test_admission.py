"""The lock around the queue: threads, waiting, and what is given back however things end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from migration import admission as admission_module
from migration.actions import Placed, PowerOn, Register, Relocate, Unregister
from migration.admission import Admission, NotYet
from migration.converge import converge
from migration.errors import Blocked, Held, Paused
from migration.load import Load
from migration.model import InFlight, Needs
from migration.observation import Observation
from migration.wanted import Identity, Stage, VmSpec, Wave, Window
from tests.fake_sites import FakeSites, a_vm
from tests.limits import RELOCATE, Running, exceeded, placed_vm, two_sites
from tests.unit.test_decide import PAPERS, SPEC
from tests.unit.test_schedule import REGISTER, SEEN

SITES = two_sites()


class Clock:
    """Seconds since 1970 that pass only when a test says so."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def spec(name: str, wave: Wave | None = None) -> VmSpec:
    return VmSpec(Identity(name), Stage.MIGRATED, wave=wave or Wave())


@contextmanager
def copying(
    admission: Admission, name: str, host: int = 0, size: float = 10, wave: Wave | None = None
) -> Iterator[Placed | NotYet]:
    vm = placed_vm(name, RELOCATE, host, "a")
    action = replace(RELOCATE, size=size)
    with admission.admitted(spec(name, wave), action, vm, Observation((vm,), SITES)) as placed:
        yield placed


def test_what_does_not_fit_is_told_to_look_again() -> None:
    admission = Admission()
    with copying(admission, "a") as one, copying(admission, "b") as two, copying(admission, "c") as three:
        assert isinstance(one, Placed)
        assert isinstance(two, Placed)
        assert three == NotYet()
    with copying(admission, "c") as three:
        assert isinstance(three, Placed)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, GeneratorExit])
def test_what_was_taken_is_given_back_on_any_error(error: type[BaseException]) -> None:
    admission = Admission()
    with pytest.raises(error), copying(admission, "a"):
        raise error
    assert admission._turns.load == Load()


def test_40_threads_never_exceed_a_limit_and_all_get_their_turn() -> None:
    admission, stop, lock = Admission(), threading.Event(), threading.Lock()
    running: dict[str, Running] = {}
    wrong: list[str] = []
    done: list[str] = []

    def carry(number: int) -> None:
        name = f"vm{number}"
        vm = placed_vm(name, RELOCATE, number % 3, "a")
        while True:
            with copying(admission, name, number % 3, size=number) as placed:
                if isinstance(placed, Placed):
                    with lock:
                        running[name] = (RELOCATE, vm, placed)
                        wrong.extend(exceeded(running.values(), SITES))
                    time.sleep(0.005)
                    with lock:
                        del running[name]
                        done.append(name)
                    break
            admission.wait(spec(name), stop)
        admission.ended(spec(name), None)

    threads = [threading.Thread(target=carry, args=(number,), daemon=True) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []
    assert sorted(done) == sorted(f"vm{number}" for number in range(40))
    assert admission._turns.load == Load()
    assert not admission._turns.waiting


def test_who_is_called_and_does_not_come_loses_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    admission = Admission()
    with copying(admission, "a"), copying(admission, "b"), copying(admission, "gone", size=99) as gone:
        assert gone == NotYet()
    with copying(admission, "d"), copying(admission, "e") as kept_for_gone:
        assert kept_for_gone == NotYet()
        monkeypatch.setattr(admission_module, "GRACE", -1.0)
        admission.ended(spec("somebody"), None)
        with copying(admission, "e") as now:
            assert isinstance(now, Placed)


def test_a_vm_whose_run_has_ended_waits_no_more() -> None:
    admission = Admission()
    with copying(admission, "a"), copying(admission, "b"), copying(admission, "c", size=99):
        pass
    admission.ended(spec("c"), Paused("asked to stop"))
    with copying(admission, "d"), copying(admission, "e") as placed:
        assert isinstance(placed, Placed)


def test_asked_to_stop_nobody_waits_long() -> None:
    admission, stop = Admission(), threading.Event()
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    admission.wait(spec("a"), stop)
    assert time.monotonic() - began < 3


def test_a_window_that_opens_soon_is_waited_for() -> None:
    admission = Admission()
    now = time.time()
    wave = Wave("pilot", window=Window(now + 0.4, now + 9000))
    with copying(admission, "a", wave=wave) as placed:
        assert isinstance(placed, NotYet)
        assert "waits for the window of wave pilot, opens at" in placed.sentence
    while time.time() < now + 0.4:
        admission.wait(spec("a"), threading.Event())
    with copying(admission, "a", wave=wave) as placed:
        assert isinstance(placed, Placed)


def test_a_wave_holds_its_vms_once_too_many_have_failed_and_those_after_it() -> None:
    admission = Admission()
    pilot, later = Wave("pilot", max_failures=1), Wave("later", after=("pilot",))
    admission.ended(spec("a", pilot), RuntimeError("failed"))
    with pytest.raises(Held, match="1 of its VMs failed"), copying(admission, "b", wave=pilot):
        pass
    with pytest.raises(Held, match="comes after pilot"), copying(admission, "c", wave=later):
        pass


def test_finished_copies_teach_the_estimate() -> None:
    clock = Clock(1000.0)
    admission = Admission(clock)
    wave = Wave("pilot", window=Window(0, 2000))
    with pytest.raises(Held, match="would not end"), copying(admission, "b", size=200, wave=wave):
        pass
    with copying(admission, "a", size=50):
        clock.now += 50  # 1 GiB a second
    with copying(admission, "b", size=200, wave=wave) as placed:
        assert isinstance(placed, Placed)

    def fail() -> None:
        clock.now += 5000
        raise RuntimeError

    with pytest.raises(RuntimeError), copying(admission, "c", size=50):
        fail()
    assert admission._moment.rates.of("Relocate poweredOn") == 1


def test_memory_is_kept_from_registration_until_the_guest_runs() -> None:
    admission = Admission()
    vm = a_vm(memory=16, papers=PAPERS)

    def do(action: Register | Unregister | PowerOn) -> None:
        with admission.admitted(SPEC, action, vm, SEEN) as placed:
            assert isinstance(placed, Placed)

    register = replace(REGISTER, needs=Needs(memory=16, mhz=500))
    do(Unregister("source"))
    do(register)
    assert admission._turns.load.memory("target/esx70-1") == 16
    assert admission._turns.load.mhz("target/esx70-1") == 500
    do(register)  # somebody undid it: it is registered anew
    assert admission._turns.load.memory("target/esx70-1") + admission._turns.load.memory("target/esx70-2") == 16
    do(PowerOn())
    assert admission._turns.load == Load()
    do(register)
    admission.ended(SPEC, RuntimeError("it does not power on"))
    assert admission._turns.load == Load()


def test_an_earlier_runs_copy_counts_until_it_has_ended() -> None:
    admission = Admission()
    vm = placed_vm("old", RELOCATE, 0, "a")
    admission.beside(spec("old"), replace(vm, in_flight=InFlight("task-1", "VirtualMachine.relocate", 30)))
    admission.beside(spec("old"), replace(vm, in_flight=InFlight("task-1", "VirtualMachine.relocate", 60)))
    with copying(admission, "a") as one, copying(admission, "b") as two:
        assert isinstance(one, Placed)
        assert two == NotYet()
    admission.ended(spec("b"), None)
    admission.beside(spec("old"), replace(vm, in_flight=InFlight("task-2", "VirtualMachine.createSnapshot")))
    assert admission._turns.load == Load()
    admission.beside(spec("old"), replace(vm, in_flight=InFlight("task-3", "VirtualMachine.relocate")))
    admission.ended(spec("old"), Paused("asked to stop"))
    assert admission._turns.load == Load()


def test_no_place_at_all_is_for_an_operator_to_solve() -> None:
    with pytest.raises(Blocked, match="too-small"), copying(Admission(), "a", size=10**6):
        pass


def test_a_held_vm_is_left_as_it_is_and_a_copy_is_held_at_rehosted() -> None:
    clock = Clock(0.0)
    window = Window(0, 60)
    wanted = replace(SPEC, wave=Wave("pilot", window=window))
    sites = FakeSites([a_vm()])
    stop = threading.Event()
    with pytest.raises(Held, match="would not end before"):  # 12 GiB take 129 s
        converge(wanted, sites, Admission(clock), lambda *_: None, stop)
    assert sites.vms[0].site == "target"
    assert not any(isinstance(action, Relocate) for action in sites.writes)
    untouched = FakeSites([a_vm()])
    clock.now = 30.0  # 36 s for the departure
    with pytest.raises(Held, match="would not end before"):
        converge(wanted, untouched, Admission(clock), lambda *_: None, stop)
    assert untouched.writes == []


def test_a_run_waits_for_its_window_and_says_so() -> None:
    now = time.time()
    wanted = replace(SPEC, wave=Wave("pilot", window=Window(now + 0.5, now + 9000)))
    sites = FakeSites([a_vm()])
    said: list[str] = []
    converge(wanted, sites, Admission(), lambda text, _: said.append(text), threading.Event())
    assert time.time() >= now + 0.5
    assert sum("waits for the window of wave pilot" in text for text in said) == 1

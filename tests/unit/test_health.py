"""Is a guest well? And when is it asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from migration import health
from migration.actions import Act, CheckHealth, Done, RunHook, Stop, WritePapers
from migration.decide import decide, departing
from migration.errors import Paused
from migration.model import Power, Tools, Vm
from migration.observation import Observation
from migration.wanted import Health, Hook, Identity, Stage, VmSpec
from tests.fake_sites import FakeSites, a_vm
from tests.unit.test_decide import SPEC, settled

HOOK = Hook(("/bin/true",))
CAREFUL = replace(SPEC, stage=Stage.REHOSTED, health=Health(ports=(22,), timeout=30), after=HOOK)
PAPERS = replace(departing(SPEC, a_vm(addresses=("10.0.0.1",))), transit=False)
CHECK = CheckHealth(True, ("10.0.0.1",), (22,), 30)


class Network:
    """Guests whose ports answer, or not."""

    def __init__(self, *ports: int) -> None:
        self.ports = ports
        self.asked: list[tuple[str, int]] = []

    def run(self, hook: Hook, facts: Mapping[str, str], say: Callable[[str], None]) -> None:
        del hook, facts, say
        raise AssertionError

    def reaches(self, address: str, port: int) -> bool:
        self.asked.append((address, port))
        return port in self.ports


def step(vm: Vm, spec: VmSpec = CAREFUL, **known: object) -> object:
    decision = decide(spec, Observation((vm,), FakeSites().views()).knowing(**known))
    return decision.action if isinstance(decision, Act) else decision


def test_an_arrived_guest_is_checked_then_announced_then_remembered() -> None:
    vm = settled(papers=PAPERS)
    assert step(vm) == CHECK
    assert step(vm, checked=True) == RunHook("after", HOOK)
    assert step(vm, checked=True, received=True) == WritePapers(replace(PAPERS, healthy=True))
    assert step(settled(papers=replace(PAPERS, healthy=True))) == Done()


def test_an_unwell_guest_is_held_before_its_copy_but_may_go_back() -> None:
    vm = settled(papers=PAPERS)
    onwards = replace(CAREFUL, stage=Stage.MIGRATED)
    held = step(vm, onwards, unhealthy=("VMware Tools do not run",))
    assert isinstance(held, Stop)
    assert [concern.id for concern in held.concerns] == ["guest.unhealthy"]
    assert not isinstance(step(vm, replace(CAREFUL, stage=Stage.SOURCE), unhealthy=("x",)), Stop)


@pytest.mark.parametrize(
    ("papers", "expected"),
    [
        (replace(PAPERS, power=Power.OFF), None),
        (replace(PAPERS, tools=False, addresses=()), CheckHealth(False, (), (22,), 30)),
    ],
)
def test_what_did_not_hold_before_is_not_asked_of_it(papers: object, expected: object) -> None:
    vm = settled(papers=papers)
    assert step(vm, replace(CAREFUL, after=None)) == (expected or Done())


def test_what_is_wrong_is_said() -> None:
    well = a_vm(addresses=("10.0.0.1", "10.0.0.2"))
    assert health.problems(CHECK, well, Network(22)) == ()
    assert health.problems(CHECK, well, Network()) == ("TCP port 22 does not answer at 10.0.0.1",)
    assert health.problems(CHECK, replace(well, tools=Tools.NOT_RUNNING), Network(22)) == ("VMware Tools do not run",)
    other = replace(well, addresses=("10.0.0.9",))
    assert health.problems(CHECK, other, Network(22)) == ("the address 10.0.0.1 is missing (it has 10.0.0.9)",)


def test_a_port_may_answer_at_any_of_its_addresses() -> None:
    network = Network(22)
    found = health.problems(replace(CHECK, addresses=()), a_vm(addresses=("10.0.0.1", "10.0.0.2")), network)
    assert found == ()
    assert network.asked == [("10.0.0.1", 22)]
    assert health.problems(replace(CHECK, addresses=()), a_vm(), Network(22)) != ()


def waiting(sites: FakeSites, stop: threading.Event | None = None) -> tuple[tuple[str, ...], list[str]]:
    said: list[str] = []
    seconds = iter(range(1000))
    found = health.check(
        CHECK,
        sites,
        Identity("app01"),
        Network(22),
        stop or threading.Event(),
        lambda text, percent: said.append(text),
        lambda: float(next(seconds)),
    )
    return found, said


def test_a_guest_that_boots_is_waited_for() -> None:
    sites = FakeSites([a_vm(tools=Tools.NOT_RUNNING, addresses=("10.0.0.1",))])
    looks = iter(range(100))

    def wait(version: int, timeout: float) -> bool:
        del version, timeout
        if next(looks) == 3:
            sites.person("app01", tools=Tools.RUNNING)
        return True

    sites.wait = wait  # type: ignore[method-assign]
    found, said = waiting(sites)
    assert found == ()
    assert said == ["waiting for its guest: VMware Tools do not run"] * 4


def test_but_not_for_ever() -> None:
    assert waiting(FakeSites([a_vm(tools=Tools.NOT_RUNNING)]))[0] == (
        "VMware Tools do not run",
        "the address 10.0.0.1 is missing",
    )


def test_asked_to_stop_it_stops() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Paused):
        waiting(FakeSites([a_vm(tools=Tools.NOT_RUNNING)]), stop)

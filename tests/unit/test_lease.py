"""Leases: what they say, when they count for nothing, and what a run does that fails."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from migration.actions import Act, Hold, Wait
from migration.admission import Admission
from migration.converge import converge
from migration.decide import decide
from migration.errors import Blocked
from migration.lease import FORGOTTEN, LAPSE, Holder, Lease, Watched
from migration.model import TEMPLATE_MARK
from migration.observation import Observation, SoFar
from migration.tenure import at_a_glance
from tests.fake_sites import FakeSites, a_vm, refuse
from tests.unit.test_decide import SPEC

OTHER = Lease("another", "ci-7 (process 4711, stack tokyo)", "m", "4711 99", 3, 1000.0)


def seeing() -> Observation:
    return Observation((a_vm(lease=OTHER),), FakeSites().views())


def test_it_is_stored_as_one_line_and_read_again() -> None:
    assert Lease.loads(OTHER.dumps()) == OTHER
    assert "\n" not in OTHER.dumps()


@pytest.mark.parametrize("text", ["", "yes", "{}", "[]", '{"run": 1}', OTHER.dumps()[:-3]])
def test_what_is_no_lease_is_none(text: str) -> None:
    assert Lease.loads(text) is None


def test_another_run_is_waited_for_by_name() -> None:
    assert decide(SPEC, seeing()) == Wait(f"{OTHER.owner} is at work on it")
    assert isinstance(decide(SPEC, replace(seeing(), so_far=SoFar(void=OTHER))), Act)
    assert isinstance(decide(SPEC, replace(seeing(), so_far=SoFar(run="another"))), Act)


def test_the_mark_of_a_template_holds_it_too() -> None:
    marked = a_vm(template=True, attributes={TEMPLATE_MARK: OTHER.dumps()})
    assert Observation((marked,), {}).holder == OTHER
    assert Observation((replace(marked, attributes={TEMPLATE_MARK: "yes"}),), {}).holder is None


def test_one_that_is_renewed_counts_again() -> None:
    assert OTHER.voided(OTHER)
    assert replace(OTHER, beat=2).voided(OTHER), "its mark is older than its papers"
    assert not replace(OTHER, beat=4).voided(OTHER)
    assert not OTHER.voided(None)


def test_it_lapses_only_while_nothing_happens() -> None:
    watched = Watched("as it was", 100.0).seeing("as it was", 100.0 + LAPSE - 1)
    assert not watched.lapsed(100.0 + LAPSE - 1)
    assert watched.lapsed(100.0 + LAPSE)
    assert not watched.seeing("powered off", 150.0).lapsed(100.0 + LAPSE)


@pytest.mark.parametrize(
    ("gone", "now", "holds"),
    [(False, 1000.0, True), (True, 1000.0, False), (False, 1000.0 + FORGOTTEN, False)],
)
def test_what_a_preview_makes_of_it(gone: bool, now: float, holds: bool) -> None:
    me = Holder(Lease("me", "me"), lambda _: gone, lambda: now)
    assert (at_a_glance(me, seeing()).holder is not None) is holds


def test_a_run_that_fails_lets_go() -> None:
    sites = FakeSites([a_vm()])
    performed: list[object] = []

    def fail(action: object) -> None:
        performed.append(action)
        if type(action).__name__ == "ShutDown":
            raise refuse("fault.Something")

    sites.before = fail
    me = Holder(Lease("me", "me"), lambda _: False, lambda: 0.0)
    with pytest.raises(Blocked):
        converge(SPEC, sites, Admission(), lambda *_: None, threading.Event(), holder=me)
    assert performed[-1] == Hold(let_go=True)
    assert sites.vms[0].papers is not None
    assert sites.vms[0].lease is None

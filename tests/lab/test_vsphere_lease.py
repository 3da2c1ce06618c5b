"""Who works on a VM, as the VM itself says it: written with the papers, seen by others, and never by two at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from migration.actions import Action, Hold, Placed, ShutDown, Unregister, WritePapers
from migration.decide import departing
from migration.errors import Busy, Stale
from migration.lease import Lease
from migration.model import TEMPLATE_MARK, Vm
from migration.wanted import Identity
from tests.lab.test_contract import SPEC
from tools.running_lab import Lab
from vsphere import configure
from vsphere.sites import VSphereSites

pytestmark = pytest.mark.lab

Opened = Callable[..., VSphereSites]
OURS = Lease("ours", "ci-1 (process 1, stack tokyo)", beat=1)
THEIRS = Lease("theirs", "ci-2 (process 2, stack tokyo)", beat=1)


def vm(sites: VSphereSites, name: str = "app01") -> Vm:
    found = sites.observe(Identity(name))[0].vm
    assert found is not None
    return found


def do(sites: VSphereSites, seen: Vm, action: Action) -> None:
    assert sites.perform(seen, action, Placed(), lambda *_: None)


def test_it_comes_and_goes_with_the_papers_in_one_call_each(built: Lab, opened: Opened) -> None:
    sites = opened(built)
    papers = departing(SPEC, vm(sites))
    do(sites, vm(sites), WritePapers(papers, OURS))
    assert (vm(sites).lease, vm(sites).papers) == (OURS, papers)
    do(sites, vm(sites), WritePapers(None, OURS))
    assert (vm(sites).lease, vm(sites).papers) == (None, None)
    assert built.writes == 2


def test_registered_nowhere_it_still_says_who_took_it(built: Lab, opened: Opened) -> None:
    sites = opened(built, "old-a", "old-b")
    do(sites, vm(sites), WritePapers(departing(SPEC, vm(sites)), OURS))
    do(sites, vm(sites), ShutDown(5))
    do(sites, vm(sites), Unregister("source"))
    assert sites.observe(Identity("app01"))[0].lease == OURS


def test_who_saw_it_before_another_took_it_up_does_nothing(built: Lab, opened: Opened) -> None:
    sites = opened(built)
    before = vm(sites)
    do(sites, before, WritePapers(departing(SPEC, before), THEIRS))
    writes = built.writes
    for action in (WritePapers(departing(SPEC, before), OURS), Hold(OURS), ShutDown(5)):
        with pytest.raises(Stale, match="ci-2"):
            do(sites, before, action)
    assert built.writes == writes
    held = vm(sites)
    do(sites, held, Hold(OURS))  # taken over: it was seen as it is
    with pytest.raises(Stale, match="ci-1"):
        do(sites, held, Hold(replace(THEIRS, beat=2)))
    do(sites, vm(sites), Hold(OURS, let_go=True))
    assert vm(sites).lease is None


def test_of_two_that_take_it_up_in_the_same_moment_one_is_refused(
    built: Lab, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    sites = opened(built)
    before = vm(sites)
    usual = configure._values

    def meanwhile(options: Mapping[str, str]) -> Any:
        monkeypatch.setattr(configure, "_values", usual)
        do(sites, before, WritePapers(departing(SPEC, before), THEIRS))
        return usual(options)

    monkeypatch.setattr(configure, "_values", meanwhile)
    with pytest.raises(Busy, match="changed meanwhile"):
        do(sites, before, WritePapers(departing(SPEC, before), OURS))
    assert vm(sites).lease == THEIRS


def test_a_template_says_it_in_its_mark(built: Lab, opened: Opened) -> None:
    sites = opened(built)
    do(sites, vm(sites, "tmpl01"), Hold(OURS))
    assert vm(sites, "tmpl01").held_by == OURS
    do(sites, vm(sites, "tmpl01"), Hold(OURS, let_go=True))
    assert vm(sites, "tmpl01").held_by is None
    assert vm(sites, "tmpl01").attributes[TEMPLATE_MARK] == "yes", "it is still one that must become a template"

"""Who is on its way is seen before anything is declared."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from migration.actions import Placed, PowerOff, Unregister, WritePapers
from migration.decide import departing
from migration.wanted import Identity, Stage, VmSpec
from tests.lab.conftest import endpoints
from tools.running_lab import Lab
from vsphere.journeys import on_their_way
from vsphere.session import close_all
from vsphere.site import Site
from vsphere.sites import VSphereSites
from vsphere.watch import News

pytestmark = pytest.mark.lab
WANTED = [Identity("app01"), Identity("off01"), Identity("bare01"), Identity("nobody")]


def found(lab: Lab) -> set[str]:
    sites = [Site(endpoint, News(), threading.Event()) for endpoint in endpoints(lab).values()]
    try:
        return {who.name for who in on_their_way(sites, WANTED)}
    finally:
        close_all()


def test_a_vm_with_papers_in_transit_and_one_that_is_registered_nowhere(
    built: Lab, opened: Callable[..., VSphereSites]
) -> None:
    assert found(built) == {"nobody"}
    writes = built.writes
    sites = opened(built, "old-a", "old-b")
    for name, leaves in (("app01", False), ("bare01", True)):
        vm = sites.observe(Identity(name))[0].vm
        assert vm
        papers = departing(VmSpec(Identity(name), Stage.MIGRATED), vm)
        sites.perform(vm, WritePapers(papers), Placed(), lambda text, percent: None)
        if leaves:
            sites.perform(vm, PowerOff("a test"), Placed(), lambda text, percent: None)
            sites.perform(vm, Unregister("source"), Placed(), lambda text, percent: None)
    before = built.writes
    assert before > writes
    assert found(built) == {"app01", "bare01", "nobody"}
    assert built.writes == before

"""What is seen of one VM among the inventories of both sites: no server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pyVmomi import vim

from migration.observation import Observation
from migration.wanted import Identity
from tests.unit import vsphere_objects as raw
from vsphere.inventory import Inventory
from vsphere.sites import VSphereSites
from vsphere.snapshot import Record


def observed(name: str, source: tuple[Record, ...] = (), target: tuple[Record, ...] = ()) -> Observation:
    sites = VSphereSites({})
    shown: dict[str, Any] = {
        "source": Inventory("source", "vc60", raw.site(*source)),
        "target": Inventory("target", "vc70", raw.site(*target)),
    }
    for site, inventory in shown.items():
        watch = SimpleNamespace(followed=())
        sites._sites[site] = SimpleNamespace(inventory=lambda one=inventory: one, watch=watch)  # type: ignore[assignment]
    sites._news.version = 1
    return sites.observe(Identity(name), look_adrift=False)[0]


@pytest.mark.parametrize(("state", "found"), [("inaccessible", (("target", "a/b"),)), ("connected", ())])
def test_vms_whose_files_stay_unknown_are_named_with_their_site(state: str, found: tuple[tuple[str, str], ...]) -> None:
    unknown = raw.record(vim.VirtualMachine, "vm-9", name="a%2fb", runtime__connectionState=state)
    assert observed("app01", (raw.machine("vm-1", "app01"),), (unknown,)).unreadable == found


def test_namesakes_are_told_with_datacenter_and_folder_whatever_their_case() -> None:
    app01 = raw.machine("vm-1", "app01")
    other = raw.machine("vm-2", "App01", config__instanceUuid="uuid-2", parent=raw.ref(vim.Folder, "group-v2"))
    in_vapp = raw.machine("vm-3", "APP01", config__instanceUuid="uuid-3", parent=None)
    seen = observed("app01", (app01, raw.machine("vm-9", "app010")), (other, in_vapp))
    assert [vm.name for vm in seen.vms] == ["app01"], "of an operator's name the case counts"
    assert seen.namesakes == {("target", "tokyo6", "apps")}
    assert observed("app01", (app01,), (app01,)).namesakes == frozenset()

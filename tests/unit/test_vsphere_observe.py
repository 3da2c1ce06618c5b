"""What is seen of one VM among the inventories of both sites: no server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

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


def test_vms_whose_files_are_unknown_are_named_with_their_site() -> None:
    unknown = raw.record(vim.VirtualMachine, "vm-9", name="Unknown", runtime__connectionState="inaccessible")
    assert observed("app01", (raw.machine("vm-1", "app01"),), (unknown,)).unreadable == (("target", "Unknown"),)
    assert observed("app01", (raw.machine("vm-1", "app01"),)).unreadable == ()

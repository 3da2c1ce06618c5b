"""MAC addresses and BIOS UUIDs that two VMs bear, at one site or at two."""

from __future__ import annotations

from typing import Any

from tests.unit import vsphere_objects as raw
from vsphere.inventory import Inventory
from vsphere.neighbours import duplicates
from vsphere.snapshot import Record

MAC = "00:50:56:aa:bb:01"  # of every VM that is made without another one


def machine(moref: str, name: str, mac: str, bios: str, **values: Any) -> Record:
    card = raw.card(4000, raw.standard("network-1", "VM Network"), mac=mac.upper())
    return raw.machine(moref, name, config__hardware__device=[card], config__uuid=bios, **values)


APP = machine("vm-1", "app01", MAC, "564d-1")


def found(source: tuple[Record, ...], target: tuple[Record, ...] = ()) -> tuple[dict[str, Any], set[Any]]:
    """Return what app01 at the source shares with others."""
    sites = [Inventory("source", "vc60", raw.site(APP, *source)), Inventory("target", "vc70", raw.site(*target))]
    macs, twins = duplicates((one.neighbours for one in sites), "UUID-of-app01", [MAC], "564D-1", "source")
    return dict(macs), set(twins)


def test_alone() -> None:
    assert found((machine("vm-2", "app02", "00:50:56:aa:bb:02", "564d-2"),)) == ({}, set())


def test_another_vm_with_its_mac_address() -> None:
    assert found((machine("vm-2", "app02", MAC, "564d-2"),)) == ({MAC: ("source", "app02")}, set())


def test_the_vm_at_the_other_site_is_named_first() -> None:
    here, there = machine("vm-2", "app02", MAC, "564d-2"), machine("vm-7", "web01", MAC, "564d-7")
    assert found((here,), (there,)) == ({MAC: ("target", "web01")}, set())


def test_others_with_its_bios_uuid() -> None:
    here = machine("vm-2", "clone01", "00:50:56:aa:bb:02", "564d-1")
    there = machine("vm-7", "clone%2f02", "00:50:56:aa:bb:07", "564D-1")
    assert found((here,), (there,)) == ({}, {("source", "clone01"), ("target", "clone/02")})


def test_the_same_vm_at_both_sites_is_no_other_vm() -> None:
    again = machine("vm-7", "app01", MAC, "564d-1", config__instanceUuid="uuid-OF-app01")
    assert found((), (again,)) == ({}, set())


def test_a_vm_of_which_no_uuid_is_known_is_no_other_vm() -> None:
    unread = machine("vm-7", "app01", MAC, "564d-1", config__instanceUuid=None)
    assert found((), (unread,)) == ({}, set())


def test_a_vm_without_a_bios_uuid_has_no_twins() -> None:
    site = Inventory("source", "vc60", raw.site(machine("vm-2", "app02", MAC, "")))
    assert duplicates([site.neighbours], "uuid-1", [], "", "source") == ({}, frozenset())

"""What is known of one VM beside its place, its disks and its cards: each fact present, and absent."""

from __future__ import annotations

from typing import Any

import pytest
from pyVmomi import vim

from migration.model import Vm
from migration.wanted import Identity
from tests.unit import vsphere_objects as raw
from vsphere.inventory import Inventory
from vsphere.snapshot import Record


def seen(*tasks: Record, **values: Any) -> Vm:
    site = Inventory("source", "vc60", raw.site(raw.machine("vm-1", "app01", **values), tasks=tasks))
    (found,) = site.matching(Identity("app01"))
    return site.vm(found)


PLAIN = seen()

FACTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the EVC mode that it needs": ({"runtime__minRequiredEVCModeKey": "intel-haswell"}, {"evc": "intel-haswell"}),
    "processors": ({"config__hardware__numCPU": 6}, {"cpus": 6}),
    "reserved MHz": (
        {"config__cpuAllocation": vim.ResourceAllocationInfo(reservation=2600)},
        {"cpu_reservation": 2600.0},
    ),
    "reserved memory, in MB": (
        {"config__memoryAllocation": vim.ResourceAllocationInfo(reservation=3072)},
        {"memory_reservation": 3.0},
    ),
    "latency sensitivity": (
        {"config__latencySensitivity": vim.LatencySensitivity(level="high")},
        {"latency_sensitive": True},
    ),
    "fault tolerance by its state": ({"runtime__faultToleranceState": "disabled"}, {"fault_tolerant": True}),
    "fault tolerance by its configuration": (
        {"config__ftInfo": vim.vm.FaultToleranceConfigInfo(role=1)},
        {"fault_tolerant": True},
    ),
    "encryption": ({"config__keyId": vim.encryption.CryptoKeyId(keyId="k1")}, {"encrypted": True}),
    "the installer of VMware Tools": ({"runtime__toolsInstallerMounted": True}, {"tools_installer": True}),
    "consolidation": ({"runtime__consolidationNeeded": True}, {"consolidation": True}),
    "changed block tracking": ({"config__changeTrackingEnabled": True}, {"change_tracking": True}),
    "processors it is bound to": (
        {"config__cpuAffinity": vim.vm.AffinityInfo(affinitySet=[0, 1])},
        {"pinned": "CPU affinity"},
    ),
    "memory nodes and a NUMA node": (
        {
            "config__memoryAffinity": vim.vm.AffinityInfo(affinitySet=[0]),
            "config__extraConfig": [vim.option.OptionValue(key="numa.nodeAffinity", value="0")],
        },
        {"pinned": "memory affinity, NUMA node affinity"},
    ),
}


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_that_is_there(fact: str) -> None:
    values, expected = FACTS[fact]
    vm = seen(**values)
    assert {name: getattr(vm, name) for name in expected} == expected


@pytest.mark.parametrize("name", sorted({name for _, expected in FACTS.values() for name in expected}))
def test_a_fact_that_is_not_there(name: str) -> None:
    assert getattr(PLAIN, name) in ("", 0, False)


@pytest.mark.parametrize(
    "values",
    [
        {"config__latencySensitivity": vim.LatencySensitivity(level="normal")},
        {"runtime__faultToleranceState": "notConfigured"},
        {"config__cpuAffinity": vim.vm.AffinityInfo(affinitySet=[])},
        {"config__extraConfig": [vim.option.OptionValue(key="numa.nodeAffinity", value="")]},
        {"runtime__toolsInstallerMounted": False, "runtime__consolidationNeeded": False},
        {"config__cpuAllocation": vim.ResourceAllocationInfo(limit=-1)},
    ],
    ids=lambda values: next(iter(values)),
)
def test_what_a_vcenter_says_of_a_vm_without_it(values: dict[str, Any]) -> None:
    assert seen(**values) == PLAIN


def test_the_longest_branch_of_snapshots() -> None:
    tree: Any = vim.vm.SnapshotTree
    branch = tree(name="a", childSnapshotList=[tree(name="b", childSnapshotList=[tree(name="c")]), tree(name="d")])
    vm = seen(snapshot=vim.vm.SnapshotInfo(rootSnapshotList=[branch]))
    assert (vm.snapshots, vm.depth, PLAIN.depth) == (4, 3, 0)


# --- addresses --------------------------------------------------------------------------------------------------------


def guest_card(*addresses: str, key: int = 4000, origin: str | None = None) -> Any:
    kind: Any = vim.net.IpConfigInfo.IpAddress
    config = vim.net.IpConfigInfo(ipAddress=[kind(ipAddress=one, prefixLength=24, origin=origin) for one in addresses])
    return vim.vm.GuestInfo.NicInfo(deviceConfigId=key, connected=True, ipAddress=list(addresses), ipConfig=config)


def test_addresses_in_a_steady_order_without_link_local_ones() -> None:
    cards = [guest_card("10.0.0.12", "fe80::250:56ff:fe8d:bb48"), guest_card("2001:db8::5", "169.254.3.4", "10.0.0.9")]
    assert seen(guest__net=cards).addresses == ("10.0.0.9", "10.0.0.12", "2001:db8::5")
    assert seen(guest__net=cards[::-1]).addresses == seen(guest__net=cards).addresses


def test_addresses_that_come_and_go_are_left_out() -> None:
    containers = guest_card("172.17.0.1", key=-1)
    temporary = guest_card("2001:db8::beef", origin="random")
    assert seen(guest__net=[guest_card("10.0.0.12"), containers, temporary]).addresses == ("10.0.0.12",)


def test_an_older_guest_tells_addresses_alone() -> None:
    card = vim.vm.GuestInfo.NicInfo(deviceConfigId=4000, connected=True, ipAddress=["10.0.0.12", "fe80::1%eth0"])
    assert seen(guest__net=[card]).addresses == ("10.0.0.12",)


def test_without_cards_the_primary_address_is_taken() -> None:
    assert seen(guest__ipAddress="10.0.0.12").addresses == ("10.0.0.12",)
    assert seen(guest__net=[], guest__ipAddress="fe80::1").addresses == ()
    assert seen(guest__ipAddress="unknown").addresses == ()
    assert PLAIN.addresses == ()

"""What is known of one VM beside its place, its disks and its cards: each fact present, and absent."""

from __future__ import annotations

from typing import Any

import pytest
from pyVmomi import VmomiSupport, vim

from migration.model import Vm
from migration.wanted import Identity
from tests.unit import vsphere_objects as raw
from vsphere.inventory import Inventory
from vsphere.snapshot import Record


def seen(*tasks: Record, **values: Any) -> Vm:
    site = Inventory("source", "vc60", raw.site(raw.machine("vm-1", "app01", **values), tasks=tasks))
    (found,) = site.matching(Identity("app01"))
    return site.vm(found)


def method(name: str) -> Any:
    """Return a method as pyVmomi makes it of its name in an answer."""
    return vars(VmomiSupport)["GuessWsdlMethod"](name)


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


# --- locks ------------------------------------------------------------------------------------------------------------

LOCK = [method("RelocateVM_Task"), method("MigrateVM_Task")]
BY_STATE = [method(name) for name in ("Destroy_Task", "UnregisterVM", "PowerOnVM_Task", "MarkAsTemplate")]


def test_a_lock_of_a_backup_product() -> None:
    assert seen(disabledMethod=[*BY_STATE, LOCK[0]]).locked == ("RelocateVM_Task",)
    assert seen(disabledMethod=[*BY_STATE, *LOCK]).locked == ("RelocateVM_Task", "MigrateVM_Task")


def test_a_running_vm_has_disabled_methods_and_no_lock() -> None:
    assert seen(disabledMethod=BY_STATE).locked == ()


def test_a_method_that_pyvmomi_does_not_know_is_no_lock() -> None:
    unknown = vars(VmomiSupport)["UnknownManagedMethod"]("FromTheFuture_Task")
    assert seen(disabledMethod=[unknown, LOCK[0]]).locked == ("RelocateVM_Task",)


CHOICES = vim.option.ChoiceOption(choiceInfo=[vim.ElementDescription(key="0", label="Cancel", summary="")])
QUESTION = vim.vm.QuestionInfo(id="1", text="?", choice=CHOICES)


@pytest.mark.parametrize(
    "state",
    [
        {"runtime__connectionState": "disconnected"},
        {"config__template": True},
        {"runtime__question": QUESTION},
        {"runtime__faultToleranceState": "running"},
    ],
    ids=lambda state: next(iter(state)),
)
def test_what_the_state_of_a_vm_disables_is_no_lock(state: dict[str, Any]) -> None:
    assert seen(disabledMethod=LOCK, **state).locked == ()


@pytest.mark.parametrize(("state", "locked"), [("running", 0), ("queued", 0), ("success", 2)])
def test_what_a_task_on_the_vm_disables_is_no_lock(state: str, locked: int) -> None:
    entity = raw.ref(vim.VirtualMachine, "vm-1")
    task = raw.record(vim.Task, "task-1", info__key="task-1", info__state=state, info__entity=entity)
    assert len(seen(task, disabledMethod=LOCK).locked) == locked

"""What only the vCenter knows of a VM, as its raw properties say it."""

from __future__ import annotations

from typing import Any

import pytest
from pyVmomi import vim

from migration.metadata import Allocation, Metadata, Overrides, Permission, Pool, Rule, Tag
from migration.model import Vm
from migration.wanted import Identity
from tests.unit import vsphere_objects as raw
from vsphere.inventory import Inventory
from vsphere.snapshot import Record
from vsphere.standing import Standing

VMS = {
    name: raw.ref(vim.VirtualMachine, moref)
    for name, moref in {"app01": "vm-1", "app02": "vm-2", "db01": "vm-3"}.items()
}
SPEC: Any = vim.cluster


def configured(**config: Any) -> Record:
    return raw.record(
        vim.ClusterComputeResource,
        "domain-c1",
        name="prod6",
        parent=raw.ref(vim.Folder, "group-h1"),
        configurationEx=vim.cluster.ConfigInfoEx(**config),
    )


def vm(name: str = "app01", *more: Record, standing: Standing | None = None, **values: Any) -> Vm:
    machines = [raw.machine(one._moId, other) for other, one in VMS.items() if other != name]
    snapshot = raw.site(*machines, raw.machine(VMS[name]._moId, name, **values), *more)
    site = Inventory("source", "vc60", snapshot, standing or Standing(roles={-2: "ReadOnly", 7: "dba"}))
    return site.vm(site.matching(Identity(name))[0])


def test_a_vm_of_which_there_is_nothing_to_tell() -> None:
    assert vm().metadata == Metadata()
    assert vm("app01", configured()).metadata == Metadata()


# --- permissions and tags ---------------------------------------------------------------------------------------------


def permission(principal: str, role: int, entity: str = "vm-1", *, group: bool = False, propagate: bool = True) -> Any:
    where = raw.ref(vim.VirtualMachine, entity)
    kind: Any = vim.AuthorizationManager.Permission
    return kind(entity=where, principal=principal, group=group, roleId=role, propagate=propagate)


def test_permissions_with_the_names_of_their_roles() -> None:
    given = [permission(r"LAB\dba", 7, group=True), permission(r"LAB\sato", -2, propagate=False)]
    assert vm(permission=given).metadata.permissions == {
        Permission(r"LAB\dba", True, "dba", True),
        Permission(r"LAB\sato", False, "ReadOnly", False),
    }


def test_a_permission_of_what_it_is_in_is_not_its_own() -> None:
    assert vm(permission=[permission("x", 7, "group-v3")]).metadata == Metadata()


def test_a_role_that_came_later_is_named_by_its_id() -> None:
    (found,) = vm(permission=[permission("x", 99)]).metadata.permissions
    assert found.role == "role 99"


def test_tags() -> None:
    tags = {"vm-1": frozenset({Tag("tier", "gold")}), "vm-2": frozenset({Tag("tier", "silver")})}
    assert vm(standing=Standing(tags=tags)).metadata.tags == {Tag("tier", "gold")}
    assert vm("db01", standing=Standing(tags=tags)).metadata.tags == frozenset()


# --- rules and groups -------------------------------------------------------------------------------------------------

GROUPS = [
    SPEC.VmGroup(name="app-vms", vm=[VMS["app01"], VMS["app02"]]),
    SPEC.HostGroup(name="licensed", host=[raw.ref(vim.HostSystem, "host-1")]),
]


def test_rules_of_vms_know_their_members_by_uuid() -> None:
    together = SPEC.AffinityRuleSpec(name="web", enabled=True, vm=[VMS["app02"], VMS["app01"]])
    apart = SPEC.AntiAffinityRuleSpec(name="far", enabled=False, mandatory=True, vm=[VMS["app01"], VMS["db01"]])
    cluster = configured(rule=[together, apart])
    web = Rule("web", "affinity", (("uuid-of-app01", "app01"), ("uuid-of-app02", "app02")))
    far = Rule(
        "far", "antiAffinity", (("uuid-of-app01", "app01"), ("uuid-of-db01", "db01")), enabled=False, mandatory=True
    )
    assert vm("app01", cluster).metadata.rules == {web, far}
    assert vm("app02", cluster).metadata.rules == {web}
    assert vm("db01", cluster).metadata.rules == {far}


@pytest.mark.parametrize("affine", [True, False])
def test_a_rule_for_hosts_and_its_groups(affine: bool) -> None:
    hosts = {"affineHostGroupName" if affine else "antiAffineHostGroupName": "licensed"}
    rule = SPEC.VmHostRuleInfo(name="lic", enabled=True, mandatory=True, vmGroupName="app-vms", **hosts)
    cluster = configured(rule=[rule], group=GROUPS)
    expected = Rule("lic", "vmHost", (), True, True, "app-vms", "licensed", affine)
    assert vm("app01", cluster).metadata == Metadata(rules=frozenset({expected}), groups=frozenset({"app-vms"}))
    assert vm("db01", cluster).metadata == Metadata()


def test_rules_of_other_kinds_are_left_out() -> None:
    later = SPEC.DependencyRuleInfo(name="order", vmGroup="app-vms", dependsOnVmGroup="app-vms")
    assert vm("app01", configured(rule=[later])).metadata == Metadata()


# --- overrides --------------------------------------------------------------------------------------------------------


def test_overrides() -> None:
    settings = SPEC.DasVmSettings(restartPriority="high", isolationResponse="powerOff")
    cluster = configured(
        dasVmConfig=[SPEC.DasVmConfigInfo(key=VMS["app01"], dasSettings=settings)],
        drsVmConfig=[SPEC.DrsVmConfigInfo(key=VMS["app01"], enabled=False, behavior="manual")],
    )
    assert vm("app01", cluster).metadata.overrides == Overrides("high", "powerOff", "manual", "false")
    assert vm("app02", cluster).metadata == Metadata()


def test_what_says_that_the_cluster_decides_is_no_override() -> None:
    settings = SPEC.DasVmSettings(
        restartPriority="clusterRestartPriority", isolationResponse="clusterIsolationResponse"
    )
    cluster = configured(
        dasVmConfig=[SPEC.DasVmConfigInfo(key=VMS["app01"], dasSettings=settings)],
        drsVmConfig=[SPEC.DrsVmConfigInfo(key=VMS["app01"])],
    )
    assert vm("app01", cluster).metadata == Metadata()


def test_the_older_way_to_say_a_priority() -> None:
    cluster = configured(dasVmConfig=[SPEC.DasVmConfigInfo(key=VMS["app01"], restartPriority="low")])
    assert vm("app01", cluster).metadata.overrides == Overrides(restart_priority="low")


# --- pools ------------------------------------------------------------------------------------------------------------


def pool(moref: str, name: str, parent: str, **values: Any) -> Record:
    owner = raw.ref(vim.ClusterComputeResource, "domain-c1")
    return raw.record(
        vim.ResourcePool, moref, name=name, parent=raw.ref(vim.ResourcePool, parent), owner=owner, **values
    )


def test_the_pools_around_it_from_the_outside_in() -> None:
    shares: Any = vim.SharesInfo
    cpu = vim.ResourceAllocationInfo(
        reservation=4000, limit=24000, expandableReservation=False, shares=shares(level="custom", shares=6000)
    )
    memory = vim.ResourceAllocationInfo(
        reservation=16384, limit=-1, expandableReservation=True, shares=shares(level="low", shares=100)
    )
    inner = pool("resgroup-3", "databases", "resgroup-2", config__cpuAllocation=cpu, config__memoryAllocation=memory)
    assert vm("app01", inner).pools == (
        Pool("production"),
        Pool("production/databases", Allocation("6000", 4000, 24000, False), Allocation("low", 16384, -1, True)),
    )


def test_the_root_pool_is_none_of_them() -> None:
    assert vm(resourcePool=raw.ref(vim.ResourcePool, "resgroup-1")).pools == ()
    assert vm(resourcePool=None, config__template=True).pools == ()

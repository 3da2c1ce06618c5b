from __future__ import annotations

from typing import Any

from pyVmomi import vim

from migration.metadata import Metadata, Overrides, Rule
from tests.unit.vsphere_objects import ref
from vsphere.membership import Change, Impossible, changes, joined
from vsphere.session import moref

APP = ref(vim.VirtualMachine, "vm-1")
WEB = ref(vim.VirtualMachine, "vm-2")
DB = ref(vim.VirtualMachine, "vm-3")
MEMBERS = (("uuid-app", "app01"), ("uuid-web", "web01"), ("uuid-db", "db01"))
TOGETHER = Rule("together", "affinity", MEMBERS)
APART = Rule("apart", "antiAffinity", MEMBERS, enabled=False)
LICENSED = Rule("licensed", "vmHost", vm_group="oracle", host_group="licensed-hosts", mandatory=True)


def config(**what: Any) -> Any:
    return vim.cluster.ConfigInfoEx(**what)


def found(wanted: Metadata, present: Any = None, *members: Any) -> list[Change | Impossible]:
    return changes(present or config(), APP, wanted, {rule.name: members for rule in wanted.rules})


def specs(found: list[Change | Impossible]) -> list[Any]:
    """Return what is to be changed, where all of it can be."""
    impossible = [one for one in found if isinstance(one, Impossible)]
    assert not impossible
    return [one.spec for one in found if isinstance(one, Change)]


def change(found: list[Change | Impossible]) -> Any:
    (one,) = specs(found)
    return one


def why(found: list[Change | Impossible]) -> str:
    (one,) = found
    assert isinstance(one, Impossible), one
    return one.why


def rules(*wanted: Rule) -> Metadata:
    return Metadata(rules=frozenset(wanted))


def ids(members: Any) -> list[str]:
    return [moref(one) for one in members]


def host_group(name: str = "licensed-hosts") -> Any:
    return vim.cluster.HostGroup(name=name, host=[ref(vim.HostSystem, "host-1")])


def test_a_rule_is_made_of_those_who_are_there_once_that_is_two() -> None:
    assert "when the next one arrives" in why(found(rules(TOGETHER)))
    assert "when the next one arrives" in why(found(rules(TOGETHER), None, APP)), "itself does not count twice"
    (spec,) = change(found(rules(APART), None, WEB, APP)).rulesSpec
    assert spec.operation == "add"
    assert isinstance(spec.info, vim.cluster.AntiAffinityRuleSpec)
    assert (spec.info.name, spec.info.enabled, spec.info.mandatory) == ("apart", False, False)
    assert ids(spec.info.vm) == ["vm-1", "vm-2"]


def test_it_joins_a_rule_that_exists_and_nothing_else_of_it_changes() -> None:
    present = vim.cluster.AffinityRuleSpec(key=7, name="together", enabled=False, mandatory=True, vm=[WEB, DB])
    (spec,) = change(found(rules(TOGETHER), config(rule=[present]))).rulesSpec
    assert spec.operation == "edit"
    assert (spec.info.key, spec.info.enabled, spec.info.mandatory) == (7, False, True)
    assert ids(spec.info.vm) == ["vm-2", "vm-3", "vm-1"]


def test_a_rule_that_it_is_in_already_is_left_alone() -> None:
    present = vim.cluster.AffinityRuleSpec(key=7, name="together", vm=[APP])
    assert found(rules(TOGETHER), config(rule=[present])) == []


def test_a_rule_of_that_name_and_another_kind_is_left_alone_and_told() -> None:
    present = vim.cluster.AntiAffinityRuleSpec(key=7, name="together", vm=[WEB, DB])
    assert "another kind" in why(found(rules(TOGETHER), config(rule=[present]), WEB))
    bound = vim.cluster.VmHostRuleInfo(key=8, name="together", vmGroupName="x")
    assert "another kind" in why(found(rules(TOGETHER), config(rule=[bound]), WEB))


def test_a_group_is_made_or_joined_and_one_of_hosts_is_told() -> None:
    wanted = Metadata(groups=frozenset({"oracle"}))
    (made,) = change(found(wanted)).groupSpec
    assert (made.operation, made.info.name, ids(made.info.vm)) == ("add", "oracle", ["vm-1"])
    (joined,) = change(found(wanted, config(group=[vim.cluster.VmGroup(name="oracle", vm=[WEB])]))).groupSpec
    assert (joined.operation, ids(joined.info.vm)) == ("edit", ["vm-2", "vm-1"])
    assert found(wanted, config(group=[vim.cluster.VmGroup(name="oracle", vm=[APP])])) == []
    assert "one of hosts" in why(found(wanted, config(group=[host_group("oracle")])))


def test_a_rule_about_hosts_needs_their_group_and_brings_that_of_the_vms() -> None:
    assert "no group of hosts 'licensed-hosts'" in why(found(rules(LICENSED)))
    group, rule = specs(found(rules(LICENSED), config(group=[host_group()])))
    assert group.groupSpec[0].info.name == "oracle"
    info = rule.rulesSpec[0].info
    assert (info.vmGroupName, info.affineHostGroupName, info.antiAffineHostGroupName) == (
        "oracle",
        "licensed-hosts",
        None,
    )
    assert info.mandatory
    anti = Rule("licensed", "vmHost", vm_group="oracle", host_group="licensed-hosts", affine=False)
    member = vim.cluster.VmGroup(name="oracle", vm=[APP])
    (spec,) = change(found(rules(anti), config(group=[host_group(), member]))).rulesSpec
    assert spec.info.affineHostGroupName is None
    assert spec.info.antiAffineHostGroupName == "licensed-hosts"


def test_a_rule_about_hosts_that_exists_is_never_changed() -> None:
    groups = [host_group(), vim.cluster.VmGroup(name="oracle", vm=[APP])]
    same = vim.cluster.VmHostRuleInfo(key=7, name="licensed", vmGroupName="oracle", affineHostGroupName="other")
    assert found(rules(LICENSED), config(group=groups, rule=[same])) == []
    other = vim.cluster.VmHostRuleInfo(key=7, name="licensed", vmGroupName="else")
    assert "something else" in why(found(rules(LICENSED), config(group=groups, rule=[other])))


def test_overrides_are_added() -> None:
    ha, drs = specs(found(Metadata(overrides=Overrides("high", "none", "manual", "false"))))
    (das,) = ha.dasVmConfigSpec
    assert (das.operation, moref(das.info.key)) == ("add", "vm-1")
    assert (das.info.dasSettings.restartPriority, das.info.dasSettings.isolationResponse) == ("high", "none")
    (one,) = drs.drsVmConfigSpec
    assert (one.operation, one.info.behavior, one.info.enabled) == ("add", "manual", False)


def test_overrides_that_exist_keep_what_is_not_wanted_otherwise() -> None:
    settings = vim.cluster.DasVmSettings(restartPriority="low", isolationResponse="shutdown", restartPriorityTimeout=60)
    present = config(
        dasVmConfig=[
            vim.cluster.DasVmConfigInfo(key=WEB),
            vim.cluster.DasVmConfigInfo(key=APP, restartPriority="low", dasSettings=settings),
        ],
        drsVmConfig=[vim.cluster.DrsVmConfigInfo(key=APP, enabled=False, behavior="partiallyAutomated")],
    )
    ha, drs = specs(found(Metadata(overrides=Overrides("high", "", "manual")), present))
    (das,) = ha.dasVmConfigSpec
    assert das.operation == "edit"
    assert das.info.restartPriority is None, "the older way of saying it would contradict"
    kept = das.info.dasSettings
    assert (kept.restartPriority, kept.isolationResponse, kept.restartPriorityTimeout) == ("high", "shutdown", 60)
    (one,) = drs.drsVmConfigSpec
    assert (one.operation, one.info.behavior, one.info.enabled) == ("edit", "manual", False)


def test_all_of_it_fits_into_one_task_groups_first_and_nothing_is_ever_removed() -> None:
    wanted = Metadata(
        rules=frozenset({TOGETHER, LICENSED}), groups=frozenset({"oracle"}), overrides=Overrides("high", "", "manual")
    )
    parts = [one for one in found(wanted, config(group=[host_group()]), DB) if isinstance(one, Change)]
    spec: Any = joined(parts)
    assert [one.info.name for one in spec.groupSpec] == ["oracle"]
    assert [one.info.name for one in spec.rulesSpec] == ["licensed", "together"]
    assert len(spec.dasVmConfigSpec) == len(spec.drsVmConfigSpec) == 1
    every = [*spec.groupSpec, *spec.rulesSpec, *spec.dasVmConfigSpec, *spec.drsVmConfigSpec]
    assert {one.operation for one in every} == {"add"}
    assert joined([parts[0]]).rulesSpec in (None, [])

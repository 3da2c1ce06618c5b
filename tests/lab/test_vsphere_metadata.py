"""What only a vCenter knew of a VM is given back at the other one, as far as that allows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from migration.actions import Cross, Placed, RestoreMetadata, WritePapers
from migration.admission import Admission
from migration.converge import converge
from migration.errors import Busy, Paused
from migration.metadata import Metadata, Overrides, Permission, Pool, Rule, Tag
from migration.model import Papers, Power, Vm
from migration.wanted import Identity, Stage, VmSpec
from tests.person import person
from tools.parts import ROOT
from tools.running_lab import Lab
from vsphere import audit
from vsphere.sites import VSphereSites

pytestmark = pytest.mark.lab

Opened = Callable[..., VSphereSites]
HOST = "esx70-1.lab"
NAMES = ("app01", "app02", "db01")


@pytest.fixture
def known(start: Callable[[Path], Lab], tmp_path: Path) -> Iterator[Lab]:
    """The site whose vCenter knows much of its VMs, and a target that is built, with a group of licensed hosts."""
    scenario = yaml.safe_load((ROOT / "tests" / "scenarios" / "metadata.yaml").read_text(encoding="utf-8"))
    target = scenario["vcenters"][1]
    for host in target["hosts"]:
        host["vmotion"] = True
    hosts = [host["name"] for host in target["hosts"]]
    cluster = {
        "name": "prod7",
        "hosts": hosts,
        "drs": True,
        "ha": True,
        "evc": "intel-ivybridge",  # that of the source: without it nobody comes back live
        "groups": [{"name": "licensed-hosts", "hosts": [HOST]}],
    }
    target["datacenters"] = [
        {
            "name": "tokyo7",
            "clusters": [cluster],
            "networks": [{"name": "pg-prod", "vlan": 20}, {"name": "pg-dmz", "vlan": 30}],
        }
    ]
    scenario["arrays"][1]["luns"][0]["vmfs"] = {"name": "gold7-01", "version": 6}
    file = tmp_path / "known.yaml"
    file.write_text(yaml.safe_dump(scenario, allow_unicode=True), encoding="utf-8")
    one = start(file)
    yield one
    assert one.get("/violations") == []


def vm(sites: VSphereSites, name: str) -> Vm:
    found = sites.observe(Identity(name))[0].vm
    assert found is not None, f"{name} is not registered once"
    return found


def arrive(sites: VSphereSites, name: str) -> Metadata:
    """Take a VM to the target with its papers; return what its old vCenter knew of it."""
    before = vm(sites, name)
    known = Papers(
        leaving="source",
        transit=True,
        power=before.power,
        template=False,
        datacenter=before.datacenter,
        cluster=before.cluster,
        folder=before.folder,
        pool=before.pool,
        host=before.host,
        nics={},
        disks={},
        attributes={},
        metadata=before.metadata,
    )
    sites.perform(before, WritePapers(known), Placed(), lambda *_: None)
    names = {"VM Network": "pg-prod", "DMZ": "pg-dmz"}
    action = Cross(
        site="target",
        name=name,
        datacenter="tokyo7",
        cluster="prod7",
        folder=before.folder,
        pool=before.pool,
        pools=before.pools,
        host="",
        nics={nic.key: names[nic.network] for nic in before.nics},
        to={},
        candidates=(),
        size=1,
        live=before.power is Power.ON,
    )
    sites.perform(before, action, Placed(HOST), lambda *_: None)
    return before.metadata


def restore(sites: VSphereSites, name: str, wanted: Metadata) -> list[str]:
    """Restore what is lacking; return what was said."""
    told: list[str] = []
    now = vm(sites, name)
    sites.perform(now, RestoreMetadata(wanted.lacking(now.metadata)), Placed(), lambda what, _: told.append(what))
    return told


def test_all_of_it_is_known_at_the_source_and_back_at_the_target(known: Lab, opened: Opened) -> None:
    sites = opened(known)
    wanted = {name: vm(sites, name).metadata for name in NAMES}
    app = wanted["app01"]
    assert {len(app.tags), len(app.permissions)} == {2}
    assert {rule.name for rule in app.rules} == {"app-together", "app-not-with-db", "app-on-licensed"}
    assert app.overrides == Overrides("high", "none", "manual", "true")
    pools = vm(sites, "app01").pools
    for name in NAMES:
        arrive(sites, name)
    assert not vm(sites, "app01").metadata
    assert vm(sites, "app01").pools == pools
    told = {name: restore(sites, name, wanted[name]) for name in NAMES}
    assert told == {name: [] for name in NAMES}
    for name in NAMES:
        now = vm(sites, name)
        assert not wanted[name].lacking(now.metadata), "what is observed next shows it"
        assert now.metadata.tags == wanted[name].tags
        assert now.metadata.permissions == wanted[name].permissions
    there = vm(sites, "app01").metadata
    assert {(rule.name, rule.kind, rule.members) for rule in there.rules} == {
        (rule.name, rule.kind, rule.members) for rule in app.rules
    }
    writes = known.writes
    assert [restore(sites, name, wanted[name]) for name in NAMES] == [[], [], []]
    assert known.writes == writes, "a second time there is nothing to do"


def test_one_after_the_other_as_they_arrive(known: Lab, opened: Opened) -> None:
    sites = opened(known)
    app = arrive(sites, "app01")
    told = restore(sites, "app01", app)
    assert sorted(told) == [
        f"not restored: DRS rule '{name}': no other VM of it is here yet; it is made when the next one arrives"
        for name in ("app-not-with-db", "app-together")
    ]
    assert {rule.name for rule in vm(sites, "app01").metadata.rules} == {"app-on-licensed"}
    assert restore(sites, "app02", arrive(sites, "app02")) == []
    assert {rule.name for rule in vm(sites, "app01").metadata.rules} == {"app-on-licensed", "app-together"}
    assert restore(sites, "db01", arrive(sites, "db01")) == []
    assert not app.lacking(vm(sites, "app01").metadata), "the last one that arrives makes the rule for all"


def test_two_at_once_end_up_in_the_same_rules_and_groups(known: Lab, opened: Opened) -> None:
    sites = opened(known)
    wanted = {name: arrive(sites, name) for name in NAMES}
    with ThreadPoolExecutor(3) as pool:
        told = dict(zip(NAMES, pool.map(lambda name: restore(sites, name, wanted[name]), NAMES), strict=True))
    assert told == {name: [] for name in NAMES}
    for name in NAMES:
        assert not wanted[name].lacking(vm(sites, name).metadata)


def test_what_a_vcenter_refuses_is_told_and_the_rest_is_done(known: Lab, opened: Opened) -> None:
    sites = opened(known)
    app = arrive(sites, "app01")
    odd = replace(
        app,
        permissions=app.permissions
        | {Permission(r"LAB\nobody", False, "ReadOnly"), Permission(r"LAB\sato", False, "no-such-role")},
        groups=app.groups | {"licensed-hosts"},
        rules=frozenset({Rule("elsewhere", "vmHost", vm_group="app-vms", host_group="no-such-hosts")}),
        overrides=replace(app.overrides, isolation_response="no-such-response"),
    )
    told = "\n".join(restore(sites, "app01", odd))
    for what, why in (
        (r"permission ReadOnly for LAB\nobody", "UserNotFound"),
        (r"permission no-such-role for LAB\sato", "has no role 'no-such-role'"),
        ("DRS group 'licensed-hosts'", "one of hosts"),
        ("DRS rule 'elsewhere'", "no group of hosts 'no-such-hosts'"),
        ("HA restart priority high, HA isolation response no-such-response", "InvalidArgument"),
    ):
        assert any(what in line and why in line for line in told.split("\n")), what
    now = vm(sites, "app01").metadata
    assert now.permissions == app.permissions
    assert now.tags == app.tags
    assert now.groups == app.groups
    assert now.overrides == Overrides(drs_behavior="manual", drs_enabled="true")


def test_nothing_that_is_there_is_taken_away(known: Lab, opened: Opened) -> None:
    sites = opened(known)
    wanted = {name: arrive(sites, name) for name in NAMES}
    ours = Metadata(
        tags=frozenset({Tag("tier", "bronze")}),
        permissions=frozenset({Permission(r"LAB\sato", False, "ReadOnly")}),
        groups=frozenset({"set-up-here"}),
        rules=frozenset(
            {Rule("app-together", "affinity", tuple((vm(sites, one).instance_uuid, one) for one in ("app02", "db01")))}
        ),
        overrides=Overrides(restart_priority="low", isolation_response="powerOff"),
    )
    restore(sites, "db01", ours)
    before = vm(sites, "db01").metadata
    apart = {rule for rule in wanted["app01"].rules if rule.kind == "antiAffinity"}  # it would contradict
    restore(sites, "app01", replace(wanted["app01"], rules=wanted["app01"].rules - apart))
    now = vm(sites, "db01").metadata
    assert before.tags == now.tags
    assert before.permissions == now.permissions
    assert before.groups == now.groups
    assert before.overrides == now.overrides
    rule = next(rule for rule in now.rules if rule.name == "app-together")
    assert {name for _, name in rule.members} == {"app01", "app02", "db01"}


def test_a_cluster_that_is_busy_is_tried_again_by_the_caller_and_a_wish_to_stop_is_heard(
    known: Lab, opened: Opened
) -> None:
    sites = opened(known)
    app = arrive(sites, "app01")
    rule = {"vcenter": "target", "method": "ReconfigureComputeResource_Task", "count": 1}
    known.post("/faults", {**rule, "action": "taskFault", "fault": "TaskInProgress"})
    with pytest.raises(Busy):
        restore(sites, "app01", app)
    sites.site("target").stop.set()
    with pytest.raises(Paused):
        restore(sites, "app01", app)


def test_what_was_done_is_recorded_and_it_is_what_the_lab_has_seen(known: Lab, opened: Opened) -> None:
    sites = opened(known)
    with audit.recording() as entries:
        for name in NAMES:
            restore(sites, name, arrive(sites, name))
    assert len(entries) == known.writes
    assert {entry.ended for entry in entries} == {"ok"}
    by_method = known.get("/counters")["writes"]["byMethod"]
    assert {method: sum(one.method == method for one in entries) for method in by_method if "/" not in method} == {
        method: number for method, number in by_method.items() if "/" not in method
    }
    assert {(one.site, one.object) for one in entries if one.method == "RelocateVM_Task"} == {
        ("source", name) for name in NAMES
    }
    assert {one.object for one in entries if one.method == "ReconfigureComputeResource_Task"} == {"prod7"}
    assert {one.object for one in entries if one.method.endswith("~action=attach")} == {"app01", "app02"}
    assert {one.object for one in entries if one.method == "SetEntityPermissions"} == {"app01"}


def test_a_whole_move_there_and_back_by_decisions_alone(known: Lab, opened: Opened) -> None:
    sites = opened(known, "old-a", "old-b")
    before = {name: vm(sites, name) for name in NAMES}
    steps: dict[str, tuple[str, ...]] = {}
    with audit.recording() as entries:
        for stage in (Stage.MIGRATED, Stage.SOURCE):
            for name in NAMES:
                spec = VmSpec(
                    Identity(name),
                    stage,
                    datacenter="tokyo7",
                    cluster="prod7",
                    old_volumes=("old-a", "old-b"),
                    new_volumes=("gold7-01",),
                    networks={"VM Network": "pg-prod", "DMZ": "pg-dmz"},
                )
                outcome = converge(spec, sites, Admission(), lambda *_: None, threading.Event())
                assert outcome.downtime is None, "it has never stopped"
                steps[name] = outcome.steps
            for name in NAMES:
                lacking = before[name].metadata.lacking(vm(sites, name).metadata)
                assert not lacking, f"{name} at {stage}: {lacking.said()}"
    assert len(entries) == known.writes
    assert sum(entry.method == "RelocateVM_Task" for entry in entries) == 2 * len(NAMES)
    assert not {entry.method for entry in entries} & {"UnregisterVM", "PowerOnVM_Task", "ShutdownGuest"}
    for name, was in before.items():
        now = vm(sites, name)
        assert (now.site, now.folder, now.pool, now.attributes) == ("source", was.folder, was.pool, was.attributes)
        assert now.metadata.permissions == was.metadata.permissions
        assert now.papers is None


def test_pools_come_along_with_what_they_are_given(known: Lab, opened: Opened) -> None:
    sites = opened(known)
    pools = vm(sites, "app01").pools
    assert [pool.path for pool in pools] == ["production", "production/databases"]
    arrive(sites, "app01")
    now = vm(sites, "app01")
    assert (now.pool, now.pools) == ("production/databases", pools)
    assert pools != (Pool("production"), Pool("production/databases"))


def test_a_permission_that_exists_for_another_stays(known: Lab, opened: Opened) -> None:
    sites = opened(known)
    app = arrive(sites, "app01")
    there = Permission(r"LAB\dba", True, "vm-operator")
    restore(sites, "app01", Metadata(permissions=frozenset({there})))
    sato = frozenset(one for one in app.permissions if not one.group)
    restore(sites, "app01", Metadata(permissions=sato))
    assert vm(sites, "app01").metadata.permissions == {there, *sato}
    with person(known, "target") as somebody:
        assert {one.principal for one in somebody.vm("app01").permission} == {r"LAB\dba", r"LAB\sato"}

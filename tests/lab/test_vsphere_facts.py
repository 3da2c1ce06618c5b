"""What concerns, scheduler and papers are told of a site, read from the lab as from a vCenter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from pyVmomi import vim

from migration.actions import Placed, WritePapers
from migration.decide import departing
from migration.errors import Stale
from migration.metadata import Allocation, Metadata, Overrides, Permission, Pool, Rule, Tag
from migration.model import Papers, Vm
from migration.observation import Cluster, SiteView
from migration.wanted import Identity, Stage, VmSpec
from tests.lab.conftest import SMALL
from tools.parts import ROOT
from tools.running_lab import Lab
from vsphere import tagging
from vsphere.sites import VSphereSites

pytestmark = pytest.mark.lab

Opened = Callable[..., VSphereSites]
Start = Callable[[Path], Lab]
METADATA = ROOT / "tests" / "scenarios" / "metadata.yaml"


def vm(sites: VSphereSites, name: str) -> Vm:
    found = sites.observe(Identity(name))[0].vm
    assert found is not None, f"{name} is not registered once"
    return found


def papers(vm: Vm) -> Papers:
    return departing(VmSpec(Identity(vm.name), Stage.MIGRATED), vm)


def view(sites: VSphereSites, site: str) -> SiteView:
    return sites.observe(Identity("nobody"), look_adrift=False)[0].sites[site]


def calls(lab: Lab, site: str) -> dict[str, int]:
    found: dict[str, int] = lab.get("/counters")["calls"][site]
    return found


def changed(file: Path, change: Callable[[dict[str, Any]], None], folder: Path) -> Path:
    scenario = yaml.safe_load(file.read_text(encoding="utf-8"))
    change(scenario)
    out = folder / file.name
    out.write_text(yaml.safe_dump(scenario, allow_unicode=True), encoding="utf-8")
    return out


# --- the site ---------------------------------------------------------------------------------------------------------


def test_the_old_site(lab: Lab, opened: Opened) -> None:
    source = view(opened(lab), "source")
    assert (source.version, source.build) == ("6.0.0", "3018524")
    expected = Cluster(
        "prod6", evc="intel-ivybridge", ha=True, drs=True, memory_reserve=0.25, cpu_reserve=0.25, spare=1
    )
    assert source.clusters == (expected,)
    assert all((host.threads, host.mhz, host.hardware) == (32, 16 * 2600, 11) for host in source.hosts)
    assert all(0 < host.free_mhz <= host.mhz for host in source.hosts)
    assert {host.version for host in source.hosts} == {"6.0.0"}
    assert all(host.vmotion and host.links == 8 and host.memory == 256 for host in source.hosts)
    assert all({"intel-merom", "intel-ivybridge"} <= host.evc for host in source.hosts)
    assert not any("intel-haswell" in host.evc for host in source.hosts)
    assert {(volume.kind, volume.version[0], volume.local) for volume in source.volumes} == {("VMFS", "5", False)}
    assert "Admin" in source.roles
    assert abs(source.skew) < 5
    assert source.lacking == ()
    assert not source.tagging
    assert not any("/rest/" in call for call in calls(lab, "source"))  # a vCenter 6.0 is not even asked


def test_a_running_vm_and_one_that_is_off(lab: Lab, opened: Opened) -> None:
    sites = opened(lab)
    on, off = vm(sites, "app01"), vm(sites, "test02")
    assert (on.evc, on.addresses, on.cpus) == ("intel-ivybridge", ("10.20.0.11",), 2)
    assert (off.evc, off.addresses) == ("", ())
    assert (on.locked, off.locked, on.metadata) == ((), (), Metadata())


def test_what_is_lacking_is_asked_once(start: Start, opened: Opened, tmp_path: Path) -> None:
    def less(scenario: dict[str, Any]) -> None:
        scenario["vcenters"][0]["lacks"] = ["VirtualMachine.Inventory.Unregister"]

    lab = start(changed(METADATA, less, tmp_path))
    sites = opened(lab)
    assert ("tokyo6", "VirtualMachine.Inventory.Unregister") in view(sites, "source").lacking
    assert view(sites, "target").lacking == ()
    assert calls(lab, "source")["HasPrivilegeOnEntities"] == 1


def test_many_vms_cost_no_more_calls_than_few(start: Start, opened: Opened, tmp_path: Path) -> None:
    def many(scenario: dict[str, Any]) -> None:
        model = {**scenario["vms"][0], "snapshots": []}
        scenario["vms"] = [{**model, "name": f"many{number:03}", "power": "off"} for number in range(500)]

    few, lots = start(SMALL), start(changed(SMALL, many, tmp_path))
    cost = []
    for lab, name in ((few, "app01"), (lots, "many499")):
        sites = opened(lab)
        assert vm(sites, name).metadata == Metadata()
        found = calls(lab, "source")
        assert found.pop("WaitForUpdatesEx") <= 20  # the site comes in pages
        cost.append(found)
    assert cost[0] == cost[1]


def test_how_a_site_is_kept(start: Start, opened: Opened, tmp_path: Path) -> None:
    def kept(scenario: dict[str, Any]) -> None:
        scenario["vcenters"][0]["clockSkew"] = "90s"
        one, two = scenario["vcenters"][0]["hosts"]
        one |= {
            "clockSkew": "3m",
            "ntp": ["ntp1.lab"],
            "license": {"name": "Trial", "evaluation": True, "expires": "240h"},
        }
        two |= {
            "ntp": ["ntp1.lab"],
            "ntpStopped": True,
            "license": {"name": "Standard", "features": ["vmotion", "das"]},
        }

    lab = start(changed(SMALL, kept, tmp_path))
    source = view(opened(lab), "source")
    one, two = source.hosts
    assert one.ahead is not None
    assert two.ahead is not None
    assert one.ahead == pytest.approx(180, abs=5)
    assert two.ahead == pytest.approx(0, abs=5)
    assert (one.timed, two.timed) == (True, False)
    assert one.license is not None
    assert two.license is not None
    assert one.license.left == pytest.approx(240 * 3600, abs=60)
    assert (one.license.evaluation, two.license.evaluation, two.license.left) == (True, False, None)
    assert two.license.features == {"vmotion", "das"}
    assert source.license is not None
    assert source.license.left is None
    made = calls(lab, "source")
    assert (made["QueryDateTime"], made["QueryAssignedLicenses"]) == (2, 1)
    assert lab.writes == 0


# --- metadata ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def known(start: Start) -> Lab:
    return start(METADATA)


def test_everything_that_only_the_vcenter_knows(known: Lab, opened: Opened) -> None:
    sites = opened(known)
    uuid = {name: vm(sites, name).instance_uuid for name in ("app01", "app02", "db01")}

    def members(*names: str) -> tuple[tuple[str, str], ...]:
        return tuple(sorted((uuid[name], name) for name in names))

    together = Rule("app-together", "affinity", members("app01", "app02"))
    apart = Rule("app-not-with-db", "antiAffinity", members("app01", "db01"))
    bound = Rule("app-on-licensed", "vmHost", vm_group="app-vms", host_group="licensed-hosts")
    found = vm(sites, "app01")
    assert found.metadata == Metadata(
        tags=frozenset({Tag("tier", "gold"), Tag("backup", "daily")}),
        permissions=frozenset(
            {Permission(r"LAB\sato", False, "vm-operator"), Permission(r"LAB\dba", True, "ReadOnly", propagate=False)}
        ),
        rules=frozenset({together, apart, bound}),
        groups=frozenset({"app-vms"}),
        overrides=Overrides("high", "none", "manual", "true"),
    )
    assert found.pools == (
        Pool("production", Allocation("high", 8000), Allocation("high", 65536)),
        Pool("production/databases", Allocation("6000", 4000, 24000, False), Allocation("low", 16384, 131072, False)),
    )
    assert vm(sites, "db01").metadata == Metadata(rules=frozenset({apart}))
    assert view(sites, "source").tagging
    assert "vm-operator" in view(sites, "source").roles
    assert known.writes == 0


def test_tags_are_read_once_and_known_again_after_attaching(known: Lab, opened: Opened) -> None:
    sites = opened(known)
    site = sites.site("source")
    before = vm(sites, "app02").metadata.tags
    logins = calls(known, "source")["POST /rest/com/vmware/cis/session"]
    vm(sites, "db01")
    assert calls(known, "source")["POST /rest/com/vmware/cis/session"] == logins == 1
    added = {Tag("backup", "daily"), Tag("room", "4 north"), Tag("backup", "never")}
    (record,) = site.inventory().matching(Identity("app02"))
    ref = cast("vim.VirtualMachine", record.ref)
    assert tagging.attach(site, ref, added) == ()
    assert vm(sites, "app02").metadata.tags == before | added
    assert set(known.get("/state")["vcenters"]["source"]["vms"]["app02"]["tags"]) == {
        str(tag) for tag in before | added
    }
    assert calls(known, "source")["DELETE /rest/com/vmware/cis/session"] == 2  # each session is logged out
    sites.close()
    assert vm(opened(known), "app02").metadata.tags == before | added


def test_a_tag_that_is_given_during_the_run_comes_into_the_papers(known: Lab, opened: Opened) -> None:
    sites = opened(known)
    before = vm(sites, "app02")
    other = opened(known).site("source")
    (record,) = other.inventory().matching(Identity("app02"))
    assert tagging.attach(other, cast("vim.VirtualMachine", record.ref), [Tag("room", "4")]) == ()
    with pytest.raises(Stale, match="tags"):
        sites.perform(before, WritePapers(papers(before)), Placed(), lambda *_: None)
    now = vm(sites, "app02")
    assert now.metadata.tags == before.metadata.tags | {Tag("room", "4")}
    assert sites.perform(now, WritePapers(papers(now)), Placed(), lambda *_: None)
    assert vm(sites, "app02").papers == papers(now)


def test_a_category_that_takes_one_tag_keeps_it(known: Lab, opened: Opened) -> None:
    sites = opened(known)
    site = sites.site("source")
    (record,) = site.inventory().matching(Identity("app02"))
    undone = tagging.attach(site, cast("vim.VirtualMachine", record.ref), [Tag("tier", "gold"), Tag("backup", "daily")])
    assert [one.partition(":")[0] for one in undone] == ["tag tier/gold"]
    assert Tag("tier", "silver") in vm(sites, "app02").metadata.tags


@pytest.mark.parametrize("action", ["http503", "drop"])
def test_a_site_whose_tags_cannot_be_read_is_read_all_the_same(
    known: Lab, opened: Opened, action: str, caplog: pytest.LogCaptureFixture
) -> None:
    method = "POST /rest/com/vmware/cis/session"
    known.post("/faults", {"vcenter": "source", "method": method, "action": action, "count": 1})
    sites = opened(known)
    assert not view(sites, "source").tagging
    assert vm(sites, "app01").metadata.tags == frozenset()
    assert vm(sites, "app01").metadata.groups == {"app-vms"}
    assert "tags cannot be read" in caplog.text

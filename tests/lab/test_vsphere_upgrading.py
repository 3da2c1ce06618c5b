"""One host's upgrade over SOAP against the lab: what is read, what is done, and what the host or vCenter refuse."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyVmomi import vim

from migration.errors import Blocked, MigrationError, Unexpected
from migration.upgrade import Enter, Leave, Mark, Move
from migration.upgrade_fleet import Connection, Wanted
from migration.upgrade_host import Clock, Limits, upgrade
from migration.upgrade_proof import concerns
from tools.parts import ROOT
from tools.running_lab import Lab
from vsphere import esxcli, upgrading
from vsphere.session import close
from vsphere.site import Site
from vsphere.tls import Endpoint
from vsphere.upgrading import UpgradedCluster
from vsphere.watch import News

ROLLING = ROOT / "lab" / "scenarios" / "lab-rolling.yaml"
WANTED = Wanted("7.0.3", 21930508)
DEPOT = "[iso] esxi/VMware-ESXi-7.0U3n-21930508-depot.zip"
PROFILE = "ESXi-7.0U3n-21930508-standard"
ONE, TWO = "esx1.lab", "esx2.lab"
Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def started(start: Callable[[Path], Lab], tmp_path: Path) -> Callable[..., Any]:
    """Starts the rolling lab, faster and with fewer VMs, changed as a test needs it; gives the lab and its site."""

    @contextmanager
    def starting(change: Change = lambda _: None) -> Iterator[tuple[Lab, Site]]:
        scenario = yaml.safe_load(ROLLING.read_text(encoding="utf-8"))
        scenario["timescale"] = 240
        scenario["vms"] = [vm for vm in scenario["vms"] if vm["name"][-2:] in ("01", "02", "03", "04")]
        change(scenario)
        file = tmp_path / "rolling.yaml"
        file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
        lab = start(file)
        one = lab.endpoints["vcenters"]["site"]
        endpoint = Endpoint("site", one["host"], one["username"], one["password"], one["thumbprint"], "")
        site = Site(endpoint, News(), threading.Event())
        try:
            yield lab, site
            assert lab.get("/violations") == []
            vms = lab.get("/state")["vcenters"]["site"]["vms"].values()
            assert {vm["clock"]["downSeconds"] for vm in vms if not vm["name"].startswith("vCLS")} == {0}
        finally:
            site.watch.end()
            close(endpoint)

    return starting


def clustered(site: Site) -> UpgradedCluster:
    return UpgradedCluster(site, "osaka", "prod", lambda name: upgrading.profile_update(site, name, DEPOT, PROFILE))


def going(site: Site, name: str = ONE, **limits: float) -> list[str]:
    clock = Clock(time.monotonic, lambda seconds: time.sleep(min(seconds, 0.5)))
    taken: list[str] = []
    upgrade(name, WANTED, clustered(site), Limits(**limits), clock, lambda *_: None, taken)
    return taken


def host(lab: Lab, name: str = ONE) -> dict[str, Any]:
    return next(one for one in lab.get("/state")["vcenters"]["site"]["hosts"] if one["name"] == name)


def test_to_look_changes_nothing_and_a_host_is_upgraded_with_nothing_left_behind(started: Callable[..., Any]) -> None:
    with started() as (lab, site):
        fleet = clustered(site).look()
        assert {one.name: (str(one), one.ours, one.out) for one in fleet.members}[ONE] == (
            "ESXi 6.7.0 build 17499825",
            False,
            False,
        )
        assert fleet.drs == "fullyAutomated"
        assert fleet.reserve == pytest.approx((1 / 3, 1 / 3)), "one of the three that are left then"
        assert fleet.vcenter == "7.0.3"
        assert [one for one in concerns(ONE, WANTED, fleet) if one.id != "upgrade.drs-manual"] == []
        assert PROFILE in upgrading.profiles(site, ONE, DEPOT)
        assert lab.writes == 0
        said = going(site)
        assert said[1] == f"put {ONE} into maintenance mode"
        assert host(lab)["version"] == "7.0.3"
        assert not host(lab)["maintenance"]
        writes = lab.writes
        assert going(site) == []
        assert lab.writes == writes, "settled stays settled"


def test_the_first_of_two_steps_from_6_0_under_a_vcenter_6_7(started: Callable[..., Any]) -> None:
    def older(scenario: dict[str, Any]) -> None:
        scenario["vcenters"][0] |= {"version": "6.7.0", "build": "17713310", "api": "6.7.3"}
        for one in scenario["vcenters"][0]["hosts"]:
            one |= {"version": "6.0.0", "build": "3029758"}
        for lun in scenario["arrays"][0]["luns"]:
            lun["vmfs"]["version"] = 5
        for vm in scenario["vms"]:
            vm["hardware"] = 11
        scenario["depots"][0]["profiles"][0] |= {"version": "6.7.0", "build": "17499825"}

    with started(older) as (lab, site):
        fleet = clustered(site).look()
        found = {one.id: one.sentence for one in concerns(ONE, WANTED, fleet)}
        assert "it takes two: to 6.5 or 6.7" in found["upgrade.path"]
        assert "older than ESXi 7.0.3" in found["upgrade.vcenter"]
        first = Wanted("6.7.0", 17499825)
        assert concerns(ONE, first, fleet) == ()
        clock = Clock(time.monotonic, lambda seconds: time.sleep(min(seconds, 0.5)))
        member = upgrade(ONE, first, clustered(site), Limits(), clock, lambda *_: None, [])
        assert str(member) == "ESXi 6.7.0 build 17499825"
        assert {one["version"] for one in lab.get("/state")["vcenters"]["site"]["hosts"]} == {"6.7.0", "6.0.0"}


def test_vspheres_own_vms_are_left_to_vsphere(started: Callable[..., Any]) -> None:
    def services(scenario: dict[str, Any]) -> None:
        scenario["vcenters"][0]["datacenters"][0]["clusters"][0]["drs"] = {"enabled": True, "automation": "manual"}
        scenario["vcenters"][0]["hosts"][0]["localDatastore"] = {"name": "esx1-local", "size": 100}
        one = {**scenario["vms"][0], "name": "vCLS-1", "agent": True, "memory": 1}
        one |= {"host": ONE, "disks": [{"datastore": "esx1-local", "size": 2, "used": 1}], "cdrom": "host"}
        scenario["vms"].append(one)

    with started(services) as (lab, site):
        fleet = clustered(site).look()
        assert "vCLS-1" not in {vm.name for vm in fleet.vms}
        assert [one.id for one in concerns(ONE, WANTED, fleet)] == ["upgrade.drs-manual"]
        assert not any("vCLS-1" in one for one in going(site))
        vms = lab.get("/state")["vcenters"]["site"]["vms"]
        until = time.monotonic() + 20
        while vms["vCLS-1"]["power"] != "poweredOn" and time.monotonic() < until:
            time.sleep(0.2)
            vms = lab.get("/state")["vcenters"]["site"]["vms"]
        assert (vms["vCLS-1"]["power"], vms["vCLS-1"]["host"]) == ("poweredOn", ONE)


def test_with_drs_manual_the_vms_are_moved_one_by_one(started: Callable[..., Any]) -> None:
    def manual(scenario: dict[str, Any]) -> None:
        scenario["vcenters"][0]["datacenters"][0]["clusters"][0]["drs"] = {"enabled": True, "automation": "manual"}

    with started(manual) as (lab, site):
        on = [vm.name for vm in clustered(site).look().on(ONE)]
        said = going(site)
        assert [one for one in said if one.startswith("vMotion of")] == said[1 : 1 + len(on)]
        assert host(lab)["version"] == "7.0.3"


def test_what_a_host_refuses_is_said_and_it_goes_on_there(started: Callable[..., Any]) -> None:
    def refusing(scenario: dict[str, Any]) -> None:
        scenario["depots"][0]["profiles"][0]["refusedBy"] = [ONE]
        scenario["depots"][0]["profiles"][0]["revertedBy"] = [TWO]

    with started(refusing) as (lab, site):
        with pytest.raises(Blocked, match=r"DependencyError.*VIB.*\[upgrade.install-failed\]"):
            going(site)
        assert host(lab)["maintenance"]
        with pytest.raises(Blocked, match=r"is in maintenance mode.*\[upgrade.host-out\]"):
            going(site, TWO)
        with pytest.raises(Blocked, match="DependencyError"):
            going(site)
        clustered(site).perform(ONE, Leave(), Limits(), lambda *_: None)
        clustered(site).perform(ONE, Mark(on=False), Limits(), lambda *_: None)
        with pytest.raises(Blocked, match=r"runs ESXi 6.7.0 .*\[upgrade.reverted\]"):
            going(site, TWO)
        assert host(lab, TWO)["maintenance"]


def test_a_run_that_died_after_the_installation_is_continued_with_the_restart(started: Callable[..., Any]) -> None:
    with started() as (lab, site):
        cluster = clustered(site)
        for step in (Mark(), Enter()):
            cluster.perform(ONE, step, Limits(), lambda *_: None)
        upgrading.profile_update(site, ONE, DEPOT, PROFILE)
        member = cluster.look(ONE).member(ONE)
        assert member
        assert member.ours
        assert member.next_image == PROFILE
        assert going(site)[0] == f"restart {ONE}"
        assert host(lab)["version"] == "7.0.3"


def test_calls_that_fail_at_random_delay_it_and_break_nothing(started: Callable[..., Any]) -> None:
    with started() as (lab, site):
        lab.post("/noise", {"seed": 7, "perMinute": 30, "seconds": 0})
        for _ in range(20):  # as an operator would: run it again
            with contextlib.suppress(MigrationError):
                going(site)
                break
        lab.delete("/faults")
        going(site)
        assert host(lab)["version"] == "7.0.3"
        assert not host(lab)["maintenance"]
        member = clustered(site).look().member(ONE)
        assert member
        assert not member.ours


def test_an_answer_that_is_lost_does_not_install_twice(started: Callable[..., Any]) -> None:
    with started() as (lab, site):
        rule = {
            "method": "ExecuteSoap",
            "object": ONE,
            "skip": 1,
            "count": 1,
            "action": "dropAfter",
        }  # after the first look
        lab.post("/faults", rule)
        assert [one for one in going(site) if one.startswith("install")] == []
        assert lab.get("/counters")["calls"]["site"]["ExecuteSoap vim.EsxCLI.software.profile.update"] == 1
        assert host(lab)["version"] == "7.0.3"


def test_a_host_in_maintenance_mode_that_is_not_ours_stops_it(started: Callable[..., Any]) -> None:
    with started() as (lab, site):
        cluster = clustered(site)
        cluster.perform(TWO, Enter(), Limits(), lambda *_: None)
        writes = lab.writes
        with pytest.raises(Blocked, match=rf"{TWO}.*not by an upgrade of ours \[upgrade.host-out\]"):
            going(site, TWO)
        with pytest.raises(Blocked, match=rf"{TWO} is in maintenance mode: {ONE} is not taken out beside"):
            going(site, ONE)
        assert lab.writes == writes
        member = cluster.look().member(TWO)
        assert member
        assert member.maintenance
        assert member.connection is Connection.CONNECTED


def test_a_vm_that_is_pinned_meanwhile_keeps_the_host_in_service(started: Callable[..., Any]) -> None:
    def stuck(scenario: dict[str, Any]) -> None:
        one = next(vm for vm in scenario["vms"] if vm["host"] == ONE)
        one["cdrom"] = "host"

    with started(stuck) as (lab, site):
        fleet = clustered(site).look()
        assert "upgrade.vm-device" in {one.id for one in concerns(ONE, WANTED, fleet)}
        with pytest.raises(MigrationError, match=r"there is still on it: \w+ \[upgrade.overdue\]"):
            clustered(site).perform(ONE, Enter(), Limits(empty=1.0), lambda *_: None)
        assert not host(lab)["maintenance"]


def test_no_depot_and_no_profile(started: Callable[..., Any]) -> None:
    with started() as (lab, site):
        with pytest.raises(Blocked, match=r"MetadataDownloadError.*\[upgrade.depot\]"):
            upgrading.profiles(site, ONE, "[iso] nowhere.zip")
        clustered(site).perform(ONE, Enter(), Limits(), lambda *_: None)
        with pytest.raises(Blocked, match="NoMatchError"):
            upgrading.profile_update(site, ONE, DEPOT, "none")
        assert host(lab)["version"] == "6.7.0"


def test_no_other_command_is_run_on_a_host(started: Callable[..., Any]) -> None:
    with started() as (lab, site):
        ref = site.inventory().named(vim.HostSystem, ONE)
        assert ref
        writes = lab.writes
        for command in ("storage filesystem unmount", "system maintenanceMode set", "software profile install"):
            with pytest.raises(Unexpected, match="never calls it"):
                esxcli.run(site, ref.ref, ONE, command, {}, reads=False)
        assert lab.writes == writes


def test_a_move_is_one_vmotion(started: Callable[..., Any]) -> None:
    with started() as (lab, site):
        vm = next(clustered(site).look().on(ONE))
        clustered(site).perform(ONE, Move(vm, TWO), Limits(), lambda *_: None)
        assert lab.get("/state")["vcenters"]["site"]["vms"][vm.name]["host"] == TWO

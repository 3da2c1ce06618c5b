"""The steps that are not about a VM: the old volumes on the new hosts, EVC, and what exists already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from migration.errors import Blocked, Stale
from migration.evc import Server, against, choose
from migration.new_site import Stands
from migration.wanted import Identity
from tests.lab.conftest import SMALL, endpoints
from tools.running_lab import Lab
from vsphere import evc, site_storage
from vsphere.existing import There, existing
from vsphere.joining import refusals
from vsphere.session import session
from vsphere.site import Site
from vsphere.site_storage import OldVolume, State
from vsphere.sites import VSphereSites

pytestmark = pytest.mark.lab

Opened = Callable[..., VSphereSites]
HOSTS = ["esx70-1.lab", "esx70-2.lab"]


def volumes(source: Site, *names: str) -> list[OldVolume]:
    found = site_storage.old_volumes(source, names)
    return [volume for volume in found.values() if volume]


def test_the_old_datastores_by_name_with_uuid_device_and_version(built: Lab, opened: Opened) -> None:
    found = site_storage.old_volumes(opened(built).site("source"), ["old-a", "no-such"])
    assert found["no-such"] is None
    volume = found["old-a"]
    assert volume is not None
    assert volume.devices == ("naa.60060160a1b02e00000000000000a001",)
    assert volume.version.startswith("5")
    assert volume.id == f"vmfs:{volume.uuid}"
    assert built.writes == 0


def test_presented_luns_are_mounted_by_a_rescan(built: Lab, opened: Opened) -> None:
    sites = opened(built)
    target = sites.site("target")
    old = volumes(sites.site("source"), "old-a", "old-b")
    before = {mount.state for mount in site_storage.mounts(target, HOSTS, old)}
    assert before <= {State.NOT_PRESENTED, State.NOT_SCANNED, State.MOUNTED}
    assert built.writes == 0
    for host in HOSTS:
        site_storage.rescan(target, host)
    now = site_storage.mounts(target, HOSTS, old)
    assert [(mount.host, mount.volume.name, mount.state) for mount in now] == [
        (host, volume.name, State.MOUNTED) for host in HOSTS for volume in old
    ]
    view = sites.observe(Identity("app01"))[0].sites["target"]
    assert {view.volume_id("old-a"), view.volume_id("old-b")} == {volume.id for volume in old}
    writes = built.writes
    site_storage.mounts(target, HOSTS, old)
    assert built.writes == writes


def test_a_volume_that_no_device_carries_says_so(built: Lab, opened: Opened) -> None:
    target = opened(built).site("target")
    ghost = OldVolume("ghost", "vmfs:0-0-0-0", ("naa.404",), "5.61")
    (mount,) = site_storage.mounts(target, HOSTS[:1], [ghost])
    assert mount.state is State.NOT_PRESENTED
    assert "naa.404" in mount.concern().sentence


def test_a_host_that_is_not_there(built: Lab, opened: Opened) -> None:
    with pytest.raises(Stale, match=r"no host esx99\.lab"):
        site_storage.rescan(opened(built).site("target"), "esx99.lab")


def test_evc_from_off_to_the_highest_common_mode(built: Lab, opened: Opened) -> None:
    site = opened(built).site("target")
    found = evc.read(site, "prod7")
    assert found.current == ""
    assert found.hosts == tuple(Server(host, "intel-cascadelake") for host in HOSTS)
    mode = choose(found, "auto").key
    assert mode == "intel-cascadelake"
    assert against(found, mode) == ()
    assert evc.check(site, "prod7", mode) == ()
    assert built.writes == 0, "reading, choosing and the dry run change nothing"
    evc.configure(site, "prod7", mode)
    assert evc.read(site, "prod7").current == mode


def test_evc_refused_names_the_hosts(built: Lab, opened: Opened) -> None:
    site = opened(built).site("source")
    found = evc.read(site, "prod6")
    assert found.current == "intel-ivybridge"
    newer = next(mode.key for mode in reversed(found.modes) if mode.key.startswith("intel"))
    foreseen = against(found, newer)
    concerns = evc.check(site, "prod6", newer)
    assert foreseen[0].id == "evc.host-cannot"
    assert concerns
    assert "esx60-1.lab" in foreseen[0].sentence
    assert "esx60-1.lab" in concerns[0].sentence
    with pytest.raises(Blocked):
        evc.read(site, "nowhere")


def test_lowering_is_foreseen_as_vcenter_refuses_it(built: Lab, opened: Opened) -> None:
    site = opened(built).site("source")
    found = evc.read(site, "prod6")
    foreseen = against(found, "intel-sandybridge")
    assert [concern.id for concern in foreseen] == ["evc.vms-above"]
    running = {
        name for name, vm in built.get("/state")["vcenters"]["source"]["vms"].items() if vm["power"] != "poweredOff"
    }
    assert running
    assert {guest.name for guest in found.guests} == running
    (refused,) = evc.check(site, "prod6", "intel-sandybridge")
    assert "ActiveVMsBlockingEVC" in refused.sentence
    assert "power off" in refused.remedy
    with pytest.raises(Blocked, match="ActiveVMsBlockingEVC"):
        evc.configure(site, "prod6", "intel-sandybridge")
    assert evc.read(site, "prod6").current == "intel-ivybridge"


def test_a_vm_in_no_evc_cluster_needs_what_its_host_has(
    start: Callable[[Path], Lab], opened: Opened, tmp_path: Path
) -> None:
    scenario = yaml.safe_load(SMALL.read_text(encoding="utf-8"))
    del scenario["vcenters"][0]["datacenters"][0]["clusters"][0]["evc"]
    file = tmp_path / "no-evc.yaml"
    file.write_text(yaml.safe_dump(scenario, allow_unicode=True), encoding="utf-8")
    sites = opened(start(file))
    vm = sites.observe(Identity("app01"))[0].vm
    assert vm is not None
    assert vm.evc == "intel-ivybridge"
    found = evc.read(sites.site("source"), "prod6")
    assert found.current == ""
    assert {guest.needs for guest in found.guests} == {"intel-ivybridge"}
    foreseen = against(found, "intel-sandybridge")
    assert [concern.id for concern in foreseen] == ["evc.vms-may-be-above"], (
        "vCenter does not say, so it is asked before"
    )
    assert "app01 (intel-ivybridge)" in foreseen[0].sentence
    assert "ActiveVMsBlockingEVC" in evc.check(sites.site("source"), "prod6", "intel-sandybridge")[0].sentence


def test_what_exists_at_an_empty_and_at_a_built_site(lab: Lab, built: Lab) -> None:
    nothing = existing(endpoints(lab)["target"])
    own = ("host switch", "host network", "vMotion adapter")
    kinds = ("datacenter", "cluster", "host", "switch", "network", "datastore", "datastore cluster", *own)
    assert nothing == {kind: {} for kind in kinds}
    found = existing(endpoints(built)["target"])
    assert set(found["datacenter"]) == {"tokyo7"}
    assert set(found["cluster"]) == {"prod7"}
    assert set(found["host"]) == set(HOSTS)
    assert "gold7-01" in found["datastore"]
    assert found["cluster"]["prod7"].startswith("domain-c")
    assert set(found["host switch"]) == {f"{host} vSwitch0" for host in HOSTS}
    assert {f"{host} pg-prod" for host in HOSTS} <= set(found["host network"])
    assert len(found["vMotion adapter"]) == 2, (
        "of hosts that are there when the lab starts the first adapter carries it"
    )
    assert lab.writes == built.writes == 0


def test_what_another_datacenter_has_is_not_ours_to_adopt(built: Lab) -> None:
    endpoint = endpoints(built)["target"]
    there = There(endpoint)
    assert set(there.ids("tokyo7")["cluster"]) == {"prod7"}
    other = there.ids("osaka7")
    assert {kind for kind, names in other.items() if names} == {
        *("datacenter", "host", "datastore", "host switch", "host network", "vMotion adapter")
    }
    assert there.hosts() == dict.fromkeys(HOSTS, Stands("prod7", "tokyo7", str(endpoint)))


def test_the_vlans_of_networks_that_exist(start: Callable[[Path], Lab], tmp_path: Path) -> None:
    scenario = yaml.safe_load(SMALL.read_text(encoding="utf-8"))
    scenario["vcenters"][1]["datacenters"] = [
        {
            "name": "tokyo7",
            "clusters": [{"name": "prod7", "hosts": HOSTS}],
            "switches": [{"name": "dvs7", "version": "7.0.3"}],
            "networks": [{"name": "pg-prod", "vlan": 20, "switch": "dvs7"}, {"name": "pg-dmz", "vlan": 30}],
        }
    ]
    file = tmp_path / "vlans.yaml"
    file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    there = There(endpoints(start(file))["target"])
    found = there.vlans("tokyo7")
    assert found["network"] == {"pg-prod": 20}
    assert there.vlans("osaka7")["network"] == {}
    assert {name: found["host network"][f"{HOSTS[0]} {name}"] for name in ("pg-dmz", "Management Network")} == {
        "pg-dmz": 30,
        "Management Network": 0,
    }
    (uuid,) = there.ids("tokyo7")["switch"].values()
    assert there.members(uuid) == set(HOSTS)


def test_why_a_host_would_not_join(start: Callable[[Path], Lab], tmp_path: Path) -> None:
    scenario = yaml.safe_load(SMALL.read_text(encoding="utf-8"))
    source, target = scenario["vcenters"]
    source |= {"version": "6.7.0", "api": "6.7"}
    for host in source["hosts"]:
        host["version"] = "6.7.0"
    target["datacenters"] = [{"name": "tokyo7"}]
    target["hosts"].append({**target["hosts"][0], "name": "esx60-9.lab", "version": "6.0.0"})
    file = tmp_path / "joining.yaml"
    file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    lab = start(file)
    endpoint = endpoints(lab)["target"]
    datacenter = There(endpoint).datacenter("tokyo7")
    assert datacenter is not None
    assert There(endpoint).datacenter("osaka7") is None
    pins = {name: str(host["thumbprint"]) for name, host in lab.endpoints["hosts"].items()}
    good = [(name, pins[name]) for name in HOSTS]
    new, old = (vcenter["hosts"][0]["password"] for vcenter in (target, source))

    def ids(hosts: list[tuple[str, str]], password: str = new) -> list[tuple[str, str]]:
        found = refusals(session(endpoint), datacenter, hosts, "root", password)
        return [(concern.id, concern.subject) for concern in found]

    assert ids(good) == []
    assert ids([]) == []
    assert ids([(HOSTS[0], pins[HOSTS[1]]), good[1]]) == [("host.thumbprint", HOSTS[0])]
    assert ids(good, "guess") == [("host.password", name) for name in HOSTS]
    assert ids([("esx99.lab", pins[HOSTS[0]])]) == [("host.not-joining", "esx99.lab")]
    assert ids([("esx60-9.lab", pins["esx60-9.lab"])]) == [("host.not-joining", "esx60-9.lab")]
    elsewhere = ("esx60-1.lab", pins["esx60-1.lab"])
    assert ids([elsewhere], old) == [("host.in-another-vcenter", "esx60-1.lab")]
    assert lab.writes == 0

"""The parts of the target site with the real engine against the lab: adopted, mounted, refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from tests.engine.conftest import REPOSITORY
from tests.engine.site_project import Site, site_config
from tools.running_lab import Lab, running_lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.engine

SCENARIO = REPOSITORY / "tests" / "scenarios" / "small.yaml"
OLD_DISK = "naa.60060160a1b02e00000000000000a001"


@pytest.fixture
def lab() -> Iterator[Lab]:
    with running_lab(SCENARIO, any_port=True) as running:
        yield running
        assert running.get("/violations") == []


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Site:
    return Site(tmp_path / "clone", site_config(lab, {}))


def test_a_lost_state_makes_nothing_twice(lab: Lab, site: Site, tmp_path: Path) -> None:
    site.up()
    writes = lab.writes
    assert writes > 0
    clone = Site(tmp_path / "clone without state", site.config)
    clone.up()
    assert lab.writes == writes
    assert set(clone.outputs()["adopted"]) == {
        "datacenter tokyo7",
        "cluster prod7",
        "host esx70-1.lab",
        "host esx70-2.lab",
        "switch dvs-prod7",
        "network pg-prod",
        "network pg-dmz",
        "datastore gold7-01",
    }
    assert "unchanged" in clone.up()
    assert lab.writes == writes


def test_the_site_is_built_once_and_then_left_alone(lab: Lab, site: Site) -> None:
    site.preview()
    assert lab.writes == 0
    site.up()
    writes = lab.writes
    said = site.up()
    assert not any(word in said for word in ("created", "updated", "replaced")), said
    assert lab.writes == writes
    assert lab.get("/counters")["calls"]["target"]["RescanAllHba"] == 2, "each new host once, and never again"


def test_evc_is_the_highest_that_all_hosts_have(site: Site) -> None:
    assert "EVC auto: settled once the hosts have joined prod7" in site.preview()
    site.up()
    (state,) = (resource["outputs"] for name, resource in site.project.resources().items() if name == "evc")
    assert state["inForce"] == "intel-cascadelake"
    assert state["because"].startswith("the highest that all 2 new hosts have; no VM may go live between the sites")
    assert [(entry["method"], entry["object"], entry["ended"]) for entry in state["audit"]] == [
        ("ConfigureEvcMode_Task", "prod7", "ok")
    ]


def test_what_was_done_to_the_hosts_is_on_record_and_stays_there(lab: Lab, site: Site) -> None:
    lab.post("/faults", {"method": "RescanVmfs", "action": "fault", "fault": "HostConfigFault", "count": 1})
    site.up(succeeds=False)
    (first,) = (one["outputs"]["audit"] for name, one in site.project.resources().items() if name == "new datastores")
    assert "HostConfigFault" in {entry["ended"] for entry in first if entry["method"] == "RescanVmfs"}
    site.up()
    (second,) = (one["outputs"]["audit"] for name, one in site.project.resources().items() if name == "new datastores")
    assert second[: len(first)] == first
    seen = lab.get("/counters")["writes"]["vcenters"]["target"]
    done = [entry for entry in second if entry["method"] in ("RescanAllHba", "RescanVmfs")]
    assert len(done) == seen["RescanAllHba"] + seen["RescanVmfs"]
    assert {entry["object"] for entry in done} == {"esx70-1.lab", "esx70-2.lab"}


def test_an_evc_mode_beyond_the_hosts_is_refused_with_their_names(lab: Lab, site: Site) -> None:
    site.config["esxodus:target"]["cluster"]["evc"] = "intel-icelake"
    said = site.up(succeeds=False)
    assert "[evc.host-cannot]" in said
    assert "esx70-1.lab (at most intel-cascadelake)" in said
    assert "Traceback" not in said
    assert lab.get("/counters")["calls"]["target"].get("ConfigureEvcMode_Task", 0) == 0


def test_an_unresolved_volume_stops_with_its_device_and_reason(tmp_path: Path) -> None:
    held = tmp_path / "held.yaml"
    text = SCENARIO.read_text(encoding="utf-8")
    held.write_text(
        text.replace("vmfs: {name: old-a, version: 5}", "vmfs: {name: old-a, version: 5}, unresolved: [esx70-2.lab]"),
        encoding="utf-8",
    )
    with running_lab(held, any_port=True) as lab:
        said = Site(tmp_path / "clone", site_config(lab, {"app01": "migrated"})).up(succeeds=False)
        assert "[volume.unresolved]" in said
        assert OLD_DISK in said
        assert "esx70-2.lab" in said
        assert "Traceback" not in said
        assert lab.get("/counters")["calls"]["source"].get("UnregisterVM", 0) == 0, "no VM was touched"
        assert lab.get("/violations") == []


def test_presented_to_two_of_three_hosts_is_warned_of_and_settles(tmp_path: Path) -> None:
    scenario = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))
    hosts = scenario["vcenters"][1]["hosts"]
    hosts.append({**hosts[0], "name": "esx70-3.lab"})
    scenario["fabric"]["presentation"][1]["hosts"].append("esx70-3.lab")
    file = tmp_path / "three.yaml"
    file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    with running_lab(file, any_port=True) as lab:
        site = Site(tmp_path / "clone", site_config(lab, {"app01": "migrated"}))
        said = site.up()
        assert "old-a: esx70-3.lab lacks it; VMs on it can still run on esx70-1.lab, esx70-2.lab" in said
        assert "[volume.not-on-every-host]" in said
        assert site.told("app01")["reached"] == "migrated"
        writes = lab.writes
        site.up()
        assert lab.writes == writes, "settled stays settled"
        assert "[volume.not-on-every-host]" in site.preview()
        assert lab.get("/violations") == []


def test_a_disk_of_the_old_array_is_never_formatted(lab: Lab, site: Site) -> None:
    site.config["esxodus:target"]["datastores"][0]["disk"] = OLD_DISK
    said = site.up(succeeds=False)
    assert f"esxodus:target.datastores[0].disk: {OLD_DISK} holds datastore old-a" in said
    assert lab.writes == 0


def test_an_old_datastore_that_the_source_lacks_fails_the_preview(lab: Lab, site: Site) -> None:
    site.config["esxodus:oldDatastores"] = ["old-a", "old-z"]
    said = site.preview(succeeds=False)
    assert "old-z: source vCenter" in said
    assert "[datastore.not-at-source]" in said
    assert "Nothing has been changed" in said
    assert lab.writes == 0

"""EVC where VMs go live: what both sites share, drift, and who stands against lowering it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.engine.conftest import REPOSITORY
from tests.engine.site_project import Site, site_config
from tests.lab.conftest import endpoints
from tools.running_lab import Lab, running_lab
from vsphere import evc
from vsphere.sites import VSphereSites

pytestmark = pytest.mark.engine

SCENARIO = REPOSITORY / "tests" / "scenarios" / "small.yaml"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """The small site as 6.7: its VMs may go live."""
    scenario = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))
    source = scenario["vcenters"][0]
    source |= {"version": "6.7.0", "api": "6.7", "build": "14367737"}
    for host in source["hosts"]:
        host |= {"version": "6.7.0", "vmotion": True}
    for host in scenario["vcenters"][1]["hosts"]:
        host["vmotion"] = True
    file = tmp_path / "live.yaml"
    file.write_text(yaml.safe_dump(scenario, allow_unicode=True), encoding="utf-8")
    with running_lab(file, any_port=True) as running:
        yield running
        assert running.get("/violations") == []


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Site:
    one = Site(tmp_path / "clone", site_config(lab, {"app01": "migrated", "off01": "source"}))
    one.config["esxodus:waves"][0]["method"] = "auto"
    return one


def evc_of(site: Site) -> dict[str, Any]:
    outputs: dict[str, Any] = site.project.resources()["evc"]["outputs"]
    return outputs


def somebody_sets(lab: Lab, mode: str) -> None:
    """Change the mode as a person does in vCenter."""
    sites = VSphereSites(endpoints(lab))
    try:
        evc.configure(sites.site("target"), "prod7", mode)
    finally:
        sites.close()


def configured(lab: Lab) -> int:
    return int(lab.get("/counters")["calls"]["target"].get("ConfigureEvcMode_Task", 0))


def test_what_goes_live_gets_what_both_sites_share_and_drift_heals(lab: Lab, site: Site) -> None:
    assert "EVC auto: settled once the hosts have joined prod7" in site.preview()
    assert lab.writes == 0
    site.up()
    state = evc_of(site)
    assert state["inForce"] == "intel-ivybridge"
    assert state["because"] == (
        "the highest that the 2 new hosts and the old cluster prod6 share, because 2 VMs may go live there and back; the new "
        "hosts alone would have intel-cascadelake"
    )
    assert not site.told("app01").get("downtimeSeconds")
    writes = lab.writes
    assert "EVC" not in site.preview().replace("EvcMode", "")
    site.up()
    assert lab.writes == writes, "settled stays settled"

    somebody_sets(lab, "intel-haswell")
    writes, times = lab.writes, configured(lab)
    said = site.preview()
    assert (
        "EVC intel-haswell → intel-ivybridge: the highest that the 2 new hosts and the old cluster prod6 share" in said
    )
    assert "somebody has changed it in vCenter" in said
    assert lab.writes == writes
    site.up()
    assert configured(lab) == times + 1
    assert evc_of(site)["inForce"] == "intel-ivybridge"


def test_it_is_raised_under_running_vms_and_lowered_only_under_none(lab: Lab, site: Site) -> None:
    site.config["esxodus:target"]["cluster"]["evc"] = "intel-ivybridge"
    site.up()
    site.config["esxodus:target"]["cluster"]["evc"] = "intel-haswell"
    assert "EVC intel-ivybridge → intel-haswell: as esxodus:target.cluster.evc says" in site.preview()
    site.up()
    assert evc_of(site)["inForce"] == "intel-haswell", "raised while app01 runs"
    times = configured(lab)

    site.config["esxodus:target"]["cluster"]["evc"] = "intel-sandybridge"
    writes = lab.writes
    said = site.preview(succeeds=False)
    assert "EVC mode intel-sandybridge is less than app01 (intel-ivybridge) runs with [evc.vms-above]" in said
    assert "or keep the mode: set esxodus:target.cluster.evc to intel-haswell" in said
    assert "Nothing has been changed" in said
    assert lab.writes == writes
    said = site.up(succeeds=False)
    assert "[evc.vms-above]" in said
    assert "Traceback" not in said
    assert configured(lab) == times

    lab.post("/vms/app01/poweroff", {"site": "target"})
    site.config["esxodus:waves"] = []
    site.up()
    assert configured(lab) == times + 1
    assert evc_of(site)["inForce"] == "intel-sandybridge"


def test_a_vm_that_needs_more_than_the_mode_to_come_is_told_so(site: Site) -> None:
    """The preview judges by the mode that will be in force."""
    site.wants(app01="source")
    site.up()
    site.config["esxodus:target"]["cluster"]["evc"] = "intel-sandybridge"
    site.config["esxodus:waves"][0]["method"] = "xvm"
    site.wants(app01="migrated")
    said = site.preview(succeeds=False)
    assert "app01: it runs with the CPU features of intel-ivybridge, which no host of" in said
    assert "[live.cpu]" in said
    site.config["esxodus:waves"][0]["method"] = "auto"
    assert "live is not possible: it runs with the CPU features of intel-ivybridge" in site.preview()

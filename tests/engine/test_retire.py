"""Old datastores are retired, with the real engine against the lab: refused, done, interrupted, taken back, done again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.engine.conftest import kill, started_by
from tests.engine.site_project import Site, site_config
from tests.engine.test_story import SCENARIO, _until
from tools.privileges import roles
from tools.running_lab import Lab, running_lab
from vsphere.privileges import SOURCE, needed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.engine

NEW = {"name": "gold7-02", "kind": "vmfs", "disk": "naa.68ccf098004f00000000000000b00002"}
HOSTS = ["esx60-1.lab", "esx60-2.lab", "esx70-1.lab", "esx70-2.lab"]
VMS = ("app01", "off01", "tmpl01")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    scenario = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))
    scenario["vms"] = [vm for vm in scenario["vms"] if vm["name"] in (*VMS, "stays01")]
    scenario["vms"][-1]["power"] = "off"  # the old cluster has done its work: its heartbeats hold nothing back
    scenario["arrays"][1]["luns"].append({"naa": NEW["disk"], "size": 2048})
    held = {name: [one.id for one in privileges] for name, privileges in roles().items()}
    scenario["vcenters"][0]["holds"] = [one.id for one in needed(SOURCE, (6, 0))]
    scenario["vcenters"][1]["holds"] = held["esxodus-building"]
    file = tmp_path / "retire.yaml"
    file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    with running_lab(file, any_port=True) as running:
        yield running
        assert running.get("/violations") == []


def luns(lab: Lab) -> dict[str, dict[str, Any]]:
    return {lun["volume"]["label"]: lun for lun in lab.get("/state")["luns"] if lun["volume"]}


def retire(site: Site, *names: str) -> None:
    site.config["esxodus:oldDatastores"] = [
        {"name": name, "retire": True} if name in names else name for name in ("old-a", "old-b")
    ]


def test_moved_retired_interrupted_taken_back_and_retired_again(lab: Lab, tmp_path: Path) -> None:
    config = site_config(lab, dict.fromkeys(VMS, "migrated"))
    config["esxodus:target"]["datastores"].append(NEW)
    site = Site(tmp_path / "clone", config)
    site.up()
    writes = lab.writes

    retire(site, "old-a", "old-b")
    said = site.preview()
    assert lab.writes == writes, "a preview changes nothing"
    assert (
        "old-a (VMFS): unmount on esx70-1.lab, esx70-2.lab, esx60-1.lab, esx60-2.lab; then detach on esx70-1.lab"
        in said
    )
    assert "[retire.way-back]" in said

    lab.post("/faults", {"method": "UnmountVmfsVolume", "skip": 2, "count": 1, "action": "dropAfter"})
    site.up(succeeds=False)
    lab.post("/faults", {"method": "DetachScsiLun", "skip": 2, "count": 1, "action": "delay", "seconds": 4})
    process = site.project.start("up", "--yes", "--skip-preview")
    _until(lambda: lab.get("/faults")[1]["hits"] > 0)
    kill(started_by(process))
    process.communicate(timeout=60)
    site.run("cancel", "--yes")
    lab.delete("/faults")
    site.up()
    now = luns(lab)
    for name in ("old-a", "old-b"):
        assert now[name]["mounted"] == []
        assert now[name]["detached"] == HOSTS
    assert now["old-stays"]["mounted"]
    writes = lab.writes
    site.up()
    assert lab.writes == writes, "settled stays settled"

    retire(site, "old-b")
    site.up()
    now = luns(lab)
    assert now["old-a"]["mounted"] == HOSTS
    assert now["old-a"]["detached"] == []
    assert now["old-b"]["detached"] == HOSTS
    site.wants(tmpl01="rehosted")
    site.up()
    retire(site, "old-a", "old-b")
    said = site.preview(succeeds=False)
    assert "old-a: template 'tmpl01' at the target has files on it [retire.vm-registered]" in said
    site.wants(tmpl01="migrated")
    assert "this run is to move it first [retire.vm-registered]" in site.preview()
    site.up()
    assert luns(lab)["old-a"]["detached"] == HOSTS

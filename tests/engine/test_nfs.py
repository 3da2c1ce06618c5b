"""Old NFS datastores with the real engine against the lab: mounted on the new hosts, VMs moved off and back, retired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.engine.site_project import Site, site_config
from tests.engine.test_story import SCENARIO, one
from tools.running_lab import Lab, running_lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.engine

OLD = ["esx60-1.lab", "esx60-2.lab"]
NEW = ["esx70-1.lab", "esx70-2.lab"]
EXPORTS = [
    {"name": "old-nfs", "servers": ["filer6.lab"], "path": "/vol/prod", "hosts": OLD + NEW, "mounted": OLD},
    {
        "name": "old-nfs41",
        "servers": ["filer6a.lab", "filer6b.lab"],
        "path": "/vol/four",
        "version": "4.1",
        "hosts": OLD + NEW,
        "mounted": OLD,
    },
]
NAMES: list[str] = [str(export["name"]) for export in EXPORTS]
VMS = ("app01", "off01")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    scenario = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))
    scenario["vms"] = [vm for vm in scenario["vms"] if vm["name"] in VMS]
    app, off = scenario["vms"]
    app["disks"][0]["datastore"], app["disks"][1]["datastore"] = NAMES
    off["disks"][0]["datastore"] = "old-nfs41"
    scenario["nfs"] = EXPORTS
    scenario["vcenters"][0]["datacenters"][0]["clusters"][0]["ha"] = False
    file = tmp_path / "nfs.yaml"
    file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    with running_lab(file, any_port=True) as running:
        yield running
        assert running.get("/violations") == []


def mounted(lab: Lab) -> dict[str, set[str]]:
    """Return the hosts that have each NFS datastore mounted."""
    found: dict[str, set[str]] = {name: set() for name in NAMES}
    for vcenter in lab.get("/state")["vcenters"].values():
        for datastore in vcenter["datastores"]:
            if datastore["name"] in found:
                found[datastore["name"]] |= set(datastore["hosts"])
    return found


def volumes(vm: dict[str, Any]) -> set[str]:
    """Return the names of the datastores that its disks are on."""
    return {disk["path"].partition("]")[0].removeprefix("[") for disk in vm["disks"]}


def retire(site: Site, on: bool) -> None:
    site.config["esxodus:oldDatastores"] = [{"name": name, "retire": on} for name in NAMES]


def test_from_nfs_to_the_new_array_and_back_and_then_retired(lab: Lab, tmp_path: Path) -> None:
    config: dict[str, Any] = site_config(lab, dict.fromkeys(VMS, "rehosted"))
    config["esxodus:oldDatastores"] = NAMES
    # HA would beat its heart on the one new datastore and on an old one.
    config["esxodus:target"]["cluster"]["ha"] = False
    site = Site(tmp_path / "clone", config)
    site.preview()
    assert lab.writes == 0
    site.up()
    assert all(hosts == {*OLD, *NEW} for hosts in mounted(lab).values())
    before = one(lab, "app01")
    assert before["site"] == "target"
    assert volumes(before) == set(NAMES)
    writes = lab.writes
    site.up()
    assert lab.writes == writes, "settled stays settled"

    site.wants(app01="migrated", off01="migrated")
    site.up()
    assert volumes(one(lab, "app01")) | volumes(one(lab, "off01")) == {"gold7-01"}
    site.wants(app01="source")
    site.up()
    assert one(lab, "app01")["site"] == "source"
    assert volumes(one(lab, "app01")) == set(NAMES)

    site.wants(app01="migrated")
    site.up()
    retire(site, True)
    said = site.preview()
    assert "old-nfs41 (NFS): unmount on esx70-1.lab, esx70-2.lab, esx60-1.lab, esx60-2.lab" in said
    lab.post("/faults", {"method": "RemoveDatastore", "skip": 1, "count": 1, "action": "dropAfter"})
    site.up(succeeds=False)
    site.up()
    assert mounted(lab) == {name: set() for name in NAMES}
    writes = lab.writes
    site.up()
    assert lab.writes == writes, "settled stays settled"

    retire(site, False)
    site.up()
    assert all(hosts == {*OLD, *NEW} for hosts in mounted(lab).values())
    site.wants(app01="source")
    site.up()
    assert one(lab, "app01")["site"] == "source"


def test_what_stands_in_the_way_of_a_mount_is_named(lab: Lab, tmp_path: Path) -> None:
    config: dict[str, Any] = site_config(lab, {})
    config["esxodus:oldDatastores"] = ["old-a"]
    new = config["esxodus:target"]["datastores"][0]
    new["name"] = "old-nfs"
    site = Site(tmp_path / "clone", config)
    site.up()
    site.config["esxodus:oldDatastores"] = NAMES
    site.config["esxodus:target"]["datastores"] = [{**new, "name": "gold7-01"}]
    said = site.preview(succeeds=False)
    assert "old-nfs: the target has a datastore of this name already" in said
    assert "[datastore.name-taken]" in said

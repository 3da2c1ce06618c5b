"""Zoning with the real engine against the lab: refused, done, healed, kept from others, taken away last; and by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.engine.site_project import Site, site_config
from tests.engine.test_story import SCENARIO
from tests.zoned import FABRICS, PASSWORD, with_switches
from tools.running_lab import Lab, running_lab

pytestmark = pytest.mark.engine

SECRET = {"secure": "v1:V5BVvhfX4VE2X9bA:Hzlo62S+8g7poUNPyCGJLyeQfF/VHoGpq/k/"}
NEW = {"name": "gold7-02", "kind": "vmfs", "disk": "naa.68ccf098004f00000000000000b00002"}
OLD = [f"naa.60060160a1b02e00000000000000a00{number}" for number in (1, 2, 3)]
VMS = ("app01", "off01")
OURS = {name: {f"esxodus_esx70_{host}_lab_{hba}" for host in (1, 2)} for name, hba in FABRICS.items()}


@contextmanager
def started(folder: Path, *presented: str) -> Iterator[Lab]:
    """Serve the small site with its fabrics; the new hosts are presented these of the old array's LUNs."""
    scenario = with_switches(yaml.safe_load(SCENARIO.read_text(encoding="utf-8")))
    scenario["vms"] = [vm for vm in scenario["vms"] if vm["name"] in (*VMS, "stays01")]
    scenario["vms"][-1]["power"] = "off"  # the old cluster has done its work: its heartbeats hold nothing back
    scenario["arrays"][1]["luns"].append({"naa": NEW["disk"], "size": 2048})
    scenario["fabric"]["presentation"] = [
        {"array": "old", "hosts": ["esx60-1.lab", "esx60-2.lab"]},
        {"array": "old", "hosts": ["esx70-1.lab", "esx70-2.lab"], "luns": list(presented)},
        {"array": "new", "hosts": ["esx70-1.lab", "esx70-2.lab"]},
    ]
    file = folder / "zoned.yaml"
    file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    with running_lab(file, any_port=True) as running:
        yield running
        assert running.get("/violations") == []


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with started(tmp_path, *OLD[:2]) as running:
        yield running


def config(lab: Lab, **fabric: Any) -> dict[str, Any]:
    stack = site_config(lab, dict.fromkeys(VMS, "migrated"))
    stack["esxodus:target"]["datastores"].append(NEW)
    switches = [
        {"name": name, "switch": one["host"], "username": one["username"], "thumbprint": one["thumbprint"]}
        for name, one in lab.endpoints["fabrics"].items()
    ]
    stack["esxodus:fabric"] = {"kind": "brocade", "fabrics": switches, **fabric}
    stack["esxodus:fabricPassword"] = SECRET
    return stack


def fabrics(lab: Lab) -> dict[str, Any]:
    told: dict[str, Any] = lab.get("/state")["fabrics"]
    return told


def zones(lab: Lab, name: str = "fabric-a") -> set[str]:
    return {zone["name"] for zone in fabrics(lab)[name]["effective"]["zones"]}


def targets(lab: Lab, name: str) -> list[str]:
    """The ports of the old array in a fabric: the ones that the zones of the old hosts have beside their own."""
    old = [zone["members"] for zone in fabrics(lab)[name]["effective"]["zones"] if zone["name"].startswith("esx60")]
    return sorted(set(old[0]) & set(old[1]))


def test_zoned_healed_and_taken_away(lab: Lab, tmp_path: Path) -> None:
    before = fabrics(lab)
    site = Site(tmp_path / "clone", config(lab))
    lab.post("/fabrics/fabric-b/begin")
    said = site.preview(succeeds=False)
    assert "fabric-b: somebody has a zoning transaction open on the switch (token 1) [fabric.transaction-open]" in said
    assert lab.writes == 0
    lab.post("/fabrics/fabric-b/abort")
    assert "fabric-a: prod_a is in effect with 4 zones, checksum" in site.preview()
    assert lab.writes == 0
    said = site.up()
    assert "+ zone esxodus_esx70_1_lab_vmhba2: esx70-1.lab vmhba2 (10:" in said
    assert "fabric-a: prod_a is in effect with 6 zones" in said
    now = fabrics(lab)
    for name, was in before.items():
        assert zones(lab, name) == {zone["name"] for zone in was["effective"]["zones"]} | OURS[name]
        assert [one for one in now[name]["effective"]["zones"] if one in was["effective"]["zones"]] == was["effective"][
            "zones"
        ]
        assert (now[name]["transaction"], now[name]["sessions"]) == ("", 0)
    told = site.told("old-array zones")
    assert {host: sum(ports.values()) for host, ports in told["reach"].items()} == {"esx70-1.lab": 4, "esx70-2.lab": 4}
    assert {name: set(made) for name, made in told["made"].items()} == OURS
    luns = site.told("old-array mounted")
    assert (luns["lacking"], luns["unfound"]) == ({}, [])
    assert told["before"]["fabric-a"]["checksum"] == before["fabric-a"]["checksum"]
    assert any(entry["site"] == "fabric-a" for entry in told["audit"])
    assert PASSWORD not in site.run("stack", "export")
    # What a kill could leave half written is not there at all (tools.toolchain.backend).
    assert not list((site.folder / "state").rglob("*.attrs"))

    writes = lab.writes
    site.up()
    assert lab.writes == writes, "settled stays settled"

    lab.post("/fabrics/fabric-a/remove", {"zone": "esxodus_esx70_2_lab_vmhba2"})
    lab.post("/fabrics/fabric-a/zone", {"zone": "their_new", "members": ["10:00:00:00:00:00:00:09"]})
    assert "+ zone esxodus_esx70_2_lab_vmhba2: esx70-2.lab vmhba2" in site.preview()
    lab.post("/fabrics/fabric-b/define", {"zone": "saved_only", "members": ["10:00:00:00:00:00:00:09"]})
    site.up()
    assert zones(lab) >= OURS["fabric-a"] | {"their_new"}
    assert "saved_only" not in zones(lab, "fabric-b"), "a fabric in which nothing is to be done is not touched"

    site.config["esxodus:oldDatastores"] = [{"name": one, "retire": True} for one in ("old-a", "old-b")]
    said = site.preview(succeeds=False)
    assert "last of all, - zone esxodus_esx70_1_lab_vmhba2, esxodus_esx70_2_lab_vmhba2" in said
    assert "fabric-b: configuration prod_b as it is defined differs from what is in effect (saved_only)" in said
    lab.post("/fabrics/fabric-b/remove", {"zone": "saved_only"})
    writes = lab.writes
    site.preview()
    assert lab.writes == writes
    site.up()
    now = fabrics(lab)
    assert zones(lab) == {zone["name"] for zone in before["fabric-a"]["effective"]["zones"]} | {"their_new"}
    assert now["fabric-b"] == {**before["fabric-b"], "transaction": ""}, "as before, byte for byte"
    writes = lab.writes
    site.up()
    assert lab.writes == writes

    site.config["esxodus:oldDatastores"] = ["old-a", "old-b"]
    writes = lab.writes
    assert "+ zone esxodus_esx70_1_lab_vmhba2" in site.preview()
    assert lab.writes == writes
    site.up()
    assert zones(lab) >= OURS["fabric-a"]
    assert all(now["lost"] == 0 for now in fabrics(lab).values()), "nobody has lost a transaction"
    luns = {lun["volume"]["label"]: lun for lun in lab.get("/state")["luns"] if lun["volume"]}
    assert {"esx70-1.lab", "esx70-2.lab"} <= set(luns["old-a"]["mounted"])


def test_zones_stay_while_a_host_uses_a_disk_through_them(tmp_path: Path) -> None:
    with started(tmp_path, *OLD) as lab:
        zones_stay(lab, tmp_path)


def zones_stay(lab: Lab, tmp_path: Path) -> None:
    site = Site(tmp_path / "clone", config(lab, zones="peer"))
    site.up()
    assert zones(lab) > {"esxodus_fabric_a"}
    site.config["esxodus:oldDatastores"] = [{"name": "old-a", "retire": True}, {"name": "old-b", "retire": True}]
    said = site.up(succeeds=False)
    assert f"esx70-1.lab: it has {OLD[2]} attached" in said
    assert "[fabric.zone-in-use]" in said
    assert zones(lab) > {"esxodus_fabric_a"}


def test_by_hand(lab: Lab, tmp_path: Path) -> None:
    by_hand = [
        {"name": name, "hbas": [hba], "targets": targets(lab, name), "configuration": f"prod_{name[-1]}", "vsan": 10}
        for name, hba in FABRICS.items()
    ]
    site = Site(tmp_path / "clone", config(lab, kind="manual", fabrics=by_hand))
    said = site.up(succeeds=False)
    assert "fabric-a: to be typed in by the SAN team (brocade):" in said
    assert 'zonecreate "esxodus_esx70_1_lab_vmhba2", "10:' in said
    assert "volume.not-presented" in said
    commands = site.told("old-array zones")["commands"]
    assert lab.get("/counters")["writes"]["vcenters"]["fabric fabric-a"] == {}
    for name, lines in commands.items():
        for line in lines["brocade"]:
            if line.startswith("zonecreate"):
                zone, members = line.removeprefix("zonecreate ").replace('"', "").split(", ")
                lab.post(f"/fabrics/{name}/zone", {"zone": zone, "members": members.split(";")})
    site.up()
    assert site.told("old-array mounted")["unfound"] == []
    assert "to be typed in" not in site.preview(), "it is told once"
    assert {vm["site"] for vm in lab.get("/state")["vcenters"]["target"]["vms"].values()} == {"target"}

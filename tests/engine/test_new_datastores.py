"""New datastores of every kind with the real engine: made, landed on, and never at the cost of what a disk holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.engine.conftest import REPOSITORY
from tests.engine.site_project import Site, site_config
from tools.running_lab import Lab, running_lab

pytestmark = pytest.mark.engine

SCENARIO = REPOSITORY / "tests" / "scenarios" / "small.yaml"
NEW = ["esx70-1.lab", "esx70-2.lab"]
GOLD = "naa.68ccf098004f00000000000000b00001"
NFS = [
    {"name": "exp-3", "servers": ["nas7.lab"], "path": "/vm7", "hosts": NEW},
    {"name": "exp-41", "servers": ["nas7a.lab", "nas7b.lab"], "path": "/vm8", "version": "4.1", "hosts": NEW},
]
DATASTORES: list[dict[str, Any]] = [
    {"name": "gold7-01", "kind": "vmfs", "disk": GOLD, "cluster": "gold7"},
    {"name": "nfs7-01", "kind": "nfs", "servers": ["nas7.lab"], "path": "/vm7"},
    {"name": "nfs7-02", "kind": "nfs", "version": "4.1", "servers": ["nas7a.lab", "nas7b.lab"], "path": "/vm8"},
]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Starts the small site with its scenario changed."""
    with ExitStack() as stack:

        def starting(change: Callable[[dict[str, Any]], None]) -> Lab:
            scenario = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))
            change(scenario)
            file = tmp_path / "changed.yaml"
            file.write_text(yaml.safe_dump(scenario, allow_unicode=True), encoding="utf-8")
            running = stack.enter_context(running_lab(file, any_port=True))
            stack.callback(lambda: _unharmed(running))
            return running

        yield starting


def _unharmed(lab: Lab) -> None:
    assert lab.get("/violations") == []


def stores(lab: Lab) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in lab.get("/state")["vcenters"]["target"]["datastores"]}


def test_each_kind_is_made_landed_on_and_left_alone(start: Callable[..., Lab], tmp_path: Path) -> None:
    lab = start(lambda scenario: scenario.update(nfs=NFS))
    config = site_config(lab, {"app01": "migrated", "off01": "migrated", "twin": "migrated"})
    config["esxodus:target"]["datastores"] = DATASTORES
    config["esxodus:target"]["datastoreClusters"] = [{"name": "gold7", "storageDrs": "manual"}]
    wave = config["esxodus:waves"][0]["vms"]
    for vm, store in zip(wave, ("gold7-01", "nfs7-01", "nfs7-02"), strict=True):
        vm["placement"] = {"datastore": store}
    site = Site(tmp_path / "clone", config)
    said = site.preview()
    assert "the disks of the new datastores are looked at once the hosts have joined" in said
    assert "gold7-01  not known yet" in said
    assert lab.writes == 0
    site.up()
    found = stores(lab)
    assert {name: one["pod"] for name, one in found.items() if name in {d["name"] for d in DATASTORES}} == {
        "gold7-01": "gold7",
        "nfs7-01": "",
        "nfs7-02": "",
    }
    for one in DATASTORES:
        assert sorted(found[one["name"]]["hosts"]) == NEW
    vms = lab.get("/state")["vcenters"]["target"]["vms"]
    landed = {name: vm["disks"][0]["path"].partition("]")[0].removeprefix("[") for name, vm in vms.items()}
    assert landed == {"app01": "gold7-01", "off01": "nfs7-01", "twin": "nfs7-02"}
    writes = lab.writes
    assert "unchanged" in site.up()
    assert lab.writes == writes, "settled stays settled"

    clone = Site(tmp_path / "clone without state", site.config)
    clone.up()
    assert lab.writes == writes
    adopted = {"datastore gold7-01", "datastore nfs7-01", "datastore nfs7-02", "datastore cluster gold7"}
    assert adopted <= set(clone.outputs()["adopted"])


def test_what_does_not_fit_is_refused_at_the_preview_with_the_numbers(
    start: Callable[..., Lab], tmp_path: Path
) -> None:
    lab = start(lambda _: None)
    site = Site(tmp_path / "clone", site_config(lab, {"app01": "source"}))
    site.up()
    site.wants(app01="migrated")
    said = site.preview()
    (row,) = [line.split() for line in said.splitlines() if line.split()[:1] == ["gold7-01"]]
    capacity, free, lands, left, _ = map(float, row[1:])
    assert lands > 0
    assert left == pytest.approx(free - lands, abs=0.11)
    assert capacity >= free
    lab.post("/volumes/gold7-01/fill", {"freeGiB": lands / 2})
    writes = lab.writes
    said = site.preview(succeeds=False)
    assert "[datastore.waves-do-not-fit]" in said
    assert "app01 would need another" in said
    assert "Nothing has been changed" in said
    assert lab.writes == writes


@pytest.mark.parametrize("joined", [False, True], ids=["at the first run", "once the hosts have joined"])
def test_a_disk_that_carries_a_volume_is_never_formatted(
    start: Callable[..., Lab], tmp_path: Path, joined: bool
) -> None:
    """A LUN of the new array that somebody has used: the hosts hold its volume back, and vCenter offers to format it."""

    def carrying(scenario: dict[str, Any]) -> None:
        scenario["arrays"][1]["luns"][0] |= {"vmfs": {"name": "somebodys", "version": 6}, "unresolved": NEW}
        if joined:
            target = scenario["vcenters"][1]
            target["datacenters"] = [{"name": "tokyo7", "clusters": [{"name": "prod7", "hosts": NEW}]}]

    lab = start(carrying)
    site = Site(tmp_path / "clone", site_config(lab, {"app01": "migrated"}))
    said = site.up(succeeds=False)
    assert "holds the volume 'somebodys'" in said
    assert GOLD in said
    assert "Traceback" not in said
    calls = lab.get("/counters")["calls"]["target"]
    assert calls.get("CreateVmfsDatastore", 0) == 0
    assert lab.get("/counters")["calls"]["source"].get("UnregisterVM", 0) == 0, "no VM was touched"


def test_a_disk_that_a_host_does_not_see_is_named(start: Callable[..., Lab], tmp_path: Path) -> None:
    def presented_to_one(scenario: dict[str, Any]) -> None:
        for one in scenario["fabric"]["presentation"]:
            if one["array"] == scenario["arrays"][1]["name"]:
                one["hosts"] = NEW[:1]

    lab = start(presented_to_one)
    site = Site(tmp_path / "clone", site_config(lab, {}))
    said = site.up(succeeds=False)
    assert f"gold7-01: its disk {GOLD} is not seen by esx70-2.lab [datastore.disk-not-seen]" in said
    assert lab.get("/counters")["calls"]["target"].get("CreateVmfsDatastore", 0) == 0
    assert f"warning: gold7-01: its disk {GOLD} is not seen by esx70-2.lab" in site.preview(), "a rescan may find it"

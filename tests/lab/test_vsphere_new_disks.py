"""The disks of new datastores as the hosts of the lab see them: blank, used, held back, partitioned, missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from migration.new_datastores import Disk
from tests.lab.conftest import SMALL
from tools.running_lab import Lab
from vsphere import new_disks, site_storage
from vsphere.sites import VSphereSites

pytestmark = pytest.mark.lab

HOSTS = ["esx70-1.lab", "esx70-2.lab"]
NAA = "naa.68ccf098004f00000000000000b0000"


@pytest.fixture
def lab(start: Callable[[Path], Lab], tmp_path: Path) -> Lab:
    scenario = yaml.safe_load(SMALL.read_text(encoding="utf-8"))
    new = scenario["arrays"][1]
    new["luns"][0]["vmfs"] = {"name": "gold7-01", "version": 6}
    new["luns"] += [
        {"naa": f"{NAA}2", "size": 512},
        {"naa": f"{NAA}3", "size": 512, "vmfs": {"name": "somebodys", "version": 6}, "unresolved": HOSTS},
        {"naa": f"{NAA}4", "size": 512},
    ]
    scenario["fabric"]["presentation"] = [
        *(one for one in scenario["fabric"]["presentation"] if one["array"] != new["name"]),
        {"array": new["name"], "hosts": HOSTS, "luns": [f"{NAA}{number}" for number in (1, 2, 3)]},
        {"array": new["name"], "hosts": HOSTS[:1], "luns": [f"{NAA}4"]},
    ]
    scenario["vcenters"][1]["datacenters"] = [{"name": "tokyo7", "clusters": [{"name": "prod7", "hosts": HOSTS}]}]
    file = tmp_path / "disks.yaml"
    file.write_text(yaml.safe_dump(scenario, allow_unicode=True), encoding="utf-8")
    return start(file)


def test_each_disk_says_how_it_stands_and_nothing_is_changed(lab: Lab, opened: Callable[..., VSphereSites]) -> None:
    site = opened(lab).site("target")
    wanted = {"used": f"{NAA}1", "blank": f"{NAA}2".upper().replace("NAA", "naa"), "held": f"{NAA}3", "half": f"{NAA}4"}
    found = {disk.name: disk for disk in new_disks.look(site, HOSTS, {**wanted, "gone": f"{NAA}9"})}
    both = tuple(HOSTS)
    assert found["used"].holds == "holds datastore gold7-01"
    assert found["blank"] == Disk("blank", wanted["blank"], both, (), 512.0, "")
    assert "holds the volume 'somebodys', which esx70-" in found["held"].holds
    assert (found["half"].seen, found["half"].unseen, found["half"].holds) == (both[:1], both[1:], "")
    assert (found["gone"].seen, found["gone"].unseen, found["gone"].capacity) == ((), both, 0.0)
    assert lab.writes == 0
    assert new_disks.look(site, ["esx99.lab"], wanted) == (), "no host has joined"


def test_a_partition_speaks_for_itself(
    lab: Lab, opened: Callable[..., VSphereSites], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever vCenter makes of what is on the disk: a volume that no host has looked for yet is reported nowhere else."""
    monkeypatch.setattr(site_storage, "held_back", lambda *_: {})
    (held, blank) = new_disks.look(opened(lab).site("target"), HOSTS, {"held": f"{NAA}3", "blank": f"{NAA}2"})
    assert held.holds == "has a partition on it (vmfs)"
    assert [concern.id for concern in held.concerns()] == ["datastore.disk-not-blank"]
    assert blank.holds == ""

"""Users that may do no more than docs/least-privilege.md says move a whole site, there and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.engine.conftest import REPOSITORY
from tests.engine.site_project import Site, site_config
from tools.privileges import roles
from tools.running_lab import running_lab
from vsphere.privileges import SOURCE, needed

pytestmark = pytest.mark.engine

SMALL = REPOSITORY / "tests" / "scenarios" / "small.yaml"
VMS = ("app01", "off01", "stubborn01", "bare01", "tmpl01")


def restricted(folder: Path, source: list[str], target: list[str]) -> Path:
    """Write the small site's scenario with users that hold these privileges alone."""
    scenario = yaml.safe_load(SMALL.read_text(encoding="utf-8"))
    for vcenter, held in zip(scenario["vcenters"], (source, target), strict=True):
        vcenter["holds"] = held
    file = folder / "restricted.yaml"
    file.write_text(yaml.safe_dump(scenario, allow_unicode=True), encoding="utf-8")
    return file


def test_the_whole_small_site_moves_and_one_vm_comes_back(tmp_path: Path) -> None:
    held = {name: [one.id for one in privileges] for name, privileges in roles().items()}
    source = [one.id for one in needed(SOURCE, (6, 0))]
    with running_lab(restricted(tmp_path, source, held["esxodus-building"]), any_port=True) as lab:
        site = Site(tmp_path / "clone", site_config(lab, dict.fromkeys(VMS, "migrated")))
        assert lab.writes == 0
        site.preview()
        assert lab.writes == 0
        site.up()
        assert {site.told(name)["reached"] for name in VMS} == {"migrated"}
        site.wants(app01="source", tmpl01="source")
        site.up()
        homes = {vm["name"]: vm["site"] for one in lab.get("/state")["vcenters"].values() for vm in one["vms"].values()}
        assert {name for name in VMS if homes[name] == "source"} == {"app01", "tmpl01"}
        assert lab.get("/violations") == []


def test_without_what_building_needs_the_preview_says_so(tmp_path: Path) -> None:
    held = {name: [one.id for one in privileges] for name, privileges in roles().items()}
    with running_lab(restricted(tmp_path, held["esxodus-source"], held["esxodus-target"]), any_port=True) as lab:
        site = Site(tmp_path / "clone", site_config(lab, {"app01": "migrated"}))
        said = site.preview(succeeds=False)
        assert "[site.permission]" in said
        for one in set(held["esxodus-building"]) - set(held["esxodus-target"]):
            assert one in said, one
        assert lab.writes == 0

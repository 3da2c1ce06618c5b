"""Every privilege that the users lack is named before anything is touched, one by one, as the sites themselves answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from migration.concerns import concerns
from migration.wanted import Identity, Stage, VmSpec
from tests.lab.conftest import SMALL, WHOLE, endpoints
from tools.privileges import roles
from tools.running_lab import Lab
from vsphere.privileges import BUILDING, SOURCE, TARGET, needed
from vsphere.sites import VSphereSites

pytestmark = pytest.mark.lab

RESTRICTED = WHOLE.with_name("lab-restricted.yaml")
HELD = {SOURCE: [one.id for one in needed(SOURCE, (6, 0))], TARGET: [one.id for one in roles()["esxodus-building"]]}


def lacking(start: Callable[[Path], Lab], folder: Path, site: str = "", privilege: str = "") -> list[str]:
    """Return what the concern about permissions says where a site's user lacks one privilege."""
    scenario = yaml.safe_load(SMALL.read_text(encoding="utf-8"))
    for vcenter in scenario["vcenters"]:
        vcenter["holds"] = [one for one in HELD[vcenter["name"]] if (vcenter["name"], one) != (site, privilege)]
    file = folder / "restricted.yaml"
    file.write_text(yaml.safe_dump(scenario, allow_unicode=True), encoding="utf-8")
    lab = start(file)
    spec = VmSpec(
        Identity("app01"), Stage.MIGRATED, datacenter="tokyo7", cluster="prod7", old_volumes=("old-a", "old-b")
    )
    sites = VSphereSites(endpoints(lab), ("old-a", "old-b"))
    try:
        seen, _ = sites.observe(spec.identity)
    finally:
        sites.close()
    assert lab.writes == 0
    return [str(one) for one in concerns(spec, seen) if one.id == "site.permission"]


@pytest.mark.parametrize(("site", "privilege"), [(site, one) for site, held in HELD.items() for one in held])
def test_each_one_that_is_missing_is_named(
    start: Callable[[Path], Lab], tmp_path: Path, site: str, privilege: str
) -> None:
    (said,) = lacking(start, tmp_path, site, privilege)
    assert f"our user lacks {privilege} on " in said


def test_with_all_of_them_nothing_is_said(start: Callable[[Path], Lab], tmp_path: Path) -> None:
    assert lacking(start, tmp_path) == []


def test_the_restricted_lab_is_the_default_one_with_the_users_of_the_table() -> None:
    restricted, plain = (yaml.safe_load(file.read_text(encoding="utf-8")) for file in (RESTRICTED, WHOLE))
    held = {vcenter["name"]: vcenter.pop("holds") for vcenter in restricted["vcenters"]}
    assert held == HELD
    assert restricted == {**plain, "name": "lab-restricted"}
    assert {one.id for one in BUILDING} <= set(held[TARGET])

"""Waves with the real engine against the lab: hooks run, a window holds back without failing, the totals add up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.conftest import REPOSITORY
from tests.engine.site_project import Site, site_config
from tools.running_lab import Lab, running_lab

pytestmark = pytest.mark.engine

SCENARIO = REPOSITORY / "tests" / "scenarios" / "small.yaml"
NOTE = 'import os; open("hooks.log", "a").write("{ESXODUS_WHEN} {ESXODUS_VM} {ESXODUS_SITE}\\n".format(**os.environ))'


@pytest.fixture
def lab() -> Iterator[Lab]:
    with running_lab(SCENARIO, any_port=True) as running:
        yield running
        assert running.get("/violations") == []


def window(hours: float) -> dict[str, str]:
    """Return a window of a day that opens so many hours from now."""
    start = datetime.now(UTC) + timedelta(hours=hours)
    return {"start": start.isoformat(), "end": (start + timedelta(days=1)).isoformat()}


def test_hooks_a_window_and_the_totals(lab: Lab, tmp_path: Path) -> None:
    site = Site(tmp_path / "clone", site_config(lab, {}))
    hook = {"command": ["python3", "-c", NOTE], "timeout": 20}
    site.config["esxodus:waves"] = [
        {"name": "first", "stage": "migrated", "vms": ["app01"], "hooks": {"before": hook, "after": hook}},
        {"name": "night", "stage": "migrated", "after": ["first"], "vms": ["off01"], "window": window(5)},
    ]
    said = site.up()
    assert "the window of wave night opens at" in said
    assert (site.folder / "hooks.log").read_text() == "before app01 source\nafter app01 target\n"
    told = site.outputs()
    assert (told["waves"]["first"]["settled"], told["waves"]["night"]["waiting"]) == (1, 1)
    assert "; waits: the window of wave night opens at" in told["vms"]["off01"]
    assert told["site"]["methods"] == {"reattach": 2}, "what waits is foreseen to go the same way"
    assert told["site"]["downtimeSeconds"]["total"] == site.told("app01")["downtimeSeconds"] > 0
    (state,) = [
        resource["outputs"]
        for resource in json.loads(site.run("stack", "export"))["deployment"]["resources"]
        if resource["urn"].endswith("::app01")
    ]
    assert [entry["method"] for entry in state["audit"] if entry["method"] == "UnregisterVM"] == ["UnregisterVM"]
    assert "runHook" in state["timings"]
    assert not any(secret in json.dumps(state) for secret in ("passphrase", '"password'))

    site.config["esxodus:waves"][1]["window"] = window(-1)
    site.config["esxodus:waves"][0]["hooks"] = {"before": hook}  # what has settled does not care
    preview = site.preview()
    assert "1 to update" in preview, preview
    site.up()
    told = site.outputs()
    assert (told["site"]["settled"], told["site"]["waiting"]) == (2, 0)
    assert (site.folder / "hooks.log").read_text().count("\n") == 2


def test_what_failed_is_told_from_what_was_not_begun(lab: Lab, tmp_path: Path) -> None:
    site = Site(tmp_path / "clone", site_config(lab, {}))
    site.config["esxodus:waves"] = [
        {"name": "first", "stage": "migrated", "vms": ["app01"], "hooks": {"after": {"command": ["false"]}}},
        {"name": "second", "stage": "migrated", "after": ["first"], "vms": ["off01"]},
    ]
    assert "hook.failed" in site.up(succeeds=False)
    told = site.outputs()
    assert re.match(r"failed, rehosted by reattach: target \S+ old-a and old-b, was source ", told["vms"]["app01"]), (
        told
    )
    assert told["vms"]["off01"].startswith("not begun")
    assert [(wave["failed"], wave["notBegun"]) for wave in (told["waves"]["first"], told["waves"]["second"])] == [
        (1, 0),
        (0, 1),
    ]
    failed = site.told("app01")["audit"]

    site.config["esxodus:waves"][0]["hooks"] = {"after": {"command": ["true"]}}
    site.up()
    told = site.outputs()
    assert (told["site"]["settled"], told["site"]["failed"], told["site"]["notBegun"]) == (2, 0, 0)
    assert site.told("app01")["audit"][: len(failed)] == failed

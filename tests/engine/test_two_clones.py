"""Two runs of the same site at once, from two clones with two states: each VM is moved by one of them, and both end well."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.copies import names, write_copies
from tests.engine.site_project import Site, site_config
from tests.engine.test_story import SAME, _until, one, same
from tools.running_lab import Lab, running_lab

pytestmark = pytest.mark.engine

NAMES = names(10)
LEFT = "UnregisterVM"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with running_lab(write_copies(tmp_path, len(NAMES)), any_port=True) as running:
        yield running
        assert running.get("/violations") == []


def test_two_clones_at_once(lab: Lab, tmp_path: Path) -> None:
    before = {name: one(lab, name) for name in NAMES}
    vms = dict.fromkeys(NAMES, "migrated")
    Site(tmp_path / "builder", site_config(lab, {})).up()
    first, second, looker = (Site(tmp_path / name, site_config(lab, vms)) for name in ("first", "second", "looker"))
    # Whoever takes up app01 first is held long enough for the others to see it.
    lab.post("/faults", {"method": "ShutdownGuest", "object": NAMES[0], "action": "delay", "seconds": 35, "count": 1})
    runs = [site.project.start("up", "--yes", "--skip-preview", "--parallel", "32") for site in (first, second)]
    _until(lambda: lab.get("/faults")[0]["hits"] > 0)
    preview = looker.preview()
    holder = re.search(rf"{NAMES[0]}: (\S+ \(process \d+, stack test\)) is at work on it", preview)
    assert holder, preview
    assert "[vm.held]" in preview

    said = [run.communicate(timeout=240)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], "\n\n".join(said)
    assert any(f"waiting: {holder[1]} is at work on it" in text for text in said), said

    for name in NAMES:
        now = one(lab, name)
        same(before[name], now, SAME)
        assert now["site"] == "target"
        assert "esxodus.lease" not in now["extraConfig"]
    calls = lab.get("/counters")["calls"]
    assert (calls["source"][LEFT], calls["target"]["RegisterVM_Task"]) == (len(NAMES), len(NAMES))
    copied = Counter(copy["vm"] for copy in lab.get("/operations")["operations"] if copy["kind"] == "storageVMotion")
    assert copied == dict.fromkeys(NAMES, 1)
    moved = [
        {name for name in NAMES if any(entry["method"] == LEFT for entry in site.told(name)["audit"])}
        for site in (first, second)
    ]
    assert moved[0] | moved[1] == set(NAMES)
    assert not moved[0] & moved[1], "each by one run only"
    assert all(site.told(name)["reached"] == "migrated" for site in (first, second) for name in NAMES)

    writes = lab.writes
    first.up()
    second.up()
    assert lab.writes == writes, "settled stays settled, in both states"

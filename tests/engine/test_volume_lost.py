"""Hosts lose a volume in the middle of a wave, with the real engine: what has not begun waits, and goes on once it is back."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import REPOSITORY
from tests.engine.site_project import Site, site_config
from tools.running_lab import Lab, running_lab

pytestmark = pytest.mark.engine

VMS = ("app01", "off01", "twin")
LOSES = """
import sys, urllib.request
body = sys.argv[2].encode()
urllib.request.urlopen(urllib.request.Request(sys.argv[1], body, {"Content-Type": "application/json"}), timeout=30)
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    with running_lab(REPOSITORY / "tests" / "scenarios" / "small.yaml", any_port=True) as running:
        yield running
        assert running.get("/violations") == []


def test_the_wave_of_a_volume_that_hosts_have_lost_begins_nothing_more(lab: Lab, tmp_path: Path) -> None:
    site = Site(tmp_path / "clone", site_config(lab, dict.fromkeys(VMS, "migrated")))
    (wave,) = site.config["esxodus:waves"]
    url = f"{lab.endpoints['control']}/volumes/old-b/apd"
    # The first VM to arrive takes the paths of one old host with it. twin itself has nothing on old-b.
    command = [sys.executable, "-c", LOSES, url, json.dumps({"hosts": ["esx60-2.lab"]})]
    wave["hooks"] = {"after": {"command": command}}
    said = site.run("up", "--yes", "--skip-preview", "--continue-on-error", "--parallel", "1")
    told = {name: one["outputs"] for name, one in site.project.resources().items() if name in VMS}
    begun = [name for name in VMS if told[name]["audit"]]
    assert len(begun) == 1, said
    assert told[begun[0]]["reached"] == "rehosted", "it has arrived; its copy is not begun either"
    for name in VMS:
        assert told[name]["waiting"] == (
            f"{name}: wave all begins nothing more while esx60-2.lab cannot reach old-b (AllPathsDown_Start); "
            "bring the paths back, or put the host into maintenance mode, then run again"
        )
    assert "held now: wave all begins nothing more while esx60-2.lab" in site.preview()

    lab.post("/volumes/old-b/ok", {"hosts": "all"})
    del wave["hooks"]
    site.up()
    assert {one["outputs"]["reached"] for name, one in site.project.resources().items() if name in VMS} == {"migrated"}

"""Whoever is killed, and whenever: the next `pulumi up` brings the VM there, once, as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import kill, started_by
from tests.engine.site_project import Site, site_config
from tests.engine.test_story import SAME, SCENARIO, _until, one, same
from tools.running_lab import Lab, running_lab

pytestmark = pytest.mark.engine
Process = subprocess.Popen[str]


@pytest.fixture
def lab() -> Iterator[Lab]:
    with running_lab(SCENARIO, any_port=True) as running:
        yield running
        assert running.get("/violations") == []


def providers(process: Process) -> set[int]:
    """Return the processes that serve our dynamic resources."""
    return {pid for pid in started_by(process) if b"pulumi.dynamic" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def kill_provider(process: Process) -> None:
    kill(providers(process))


def kill_cli(process: Process) -> None:
    kill({process.pid})


def kill_both(process: Process) -> None:
    kill(started_by(process))


def ctrl_c(process: Process) -> None:
    os.killpg(process.pid, signal.SIGINT)


def ctrl_c_twice(process: Process) -> None:
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)


@pytest.mark.parametrize(
    ("end", "moment", "locked"),
    [
        (kill_provider, "UnregisterVM", False),
        (kill_provider, "RelocateVM_Task", False),
        (kill_cli, "RegisterVM_Task", True),
        (kill_cli, "ReconfigVM_Task", True),
        (kill_both, "PowerOnVM_Task", True),
        (ctrl_c, "RegisterVM_Task", False),
        (ctrl_c_twice, "UnregisterVM", False),
        (ctrl_c_twice, "ReconfigVM_Task", False),
    ],
)
def test_the_next_up_ends_as_if_nothing_had_happened(
    lab: Lab, tmp_path: Path, end: Callable[[Process], None], moment: str, locked: bool
) -> None:
    before = one(lab, "app01")
    site = Site(tmp_path / "clone", site_config(lab, {"app01": "migrated"}))
    lab.post("/faults", {"method": moment, "action": "delay", "seconds": 4, "count": 1})
    process = site.project.start("up", "--yes", "--skip-preview")
    _until(lambda: lab.get("/faults")[0]["hits"] > 0)
    end(process)
    process.communicate(timeout=60)
    if locked:  # a CLI that is killed leaves the lock of its state, wherever that is kept
        assert "locked" in site.run("up", "--yes", "--skip-preview", succeeds=False)
        site.run("cancel", "--yes")
    lab.delete("/faults")
    site.up()
    now = one(lab, "app01")
    same(before, now, SAME)
    assert now["site"] == "target"
    assert "esxodus.lease" not in now["extraConfig"]
    writes = lab.writes
    site.up()
    assert lab.writes == writes, "settled stays settled"

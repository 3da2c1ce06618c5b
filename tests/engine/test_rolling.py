"""A rolling upgrade with the real engine against the lab: previewed, stopped by a failure, killed, continued, and settled."""

from __future__ import annotations

import copy
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.engine.conftest import REPOSITORY, Project, kill, started_by
from tests.engine.site_project import Site
from tests.engine.test_story import _until
from tools.demo import read_stack
from tools.rolling import hosts, upgraded
from tools.running_lab import Lab, running_lab

pytestmark = pytest.mark.engine

NAMES = ["esx1.lab", "esx2.lab", "esx3.lab", "esx4.lab"]
PASSWORD = "site-secret"
COMMAND = """
import os, sys, threading
sys.path.insert(0, {repository!r})
from vsphere.site import Site
from vsphere.tls import Endpoint
from vsphere.upgrading import profile_update
from vsphere.watch import News
assert os.environ["ESXODUS_VERSION"] == "7.0.3"
vcenter = Endpoint("site", os.environ["ESXODUS_VCENTER"], {user!r}, {password!r}, {thumbprint!r}, "")
site = Site(vcenter, News(), threading.Event())
profile_update(site, os.environ["ESXODUS_HOST"], {depot!r}, {profile!r})
"""


class Upgrade(Site):
    """A clone in which the project in upgrade/ is run."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        """Clone what an operator would have, and begin with an empty state."""
        (folder / "upgrade").mkdir(parents=True)
        shutil.copy(REPOSITORY / "upgrade" / "Pulumi.yaml", folder / "upgrade" / "Pulumi.yaml")
        shutil.copy(REPOSITORY / "__upgrade__.py", folder / "__upgrade__.py")
        super().__init__(folder, config)
        self.project = Project(folder / "upgrade", self.project.environment)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., tuple[Lab, Upgrade]]]:
    """Starts the rolling lab, faster and with fewer VMs, and makes the stack for it."""
    opened: list[Any] = []

    def starting(change: Callable[[dict[str, Any]], None] = lambda _: None) -> tuple[Lab, Upgrade]:
        stack = read_stack("lab-rolling")
        scenario = yaml.safe_load(stack.scenario.read_text(encoding="utf-8"))
        scenario["timescale"] = 240
        scenario["vms"] = [vm for vm in scenario["vms"] if vm["name"][-2:] in ("01", "02", "03", "04")]
        change(scenario)
        file = tmp_path / "rolling.yaml"
        file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
        opened.append(running_lab(file, any_port=True))
        lab = opened[-1].__enter__()
        config = copy.deepcopy(dict(stack.config))
        config["esxodus:site"]["vcenter"] = lab.endpoints["vcenters"]["site"]["host"]
        return lab, Upgrade(tmp_path / "clone", config)

    yield starting
    for one in opened:
        one.__exit__(None, None, None)


def well(lab: Lab) -> None:
    """Hold that every host is upgraded and in service, and that no guest was ever down."""
    assert upgraded(lab, "7.0.3") == len(NAMES), hosts(lab)
    vms = lab.get("/state")["vcenters"]["site"]["vms"].values()
    assert {vm["clock"]["downSeconds"] for vm in vms} == {0}
    assert lab.get("/violations") == []


def test_previewed_stopped_killed_continued_and_settled(start: Callable[..., Any]) -> None:
    lab, site = start()
    said = site.preview()
    assert lab.writes == 0, "a preview changes nothing"
    assert "prod to ESXi 7.0.3 build 21930508, one host at a time: needed now" in said

    lab.post(
        "/faults",
        {
            "method": "RebootHost_Task",
            "object": "esx2.lab",
            "count": 1,
            "action": "taskFault",
            "fault": "HostConfigFault",
        },
    )
    said = site.up(succeeds=False)
    assert "esx2.lab: restart it failed" in said
    assert [one["maintenance"] for _, one in sorted(hosts(lab).items())] == [False, True, False, False]
    assert hosts(lab)["esx3.lab"]["version"] == "6.7.0", "the first failure is the last step"

    writes = lab.writes
    said = site.preview()
    assert "error" not in said, "the host that is out is ours: it is taken up where it is"
    assert lab.writes == writes
    process = site.project.start("up", "--yes", "--skip-preview")
    _until(lambda: hosts(lab)["esx3.lab"]["maintenance"])
    kill(started_by(process))
    process.communicate(timeout=60)
    site.run("cancel", "--yes")
    site.up()
    well(lab)
    told = site.project.resources()
    assert told["esx2.lab"]["outputs"]["steps"].count("restart esx2.lab") == 1
    assert {one["method"] for one in told["esx1.lab"]["outputs"]["audit"]} >= {
        "EnterMaintenanceMode_Task", "esxcli software profile update", "RebootHost_Task", "ExitMaintenanceMode_Task",
    }  # fmt: skip
    writes = lab.writes
    site.up()
    assert lab.writes == writes, "settled stays settled"
    assert PASSWORD not in site.run("stack", "export")


def test_an_operators_own_command_upgrades_and_one_that_fails_stops_it(start: Callable[..., Any]) -> None:
    def two(scenario: dict[str, Any]) -> None:
        scenario["depots"][0]["profiles"][0]["refusedBy"] = ["esx2.lab"]

    lab, site = start(two)
    settings, one = site.config["esxodus:upgrade"], lab.endpoints["vcenters"]["site"]
    image = settings.pop("image")
    script = site.folder / "upgrade-host.py"
    text = COMMAND.format(
        repository=str(REPOSITORY), user=one["username"], password=PASSWORD, thumbprint=one["thumbprint"], **image
    )
    script.write_text(text, encoding="utf-8")
    settings["command"] = {"command": [sys.executable, str(script)], "timeout": 60}
    settings["hosts"] = NAMES[:2]
    said = site.up(succeeds=False)
    assert hosts(lab)["esx1.lab"]["version"] == "7.0.3"
    assert "exit code 1, after writing" in said
    assert "[upgrade.install-failed]" in said
    assert hosts(lab)["esx2.lab"]["maintenance"]


def test_not_n_plus_1_and_a_way_in_two_steps_are_refused_at_preview(start: Callable[..., Any]) -> None:
    def small(scenario: dict[str, Any]) -> None:
        for one in scenario["vcenters"][0]["hosts"]:
            one["memory"] = 40
        scenario["vcenters"][0]["hosts"][3]["version"] = "6.5.0"

    lab, site = start(small)
    settings = site.config["esxodus:upgrade"]
    settings["image"]["profile"] = "none"
    said = site.preview(succeeds=False)
    assert "esx1.lab: prod is not N+1 for what runs now: without it, " in said
    assert "has no image profile 'none'; it has ESXi-7.0U3n-21930508-no-tools, ESXi-7.0U3n-21930508-standard" in said
    settings["build"] = 15843807
    assert "an upgrade back in time" in site.preview(succeeds=False)
    assert lab.writes == 0
    site.config["esxodus:sitePassword"] = PASSWORD
    assert "must be encrypted as it's secret" in site.preview(succeeds=False)


def test_a_stack_is_either_a_migration_or_an_upgrade(start: Callable[..., Any]) -> None:
    lab, site = start()
    site.config["esxodus:waves"] = [{"name": "pilot", "stage": "migrated", "vms": ["app01"]}]
    assert "esxodus:waves: a key of a migration" in site.preview(succeeds=False)
    assert lab.writes == 0

"""What a wave may say, with the real engine: a health check, a pause, a number of failures, a host, an accepted warning."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.engine.conftest import REPOSITORY
from tests.engine.site_project import Site, site_config
from tools.running_lab import Lab, running_lab

pytestmark = pytest.mark.engine

SEVERAL = ("off01", "twin", "tmpl01")
REASON = "an appliance; it may be switched off"


@pytest.fixture(scope="module")
def address() -> str:
    """An address of this machine, so that a test opens and closes the ports of a guest; a loopback one is never a guest's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect(("192.0.2.1", 9))  # nothing is sent: it only says from where it would be
        except OSError:
            pytest.skip("this machine has no address but loopback")
        found: str = one.getsockname()[0]
    return found


@pytest.fixture
def lab(tmp_path: Path, address: str) -> Iterator[Lab]:
    scenario = yaml.safe_load((REPOSITORY / "tests" / "scenarios" / "small.yaml").read_text(encoding="utf-8"))
    (app01,) = [vm for vm in scenario["vms"] if vm["name"] == "app01"]
    app01["ips"] = [address]
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(scenario, allow_unicode=True), encoding="utf-8")
    with running_lab(file, any_port=True) as running:
        yield running
        assert running.get("/violations") == []


@pytest.fixture
def service(address: str) -> Iterator[socket.socket]:
    """A port that is taken and does not answer, until somebody makes it listen."""
    with socket.socket() as one:
        one.bind((address, 0))
        yield one


def found(lab: Lab) -> dict[str, dict[str, Any]]:
    """Return every VM that is registered, as the lab itself sees it."""
    sites = lab.get("/state")["vcenters"].values()
    return {name: vm for site in sites for name, vm in site["vms"].items()}


def volumes(vm: dict[str, Any]) -> set[str]:
    return {disk["path"].partition("]")[0].removeprefix("[") for disk in vm["disks"]}


def settings(lab: Lab, port: int) -> dict[str, Any]:
    config = site_config(lab, {})
    config["esxodus:waves"] = [
        {
            "name": "checked",
            "stage": "migrated",
            "health": {"ports": [port], "timeout": 1},
            "vms": [{"name": "app01", "placement": {"host": "esx70-2.lab"}}, {"name": "bare01", "health": "off"}],
        },
        {"name": "several", "stage": "migrated", "maxFailures": 1, "vms": list(SEVERAL)},
        {"name": "resting", "stage": "migrated", "paused": True, "vms": ["stubborn01"]},
    ]
    return config


def test_a_wave_holds_back_what_it_should_and_the_next_run_goes_on(
    lab: Lab, tmp_path: Path, service: socket.socket
) -> None:
    port = service.getsockname()[1]
    site = Site(tmp_path / "clone", settings(lab, port))
    before = found(lab)
    warning = re.compile(r"warning: bare01: [^\n]*\[guest\.no-tools\]")
    assert warning.search(site.preview())
    site.config["esxodus:accept"] = [{"concern": "guest.no-tools", "vm": "bare01", "reason": REASON}]
    said = site.preview()
    assert not warning.search(said), said
    assert lab.writes == 0
    for name in SEVERAL:
        lab.post("/faults", {"method": "RegisterVM_Task", "object": name, "action": "taskFault", "fault": "FileLocked"})

    # One VM after the other: the first of its wave that cannot be registered is the only one that has begun.
    said = site.run("up", "--yes", "--skip-preview", "--continue-on-error", "--parallel", "1", succeeds=False)
    now, told = found(lab), site.project.resources()
    assert (now["app01"]["site"], now["app01"]["host"]) == ("target", "esx70-2.lab")
    assert now["app01"]["power"] == "poweredOn"
    assert volumes(now["app01"]) == {"old-a", "old-b"}, "its files have not left the old array"
    assert told["app01"]["outputs"]["reached"] == "rehosted"
    assert f"TCP port {port} does not answer" in said
    assert (now["bare01"]["site"], volumes(now["bare01"])) == ("target", {"gold7-01"})
    assert any(
        text.startswith("guest.no-tools") and REASON in text for text in told["bare01"]["outputs"]["concerns"]
    ), told["bare01"]["outputs"]["concerns"]
    begun = [name for name in SEVERAL if name not in now]
    assert len(begun) == 1, "one was on its way when it failed"
    for name in {*SEVERAL, "stubborn01"} - {*begun}:
        assert now[name] == before[name], "it has not begun"
        assert told[name]["outputs"]["audit"] == []
    for name in {*SEVERAL} - {*begun}:
        assert "admits no more, because 1 of its VMs failed" in told[name]["outputs"]["waiting"]
    assert "wave resting is paused" in told["stubborn01"]["outputs"]["waiting"]

    lab.delete("/faults")
    service.listen()
    site.config["esxodus:waves"][2]["paused"] = False
    site.up()
    now, told = found(lab), site.project.resources()
    for name in ("app01", "bare01", "stubborn01", *SEVERAL):
        assert (now[name]["site"], volumes(now[name])) == ("target", {"gold7-01"}), name
        assert now[name]["power"] == before[name]["power"]
        assert (told[name]["outputs"]["reached"], told[name]["outputs"]["waiting"]) == ("migrated", "")
    assert now["app01"]["host"] == "esx70-2.lab"
    moves = [call["method"] for call in told["app01"]["outputs"]["audit"] if call["method"] == "UnregisterVM"]
    assert moves == ["UnregisterVM"], "it went on from where it was"

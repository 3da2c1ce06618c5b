"""The lab, started anew for each test: two vCenters on loopback, and a control port to look at them and make them fail."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.person import PASSWORDS
from tools.parts import ROOT
from tools.running_lab import BINARY, Lab, running_lab
from vsphere.sites import VSphereSites
from vsphere.tls import Endpoint

SMALL = ROOT / "tests" / "scenarios" / "small.yaml"
WHOLE = ROOT / "lab" / "scenarios" / "lab.yaml"


@pytest.fixture(scope="session")
def binary() -> Path:
    """The lab's program; built where Go is at hand, so that the tests are of the code as it is."""
    if shutil.which("go"):
        BINARY.parent.mkdir(parents=True, exist_ok=True)
        built = subprocess.run(
            ["go", "build", "-o", str(BINARY), "./cmd/lab"],
            cwd=ROOT / "lab",
            capture_output=True,
            text=True,
            check=False,
        )
        assert built.returncode == 0, built.stderr
    return BINARY


@pytest.fixture
def start(binary: Path) -> Iterator[Callable[[Path], Lab]]:
    """Starts labs that end with the test."""
    running: list[Any] = []

    def starting(scenario: Path) -> Lab:
        opened = running_lab(scenario, any_port=True, binary=binary)
        running.append(opened)
        return opened.__enter__()

    yield starting
    for opened in reversed(running):
        opened.__exit__(None, None, None)


@pytest.fixture
def lab(start: Callable[[Path], Lab]) -> Iterator[Lab]:
    """The whole site with its 16 VMs, and an empty target. At its end nothing may have been lost or run twice."""
    one = start(WHOLE)
    yield one
    assert one.get("/violations") == []


@pytest.fixture
def built(start: Callable[[Path], Lab], tmp_path: Path) -> Iterator[Lab]:
    """The small site, and a target with hosts, networks and a new datastore as the TargetSite component makes them."""
    one = start(_built(tmp_path))
    yield one
    assert one.get("/violations") == []


@pytest.fixture
def slow(start: Callable[[Path], Lab], tmp_path: Path) -> Iterator[Lab]:
    """The same in slow motion: a copy takes seconds."""
    one = start(_built(tmp_path, timescale=20))
    yield one
    assert one.get("/violations") == []


def _built(folder: Path, **changed: Any) -> Path:
    scenario = {**yaml.safe_load(SMALL.read_text(encoding="utf-8")), **changed}
    target = scenario["vcenters"][1]
    target["datacenters"] = [
        {
            "name": "tokyo7",
            "clusters": [{"name": "prod7", "hosts": [host["name"] for host in target["hosts"]]}],
            "networks": [{"name": "pg-prod", "vlan": 20}, {"name": "pg-dmz", "vlan": 30}],
        }
    ]
    scenario["arrays"][1]["luns"][0]["vmfs"] = {"name": "gold7-01", "version": 6}
    file = folder / "built.yaml"
    file.write_text(yaml.safe_dump(scenario, allow_unicode=True), encoding="utf-8")
    return file


def endpoints(lab: Lab, **changed: str) -> dict[str, Endpoint]:
    """Return the lab's vCenters, with what is given instead of the right values."""
    return {
        name: Endpoint(
            **{
                "name": name,
                "vcenter": vcenter["host"],
                "username": vcenter["username"],
                "password": PASSWORDS[name],
                "thumbprint": vcenter["thumbprint"],
                **changed,
            }
        )
        for name, vcenter in lab.endpoints["vcenters"].items()
    }


@pytest.fixture
def opened() -> Iterator[Callable[..., VSphereSites]]:
    """Opens sites over a lab; they are closed before the lab ends."""
    every: list[VSphereSites] = []

    def opening(lab: Lab, *volumes: str, stop: threading.Event | None = None) -> VSphereSites:
        every.append(VSphereSites(endpoints(lab), volumes, stop))
        return every[-1]

    yield opening
    for sites in every:  # those over one lab share its sessions: all stop following before the first logs out
        for name in ("source", "target"):
            sites.site(name).watch.end()
    for sites in every:
        sites.close()

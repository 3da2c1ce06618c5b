"""A site full of things that must be dealt with first: a preview says all of it at once, and touches nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import REPOSITORY
from tests.engine.site_project import Site, site_config
from tools.running_lab import Lab, running_lab

pytestmark = pytest.mark.engine

BLOCKED = {
    "network-unmapped01": "network.unmapped",
    "datastore-stays01": "disk.not-brought-along",
    "rdm-physical01": "rdm.physical",
    "rdm-virtual01": "rdm.virtual",
    "multi-writer01": "disk.shared",
    "shared-bus01": "disk.shared",
    "suspended01": "guest.suspended",
    "question01": "guest.question",
    "vapp01": "vm.in-vapp",
    "passthrough01": "device.passthrough",
    "sriov01": "device.sriov",
    "vgpu01": "device.vgpu",
    "fault-tolerant01": "vm.fault-tolerant",
    "backup-lock01": "vm.locked",
    "tools-install01": "guest.tools-installer",
    "local-1": "datastore.local",
    "datastore-local01": "disk.not-brought-along",
    "independent01": "disk.nonpersistent",
    "clone-parent01": "disk.base-of-clone",
    "orphan01": "vm.unreachable",
}
WARNED = {
    "usb01": "device.usb",
    "serial01": "device.serial",
    "iso01": "media.left-behind",
    "linked-clone01": "disk.linked",
}


@pytest.fixture
def lab() -> Iterator[Lab]:
    with running_lab(REPOSITORY / "tests" / "scenarios" / "blocked.yaml", any_port=True) as running:
        yield running
        assert running.get("/violations") == []


def said(output: str, severity: str) -> set[tuple[str, str]]:
    """Return (VM, id) of each concern of that severity that a preview has shown."""
    return set(re.findall(rf"{severity}: ([a-z0-9-]+): [^\n]* \[([a-z0-9.-]+)\] — \S", output))


def test_a_preview_lists_everything_that_blocks_and_touches_nothing(lab: Lab, tmp_path: Path) -> None:
    names = {name for site in lab.get("/state")["vcenters"].values() for name in site["vms"]}
    site = Site(tmp_path / "clone", site_config(lab, dict.fromkeys(sorted(names), "migrated")))
    output = site.preview(succeeds=False)
    errors = said(output, "error")
    assert set(BLOCKED.items()) <= errors, set(BLOCKED.items()) - errors
    assert {name for name, _ in errors} == set(BLOCKED), "and nothing else is in the way"
    assert ("datastore-stays01", "host.none-able") not in errors, "what follows from another concern is not said too"
    assert len({identifier for _, identifier in errors}) >= 12
    assert set(WARNED.items()) <= said(output, "warning"), set(WARNED.items()) - said(output, "warning")
    assert "plain01  reattach source → migrated: " in output
    assert "Nothing has been changed" in output
    assert lab.writes == 0

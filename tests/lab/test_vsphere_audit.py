"""The record of what was done holds every call that changed something, and no other: it is compared with what the lab saw."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from migration.admission import Admission
from migration.converge import converge
from migration.wanted import Identity, Stage, VmSpec
from tools.running_lab import Lab
from vsphere import audit
from vsphere.audit import Entry
from vsphere.sites import VSphereSites

pytestmark = pytest.mark.lab

Opened = Callable[..., VSphereSites]


def carried(sites: VSphereSites, name: str, stage: Stage, admission: Admission) -> list[Entry]:
    """Bring a VM to a stage; return what was recorded."""
    spec = VmSpec(
        Identity(name),
        stage,
        datacenter="tokyo7",
        cluster="prod7",
        old_volumes=("old-a", "old-b"),
        new_volumes=("gold7-01",),
        networks={"VM Network": "pg-prod", "DMZ": "pg-dmz"},
        on_shutdown_timeout="powerOff",
        shutdown_timeout=5,
    )
    with audit.recording() as entries:
        converge(spec, sites, admission, lambda *_: None, threading.Event())
    return entries


def test_every_write_of_whole_moves_there_and_back_by_any_path(built: Lab, opened: Opened) -> None:
    sites = opened(built, "old-a", "old-b")
    admission = Admission()
    names = ["app01", "off01", "tmpl01", "bare01"]
    recorded: dict[str, list[Entry]] = {name: [] for name in names}
    for stage in (Stage.MIGRATED, Stage.SOURCE):
        with ThreadPoolExecutor(len(names)) as pool:
            found = {name: pool.submit(carried, sites, name, stage, admission) for name in names}
        for name, future in found.items():
            recorded[name] += future.result()
    seen = built.get("/counters")["writes"]
    every = [entry for entries in recorded.values() for entry in entries]
    assert len(every) == seen["total"]
    for site, methods in seen["vcenters"].items():
        assert {method: number for method, number in methods.items() if number} == {
            method: sum((one.site, one.method) == (site, method) for one in every)
            for method in {one.method for one in every if one.site == site}
        }
    for name, entries in recorded.items():
        assert entries == sorted(entries, key=lambda entry: entry.time)
        about = {entry.object for entry in entries if entry.method in ("ReconfigVM_Task", "UnregisterVM", "SetField")}
        assert about == {name}
        assert {(entry.method, entry.ended) for entry in entries if entry.ended != "ok"} <= {
            ("CreateFolder", "DuplicateName"),  # another VM's thread was quicker
            ("CreateResourcePool", "NotSupported"),  # this cluster is one without DRS
            ("PowerOnVM_Task", "started"),  # it stopped at its question, and whoever answers follows it from there
        }
        assert all(entry.task for entry in entries if entry.method.endswith("_Task"))


def test_where_nothing_is_to_be_done_nothing_is_recorded(built: Lab, opened: Opened) -> None:
    assert carried(opened(built, "old-a", "old-b"), "app01", Stage.SOURCE, Admission()) == []
    assert built.writes == 0

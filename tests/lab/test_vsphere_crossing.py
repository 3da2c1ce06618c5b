"""A VM goes to another vCenter in one step: what is sent, what is seen, and what it means where that is refused."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from migration.actions import Cross, Placed
from migration.errors import Blocked, Paused, Refused, Stale
from migration.metadata import Allocation, Pool
from migration.model import Power, Vm
from migration.wanted import Identity
from tests.lab.conftest import SMALL, endpoints
from tests.person import person
from tools.running_lab import Lab
from vsphere import audit, tls
from vsphere.session import moref
from vsphere.sites import VSphereSites
from vsphere.tls import Endpoint

pytestmark = pytest.mark.lab

Opened = Callable[..., VSphereSites]
HOST = "esx70-1.lab"


def scenario(**changed: Any) -> dict[str, Any]:
    """Return the small site at 6.7 with one distributed switch, and a target that is built and has one too."""
    small: dict[str, Any] = {**yaml.safe_load(SMALL.read_text(encoding="utf-8")), **changed}
    source, target = small["vcenters"]
    source.update(version="6.7.0", build="14367737", api="6.7")
    for host in source["hosts"]:
        host.update(version="6.7.0", build="14320388")
    for host in target["hosts"]:
        host["vmotion"] = True
    source["datacenters"][0].update(
        switches=[{"name": "dvs6", "version": "6.6.0"}],
        networks=[{"name": "VM Network", "vlan": 20}, {"name": "DMZ", "vlan": 30, "switch": "dvs6"}],
    )
    target["datacenters"] = [
        {
            "name": "tokyo7",
            "clusters": [{"name": "prod7", "hosts": [host["name"] for host in target["hosts"]], "drs": True}],
            "switches": [{"name": "dvs7", "version": "6.6.0"}],
            "networks": [{"name": "pg-prod", "vlan": 20}, {"name": "pg-dmz", "vlan": 30, "switch": "dvs7"}],
        }
    ]
    small["arrays"][1]["luns"][0]["vmfs"] = {"name": "gold7-01", "version": 6}
    return small


def started(start: Callable[[Path], Lab], folder: Path, **changed: Any) -> Iterator[Lab]:
    file = folder / "live.yaml"
    file.write_text(yaml.safe_dump(scenario(**changed), allow_unicode=True), encoding="utf-8")
    one = start(file)
    yield one
    assert one.get("/violations") == []


@pytest.fixture
def live(start: Callable[[Path], Lab], tmp_path: Path) -> Iterator[Lab]:
    yield from started(start, tmp_path)


@pytest.fixture
def slow(start: Callable[[Path], Lab], tmp_path: Path) -> Iterator[Lab]:
    """The same in slow motion: a crossing takes seconds."""
    yield from started(start, tmp_path, timescale=20)


def vm(sites: VSphereSites, name: str) -> Vm:
    found = sites.observe(Identity(name))[0].vm
    assert found is not None, f"{name} is not registered once"
    return found


def volume(sites: VSphereSites, site: str, name: str) -> str:
    found = sites.observe(Identity("nobody"), look_adrift=False)[0].sites[site].volume_id(name)
    assert found is not None
    return found


def crossing(before: Vm, **changed: Any) -> Cross:
    """Return the crossing of a VM to the target, its files left where they are."""
    names = {"VM Network": "pg-prod", "DMZ": "pg-dmz"}
    usual = Cross(
        site="target",
        name=before.name,
        datacenter="tokyo7",
        cluster="prod7",
        folder=before.folder,
        pool="",
        pools=(),
        host="",
        nics={nic.key: names[nic.network] for nic in before.nics},
        to={},
        candidates=(),
        size=1,
        live=before.power is Power.ON,
    )
    return replace(usual, **changed)


def back(before: Vm, **changed: Any) -> Cross:
    """Return the crossing back to where the VM was."""
    return replace(
        crossing(before),
        site="source",
        datacenter="tokyo6",
        cluster="prod6",
        pool=before.pool,
        nics={nic.key: nic.network for nic in before.nics},
        **changed,
    )


def cross(sites: VSphereSites, seen: Vm, action: Cross, placed: Placed, told: Any = lambda *_: None) -> None:
    assert sites.perform(seen, action, placed, told)


def same(before: Vm, now: Vm) -> None:
    assert (now.instance_uuid, now.bios_uuid, now.notes, now.power, now.snapshots) == (
        before.instance_uuid,
        before.bios_uuid,
        before.notes,
        before.power,
        before.snapshots,
    )
    assert [(nic.key, nic.mac, nic.connected) for nic in now.nics] == [
        (nic.key, nic.mac, nic.connected) for nic in before.nics
    ]


def test_live_with_its_files_to_one_new_datastore_and_back_to_where_each_was(live: Lab, opened: Opened) -> None:
    sites = opened(live)
    before = vm(sites, "app01")
    new = volume(sites, "target", "gold7-01")
    told: list[tuple[str, int | None]] = []
    with audit.recording() as entries:
        action = crossing(before, candidates=(new,))
        cross(sites, before, action, Placed(HOST, new), lambda *what: told.append(what))
    now = vm(sites, "app01")
    same(before, now)
    assert (now.site, now.host, now.cluster, now.folder, now.pool) == ("target", HOST, "prod7", "apps/web", "")
    assert [nic.network for nic in now.nics] == ["pg-prod", "pg-dmz"]
    assert now.volumes == {new}
    assert now.question is None
    assert any("apps" in what for what, _ in told)
    assert [(entry.method, entry.object, entry.ended) for entry in entries if entry.task] == [
        ("RelocateVM_Task", "app01", "ok")
    ]
    home = {"home": before.vmx.volume, **{str(disk.key): disk.file.volume for disk in before.disks}}
    cross(sites, now, back(before, to=home), Placed("esx60-2.lab"))
    again = vm(sites, "app01")
    same(before, again)
    assert (again.site, again.host, again.folder, again.pool) == ("source", "esx60-2.lab", before.folder, before.pool)
    assert [disk.file.volume for disk in again.disks] == [disk.file.volume for disk in before.disks]
    assert [nic.network for nic in again.nics] == ["VM Network", "DMZ"]


@pytest.mark.parametrize("name", ["app01", "off01"])
def test_files_that_stay_are_named_each_where_it_is(live: Lab, opened: Opened, name: str) -> None:
    sites = opened(live)
    before = vm(sites, name)
    cross(sites, before, crossing(before), Placed(HOST))
    now = vm(sites, name)
    same(before, now)
    assert now.site == "target"
    assert [disk.file for disk in now.disks] == [disk.file for disk in before.disks]
    assert now.vmx == before.vmx


def test_the_pools_that_are_missing_are_made_with_their_settings_and_one_that_is_there_stays(
    live: Lab, opened: Opened
) -> None:
    sites = opened(live)
    pools = (
        Pool("production", Allocation("high", 1000), Allocation("high", 2048)),
        Pool("production/a%2fb", Allocation("6000", 500, 24000, False), Allocation("low", 1024, 8192, False)),
    )
    names = ["app01", "off01", "twin"]
    seen = {name: vm(sites, name) for name in names}

    def go(name: str) -> None:
        action = crossing(seen[name], pool="production/a%2fb", pools=pools)
        cross(sites, seen[name], action, Placed(HOST))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(go, names))
    assert {vm(sites, name).pool for name in names} == {"production/a%2fb"}
    with person(live, "target") as somebody:
        made = {name: somebody.pool(name) for name in ("production", "a%2fb")}
        cpu, memory = made["a%2fb"].config.cpuAllocation, made["a%2fb"].config.memoryAllocation
        assert (cpu.shares.level, cpu.shares.shares, cpu.reservation, cpu.limit) == ("custom", 6000, 500, 24000)
        assert (memory.shares.level, memory.reservation, memory.limit) == ("low", 1024, 8192)
        assert not cpu.expandableReservation
        assert moref(made["a%2fb"].parent) == moref(made["production"])
        assert made["production"].config.cpuAllocation.shares.level == "high"
        before = made["production"].config.changeVersion
    another = vm(sites, "bare01")
    other = (Pool("production", Allocation("low", 7), Allocation("low", 7)),)
    cross(sites, another, crossing(another, pool="production", pools=other), Placed(HOST))
    assert vm(sites, "bare01").pool == "production"
    with person(live, "target") as somebody:
        now = somebody.pool("production").config
        assert (now.cpuAllocation.reservation, now.changeVersion) == (1000, before)


def test_a_pool_that_the_cluster_refuses_does_not_hold_the_vm_up(live: Lab, opened: Opened) -> None:
    sites = opened(live)
    before = vm(sites, "off01")
    told: list[str] = []
    live.post(
        "/faults",
        {"vcenter": "target", "method": "CreateResourcePool", "action": "fault", "fault": "InsufficientResourcesFault"},
    )
    action = crossing(before, pool="production", pools=(Pool("production"),))
    cross(sites, before, action, Placed(HOST), lambda what, _: told.append(what))
    assert (vm(sites, "off01").site, vm(sites, "off01").pool) == ("target", "")
    assert any("cannot create the resource pool production" in what for what in told)


def test_the_other_vcenters_login_is_what_is_refused(
    live: Lab, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sites = opened(live)
    before = vm(sites, "app01")
    vm(sites, "app01")
    there = sites.site("target")
    there.endpoint = replace(there.endpoint, password="not-it-at-all")  # changed since we logged in
    with audit.recording() as entries, pytest.raises(Refused) as raised:
        cross(sites, before, crossing(before), Placed(HOST))
    text = str(raised.value)
    assert f"log in to target vCenter {there.endpoint.vcenter} as svc-migrate" in text
    assert "correct the user name or the password of that vCenter" in text
    assert [entry.ended for entry in entries if entry.task] == ["InvalidLogin"]
    told = text + caplog.text + "".join(map(repr, entries))
    assert not {one for one in ("not-it-at-all", "new-secret", "old-secret") if one in told}
    assert vm(sites, "app01") == before


def test_another_certificate_there_is_refused(live: Lab, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    sites = opened(live)
    before = vm(sites, "app01")
    monkeypatch.setattr(tls, "thumbprint", lambda endpoint: ":".join(["AB"] * 20))
    with pytest.raises(Refused, match="it shows another certificate there than to us"):
        cross(sites, before, crossing(before), Placed(HOST))
    assert vm(sites, "app01") == before


def test_a_pin_by_sha_256_serves_as_well(live: Lab) -> None:
    pins = {name: vcenter["thumbprintSha256"] for name, vcenter in live.endpoints["vcenters"].items()}
    sites = VSphereSites({name: replace(one, thumbprint=pins[name]) for name, one in endpoints(live).items()})
    try:
        before = vm(sites, "off01")
        cross(sites, before, crossing(before), Placed(HOST))
        assert vm(sites, "off01").site == "target"
    finally:
        sites.close()


def test_no_network_of_that_name_there_blocks_before_anything_is_sent(live: Lab, opened: Opened) -> None:
    sites = opened(live)
    before = vm(sites, "app01")
    writes = live.writes
    with pytest.raises(Blocked, match="target has no network 'nowhere'"):
        cross(sites, before, crossing(before, nics={before.nics[0].key: "nowhere"}), Placed(HOST))
    with pytest.raises(Stale, match=r"\[4999\]"):
        cross(sites, before, crossing(before, nics={4999: "pg-prod"}), Placed(HOST))
    with pytest.raises(Blocked, match=r"target does not show the host 'esx99\.lab' that it should be moved to"):
        cross(sites, before, crossing(before), Placed("esx99.lab"))
    with pytest.raises(Blocked, match="does not show the volume vmfs:none"):
        cross(sites, before, crossing(before), Placed(HOST, "vmfs:none"))
    assert live.writes == writes


def test_what_has_changed_since_it_was_observed_is_stale(live: Lab, opened: Opened) -> None:
    sites = opened(live)
    before = vm(sites, "off01")
    with pytest.raises(Stale, match="power state"):
        cross(sites, before, crossing(before, live=True), Placed(HOST))
    cross(sites, before, crossing(before), Placed(HOST))
    writes = live.writes
    with pytest.raises(Stale):
        cross(sites, before, crossing(before), Placed(HOST))
    assert live.writes == writes


@pytest.mark.parametrize(
    ("fault", "way_out"),
    [
        ("VMotionNotConfigured", "enable vMotion"),
        ("CpuIncompatible1ECX", "EVC|evc"),
        ("SnapshotMoveNotSupported", "snapshots"),
        ("NoDiskSpace", "free space"),
    ],
)
def test_a_refusal_tells_the_way_out_and_leaves_the_vm_alone(
    live: Lab, opened: Opened, fault: str, way_out: str
) -> None:
    sites = opened(live)
    before = vm(sites, "app01")
    live.post("/faults", {"vcenter": "source", "method": "RelocateVM_Task", "action": "taskFault", "fault": fault})
    with pytest.raises(Blocked, match=way_out):
        cross(sites, before, crossing(before), Placed(HOST))
    assert vm(sites, "app01") == before


def test_from_a_distributed_to_a_standard_switch_says_where_to_correct_it(live: Lab, opened: Opened) -> None:
    sites = opened(live)
    before = vm(sites, "bare01")
    with pytest.raises(Blocked, match="esxodus:networkMap"):
        cross(sites, before, crossing(before, nics={before.nics[0].key: "pg-prod"}), Placed(HOST))


def test_asked_to_stop_it_goes_on_and_is_in_flight_for_the_next_run(slow: Lab, opened: Opened) -> None:
    stop = threading.Event()
    first = opened(slow, stop=stop)
    before = vm(first, "app01")
    new = volume(first, "target", "gold7-01")

    def ask(_: str, percent: int | None) -> None:
        if percent:
            stop.set()

    with audit.recording() as entries, pytest.raises(Paused, match="goes on"):
        cross(first, before, crossing(before, candidates=(new,)), Placed(HOST, new), ask)
    assert [entry.ended for entry in entries if entry.task] == ["started"]
    second = opened(slow)
    moving = vm(second, "app01")
    assert moving.in_flight is not None
    assert "relocate" in moving.in_flight.name.lower()
    end = time.monotonic() + 30
    while not (vms := second.observe(Identity("app01"), look_adrift=False)[0].vms) or vms[0].site != "target":
        assert time.monotonic() < end
        time.sleep(0.1)
    assert vm(second, "app01").volumes == {new}


def test_a_lost_answer_leaves_the_crossing_to_be_observed(live: Lab, opened: Opened) -> None:
    sites = opened(live)
    before = vm(sites, "off01")
    live.post("/faults", {"vcenter": "source", "method": "RelocateVM_Task", "action": "dropAfter", "count": 1})
    with audit.recording() as entries, pytest.raises(Exception, match="no answer"):
        cross(sites, before, crossing(before), Placed(HOST))
    assert [entry.method for entry in entries if entry.ended != "ok"] == ["RelocateVM_Task"]
    end = time.monotonic() + 30
    while not (vms := sites.observe(Identity("off01"), look_adrift=False)[0].vms) or vms[0].site != "target":
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_certificate_that_is_exchanged_at_the_last_moment_stops_it_with_both_thumbprints(
    live: Lab, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    sites = opened(live)
    before = vm(sites, "app01")
    new = volume(sites, "target", "gold7-01")
    pinned = live.endpoints["vcenters"]["target"]["thumbprint"]
    shown = []

    def exchanging(endpoint: Endpoint) -> str:
        shown.append(live.post("/vcenters/target/certificate")["thumbprint"])
        return tls.colons(endpoint.thumbprint)

    monkeypatch.setattr(tls, "thumbprint", exchanging)
    with pytest.raises(Refused) as raised:
        cross(sites, before, crossing(before, candidates=(new,)), Placed(HOST, new))
    assert f"has the thumbprint {shown[0]}" in str(raised.value)
    assert f"{pinned} is pinned" in str(raised.value)
    homes = live.get("/state")["vcenters"]
    assert [site for site, state in homes.items() for one in state["vms"].values() if one["name"] == "app01"] == [
        "source"
    ]

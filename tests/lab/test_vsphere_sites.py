"""What the real sites do beyond the contract: reading in bulk, going on after trouble, stopping when asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from migration.actions import (
    Action,
    Placed,
    PowerOff,
    PowerOn,
    Reconnect,
    Register,
    Relocate,
    SetAttributes,
    ShutDown,
    Unregister,
)
from migration.errors import Blocked, Busy, MigrationError, Paused, Refused, Stale, Transient, Unreachable
from migration.model import File, Power, Tools, Vm
from migration.wanted import Identity
from tests.lab.conftest import WHOLE, endpoints
from tests.person import person
from tools.running_lab import Lab
from vsphere.sites import VSphereSites

pytestmark = pytest.mark.lab

Opened = Callable[..., VSphereSites]
QUIET = {"WaitForUpdatesEx"}


def vm(sites: VSphereSites, name: str) -> Vm:
    found = sites.observe(Identity(name))[0].vm
    assert found is not None, f"{name} is not registered once"
    return found


def do(sites: VSphereSites, name: str, action: Action, placed: Placed | None = None) -> bool:
    seen = sites.observe(Identity(name))[0]
    return sites.perform(seen.vm, action, placed or Placed(), lambda text, percent: None)


def until(sites: VSphereSites, holds: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        _, version = sites.observe(Identity("nobody"), look_adrift=False)
        sites.wait(version, 0.2)


def calls(lab: Lab) -> dict[str, int]:
    found = lab.get("/counters")["calls"]
    total: dict[str, int] = {}
    for site in found.values():
        for method, number in site.items():
            total[method] = total.get(method, 0) + number
    return total


def test_every_vm_of_the_site_as_the_scenario_describes_it(lab: Lab, opened: Opened) -> None:
    scenario = yaml.safe_load(WHOLE.read_text(encoding="utf-8"))
    sites = opened(lab)
    assert len(sites.site("source").inventory().registered) == 16
    volumes = {volume.id: volume.name for volume in sites.observe(Identity("app01"))[0].sites["source"].volumes}
    for wanted in scenario["vms"]:
        found = vm(sites, wanted["name"])
        assert found.site == "source"
        assert (found.datacenter, found.cluster, found.host) == ("tokyo6", "prod6", wanted["host"])
        assert found.folder == wanted.get("folder", "")
        assert found.template is wanted.get("template", False)
        assert found.pool == ("" if found.template else wanted.get("pool", ""))
        assert found.notes == wanted.get("notes", "")
        assert dict(found.attributes) == wanted.get("customAttributes", {})
        assert found.hardware == wanted.get("hardware", 11)
        assert found.memory == wanted.get("memory", 4)
        assert found.snapshots == len(wanted.get("snapshots", []))
        assert [nic.network for nic in found.nics] == [nic["network"] for nic in wanted["nics"]]
        assert [nic.connected for nic in found.nics] == [nic.get("connected", True) for nic in wanted["nics"]]
        assert [volumes[disk.file.volume] for disk in found.disks] == [disk["datastore"] for disk in wanted["disks"]]
        assert [disk.capacity for disk in found.disks] == [disk["size"] for disk in wanted["disks"]]
        used = zip(found.disks, wanted["disks"], strict=True)
        assert all(
            size["used"] <= round(disk.written) <= size["size"] for disk, size in used
        )  # thick disks are all written
        on = not found.template and wanted.get("power", "on") in ("on", True)
        assert found.power is (Power.ON if on else Power.OFF)
        if on:
            assert found.tools is (Tools.NOT_INSTALLED if wanted.get("tools") == "notInstalled" else Tools.RUNNING)
        assert found.reachable
        assert (found.question, found.in_flight, found.papers) == (None, None, None)


def test_the_source_site(lab: Lab, opened: Opened) -> None:
    view = opened(lab).observe(Identity("app01"))[0].sites["source"]
    assert [host.name for host in view.hosts] == [f"esx60-{number}.lab" for number in (1, 2, 3, 4)]
    assert all(host.usable and host.cluster == "prod6" and len(host.volumes) == 4 for host in view.hosts)
    assert {volume.name for volume in view.volumes} == {f"old-fc-0{number}" for number in (1, 2, 3, 4)}
    assert all(volume.id.startswith("vmfs:") for volume in view.volumes)
    assert view.networks == {"VM Network", "DMZ"}
    assert {host.hardware for host in view.hosts} == {11}


def test_a_bulk_read_and_then_no_call_but_the_wait(lab: Lab, opened: Opened) -> None:
    sites = opened(lab)
    vm(sites, "app01")
    before = calls(lab)
    # About twenty at each vCenter: the session, one filter with its first answer, and what is asked once whatever the number of
    # VMs. There is room for a few more of those, and none for one call for each of the 16 VMs.
    assert sum(before.values()) < 50
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: vm(sites, "db01"), range(500)))
    after = calls(lab)
    assert {method for method, number in after.items() if number != before.get(method)} <= QUIET
    assert lab.writes == 0


def test_what_a_person_does_is_seen(lab: Lab, opened: Opened) -> None:
    sites = opened(lab)
    known = vm(sites, "test01")
    with person(lab, "source") as somebody:
        somebody.power_off("test01")
        until(sites, lambda: vm(sites, "test01").power is Power.OFF)
        somebody.rename("test01", "test01-old")
        until(sites, lambda: not sites.observe(Identity("test01"), look_adrift=False)[0].vms)
    assert sites.observe(Identity("test01", known.instance_uuid))[0].vm is not None


@pytest.mark.parametrize("action", ["expire", "drop", "http503"])
def test_it_goes_on_after_trouble_with_the_updates(lab: Lab, opened: Opened, action: str) -> None:
    sites = opened(lab)
    before = vm(sites, "app01")
    lab.post("/faults", {"vcenter": "source", "method": "WaitForUpdatesEx", "action": action, "count": 1})
    with person(lab, "source") as somebody:  # an update ends the wait that is going on, the next one fails
        somebody.power_off("test01")
    until(sites, lambda: vm(sites, "test01").power is Power.OFF)
    with person(lab, "source") as somebody:
        somebody.power_off("app02")
    until(sites, lambda: vm(sites, "app02").power is Power.OFF)
    assert vm(sites, "app01") == before


def test_it_goes_on_after_the_vcenter_was_away(lab: Lab, opened: Opened) -> None:
    sites = opened(lab)
    before = vm(sites, "app01")
    lab.post("/vcenters/source/down")
    time.sleep(1)
    threading.Timer(1.5, lab.post, ["/vcenters/source/up"]).start()
    assert vm(sites, "app01") == before, "asked meanwhile it waits, and does not tell old news"


def test_a_vcenter_that_is_away_from_the_start_is_told_at_once(lab: Lab, opened: Opened) -> None:
    sites = opened(lab)
    lab.post("/vcenters/target/down")
    with pytest.raises(Unreachable, match="target vCenter"):
        sites.observe(Identity("app01"))


def test_a_wrong_password_is_told_by_observe(lab: Lab) -> None:
    sites = VSphereSites(endpoints(lab, password="wrong"))
    with pytest.raises(Refused, match="InvalidLogin"):
        sites.observe(Identity("app01"))


def test_asked_to_stop_a_wait_ends_within_a_second(lab: Lab, opened: Opened) -> None:
    stop = threading.Event()
    sites = opened(lab, stop=stop)
    _, version = sites.observe(Identity("app01"))
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Paused):
        sites.wait(version, 30)
    assert time.monotonic() - began < 1.2  # it is asked after 0.2, and a second is what is promised


# --- changes ----------------------------------------------------------------------------------------------------------


def taken_off(sites: VSphereSites, name: str) -> tuple[Vm, Register]:
    """Shut a VM down and unregister it; return it as it was, and its registration at the target."""
    before = vm(sites, name)
    do(sites, name, ShutDown(10))
    do(sites, name, Unregister("source"))
    found = sites.observe(Identity(name, before.instance_uuid))[0].adrift
    assert len(found) == 1
    register = Register(
        "target",
        found[0].vmx,
        name,
        "tokyo7",
        "prod7",
        before.folder,
        before.pool,
        "",
        found[0].volumes,
        frozenset(),
    )
    return before, register


def volume(sites: VSphereSites, site: str, name: str) -> str:
    found = sites.observe(Identity("nobody"), look_adrift=False)[0].sites[site].volume_id(name)
    assert found is not None
    return found


NEW_HOST = Placed(host="esx70-1.lab")


def test_its_own_tasks_are_not_in_flight_and_those_of_others_are(slow: Lab, opened: Opened) -> None:
    ours, others = opened(slow, "old-a", "old-b"), opened(slow)
    before, register = taken_off(ours, "app01")
    do(ours, "app01", register, NEW_HOST)
    vm(others, "app01")
    new = volume(ours, "target", "gold7-01")
    during: list[tuple[Any, Any]] = []

    def watch(_: str, percent: int | None) -> None:
        if percent:
            during.append((vm(ours, "app01").in_flight, vm(others, "app01").in_flight))

    ours.perform(vm(ours, "app01"), Relocate({}, (new,), 12), Placed(volume=new), watch)
    assert during, "a copy reports its progress"
    assert [mine for mine, _ in during if mine] == []
    theirs = [task for _, task in during if task]
    assert "relocate" in theirs[0].name.lower()
    assert vm(ours, "app01").volumes == {new}
    assert before.volumes != {new}


def test_asked_to_stop_a_copy_goes_on_and_the_next_run_finds_it_in_flight(slow: Lab, opened: Opened) -> None:
    stop = threading.Event()
    first = opened(slow, "old-a", "old-b", stop=stop)
    _, register = taken_off(first, "app01")
    do(first, "app01", register, NEW_HOST)
    new = volume(first, "target", "gold7-01")
    moving = vm(first, "app01")
    began: list[float] = []

    def ask(_: str, percent: int | None) -> None:
        if percent and not began:
            began.append(time.monotonic())
            stop.set()

    with pytest.raises(Paused, match="goes on"):
        first.perform(moving, Relocate({}, (new,), 12), Placed(volume=new), ask)
    assert time.monotonic() - began[0] < 1.2  # a second is promised; the rest is the thread's that asked
    second = opened(slow)
    assert vm(second, "app01").in_flight is not None
    until(second, lambda: vm(second, "app01").volumes == {new} and vm(second, "app01").in_flight is None)


def test_what_a_person_cancels_is_not_started_again(slow: Lab, opened: Opened) -> None:
    sites = opened(slow, "old-a", "old-b")
    _, register = taken_off(sites, "app01")
    do(sites, "app01", register, NEW_HOST)
    new = volume(sites, "target", "gold7-01")

    def cancel(_: str, percent: int | None) -> None:
        if percent:
            with person(slow, "target") as someone:
                someone.cancel("app01")

    with pytest.raises(Blocked, match="somebody cancelled this"):
        sites.perform(vm(sites, "app01"), Relocate({}, (new,), 12), Placed(volume=new), cancel)
    assert vm(sites, "app01").volumes == {volume(sites, "source", "old-a"), volume(sites, "source", "old-b")}


def test_another_vm_of_the_same_name_is_told(built: Lab, opened: Opened) -> None:
    sites = opened(built)
    meant = vm(sites, "app01")
    with person(built, "source") as someone:
        someone.rename("off01", "app01")
    who = Identity("app01", meant.instance_uuid)
    until(sites, lambda: bool(sites.observe(who)[0].namesakes))
    seen, _ = sites.observe(who)
    assert (seen.vm, seen.namesakes) == (meant, frozenset({("source", "tokyo6", "")}))


def test_folders_are_made_where_missing_and_pools_are_not(built: Lab, opened: Opened) -> None:
    sites = opened(built, "old-a", "old-b")
    before, register = taken_off(sites, "app01")
    assert (before.folder, before.pool) == ("apps/web", "production/databases")
    do(sites, "app01", register, NEW_HOST)
    now = vm(sites, "app01")
    assert (now.folder, now.pool, now.host, now.cluster) == ("apps/web", "", "esx70-1.lab", "prod7")


def test_many_at_once_share_folders_and_definitions(built: Lab, opened: Opened) -> None:
    sites = opened(built, "old-a", "old-b")
    names = ["app01", "off01", "twin"]
    registers = {name: taken_off(sites, name)[1] for name in names}

    def arrive(name: str) -> None:
        one = registers[name]
        there = Register("target", one.vmx, name, "tokyo7", "prod7", "new/deep", "", "", one.volumes, frozenset())
        do(sites, name, there, NEW_HOST)
        do(sites, name, SetAttributes({"esxodus.test": name}))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(arrive, names))
    for name in names:
        assert (vm(sites, name).folder, vm(sites, name).attributes) == ("new/deep", {"esxodus.test": name})


def test_a_vm_that_this_process_did_not_unregister_is_found_by_searching(built: Lab, opened: Opened) -> None:
    sites = opened(built, "old-a", "old-b")
    before = vm(sites, "off01")
    with person(built, "source") as somebody:
        somebody.unregister("off01")
    until(sites, lambda: not sites.observe(Identity("off01"), look_adrift=False)[0].vms)
    searches = calls(built).get("SearchDatastoreSubFolders_Task", 0)
    for who in (Identity("off01"), Identity("x", before.instance_uuid)):
        (found,) = sites.observe(who)[0].adrift
        assert (found.vmx, found.volumes, found.instance_uuid) == (before.vmx, before.volumes, before.instance_uuid)
    assert sites.observe(Identity("nobody"))[0].adrift == ()
    assert calls(built)["SearchDatastoreSubFolders_Task"] == searches + 2, "each volume once"


def test_the_networks_of_the_target_by_name(built: Lab, opened: Opened) -> None:
    sites = opened(built, "old-a", "old-b")
    before, register = taken_off(sites, "app01")
    do(sites, "app01", register, NEW_HOST)
    keys = [nic.key for nic in before.nics]
    do(sites, "app01", Reconnect({keys[0]: "pg-prod", keys[1]: "pg-dmz"}))
    now = vm(sites, "app01")
    assert [nic.network for nic in now.nics] == ["pg-prod", "pg-dmz"]
    assert [(nic.key, nic.mac, nic.connected) for nic in now.nics] == [
        (nic.key, nic.mac, nic.connected) for nic in before.nics
    ]
    with pytest.raises(Blocked, match="no network 'nowhere'"):
        do(sites, "app01", Reconnect({keys[0]: "nowhere"}))
    with pytest.raises(Stale, match=r"\[4999\]"):
        do(sites, "app01", Reconnect({4999: "pg-prod"}))


def test_a_card_that_is_not_connected_stays_so(built: Lab, opened: Opened) -> None:
    sites = opened(built, "old-a", "old-b")
    before, register = taken_off(sites, "off01")
    do(sites, "off01", register, NEW_HOST)
    do(sites, "off01", Reconnect({before.nics[0].key: "pg-prod"}))
    assert [(nic.network, nic.connected) for nic in vm(sites, "off01").nics] == [("pg-prod", False)]


def test_already_so_is_success_and_writes_little(built: Lab, opened: Opened) -> None:
    sites = opened(built)
    do(sites, "off01", PowerOff("test"))
    assert do(sites, "off01", ShutDown(1))
    before = built.writes
    do(sites, "app01", SetAttributes({"owner": "sato"}))
    assert built.writes == before


def test_a_guest_without_tools_is_not_waited_for(built: Lab, opened: Opened) -> None:
    sites = opened(built)
    began = time.monotonic()
    assert not do(sites, "bare01", ShutDown(30))
    assert (
        time.monotonic() - began < 5
    )  # far from the 30 that it may take, and more than a busy machine needs for one call
    assert vm(sites, "bare01").power is Power.ON


def test_a_guest_that_boots_is_asked_once_its_tools_run(built: Lab, opened: Opened) -> None:
    sites = opened(built)
    do(sites, "app01", PowerOff("test"))
    do(sites, "app01", PowerOn())
    assert do(sites, "app01", ShutDown(10))
    assert vm(sites, "app01").power is Power.OFF


def test_what_has_moved_meanwhile_is_stale(built: Lab, opened: Opened) -> None:
    sites = opened(built)
    before = vm(sites, "off01")
    with person(built, "source") as somebody:
        somebody.move("off01", "old-a")
    until(sites, lambda: vm(sites, "off01").vmx != before.vmx)
    with pytest.raises(Stale):
        sites.perform(before, Unregister("source"), Placed(), lambda *_: None)
    gone = Vm("source", "ghost", "no-such-uuid", "", File("", ""), Power.OFF)
    with pytest.raises(Stale):
        sites.perform(gone, PowerOn(), Placed(), lambda *_: None)
    assert vm(sites, "off01").site == "source"


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ({"action": "fault", "fault": "ConcurrentAccess"}, Busy),
        ({"action": "taskFault", "fault": "ConcurrentAccess"}, Busy),
        ({"action": "taskFault", "fault": "InsufficientResourcesFault", "message": "no memory left"}, Blocked),
        ({"action": "taskFault", "fault": "FileLocked"}, Blocked),
        ({"action": "expire"}, Transient),
        ({"action": "drop"}, Unreachable),
        ({"action": "http503"}, Unreachable),
    ],
    ids=str,
)
def test_a_change_that_fails_says_so_and_is_not_repeated(
    built: Lab, opened: Opened, rule: dict[str, str], error: type[MigrationError]
) -> None:
    sites = opened(built)
    vm(sites, "off01")
    built.post("/faults", {"vcenter": "source", "method": "PowerOnVM_Task", "count": 1, **rule})
    with pytest.raises(error) as raised:
        do(sites, "off01", PowerOn())
    assert "off01" in str(raised.value)
    assert calls(built)["PowerOnVM_Task"] == 1
    assert vm(sites, "off01").power is Power.OFF
    do(sites, "off01", PowerOn())
    assert vm(sites, "off01").power is Power.ON


def test_a_fault_rule_means_one_of_those_that_are_registered(built: Lab, opened: Opened) -> None:
    sites = opened(built, "old-a", "old-b")
    registers = {name: taken_off(sites, name)[1] for name in ("twin", "off01")}
    rule = {"method": "RegisterVM_Task", "object": "off01", "action": "taskFault", "fault": "FileLocked", "count": 1}
    built.post("/faults", rule)
    do(sites, "twin", registers["twin"], NEW_HOST)
    with pytest.raises(Blocked, match="off01"):
        do(sites, "off01", registers["off01"], NEW_HOST)
    assert [(one["seen"], one["hits"]) for one in built.get("/faults")] == [(1, 1)]
    do(sites, "off01", registers["off01"], NEW_HOST)
    assert vm(sites, "off01").site == "target"


def test_a_lost_answer_leaves_the_effect_to_be_observed(built: Lab, opened: Opened) -> None:
    sites = opened(built)
    vm(sites, "off01")
    built.post("/faults", {"vcenter": "source", "method": "PowerOnVM_Task", "action": "dropAfter", "count": 1})
    with pytest.raises(Unreachable):
        do(sites, "off01", PowerOn())
    until(sites, lambda: vm(sites, "off01").power is Power.ON)
    do(sites, "off01", PowerOn())
    assert calls(built)["PowerOnVM_Task"] == 2

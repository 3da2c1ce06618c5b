"""Each concern: a world that has it, and the nearest one that has not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import pytest

from migration.actions import Wait
from migration.concerns import ALL, KINDS, blocking, concerns, known_ids, only_block
from migration.decide import decide
from migration.model import Device, Nic, Power, Severity, Tools, Vm
from migration.plan import plan
from migration.rule import guest_down
from migration.wanted import Identity, VmSpec, Wave, Window
from tests.fake_sites import a_vm
from tests.unit import worlds_place, worlds_vm
from tests.unit.concern_worlds import BACK, REHOSTED, STOPPING, World, disk, hosts, live_world, world
from tests.unit.test_decide import PAPERS, SPEC, arrived, settled

CASES = {**worlds_vm.CASES, **worlds_place.CASES}
LESS_OBVIOUS = (*worlds_vm.LESS_OBVIOUS, *worlds_place.LESS_OBVIOUS)
RULES = {rule.id: rule for rule in ALL}
ROOT = Path(__file__).resolve().parents[2]


def ids(seen: World) -> set[str]:
    return {concern.id for concern in concerns(*seen)}


def blocks(seen: World) -> set[str]:
    return {concern.id for concern in blocking(*seen)}


@pytest.mark.parametrize("identifier", CASES)
def test_concern(identifier: str) -> None:
    with_it, without_it = CASES[identifier]
    found = [concern for concern in concerns(*with_it) if concern.id == identifier]
    assert found
    for concern in found:
        assert concern.severity is RULES[identifier].severity
        assert concern.subject in {"app01", "old-a", "vc60", "vc70", "vc60 and vc70", "esx70-1", "esx70-2", "esx70-3"}
        for text in (concern.sentence, concern.remedy):
            assert text
            assert not text.endswith(".")
            assert "%s" not in text
        assert identifier in str(concern)
    assert identifier not in ids(without_it)


@pytest.mark.parametrize(("identifier", "seen"), LESS_OBVIOUS)
def test_less_obvious_cases(identifier: str, seen: World) -> None:
    assert identifier in ids(seen)


@pytest.mark.parametrize(("identifier", "seen"), worlds_place.ABSENT)
def test_where_it_does_not_matter(identifier: str, seen: World) -> None:
    assert identifier not in ids(seen)


def test_every_rule_has_its_case() -> None:
    assert set(CASES) == set(RULES)
    assert len(CASES) == len(worlds_vm.CASES) + len(worlds_place.CASES)


def test_kinds_are_told_apart_and_complete() -> None:
    identifiers = [kind.id for kind in KINDS]
    assert len(set(identifiers)) == len(identifiers)
    assert len(identifiers) >= 40
    for kind in KINDS:
        assert kind.about.endswith(".")
        assert kind.remedy
        assert not kind.remedy.endswith(".")
        assert kind.source


def _raised_in(tree: ast.AST) -> Iterator[str]:
    """Yield the id of each concern that is made outside the rules; "*" for a part that is put together."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        place = {"Concern": 0, "_stop": 1}.get(name)
        if place is None or len(node.args) <= place:
            continue
        match node.args[place]:
            case ast.Constant(str(text)):
                yield text
            case ast.JoinedStr(parts):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in parts)
            case other:
                assert isinstance(other, ast.Name | ast.Attribute), ast.dump(other)


def test_no_id_exists_outside_the_registry() -> None:
    raised = {
        identifier
        for package in ("migration", "vsphere", "fabric", "components")
        for path in (ROOT / package).rglob("*.py")
        for identifier in _raised_in(ast.parse(path.read_text()))
    }
    assert {"register.no-*", "task.cancelled", "rollback.volume-not-seen", "datastore.vmfs3"} <= raised
    listed = {kind.id for kind in KINDS}
    assert {one for one in raised if not any(fnmatch(identifier, one) for identifier in listed)} == set()


def test_no_tools_blocks_where_the_policy_is_to_stop() -> None:
    seen = world(a_vm(tools=Tools.NOT_INSTALLED), spec=STOPPING)
    assert blocks(seen) == {"guest.no-tools"}


def test_a_vm_whose_files_are_unknown_is_named_and_is_not_an_other_to_itself() -> None:
    others = (("target", "Unknown"), ("source", "app01"))
    (found,) = (one for one in blocking(*world(a_vm(), unreadable=others)) if one.id == "vm.others-unreadable")
    assert "'Unknown' at vc70" in found.sentence
    assert "app01" not in found.sentence
    assert "vm.others-unreadable" not in ids(world(a_vm(), unreadable=others[1:]))
    assert "vm.others-unreadable" not in ids(world(settled(), unreadable=others))


def test_on_the_way_back_a_namesake_in_another_datacenter_is_none() -> None:
    for namesake in (("source", "osaka", "apps"), ("target", "tokyo7", "apps")):
        assert "vm.name-taken" not in ids(world(settled(), spec=BACK, namesakes=frozenset({namesake})))


def test_a_tag_service_that_fails_where_there_is_one_warns() -> None:
    for version, severity in (("6.0.0", Severity.INFORMS), ("6.5.0", Severity.WARNS), ("7.0.3", Severity.WARNS)):
        found = concerns(*world(a_vm(), source={"version": version}))
        assert [one.severity for one in found if one.id == "site.no-tags"] == [severity]


def test_those_that_block_come_first() -> None:
    found = concerns(*world(a_vm(tools=Tools.NOT_INSTALLED), spec=replace(SPEC, networks={})))
    assert [concern.severity for concern in found] == [Severity.BLOCKS, Severity.WARNS, Severity.INFORMS]


def test_ambiguity_names_the_way_out() -> None:
    spec = replace(SPEC, identity=Identity("app01"))
    found = blocking(*world(a_vm(), a_vm(instance_uuid="other"), spec=spec))
    assert "uuid: …" in found[0].remedy


def test_while_a_move_between_vcenters_ends_both_show_it_and_that_is_waited_for() -> None:
    decision = decide(*world(a_vm(in_flight=worlds_vm.MOVING), settled()))
    assert isinstance(decision, Wait)
    assert "Relocate virtual machine" in decision.reason


@pytest.mark.parametrize(
    ("shutdown", "length", "says"),
    [
        (60, 30, "it takes about 3 min, and the window of wave 'night' is 30 s long: it would never be begun"),
        (60, 100, "it takes about 3 min, and the window of wave 'night' is 100 s long: it would not be finished in it"),
        (600, 300, "it takes about 14 min, and the window of wave 'night' is 5 min long: it would never be begun"),
    ],
)
def test_a_short_window_is_told_in_a_unit_that_tells_it(shutdown: float, length: float, says: str) -> None:
    wave = Wave("night", window=Window(0, length))
    seen = world(a_vm(), spec=replace(SPEC, shutdown_timeout=shutdown, wave=wave))
    (found,) = [one for one in concerns(*seen) if one.id == "wave.window-short"]
    assert found.sentence == says
    steps = plan(*seen, now=0)
    assert bool(steps.held) is ("never" in says), "and that is so"


class TestAcceptance:
    def test_an_accepted_warning_informs_with_the_reason(self) -> None:
        spec = replace(SPEC, accepted={"guest.pinned": "set anew on Monday"})
        found = next(
            one for one in concerns(*world(a_vm(pinned="CPU affinity"), spec=spec)) if one.id == "guest.pinned"
        )
        assert found.severity is Severity.INFORMS
        assert found.said.endswith(" (set anew on Monday)")
        assert str(found).startswith("app01: accepted: it has CPU affinity")

    def test_what_blocks_cannot_be_accepted(self) -> None:
        spec = replace(SPEC, accepted={"vm.encrypted": "never mind"})
        found = next(one for one in blocking(*world(a_vm(encrypted=True), spec=spec)) if one.id == "vm.encrypted")
        assert "cannot be accepted" in found.sentence
        assert "never mind" not in found.sentence

    def test_an_id_that_is_sometimes_a_warning_can_be_accepted(self) -> None:
        """No world of these tests, in which no guest is down, has a warning with an id that is refused in the settings."""
        worlds = [seen for pair in CASES.values() for seen in pair]
        worlds += [seen for _, seen in (*LESS_OBVIOUS, *worlds_place.ABSENT)]
        worlds.append(world(a_vm(disks=disk(mode="nonpersistent")), spec=REHOSTED))
        calm = [seen for seen in worlds if not guest_down(seen[1])]
        warned = {one.id for seen in calm for one in concerns(*seen) if one.severity is Severity.WARNS}
        assert "disk.nonpersistent" in warned
        assert warned & only_block() == set()
        assert {"vm.encrypted", "live.cpu", "hook.failed"} <= only_block()

    def test_others_stay_as_they_are(self) -> None:
        spec = replace(SPEC, accepted={"guest.pinned": "set anew on Monday"})
        found = concerns(*world(a_vm(consolidation=True), spec=spec))
        assert Severity.WARNS in {one.severity for one in found if one.id == "vm.needs-consolidation"}

    def test_the_ids_that_can_be_written_are_known(self) -> None:
        assert {"guest.pinned", "live.cpu", "task.cancelled"} <= known_ids()
        assert not any("*" in identifier for identifier in known_ids())


AWFUL: Final[dict[str, Any]] = {
    "devices": tuple(Device(kind, kind) for kind in ("passthrough", "vtpm", "usb", "hostMedia")),
    "disks": disk(rdm="physical", sharing="bus", mode="nonpersistent", linked="clone", written=2000),
    "locked": ("RelocateVM_Task",),
    "encrypted": True,
    "fault_tolerant": True,
    "vapp": True,
    "tools_installer": True,
    "consolidation": True,
    "hardware": 21,
    "memory": 5000.0,
    "cpus": 500,
    "cpu_reservation": 5_000_000.0,
    "memory_reservation": 5000.0,
    "pinned": "CPU affinity",
    "snapshots": 5,
    "depth": 5,
}
UNSAFE: Final = {
    "vm.fault-tolerant",
    "vm.encrypted",
    "hardware.too-new",
    "rdm.physical",
    "disk.shared",
    "device.passthrough",
    "device.vtpm",
    "host.reservation-too-large",
}
"""Going on would be refused, or the VM could not run there."""
BEFOREHAND: Final = {
    "vm.locked",
    "vm.in-vapp",
    "vm.others-unreadable",
    "disk.nonpersistent",
    "datastore.too-small",
    "guest.tools-installer",
    "host.cpu-too-few",
    "host.cpu-reservation",
    "site.permission",
}
"""Nothing that is worth a guest that stays down."""


class TestProcessors:
    """How grave it is that no host can run a VM depends on whether it is to run."""

    @pytest.mark.parametrize(
        ("identifier", "vm", "severity"),
        [
            ("host.cpu-too-few", a_vm(cpus=49), Severity.BLOCKS),
            ("host.cpu-too-few", a_vm(cpus=49, power=Power.OFF), Severity.WARNS),
            ("host.cpu-reservation", a_vm(cpu_reservation=60_001), Severity.BLOCKS),
            ("host.cpu-reservation", a_vm(cpu_reservation=20_001), Severity.WARNS),
        ],
    )
    def test_severity(self, identifier: str, vm: Vm, severity: Severity) -> None:
        found = concerns(*world(vm, target=worlds_place.SMALL))
        assert [one.severity for one in found if one.id == identifier] == [severity]

    def test_one_that_is_off_and_crosses_would_be_refused(self) -> None:
        assert blocks(live_world(a_vm(cpus=49, power=Power.OFF), target=worlds_place.SMALL)) == {"host.cpu-too-few"}

    def test_what_is_wrong_with_every_host_is_told_at_once(self) -> None:
        seen = world(a_vm(cpus=49, cpu_reservation=60_001, hardware=20), target=worlds_place.SMALL)
        assert blocks(seen) == {"hardware.too-new", "host.cpu-too-few", "host.cpu-reservation"}

    def test_hosts_of_other_clusters_do_not_count(self) -> None:
        spec, seen = world(a_vm(hardware=13))
        old = replace(seen.sites["target"].hosts[0], name="old", cluster="other", hardware=11)
        elsewhere = replace(old, hardware=19)
        for others, expected in (((old,), set()), ((elsewhere,), {"hardware.too-new"})):
            mine = hosts("target", hardware=19 if others == (old,) else 11)["hosts"]
            view = replace(seen.sites["target"], hosts=(*mine, *others))
            assert blocks((spec, replace(seen, sites={**seen.sites, "target": view}))) == expected


class TestOnItsWay:
    """Everything is wrong at once. What may still hold a VM up, and where?"""

    def around(self, vm: Vm, spec: VmSpec = SPEC) -> World:
        lacking = {"lacking": (("tokyo7", "Folder.Create"),)}
        beyond = {**hosts("target", memory=768.0, threads=96, mhz=200_000.0), **lacking}
        return world(vm, spec=spec, target=beyond, unreadable=(("source", "Unknown"),))

    def test_before_it_departs_all_of_it_blocks(self) -> None:
        assert blocks(self.around(a_vm(**AWFUL))) == UNSAFE | BEFOREHAND

    def test_as_long_as_it_runs_it_may_stay_although_its_papers_are_written(self) -> None:
        assert blocks(self.around(a_vm(**AWFUL, papers=PAPERS))) == UNSAFE | BEFOREHAND

    def test_once_its_guest_is_down_only_what_makes_going_on_unsafe(self) -> None:
        seen = self.around(a_vm(**AWFUL, papers=PAPERS, power=Power.OFF))
        assert blocks(seen) == UNSAFE
        warned = {one.id for one in concerns(*seen) if one.severity is Severity.WARNS}
        assert warned >= BEFOREHAND

    def test_registered_where_it_is_wanted_nothing_keeps_it_from_being_powered_on(self) -> None:
        assert blocks(self.around(arrived(**AWFUL))) == set()

    def test_settled_only_what_forbids_the_copy_of_its_files(self) -> None:
        assert blocks(self.around(settled(**AWFUL))) == {
            "vm.fault-tolerant",
            "rdm.physical",
            "disk.shared",
            "device.passthrough",
            *BEFOREHAND - {"vm.in-vapp", "vm.others-unreadable", "host.cpu-too-few", "host.cpu-reservation"},
        }

    def test_registered_nowhere_nothing_keeps_it_from_being_registered(self) -> None:
        spec, seen = self.around(a_vm())
        assert blocking(spec, replace(seen, vms=(), adrift=worlds_vm.LOST)) == ()

    def test_at_the_source_again_where_it_is_wanted_nothing_does(self) -> None:
        vm = a_vm(**AWFUL, papers=replace(PAPERS, leaving="target"), power=Power.OFF)
        assert blocks(self.around(vm, BACK)) == set()

    def test_a_card_that_lost_its_network_meanwhile_would_stay_without_for_good(self) -> None:
        papers = replace(PAPERS, nics={"4000": "Backup"})
        nics = (Nic(4000, "Network adapter 1", "m", "Backup"),)
        assert blocks(self.around(arrived(papers=papers, nics=nics))) == {"network.unmapped"}

"""The next step of one host's upgrade, and which host can take a VM that leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from migration.metadata import Overrides, Rule
from migration.model import Power
from migration.upgrade import Await, Done, Enter, Install, Leave, Mark, Move, Reboot, Reconnect, SoFar, Stop, decide
from migration.upgrade_concerns import Against
from migration.upgrade_fleet import Connection, Fleet
from migration.upgrade_places import destination
from tests.unit.upgrade_worlds import WANTED, fleet, member, ruled, upgraded, vm

NEW = "ESXi-7.0U3n-21930508-standard"
APART = Rule("apart", "antiAffinity", (("uuid-a", "a"), ("uuid-b", "b")))


@pytest.mark.parametrize(
    ("world", "step"),
    [
        (fleet(), Mark()),
        (fleet(member("esx1", ours=True)), Enter()),
        (fleet(member("esx1", maintenance=True, ours=True)), Install()),
        (fleet(member("esx1", maintenance=True, ours=True, next_image=NEW)), Reboot()),
        (fleet(member("esx1", maintenance=True, ours=True, connection=Connection.DISCONNECTED)), Reconnect()),
        (fleet(upgraded("esx1", maintenance=True, ours=True)), Leave()),
        (fleet(upgraded("esx1", ours=True)), Mark(on=False)),
        (fleet(upgraded("esx1")), Done()),
        (fleet(member("esx1", version="7.0.3", build=WANTED.build + 1)), Done()),
        (fleet(upgraded("esx1", maintenance=True)), Done()),
    ],
)
def test_each_phase_is_recognised_from_the_world(world: Fleet, step: Any) -> None:
    assert decide("esx1", WANTED, world) == step


@pytest.mark.parametrize(
    "one",
    [
        member("esx1", connection=Connection.SILENT, ours=True, maintenance=True),
        member("esx1", ours=True, entering=True),
        upgraded("esx1", ours=True, maintenance=True, volumes=frozenset()),
        upgraded("esx1", ours=True, maintenance=True, networks=frozenset()),
        upgraded("esx1", ours=True, maintenance=True, vmotion=False),
    ],
)
def test_what_passes_by_itself_is_waited_for(one: Any) -> None:
    assert isinstance(decide("esx1", WANTED, fleet(one)), Await)


@pytest.mark.parametrize(
    ("world", "identifier"),
    [
        (fleet(), "upgrade.host-unknown"),
        (fleet(member("esx9", maintenance=True)), "upgrade.host-out"),
        (fleet(member("esx9", connection=Connection.SILENT)), "upgrade.host-out"),
        (fleet(member("esx9"), member("esx2", maintenance=True)), "upgrade.host-out"),
        (fleet(member("esx9"), member("esx2", connection=Connection.DISCONNECTED)), "upgrade.host-out"),
        (fleet(member("esx9"), member("esx2", maintenance=True, ours=True)), "upgrade.host-out"),
        (fleet(member("esx9", ours=True), vms=[vm("big", "esx9", memory=500.0)], drs="manual"), "upgrade.vm-nowhere"),
    ],
)
def test_what_needs_somebody_stops_it(world: Fleet, identifier: str) -> None:
    stop = decide("esx9", WANTED, world)
    assert isinstance(stop, Stop)
    assert stop.id == identifier
    assert Against.named(identifier).value.id == identifier


def test_a_host_that_did_not_boot_the_image_stops_it_and_another_run_installs_again() -> None:
    world = fleet(member("esx1", maintenance=True, ours=True))
    stop = decide("esx1", WANTED, world, SoFar(installed=True, rebooted=True))
    assert isinstance(stop, Stop)
    assert stop.id == "upgrade.reverted"
    assert decide("esx1", WANTED, world, SoFar(installed=True)) == Reboot()
    assert decide("esx1", WANTED, world) == Install()


def test_where_drs_leaves_vms_to_people_they_are_moved_first() -> None:
    world = fleet(member("esx1", ours=True), drs="manual")
    step = decide("esx1", WANTED, world)
    assert step == Move(world.vms[0], "esx3")
    while isinstance(step := decide("esx1", WANTED, world), Move):
        world = world.moved(step.vm, step.to)
    assert step == Enter()
    assert [one.host for one in world.vms].count("esx1") == 0
    off = fleet(member("esx1", ours=True), vms=[vm("off", "esx1", power=Power.OFF)], drs="manual")
    assert decide("esx1", WANTED, off) == Enter()


@pytest.mark.parametrize(
    ("drs", "own", "by_drs"),
    [
        ("fullyAutomated", Overrides(), True),
        ("fullyAutomated", Overrides(drs_behavior="manual"), False),
        ("fullyAutomated", Overrides(drs_enabled="false"), False),
        ("partiallyAutomated", Overrides(), False),
        ("partiallyAutomated", Overrides(drs_behavior="fullyAutomated"), True),
        ("", Overrides(drs_behavior="fullyAutomated"), False),
    ],
)
def test_who_moves_a_vm(drs: str, own: Overrides, *, by_drs: bool) -> None:
    one = ruled(vm("a", "esx1"), overrides=own)
    assert fleet(vms=[one], drs=drs).moved_by_drs(one) is by_drs
    step = decide("esx1", WANTED, fleet(member("esx1", ours=True), vms=[one], drs=drs))
    assert isinstance(step, Enter if by_drs else Move)


@pytest.mark.parametrize(
    ("others", "one", "why"),
    [
        ({"vmotion": False}, vm("a", "esx1"), "carries no vMotion"),
        ({"volumes": frozenset()}, vm("a", "esx1"), "does not reach gold"),
        ({"networks": frozenset()}, vm("a", "esx1"), "lacks the network VM Network"),
        ({"evc": frozenset({"intel-haswell"})}, vm("a", "esx1", evc="intel-skylake"), "lacks processor features"),
        ({"memory": 4.0}, vm("a", "esx1"), "4 GiB of memory left"),
        ({"mhz": 100.0}, vm("a", "esx1", cpu_reservation=500.0), "100 MHz left"),
        ({"maintenance": True}, vm("a", "esx1"), "out of service"),
    ],
)
def test_a_host_that_cannot_take_a_vm_says_why(others: dict[str, Any], one: Any, why: str) -> None:
    world = fleet(member("esx2", **others), member("esx3", **others), vms=[one], volumes={"vmfs:shared": "gold"})
    to, said = destination(one, world, "esx1")
    assert to is None
    assert "esx2, esx3: " in said
    assert why in said
    assert destination(one, replace(world, members=fleet().members), "esx1")[0]


def test_rules_of_vms_and_of_hosts_are_kept() -> None:
    a, b = ruled(vm("a", "esx1"), APART), ruled(vm("b", "esx3"), APART)
    to, _ = destination(a, fleet(vms=[a, b]), "esx1")
    assert to is not None
    assert to.name == "esx2"
    groups = {"licensed": frozenset({"esx1", "esx3"})}
    must = Rule("licence", "vmHost", vm_group="dbs", host_group="licensed", mandatory=True)
    for rule, name in (
        (must, "esx3"),
        (replace(must, affine=False), "esx2"),
        (replace(must, mandatory=False), "esx3"),
        (replace(must, enabled=False), "esx3"),
    ):
        one = ruled(vm("db", "esx1"), rule)
        to, _ = destination(one, fleet(vms=[one], groups=groups), "esx1")
        assert to is not None
        assert to.name == name
    here = replace(must, host_group="here")
    one = ruled(vm("db", "esx1"), here)
    assert destination(one, fleet(vms=[one], groups={"here": frozenset({"esx1"})}), "esx1") == (
        None,
        "esx2, esx3: DRS rule 'licence'",
    )

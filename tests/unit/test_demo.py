"""The demo's verdict: it must be able to say no."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tools.census import Counted
from tools.demo import DemoError, Stack, check, choices, guest_clocks, interrupted, read_stack, shown, vm_outputs

STACK = Stack(
    "lab",
    Path("Pulumi.lab.yaml"),
    Path("scenario.yaml"),
    {
        "esxodus:oldDatastores": ["old-a"],
        "esxodus:target": {"datastores": [{"name": "new-1"}]},
        "esxodus:waves": [{"stage": "migrated", "vms": ["app01", {"name": "app02", "stage": "source"}]}],
    },
)
WAS = Counted(
    site="source",
    name="app01",
    instance_uuid="5000",
    power="poweredOn",
    template=False,
    macs=("00:50:56:00:00:01",),
    disks=(("Hard disk 1", 10),),
    datastores=frozenset({"old-a"}),
    notes="",
    snapshots=0,
)
NOW = replace(WAS, site="target", datastores=frozenset({"new-1"}))


def test_a_vm_that_arrived_whole_is_well() -> None:
    assert check(STACK, "migrated", WAS, {"5000": [NOW]}) == []
    assert check(STACK, "source", WAS, {"5000": [WAS]}) == []
    assert check(STACK, "rehosted", WAS, {"5000": [replace(NOW, datastores=WAS.datastores)]}) == []


@pytest.mark.parametrize(
    "change",
    [
        {"site": "source"},
        {"macs": ("00:50:56:00:00:02",)},
        {"disks": (("Hard disk 1", 11),)},
        {"power": "poweredOff"},
        {"template": True},
        {"notes": "mangled"},
        {"snapshots": 1},
        {"datastores": frozenset({"old-a", "new-1"})},
    ],
)
def test_anything_that_is_not_as_it_should_be_is_named(change: dict[str, Any]) -> None:
    assert len(check(STACK, "migrated", WAS, {"5000": [replace(NOW, **change)]})) == 1


def test_lost_or_doubled_is_worse() -> None:
    assert check(STACK, "migrated", WAS, {}) == ["registered 0 times"]
    assert check(STACK, "migrated", WAS, {"5000": [NOW, WAS]}) == ["registered 2 times"]
    assert check(STACK, "migrated", None, {}) == ["was not there before"]


def test_stages_come_from_the_wave_or_the_vm() -> None:
    assert STACK.wanted == {"app01": "migrated", "app02": "source"}


def test_only_a_lab_stack_can_be_demonstrated() -> None:
    assert read_stack("lab").scenario.exists()
    with pytest.raises(DemoError, match="no stack 'elsewhere'"):
        read_stack("elsewhere")
    with pytest.raises(DemoError, match="never touches a real site"):
        read_stack("example")


def test_a_guest_that_moved_live_has_never_been_down() -> None:
    state = {
        "vcenters": {
            "source": {"vms": {}},
            "target": {"vms": {"app01": {"instanceUuid": "5000", "clock": {"downSeconds": 0.4}}}},
        }
    }
    clocks = guest_clocks(state)
    assert interrupted(WAS, clocks) == ["moved live, and its guest was down for 0.4 s"]
    assert interrupted(WAS, {"5000": 0.0}) == []
    assert interrupted(WAS, {}) == ["the lab has no clock of its guest"]
    assert interrupted(replace(WAS, power="poweredOff"), clocks) == []


def test_what_the_state_has_of_each_vm() -> None:
    place = {"site": "target", "host": "esx70-1", "datastores": ["a", "b"]}
    kind = "pulumi-python:dynamic/esxodus:MigratedVm"
    resources = [
        {
            "urn": f"urn:pulumi:lab::esxodus::esxodus:index:MigrationWave${kind}::app01",
            "type": kind,
            "outputs": {"place": place},
        },
        {"urn": "urn:pulumi:lab::esxodus::x::evc", "type": "pulumi-python:dynamic/esxodus:EvcMode", "outputs": {}},
    ]
    assert vm_outputs({"deployment": {"resources": resources}}) == {"app01": {"place": place}}
    assert vm_outputs({"deployment": {}}) == {}
    assert shown(place) == "target: esx70-1, a, b"
    assert shown(None) == ""


def test_why_each_method_was_chosen_is_said_once() -> None:
    site = {
        "methods": {"reattach": 16, "xvm": 1},
        "reasons": {"reattach": {"no build of vCenter 6.0 supports it": 16, "a standard switch": 3}},
    }
    assert choices(site) == [
        "auto chose reattach 16 times: no build of vCenter 6.0 supports it; a standard switch (3 of them)",
        "as asked, xvm 1 time",
    ]
    assert choices({}) == []

"""What the seam promises, held against the fake and against the lab: a step has the effect that `migration.expect` says.

What `decide`, the plan of the preview and the property tests believe of vSphere stands or falls with these.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from migration import expect
from migration.actions import (
    Action,
    Answer,
    MakeTemplate,
    MakeVm,
    Placed,
    PowerOff,
    PowerOn,
    Reconnect,
    Register,
    Relocate,
    SetAttributes,
    ShutDown,
    Unregister,
    WritePapers,
)
from migration.admission import Admission
from migration.converge import converge
from migration.decide import departing
from migration.errors import MigrationError
from migration.model import HOME, TEMPLATE_MARK, File, Power, Tools, Vm
from migration.observation import Observation
from migration.sites import Sites
from migration.wanted import Identity, Stage, VmSpec
from tests.engine.conftest import REPOSITORY
from tests.fake_sites import FakeSites, a_vm
from tests.person import PASSWORDS
from tools.running_lab import running_lab
from vsphere.sites import VSphereSites
from vsphere.tls import Endpoint

pytestmark = pytest.mark.lab

SPEC = VmSpec(
    Identity("app01"),
    Stage.MIGRATED,
    datacenter="tokyo7",
    cluster="prod7",
    old_volumes=("old-a", "old-b"),
    new_volumes=("gold7-01",),
    networks={"VM Network": "pg-prod", "DMZ": "pg-dmz"},
    shutdown_timeout=3,
    on_shutdown_timeout="powerOff",
)


@dataclass
class World:
    """Sites with app01, stubborn01 and tmpl01 at the source, and a target that is built."""

    sites: Sites

    def see(self, name: str) -> Observation:
        return self.sites.observe(Identity(name))[0]

    def vm(self, name: str) -> Vm:
        vm = self.see(name).vm
        assert vm is not None, f"{name} is not registered once"
        return vm

    def do(self, name: str, action: Action, placed: Placed | None = None) -> bool:
        return self.sites.perform(self.see(name).vm, action, placed or Placed(), lambda text, percent: None)

    def volume(self, name: str) -> str:
        found = {
            volume.id for view in self.see("app01").sites.values() for volume in view.volumes if volume.name == name
        }
        assert len(found) == 1, f"{name} is one volume at both sites"
        return found.pop()


def built(scenario: dict[str, Any]) -> dict[str, Any]:
    """Return the small scenario with its target built, as the TargetSite component builds it."""
    target = scenario["vcenters"][1]
    hosts = [host["name"] for host in target["hosts"]]
    target["datacenters"] = [
        {
            "name": "tokyo7",
            "clusters": [{"name": "prod7", "hosts": hosts}],
            "networks": [{"name": "pg-prod", "vlan": 20}, {"name": "pg-dmz", "vlan": 30}],
        }
    ]
    scenario["arrays"][1]["luns"][0]["vmfs"] = {"name": "gold7-01", "version": 6}
    return scenario


def the_fake() -> FakeSites:
    sites = FakeSites(
        [
            a_vm(),
            a_vm("stubborn01", notes="never obeys"),
            a_vm("tmpl01", template=True, power=Power.OFF, tools=Tools.NOT_RUNNING),
        ]
    )
    sites.located = {vm.instance_uuid: f"source:{vm.vmx}" for vm in sites.vms}
    return sites


@pytest.fixture(params=["fake", "lab"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "fake":
        yield World(the_fake())
        return
    scenario = built(yaml.safe_load((REPOSITORY / "tests/scenarios/small.yaml").read_text()))
    file = tmp_path / "built.yaml"
    file.write_text(yaml.safe_dump(scenario, allow_unicode=True))
    with running_lab(file, any_port=True) as lab:
        endpoints = {
            name: Endpoint(
                name=name,
                vcenter=one["host"],
                username=one["username"],
                password=PASSWORDS[name],
                thumbprint=one["thumbprint"],
            )
            for name, one in lab.endpoints["vcenters"].items()
        }
        sites = VSphereSites(endpoints, ("old-a", "old-b", "gold7-01"))
        try:
            yield World(sites)
        finally:
            sites.close()
        assert lab.get("/violations") == []


def test_a_vm_is_found_by_name_and_by_instance_uuid(world: World) -> None:
    vm = world.vm("app01")
    assert (vm.site, vm.power, vm.cluster, vm.pool != "", vm.folder != "") == ("source", Power.ON, "prod6", True, True)
    assert (vm.tools, vm.attributes, vm.papers) == (Tools.RUNNING, {"owner": "sato"}, None)
    assert vm.vmx == File(world.volume("old-a"), "app01/app01.vmx")
    assert {nic.network for nic in vm.nics} <= {"VM Network", "DMZ"}
    by_uuid, _ = world.sites.observe(Identity("whatever it is called", vm.instance_uuid))
    assert by_uuid.vm == vm
    assert world.see("nobody").vms == ()


def test_knowledge_has_a_version_and_news_end_a_wait(world: World) -> None:
    _, version = world.sites.observe(Identity("app01"))
    assert not world.sites.wait(version, 0.2)
    world.do("app01", SetAttributes({"owner": "tanaka"}))
    assert world.sites.wait(version, 5)
    assert world.vm("app01").attributes == {"owner": "tanaka"}


def test_papers_are_written_and_removed(world: World) -> None:
    papers = departing(SPEC, world.vm("app01"))
    world.do("app01", WritePapers(papers))
    assert world.vm("app01").papers == papers
    world.do("app01", WritePapers(None))
    assert world.vm("app01").papers is None


def test_a_guest_obeys_or_does_not(world: World) -> None:
    assert world.do("app01", ShutDown(5))
    assert world.vm("app01").power is Power.OFF
    assert world.do("app01", ShutDown(5)), "already off is success"
    assert not world.do("stubborn01", ShutDown(0.5))
    assert world.vm("stubborn01").power is Power.ON
    world.do("stubborn01", PowerOff("it does not obey"))
    assert world.vm("stubborn01").power is Power.OFF


def test_a_running_vm_is_not_unregistered(world: World) -> None:
    with pytest.raises((MigrationError, AssertionError)):
        world.do("app01", Unregister("source"))
    assert world.vm("app01").power is Power.ON


def leave(world: World, name: str) -> Register:
    """Take a VM off the source and return its registration at the target."""
    papers = departing(SPEC, world.vm(name))
    world.do(name, WritePapers(papers))
    world.do(name, ShutDown(5))
    world.do(name, Unregister("source"))
    found = world.see(name).adrift
    assert len(found) == 1
    return Register(
        "target",
        found[0].vmx,
        found[0].name,
        "tokyo7",
        "prod7",
        papers.folder,
        papers.pool,
        "",
        found[0].volumes,
        frozenset({"pg-prod"}),
    )


def test_unregistered_it_is_found_by_its_files_with_its_papers(world: World) -> None:
    before = world.vm("app01")
    leave(world, "app01")
    seen = world.see("app01")
    assert seen.vms == ()
    assert len(seen.adrift) == 1
    found = seen.adrift[0]
    assert (found.name, found.instance_uuid, found.vmx) == ("app01", before.instance_uuid, before.vmx)
    assert found.volumes == before.volumes
    assert found.needs == before.needs
    assert found.papers is not None
    assert found.papers.power is Power.ON


def test_it_arrives_with_what_its_files_say(world: World) -> None:
    before = world.vm("app01")
    register = leave(world, "app01")
    world.do("app01", register, Placed(host=_host(world)))
    now = world.vm("app01")
    assert (now.site, now.cluster, now.datacenter, now.folder) == ("target", "prod7", "tokyo7", before.folder)
    assert (now.instance_uuid, now.bios_uuid, now.power) == (before.instance_uuid, before.bios_uuid, Power.OFF)
    assert [nic.mac for nic in now.nics] == [nic.mac for nic in before.nics]
    assert [(disk.key, disk.file) for disk in now.disks] == [(disk.key, disk.file) for disk in before.disks]
    assert now.papers == departing(SPEC, before)
    assert now.attributes == {}, "custom attributes are the vCenter's, not the VM's"
    assert now.snapshots == before.snapshots

    world.do("app01", Reconnect({now.nics[0].key: "pg-prod"}))
    assert world.vm("app01").nics[0].network == "pg-prod"
    assert world.vm("app01").nics[0].mac == before.nics[0].mac
    for nic in now.nics[1:]:
        world.do("app01", Reconnect({nic.key: "pg-dmz"}))

    world.do("app01", PowerOn())
    asked = world.vm("app01").question
    assert asked is not None, "the first power-on at another place asks whether it was moved or copied"
    key = next(key for key, label in asked.choices.items() if "moved" in label.lower())
    world.do("app01", Answer(asked.id, key, asked.choices[key]))
    _until_on(world, "app01")
    now = world.vm("app01")
    assert now.question is None
    assert (now.bios_uuid, now.nics[0].mac) == (before.bios_uuid, before.nics[0].mac), "moved, not copied"


def _until_on(world: World, name: str) -> None:
    for _ in range(50):
        seen, version = world.sites.observe(Identity(name))
        if seen.vm and seen.vm.power is Power.ON and not seen.vm.in_flight:
            return
        world.sites.wait(version, 0.2)
    raise AssertionError(f"{name} did not power on")


def test_files_move_to_one_volume_and_back_each_to_its_own(world: World) -> None:
    before = world.vm("app01")
    world.do("app01", leave(world, "app01"), Placed(host=_host(world)))
    new = world.volume("gold7-01")
    world.do("app01", Relocate({}, (new,), 1), Placed(volume=new))
    assert world.vm("app01").volumes == {new}
    to = {HOME: before.vmx.volume, **{str(disk.key): disk.file.volume for disk in before.disks}}
    world.do("app01", Relocate(to, (), 1))
    now = world.vm("app01")
    assert now.vmx.volume == before.vmx.volume
    assert [disk.file.volume for disk in now.disks] == [disk.file.volume for disk in before.disks]


def _host(world: World) -> str:
    return sorted(host.name for host in world.see("app01").sites["target"].hosts)[0]


def test_a_template_is_marked_made_a_vm_and_back(world: World) -> None:
    before = world.vm("tmpl01")
    assert before.template
    world.do("tmpl01", SetAttributes({TEMPLATE_MARK: "yes"}))
    assert world.vm("tmpl01").attributes[TEMPLATE_MARK] == "yes"
    with pytest.raises((MigrationError, AssertionError)):
        world.do("tmpl01", WritePapers(departing(SPEC, before)))
    world.do("tmpl01", MakeVm())
    assert not world.vm("tmpl01").template
    world.do("tmpl01", WritePapers(departing(SPEC, world.vm("tmpl01"))))
    world.do("tmpl01", WritePapers(None))
    world.do("tmpl01", MakeTemplate())
    world.do("tmpl01", SetAttributes({TEMPLATE_MARK: ""}))
    now = world.vm("tmpl01")
    assert now.template
    assert TEMPLATE_MARK not in now.attributes


@pytest.mark.parametrize("name", ["app01", "stubborn01", "tmpl01"])
def test_there_and_back_again_by_converge(world: World, name: str) -> None:
    before = world.vm(name)
    said: list[str] = []
    for stage in (Stage.REHOSTED, Stage.MIGRATED, Stage.SOURCE):
        spec = replace(SPEC, identity=Identity(name), stage=stage)
        outcome = converge(spec, world.sites, Admission(), lambda text, percent: said.append(text), threading.Event())
        assert outcome.stage is stage
        now = world.vm(name)
        assert (now.template, now.power) == (before.template, before.power)
        writes = outcome.steps
        assert converge(spec, world.sites, Admission(), lambda *_: None, threading.Event()).steps == (), writes
    now = world.vm(name)
    assert replace(now, host="", tools=before.tools, addresses=before.addresses) == replace(
        before, host=""
    )  # it still boots
    assert said


def test_expectations_leave_nothing_out() -> None:
    """`expect.changed` answers for every kind of action, or the plan of the preview would go in circles."""
    for kind in Action.__args__:
        assert kind.__name__ in Path(expect.__file__).read_text()

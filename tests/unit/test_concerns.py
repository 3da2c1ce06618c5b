"""Each concern: a world that has it, and the nearest one that has not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from migration import expect
from migration.concerns import ALL, blocking, concerns
from migration.model import Disk, File, Nic, Power, Question, Severity, Tools
from migration.observation import Observation, SoFar
from migration.wanted import Identity, Stage, VmSpec
from tests.fake_sites import QUESTION, FakeSites, a_vm
from tests.unit.test_decide import PAPERS, SPEC, settled

World = tuple[VmSpec, Observation]


def world(*vms: object, spec: VmSpec = SPEC, overdue: bool = False, adrift: object = ()) -> World:
    return spec, Observation(tuple(vms), FakeSites().views(), tuple(adrift), SoFar(overdue))  # type: ignore[arg-type]


LOST = (expect.adrift(a_vm(power=Power.OFF, papers=PAPERS)),)
STRANGE = Question("8", "msg.disk.full: no space", ("msg.disk.full",), {"0": "Retry"})
ELSEWHERE = (Disk(2000, "Hard disk 1", File("source:datastore-9", "x.vmdk"), 10),)
RDM = (Disk(2000, "Hard disk 1", File("vmfs:a", "x.vmdk"), 10, rdm="physical"),)
VIRTUAL = (Disk(2000, "Hard disk 1", File("vmfs:a", "x.vmdk"), 10, rdm="virtual"),)
SHARED = (Disk(2000, "Hard disk 1", File("vmfs:a", "x.vmdk"), 10, sharing="multiWriter"),)
BELOW = (Disk(2000, "Hard disk 1", File("vmfs:a", "x-000001.vmdk"), 10, below=frozenset({"source:datastore-9"})),)
FOREIGN = replace(QUESTION, choices={"0": "Abbrechen", "1": "Verschoben"})
STOPPING = replace(SPEC, on_shutdown_timeout="stop")
BACK = replace(SPEC, stage=Stage.SOURCE)

CASES: dict[str, tuple[World, World]] = {
    "vm.not-found": (world(), world(adrift=LOST)),
    "vm.ambiguous": (world(a_vm(), a_vm(instance_uuid="other")), world(a_vm())),
    "vm.registered-twice": (world(a_vm(), settled()), world(settled())),
    "vm.unregistered": (world(adrift=(replace(LOST[0], papers=None),)), world(adrift=LOST)),
    "vm.unreachable": (world(a_vm(reachable=False)), world(a_vm())),
    "network.unmapped": (
        world(a_vm(nics=(Nic(4000, "Network adapter 1", "m", "Backup"),))),
        world(a_vm(nics=(Nic(4000, "Network adapter 1", "m", "DMZ"),))),
    ),
    "network.missing-at-target": (
        world(a_vm(), spec=replace(SPEC, networks={"VM Network": "pg-new"})),
        world(a_vm(), spec=replace(SPEC, networks={"VM Network": "pg-new"}, declared_networks=("pg-new",))),
    ),
    "disk.not-brought-along": (world(a_vm(disks=ELSEWHERE)), world(a_vm(disks=ELSEWHERE), spec=BACK)),
    "rdm.physical": (world(a_vm(disks=RDM)), world(a_vm(disks=RDM), spec=BACK)),
    "rdm.virtual": (world(a_vm(disks=VIRTUAL)), world(a_vm())),
    "disk.shared": (world(a_vm(disks=SHARED)), world(a_vm())),
    "vm.in-vapp": (world(a_vm(vapp=True)), world(a_vm(vapp=True), spec=BACK)),
    "vm.name-taken": (
        (SPEC, replace(world(a_vm())[1], namesakes=frozenset({("target", "apps")}))),
        (SPEC, replace(world(a_vm())[1], namesakes=frozenset({("target", "elsewhere"), ("source", "apps")}))),
    ),
    "host.none-able": (
        world(a_vm(), spec=replace(SPEC, cluster="a cluster without hosts")),
        world(settled(), spec=replace(SPEC, cluster="a cluster without hosts")),
    ),
    "datastore.none-at-target": (
        world(a_vm(), spec=replace(SPEC, new_volumes=())),
        world(a_vm(), spec=replace(SPEC, new_volumes=(), stage=Stage.REHOSTED)),
    ),
    "guest.suspended": (world(a_vm(power=Power.SUSPENDED)), world(a_vm(power=Power.SUSPENDED), spec=BACK)),
    "guest.question": (world(a_vm(question=STRANGE)), world(a_vm(question=QUESTION))),
    "guest.no-tools": (
        world(a_vm(tools=Tools.NOT_INSTALLED), spec=STOPPING),
        world(a_vm(tools=Tools.NOT_INSTALLED, power=Power.OFF), spec=STOPPING),
    ),
    "guest.shutdown-overdue": (world(a_vm(), spec=STOPPING, overdue=True), world(a_vm(), spec=STOPPING)),
    "guest.unhealthy": (
        (SPEC, world(settled())[1].knowing(unhealthy=("VMware Tools do not run",))),
        (BACK, world(settled())[1].knowing(unhealthy=("VMware Tools do not run",))),
    ),
    "rollback.no-papers": (world(settled(papers=None), spec=BACK), world(settled(), spec=BACK)),
    "rollback.hardware-too-new": (
        world(settled(hardware=14), spec=BACK),
        world(settled(hardware=11), spec=BACK),
    ),
}


@pytest.mark.parametrize("identifier", CASES)
def test_concern(identifier: str) -> None:
    with_it, without_it = CASES[identifier]
    found = {concern.id: concern for concern in blocking(*with_it)}
    assert identifier in found
    concern = found[identifier]
    assert concern.subject == "app01"
    assert concern.sentence
    assert concern.remedy
    assert identifier in str(concern)
    assert identifier not in {concern.id for concern in blocking(*without_it)}


@pytest.mark.parametrize(
    ("identifier", "seen"),
    [
        ("disk.not-brought-along", world(a_vm(disks=BELOW))),
        ("guest.question", world(a_vm(question=FOREIGN))),
        ("host.none-able", world(settled(papers=replace(PAPERS, cluster="gone")), spec=BACK)),
    ],
)
def test_less_obvious_cases(identifier: str, seen: World) -> None:
    assert identifier in {concern.id for concern in blocking(*seen)}


def test_every_concern_has_its_case() -> None:
    found: set[Callable[..., object]] = set()
    for with_it, _ in CASES.values():
        found |= {check for check in ALL if list(check(*with_it))}
    assert found == set(ALL)


def test_no_tools_is_a_warning_where_the_policy_is_to_power_off() -> None:
    found = concerns(*world(a_vm(tools=Tools.NOT_INSTALLED)))
    assert [(concern.id, concern.severity) for concern in found] == [("guest.no-tools", Severity.WARNS)]


def test_those_that_block_come_first() -> None:
    spec = replace(SPEC, networks={})
    found = concerns(*world(a_vm(tools=Tools.NOT_INSTALLED), spec=spec))
    assert [concern.severity for concern in found] == [Severity.BLOCKS, Severity.WARNS]


def test_ambiguity_names_the_way_out() -> None:
    spec = replace(SPEC, identity=Identity("app01"))
    found = blocking(*world(a_vm(), a_vm(instance_uuid="other"), spec=spec))
    assert "uuid: …" in found[0].remedy

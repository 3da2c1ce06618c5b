"""Worlds with and without each concern about the VM itself, its guest and what its vCenter knows of it."""

from __future__ import annotations

from dataclasses import replace

from migration import expect
from migration.lease import Lease
from migration.metadata import Metadata, Permission, Rule
from migration.model import TEMPLATE_MARK, InFlight, Power, Question, Tools
from migration.observation import SoFar
from tests.fake_sites import QUESTION, a_vm
from tests.unit.concern_worlds import BACK, STOPPING, Cases, hosts, live_world, world
from tests.unit.test_decide import PAPERS, SPEC, settled

LOST = (expect.adrift(a_vm(power=Power.OFF, papers=PAPERS)),)
STRANGE = Question("8", "msg.disk.full: no space", ("msg.disk.full",), {"0": "Retry"})
MOVING = InFlight("task-9", "Relocate virtual machine", 99)
UNHEALTHY = "VMware Tools do not run"
OTHER = Lease("another", "ci-7 (process 4711, stack tokyo)")
NAMESAKE = frozenset({("target", "Tokyo7", "Apps")})
ELSEWHERE = frozenset({("target", "tokyo7", "elsewhere"), ("target", "osaka", "apps"), ("source", "tokyo6", "web")})


HELD = Metadata(permissions=frozenset({Permission("LAB\\dba", True, "Operators")}))
APART = Rule("db-apart", "antiAffinity", (("5000-app01", "app01"), ("5000-app02", "app02")))
ALONE = replace(APART, members=APART.members[:1])
PINNED_TO_HOSTS = Rule("licence", "vmHost", vm_group="oracle", host_group="licensed")
MARKED = {TEMPLATE_MARK: "yes"}
NEEDS = {"evc": "intel-haswell"}

CASES: Cases = {
    "vm.not-found": (world(), world(adrift=LOST)),
    "vm.ambiguous": (world(a_vm(), a_vm(instance_uuid="other")), world(a_vm())),
    "vm.registered-twice": (world(a_vm(), settled()), world(a_vm(in_flight=MOVING), settled())),
    "vm.held": (world(a_vm(lease=OTHER)), world(a_vm(lease=OTHER), so_far=SoFar(void=OTHER))),
    "vm.unregistered": (world(adrift=(replace(LOST[0], papers=None),)), world(adrift=LOST)),
    "vm.unreachable": (world(a_vm(reachable=False)), world(a_vm())),
    "vm.others-unreadable": (
        world(a_vm(), unreadable=(("target", "Unknown"),)),
        live_world(a_vm(), unreadable=(("target", "Unknown"),)),
    ),
    "vm.name-taken": (world(a_vm(), namesakes=NAMESAKE), world(a_vm(), namesakes=ELSEWHERE)),
    "vm.bios-uuid-twin": (
        world(a_vm(), twins=frozenset({("source", "app01-copy")})),
        world(settled(), twins=frozenset({("source", "app01-copy")})),
    ),
    "vm.in-vapp": (world(a_vm(vapp=True)), world(a_vm(vapp=True), spec=BACK)),
    "vm.fault-tolerant": (world(a_vm(fault_tolerant=True)), world(a_vm(fault_tolerant=True), spec=BACK)),
    "vm.encrypted": (world(a_vm(encrypted=True)), world(settled(encrypted=True))),
    "vm.template-runs": (world(a_vm(attributes=MARKED)), world(a_vm(attributes=MARKED, power=Power.OFF))),
    "vm.locked": (world(a_vm(locked=("RelocateVM_Task",))), world(a_vm(locked=("RelocateVM_Task",)), spec=BACK)),
    "vm.needs-consolidation": (world(a_vm(consolidation=True)), world(a_vm(consolidation=True), spec=BACK)),
    "vm.change-tracking": (
        world(a_vm(change_tracking=True), source=hosts("source", version="6.0.0", build="3073146")),
        world(a_vm(change_tracking=True), source=hosts("source", version="6.0.0", build="3247720")),
    ),
    "hardware.too-new": (world(a_vm(hardware=20)), world(a_vm(hardware=19))),
    "hardware.too-old": (world(a_vm(hardware=3)), world(a_vm(hardware=4))),
    "snapshot.present": (world(a_vm(snapshots=1)), world(a_vm(snapshots=1), spec=BACK)),
    "snapshot.deep": (world(a_vm(snapshots=4, depth=4)), world(a_vm(snapshots=4, depth=3))),
    "guest.suspended": (world(a_vm(power=Power.SUSPENDED)), world(a_vm(power=Power.SUSPENDED), spec=BACK)),
    "guest.question": (world(a_vm(question=STRANGE)), world(a_vm(question=QUESTION))),
    "guest.no-tools": (
        world(a_vm(tools=Tools.NOT_INSTALLED)),
        world(a_vm(tools=Tools.NOT_INSTALLED, power=Power.OFF)),
    ),
    "guest.tools-installer": (world(a_vm(tools_installer=True)), world(a_vm(tools_installer=True), spec=BACK)),
    "guest.shutdown-overdue": (world(a_vm(), spec=STOPPING, overdue=True), world(a_vm(), spec=STOPPING)),
    "guest.unhealthy": (
        (SPEC, world(settled())[1].knowing(unhealthy=(UNHEALTHY,))),
        (BACK, world(settled())[1].knowing(unhealthy=(UNHEALTHY,))),
    ),
    "guest.fewer-cpu-features": (
        world(a_vm(**NEEDS), target=hosts("target", evc=frozenset({"intel-sandybridge"}))),
        world(a_vm(**NEEDS), target=hosts("target", evc=frozenset({"intel-haswell"}))),
    ),
    "guest.pinned": (world(a_vm(pinned="CPU affinity")), world(a_vm(pinned="CPU affinity"), spec=BACK)),
    "guest.latency-sensitive": (world(a_vm(latency_sensitive=True)), world(settled(latency_sensitive=True))),
    "permission.no-role": (
        world(a_vm(metadata=HELD), target={"roles": frozenset({"Admin"})}),
        world(a_vm(metadata=HELD), target={"roles": frozenset({"Admin", "Operators"})}),
    ),
    "drs.host-rule": (
        world(a_vm(metadata=Metadata(rules=frozenset({PINNED_TO_HOSTS})))),
        world(a_vm(metadata=Metadata(rules=frozenset({replace(PINNED_TO_HOSTS, enabled=False)})))),
    ),
    "drs.members-apart": (
        world(a_vm(metadata=Metadata(rules=frozenset({APART})))),
        world(a_vm(metadata=Metadata(rules=frozenset({ALONE})))),
    ),
    "rollback.no-papers": (world(settled(papers=None), spec=BACK), world(settled(), spec=BACK)),
    "rollback.hardware-too-new": (world(settled(hardware=14), spec=BACK), world(settled(hardware=11), spec=BACK)),
    "site.no-tags": (world(a_vm()), world(a_vm(), source={"tagging": True})),
}

LESS_OBVIOUS = (
    ("guest.question", world(a_vm(question=replace(QUESTION, choices={"0": "Abbrechen", "1": "Verschoben"})))),
    ("vm.registered-twice", world(settled(), settled(in_flight=None))),
    ("vm.in-vapp", world(settled(vapp=True), spec=BACK)),
    ("vm.encrypted", world(settled(encrypted=True), spec=BACK)),
    ("vm.name-taken", world(settled(), spec=BACK, namesakes=frozenset({("source", "tokyo6", "apps")}))),
    ("vm.name-taken", world(a_vm(), namesakes=frozenset({("source", "osaka", "APPS")}))),  # both would go to one folder
    ("vm.change-tracking", world(a_vm(change_tracking=True))),  # the build of its host is not known
    ("vm.fault-tolerant", world(settled(fault_tolerant=True))),  # its files have still to be copied
    ("vm.in-vapp", live_world(a_vm(vapp=True))),
    ("vm.template-runs", world(settled(papers=replace(PAPERS, transit=True, template=True)))),
    ("permission.no-role", world(settled(metadata=HELD), spec=BACK, source={"roles": frozenset({"Admin"})})),
)

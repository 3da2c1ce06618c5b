"""Worlds with and without each concern about disks, devices, networks, datastores, hosts and sites; and about live moves."""

from __future__ import annotations

from dataclasses import replace

from migration.model import Device, File, Nic, Power
from migration.observation import Cluster, License
from migration.wanted import Method, Stage, Wave, Window
from tests.fake_sites import a_vm
from tests.unit.concern_worlds import (
    BACK,
    LIVE,
    NEW_ENOUGH,
    REHOSTED,
    Cases,
    World,
    disk,
    hosts,
    live_world,
    volumes,
    world,
)
from tests.unit.test_decide import PAPERS, SPEC, settled

ELSEWHERE = disk(file=File("source:datastore-9", "x.vmdk"))
CARD = Nic(4000, "Network adapter 1", "00:50:56:00:00:01", "VM Network")
MAC = {CARD.mac: ("target", "other")}
MAC_HERE = {CARD.mac: ("source", "other")}
DISTRIBUTED = {"distributed": {"VM Network": "6.6.0"}}
NOWHERE = replace(SPEC, cluster="a cluster without hosts")
NEW = replace(SPEC, networks={"VM Network": "pg-new"})
ON_NEW = {"vmx": File("vmfs:n1", "app01/app01.vmx"), "disks": disk(file=File("vmfs:n1", "app01/app01.vmdk"))}
BIG = hosts("target", memory=768.0)
SMALL = hosts("target", threads=48, mhz=60_000.0, free_mhz=20_000.0)
KEPT = (Cluster("prod7", ha=True, cpu_reserve=0.75),)
APART = {  # no host has both
    "hosts": tuple(
        replace(host, **{"threads": 8, "hardware": 19} if host.name == "esx70-1" else {"threads": 64, "hardware": 11})
        for host in hosts("target")["hosts"]
    )
}
VMFS3 = volumes("source", "old-a", version="3.54")
IMAGE = (Device("iso", "CD/DVD drive 1", File("source:datastore-9", "tools.iso")),)
IMAGE_ALONG = (Device("iso", "CD/DVD drive 1", File("vmfs:b", "tools.iso")),)
IMAGES_OF_HOST = (Device("hostMedia", "CD/DVD drive 1"),)
NIGHT = replace(SPEC, wave=Wave("pilot", window=Window(0, 60)))
LONG_NIGHT = replace(SPEC, wave=Wave("pilot", window=Window(0, 6 * 3600)))
DAY = 86400.0
TRIED = License("Evaluation Mode", True, left=6 * DAY, expires=100 * DAY)
ENDED = replace(TRIED, left=-1.0)
STANDARD = License("Standard", features=frozenset({"vmotion", "das"}))
DISTRIBUTED_THERE = {"distributed": {"pg-prod": "7.0.3"}}
IN_DAYS = replace(SPEC, wave=Wave("pilot", window=Window(99 * DAY, 99.5 * DAY)))
TOO_LATE = replace(SPEC, wave=Wave("pilot", window=Window(99 * DAY, 100.5 * DAY)))


def device(kind: str, *, back: bool = False) -> World:
    return world(a_vm(devices=(Device(kind, f"the {kind}"),)), spec=BACK if back else SPEC)  # type: ignore[arg-type]


CASES: Cases = {
    "host.no-ntp": (
        world(a_vm(), target=hosts("target", timed=False)),
        world(a_vm(), target=hosts("target", timed=True), source=hosts("source", timed=False)),
    ),
    "host.clock": (
        world(a_vm(), target=hosts("target", ahead=61.0)),
        world(a_vm(), target={**hosts("target", ahead=70.0), "skew": 10.0}, source=hosts("source", ahead=3600.0)),
    ),
    "license.expired": (
        world(a_vm(), target=hosts("target", license=ENDED)),
        world(a_vm(), target=hosts("target", license=TRIED), source=hosts("source", license=ENDED)),
    ),
    "license.ends": (
        world(a_vm(), spec=TOO_LATE, target=hosts("target", license=TRIED)),
        world(a_vm(), spec=IN_DAYS, target=hosts("target", license=TRIED)),
    ),
    "license.feature": (
        world(a_vm(), target={**hosts("target", license=STANDARD), **DISTRIBUTED_THERE}),
        world(a_vm(), target=hosts("target", license=STANDARD)),
    ),
    "disk.not-brought-along": (world(a_vm(disks=ELSEWHERE)), world(a_vm(disks=ELSEWHERE), spec=BACK)),
    "rdm.physical": (world(a_vm(disks=disk(rdm="physical"))), world(a_vm(disks=disk(rdm="virtual")))),
    "rdm.virtual": (world(a_vm(disks=disk(rdm="virtual"))), world(a_vm(disks=disk(rdm="physical")))),
    "disk.shared": (world(a_vm(disks=disk(sharing="multiWriter"))), world(a_vm(disks=disk(sharing="bus")), spec=BACK)),
    "disk.independent": (world(a_vm(disks=disk(mode="independent_persistent"))), world(a_vm())),
    "disk.nonpersistent": (
        world(a_vm(disks=disk(mode="independent_nonpersistent"))),
        world(a_vm(disks=disk(mode="independent_persistent"))),
    ),
    "disk.linked": (world(a_vm(disks=disk(linked="clone"))), world(settled(**ON_NEW))),
    "disk.base-of-clone": (
        world(a_vm(disks=disk(linked="base"))),
        world(a_vm(disks=disk(linked="base")), spec=replace(SPEC, stage=Stage.REHOSTED)),
    ),
    "network.unmapped": (world(a_vm(nics=(replace(CARD, network="Backup"),))), world(a_vm())),
    "network.no-way-back": (
        world(
            settled(nics=(replace(CARD, network="pg-prod"), replace(CARD, key=4001, network="pg-new"))),
            spec=BACK,
            target={"networks": frozenset({"pg-prod", "pg-dmz", "pg-new"})},
        ),
        world(settled(nics=(replace(CARD, network="pg-prod"), replace(CARD, key=4001, network="pg-dmz"))), spec=BACK),
    ),
    "network.missing-at-target": (
        world(a_vm(), spec=NEW),
        world(a_vm(), spec=replace(NEW, declared_networks=("pg-new",))),
    ),
    "network.none": (world(a_vm(nics=(replace(CARD, network=""),))), world(a_vm())),
    "network.to-standard-switch": (
        world(a_vm(), source=DISTRIBUTED),
        world(a_vm(), source=DISTRIBUTED, target={"distributed": {"pg-prod": "7.0.0"}}),
    ),
    "network.mac-taken": (world(a_vm(), macs=MAC), world(a_vm(), macs=MAC_HERE)),
    "datastore.none-at-target": (
        world(a_vm(), spec=replace(SPEC, new_volumes=())),
        world(a_vm(), spec=replace(REHOSTED, new_volumes=())),
    ),
    "datastore.too-small": (
        world(a_vm(disks=disk(capacity=900, written=851))),
        world(a_vm(disks=disk(capacity=900, written=849))),
    ),
    "datastore.may-fill": (
        world(a_vm(disks=disk(capacity=900))),
        world(a_vm(disks=disk(capacity=800))),
    ),
    "datastore.local": (
        world(a_vm(), source=volumes("source", "old-a", local=True)),
        world(a_vm(), source=volumes("source", "old-b", local=True)),
    ),
    "datastore.vmfs3": (
        world(a_vm(), source=VMFS3),
        world(a_vm(), source=volumes("source", "old-a", version="5.61")),
    ),
    "datastore.storage-drs": (
        world(a_vm(), source=volumes("source", "old-a", storage_drs=True)),
        world(a_vm(), source=volumes("source", "old-b", storage_drs=True)),
    ),
    "datastore.sioc": (
        world(a_vm(), source=volumes("source", "old-a", sioc=True)),
        world(a_vm(), source=volumes("source", "old-a", sioc=True), spec=BACK),
    ),
    **{
        f"device.{kind}": (device(kind), device(kind, back=True))
        for kind in ("passthrough", "sriov", "vgpu", "vtpm", "usb", "serial", "parallel")
    },
    "media.left-behind": (world(a_vm(devices=IMAGE)), world(a_vm(devices=IMAGE_ALONG))),
    "media.host": (world(a_vm(devices=IMAGES_OF_HOST)), world(a_vm(devices=IMAGES_OF_HOST), spec=BACK)),
    "host.none-able": (world(a_vm(), spec=NOWHERE), world(settled(), spec=NOWHERE)),
    "host.reservation-too-large": (
        world(a_vm(memory_reservation=800), target=BIG),
        world(a_vm(memory_reservation=700), target=BIG),
    ),
    "host.cpu-too-few": (world(a_vm(cpus=49), target=SMALL), world(a_vm(cpus=48), target=SMALL)),
    "host.cpu-reservation": (
        world(a_vm(cpu_reservation=60_001), target=SMALL),
        world(a_vm(cpu_reservation=20_000), target=SMALL),
    ),
    "host.ha-keeps-all": (
        world(a_vm(), target={**BIG, "clusters": (Cluster("prod7", ha=True, memory_reserve=1.0),)}),
        world(a_vm(power=Power.OFF), target={**BIG, "clusters": (Cluster("prod7", ha=True, memory_reserve=1.0),)}),
    ),
    "host.memory-short": (
        world(a_vm(memory=701), target=BIG),
        world(a_vm(memory=699), target=BIG),
    ),
    "rollback.vmfs6": (
        world(settled(), spec=BACK, target=volumes("target", "old-a", version="6.82")),
        world(settled(), spec=BACK, target=volumes("target", "old-a", version="5.61")),
    ),
    "rollback.no-room": (
        world(settled(**ON_NEW), spec=BACK, source=volumes("source", "old-a", free=11)),
        world(settled(**ON_NEW), spec=BACK, source=volumes("source", "old-a", free=13)),
    ),
    "site.permission": (
        world(a_vm(), target={"lacking": (("tokyo7", "VirtualMachine.Inventory.Register"),)}),
        world(settled(**ON_NEW), target={"lacking": (("tokyo7", "VirtualMachine.Inventory.Register"),)}),
    ),
    "site.clock": (
        world(a_vm(), source={"skew": -40.0}, target={"skew": 30.0}),
        world(a_vm(), source={"skew": 40.0}, target={"skew": 30.0}),
    ),
    "wave.window-short": (world(a_vm(), spec=NIGHT), world(a_vm(), spec=LONG_NIGHT)),
    "live.version": (live_world(a_vm(), source={"version": "6.0.0"}), live_world(a_vm())),
    "live.cpu": (
        live_world(a_vm(evc="intel-haswell"), target=hosts("target", evc=frozenset({"intel-sandybridge"}))),
        live_world(a_vm(evc="intel-haswell"), target=hosts("target", evc=frozenset({"intel-haswell"}))),
    ),
    "live.no-vmotion": (
        live_world(a_vm(), target=hosts("target", vmotion=False)),
        live_world(a_vm(power=Power.OFF), target=hosts("target", vmotion=False)),
    ),
    "live.switch": (
        live_world(a_vm(), source=DISTRIBUTED, target={"distributed": {"pg-prod": "6.5.0"}}),
        live_world(a_vm(), source=DISTRIBUTED, target={"distributed": {"pg-prod": "6.6.0"}}),
    ),
    "live.mac": (live_world(a_vm(), macs=MAC), live_world(a_vm(), macs=MAC_HERE)),
    "live.suspended": (live_world(a_vm(power=Power.SUSPENDED)), live_world(a_vm(power=Power.OFF))),
    "live.storage": (
        live_world(a_vm(disks=ELSEWHERE), spec=replace(LIVE, stage=Stage.REHOSTED)),
        live_world(a_vm(disks=ELSEWHERE)),
    ),
    "live.affinity": (
        live_world(a_vm(pinned="CPU affinity")),
        live_world(a_vm(pinned="CPU affinity", power=Power.OFF)),
    ),
    "live.device": (
        live_world(a_vm(devices=IMAGE)),
        live_world(a_vm(devices=(replace(IMAGE[0], connected=False),))),
    ),
    "live.clock": (
        live_world(a_vm(), source={**NEW_ENOUGH, "skew": 601.0}),
        live_world(a_vm(), source={**NEW_ENOUGH, "skew": 599.0}),
    ),
}

LESS_OBVIOUS = (
    ("disk.not-brought-along", world(a_vm(disks=disk(below=frozenset({"source:datastore-9"}))))),
    ("disk.shared", world(a_vm(disks=disk(sharing="bus")))),
    ("disk.shared", world(settled(disks=disk(sharing="bus")))),  # its files have still to be copied
    ("rdm.virtual", world(settled(disks=disk(rdm="virtual")), spec=BACK)),
    ("host.none-able", world(settled(papers=replace(PAPERS, cluster="gone", transit=False)), spec=BACK)),
    ("host.none-able", world(a_vm(), spec=replace(SPEC, host="esx70-1"), target=hosts("target", usable=False))),
    ("network.missing-at-target", world(a_vm(), spec=replace(SPEC, networks={"VM Network": ""}))),
    ("datastore.too-small", live_world(a_vm(disks=disk(written=851)))),
    (
        "host.reservation-too-large",  # HA keeps a third of 3 hosts' memory
        world(
            a_vm(memory_reservation=700),
            target={**hosts("target", memory=300.0), "clusters": (Cluster("prod7", memory_reserve=0.34),)},
        ),
    ),
    (
        "host.memory-short",
        world(a_vm(memory=600), target={**BIG, "clusters": (Cluster("prod7", ha=True, memory_reserve=0.75),)}),
    ),
    ("host.cpu-too-few", live_world(a_vm(cpus=49), target=SMALL)),
    ("host.cpu-too-few", world(a_vm(cpus=49, power=Power.OFF), target=SMALL)),
    ("host.cpu-too-few", world(settled(cpus=49), spec=BACK, source=hosts("source", threads=48))),
    ("host.cpu-too-few", world(a_vm(cpus=9), target=APART, spec=replace(SPEC, host="esx70-1"))),
    ("host.cpu-too-few", world(a_vm(cpus=9, hardware=19), target=APART)),
    ("host.cpu-reservation", live_world(a_vm(cpu_reservation=60_001), target=SMALL)),
    ("host.cpu-reservation", world(a_vm(cpu_reservation=20_001), target=SMALL)),
    (
        "host.cpu-reservation",  # HA keeps three quarters of 3 hosts' MHz
        world(a_vm(cpu_reservation=45_001), target={**SMALL, "clusters": KEPT}),
    ),
    (
        "host.cpu-reservation",
        world(settled(cpu_reservation=9_000), spec=BACK, source=hosts("source", mhz=8_000.0, free_mhz=8_000.0)),
    ),
    ("host.no-ntp", world(settled(), spec=BACK, source=hosts("source", timed=False))),
    ("host.clock", world(a_vm(), target={**hosts("target", ahead=0.0), "skew": 61.0})),
    ("license.expired", world(a_vm(), target={"license": ENDED})),
    ("license.ends", world(a_vm(), target={"license": TRIED})),
    (
        "license.feature",
        world(a_vm(), target={**hosts("target", license=STANDARD), "clusters": (Cluster("prod7", drs=True),)}),
    ),
    ("live.version", world(settled(), spec=replace(BACK, method=Method.XVM))),
    ("rollback.no-room", world(settled(**ON_NEW), spec=REHOSTED, source=volumes("source", "old-a", free=11))),
)

ABSENT = (
    ("host.no-ntp", world(a_vm(), target=hosts("target", timed=None))),
    ("host.clock", world(a_vm(), target=hosts("target", ahead=None))),
    ("license.ends", world(a_vm(), target={"license": replace(TRIED, left=8 * DAY)})),
    ("license.ends", world(a_vm(), target={"license": ENDED})),  # that is license.expired
    ("license.feature", world(a_vm(), target={**hosts("target", license=TRIED), **DISTRIBUTED_THERE})),
    ("host.cpu-too-few", world(a_vm(cpus=49))),  # how many its hosts have is not known
    ("host.cpu-reservation", world(a_vm(cpu_reservation=60_001))),
    ("host.cpu-reservation", world(a_vm(cpu_reservation=60_001, power=Power.OFF), target=SMALL)),
    ("hardware.too-new", world(a_vm(hardware=19), target=APART)),
    ("disk.not-brought-along", live_world(a_vm(disks=ELSEWHERE))),  # vCenter copies its files across
    ("host.none-able", live_world(a_vm(disks=ELSEWHERE))),
    ("network.mac-taken", live_world(a_vm(), macs=MAC)),  # that is live.mac
    (
        "datastore.vmfs3",
        world(a_vm(), source=volumes("source", "old-a", version="3.54"), target=hosts("target", version="6.5.0")),
    ),
    ("datastore.sioc", live_world(a_vm(), source=volumes("source", "old-a", sioc=True))),
    ("guest.no-tools", live_world(a_vm())),
    ("live.version", world(a_vm())),  # where the method is ours to choose, it is a reason and no obstacle
)

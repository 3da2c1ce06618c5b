"""Are the datastores fit for it: the old ones to be mounted by two sites, the new ones to land on?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from migration.concerns.moves import Move, copying, leaving, will_run
from migration.live import number
from migration.model import Severity, Vm
from migration.observation import Observation, Volume
from migration.rule import Found, rule
from migration.wanted import Stage, VmSpec

UPGRADES_VMFS3: Final = (6, 7)
"""From this ESXi on, a host upgrades a VMFS3 volume by itself when it mounts it (vsphere-facts: S25)."""


def _mounted_along(spec: VmSpec, seen: Observation) -> Iterator[tuple[Move, Volume]]:
    """Yield the datastores of the source that the VM's way needs mounted at both sites."""
    for move in leaving(spec, seen):
        volumes = move.vm.volumes
        if move.there.name == spec.source:
            volumes = frozenset(move.vm.papers.places(move.vm.disks).values()) if move.vm.papers else frozenset()
        source = move.here if move.here.name == spec.source else move.there
        if move.mounts:
            yield from ((move, volume) for volume in source.volumes if volume.id in volumes)


@rule(
    "datastore.none-at-target",
    Severity.BLOCKS,
    "Stage migrated needs a new datastore, and none is named.",
    remedy="declare one, or use stage rehosted",
    source="ours",
    halts=False,
)
def nothing_to_land_on(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find stage `migrated` without a new datastore."""
    works = any(True for _ in leaving(spec, seen)) or any(True for _ in copying(spec, seen))
    if spec.stage is Stage.MIGRATED and not spec.new_volumes and works:
        yield Found("stage migrated needs a new datastore, and esxodus:target.datastores names none")


def _landing(spec: VmSpec, seen: Observation) -> Iterator[tuple[Vm, float]]:
    """Yield what will be copied to the new datastores, with the most room that any of them has beyond its reserve."""
    if spec.stage is not Stage.MIGRATED:
        return
    new = seen.volume_ids(spec.target, spec.new_volumes)
    volumes = [volume for volume in seen.sites[spec.target].volumes if volume.id in new] if new else []
    if not volumes or any(not volume.capacity for volume in volumes):
        return  # not there yet, in a preview
    room = max(volume.free - spec.reserve * volume.capacity for volume in volumes)
    for vm in (*(move.vm for move in leaving(spec, seen)), *copying(spec, seen)):
        if not vm.volumes <= new:
            yield vm, room


@rule(
    "datastore.too-small",
    Severity.BLOCKS,
    "No new datastore has room for the VM's files beyond its reserve.",
    remedy="enlarge or add a new datastore, then run again",
    source="ours",
    halts=False,
)
def too_small(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a VM that would not fit on any new datastore as they are now; asked again before each copy."""
    for vm, room in _landing(spec, seen):
        size = sum(disk.written for disk in vm.disks) + (vm.memory if will_run(vm) else 0.0)  # its swap file goes along
        if size > room:
            yield Found(
                f"it needs {size:.1f} GiB; the new datastore with the most room has {max(room, 0.0):.1f} GiB "
                "beyond its reserve"
            )


@rule(
    "datastore.may-fill",
    Severity.INFORMS,
    "The VM fits on the new datastores, but would not if its thin disks grew to their full size.",
    remedy="watch the datastore, or enlarge it",
    source="ours",
)
def may_fill(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find thin disks that may outgrow the room."""
    for vm, room in _landing(spec, seen):
        written, whole = sum(disk.written for disk in vm.disks), sum(disk.capacity for disk in vm.disks)
        if written <= room < whole:
            yield Found(
                f"its disks may grow to {whole:.0f} GiB; the new datastore with the most room has {room:.0f} GiB"
            )


@rule(
    "datastore.local",
    Severity.BLOCKS,
    "A datastore with its files is on a disk of one host, which cannot be presented to the new hosts.",
    remedy="move the files to a datastore of the old array first",
    source="U",
)
def local(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find files on a disk that only their host sees."""
    for _, volume in _mounted_along(spec, seen):
        if volume.local:
            yield Found("it is on a disk of one host, which cannot be presented to the new hosts", subject=volume.name)


@rule(
    "datastore.vmfs3",
    Severity.BLOCKS,
    "An old datastore is VMFS3, which hosts from 6.7 on upgrade by themselves when they mount it, with no way back.",
    remedy="upgrade it to VMFS 5 at the source first",
    source="S24, S25",
)
def vmfs3(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find VMFS3 where a host, or one of an unknown version, would upgrade it."""
    hosts = seen.sites[spec.target].hosts if spec.target in seen.sites else ()
    harmless = bool(hosts) and all(host.version and number(host.version)[:2] < UPGRADES_VMFS3 for host in hosts)
    for move, volume in _mounted_along(spec, seen):
        if volume.version.startswith("3.") and not harmless and move.there.name == spec.target:
            yield Found(
                f"it is VMFS {volume.version}, which newer hosts do not run from, or upgrade by themselves when they "
                "mount it",
                subject=volume.name,
            )


@rule(
    "datastore.storage-drs",
    Severity.WARNS,
    "An old datastore is in a datastore cluster with Storage DRS; that is not supported from two vCenters.",
    remedy="turn Storage DRS off for the datastore, or take it out of its datastore cluster",
    source="S43, U",
)
def storage_drs(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find Storage DRS on a datastore that both sites have mounted."""
    for _, volume in _mounted_along(spec, seen):
        if volume.storage_drs:
            yield Found("Storage DRS may move files on it while two vCenters have it mounted", subject=volume.name)


@rule(
    "datastore.sioc",
    Severity.WARNS,
    "Storage I/O Control is on at an old datastore; that is not supported from two vCenters, and stops a later unmount.",
    remedy="turn Storage I/O Control off for the datastore",
    source="S43, S47, U",
)
def sioc(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find Storage I/O Control on a datastore that both sites have mounted."""
    for _, volume in _mounted_along(spec, seen):
        if volume.sioc:
            yield Found("Storage I/O Control is on while two vCenters have it mounted", subject=volume.name)

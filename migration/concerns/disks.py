"""Can its disks be brought along, and copied?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from migration.concerns.moves import copying, leaving, touched, will_run
from migration.model import Severity
from migration.observation import Observation
from migration.rule import Found, Rule, rule
from migration.wanted import Stage, VmSpec


@rule(
    "disk.not-brought-along",
    Severity.BLOCKS,
    "A file of the VM is on a datastore that the new hosts will not mount; also the base of a snapshot or of a linked clone.",
    remedy="add the datastore to esxodus:oldDatastores, or move the files off it first",
    source="ours",
)
def not_brought_along(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find files on a datastore that stays behind; those that vCenter copies across in one step need none."""
    for move in leaving(spec, seen):
        if move.here.name != spec.source or not move.mounts:
            continue
        for volume in sorted(move.vm.volumes):
            name = move.here.volume_name(volume) or volume
            if name not in spec.old_volumes:
                files = ["configuration"] if move.vm.vmx.volume == volume else []
                files += [disk.label for disk in move.vm.disks if volume in {disk.file.volume, *disk.below}]
                yield Found(
                    f"{', '.join(files)} is on datastore {name!r}, which does not come along",
                    f"add {name!r} to esxodus:oldDatastores, or move the files off it first",
                )


def _raw(mode: Literal["physical", "virtual"]) -> Rule:
    @rule(
        f"rdm.{mode}",
        Severity.BLOCKS,
        f"A disk is a raw device mapping in {mode} mode: a move takes its pointer, and its data stay where they are.",
        remedy="convert it to a virtual disk, or detach it, copy it by the array, and attach it again at the target",
        source="S8, S53",
    )
    def found(spec: VmSpec, seen: Observation) -> Iterator[Found]:
        for vm in touched(spec, seen):
            array = "old" if vm.site == spec.source or spec.home == spec.target else "new"
            for disk in vm.disks:
                if disk.rdm == mode:
                    yield Found(
                        f"{disk.label} is a raw device mapping in {mode} mode: its data would stay on the {array} array"
                    )

    return found


raw_physical: Final = _raw("physical")
raw_virtual: Final = _raw("virtual")


@rule(
    "disk.shared",
    Severity.BLOCKS,
    "Another VM may open the disk too (multi-writer, or a SCSI bus that is shared); relocating one takes it from the other.",
    remedy="take the sharing off both VMs for the move, or move the cluster's members by hand together",
    source="S8, S55, S56",
)
def shared(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find disks that VMs share."""
    for vm in touched(spec, seen):
        for disk in vm.disks:
            if disk.sharing:
                yield Found(f"{disk.label} can be shared with another VM (multi-writer, or a SCSI bus that is shared)")


@rule(
    "disk.independent",
    Severity.WARNS,
    "A disk is independent: snapshots leave it out, and so do backups that rely on them.",
    remedy="see that something else backs it up before the move",
    source="API: VirtualDiskMode",
)
def independent(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find independent disks that keep what is written."""
    for vm in touched(spec, seen):
        for disk in vm.disks:
            if disk.mode == "independent_persistent":
                yield Found(f"{disk.label} is independent: no snapshot holds it")


@rule(
    "disk.nonpersistent",
    Severity.BLOCKS,
    "A disk is not in persistent mode: Storage vMotion refuses it, and a power-off discards what was written since the last.",
    remedy="make the disk persistent for the move, which takes a power-off",
    source="S53; API: VirtualDiskMode",
    halts=False,
    lenient=True,
)
def nonpersistent(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find disks that cannot be copied while the VM runs; where nothing is copied so, what they forget is only a warning."""
    copied = [(move.vm, move.copies) for move in leaving(spec, seen)] + [(vm, True) for vm in copying(spec, seen)]
    for vm, copies in copied:
        running = copies and will_run(vm)
        why = "it cannot be copied while the VM runs" if running else "a power-off discards what was written to it"
        for disk in vm.disks:
            if disk.mode not in ("persistent", "independent_persistent"):
                yield Found(f"{disk.label} is in mode {disk.mode}: {why}", severity=None if running else Severity.WARNS)


@rule(
    "disk.linked",
    Severity.WARNS,
    "A disk is a linked clone: a copy makes it a full one, and until then its base must not be touched where it is.",
    remedy="have room for the whole disk, and keep the VM that owns the base, with its snapshots, until the copy has ended",
    source="U",
)
def linked(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find linked clones; a base on a datastore that stays behind is disk.not-brought-along."""
    for vm in touched(spec, seen):
        for disk in vm.disks:
            if disk.linked == "clone":
                yield Found(
                    f"{disk.label} is a linked clone: what is below it belongs to another VM, "
                    f"and a copy takes up to {disk.capacity:.0f} GiB"
                )


@rule(
    "disk.base-of-clone",
    Severity.BLOCKS,
    "Another VM's disk, a linked clone, stands on a disk of the VM: a copy would take it away from under it.",
    remedy="migrate the clones first, a copy makes them whole; or leave this VM at stage rehosted",
    source="U; to lose nothing, stricter than vSphere",
)
def base_of_clone(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Refuse to move files that others stand on; leaving them where they are is no harm."""
    for vm in touched(spec, seen):
        if spec.stage is Stage.REHOSTED and vm.site == spec.source:
            continue
        for disk in vm.disks:
            if disk.linked == "base":
                yield Found(f"another VM uses files of {disk.label}, as a linked clone does of its base")

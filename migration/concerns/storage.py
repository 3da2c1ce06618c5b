"""Can its files be brought along, and is there somewhere for them to land?"""

from __future__ import annotations

from collections.abc import Iterator

from migration.model import Concern, Severity
from migration.observation import Observation
from migration.wanted import Stage, VmSpec


def not_brought_along(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block a VM with a file on a datastore that the new hosts will not mount."""
    view = seen.sites.get(spec.source)
    if spec.stage is Stage.SOURCE or view is None:
        return
    for vm in seen.vms:
        if vm.site != spec.source:
            continue
        for volume in sorted(vm.volumes):
            name = view.volume_name(volume) or volume
            if name not in spec.old_volumes:
                files = ["configuration"] if vm.vmx.volume == volume else []
                files += [disk.label for disk in vm.disks if volume in {disk.file.volume, *disk.below}]
                yield Concern(
                    "disk.not-brought-along",
                    Severity.BLOCKS,
                    spec.identity.name,
                    f"{', '.join(files)} is on datastore {name!r}, which does not come along",
                    f"add {name!r} to esxodus:oldDatastores, or move the files off it first",
                )


def raw_device(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block raw device mappings: relocating moves the pointer, the data stay on the old array (vsphere-facts: S53)."""
    if spec.stage is Stage.SOURCE:
        return
    for vm in seen.vms:
        for disk in vm.disks:
            if disk.rdm and vm.site == spec.source:
                yield Concern(
                    f"rdm.{disk.rdm}",
                    Severity.BLOCKS,
                    spec.identity.name,
                    f"{disk.label} is a raw device mapping in {disk.rdm} mode: its data would stay on the old array",
                    "convert it to a virtual disk, or detach it, copy it by the array, and attach it again at the target",
                )


def shared(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block a disk that VMs share: relocating one takes it from the other (vsphere-facts: S55, S56)."""
    if spec.stage is Stage.SOURCE:
        return
    for vm in seen.vms:
        for disk in vm.disks:
            if disk.sharing and vm.site == spec.source:
                yield Concern(
                    "disk.shared",
                    Severity.BLOCKS,
                    spec.identity.name,
                    f"{disk.label} can be shared with another VM (multi-writer, or a SCSI bus that is shared)",
                    "take the sharing off both VMs for the move, or move the cluster's members by hand together",
                )


def nothing_to_land_on(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block stage `migrated` where no new datastore is named."""
    if spec.stage is Stage.MIGRATED and not spec.new_volumes:
        yield Concern(
            "datastore.none-at-target",
            Severity.BLOCKS,
            spec.identity.name,
            "stage migrated needs a new datastore, and esxodus:target.datastores names none",
            "declare one, or use stage rehosted",
        )
    del seen

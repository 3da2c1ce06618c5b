"""Can its files be brought along, and is there somewhere for them to land?"""

from __future__ import annotations

from collections.abc import Iterator

from migration.model import Concern, Observation, Severity, Stage, VmSpec


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
                files += [disk.label for disk in vm.disks if disk.file.volume == volume]
                yield Concern(
                    "disk.not-brought-along",
                    Severity.BLOCKS,
                    spec.identity.name,
                    f"{', '.join(files)} is on datastore {name!r}, which does not come along",
                    f"add {name!r} to esxodus:oldDatastores, or move the files off it first",
                )


def rdm_physical(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block a physical raw device mapping: only its pointer could move (vsphere-facts: S53)."""
    if spec.stage is Stage.SOURCE:
        return
    for vm in seen.vms:
        for disk in vm.disks:
            if disk.rdm == "physical" and vm.site == spec.source:
                yield Concern(
                    "rdm.physical",
                    Severity.BLOCKS,
                    spec.identity.name,
                    f"{disk.label} is a raw device mapping in physical mode, whose data cannot be copied by vSphere",
                    "convert it to a virtual disk, or detach it, copy it by the array, and attach it again at the target",
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

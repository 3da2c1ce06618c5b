"""What the VM is, apart from its guest, disks and devices: does that come along, and may it be touched now?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from migration.concerns.moves import leaving, touched
from migration.live import number
from migration.model import Power, Severity
from migration.observation import Observation
from migration.rule import Found, rule
from migration.wanted import VmSpec

OLDEST_HARDWARE: Final = 4
"""Virtual hardware 3 can be registered and upgraded, but neither run nor moved, already on 6.0 (vsphere-facts: S23)."""
DEEP: Final = 3
"""So long a chain of snapshots is usual; what is longer was forgotten, and makes every copy slower [U]."""
TRACKING_PATCH: Final = 3247720
"""ESXi 6.0 of patch ESXi600-201511001, which corrects changed block tracking (S52; its build number [U])."""


@rule(
    "vm.in-vapp",
    Severity.BLOCKS,
    "The VM is in a vApp, which does not come along, with its start order and settings.",
    remedy="drag it out of the vApp into a folder first",
    source="ours",
    halts=False,
)
def in_vapp(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a VM in a vApp: there would be no folder to return to either."""
    for move in leaving(spec, seen):
        if move.vm.vapp:
            yield Found("it is in a vApp, which does not come along")


@rule(
    "vm.fault-tolerant",
    Severity.BLOCKS,
    "Fault Tolerance is on, and its secondary VM cannot come along.",
    remedy="turn Fault Tolerance off, and on again after the move",
    source="U",
)
def fault_tolerant(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find Fault Tolerance: neither a move nor a copy of the files is possible with it."""
    for vm in touched(spec, seen):
        if vm.fault_tolerant:
            yield Found("Fault Tolerance is on")


@rule(
    "vm.encrypted",
    Severity.BLOCKS,
    "The VM is encrypted, and only a vCenter with the same key provider can run it.",
    remedy="decrypt it for the move; we cannot see whether the other vCenter can get its keys",
    source="U",
)
def encrypted(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find encryption; stricter than vSphere, which allows it where both vCenters have the key provider."""
    for move in leaving(spec, seen):
        if move.vm.encrypted:
            yield Found(f"it is encrypted, and {move.there.vcenter} may not have its key provider")


@rule(
    "vm.template-runs",
    Severity.BLOCKS,
    "The VM is a template that is on its way as a VM, and somebody has powered it on: what runs cannot become a template.",
    remedy="shut it down, then run again",
    source="API",
)
def template_runs(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a template whose conversion back would be refused, and whose guest nobody has asked us to shut down."""
    del spec
    for vm in seen.vms:
        if vm.from_template and not vm.template and vm.power is not Power.OFF:
            yield Found(f"it is a template on its way, and it is {vm.power}")


@rule(
    "vm.locked",
    Severity.BLOCKS,
    "Somebody, usually a backup product, has disabled operations on the VM.",
    remedy="let the backup end; where none runs, have the operations enabled again (the backup product's vendor says how)",
    source="S41",
    halts=False,
)
def locked(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find disabled methods: who set them counts on the VM to stay as it is; with its guest down it cannot any more."""
    for vm in touched(spec, seen):
        if vm.locked:
            yield Found(f"operations on it are disabled: {', '.join(sorted(vm.locked))}")


@rule(
    "vm.needs-consolidation",
    Severity.WARNS,
    "Files of deleted snapshots are still in use; they are copied too, and a later consolidation may need much room.",
    remedy="consolidate its disks in vCenter first",
    source="U",
)
def consolidation(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find disks that need consolidation."""
    for vm in touched(spec, seen):
        if vm.consolidation:
            yield Found("its disks need consolidation: files of deleted snapshots are still in use")


@rule(
    "vm.change-tracking",
    Severity.WARNS,
    "Changed block tracking is on, and its ESXi 6.0 lacks the patch that corrects it: incremental backups may be wrong.",
    remedy="make a full backup before the move, and another after it",
    source="S52; the build number U",
)
def change_tracking(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find incremental backups that cannot be relied upon for a way back; an unknown build counts as not patched."""
    for move in leaving(spec, seen):
        host = next((host for host in move.here.hosts if host.name == move.vm.host), None)
        version = (host.version if host else "") or move.here.version
        build = int(host.build) if host and host.build.isdigit() else 0
        if move.vm.change_tracking and number(version)[:2] == (6, 0) and build < TRACKING_PATCH:
            found = f"build {build}" if build else "a build that is not known"
            yield Found(
                f"changed block tracking is on, and {found} of ESXi 6.0 may report wrong changed sectors "
                f"(corrected in build {TRACKING_PATCH})"
            )


@rule(
    "hardware.too-new",
    Severity.BLOCKS,
    "No host of the new site that it may go to runs its virtual hardware.",
    remedy="upgrade the hosts there; virtual hardware cannot be downgraded",
    source="govmomi: esxi_version.go",
)
def hardware_too_new(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find virtual hardware above what each host runs that it may go to; the way back is rollback.hardware-too-new."""
    for move in leaving(spec, seen):
        if move.there.name == spec.target and 0 < move.hardware < move.vm.hardware:
            yield Found(
                f"its virtual hardware is {move.vm.hardware}; "
                f"the hosts of {move.there.vcenter} that it may go to run at most {move.hardware}"
            )


@rule(
    "hardware.too-old",
    Severity.BLOCKS,
    "Virtual hardware 3 or older can be registered and upgraded, but neither run nor moved.",
    remedy="upgrade its virtual hardware where it is",
    source="S23",
)
def hardware_too_old(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find virtual hardware that no supported host runs."""
    for move in leaving(spec, seen):
        if 0 < move.vm.hardware < OLDEST_HARDWARE:
            yield Found(f"its virtual hardware is {move.vm.hardware}, which can neither be run nor moved")


@rule(
    "snapshot.present",
    Severity.INFORMS,
    "The VM has snapshots; they come along, and are copied with it.",
    remedy="delete those that are no longer needed",
    source="U",
)
def snapshots(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find any snapshot."""
    for vm in touched(spec, seen):
        if vm.snapshots:
            yield Found(f"it has {vm.snapshots} snapshot{'s' if vm.snapshots > 1 else ''}")


@rule(
    "snapshot.deep",
    Severity.WARNS,
    "Its longest chain of snapshots is deeper than 3, which makes it slow, and every copy too.",
    remedy="delete snapshots that are no longer needed",
    source="U",
)
def snapshot_chain(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a long chain of snapshots."""
    for vm in touched(spec, seen):
        if vm.depth > DEEP:
            yield Found(f"its longest chain of snapshots is {vm.depth} deep")

"""Does the platform allow the way back to the old site?"""

from __future__ import annotations

from collections.abc import Iterator

from migration.concerns.moves import Move, leaving, touched
from migration.live import OLDEST, number
from migration.model import HOME, Severity
from migration.observation import Observation
from migration.rule import Found, rule
from migration.wanted import Stage, VmSpec


@rule(
    "rollback.no-papers",
    Severity.BLOCKS,
    "The VM did not come by us, so its old place is not known.",
    remedy="move it back by hand, or set its stage to migrated",
    source="ours",
)
def papers_missing(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a VM at the target without papers that is wanted where only papers know the way."""
    for vm in seen.vms:
        if vm.site != spec.target or vm.papers is not None or spec.stage is Stage.MIGRATED:
            continue
        old = seen.volume_ids(spec.source, spec.old_volumes)
        if spec.stage is Stage.SOURCE or not vm.volumes <= old:
            yield Found(f"it is at {vm.site} without the papers that say where it came from")


def _back(spec: VmSpec, seen: Observation) -> Iterator[Move]:
    yield from (move for move in leaving(spec, seen) if move.there.name == spec.source)


@rule(
    "rollback.hardware-too-new",
    Severity.BLOCKS,
    "Its virtual hardware was upgraded beyond what the old hosts run.",
    remedy="set its stage to rehosted or migrated; virtual hardware cannot be downgraded",
    source="govmomi: esxi_version.go",
)
def hardware_too_new(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find virtual hardware above what each of the old hosts runs (6.0: 11)."""
    for move in _back(spec, seen):
        if 0 < move.hardware < move.vm.hardware:
            yield Found(
                f"its virtual hardware was upgraded to {move.vm.hardware}; "
                f"the hosts of {move.there.vcenter} that it may go to run at most {move.hardware}"
            )


@rule(
    "rollback.vmfs6",
    Severity.BLOCKS,
    "A datastore that its files belong on is VMFS 6, which hosts before 6.5 cannot open.",
    remedy="set its stage to rehosted or migrated, or give the old hosts a VMFS 5 datastore",
    source="S24, S25",
)
def vmfs6(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a way back to a datastore that was made anew as VMFS 6 meanwhile."""
    for move in _back(spec, seen):
        old = any(host.version and number(host.version)[:2] < OLDEST for host in move.there.hosts)
        if not (old or (move.there.version and number(move.there.version)[:2] < OLDEST)):
            continue
        places = frozenset(move.vm.papers.places(move.vm.disks).values()) if move.vm.papers else frozenset()
        volumes = {one.id: one for one in (*move.here.volumes, *move.there.volumes) if one.version.startswith("6.")}
        for volume in sorted(places & volumes.keys()):
            yield Found(
                f"it is VMFS {volumes[volume].version}, which hosts before 6.5 cannot open",
                subject=volumes[volume].name,
            )


@rule(
    "rollback.no-room",
    Severity.BLOCKS,
    "An old datastore has no room for the files that belong there.",
    remedy="free space on the old datastore, or set its stage to rehosted or migrated",
    source="ours",
)
def no_room(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find an old datastore that has been filled since; at stage rehosted files return to it as well."""
    if spec.stage is Stage.MIGRATED:
        return
    old = seen.volume_ids(spec.source, spec.old_volumes)
    views = [seen.sites[name] for name in (spec.target, spec.source) if name in seen.sites]
    known = {volume.id: volume for view in views for volume in view.volumes if volume.capacity}
    for vm in touched(spec, seen):
        if vm.site != spec.target or vm.papers is None or vm.volumes <= old:
            continue
        sizes: dict[str, float] = {}
        for disk in vm.disks:
            to = vm.papers.disks.get(str(disk.key), vm.papers.disks.get(HOME, ""))
            if to != disk.file.volume:
                sizes[to] = sizes.get(to, 0.0) + disk.written
        for volume, size in sorted(sizes.items()):
            if volume in known and size > known[volume].free:
                yield Found(
                    f"{size:.1f} GiB of its files belong on {known[volume].name}, "
                    f"which has {known[volume].free:.1f} GiB free"
                )

"""Does the platform allow the way back to the old site?"""

from __future__ import annotations

from collections.abc import Iterator

from migration.model import Concern, Severity
from migration.observation import Observation
from migration.wanted import Stage, VmSpec


def papers_missing(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block the way back of a VM that did not come by us: its old place is not known."""
    for vm in seen.vms:
        if vm.site != spec.target or vm.papers is not None or spec.stage is Stage.MIGRATED:
            continue
        old = seen.volume_ids(spec.source, spec.old_volumes)
        if spec.stage is Stage.SOURCE or not vm.volumes <= old:
            yield Concern(
                "rollback.no-papers",
                Severity.BLOCKS,
                spec.identity.name,
                f"it is at {vm.site} without the papers that say where it came from",
                "move it back by hand, or set its stage to migrated",
            )


def hardware_too_new(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block the way back of a VM whose virtual hardware the old hosts cannot run (6.0 runs at most 11; vsphere-facts)."""
    view = seen.sites.get(spec.source)
    for vm in seen.vms:
        if (
            spec.stage is Stage.SOURCE
            and vm.site != spec.source
            and view
            and view.hardware
            and vm.hardware > view.hardware
        ):
            yield Concern(
                "rollback.hardware-too-new",
                Severity.BLOCKS,
                spec.identity.name,
                f"its virtual hardware was upgraded to {vm.hardware}; the hosts of {view.vcenter} run at most {view.hardware}",
                "set its stage to rehosted or migrated; virtual hardware cannot be downgraded",
            )

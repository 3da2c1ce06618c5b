"""Is there exactly one VM that the operator means, and can it be worked on?"""

from __future__ import annotations

from collections.abc import Iterator

from migration.model import Concern, Severity
from migration.observation import Observation
from migration.wanted import Stage, VmSpec


def not_found(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block a VM that no site has registered and no volume holds."""
    if not seen.vms and not seen.adrift:
        where = " or ".join(site.vcenter for site in seen.sites.values())
        yield Concern(
            "vm.not-found",
            Severity.BLOCKS,
            spec.identity.name,
            f"not registered at {where}, and no .vmx of that name is on the old or new datastores",
            "correct the name in the wave, or take it out; "
            "a template that was unregistered (.vmtx) has to be registered by hand",
        )


def ambiguous(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block a name that several different VMs bear."""
    found = {(vm.instance_uuid, f"{vm.folder}/{vm.name} at {vm.site}".lstrip("/")) for vm in seen.vms}
    if not seen.vms:
        found = {(one.instance_uuid, f"{one.vmx.path} (registered nowhere)") for one in seen.adrift}
    uuids = {uuid for uuid, _ in found}
    copies = len(seen.adrift) if not seen.vms else 0
    if len(uuids) > 1 or copies > 1:
        listed = ", ".join(sorted(f"{place} ({uuid})" for uuid, place in found))
        yield Concern(
            "vm.ambiguous",
            Severity.BLOCKS,
            spec.identity.name,
            f"the name fits {max(len(found), copies)} VMs: {listed}",
            "name the one that is meant by its instance UUID: {name: …, uuid: …}",
        )


def registered_twice(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block a VM that two inventories hold at once: powering it on at either may run it twice."""
    uuids = [vm.instance_uuid for vm in seen.vms]
    if len(uuids) > 1 and len(set(uuids)) == 1:
        where = " and ".join(f"{vm.site} (host {vm.host}, {vm.power})" for vm in seen.vms)
        yield Concern(
            "vm.registered-twice",
            Severity.BLOCKS,
            spec.identity.name,
            f"instance UUID {uuids[0]} is registered at {where}",
            "unregister it by hand where it does not run; never power both on",
        )


def unregistered_without_papers(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block a VM that somebody else took out of the inventory: where it belonged is not known."""
    if seen.vms or len(seen.adrift) != 1:
        return
    found = seen.adrift[0]
    if found.papers is None:
        yield Concern(
            "vm.unregistered",
            Severity.BLOCKS,
            spec.identity.name,
            f"registered nowhere; its file {found.vmx.path} carries no papers of ours, "
            "so its folder, pool and networks are not known",
            "register it by hand where it belongs, then run again",
        )


def unreachable(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block a VM that its vCenter shows as orphaned, inaccessible, invalid or disconnected."""
    for vm in seen.vms:
        if not vm.reachable:
            yield Concern(
                "vm.unreachable",
                Severity.BLOCKS,
                spec.identity.name,
                f"{vm.site} shows it as disconnected, orphaned, inaccessible or invalid (host {vm.host})",
                "bring its host or datastore back first",
            )


def in_vapp(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block a VM in a vApp: the vApp, with its start order and settings, stays behind, and there is no folder to return to."""
    for vm in seen.vms:
        if vm.vapp and vm.site == spec.source and spec.stage is not Stage.SOURCE:
            yield Concern(
                "vm.in-vapp",
                Severity.BLOCKS,
                spec.identity.name,
                "it is in a vApp, which does not come along",
                "drag it out of the vApp into a folder first",
            )

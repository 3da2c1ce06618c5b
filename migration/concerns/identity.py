"""Is there exactly one VM that the operator means, and can it be worked on?"""

from __future__ import annotations

from collections.abc import Iterator

from migration.concerns.moves import leaving
from migration.model import Severity
from migration.observation import Observation
from migration.rule import Found, rule
from migration.wanted import VmSpec


@rule(
    "vm.not-found",
    Severity.BLOCKS,
    "No site has registered the VM, and none of the old and new datastores holds its .vmx.",
    remedy="correct the name in the wave, or take it out; "
    "a template that was unregistered (.vmtx) has to be registered by hand",
    source="ours",
)
def not_found(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a VM that no site has registered and no volume holds."""
    del spec
    if not seen.vms and not seen.adrift:
        where = " or ".join(site.vcenter for site in seen.sites.values())
        yield Found(f"not registered at {where}, and no .vmx of that name is on the old or new datastores")


@rule(
    "vm.ambiguous",
    Severity.BLOCKS,
    "Several different VMs bear the name.",
    remedy="name the one that is meant by its instance UUID: {name: …, uuid: …}",
    source="ours",
)
def ambiguous(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a name that several different VMs bear."""
    del spec
    found = {(vm.instance_uuid, f"{vm.folder}/{vm.name} at {vm.site}".lstrip("/")) for vm in seen.vms}
    if not seen.vms:
        found = {(one.instance_uuid, f"{one.vmx.path} (registered nowhere)") for one in seen.adrift}
    uuids = {uuid for uuid, _ in found}
    copies = len(seen.adrift) if not seen.vms else 0
    if len(uuids) > 1 or copies > 1:
        listed = ", ".join(sorted(f"{place} ({uuid})" for uuid, place in found))
        yield Found(f"the name fits {max(len(found), copies)} VMs: {listed}")


@rule(
    "vm.registered-twice",
    Severity.BLOCKS,
    "Two inventories hold the VM at once, so that powering it on at either may run it twice.",
    remedy="unregister it by hand where it does not run; never power both on",
    source="ours",
)
def registered_twice(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a VM that two inventories hold, but for the moment in which a move between them ends."""
    del spec
    if seen.twice and not seen.ending:
        where = " and ".join(f"{vm.site} (host {vm.host}, {vm.power})" for vm in seen.vms)
        yield Found(f"instance UUID {seen.vms[0].instance_uuid} is registered at {where}")


@rule(
    "vm.held",
    Severity.WARNS,
    "Another run says in the VM that it is at work on it; this one would wait for it.",
    remedy="let it end; where it has been killed, the next run takes over by itself, within minutes",
    source="ours",
)
def held(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a VM that another run holds."""
    del spec
    if other := seen.holder:
        yield Found(f"{other.owner} is at work on it")


@rule(
    "vm.unregistered",
    Severity.BLOCKS,
    "Somebody else took the VM out of the inventory, so that nothing says where it belongs.",
    remedy="register it by hand where it belongs, then run again",
    source="ours",
)
def unregistered_without_papers(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a VM that is registered nowhere and carries no papers."""
    del spec
    if seen.vms or len(seen.adrift) != 1:
        return
    found = seen.adrift[0]
    if found.papers is None:
        yield Found(
            f"registered nowhere; its file {found.vmx.path} carries no papers of ours, "
            "so its folder, pool and networks are not known"
        )


@rule(
    "vm.unreachable",
    Severity.BLOCKS,
    "Its vCenter shows the VM as orphaned, inaccessible, invalid or disconnected.",
    remedy="bring its host or datastore back first",
    source="ours",
)
def unreachable(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a VM that its vCenter cannot work on."""
    del spec
    for vm in seen.vms:
        if not vm.reachable:
            yield Found(f"{vm.site} shows it as disconnected, orphaned, inaccessible or invalid (host {vm.host})")


@rule(
    "vm.others-unreadable",
    Severity.BLOCKS,
    "A vCenter cannot say which files another VM has: if the run ended while this one is registered nowhere, its .vmx could "
    "be that one's, and would not be registered again.",
    remedy="make that VM accessible, or remove it from the inventory",
    source="ours",
    halts=False,
)
def others_unreadable(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find VMs without known files, at either site, before it is unregistered: vm.owner-unknown would stop it afterwards."""
    for move in leaving(spec, seen):
        others = sorted(set(seen.unreadable) - {(move.vm.site, move.vm.name)})
        if others and not move.crosses:
            names = ", ".join(f"{name!r} at {seen.sites[site].vcenter}" for site, name in others)
            yield Found(f"not known is which files these VMs have: {names}")


@rule(
    "vm.name-taken",
    Severity.BLOCKS,
    "The folder that it goes to holds another VM of its name, or one would go there too from another datacenter; vSphere "
    "does not tell names apart by case, and would refuse the second.",
    remedy="rename one of the two, or move the other one to another folder",
    source="API: DuplicateName",
)
def name_taken(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find another VM of the same name in the folder that it goes to, or in one at the source that would become the same."""
    for move in leaving(spec, seen):
        vm = move.vm
        back = vm.papers if vm.site == spec.target else None
        datacenter = back.datacenter if back else spec.datacenter
        folder = back.folder if back else vm.folder
        for site, where, path in sorted(seen.namesakes):
            if path.casefold() != folder.casefold():
                continue
            if site == spec.home and where.casefold() == datacenter.casefold():
                yield Found(f"folder {folder or '/'!r} at {site} holds another VM that is called {vm.name!r}")
            elif site == vm.site == spec.source:
                yield Found(
                    f"another VM that is called {vm.name!r}, in datacenter {where!r} of {site}, would go to the same folder "
                    f"{folder or '/'!r} at {spec.home}"
                )


@rule(
    "vm.bios-uuid-twin",
    Severity.WARNS,
    "Another VM has the same BIOS UUID, usually a copy; backup, monitoring and licences may take one for the other.",
    remedy="see which of the two is the copy, and give that one a BIOS UUID of its own",
    source="S48, S49",
)
def bios_twin(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find VMs that share its BIOS UUID, at either site."""
    for move in leaving(spec, seen):
        if seen.twins:
            names = ", ".join(f"{name} at {site}" for site, name in sorted(seen.twins))
            yield Found(f"its BIOS UUID {move.vm.bios_uuid} is also that of {names}")

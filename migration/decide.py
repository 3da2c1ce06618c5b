"""The heart: from what is wanted and what is seen of one VM to the single next step. Pure.

Forwards a VM leaves the source (papers, then either across in one step or shut down, unregister), arrives at the target
(register, reconnect, power on), is restored and found well, and its files are copied to the new array; backwards the same
steps run the other way. No phase is stored: after any interruption the same question is asked of the world as it is then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from migration.actions import (
    Act,
    Action,
    Answer,
    CheckHealth,
    Cross,
    Decision,
    Done,
    MakeTemplate,
    MakeVm,
    PowerOff,
    PowerOn,
    Reconnect,
    Register,
    Relocate,
    RestoreMetadata,
    RunHook,
    SetAttributes,
    ShutDown,
    Stop,
    Unregister,
    Wait,
    WritePapers,
)
from migration.concerns import blocking
from migration.concerns.guest import moved_choice
from migration.live import added_cards, files_stay, networks_there
from migration.metadata import NO_METADATA
from migration.method import crosses
from migration.model import HOME, TEMPLATE_MARK, Adrift, Concern, Disk, Papers, Power, Severity, Tools, Vm
from migration.observation import Observation
from migration.wanted import Stage, VmSpec


def decide(spec: VmSpec, seen: Observation) -> Decision:
    """Return the single next step towards `spec`."""
    if (ending := seen.ending) and ending.in_flight:
        return Wait(f"{ending.in_flight.name} ({ending.in_flight.key}) is ending at {ending.site}; both sites show it")
    if other := seen.holder:
        return Wait(f"{other.owner} is at work on it")
    if concerns := blocking(spec, seen):
        return Stop(concerns)
    vm = seen.vm
    if vm is None:
        return Act(_recover(spec, seen, seen.adrift[0]))
    if vm.question:
        return _answer(vm)
    if vm.in_flight:
        return Wait(f"{vm.in_flight.name} ({vm.in_flight.key}) is running on it at {vm.site}")
    action = _settle(spec, seen, vm) if vm.site == spec.home else _leave(spec, seen, vm)
    return action if isinstance(action, Stop) else Act(action) if action else Done()


def stage_of(spec: VmSpec, seen: Observation) -> Stage | None:
    """Return the stage that the VM has reached in fact, or None where it is registered nowhere or on its way."""
    vm = seen.vm
    if vm is None or (vm.papers and vm.papers.transit):
        return None
    if vm.site == spec.source:
        return Stage.SOURCE
    return Stage.REHOSTED if vm.volumes & seen.volume_ids(spec.source, spec.old_volumes) else Stage.MIGRATED


def _recover(spec: VmSpec, seen: Observation, found: Adrift) -> Action:
    """Register a VM that is registered nowhere, where it is wanted, or where its files can be seen."""
    assert found.papers is not None  # noqa: S101 - the concern vm.unregistered has stopped this case
    papers = found.papers
    site = spec.home
    if site == spec.source and not found.volumes <= {volume.id for volume in seen.sites[site].volumes}:
        site = spec.target  # taken out of the target's inventory by hand, with its files on the new array
    at_source = site == spec.source
    return Register(
        site=site,
        vmx=found.vmx,
        name=found.name,
        datacenter=papers.datacenter if at_source else spec.datacenter,
        cluster=papers.cluster if at_source else spec.cluster,
        folder=papers.folder,
        pool=papers.pool,
        host=papers.host if at_source else spec.host,
        # A guest that is down does not wait for the one host that it was meant for.
        only=bool(spec.host) and not at_source and papers.power is not Power.ON,
        pools=papers.pools,
        volumes=found.volumes,
        networks=_networks(papers.nics if at_source else _mapped(spec, papers)),
        needs=found.needs if papers.power is Power.ON else found.needs.at_rest(),
        # Somebody took a settled VM out of the target's inventory: it is on its way again.
        papers=None if papers.transit else replace(papers, leaving=spec.target, transit=True),
    )


def _answer(vm: Vm) -> Act:
    """Answer "moved": that keeps BIOS UUID and MACs (vsphere-facts: S48, S49)."""
    question = vm.question
    choice = moved_choice(question) if question else None
    assert question is not None  # noqa: S101 - narrowed by the caller
    assert choice is not None  # noqa: S101 - the concern guest.question has stopped every other question
    return Act(Answer(question.id, *choice))


def _leave(spec: VmSpec, seen: Observation, vm: Vm) -> Action | Stop | None:
    """Take the VM off a site: files to where the other side sees them, papers, across; or shut down, unregister."""
    crossing = crosses(spec, seen, vm)
    papers = departing(spec, vm)
    if vm.site == spec.target and not crossing and (action := _back_to_old_volumes(spec, seen, vm)):
        return action
    if spec.before and not seen.so_far.prepared and not (vm.papers and vm.papers.transit):
        return RunHook("before", spec.before)
    if vm.template:
        return _unmake_template(vm)
    if vm.papers != papers:
        return WritePapers(papers)
    if crossing:
        # No guest is down while its files are copied: one that went down meanwhile comes up where it is.
        return PowerOn() if papers.power is Power.ON and vm.power is Power.OFF else _cross(spec, seen, vm, papers)
    if vm.power is Power.OFF:
        return Unregister(vm.site)
    if vm.tools is Tools.NOT_INSTALLED:
        return PowerOff("no VMware Tools")
    if seen.so_far.overdue:
        return PowerOff(f"the guest did not shut down within {spec.shutdown_timeout:g} s")
    return ShutDown(spec.shutdown_timeout)


def _cross(spec: VmSpec, seen: Observation, vm: Vm, papers: Papers) -> Cross:
    """Move it to the other vCenter in one step, with its files where they have to move."""
    back = spec.home == spec.source
    stay = files_stay(spec, seen, vm)
    to = {} if stay or not back else papers.places(vm.disks)
    candidates = () if stay or back else tuple(sorted(seen.volume_ids(spec.target, spec.new_volumes)))
    return Cross(
        site=spec.home,
        name=vm.name,
        datacenter=papers.datacenter if back else spec.datacenter,
        cluster=papers.cluster if back else spec.cluster,
        folder=papers.folder,
        pool=papers.pool,
        pools=papers.pools,
        host=papers.host if back else spec.host,
        nics=networks_there(spec, vm),
        to=to,
        candidates=candidates,
        size=sum(disk.written for disk in vm.disks if candidates or _moves(disk, to)),
        live=vm.power is Power.ON,
        only=bool(spec.host) and not back,
        reserve=spec.reserve,
    )


def departing(spec: VmSpec, vm: Vm) -> Papers:
    """Return the papers that the VM must carry when it leaves its present site.

    What was added to it at the target comes along back; what was taken away there, of what the source knew, comes back.
    """
    before = vm.papers
    on_its_way = before if before and before.transit else None
    # A VM that is off because we shut it down, or have only just registered it, is still one that must run where it arrives.
    power = on_its_way.power if on_its_way and vm.power is not Power.ON else vm.power
    # At the target, or back at the source but not yet restored, the papers know more than the vCenter does.
    if before and vm.site == spec.target:
        present = (
            before
            if on_its_way
            else replace(
                before,
                nics={**before.nics, **added_cards(spec, vm)},
                attributes={**before.attributes, **_own(vm)},
                metadata=before.metadata.merged(vm.metadata),
                healthy=False,
            )
        )
        return replace(present, leaving=vm.site, transit=True, power=power, template=vm.from_template)
    if vm.unrestored:
        return replace(vm.unrestored, power=power, template=vm.from_template)
    # While a guest shuts down it loses one thing after the other.
    guest = on_its_way if on_its_way and not (vm.tools is Tools.RUNNING and vm.addresses) else vm
    return Papers(
        leaving=vm.site,
        transit=True,
        power=power,
        template=vm.from_template,
        datacenter=vm.datacenter,
        cluster=vm.cluster,
        folder=vm.folder,
        pool=vm.pool,
        host=vm.host,
        nics={str(nic.key): nic.network for nic in vm.nics},
        disks={HOME: vm.vmx.volume, **{str(disk.key): disk.file.volume for disk in vm.disks}},
        # A person who registered it here again has not brought back what only this vCenter knew.
        attributes={**(before.attributes if before else {}), **_own(vm)},
        metadata=before.metadata.merged(vm.metadata) if before else vm.metadata,
        pools=vm.pools,
        tools=vm.tools is Tools.RUNNING or bool(on_its_way and on_its_way.tools),
        addresses=guest.addresses,
    )


def _settle(spec: VmSpec, seen: Observation, vm: Vm) -> Action | Stop | None:
    """Restore the VM where it is wanted, then bring its files to where they are wanted."""
    papers = vm.papers
    arriving = papers if papers and (papers.transit or vm.site == spec.source) else None
    if arriving and (restoring := _restore(spec, seen, vm, arriving)):
        return restoring
    if papers and vm.site == spec.target and (receiving := _receive(spec, seen, vm, papers)):
        return receiving
    if vm.site == spec.target and (moving := _files(spec, seen, vm)):
        return moving
    if TEMPLATE_MARK in vm.attributes:
        return SetAttributes({TEMPLATE_MARK: ""}) if vm.template else MakeTemplate()
    return None


def _restore(spec: VmSpec, seen: Observation, vm: Vm, papers: Papers) -> Action | None:
    """Give an arrived VM its networks, power state and metadata; the last step says that it has arrived."""
    if vm.template:
        return None  # it became one after it had arrived; the papers are of no more use
    # What the vCenter shows of a VM that never left it is newer than its papers; of one that a person has registered here
    # again it shows nothing.
    never_left = papers.leaving == vm.site == spec.source
    wanted = _mapped(spec, papers) if vm.site == spec.target else papers.nics
    view = seen.sites.get(vm.site)
    fine = view.networks if view and never_left else frozenset[str]()
    networks = {
        nic.key: network
        for nic in vm.nics
        if (network := wanted.get(str(nic.key))) and network != nic.network and nic.network not in fine
    }
    if networks:
        return Reconnect(networks)
    if papers.power is Power.ON and vm.power is not Power.ON:
        return PowerOn()
    attributes = {
        name: value
        for name, value in papers.attributes.items()
        if vm.attributes.get(name) != value and not (never_left and name in vm.attributes)
    }
    if papers.template and TEMPLATE_MARK not in vm.attributes:
        attributes[TEMPLATE_MARK] = "yes"
    if attributes:
        return SetAttributes(attributes)
    lacking = NO_METADATA if never_left and vm.metadata else papers.metadata.lacking(vm.metadata)
    if lacking and not seen.so_far.restored:  # once a run: what this vCenter refuses stays a difference that is told
        return RestoreMetadata(lacking)
    if vm.site == spec.source and spec.after and not seen.so_far.received:
        return RunHook("after", spec.after)
    if vm.site == spec.source:
        return WritePapers(None)
    # Who left the source before it was in its rules there no more: only here are they complete again, for the way back.
    known = papers.metadata.merged(vm.metadata)
    # With nothing to look at there is nothing to wait for; a check or a hook that is wanted later is for those that come later.
    return WritePapers(replace(papers, transit=False, healthy=not _awaited(spec, papers), metadata=known))


def _receive(spec: VmSpec, seen: Observation, vm: Vm, papers: Papers) -> Action | None:
    """See that an arrived guest is well before its files leave the old array, and remember it in its papers."""
    if vm.template or papers.healthy or not _awaited(spec, papers):
        return None
    check = health_check(spec, papers)
    if check and not seen.so_far.checked:
        return check
    if spec.after and not seen.so_far.received:
        return RunHook("after", spec.after)
    return WritePapers(replace(papers, healthy=True))


def _awaited(spec: VmSpec, papers: Papers) -> bool:
    """Say whether anything has to be done to an arrived VM before its files leave the old array."""
    return bool(health_check(spec, papers) or spec.after)


def health_check(spec: VmSpec, papers: Papers) -> CheckHealth | None:
    """Return what is to be checked of the guest; None where nothing is, or where it did not run."""
    health = spec.health
    if health is None or papers.power is not Power.ON:
        return None
    tools = health.tools and papers.tools
    addresses = papers.addresses if health.addresses else ()
    if not (tools or addresses or health.ports):
        return None
    return CheckHealth(tools, addresses, health.ports, health.timeout)


def _files(spec: VmSpec, seen: Observation, vm: Vm) -> Action | Stop | None:
    """Bring the files of a VM at the target to the array where they are wanted."""
    if spec.stage is not Stage.MIGRATED:
        return _back_to_old_volumes(spec, seen, vm)
    old = seen.volume_ids(spec.source, spec.old_volumes) | seen.volume_ids(spec.target, spec.old_volumes)
    if not vm.volumes & old:
        return None
    if vm.template:
        return _unmake_template(vm)
    candidates = tuple(sorted(seen.volume_ids(spec.target, spec.new_volumes)))
    if not candidates:
        return _stop(
            spec,
            "datastore.not-at-target",
            f"the target shows none of the new datastores {', '.join(spec.new_volumes)}",
            "see why they are missing there, then run again",
        )
    return Relocate({}, candidates, sum(disk.written for disk in vm.disks), spec.reserve)


def _back_to_old_volumes(spec: VmSpec, seen: Observation, vm: Vm) -> Action | Stop | None:
    """Return what brings the files back to where they lived at the source; None where they are there.

    A disk that was added since goes beside the .vmx.
    """
    old = seen.volume_ids(spec.source, spec.old_volumes)
    if vm.volumes <= old:
        return None
    if vm.template:
        return _unmake_template(vm)
    assert vm.papers is not None  # noqa: S101 - the concern rollback.no-papers has stopped this case
    to = vm.papers.places(vm.disks)
    if to == {HOME: vm.vmx.volume, **{str(disk.key): disk.file.volume for disk in vm.disks}}:
        return None  # they are where they came from, whatever the stack calls old by now
    unseen = sorted(set(to.values()) - {volume.id for volume in seen.sites[vm.site].volumes})
    if unseen:
        source = seen.sites[spec.source]
        names = ", ".join(source.volume_name(volume) or volume for volume in unseen)
        return _stop(
            spec,
            "rollback.volume-not-seen",
            f"its files belong on {names}, which {seen.sites[vm.site].vcenter} does not show",
            "present and mount the old datastore on the target's hosts again",
        )
    moved = sum(disk.written for disk in vm.disks if _moves(disk, to))
    return Relocate(to, (), moved)


def _moves(disk: Disk, to: Mapping[str, str]) -> bool:
    return to.get(str(disk.key), disk.file.volume) != disk.file.volume


def _unmake_template(vm: Vm) -> Action:
    """Mark first, so that nothing can lose the knowledge that it is a template; then make it a VM."""
    return MakeVm() if TEMPLATE_MARK in vm.attributes else SetAttributes({TEMPLATE_MARK: "yes"})


def _mapped(spec: VmSpec, papers: Papers) -> dict[str, str]:
    """Return each card's network at the target."""
    return {key: spec.networks[network] for key, network in papers.nics.items() if network in spec.networks}


def _networks(nics: Mapping[str, str]) -> frozenset[str]:
    return frozenset(network for network in nics.values() if network)


def _own(vm: Vm) -> dict[str, str]:
    """Return the VM's custom attributes without ours."""
    return {name: value for name, value in vm.attributes.items() if not name.startswith("esxodus.")}


def _stop(spec: VmSpec, identifier: str, sentence: str, remedy: str) -> Stop:
    return Stop((Concern(identifier, Severity.BLOCKS, spec.identity.name, sentence, remedy),))

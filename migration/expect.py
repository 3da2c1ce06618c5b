"""What the world should look like after an action. Pure.

Two uses: the plan that `pulumi preview` shows is `decide` played forward over these expectations, and the fake sites of the
tests behave by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from migration.actions import (
    Action,
    Answer,
    CheckHealth,
    Cross,
    Hold,
    MakeTemplate,
    MakeVm,
    Placed,
    PowerOff,
    PowerOn,
    Reconnect,
    Register,
    Relocate,
    RestoreMetadata,
    RunHook,
    SetAttributes,
    ShutDown,
    Unregister,
    WritePapers,
)
from migration.metadata import NO_METADATA
from migration.model import HOME, TEMPLATE_MARK, Adrift, Disk, File, Power, Tools, Vm
from migration.observation import Observation


def after(seen: Observation, action: Action, placed: Placed) -> Observation:
    """Return the observation that follows when `action` ends well."""
    if isinstance(action, Register):
        return replace(seen, vms=(registered(seen.adrift[0], action, placed),), adrift=())
    vm = seen.vm
    if vm is None:
        return seen
    match action:
        case CheckHealth():
            return seen.knowing(checked=True)
        case RunHook("before"):
            return seen.knowing(prepared=True)
        case RunHook():
            return seen.knowing(received=True)
        case RestoreMetadata():
            seen = seen.knowing(restored=True)
        case _:
            pass
    if isinstance(action, Unregister):
        return replace(seen, vms=(), adrift=(adrift(vm),))
    return replace(seen, vms=(changed(vm, action, placed),))


def changed(vm: Vm, action: Action, placed: Placed) -> Vm:
    """Return the VM as it is after an action that leaves it registered where it is."""
    match action:
        case WritePapers(papers, lease):
            return replace(vm, papers=papers, lease=lease if papers and papers.transit else None)
        case Hold():
            return holding(vm, action)
        case ShutDown() | PowerOff():
            return replace(vm, power=Power.OFF, tools=_stopped(vm.tools))
        case PowerOn():
            return replace(vm, power=Power.ON)
        case Answer():
            return replace(vm, question=None)
        case Reconnect(networks):
            return replace(vm, nics=tuple(replace(nic, network=networks.get(nic.key, nic.network)) for nic in vm.nics))
        case Relocate(to=to):
            return _relocated(vm, to, placed.volume)
        case SetAttributes(attributes):
            kept = {name: value for name, value in {**vm.attributes, **attributes}.items() if value}
            return replace(vm, attributes=kept)
        case MakeTemplate():
            return replace(vm, template=True)
        case MakeVm():
            return replace(vm, template=False)
        case Cross():
            return _crossed(vm, action, placed)
        case RestoreMetadata(metadata):
            return replace(vm, metadata=vm.metadata.merged(metadata))
        case Unregister() | Register() | RunHook() | CheckHealth():
            return vm


def holding(vm: Vm, action: Hold) -> Vm:
    """Return the VM as it is after a run has said in it that it works on it, or that it does not any more."""
    lease = None if action.let_go else action.lease
    if vm.on_its_way:
        return replace(vm, lease=lease)
    return replace(vm, attributes={**vm.attributes, TEMPLATE_MARK: lease.dumps() if lease else "yes"})


def adrift(vm: Vm) -> Adrift:
    """Return what is left of a VM that was unregistered: its files, and what they say."""
    return Adrift(vm.name, vm.instance_uuid, vm.vmx, vm.volumes, vm.papers, vm.nics, vm.needs, vm, vm.lease)


def registered(found: Adrift, action: Register, placed: Placed) -> Vm:
    """Return the VM that a registration makes of the files, as far as `decide` needs to know it.

    What only a vCenter knows (place, custom attributes) starts anew; what the files say comes along.
    """
    last = found.last or Vm("", found.name, found.instance_uuid, "", found.vmx, Power.OFF, nics=found.nics)
    return replace(
        last,
        site=action.site,
        name=action.name,
        power=Power.OFF,
        template=False,
        datacenter=action.datacenter,
        cluster=action.cluster,
        folder=action.folder,
        pool=action.pool,
        host=placed.host,
        attributes={},
        papers=action.papers or found.papers,
        lease=found.lease,
        metadata=NO_METADATA,
        tools=Tools.NOT_INSTALLED if last.tools is Tools.NOT_INSTALLED else Tools.NOT_RUNNING,
        question=None,
        in_flight=None,
    )


def _crossed(vm: Vm, action: Cross, placed: Placed) -> Vm:
    """Return the VM at the other vCenter: it runs on, and what only the old vCenter knew is lost."""
    moved = _relocated(vm, action.to, placed.volume)
    return replace(
        moved,
        site=action.site,
        datacenter=action.datacenter,
        cluster=action.cluster,
        folder=action.folder,
        pool=action.pool,
        host=placed.host,
        nics=tuple(replace(nic, network=action.nics.get(nic.key, nic.network)) for nic in vm.nics),
        attributes={},
        metadata=NO_METADATA,
    )


def _stopped(tools: Tools) -> Tools:
    return Tools.NOT_RUNNING if tools is Tools.RUNNING else tools


def _relocated(vm: Vm, to: Mapping[str, str], everywhere: str) -> Vm:
    def moved(key: str, file: File) -> File:
        return replace(file, volume=everywhere or to.get(key, file.volume))

    def whole(disk: Disk) -> Disk:  # the layers that it is a delta of go along
        file = moved(str(disk.key), disk.file)
        return replace(disk, file=file, below=frozenset({file.volume}) if disk.below else disk.below)

    disks = tuple(whole(disk) for disk in vm.disks)
    return replace(vm, vmx=moved(HOME, vm.vmx), disks=disks)

"""Taking a VM, running or not, to another vCenter in one step: Advanced Cross vCenter vMotion.

The vCenter that the VM leaves does the work, and logs in to the other one for it. Our own sessions with both only watch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from pyVmomi import vim

from migration.actions import Cross, Placed
from migration.errors import Stale, Unexpected
from migration.model import HOME, Power, Vm
from migration.sites import Progress
from vsphere import cards, places, relocate, tasks, tls
from vsphere.hardware import devices
from vsphere.site import EFFECT, READINGS, Site
from vsphere.snapshot import Record


def cross(here: Site, there: Site, vm: Vm, action: Cross, placed: Placed, progress: Progress) -> None:
    """Move the VM from `here` to the host and datastore that were chosen `there`; return once both sites show it.

    Folder and pool are created where they are missing. Nothing is sent where the VM is no longer as it was observed.

    Raises: Stale; Blocked where something that it needs is missing there; Refused where the other vCenter refuses the login;
    else as the fault means.
    """
    record = here.identified(vm)
    if (str(record.get("runtime.powerState")) == Power.ON) != action.live:
        raise Stale(f"{vm.name}: its power state has changed since it was observed")
    if there.now(vm):
        raise Stale(f"{vm.name}: it is registered at {there.name} by now; it is observed again")
    volumes = _volumes(vm, action, placed)
    at = places.place(there, action, placed.host)
    spec = _spec(there, at, record, vm, action, volumes)
    spec.pool = places.pool(there, at.cluster, action, progress)
    spec.folder = places.folder(there, at.datacenter, action, progress)
    spec.service = _locator(there)
    ref = cast("vim.VirtualMachine", record.ref)
    priority = vim.VirtualMachine.MovePriority.defaultPriority
    kind = "cross vCenter vMotion" if action.live else "migrate, powered off,"
    what = f"{kind} to {placed.host} of {there.endpoint.vcenter}"
    here.run(vm.name, what, lambda: ref.Relocate(spec, priority), progress, other=there.endpoint)
    here.settle(ref, lambda: here.now(vm) is None)
    _arrive(there, vm, what, volumes)
    inventory = there.inventory()
    datacenter = at.datacenter.moref
    relocate.refresh_space(
        there, vm, [relocate.shown(inventory, datacenter, vm, one) for one in sorted(set(volumes.values()))]
    )


def _volumes(vm: Vm, action: Cross, placed: Placed) -> dict[str, str]:
    """Return the volume where each file of the VM is to be: the .vmx under `home`, a disk under its device key."""
    present = {HOME: vm.vmx.volume, **{str(disk.key): disk.file.volume for disk in vm.disks}}
    if placed.volume:
        return dict.fromkeys(present, placed.volume)
    if action.to:
        home = action.to.get(HOME, present[HOME])
        return {key: action.to.get(key, home) for key in present}
    return present


def _spec(
    there: Site, at: places.Place, record: Record, vm: Vm, action: Cross, volumes: Mapping[str, str]
) -> vim.vm.RelocateSpec:
    """Return host, datastores and networks; between two vCenters nothing may be left out."""
    inventory, datacenter = there.inventory(), at.datacenter.moref
    spec = vim.vm.RelocateSpec(
        host=cast("vim.HostSystem", at.host.ref),
        datastore=relocate.shown(inventory, datacenter, vm, volumes[HOME]),
        deviceChange=cards.edits(vm.name, record, action.nics, inventory, at.host, datacenter),
    )
    if len(set(volumes.values())) > 1:
        spec.disk = [
            vim.vm.RelocateSpec.DiskLocator(
                diskId=disk.key,
                datastore=relocate.shown(inventory, datacenter, vm, volumes.get(str(disk.key), volumes[HOME])),
            )
            for disk in devices(record, vim.vm.device.VirtualDisk)
        ]
    return spec


def _locator(there: Site) -> vim.ServiceLocator:
    """Return how the vCenter that is left finds the other one, and who it is there: the login that we have ourselves.

    The password is in the call alone: pyVmomi's objects print what they hold, so this one is given to nothing that prints.
    """
    endpoint = there.endpoint
    about = there.session.content.about
    if not about.instanceUuid:
        raise Unexpected(f"{endpoint} does not say which vCenter it is")
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return vim.ServiceLocator(
        instanceUuid=about.instanceUuid,
        url=f"https://{host}:{endpoint.port}",
        credential=vim.ServiceLocator.NamePassword(username=endpoint.username, password=endpoint.password),
        sslThumbprint=tls.thumbprint(endpoint),
    )


def _arrive(there: Site, vm: Vm, what: str, volumes: Mapping[str, str]) -> None:
    """Wait until the site shows the VM with its files where they should be; look for it where no update tells of it.

    Raises: Stale where it does not come to show: it is observed again what came of the move.
    """

    def arrived() -> bool:
        now = there.now(vm)
        if now is None or now.vmx.volume != volumes[HOME]:
            return False
        return all(disk.file.volume == volumes.get(str(disk.key), volumes[HOME]) for disk in now.disks)

    pause = there.pausing(f"{vm.name}: waiting for {there.name} to show it")
    index = cast("vim.SearchIndex", there.session.content.searchIndex)
    for _ in range(READINGS):
        tasks.until(there.watch, arrived, EFFECT, pause)
        # The update that it has entered may have come before all of its configuration was read: read it once more.
        doing = f"{vm.name}: looking for it at {there.name}"
        found = there.session.read(doing, lambda: index.FindByUuid(None, vm.instance_uuid, True, True), vm.name)
        if found is not None:
            there.watch.reread(found)
        if arrived():
            return
    raise Stale(f"{vm.name}: {what} has ended, and {there.name} does not show it yet; it is observed again")

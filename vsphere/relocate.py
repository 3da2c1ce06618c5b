"""Moving a VM's files between volumes of its site, while it runs (Storage vMotion) or not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any, cast

from pyVmomi import vim

from migration.actions import Placed, Relocate
from migration.errors import Blocked, MigrationError
from migration.model import HOME, Concern, Power, Severity, Vm
from migration.sites import Progress
from vsphere.hardware import devices
from vsphere.inventory import Inventory
from vsphere.site import Site


def relocate(site: Site, vm: Vm, action: Relocate, placed: Placed, progress: Progress) -> None:
    """Move each file where `action.to` says, or everything to the volume that was chosen.

    Raises: Blocked where the site does not show a volume; Stale; else as the fault means.
    """
    record = site.identified(vm)
    ref = cast("vim.VirtualMachine", record.ref)
    inventory = site.inventory()
    datacenter = inventory.datacenter_of(record)
    home = action.to.get(HOME, placed.volume)
    spec = vim.vm.RelocateSpec(datastore=shown(inventory, datacenter, vm, home))
    if action.to:
        spec.disk = [
            vim.vm.RelocateSpec.DiskLocator(
                diskId=disk.key,
                datastore=shown(inventory, datacenter, vm, action.to.get(str(disk.key), home)),
            )
            for disk in devices(record, vim.vm.device.VirtualDisk)
        ]
    names = sorted({inventory.view.volume_name(one) or one for one in {home, *action.to.values()}})
    kind = "Storage vMotion" if vm.power is Power.ON else "copy"
    site.run(vm.name, f"{kind} to {', '.join(names)}", lambda: ref.Relocate(spec, None), progress)

    def arrived() -> bool:
        now = site.now(vm)
        wanted = {HOME: home, **{str(disk.key): action.to.get(str(disk.key), home) for disk in vm.disks}}
        if now is None or now.vmx.volume != wanted[HOME]:
            return False
        return all(disk.file.volume == wanted.get(str(disk.key), home) for disk in now.disks)

    site.settle(ref, arrived)
    refresh_space(site, vm, [shown(inventory, datacenter, vm, volume) for volume in {home, *action.to.values()}])


def refresh_space(site: Site, vm: Vm, datastores: Iterable[Any]) -> None:
    """Have vCenter, which does so now and then, look at the free space: who is admitted next must see what a copy has taken."""
    for datastore in datastores:
        with contextlib.suppress(MigrationError):  # the copy itself has ended well
            site.session.read(f"{vm.name}: refresh the free space of its datastore", datastore.Refresh, vm.name)
            site.watch.reread(datastore)


def shown(inventory: Inventory, datacenter: str, vm: Vm, volume: str) -> Any:
    """Return the datastore that shows the volume, in that datacenter where several do.

    Raises: Blocked where the site does not show it.
    """
    found = inventory.datastore(volume, datacenter)
    if found is not None:
        return found.ref
    raise Blocked(
        (
            Concern(
                "datastore.missing",
                Severity.BLOCKS,
                vm.name,
                f"{inventory.site} does not show the volume {volume} that its files should go to",
                "see whether the datastore is mounted there, then run again",
            ),
        )
    )

"""Moving a VM's files between volumes of its site, while it runs (Storage vMotion) or not."""

from __future__ import annotations

import contextlib
from typing import Any, cast

from pyVmomi import vim

from migration.actions import Placed, Relocate
from migration.errors import Blocked, MigrationError
from migration.model import HOME, Concern, Power, Severity, Vm
from migration.sites import Progress
from vsphere.hardware import devices
from vsphere.inventory import Inventory
from vsphere.site import Site
from vsphere.snapshot import Record


def relocate(site: Site, vm: Vm, action: Relocate, placed: Placed, progress: Progress) -> None:
    """Move each file where `action.to` says, or everything to the volume that was chosen.

    Raises: Blocked where the site does not show a volume; Stale; else as the fault means.
    """
    record = site.identified(vm)
    ref = cast("vim.VirtualMachine", record.ref)
    inventory = site.inventory()
    home = action.to.get(HOME, placed.volume)
    spec = vim.vm.RelocateSpec(datastore=_datastore(inventory, record, vm, home))
    if action.to:
        spec.disk = [
            vim.vm.RelocateSpec.DiskLocator(
                diskId=disk.key,
                datastore=_datastore(inventory, record, vm, action.to.get(str(disk.key), home)),
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
    # vCenter updates free space now and then; who is admitted next must see what this copy has taken.
    for volume in {home, *action.to.values()}:
        datastore = _datastore(inventory, record, vm, volume)
        with contextlib.suppress(MigrationError):  # the copy itself has ended well
            site.session.read(f"{vm.name}: refresh the free space of its datastore", datastore.Refresh, vm.name)
            site.watch.reread(datastore)


def _datastore(inventory: Inventory, record: Record, vm: Vm, volume: str) -> Any:
    found = inventory.datastore(volume, inventory.datacenter_of(record))
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

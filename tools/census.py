"""An independent read of a vCenter: what a person would check by hand after a migration.

Deliberately not built on `vsphere/`: a mistake there must not hide itself here.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim


@dataclass(frozen=True)
class Counted:
    """A VM as one vCenter shows it."""

    site: str
    name: str
    instance_uuid: str
    power: str
    template: bool
    macs: tuple[str, ...]
    disks: tuple[tuple[str, int], ...]  # label and bytes
    datastores: frozenset[str]
    notes: str
    snapshots: int


def count(sites: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Counted]]:
    """Read every VM of every site; by instance UUID, so that one that is registered twice shows twice.

    `sites` maps a name to vcenter "host:port", username, password and certificate (PEM).
    """
    found: dict[str, list[Counted]] = {}
    for name, site in sites.items():
        host, _, port = str(site["vcenter"]).partition(":")
        trust = ssl.create_default_context(cadata=site["certificate"])
        instance = SmartConnect(
            host=host, port=int(port or 443), user=site["username"], pwd=site["password"], sslContext=trust
        )
        try:
            content = instance.RetrieveContent()
            view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], recursive=True)
            for vm in view.view:
                one = _counted(name, vm)
                found.setdefault(one.instance_uuid, []).append(one)
            view.Destroy()
        finally:
            Disconnect(instance)
    return found


def _counted(site: str, vm: Any) -> Counted:
    config = vm.config
    devices: list[Any] = config.hardware.device
    disks: list[Any] = [device for device in devices if isinstance(device, vim.vm.device.VirtualDisk)]
    cards: list[Any] = [device for device in devices if isinstance(device, vim.vm.device.VirtualEthernetCard)]
    files = [config.files.vmPathName, *(disk.backing.fileName for disk in disks)]
    return Counted(
        site=site,
        name=vm.name,
        instance_uuid=config.instanceUuid,
        power=str(vm.runtime.powerState),
        template=bool(config.template),
        macs=tuple(card.macAddress for card in cards),
        disks=tuple((disk.deviceInfo.label, int(disk.capacityInKB) * 1024) for disk in disks),
        datastores=frozenset(file.partition("]")[0].lstrip("[") for file in files),
        notes=config.annotation or "",
        snapshots=_snapshots(vm.snapshot.rootSnapshotList) if vm.snapshot else 0,
    )


def _snapshots(trees: list[Any]) -> int:
    return sum(1 + _snapshots(tree.childSnapshotList) for tree in trees)

"""From a VM's virtual devices to its disks, its network cards, and what binds it to a host or to other files. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from pyVmomi import vim

from migration.model import Device, Disk, File, Nic
from vsphere.names import decoded
from vsphere.session import moref
from vsphere.snapshot import Record
from vsphere.surroundings import Surroundings

GIB: Final = 1 << 30

_RDM: Final[Mapping[str, Literal["physical", "virtual"]]] = {
    "physicalMode": "physical",
    "virtualMode": "virtual",
}

Kind = Literal[
    "iso", "floppy", "hostMedia", "passthrough", "sriov", "vgpu", "usb", "serial", "parallel", "vtpm", "other"
]

_OF: Any = vim.vm.device
_BINDING: Final[tuple[tuple[type[Any], type[Any] | None, Kind], ...]] = (
    (_OF.VirtualCdrom, _OF.VirtualCdrom.IsoBackingInfo, "iso"),
    (_OF.VirtualCdrom, None, "hostMedia"),
    (_OF.VirtualFloppy, _OF.VirtualFloppy.ImageBackingInfo, "floppy"),
    (_OF.VirtualFloppy, None, "hostMedia"),
    (_OF.VirtualPCIPassthrough, _OF.VirtualPCIPassthrough.VmiopBackingInfo, "vgpu"),
    (_OF.VirtualPCIPassthrough, None, "passthrough"),
    (_OF.VirtualSCSIPassthrough, None, "passthrough"),
    (_OF.VirtualSriovEthernetCard, None, "sriov"),
    (_OF.VirtualUSB, None, "usb"),
    (_OF.VirtualSerialPort, None, "serial"),
    (_OF.VirtualParallelPort, None, "parallel"),
    (_OF.VirtualTPM, None, "vtpm"),
    (_OF.VirtualNVDIMM, None, "other"),
    (_OF.VirtualPrecisionClock, None, "other"),
)
"""Kinds by device and backing (None: any other); the first that fits is meant."""

_ANYWHERE: Final = (_OF.VirtualSerialPort.URIBackingInfo, _OF.VirtualSerialPort.ThinPrintBackingInfo)
"""Backings that any host offers."""
_REMOTE: Final = (_OF.VirtualDevice.RemoteDeviceBackingInfo, _OF.VirtualCdrom.RemotePassthroughBackingInfo)
"""A drive of whoever has a console open: nothing, unless somebody is connected just now."""


def devices(record: Record, kind: type[Any]) -> list[Any]:
    """Return the VM's virtual devices of one kind."""
    return [device for device in record.get("config.hardware.device", ()) if isinstance(device, kind)]


# --- disks ------------------------------------------------------------------------------------------------------------


def disks(record: Record, around: Surroundings) -> tuple[Disk, ...]:
    """Return the VM's disks, with what a copy of each has to move."""
    sizes = {int(file.key): int(file.size) for file in record.get("layoutEx.file", ())}
    written = {
        int(layout.key): sum(sizes.get(int(key), 0) for unit in layout.chain or () for key in unit.fileKey or ())
        for layout in record.get("layoutEx.disk", ())
    }
    buses = devices(record, vim.vm.device.VirtualSCSIController)
    sharing = {int(bus.key) for bus in buses if str(bus.sharedBus) != "noSharing"}
    return tuple(_disk(disk, written, sharing, around) for disk in devices(record, vim.vm.device.VirtualDisk))


def layers(disk: Any) -> Iterator[Any]:
    """Yield the backing of the running layer of a disk, then of each one under it."""
    backing = disk.backing
    while backing is not None:
        yield backing
        backing = getattr(backing, "parent", None)


def _disk(disk: Any, written: Mapping[int, int], sharing: set[int], around: Surroundings) -> Disk:
    backing = disk.backing
    files = [_file_of(layer, around) for layer in layers(disk)]
    return Disk(
        key=int(disk.key),
        label=_label(disk),
        file=files[0] if files else File("", ""),
        capacity=(disk.capacityInBytes or disk.capacityInKB * 1024) / GIB,
        written=written.get(int(disk.key), 0) / GIB,
        mode=str(getattr(backing, "diskMode", None) or "persistent"),
        rdm=_RDM.get(str(getattr(backing, "compatibilityMode", "")), ""),
        below=frozenset(file.volume for file in files[1:]),
        sharing=_sharing(backing, disk.controllerKey in sharing),
        linked=around.linked(files),
    )


def _file_of(backing: Any, around: Surroundings) -> File:
    return around.file(str(getattr(backing, "fileName", None) or ""), getattr(backing, "datastore", None))


def _sharing(backing: Any, bus: bool) -> Literal["", "multiWriter", "bus"]:
    if str(getattr(backing, "sharing", None)) == "sharingMultiWriter":
        return "multiWriter"
    return "bus" if bus else ""


# --- network cards ----------------------------------------------------------------------------------------------------


def nics(record: Record, around: Surroundings) -> tuple[Nic, ...]:
    """Return the VM's network cards."""
    return tuple(_nic(card, around) for card in devices(record, vim.vm.device.VirtualEthernetCard))


def _nic(card: Any, around: Surroundings) -> Nic:
    connectable = card.connectable
    return Nic(
        key=int(card.key),
        label=_label(card),
        mac=str(card.macAddress or "").lower(),
        network=_network(card.backing, around),
        connected=bool(connectable.startConnected) if connectable else True,
    )


def _network(backing: Any, around: Surroundings) -> str:
    match backing:
        case vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo():
            key = f"{backing.port.switchUuid}/{backing.port.portgroupKey}"
            return (
                around.network(key) or f"unknown port group {key}"
            )  # never "": it is on a network, if not of this site
        case vim.vm.device.VirtualEthernetCard.OpaqueNetworkBackingInfo():
            return str(backing.opaqueNetworkId)
        case vim.vm.device.VirtualEthernetCard.NetworkBackingInfo():
            # After a move the reference is unset and only the name that the old site used is left.
            known = around.network(moref(backing.network)) if backing.network else ""
            return known or decoded(str(backing.deviceName or ""))
        case _:
            return ""


# --- what binds it ----------------------------------------------------------------------------------------------------


def bound(record: Record, around: Surroundings) -> tuple[Device, ...]:
    """Return the devices beside disks that bind the VM to a host or to a file on a datastore."""
    found = (_bound(device, around) for device in record.get("config.hardware.device", ()))
    return tuple(device for device in found if device is not None)


def _bound(device: Any, around: Surroundings) -> Device | None:
    backing = device.backing
    kind = _kind(device, backing)
    if kind is None or isinstance(backing, _ANYWHERE):
        return None
    connectable = device.connectable
    connected = bool(connectable.connected or connectable.startConnected) if connectable else True
    if isinstance(backing, _REMOTE) and not (connectable and connectable.connected):
        return None
    file = None
    if isinstance(backing, _OF.VirtualDevice.FileBackingInfo):
        file = _file_of(backing, around)
        if str(backing.fileName or "").startswith("[] "):
            return None  # such as the installer of VMware Tools: every host has its own copy
    return Device(kind, _label(device), file, connected)


def _kind(device: Any, backing: Any) -> Kind | None:
    for of, on, kind in _BINDING:
        if isinstance(device, of) and (on is None or isinstance(backing, on)):
            return kind
    return None


def _label(device: Any) -> str:
    return str(device.deviceInfo.label) if device.deviceInfo else f"device {device.key}"

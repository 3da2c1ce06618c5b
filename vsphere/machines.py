"""From the raw properties of one virtual machine to what the migration knows of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pyVmomi import vim

from migration.model import Disk, File, InFlight, Nic, Papers, Power, Question, Tools, Vm
from vsphere.names import decoded, split_path
from vsphere.session import moref
from vsphere.snapshot import Record

GIB: Final = 1 << 30
PAPERS: Final = "esxodus.papers"
"""The key in a VM's extra config, hence in its .vmx, that its papers are under."""

_RDM: Final[Mapping[str, Literal["physical", "virtual"]]] = {
    "physicalMode": "physical",
    "virtualMode": "virtual",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a VM is in its site's inventory."""

    datacenter: str
    cluster: str
    folder: str
    pool: str
    host: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of its site a VM's own properties only refer to."""

    site: str
    place: Place
    volume: Callable[[str, str], str]
    """From (datastore id or "", datastore name) to the volume's id."""
    network: Callable[[str], str]
    """From a network's id, or a distributed port group's "switch UUID/key", to its name; "" where it is not of this site."""
    fields: Mapping[int, str]
    in_flight: InFlight | None


def machine(record: Record, around: Surroundings) -> Vm:
    """Return the VM. Of one that its vCenter cannot read, such as an inaccessible one, little more than the name is known."""
    return Vm(
        site=around.site,
        name=decoded(str(record.get("name", ""))),
        instance_uuid=instance_uuid(record),
        bios_uuid=str(record.get("config.uuid", "")),
        vmx=_file(vmx_path(record), "", around),
        power=Power(str(record.get("runtime.powerState", Power.OFF))),
        datacenter=around.place.datacenter,
        cluster=around.place.cluster,
        folder=around.place.folder,
        pool=around.place.pool,
        host=around.place.host,
        template=bool(record.get("config.template", False)),
        disks=_disks(record, around),
        nics=tuple(_nic(card, around) for card in devices(record, vim.vm.device.VirtualEthernetCard)),
        notes=str(record.get("config.annotation", "")),
        attributes=_attributes(record, around.fields),
        papers=papers(record),
        hardware=_hardware(str(record.get("config.version", ""))),
        memory=record.get("config.hardware.memoryMB", 0) / 1024,
        snapshots=_count(getattr(record.get("snapshot"), "rootSnapshotList", None) or ()),
        tools=_tools(record),
        question=_question(record.get("runtime.question")),
        in_flight=around.in_flight,
        vapp=record.get("parentVApp") is not None,
        reachable=str(record.get("runtime.connectionState", "connected")) == "connected"
        and record.get("config.files.vmPathName") is not None,
    )


def instance_uuid(record: Record) -> str:
    """Return the VM's instance UUID, "" where it is not known."""
    return str(record.get("config.instanceUuid") or record.get("summary.config.instanceUuid", ""))


def vmx_path(record: Record) -> str:
    """Return "[datastore] folder/name.vmx", "" where it is not known."""
    return str(record.get("config.files.vmPathName") or record.get("summary.config.vmPathName", ""))


def devices(record: Record, kind: type[Any]) -> list[Any]:
    """Return the VM's virtual devices of one kind."""
    return [device for device in record.get("config.hardware.device", ()) if isinstance(device, kind)]


def papers(record: Record) -> Papers | None:
    """Return the papers that the VM carries."""
    options = record.get("config.extraConfig", ())
    text = next((option.value for option in options if option.key == PAPERS), "")
    return Papers.loads(str(text)) if text else None


def _file(path: str, datastore: str, around: Surroundings) -> File:
    try:
        name, inside = split_path(path)
    except ValueError:
        return File("", path)
    return File(around.volume(datastore, name), inside)


def _disks(record: Record, around: Surroundings) -> tuple[Disk, ...]:
    sizes = {int(file.key): int(file.size) for file in record.get("layoutEx.file", ())}
    written = {
        int(layout.key): sum(sizes.get(int(key), 0) for unit in layout.chain or () for key in unit.fileKey or ())
        for layout in record.get("layoutEx.disk", ())
    }
    buses = devices(record, vim.vm.device.VirtualSCSIController)
    sharing = {int(bus.key) for bus in buses if str(bus.sharedBus) != "noSharing"}
    return tuple(_disk(disk, written, sharing, around) for disk in devices(record, vim.vm.device.VirtualDisk))


def _disk(disk: Any, written: Mapping[int, int], sharing: set[int], around: Surroundings) -> Disk:
    backing = disk.backing
    datastore = getattr(backing, "datastore", None)
    return Disk(
        key=int(disk.key),
        label=_label(disk),
        file=_file(str(getattr(backing, "fileName", "")), moref(datastore) if datastore else "", around),
        capacity=(disk.capacityInBytes or disk.capacityInKB * 1024) / GIB,
        written=written.get(int(disk.key), 0) / GIB,
        mode=str(getattr(backing, "diskMode", None) or "persistent"),
        rdm=_RDM.get(str(getattr(backing, "compatibilityMode", "")), ""),
        below=frozenset(_below(backing, around)),
        sharing=_sharing(backing, disk.controllerKey in sharing),
    )


def _sharing(backing: Any, bus: bool) -> Literal["", "multiWriter", "bus"]:
    if str(getattr(backing, "sharing", None)) == "sharingMultiWriter":
        return "multiWriter"
    return "bus" if bus else ""


def _below(backing: Any, around: Surroundings) -> Iterator[str]:
    """Yield the volume of each layer under the running one."""
    while backing := getattr(backing, "parent", None):
        datastore = getattr(backing, "datastore", None)
        yield _file(str(backing.fileName or ""), moref(datastore) if datastore else "", around).volume


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


def _label(device: Any) -> str:
    return str(device.deviceInfo.label) if device.deviceInfo else f"device {device.key}"


def _attributes(record: Record, fields: Mapping[int, str]) -> dict[str, str]:
    """Return the custom attributes that are set; vCenter keeps one that was cleared as an empty value."""
    return {
        fields[int(one.key)]: str(one.value)
        for one in record.get("customValue", ())
        if int(one.key) in fields and one.value
    }


def _hardware(version: str) -> int:
    """Return 11 for "vmx-11"."""
    number = version.removeprefix("vmx-")
    return int(number) if number.isdigit() else 0


def _count(tree: Any) -> int:
    return sum(1 + _count(node.childSnapshotList or ()) for node in tree)


def _tools(record: Record) -> Tools:
    if record.get("guest.toolsRunningStatus") == "guestToolsRunning":
        return Tools.RUNNING
    # Nothing known (a host that has just reconnected) is no reason to pull the plug: it may come up.
    if record.get("guest.toolsVersionStatus2") == "guestToolsNotInstalled":
        return Tools.NOT_INSTALLED
    return Tools.NOT_RUNNING


def _question(raised: Any) -> Question | None:
    if raised is None:
        return None
    return Question(
        id=str(raised.id),
        text=str(raised.text),
        message_ids=tuple(str(message.id) for message in raised.message or ()),
        choices={str(choice.key): str(choice.label) for choice in raised.choice.choiceInfo or ()},
    )

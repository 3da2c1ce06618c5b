"""How the hosts of a site stand to disks and volumes, as their own storage systems tell; and what is done to them there.

The one module that unmounts and detaches. Neither touches what is on a disk: an unmounted volume is mounted again as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from pyVmomi import vim

from migration.errors import Stale
from vsphere.hardware import GIB
from vsphere.names import decoded, encoded
from vsphere.reading import collect, several
from vsphere.session import moref
from vsphere.site import Site
from vsphere.volumes import NFS41, file_system_id

_SEEN: Final = (
    "storageDeviceInfo.scsiLun",
    "storageDeviceInfo.multipathInfo",
    "fileSystemVolumeInfo.mountInfo",
    "storageDeviceInfo.hostBusAdapter",
)
_DETACHED: Final = "off"
_DEAD: Final = frozenset({"dead", "disabled", "unknown"})
"""States of a path through which nothing goes; "active" and "standby" are those that work."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk as one host sees it. `uuid` is what attach and detach take; `paths` are (adapter, works) of each path to it.

    `ports` are the array's Fibre Channel ports that these paths end at. `path` is what its partitions are asked by, `capacity`
    its size in GiB, 0 where it is no disk.
    """

    name: str
    uuid: str
    attached: bool = True
    paths: tuple[tuple[str, bool], ...] = ()
    ports: frozenset[str] = frozenset()
    path: str = ""
    capacity: float = 0.0


@dataclass(frozen=True, slots=True)
class Mounted:
    """A volume that a host knows; `mounted` is false where an administrator has unmounted it."""

    mounted: bool
    accessible: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Nas:
    """An NFS export as its datastore has it mounted; `type` is "NFS" or "NFS41", `mode` "readWrite" or "readOnly"."""

    servers: tuple[str, ...]
    path: str
    type: str = "NFS"
    mode: str = "readWrite"
    security: str = ""

    def __str__(self) -> str:
        """Give the address."""
        return f"{','.join(self.servers)}:{self.path}"


@dataclass(frozen=True, slots=True)
class HostStorage:
    """One host's disks by canonical name, and the volumes that it knows by their id; nothing of one that is not connected.

    `initiators` are its own Fibre Channel ports, by adapter; a port's name is written 10:00:…, in lower case.
    """

    host: str
    ref: vim.HostSystem
    connected: bool
    disks: Mapping[str, Disk] = field(default_factory=lambda: MappingProxyType({}))
    volumes: Mapping[str, Mounted] = field(default_factory=lambda: MappingProxyType({}))
    system: vim.host.StorageSystem | None = None
    stores: vim.host.DatastoreSystem | None = None
    initiators: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def host_storage(site: Site) -> dict[str, HostStorage]:
    """Return how every host of the site stands to its disks and volumes, by the host's name; two reads, changes nothing.

    Raises: MigrationError.
    """
    paths = ("name", "runtime.connectionState", "configManager.storageSystem", "configManager.datastoreSystem")
    records = collect(site.session, "reading hosts", vim.HostSystem, paths)
    systems: dict[str, Any] = {
        record.moref: record.get(paths[2])
        for record in records
        if record.get(paths[2]) is not None and str(record.get(paths[1])) == "connected"
    }
    read = several(site.session, "reading the hosts' storage", vim.host.StorageSystem, list(systems.values()), _SEEN)
    told = {record.moref: record for record in read}
    found = {}
    for record in records:
        name = decoded(str(record.get("name")))
        system = systems.get(record.moref)
        seen = told.get(moref(system)) if system is not None else None
        ref: Any = record.ref
        if system is None or seen is None:
            found[name] = HostStorage(name, ref, connected=False)
            continue
        site.session.parts[moref(system)] = name
        stores = record.get(paths[3])
        if stores is not None:
            site.session.parts[moref(stores)] = name
        found[name] = HostStorage(
            name,
            ref,
            True,
            disks={disk.name: disk for disk in _disks(seen.get(_SEEN[0], ()), seen.get(_SEEN[1]))},
            volumes=dict(_volumes(seen.get(_SEEN[2], ()))),
            system=system,
            stores=stores,
            initiators=dict(_initiators(seen.get(_SEEN[3], ()))),
        )
    return found


def _initiators(adapters: Any) -> Iterator[tuple[str, str]]:
    for adapter in adapters:
        if isinstance(adapter, vim.host.FibreChannelHba):  # the one over Ethernet too
            yield str(adapter.device), port_name(adapter.portWorldWideName)


def port_name(number: int) -> str:
    """Write a world wide name, which the API gives as a signed number, as switches do: 10:00:…."""
    return (int(number) & (1 << 64) - 1).to_bytes(8, "big").hex(":")


def _disks(luns: Any, multipath: Any) -> Iterator[Disk]:
    paths = {
        str(unit.lun): tuple(
            (_adapter(path), str(path.pathState or path.state) not in _DEAD) for path in unit.path or ()
        )
        for unit in (multipath.lun if multipath else None) or ()
    }
    ports = {
        str(unit.lun): frozenset(
            port_name(path.transport.portWorldWideName)
            for path in unit.path or ()
            if isinstance(path.transport, vim.host.FibreChannelTargetTransport)
        )
        for unit in (multipath.lun if multipath else None) or ()
    }
    for lun in luns:
        if not isinstance(lun, vim.host.ScsiDisk):  # an enclosure, a tape, a drive of the host
            continue
        attached = _DETACHED not in (str(state) for state in lun.operationalState or ())
        key, size = str(lun.key), getattr(lun, "capacity", None)
        yield Disk(
            str(lun.canonicalName),
            str(lun.uuid),
            attached,
            paths.get(key, ()),
            ports.get(key, frozenset()),
            str(getattr(lun, "devicePath", "") or ""),
            int(size.block) * int(size.blockSize) / GIB if size else 0.0,
        )


def _adapter(path: Any) -> str:
    """Return "vmhba2" of "key-vim.host.FibreChannelHba-vmhba2"."""
    return str(path.adapter).rpartition("-")[2]


def _volumes(mounts: Any) -> Iterator[tuple[str, Mounted]]:
    for one in mounts:
        if volume := file_system_id(one.volume):
            info = one.mountInfo
            reason = str(info.inaccessibleReason or "")
            yield volume, Mounted(info.mounted is not False, info.accessible is not False, reason)


def unmount(site: Site, host: HostStorage, uuid: str, name: str) -> None:
    """Unmount the VMFS volume on the host: it stays unmounted through rescans and restarts, and nothing on it changes.

    The platform refuses it while a VM is registered on it (ResourceInUse), and where the host cannot reach it (InvalidState).

    Raises: MigrationError; Busy where something uses it.
    """
    system = _patient(site, host)
    site.session.send(f"{host.host}: unmount {name}", lambda: system.UnmountVmfsVolume(uuid), host.host)


def detach(site: Site, host: HostStorage, disk: str) -> None:
    """Switch the disk off for the host, for good: no rescan or restart brings it back; `attach` does.

    Raises: MigrationError; Busy where something uses it.
    """
    system, lun = _patient(site, host), _uuid(host, disk)
    site.session.send(f"{host.host}: detach {disk}", lambda: system.DetachScsiLun(lun), host.host)


def attach(site: Site, host: HostStorage, disk: str) -> None:
    """Switch on a disk that was detached on the host. What is on it is not mounted yet.

    Raises: MigrationError.
    """
    system, lun = _patient(site, host), _uuid(host, disk)
    site.session.send(f"{host.host}: attach {disk}", lambda: system.AttachScsiLun(lun), host.host)


def mount(site: Site, host: HostStorage, uuid: str, name: str) -> None:
    """Mount a VMFS volume that the host knows and has unmounted. Its contents and its signature are not touched.

    Raises: MigrationError.
    """
    system = _patient(site, host)
    site.session.send(f"{host.host}: mount {name}", lambda: system.MountVmfsVolume(uuid), host.host)


def mount_nas(site: Site, host: HostStorage, nas: Nas, name: str) -> None:
    """Mount the NFS export on the host under this name. Nothing is written to it.

    Raises: MigrationError; what the server or the host says where it does not let it in.
    """
    stores = _stores(site, host)
    spec = vim.host.NasVolume.Specification(
        remoteHost=nas.servers[0],
        remotePath=nas.path,
        localPath=encoded(name),
        accessMode=nas.mode,
        type=nas.type,
    )
    if nas.type == NFS41:
        spec.remoteHostNames = list(nas.servers)
        spec.securityType = nas.security or None
    site.session.send(f"{host.host}: mount {nas} as {name}", lambda: stores.CreateNasDatastore(spec), host.host)


def unmount_nas(site: Site, host: HostStorage, datastore: vim.Datastore, name: str) -> None:
    """Take the mount of an NFS export away from the host; the export and all that is on it stay as they are.

    The API has the same call for VMFS, whose volume it destroys: vsphere.guard lets it pass for NFS alone.

    Raises: MigrationError; Busy where something uses it.
    """
    stores = _stores(site, host)
    site.session.send(f"{host.host}: unmount {name}", lambda: stores.RemoveDatastore(datastore), host.host)


def _stores(site: Site, host: HostStorage) -> vim.host.DatastoreSystem:
    if host.stores is None:
        raise Stale(f"{host.host}: vCenter does not show its datastores; is it connected?")
    return site.session.patient(host.stores)


def rescan(site: Site, host: HostStorage) -> None:
    """Let the host look for new devices, then for volumes on them. May take minutes.

    Raises: MigrationError.
    """
    system = _patient(site, host)
    doing = f"{host.host}: rescan"
    site.session.send(f"{doing} its host bus adapters", system.RescanAllHba, host.host)
    site.session.send(f"{doing} for VMFS volumes", system.RescanVmfs, host.host)
    refresh(site, host)


def refresh(site: Site, host: HostStorage) -> None:
    """Let vCenter read again what the host knows of its storage; nothing is scanned, and nothing changes.

    Raises: MigrationError.
    """
    system = _patient(site, host)
    site.session.send(f"{host.host}: refresh its storage", system.RefreshStorageSystem, host.host)


def _patient(site: Site, host: HostStorage) -> vim.host.StorageSystem:
    if host.system is None:
        raise Stale(f"{host.host}: vCenter does not show its storage; is it connected?")
    return site.session.patient(host.system)


def _uuid(host: HostStorage, disk: str) -> str:
    if disk not in host.disks:
        raise Stale(f"{host.host}: it no longer sees the disk {disk}")
    return host.disks[disk].uuid

"""The old array's volumes on the new hosts: looked for, explained where missing, mounted as they are.

Nothing here formats a volume or gives it a new signature. A volume that a host holds back as unresolved is reported with its
device and reason, and that is all: the disk is the original, and a new signature would cut off the VMs that run from it.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyVmomi import vim

from migration.errors import Stale
from migration.model import Concern, Severity
from vsphere.names import decoded
from vsphere.properties import PLACES
from vsphere.reading import collect
from vsphere.session import moref
from vsphere.site import Site
from vsphere.snapshot import Record
from vsphere.volumes import volume_id


@dataclass(frozen=True, slots=True)
class OldVolume:
    """A datastore as the source shows it. `devices` are the NAA names of its disks; `version` is VMFS's, such as "5.61"."""

    name: str
    id: str
    devices: tuple[str, ...]
    version: str

    @property
    def uuid(self) -> str:
        """The VMFS UUID, "" for another kind of volume."""
        return self.id.removeprefix("vmfs:") if self.id.startswith("vmfs:") else ""


class State(enum.StrEnum):
    """How one host stands to one volume."""

    MOUNTED = "mounted"
    UNMOUNTED = "unmounted"  # known and unmounted: may be mounted
    INACCESSIBLE = "inaccessible"
    UNRESOLVED = "unresolved"  # held back: its recorded disk id is not the device's, or there is a copy
    NOT_SCANNED = "device seen, volume not"  # a VMFS rescan may help
    NOT_PRESENTED = "device not seen"  # zoning, presentation, or an HBA rescan


@dataclass(frozen=True, slots=True)
class Mount:
    """One volume on one host, with the reason where it is not mounted."""

    host: str
    volume: OldVolume
    state: State
    reason: str = ""

    def concern(self) -> Concern:
        """Return what the operator should know of a volume that cannot be used on the host."""
        remedy = {
            State.MOUNTED: "nothing",
            State.UNMOUNTED: "mount it on the host",
            State.INACCESSIBLE: "see the paths to the device on the host",
            State.UNRESOLVED: "present the original LUN with the same LUN id and NAA; do not resignature it: VMs run from it",
            State.NOT_SCANNED: "see the host's log for why it does not open the volume",
            State.NOT_PRESENTED: "present the LUN to the host and zone it, then run again",
        }
        sentence = f"datastore {self.volume.name!r} ({', '.join(self.volume.devices)}) is {self.state} on {self.host}"
        return Concern(
            f"volume.{self.state.name.lower().replace('_', '-')}",
            Severity.BLOCKS,
            self.host,
            f"{sentence}: {self.reason}" if self.reason else sentence,
            remedy[self.state],
        )


def old_volumes(site: Site, names: Sequence[str]) -> dict[str, OldVolume | None]:
    """Return the datastores with these names as `site` shows them; None where it shows none. Changes nothing.

    Raises: MigrationError.
    """
    found: dict[str, OldVolume | None] = dict.fromkeys(names)
    return found | {volume.name: volume for volume in _volumes(site) if volume.name in found}


def _volumes(site: Site) -> Iterator[OldVolume]:
    for record in collect(site.session, "reading the datastores", vim.Datastore, ("name", "info")):
        vmfs = getattr(record.get("info"), "vmfs", None)
        yield OldVolume(
            name=decoded(str(record.get("name"))),
            id=volume_id(site.name, record),
            devices=tuple(str(extent.diskName) for extent in vmfs.extent or ()) if vmfs else (),
            version=str(vmfs.version or "") if vmfs else "",
        )


def mounts(site: Site, hosts: Sequence[str], volumes: Collection[OldVolume]) -> tuple[Mount, ...]:
    """Return how each host of the site stands to each volume. Changes nothing.

    Afterwards the site's observations know of every datastore, host and network that there is now.

    Raises: Stale where a host is not at the site; MigrationError.
    """
    found = _hosts(site, hosts)
    mounted = _mount_infos(site)
    result = []
    for host in hosts:
        record = found[host]
        missing = [volume for volume in volumes if (record.moref, volume.id) not in mounted]
        explained = _missing(site, host, record, missing) if missing else {}
        for volume in volumes:
            info = mounted.get((record.moref, volume.id))
            result.append(_mount(host, volume, info) if info else explained[volume.id])
    site.watch.refresh(PLACES)  # who observes a VM next shall see these datastores too
    return tuple(result)


def disks_in_use(site: Site) -> dict[str, str]:
    """Return why a disk must not be given to a new datastore, by device: every disk that the hosts of `site` see.

    Whatever an old host sees may hold data, a raw device mapping's too, which no datastore tells of. Changes nothing.

    Raises: MigrationError.
    """
    used = {device: f"holds datastore {volume.name}" for volume in _volumes(site) for device in volume.devices}
    path = "config.storageDevice.scsiLun"
    for host in collect(site.session, "reading the disks that hosts see", vim.HostSystem, ("name", path)):
        for lun in host.get(path, ()):
            used.setdefault(str(lun.canonicalName), f"is seen by {decoded(str(host.get('name')))}, so it may hold data")
    return used


def held_back(site: Site, hosts: Collection[str]) -> dict[str, str]:
    """Return why a disk must not be given to a new datastore, by device: volumes that these hosts of `site` hold back.

    To vCenter such a disk looks as if it could be formatted. Changes nothing.

    Raises: MigrationError.
    """
    paths = ("name", "configManager.storageSystem", "runtime.connectionState")
    found = {}
    for host in collect(site.session, "reading hosts", vim.HostSystem, paths):
        storage: Any = host.get("configManager.storageSystem")
        name = decoded(str(host.get("name")))
        if name not in hosts or storage is None or str(host.get("runtime.connectionState")) != "connected":
            continue
        query = site.session.patient(storage).QueryUnresolvedVmfsVolume
        for one in site.session.read(f"{name}: reading the volumes that it holds back", query, name) or ():
            for extent in one.extent or ():
                found[str(extent.device.diskName)] = f"holds the volume {one.vmfsLabel!r}, which {name} holds back"
    return found


def rescan(site: Site, host: str) -> None:
    """Let the host look for new devices, then for volumes on them. May take minutes.

    Raises: Stale, MigrationError.
    """
    storage = site.session.patient(_storage(site, host))
    doing = f"{host}: rescan"
    site.session.send(f"{doing} its host bus adapters", storage.RescanAllHba, host)
    site.session.send(f"{doing} for VMFS volumes", storage.RescanVmfs, host)
    site.session.send(f"{host}: refresh its storage", storage.RefreshStorageSystem, host)


def mount(site: Site, host: str, volume: OldVolume) -> None:
    """Mount a volume that the host knows and has unmounted. Its contents and its signature are not touched.

    Raises: Stale, MigrationError.
    """
    storage = site.session.patient(_storage(site, host))
    site.session.send(f"{host}: mount {volume.name}", lambda: storage.MountVmfsVolume(volume.uuid), host)


def _hosts(site: Site, names: Sequence[str]) -> dict[str, Record]:
    paths = ("name", "configManager.storageSystem")
    records = collect(site.session, "reading hosts", vim.HostSystem, paths)
    found = {decoded(str(record.get("name"))): record for record in records}
    if absent := [name for name in names if name not in found]:
        raise Stale(f"{site.endpoint} has no host {', '.join(absent)}")
    return found


def _storage(site: Site, host: str) -> vim.host.StorageSystem:
    found: Any = _hosts(site, [host])[host].get("configManager.storageSystem")
    if not isinstance(found, vim.host.StorageSystem):
        raise Stale(f"{host}: vCenter does not show its storage; is it connected?")
    site.session.parts[moref(found)] = host
    return found


def _mount_infos(site: Site) -> dict[tuple[str, str], Any]:
    """Return vCenter's mount information by (host id, volume id)."""
    infos = {}
    for record in collect(site.session, "reading datastores", vim.Datastore, ("name", "info", "host")):
        for one in record.get("host", ()):
            infos[moref(one.key), volume_id(site.name, record)] = one.mountInfo
    return infos


def _mount(host: str, volume: OldVolume, info: Any) -> Mount:
    if info.mounted is False:
        return Mount(host, volume, State.UNMOUNTED)
    if info.accessible is False:
        return Mount(host, volume, State.INACCESSIBLE, str(info.inaccessibleReason or ""))
    return Mount(host, volume, State.MOUNTED)


def _missing(site: Site, host: str, record: Record, volumes: Sequence[OldVolume]) -> Mapping[str, Mount]:
    """Say for volumes that the host has no datastore of why that is."""
    storage = _storage(site, host)
    doing = f"{host}: reading its devices"
    seen = site.watch.read_one(storage, vim.host.StorageSystem, ("storageDeviceInfo.scsiLun",)) or {}
    devices = {str(lun.canonicalName) for lun in seen.get("storageDeviceInfo.scsiLun", ())}
    slow = site.session.patient(storage)
    unresolved = {
        str(one.vmfsUuid): one for one in site.session.read(doing, slow.QueryUnresolvedVmfsVolume, record.moref) or ()
    }
    explained = {}
    for volume in volumes:
        held = unresolved.get(volume.uuid)
        absent = [device for device in volume.devices if device not in devices]
        if held is not None:
            explained[volume.id] = Mount(host, volume, State.UNRESOLVED, _why(held))
        elif absent:
            explained[volume.id] = Mount(host, volume, State.NOT_PRESENTED, f"{', '.join(absent)} is not there")
        else:
            explained[volume.id] = Mount(host, volume, State.NOT_SCANNED)
    return explained


def _why(held: Any) -> str:
    """Say why a volume is unresolved: diskIdMismatch or uuidConflict, by extent (vsphere-facts: S35)."""
    reasons = [f"{extent.device.diskName}: {extent.reason}" for extent in held.extent or ()]
    status = held.resolveStatus
    if status.multipleCopies:
        reasons.append("there are several copies of it")
    if status.incompleteExtents:
        reasons.append("some of its disks are missing")
    return ", ".join(reasons)

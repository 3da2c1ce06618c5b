"""The old array's volumes on the new hosts: looked for, explained where missing, mounted as they are.

Nothing here formats a volume or gives it a new signature. A volume that a host holds back as unresolved is reported with its
device and reason, and that is all: the disk is the original, and a new signature would cut off the VMs that run from it.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pyVmomi import vim

from migration.errors import Stale
from migration.model import Concern, Severity
from migration.presentation import Lun
from vsphere import host_storage
from vsphere.host_storage import Disk, HostStorage, Mounted, Nas
from vsphere.names import decoded
from vsphere.properties import PLACES
from vsphere.reading import collect
from vsphere.site import Site
from vsphere.snapshot import Record
from vsphere.volumes import nas_servers, volume_id


@dataclass(frozen=True, slots=True)
class OldVolume:
    """A datastore as the source shows it. `devices` are the NAA names of its disks; `version` is VMFS's, such as "5.61".

    `nas` is what an NFS datastore is mounted from; None for another kind.
    """

    name: str
    id: str
    devices: tuple[str, ...]
    version: str
    nas: Nas | None = None

    @property
    def kind(self) -> str:
        """What kind of volume it is, in vSphere's words: VMFS or NFS; "" for another one."""
        return {"vmfs": "VMFS", "nfs": "NFS"}.get(self.id.partition(":")[0], "")

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        plain = asdict(self)
        if self.nas:
            plain["nas"]["servers"] = list(self.nas.servers)
        return {**plain, "devices": list(self.devices)}

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> OldVolume:
        """Return what `plain` has given."""
        nas = plain.get("nas")
        return cls(
            str(plain["name"]),
            str(plain["id"]),
            tuple(plain["devices"]),
            str(plain["version"]),
            Nas(tuple(nas["servers"]), nas["path"], nas["type"], nas["mode"], nas["security"]) if nas else None,
        )

    @property
    def uuid(self) -> str:
        """The VMFS UUID, "" for another kind of volume."""
        return self.id.removeprefix("vmfs:") if self.id.startswith("vmfs:") else ""


class State(enum.StrEnum):
    """How one host stands to one volume."""

    MOUNTED = "mounted"
    UNMOUNTED = "unmounted"  # known and unmounted: may be mounted
    DETACHED = "detached"  # its disk was switched off on the host: it may be attached again
    INACCESSIBLE = "inaccessible"
    UNRESOLVED = "unresolved"  # held back: its recorded disk id is not the device's, or there is a copy
    NOT_SCANNED = "device seen, volume not"  # a VMFS rescan may help
    NOT_PRESENTED = "device not seen"  # zoning, presentation, or an HBA rescan


@dataclass(frozen=True, slots=True)
class Mount:
    """One volume on one host, with the reason where it is not mounted; `disks` are those that the host sees of it."""

    host: str
    volume: OldVolume
    state: State
    reason: str = ""
    disks: tuple[Disk, ...] = ()

    def luns(self) -> Iterator[Lun]:
        """Yield each of its disks with the paths to it, as far as the host tells of any."""
        for disk in self.disks:
            if disk.paths:
                works = [adapter for adapter, works in disk.paths if works]
                yield Lun(self.volume.name, disk.name, self.host, len(works), len(set(works)))

    def concern(self) -> Concern:
        """Return what the operator should know of a volume that cannot be used on the host."""
        remedy = {
            State.MOUNTED: "nothing",
            State.UNMOUNTED: "mount it on the host",
            State.DETACHED: "attach its disk on the host, and mount it",
            State.INACCESSIBLE: "see the paths to the device on the host",
            State.UNRESOLVED: "present the original LUN with the same LUN id and NAA; do not resignature it: VMs run from it",
            State.NOT_SCANNED: "see the host's log for why it does not open the volume",
            State.NOT_PRESENTED: "present the LUN to the host and zone it, then run again",
        }
        what = str(self.volume.nas) if self.volume.nas else ", ".join(self.volume.devices)
        sentence = f"datastore {self.volume.name!r} ({what}) is {self.state} on {self.host}"
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
    for record in collect(site.session, "reading the datastores", vim.Datastore, ("name", "info", "host")):
        vmfs = getattr(record.get("info"), "vmfs", None)
        yield OldVolume(
            name=decoded(str(record.get("name"))),
            id=volume_id(site.name, record),
            devices=tuple(str(extent.diskName) for extent in vmfs.extent or ()) if vmfs else (),
            version=str(vmfs.version or "") if vmfs else "",
            nas=_nas(record),
        )


def _nas(record: Record) -> Nas | None:
    """Return how it is mounted. Read-only is what every host says: VMs write where any of them may."""
    nas = getattr(record.get("info"), "nas", None)
    if nas is None:
        return None
    modes = {str(one.mountInfo.accessMode) for one in record.get("host", ())}
    return Nas(
        nas_servers(nas),
        str(nas.remotePath),
        str(nas.type or "NFS"),
        "readOnly" if modes == {"readOnly"} else "readWrite",
        str(nas.securityType or ""),
    )


def names_taken(site: Site, volumes: Sequence[OldVolume]) -> dict[str, str]:
    """Return which of these names the site has for another volume, with that volume's id. Changes nothing.

    VMFS brings its own label, and where that is taken vCenter shows it as "name (1)"; an NFS mount is refused instead.

    Raises: MigrationError.
    """
    wanted = {volume.name: volume.id for volume in volumes if volume.nas}
    return {one.name: one.id for one in _volumes(site) if one.name in wanted and one.id != wanted[one.name]}


def mounts(site: Site, hosts: Sequence[str], volumes: Collection[OldVolume]) -> tuple[Mount, ...]:
    """Return how each host of the site stands to each volume. Changes nothing.

    Afterwards the site's observations know of every datastore, host and network that there is now.

    Raises: Stale where a host is not at the site; MigrationError.
    """
    found = _known(site, hosts)
    result = []
    for host in hosts:
        missing = [volume for volume in volumes if volume.id not in found[host].volumes]
        explained = _missing(site, found[host], missing) if missing else {}
        for volume in volumes:
            known = found[host].volumes.get(volume.id)
            result.append(_mount(found[host], volume, known) if known else explained[volume.id])
    site.watch.refresh(PLACES)  # who observes a VM next shall see these datastores too
    return tuple(result)


def carried(site: Site) -> dict[str, str]:
    """Return why a disk must not be given to a new datastore, by device: those that carry a datastore of `site`.

    Raises: MigrationError.
    """
    return {device: f"holds datastore {volume.name}" for volume in _volumes(site) for device in volume.devices}


def exports(site: Site) -> dict[str, str]:
    """Return the NFS datastores of `site` by the id of the file system that each is mounted from. Changes nothing.

    Raises: MigrationError.
    """
    return {volume.id: volume.name for volume in _volumes(site) if volume.nas}


def disks_in_use(site: Site) -> dict[str, str]:
    """Return why a disk must not be given to a new datastore, by device: every disk that the hosts of `site` see.

    Whatever an old host sees may hold data, a raw device mapping's too, which no datastore tells of. Changes nothing.

    Raises: MigrationError.
    """
    used = carried(site)
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
    host_storage.rescan(site, _known(site, [host])[host])


def mount(site: Site, host: str, volume: OldVolume) -> None:
    """Mount a volume that the host has unmounted, after attaching those of its disks that are detached there; or an NFS export.

    Its contents and its signature are not touched. A host that has just got its disk back may have to look for the volume.

    Raises: Stale, MigrationError.
    """
    one = _known(site, [host])[host]
    if volume.nas:
        host_storage.mount_nas(site, one, volume.nas, volume.name)
        return
    detached = [disk for disk in volume.devices if disk in one.disks and not one.disks[disk].attached]
    for disk in detached:
        host_storage.attach(site, one, disk)
    if detached:
        host_storage.rescan(site, one)
        one = _known(site, [host])[host]
    known = one.volumes.get(volume.id)
    if known is None or not known.mounted:
        host_storage.mount(site, one, volume.uuid, volume.name)


def _known(site: Site, names: Sequence[str]) -> dict[str, HostStorage]:
    found = host_storage.host_storage(site)
    if absent := [name for name in names if name not in found]:
        raise Stale(f"{site.endpoint} has no host {', '.join(absent)}")
    return found


def _mount(host: HostStorage, volume: OldVolume, known: Mounted) -> Mount:
    if any(disk in host.disks and not host.disks[disk].attached for disk in volume.devices):
        return Mount(host.host, volume, State.DETACHED)
    if not known.mounted:
        return Mount(host.host, volume, State.UNMOUNTED)
    if not known.accessible:
        return Mount(host.host, volume, State.INACCESSIBLE, known.reason)
    disks = tuple(host.disks[disk] for disk in volume.devices if disk in host.disks)
    return Mount(host.host, volume, State.MOUNTED, disks=disks)


def _missing(site: Site, host: HostStorage, volumes: Sequence[OldVolume]) -> Mapping[str, Mount]:
    """Say for volumes that the host does not know of why that is.

    Raises: Stale where the host is not connected; MigrationError.
    """
    if host.system is None:
        raise Stale(f"{host.host}: vCenter does not show its storage; is it connected?")
    explained = {volume.id: Mount(host.host, volume, State.UNMOUNTED) for volume in volumes if volume.nas}
    if len(explained) == len(volumes):
        return explained
    query = site.session.patient(host.system).QueryUnresolvedVmfsVolume
    held_by = site.session.read(f"{host.host}: reading the volumes that it holds back", query, host.host)
    unresolved = {str(one.vmfsUuid): one for one in held_by or ()}
    for volume in volumes:
        if volume.nas:
            continue
        held = unresolved.get(volume.uuid)
        absent = [device for device in volume.devices if device not in host.disks]
        if held is not None:
            explained[volume.id] = Mount(host.host, volume, State.UNRESOLVED, _why(held))
        elif absent:
            explained[volume.id] = Mount(host.host, volume, State.NOT_PRESENTED, f"{', '.join(absent)} is not there")
        elif any(not host.disks[device].attached for device in volume.devices):
            explained[volume.id] = Mount(host.host, volume, State.DETACHED)
        else:
            explained[volume.id] = Mount(host.host, volume, State.NOT_SCANNED)
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

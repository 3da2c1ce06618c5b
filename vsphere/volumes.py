"""From raw properties to volumes as `migration.observation` has them: one id at every site, whatever the name. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from pyVmomi import vim

from migration.observation import Lost, Volume
from vsphere.hardware import GIB
from vsphere.names import decoded
from vsphere.session import moref
from vsphere.snapshot import Record, usable

if TYPE_CHECKING:
    from vsphere.inventory import Inventory

NFS41: Final = "NFS41"
"""How the API calls NFS 4.1; NFS 3 is "NFS"."""


def volumes(inventory: Inventory) -> Iterator[Volume]:
    """Yield every volume that the site can access."""
    several = sum(1 for _ in inventory.snapshot.of(vim.HostSystem)) > 1
    for record in inventory.snapshot.of(vim.Datastore):
        if record.get("summary.accessible", False):
            vmfs = _vmfs(record)
            pod = inventory.snapshot.record(record.target("parent"))
            yield Volume(
                id=inventory.volume_ids[record.moref],
                name=decoded(str(record.get("name", ""))),
                free=record.get("summary.freeSpace", 0) / GIB,
                capacity=record.get("summary.capacity", 0) / GIB,
                kind=str(record.get("summary.type") or ("VMFS" if vmfs else "")),
                version=str(vmfs.version or "") if vmfs else "",
                local=_local(record, several),
                storage_drs=bool(pod and pod.get("podStorageDrsEntry.storageDrsConfig.podConfig.enabled", False)),
                sioc=bool(record.get("iormConfiguration.enabled", False)),
            )


def lost(inventory: Inventory) -> Iterator[Lost]:
    """Yield each volume that hosts at work have mounted and cannot reach: all its paths are down, or the device is gone.

    A host that is not connected, or in maintenance, says nothing of the volume.
    """
    at_work = {
        record.moref: decoded(str(record.get("name", "")))
        for record in inventory.snapshot.of(vim.HostSystem)
        if usable(record)
    }
    for record in inventory.snapshot.of(vim.Datastore):
        down = {
            at_work[moref(mount.key)]: str(mount.mountInfo.inaccessibleReason or "")
            for mount in record.get("host", ())
            if moref(mount.key) in at_work
            and mount.mountInfo.mounted is not False
            and mount.mountInfo.accessible is False
        }
        if down:
            name, hosts = decoded(str(record.get("name", ""))), tuple(sorted(down))
            yield Lost(inventory.volume_ids[record.moref], name, hosts, next((one for one in down.values() if one), ""))


def volume_id(site: str, datastore: Record) -> str:
    """Return what identifies the volume behind a datastore at every site; a datastore's name does not."""
    info = datastore.get("info")
    match info:
        case vim.host.VmfsDatastoreInfo():
            known = file_system_id(info.vmfs)
        case vim.host.NasDatastoreInfo():
            known = file_system_id(info.nas)
        case _:
            known = ""
    return known or f"{site}:{datastore.moref}"


def file_system_id(volume: Any) -> str:
    """Return what identifies a file system at every site and host: VMFS by its UUID, NFS by its address; "" for others.

    To ESXi another spelling of a server's address is another file system, hence to us; but for case, and for the order of the
    addresses of an NFS 4.1 server.
    """
    match volume:
        case vim.host.VmfsVolume() if volume.uuid:
            return f"vmfs:{volume.uuid}"
        case vim.host.NasVolume():
            path = str(volume.remotePath)
            return f"nfs:{','.join(sorted(one.lower() for one in nas_servers(volume)))}:{path.rstrip('/') or '/'}"
        case _:
            return ""


def nas_servers(volume: vim.host.NasVolume) -> tuple[str, ...]:
    """Return the addresses of the server: NFS 4.1 may have several, and a list of its own for them."""
    several = tuple(str(one) for one in volume.remoteHostNames or ())
    return several if several and str(volume.type) == NFS41 else (str(volume.remoteHost),)


def mounted_names(inventory: Inventory) -> dict[str, str]:
    """Return the volumes by the name under /vmfs/volumes that ESXi mounts them by: VMFS its UUID, NFS a hash of its address."""
    names = {}
    for record in inventory.snapshot.of(vim.Datastore):
        url = str(getattr(record.get("info"), "url", None) or "")
        if name := url.rstrip("/").rpartition("/")[2]:
            names[name] = inventory.volume_ids[record.moref]
    return names


def _vmfs(datastore: Record) -> Any:
    info = datastore.get("info")
    return info.vmfs if isinstance(info, vim.host.VmfsDatastoreInfo) else None


def _local(datastore: Record, several: bool) -> bool:
    """Say whether the volume is on a disk of one host. One that several hosts have mounted is not, whatever its disk says.

    Where its disk does not say, it is local if only one of several hosts has it.
    """
    if datastore.get("summary.multipleHostAccess", False):
        return False
    if isinstance(datastore.get("info"), vim.host.LocalDatastoreInfo):
        return True
    vmfs = _vmfs(datastore)
    if vmfs is None:
        return False
    if vmfs.local is None:
        return several and datastore.get("summary.multipleHostAccess") is False
    return bool(vmfs.local)

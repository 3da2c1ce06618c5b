"""The disks that are to become new datastores, as the new hosts see them. Nothing here writes to a disk, or could."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from migration.new_datastores import Disk
from vsphere import host_storage, site_storage
from vsphere.host_storage import HostStorage
from vsphere.site import Site


def look(site: Site, hosts: Sequence[str], disks: Mapping[str, str]) -> tuple[Disk, ...]:
    """Return how each disk stands, by the name of the datastore that it is to become; nothing where no host has joined yet.

    A partition counts whatever it is, and so does a volume that a host holds back or has not mounted: to vCenter such a disk
    looks as if it could be formatted (community.vmware #40). Changes nothing.

    Raises: MigrationError.
    """
    joined = [one for name, one in host_storage.host_storage(site).items() if name in hosts and one.connected]
    if not joined or not disks:
        return ()
    held = _by_device(site_storage.held_back(site, [one.host for one in joined]))
    carried = _by_device(site_storage.carried(site))
    found = []
    for name, device in disks.items():
        seen = [(one, disk) for one in joined if (disk := _named(one, device))]
        holds = carried.get(device.lower()) or held.get(device.lower()) or ""
        if seen and not holds:
            holds = _partitioned(site, *seen[0])
        hosts_with = [one.host for one, _ in seen]
        without = tuple(sorted(one.host for one in joined if one.host not in hosts_with))
        capacity = seen[0][1].capacity if seen else 0.0
        found.append(Disk(name, device, tuple(sorted(hosts_with)), without, capacity, holds))
    return tuple(found)


def _partitioned(site: Site, host: HostStorage, disk: host_storage.Disk) -> str:
    """Return what the host finds on the disk, "" where it is blank."""
    if host.system is None:
        return ""
    ask = site.session.patient(host.system).RetrieveDiskPartitionInfo
    doing = f"{host.host}: reading the partitions of {disk.name}"
    answer = site.session.read(doing, lambda: ask([disk.path]), host.host)
    kinds = [str(part.type) for info in answer or () for part in info.spec.partition or () if str(part.type) != "none"]
    return (
        f"has {'a partition' if len(kinds) == 1 else f'{len(kinds)} partitions'} on it ({', '.join(kinds)})"
        if kinds
        else ""
    )


def _named(host: HostStorage, device: str) -> host_storage.Disk | None:
    return next((disk for name, disk in host.disks.items() if name.lower() == device.lower()), None)


def _by_device(reasons: Mapping[str, str]) -> dict[str, str]:
    return {device.lower(): reason for device, reason in reasons.items()}

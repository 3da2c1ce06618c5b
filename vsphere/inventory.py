"""From a snapshot of raw properties to the sites, hosts, volumes and VMs of `migration.model`. Pure.

An `Inventory` stands for one edition of a snapshot; what is derived is derived once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Final

from pyVmomi import vim

from migration.model import File, InFlight, Power, Vm
from migration.observation import Host, SiteView, Volume
from migration.wanted import Identity
from vsphere.machines import GIB, Place, Surroundings, instance_uuid, machine, vmx_path
from vsphere.names import decoded, mounted_path, segment, split_path
from vsphere.session import moref
from vsphere.snapshot import Record, Snapshot

_UPLINKS: Final = "SYSTEM/DVS.UPLINKPG"
"""The tag of the port group that a distributed switch keeps for its uplinks: nothing a VM could be on."""

_HARDWARE: Final = (
    ((8, 0, 2), 21), ((8, 0, 0), 20), ((7, 0, 2), 19), ((7, 0, 1), 18), ((7, 0, 0), 17),
    ((6, 7, 0), 14), ((6, 5, 0), 13), ((6, 0, 0), 11), ((5, 5, 0), 10), ((5, 1, 0), 9), ((5, 0, 0), 8),
)  # fmt: skip
"""Highest virtual hardware by ESXi version, newest first (vsphere-facts: govmomi esxi_version.go)."""


class Inventory:
    """One site's objects by name, by identity and by place."""

    def __init__(self, site: str, vcenter: str, snapshot: Snapshot) -> None:
        """Take the snapshot; nothing is derived before it is asked for."""
        self.site = site
        self.vcenter = vcenter
        self.snapshot = snapshot

    # --- VMs ----------------------------------------------------------------------------------------------------------

    @cached_property
    def _by_uuid(self) -> dict[str, list[Record]]:
        found: dict[str, list[Record]] = {}
        for record in self.snapshot.of(vim.VirtualMachine):
            found.setdefault(instance_uuid(record).lower(), []).append(record)
        return found

    @cached_property
    def _by_name(self) -> dict[str, list[Record]]:
        found: dict[str, list[Record]] = {}
        for record in self.snapshot.of(vim.VirtualMachine):
            found.setdefault(decoded(str(record.get("name", ""))), []).append(record)
        return found

    def matching(self, who: Identity) -> list[Record]:
        """Return the VMs with this instance UUID; by name only where no UUID is given."""
        if who.instance_uuid:
            return self._by_uuid.get(who.instance_uuid.lower(), [])
        return self._by_name.get(who.name, [])

    def vm(self, record: Record, in_flight: InFlight | None = None) -> Vm:
        """Return the VM that this record is about."""
        datastores = record.targets("datastore")
        around = Surroundings(
            site=self.site,
            place=self._place(record),
            volume=lambda ref, name: self._volume_of(ref, name, datastores),
            network=lambda ref: self.network_names.get(ref, ""),
            fields=self.snapshot.fields,
            in_flight=in_flight,
        )
        return machine(record, around)

    @cached_property
    def registered(self) -> frozenset[File]:
        """The configuration files of every VM that is registered here."""
        return frozenset(self._vmx(record) for record in self.snapshot.of(vim.VirtualMachine))

    @cached_property
    def unreadable(self) -> tuple[Record, ...]:
        """VMs of which not even the configuration file is known: any .vmx on a volume may be theirs."""
        return tuple(one for one in self.snapshot.of(vim.VirtualMachine) if not self._vmx(one).path)

    def _vmx(self, record: Record) -> File:
        text = vmx_path(record)
        if mounted := mounted_path(text):
            return File(f"vmfs:{mounted[0]}", mounted[1])
        try:
            name, path = split_path(text)
        except ValueError:
            return File("", "")
        return File(self._volume_of("", name, record.targets("datastore")), path)

    def _place(self, record: Record) -> Place:
        host = self.snapshot.record(record.target("runtime.host"))
        pool = self.snapshot.record(record.target("resourcePool"))
        compute = host.target("parent") if host else pool.target("owner") if pool else ""
        return Place(
            datacenter=self.name(self.datacenter_of(record)),
            cluster=self.name(compute),
            folder=self.path(record.target("parent"), vim.Folder),
            pool=self.path(pool.moref, vim.ResourcePool) if pool else "",
            host=decoded(str(host.get("name", ""))) if host else "",
        )

    # --- the tree -----------------------------------------------------------------------------------------------------

    def name(self, ref: str) -> str:
        """Return an object's name as people write it, "" where it is not known."""
        record = self.snapshot.record(ref)
        return decoded(str(record.get("name", ""))) if record else ""

    def chain(self, ref: str) -> Iterator[Record]:
        """Yield the object and what it is in, from the inside out."""
        while record := self.snapshot.record(ref):
            yield record
            ref = record.target("parent")

    def path(self, ref: str, kind: type[vim.ManagedEntity]) -> str:
        """Return the path of a folder or pool below the root of its kind, whose own name says nothing."""
        names = []
        for record in self.chain(ref):
            if not isinstance(record.ref, kind):
                break
            names.append(segment(str(record.get("name", ""))))
        return "/".join(reversed(names[:-1]))

    def datacenter_of(self, record: Record) -> str:
        """Return the id of the datacenter that the object is in."""
        return next((one.moref for one in self.chain(record.moref) if isinstance(one.ref, vim.Datacenter)), "")

    def named(self, kind: type[vim.ManagedEntity], name: str, within: str = "") -> Record | None:
        """Return the object of this kind and name, where given in that datacenter or other parent."""
        for record in self.snapshot.of(kind):
            if decoded(str(record.get("name", ""))) == name and (
                not within or any(one.moref == within for one in self.chain(record.moref))
            ):
                return record
        return None

    # --- volumes and networks -----------------------------------------------------------------------------------------

    @cached_property
    def volume_ids(self) -> dict[str, str]:
        """The volume that each datastore shows, by the datastore's id."""
        return {record.moref: volume_id(self.site, record) for record in self.snapshot.of(vim.Datastore)}

    @cached_property
    def network_names(self) -> dict[str, str]:
        """Names by network id and, for distributed port groups, by "switch UUID/key" too.

        A key alone is a counter of its vCenter: a card that came from another one may bear the key of a stranger.
        """
        names = {}
        for record in self.snapshot.of(vim.Network):
            names[record.moref] = name = decoded(str(record.get("name", "")))
            if key := record.get("key"):
                switch = self.snapshot.record(record.target("config.distributedVirtualSwitch"))
                names[f"{switch.get('uuid') if switch else ''}/{key}"] = name
        return names

    def datastore(self, volume: str, datacenter: str = "") -> Record | None:
        """Return the datastore that shows the volume; in that datacenter, where several do."""
        found = [record for record in self.snapshot.of(vim.Datastore) if self.volume_ids[record.moref] == volume]
        inside = [record for record in found if datacenter and self.datacenter_of(record) == datacenter]
        return next(iter(inside or found), None)

    def _volume_of(self, ref: str, name: str, among: tuple[str, ...]) -> str:
        """Return the id of the volume of a datastore that is known by reference or, among the VM's, by name."""
        if ref in self.volume_ids and self.name(ref) == decoded(name):
            return self.volume_ids[ref]
        every = (*among, *(record.moref for record in self.snapshot.of(vim.Datastore)))
        found = (one for one in every if self.name(one) == decoded(name) and one in self.volume_ids)
        return next((self.volume_ids[one] for one in found), f"{self.site}:{name}")

    # --- the site -----------------------------------------------------------------------------------------------------

    @cached_property
    def view(self) -> SiteView:
        """What the site offers to a VM."""
        hosts = tuple(self._host(record) for record in self.snapshot.of(vim.HostSystem))
        hardware = [_hardware(record) for record in self.snapshot.of(vim.HostSystem)]
        return SiteView(
            name=self.site,
            vcenter=self.vcenter,
            hosts=tuple(sorted(hosts, key=lambda host: host.name)),
            volumes=tuple(self._volumes()),
            networks=frozenset(
                self.network_names[record.moref] for record in self.snapshot.of(vim.Network) if not _uplinks(record)
            ),
            hardware=min(hardware, default=0),
        )

    def _volumes(self) -> Iterator[Volume]:
        for record in self.snapshot.of(vim.Datastore):
            if record.get("summary.accessible", False):
                yield Volume(
                    id=self.volume_ids[record.moref],
                    name=decoded(str(record.get("name", ""))),
                    free=record.get("summary.freeSpace", 0) / GIB,
                    capacity=record.get("summary.capacity", 0) / GIB,
                )

    @cached_property
    def _load(self) -> dict[str, tuple[int, float]]:
        """VMs and GiB of running VMs' memory, by host id."""
        load: dict[str, tuple[int, float]] = {}
        for record in self.snapshot.of(vim.VirtualMachine):
            host = record.target("runtime.host")
            vms, memory = load.get(host, (0, 0.0))
            running = str(record.get("runtime.powerState", "")) == Power.ON
            load[host] = (
                vms + 1,
                memory + (record.get("config.hardware.memoryMB", 0) / 1024 if running else 0),
            )
        return load

    def _host(self, record: Record) -> Host:
        vms, used = self._load.get(record.moref, (0, 0.0))
        connected = str(record.get("runtime.connectionState", "")) == "connected"
        networks = (self.snapshot.record(ref) for ref in record.targets("network"))
        return Host(
            name=decoded(str(record.get("name", ""))),
            cluster=self.name(record.target("parent")),
            usable=connected and not record.get("runtime.inMaintenanceMode", False),
            vms=vms,
            # What the running VMs may come to use, not what they use now: steady, and on the safe side.
            free_memory=max(0.0, record.get("summary.hardware.memorySize", 0) / GIB - used),
            networks=frozenset(self.network_names[one.moref] for one in networks if one and not _uplinks(one)),
            volumes=frozenset(self._mounted.get(record.moref, ())),
        )

    @cached_property
    def _mounted(self) -> dict[str, set[str]]:
        """The volumes that each host has mounted and can access, by host id."""
        mounted: dict[str, set[str]] = {}
        for record in self.snapshot.of(vim.Datastore):
            for mount in record.get("host", ()):
                info = mount.mountInfo
                if info.mounted is not False and info.accessible is not False:
                    mounted.setdefault(moref(mount.key), set()).add(self.volume_ids[record.moref])
        return mounted


def in_flight(snapshot: Snapshot, vm: str, followed: set[str]) -> InFlight | None:
    """Return the task that vCenter has queued or running on the VM with this id, other than those that we follow."""
    for key, record in snapshot.tasks.items():
        state = str(record.get("info.state", ""))
        if state in ("queued", "running") and record.target("info.entity") == vm and key not in followed:
            progress = record.get("info.progress")
            name = str(record.get("info.descriptionId", "")) or "a task"
            return InFlight(str(record.get("info.key", key)), name, int(progress) if progress is not None else None)
    return None


def volume_id(site: str, datastore: Record) -> str:
    """Return what identifies the volume behind a datastore at every site; a datastore's name does not."""
    info = datastore.get("info")
    match info:
        case vim.host.VmfsDatastoreInfo() if info.vmfs and info.vmfs.uuid:
            return f"vmfs:{info.vmfs.uuid}"
        case vim.host.NasDatastoreInfo() if info.nas:
            return f"nfs:{info.nas.remoteHost}:{info.nas.remotePath}"
        case _:
            return f"{site}:{datastore.moref}"


def _uplinks(network: Record) -> bool:
    return any(tag.key == _UPLINKS for tag in network.get("tag", ()))


def _hardware(host: Record) -> int:
    product = host.get("summary.config.product")
    parts = [int(part) for part in str(getattr(product, "version", "")).split(".") if part.isdigit()]
    return next((hardware for version, hardware in _HARDWARE if tuple(parts) >= version), 0)

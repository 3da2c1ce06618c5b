"""From a snapshot of raw properties to the sites, hosts, volumes and VMs of `migration.model`. Pure.

An `Inventory` stands for one edition of a snapshot; what is derived is derived once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Final, cast

from pyVmomi import vim

from migration.metadata import Pool
from migration.model import File, InFlight, Vm
from migration.observation import SiteView
from migration.wanted import Identity
from vsphere.compute import clusters, hosts
from vsphere.machines import instance_uuid, machine, vmx_path
from vsphere.metadata_seen import MetadataSeen, allocation
from vsphere.names import datastore_path, decoded, mounted_path, segment, split_path
from vsphere.neighbours import Neighbours, linked
from vsphere.session import moref
from vsphere.snapshot import Record, Snapshot
from vsphere.standing import Standing
from vsphere.surroundings import NOWHERE, Place, Surroundings
from vsphere.volumes import lost, mounted_names, volume_id, volumes

_UNASKED: Final = Standing()
_UPLINKS: Final = "SYSTEM/DVS.UPLINKPG"
"""The tag of the port group that a distributed switch keeps for its uplinks: nothing a VM could be on."""


class Inventory:
    """One site's objects by name, by identity and by place."""

    def __init__(self, site: str, vcenter: str, snapshot: Snapshot, standing: Standing = _UNASKED) -> None:
        """Take the snapshot, and what is asked once per session; nothing is derived before it is asked for."""
        self.site = site
        self.vcenter = vcenter
        self.snapshot = snapshot
        self.standing = standing

    # --- VMs ----------------------------------------------------------------------------------------------------------

    @cached_property
    def _by_uuid(self) -> dict[str, list[Record]]:
        return self._by(lambda record: instance_uuid(record).lower())

    @cached_property
    def _by_name(self) -> dict[str, list[Record]]:
        return self._by(lambda record: self.name(record.moref).casefold())

    def _by(self, key: Callable[[Record], str]) -> dict[str, list[Record]]:
        found: dict[str, list[Record]] = {}
        for record in self.snapshot.of(vim.VirtualMachine):
            found.setdefault(key(record), []).append(record)
        return found

    def matching(self, who: Identity) -> list[Record]:
        """Return the VMs with this instance UUID; by name only where no UUID is given."""
        if who.instance_uuid:
            return self._by_uuid.get(who.instance_uuid.lower(), [])
        return [record for record in self.namesakes(who.name) if self.name(record.moref) == who.name]

    def namesakes(self, name: str) -> list[Record]:
        """Return the VMs that vSphere would take to have this name: it does not tell names apart by case."""
        return self._by_name.get(name.casefold(), [])

    def vm(self, record: Record, in_flight: InFlight | None = None, among: Iterable[Inventory] = ()) -> Vm:
        """Return the VM that this record is about; `among` are the inventories of all sites, where others may share with it."""
        uuid = instance_uuid(record).lower()
        every = [inventory.neighbours for inventory in (tuple(among) or (self,))]
        around = replace(
            self._around(record),
            place=self._place(record),
            in_flight=in_flight,
            locked=self.standing.locks.get(record.moref, ()),
            linked=lambda files: linked(every, uuid, files),
            metadata=self._metadata.of(record),
        )
        return machine(record, around)

    def _around(self, record: Record) -> Surroundings:
        datastores = record.targets("datastore")
        return Surroundings(
            site=self.site,
            place=NOWHERE,
            volume=lambda ref, name: self._volume_of(ref, name, datastores),
            mounted=self.mounted_volume,
            network=lambda ref: self.network_names.get(ref, ""),
            fields=self.snapshot.fields,
            in_flight=None,
        )

    @cached_property
    def neighbours(self) -> Neighbours:
        """Who bears which MAC address, BIOS UUID and disk."""
        found = Neighbours(self.site)
        for record in self.snapshot.of(vim.VirtualMachine):
            found.add(record, self._around(record))
        return found

    @cached_property
    def _metadata(self) -> MetadataSeen:
        return MetadataSeen(self.snapshot, self.standing.roles, self.standing.tags or {})

    @cached_property
    def uuids(self) -> frozenset[str]:
        """The instance UUIDs of every VM that is registered here, as far as they are known."""
        return frozenset(self._by_uuid) - {""}

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
            return File(self.mounted_volume(mounted[0]), mounted[1])
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
            # A VM in a vApp has no folder: its host leads to the datacenter.
            datacenter=self.name(self.datacenter_of(record) or (self.datacenter_of(host) if host else "")),
            cluster=self.name(compute),
            folder=self.path(record.target("parent"), vim.Folder),
            pool=self.path(pool.moref, vim.ResourcePool) if pool else "",
            host=decoded(str(host.get("name", ""))) if host else "",
            pools=tuple(self._pools(pool.moref)) if pool else (),
            features=str(host.get("summary.maxEVCModeKey", ""))
            if host and not host.get("summary.currentEVCModeKey")
            else "",
        )

    def _pools(self, ref: str) -> Iterator[Pool]:
        """Yield the pool and those around it below the cluster's root, outermost first."""
        chain = [record for record in self.chain(ref) if isinstance(record.ref, vim.ResourcePool)]
        for record in reversed(chain[:-1]):
            yield Pool(
                self.path(record.moref, vim.ResourcePool),
                allocation(record.get("config.cpuAllocation")),
                allocation(record.get("config.memoryAllocation")),
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
    def mounted_names(self) -> dict[str, str]:
        """The volumes by the name that ESXi mounts them by."""
        return mounted_names(self)

    def mounted_volume(self, name: str) -> str:
        """Return the volume that ESXi mounts at /vmfs/volumes/name; one that no datastore shows is taken for VMFS."""
        return self.mounted_names.get(name, f"vmfs:{name}")

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

    def paths(self, file: File) -> Iterator[tuple[vim.Datacenter, str]]:
        """Yield each datacenter that shows the file's volume, with the file's path there."""
        for record in self.snapshot.of(vim.Datastore):
            datacenter = self.snapshot.record(self.datacenter_of(record))
            if self.volume_ids[record.moref] == file.volume and datacenter:
                path = datastore_path(str(record.get("name")), file.path)
                yield cast("vim.Datacenter", datacenter.ref), path

    def datastore(self, volume: str, datacenter: str = "") -> Record | None:
        """Return the datastore that shows the volume; in that datacenter, where several do."""
        found = [record for record in self.snapshot.of(vim.Datastore) if self.volume_ids[record.moref] == volume]
        inside = [record for record in found if datacenter and self.datacenter_of(record) == datacenter]
        return next(iter(inside or found), None)

    def _volume_of(self, ref: str, name: str, among: tuple[str, ...]) -> str:
        """Return the id of the volume of a datastore that is known by reference or, among the VM's, by name."""
        if ref in self.volume_ids and self.name(ref) == decoded(name):
            return self.volume_ids[ref]
        every = (*among, *self.volume_ids)
        found = (one for one in every if self.name(one) == decoded(name) and one in self.volume_ids)
        return next((self.volume_ids[one] for one in found), f"{self.site}:{name}")

    # --- the site -----------------------------------------------------------------------------------------------------

    @cached_property
    def view(self) -> SiteView:
        """What the site offers to a VM."""
        return SiteView(
            name=self.site,
            vcenter=self.vcenter,
            hosts=tuple(sorted(hosts(self), key=lambda host: host.name)),
            volumes=tuple(volumes(self)),
            networks=frozenset(self._usable(self.snapshot.of(vim.Network))),
            version=self.standing.version,
            build=self.standing.build,
            clusters=tuple(sorted(clusters(self), key=lambda cluster: cluster.name)),
            distributed=dict(self._distributed()),
            roles=frozenset(self.standing.roles.values()),
            skew=self.standing.skew,
            lacking=self.standing.lacking,
            tagging=self.standing.tags is not None,
            license=self.standing.upkeep.license,
            lost=tuple(lost(self)),
        )

    def networks_of(self, host: Record) -> frozenset[str]:
        """Return the names of the networks that a VM on the host can reach."""
        records = (self.snapshot.record(ref) for ref in host.targets("network"))
        return frozenset(self._usable(record for record in records if record))

    def _usable(self, networks: Iterable[Record]) -> Iterator[str]:
        return (self.network_names[record.moref] for record in networks if not _uplinks(record))

    def _distributed(self) -> Iterator[tuple[str, str]]:
        """Yield each distributed port group by name, with the version of its switch, "" where that is not known."""
        for record in self.snapshot.of(vim.dvs.DistributedVirtualPortgroup):
            if not _uplinks(record):
                switch = self.snapshot.record(record.target("config.distributedVirtualSwitch"))
                version = switch.get("summary.productInfo.version") if switch else None
                yield self.network_names[record.moref], str(version or "")

    @cached_property
    def mounted(self) -> dict[str, set[str]]:
        """The volumes that each host has mounted and can access, by host id."""
        mounted: dict[str, set[str]] = {}
        for record in self.snapshot.of(vim.Datastore):
            for mount in record.get("host", ()):
                info = mount.mountInfo
                if info.mounted is not False and info.accessible is not False:
                    mounted.setdefault(moref(mount.key), set()).add(self.volume_ids[record.moref])
        return mounted


def in_flight(snapshot: Snapshot, vm: str, followed: Collection[str]) -> InFlight | None:
    """Return the task that vCenter has queued or running on the VM with this id, other than those that we follow."""
    record = snapshot.task_on(vm, followed)
    if record is None:
        return None
    progress = record.get("info.progress")
    name = str(record.get("info.descriptionId", "")) or "a task"
    return InFlight(str(record.get("info.key", record.moref)), name, int(progress) if progress is not None else None)


def _uplinks(network: Record) -> bool:
    return any(tag.key == _UPLINKS for tag in network.get("tag", ()))

"""What of a declared site exists at its vCenter already, so that it is adopted and not made a second time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from pyVmomi import vim

from migration.new_site import Stands
from vsphere import host_own
from vsphere.names import decoded
from vsphere.reading import collect
from vsphere.session import moref, session
from vsphere.snapshot import Record
from vsphere.tls import Endpoint

Existing = Mapping[str, Mapping[str, str]]
"""From kind (datacenter, cluster, host, switch, network, datastore, datastore cluster) to name to the id that pulumi-vsphere
knows it by.

What is a host's own (host switch, host network, vMotion adapter) has the host's name before its own, which is an adapter's
address.
"""

_KINDS: Final[Mapping[str, tuple[type[vim.ManagedEntity], str]]] = {
    "datacenter": (vim.Datacenter, ""),
    "cluster": (vim.ClusterComputeResource, ""),
    "host": (vim.HostSystem, ""),
    "switch": (vim.DistributedVirtualSwitch, "uuid"),
    "network": (vim.dvs.DistributedVirtualPortgroup, ""),
    "datastore": (vim.Datastore, ""),
    "datastore cluster": (vim.StoragePod, ""),
}
_EVERYWHERE: Final = ("datacenter", "host", "datastore")
"""Kinds that are looked for in the whole vCenter. A datastore's name may be there once for each datacenter, yet nothing is
formatted where another one of that name may be the same."""
_READ: Final[Mapping[type[vim.ManagedEntity], tuple[str, ...]]] = {
    vim.Folder: ("name", "parent"),
    vim.Datacenter: ("name", "parent"),
    vim.ComputeResource: ("name", "parent"),
    vim.HostSystem: ("name", "parent", "runtime.connectionState", *host_own.READ),
    vim.DistributedVirtualSwitch: ("name", "parent", "uuid", "summary.hostMember"),
    vim.dvs.DistributedVirtualPortgroup: ("name", "parent", "config.defaultPortConfig"),
    vim.Datastore: ("name", "parent"),
}


class There:
    """What one vCenter has at one moment."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Read it, each kind in bulk; changes nothing.

        Raises: Refused, Unreachable.
        """
        self._vcenter = str(endpoint)
        self._records: dict[str, Record] = {}
        for kind, paths in _READ.items():
            doing = f"reading what exists: {kind.__name__.rpartition('.')[2]}"
            self._records |= {record.moref: record for record in collect(session(endpoint), doing, kind, paths)}

    def ids(self, datacenter: str = "") -> Existing:
        """Return what can be adopted: what is elsewhere than in this datacenter is another thing of the same name.

        Every datacenter's, where none is given. A distributed switch is known by its UUID, all else by its MoRef.
        """
        found = {
            kind: {
                _name(record): str(record.get(key)) if key else record.moref
                for record in self._of(managed)
                if kind in _EVERYWHERE or datacenter in ("", self._datacenter(record))
            }
            for kind, (managed, key) in _KINDS.items()
        }
        return found | host_own.ids(self._by_name())

    def hosts(self) -> dict[str, Stands]:
        """Return where each host stands, by its name."""
        return {_name(record): self._stands(record) for record in self._of(vim.HostSystem)}

    def datacenter(self, name: str) -> vim.Datacenter | None:
        """Return the datacenter of this name."""
        found = (record.ref for record in self._of(vim.Datacenter) if _name(record) == name)
        return next((cast("vim.Datacenter", ref) for ref in found), None)

    def vlans(self, datacenter: str) -> Mapping[str, Mapping[str, int]]:
        """Return the VLAN of each network and host network, by kind and name as in `ids`; only of those that have one."""
        networks = {}
        for record in self._of(vim.dvs.DistributedVirtualPortgroup):
            vlan = getattr(record.get("config.defaultPortConfig"), "vlan", None)
            if self._datacenter(record) == datacenter and isinstance(
                vlan, vim.dvs.VmwareDistributedVirtualSwitch.VlanIdSpec
            ):
                networks[_name(record)] = int(vlan.vlanId)
        return {"network": networks, "host network": host_own.vlans(self._by_name())}

    def _by_name(self) -> dict[str, Record]:
        return {_name(record): record for record in self._of(vim.HostSystem)}

    def members(self, switch: str) -> frozenset[str]:
        """Return the names of the hosts that are members of the distributed switch with this UUID."""
        refs = {
            ref
            for record in self._of(vim.DistributedVirtualSwitch)
            if str(record.get("uuid")) == switch
            for ref in record.targets("summary.hostMember")
        }
        return frozenset(_name(record) for record in self._of(vim.HostSystem) if record.moref in refs)

    def _of(self, kind: type[vim.ManagedEntity]) -> Iterator[Record]:
        return (record for record in self._records.values() if isinstance(record.ref, kind))

    def _stands(self, host: Record) -> Stands:
        parent = self._records.get(host.target("parent"))
        cluster = parent if parent and isinstance(parent.ref, vim.ClusterComputeResource) else None
        connected = str(host.get("runtime.connectionState", "")) == "connected"
        return Stands(_name(cluster) if cluster else "", self._datacenter(host), self._vcenter, connected)

    def _datacenter(self, record: Record) -> str:
        """Return the name of the datacenter that it is in, "" where it is in none."""
        here: Record | None = record
        while here is not None and not isinstance(here.ref, vim.Datacenter):
            parent: Any = here.get("parent")
            here = self._records.get(moref(parent)) if parent is not None else None
        return _name(here) if here else ""


def _name(record: Record) -> str:
    return decoded(str(record.get("name", "")))


def existing(endpoint: Endpoint) -> Existing:
    """Return what the vCenter has, in whatever datacenter; changes nothing.

    Raises: Refused, Unreachable.
    """
    return There(endpoint).ids()

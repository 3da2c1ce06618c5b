"""What of a declared site exists at its vCenter already, so that it is adopted and not made a second time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pyVmomi import vim
from pyVmomi.VmomiSupport import ManagedObject

from vsphere.names import decoded
from vsphere.reading import collect
from vsphere.session import session
from vsphere.snapshot import Record
from vsphere.tls import Endpoint

Existing = Mapping[str, Mapping[str, str]]
"""From kind (datacenter, cluster, host, switch, network, datastore) to name to the id that pulumi-vsphere knows it by."""

_KINDS: Final[Mapping[str, tuple[type[ManagedObject], str]]] = {
    "datacenter": (vim.Datacenter, ""),
    "cluster": (vim.ClusterComputeResource, ""),
    "host": (vim.HostSystem, ""),
    "switch": (vim.DistributedVirtualSwitch, "uuid"),
    "network": (vim.dvs.DistributedVirtualPortgroup, ""),
    "datastore": (vim.Datastore, ""),
}


def existing(endpoint: Endpoint) -> Existing:
    """Return what the vCenter has; changes nothing. A distributed switch is known by its UUID, all else by its MoRef.

    Raises: Refused, Unreachable.
    """
    return {kind: _ids(endpoint, kind) for kind in _KINDS}


def _ids(endpoint: Endpoint, kind: str) -> dict[str, str]:
    managed, key = _KINDS[kind]
    paths = ["name", *([key] if key else [])]
    records = collect(session(endpoint), f"reading what exists: {kind}", managed, paths)
    return {decoded(str(record.get("name"))): _id(record, key) for record in records}


def _id(record: Record, key: str) -> str:
    return str(record.get(key)) if key else record.moref

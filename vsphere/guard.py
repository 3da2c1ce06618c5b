"""What no call of ours may do, wherever it is made: every call to a vCenter passes `refuse` before it is sent.

Nothing here may destroy a VM, or format, resignature or delete a volume or what is on it. So of the services that can, only
the methods named here are let through; elsewhere whatever is called like something that destroys is refused. What a newer
vSphere adds to these services is refused too, until somebody has thought about it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from pyVmomi import vim

from migration.errors import Unexpected

if TYPE_CHECKING:
    from pyVmomi.VmomiSupport import ManagedObject

ALLOWED: Final[Mapping[type[ManagedObject], frozenset[str]]] = MappingProxyType(
    {
        # `FetchReadProperty`: pyVmomi's way to read a property
        vim.host.StorageSystem: frozenset(
            {
                "Fetch", "RescanAllHba", "RescanVmfs", "RefreshStorageSystem", "QueryUnresolvedVmfsVolume",
                "RetrieveDiskPartitionInfo",
                "MountVmfsVolume", "UnmountVmfsVolume", "AttachScsiLun", "DetachScsiLun",
            }
        ),
        vim.host.DatastoreSystem: frozenset({"Fetch", "CreateNasDatastore", "RemoveDatastore"}),
        vim.Datastore: frozenset({"Fetch", "RefreshDatastore", "RefreshDatastoreStorageInfo"}),
        vim.host.DatastoreBrowser: frozenset({"Fetch", "SearchDatastore_Task", "SearchDatastoreSubFolders_Task"}),
        vim.FileManager: frozenset({"Fetch"}),
        vim.VirtualDiskManager: frozenset({"Fetch"}),
        vim.DatastoreNamespaceManager: frozenset({"Fetch"}),
    }
)  # fmt: skip
"""All that is called of those services through which a volume or its files could be lost, by their type."""

DESTRUCTIVE: Final = re.compile(
    r"Destroy|Delete|Erase|Format|Extend|Expand|Resignature|Resolve.*Unresolved|ForceMount|ZeroFill|Terminate|Wipe|Shred"
    r"|(Create|Remove)\w*(Vmfs|Vffs|VvolDatastore|LocalDatastore|Partition)|UpdateDiskPartitions|ResetVM"
)
"""What a method that destroys is called, whoever offers it."""

ESXCLI: Final = frozenset(
    {"esxcli software profile get", "esxcli software sources profile list", "esxcli software profile update"}
)
"""The only commands that are run on a host: esxcli can erase disks too."""

OURS: Final = frozenset({"DestroyPropertyCollector", "DestroyPropertyFilter", "DestroyView", "DestroyCollector"})
"""Methods that are called so and only end something of the session's own."""


def refuse(thing: ManagedObject, method: str, arguments: Any) -> None:
    """Let the call pass, or raise: `method` is named as on the wire. Reads one datastore where it is to be removed.

    `RemoveDatastore` destroys a VMFS volume, and of NFS takes away one host's mount only: it passes for what vCenter itself
    says is NFS, asked just then.

    Raises: Unexpected, before anything is sent.
    """
    for kind, allowed in ALLOWED.items():
        if isinstance(thing, kind) and method not in allowed:
            raise _refused(method)
    if method.startswith("esxcli ") and method not in ESXCLI:
        raise _refused(method)
    if method not in OURS and DESTRUCTIVE.search(method):
        raise _refused(method)
    if method == "RemoveDatastore" and not all(_is_nfs(one) for one in arguments or (None,)):
        raise _refused(f"{method} of what is no NFS datastore")


def _is_nfs(datastore: Any) -> bool:
    return isinstance(datastore, vim.Datastore) and isinstance(datastore.info, vim.host.NasDatastoreInfo)


def _refused(what: str) -> Unexpected:
    return Unexpected(
        f"{what} could destroy what is on a datastore: Esxodus never calls it, and this is a defect of Esxodus"
    )

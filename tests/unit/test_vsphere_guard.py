"""The guard that every call to a vCenter passes: tried with every method that pyVmomi knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pyVmomi import VmomiSupport, vim

from migration.errors import Unexpected
from tests.unit.test_vsphere_audit import Wire, client
from vsphere import guard

LOSES = re.compile(
    "Resignature|Destroy|Delete|Erase|Format|Extend|Expand|ZeroFill|Partition|ForceMount|Terminate|CreateVmfs"
    "|RemoveDatastoreEx|RemoveSnapshotDisk|Wipe"
)
"""Far more than destroys: of what is called like this and passes, each is looked at below."""

HARMLESS = {
    # they end something of the session's own
    "DestroyPropertyCollector", "DestroyPropertyFilter", "DestroyView", "DestroyCollector",
    # they only ask, or choose where a host dumps its core
    "QueryAvailablePartition", "QueryPartitionCreateDesc", "QueryPartitionCreateOptions", "SelectActivePartition",
    "RetrieveDiskPartitionInfo",
}  # fmt: skip


def kinds() -> list[type[Any]]:
    """Return every managed object type that there is."""
    names = [name for name in VmomiSupport._managedDefMap if name.startswith(("vim.", "vmodl."))]
    return [VmomiSupport.GetVmodlType(name) for name in names]


def methods(kind: type[Any]) -> Iterator[str]:
    for name in dir(kind):
        info: Any = getattr(getattr(kind, name), "info", None)
        if hasattr(info, "wsdlName"):
            yield str(info.wsdlName)


def passes(kind: type[Any], method: str, *arguments: Any) -> bool:
    try:
        guard.refuse(kind("any-1", None), method, arguments)
    except Unexpected:
        return False
    return True


def test_of_the_services_that_can_lose_a_volume_only_these_methods_pass() -> None:
    passed = {
        method
        for kind in (
            vim.host.StorageSystem,
            vim.host.DatastoreSystem,
            vim.Datastore,
            vim.FileManager,
            vim.VirtualDiskManager,
        )
        for method in methods(kind)
        if passes(kind, method)
    }
    assert passed == {
        "RescanAllHba", "RescanVmfs", "RefreshStorageSystem", "QueryUnresolvedVmfsVolume",
        "RetrieveDiskPartitionInfo",
        "MountVmfsVolume", "UnmountVmfsVolume", "AttachScsiLun", "DetachScsiLun",
        "CreateNasDatastore", "RefreshDatastore", "RefreshDatastoreStorageInfo",
    }  # fmt: skip


def test_whatever_is_called_like_something_that_destroys_is_refused_wherever_it_is() -> None:
    every = {(kind, method) for kind in kinds() for method in methods(kind)}
    assert len(every) > 1000
    loud = {method for kind, method in every if LOSES.search(method) and passes(kind, method)}
    assert loud == HARMLESS


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        (vim.VirtualMachine, "Destroy_Task"),
        (vim.VirtualMachine, "UnregisterAndDestroy_Task"),
        (vim.VirtualMachine, "TerminateVM"),
        (vim.Folder, "Destroy_Task"),
        (vim.host.StorageSystem, "ResolveMultipleUnresolvedVmfsVolumes"),
        (vim.host.StorageSystem, "FormatVmfs"),
        (vim.host.StorageSystem, "UpdateDiskPartitions"),
        (vim.host.StorageSystem, "DeleteVmfsVolumeState"),
        (vim.host.StorageSystem, "ANewMethodOfVSphere9"),
        (vim.host.DatastoreSystem, "CreateVmfsDatastore"),
        (vim.host.DatastoreSystem, "ResignatureUnresolvedVmfsVolume_Task"),
        (vim.host.DatastoreSystem, "RemoveDatastoreEx_Task"),
        (vim.Datastore, "DestroyDatastore"),
        (vim.Datastore, "RenameDatastore"),
        (vim.FileManager, "DeleteDatastoreFile_Task"),
    ],
)
def test_these_are(kind: type[Any], method: str) -> None:
    assert not passes(kind, method)


def test_the_guard_stands_before_the_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire()
    stub = client(monkeypatch, wire)
    for call in (
        vim.VirtualMachine("vm-1", stub).Destroy,
        lambda: vim.host.StorageSystem("s-1", stub).FormatVmfs(vim.host.VmfsVolume.Specification()),
        lambda: vim.host.DatastoreSystem("d-1", stub).RemoveDatastore(vim.Datastore("datastore-1", stub)),
    ):
        with pytest.raises(Unexpected, match="never calls it"):
            call()
    assert set(wire.called) <= {"Fetch"}, "at most it was asked what kind of datastore it is"


def test_a_datastore_is_removed_only_where_vcenter_says_that_it_is_nfs(monkeypatch: pytest.MonkeyPatch) -> None:
    for info, allowed in (
        (vim.host.NasDatastoreInfo(), True),
        (vim.host.VmfsDatastoreInfo(), False),
        (vim.host.LocalDatastoreInfo(), False),
        (None, False),
    ):
        wire = Wire()
        stub = client(monkeypatch, wire)
        monkeypatch.setattr(vim.Datastore, "info", info)
        if allowed:
            vim.host.DatastoreSystem("d-1", stub).RemoveDatastore(vim.Datastore("datastore-1", stub))
        else:
            with pytest.raises(Unexpected):
                vim.host.DatastoreSystem("d-1", stub).RemoveDatastore(vim.Datastore("datastore-1", stub))
        assert wire.called == (["RemoveDatastore"] if allowed else [])
    assert not passes(vim.host.DatastoreSystem, "RemoveDatastore")

"""What is known of a volume beside its size: kind, version, whether it is local, and who else moves or slows its files."""

from __future__ import annotations

from typing import Any

import pytest
from pyVmomi import vim

from migration.observation import Lost, Volume
from tests.unit import vsphere_objects as raw
from vsphere.inventory import Inventory
from vsphere.snapshot import Record
from vsphere.volumes import lost


def volume(*more: Record, local: bool | None = None, **values: Any) -> Volume:
    mounted = raw.vmfs("datastore-1", "old-fc-01", "5678-ab", ("host-1",))
    info = vim.host.VmfsDatastoreInfo(vmfs=vim.host.VmfsVolume(uuid="5678-ab", version="5.61", local=local))
    changed = {"info": info, **{key.replace("__", "."): value for key, value in values.items()}}
    datastore = Record(mounted.ref, {**mounted.values, **changed})
    (found,) = Inventory("source", "vc60", raw.site(datastore, *more)).view.volumes
    return found


SECOND = raw.host("host-2", "esx60-2.lab")


def test_a_vmfs_volume() -> None:
    found = volume(summary__type="VMFS")
    assert (found.kind, found.version) == ("VMFS", "5.61")
    assert (found.local, found.storage_drs, found.sioc) == (False, False, False)


def test_a_volume_of_another_kind_has_no_version() -> None:
    nas = vim.host.NasDatastoreInfo(nas=vim.host.NasVolume(remoteHost="nfs7", remotePath="/export/a"))
    found = volume(info=nas, summary__type="NFS", summary__multipleHostAccess=False)
    assert (found.kind, found.version, found.local) == ("NFS", "", False)


@pytest.mark.parametrize(
    ("says", "several", "expected"),
    [
        (True, False, True),
        (True, None, True),
        (True, True, False),  # a disk that several hosts share, whatever it says of itself
        (False, False, False),  # of the array, mounted on one host so far
        (None, False, True),
        (None, True, False),
        (None, None, False),
    ],
)
def test_a_local_disk(says: bool | None, several: bool | None, expected: bool) -> None:
    assert volume(SECOND, local=says, summary__multipleHostAccess=several).local is expected


def test_the_only_host_shares_with_nobody() -> None:
    assert not volume(summary__multipleHostAccess=False).local


def test_a_directory_of_a_host_is_local() -> None:
    assert volume(info=vim.host.LocalDatastoreInfo(), summary__multipleHostAccess=False).local


@pytest.mark.parametrize("on", [True, False])
def test_a_datastore_cluster_that_moves_files(on: bool) -> None:
    values = {"podStorageDrsEntry__storageDrsConfig__podConfig__enabled": on}
    pod = raw.record(vim.StoragePod, "group-p1", name="pod", parent=raw.ref(vim.Folder, "group-s1"), **values)
    assert volume(pod, parent=raw.ref(vim.StoragePod, "group-p1")).storage_drs is on


def test_storage_io_control() -> None:
    assert volume(iormConfiguration__enabled=True).sioc


def test_a_volume_is_lost_where_a_host_at_work_has_mounted_it_and_cannot_reach_it() -> None:
    store = raw.vmfs("datastore-9", "old-b", "9-9", ("host-1", "host-2", "host-3", "host-4", "host-5"))
    told: tuple[dict[str, Any], ...] = (
        {"accessible": False, "inaccessibleReason": "AllPathsDown_Start"},
        {"accessible": False, "mounted": False},  # an administrator has unmounted it
        {"accessible": False},  # on a host in maintenance
        {"accessible": False},  # on a host that is not connected
    )
    for mount, info in zip(store.get("host")[1:], told, strict=True):
        for name, value in info.items():
            setattr(mount.mountInfo, name, value)
    hosts = (
        raw.host("host-2", "esx60-2"),
        raw.host("host-3", "esx60-3"),
        raw.host("host-4", "esx60-4", runtime__inMaintenanceMode=True),
        raw.host("host-5", "esx60-5", runtime__connectionState="notResponding"),
    )
    assert list(lost(Inventory("source", "vc60", raw.site(store, *hosts)))) == [
        Lost("vmfs:9-9", "old-b", ("esx60-2",), "AllPathsDown_Start")
    ]

"""Raw vSphere objects for tests, as a watch would hold them: no server, no connection."""

from __future__ import annotations

from typing import Any

from pyVmomi import vim

from vsphere.snapshot import Record, Snapshot

GIB = 1 << 30


def ref(kind: Any, moref: str) -> Any:
    return kind(moref, None)


def record(kind: Any, moref: str, **values: Any) -> Record:
    """Return a record; `__` in a keyword stands for the dot of a path."""
    return Record(ref(kind, moref), {key.replace("__", "."): value for key, value in values.items()})


def vmfs(moref: str, name: str, uuid: str, hosts: tuple[str, ...], *, parent: str = "group-s1") -> Record:
    mounts = [
        vim.Datastore.HostMount(
            key=ref(vim.HostSystem, host),
            mountInfo=vim.host.MountInfo(mounted=True, accessible=True, accessMode="readWrite"),
        )
        for host in hosts
    ]
    volume = vim.host.VmfsVolume(uuid=uuid, version="5.61", extent=[vim.host.ScsiDisk.Partition(diskName="naa.6001")])
    return record(
        vim.Datastore,
        moref,
        name=name,
        parent=ref(vim.Folder, parent),
        host=mounts,
        info=vim.host.VmfsDatastoreInfo(vmfs=volume),
        summary__accessible=True,
        summary__capacity=100 * GIB,
        summary__freeSpace=40 * GIB,
    )


def disk(key: int, datastore: str, path: str, **backing: Any) -> Any:
    name = backing.pop("name", "old-fc-01")
    kind = backing.pop("kind", vim.vm.device.VirtualDisk.FlatVer2BackingInfo)
    where = ref(vim.Datastore, datastore) if datastore else None
    return vim.vm.device.VirtualDisk(
        key=key,
        deviceInfo=vim.Description(label=f"Hard disk {key - 1999}", summary=""),
        capacityInKB=20 << 20,
        backing=kind(fileName=f"[{name}] {path}", datastore=where, diskMode="persistent", **backing),
    )


def card(key: int, backing: Any, *, connected: bool = True, mac: str = "00:50:56:AA:BB:01") -> Any:
    return vim.vm.device.VirtualVmxnet3(
        key=key,
        deviceInfo=vim.Description(label=f"Network adapter {key - 3999}", summary=""),
        macAddress=mac,
        addressType="assigned",
        controllerKey=100,
        unitNumber=7,
        backing=backing,
        connectable=vim.vm.device.VirtualDevice.ConnectInfo(
            startConnected=connected, connected=False, allowGuestControl=True
        ),
    )


def standard(network: str, name: str) -> Any:
    where = ref(vim.Network, network) if network else None
    return vim.vm.device.VirtualEthernetCard.NetworkBackingInfo(deviceName=name, network=where)


def distributed(key: str) -> Any:
    port = vim.dvs.PortConnection(switchUuid="50 01", portgroupKey=key)
    return vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(port=port)


def machine(moref: str, name: str, **values: Any) -> Record:
    """Return a running VM in folder apps/web, pool production/databases, on host-1 and old-fc-01."""
    usual = {
        "name": name,
        "parent": ref(vim.Folder, "group-v3"),
        "resourcePool": ref(vim.ResourcePool, "resgroup-3"),
        "datastore": [ref(vim.Datastore, "datastore-1")],
        "config.uuid": "564d-1",
        "config.instanceUuid": f"uuid-of-{name}",
        "config.template": False,
        "config.version": "vmx-11",
        "config.annotation": "notes",
        "config.files.vmPathName": f"[old-fc-01] {name}/{name}.vmx",
        "config.extraConfig": [],
        "config.hardware.device": [
            disk(2000, "datastore-1", f"{name}/{name}.vmdk"),
            card(4000, standard("network-1", "VM Network")),
        ],
        "config.hardware.memoryMB": 4096,
        "runtime.powerState": "poweredOn",
        "runtime.connectionState": "connected",
        "runtime.host": ref(vim.HostSystem, "host-1"),
        "guest.toolsRunningStatus": "guestToolsRunning",
        "guest.toolsVersionStatus2": "guestToolsCurrent",
    }
    merged = {**usual, **{key.replace("__", "."): value for key, value in values.items()}}
    return Record(ref(vim.VirtualMachine, moref), {key: value for key, value in merged.items() if value is not None})


def host(moref: str, name: str, **values: Any) -> Record:
    usual: dict[str, Any] = {
        "name": name,
        "parent": ref(vim.ClusterComputeResource, "domain-c1"),
        "runtime__connectionState": "connected",
        "runtime__inMaintenanceMode": False,
        "summary__hardware__memorySize": 256 * GIB,
        "summary__config__product": vim.AboutInfo(version="6.0.0"),
        "network": [ref(vim.Network, "network-1"), ref(vim.dvs.DistributedVirtualPortgroup, "dvportgroup-9")],
    }
    return record(vim.HostSystem, moref, **{**usual, **values})


def site(*more: Record, tasks: tuple[Record, ...] = ()) -> Snapshot:
    """Return a site with one datacenter, one cluster with one host, pools, folders, a datastore and networks; and more."""
    cluster = ref(vim.ClusterComputeResource, "domain-c1")
    uplinks = [vim.Tag(key="SYSTEM/DVS.UPLINKPG")]
    usual = (
        record(
            vim.Datacenter, "datacenter-1", name="tokyo6", parent=ref(vim.Folder, "group-d1"),
            vmFolder=ref(vim.Folder, "group-v1"),
        ),
        record(vim.Folder, "group-v1", name="vm", parent=ref(vim.Datacenter, "datacenter-1")),
        record(vim.Folder, "group-v2", name="apps", parent=ref(vim.Folder, "group-v1")),
        record(vim.Folder, "group-v3", name="web%2fshop", parent=ref(vim.Folder, "group-v2")),
        record(vim.Folder, "group-h1", name="host", parent=ref(vim.Datacenter, "datacenter-1")),
        record(vim.Folder, "group-s1", name="datastore", parent=ref(vim.Datacenter, "datacenter-1")),
        record(vim.Folder, "group-n1", name="network", parent=ref(vim.Datacenter, "datacenter-1")),
        record(
            vim.ClusterComputeResource, "domain-c1", name="prod6", parent=ref(vim.Folder, "group-h1"),
            resourcePool=ref(vim.ResourcePool, "resgroup-1"),
        ),
        record(vim.ResourcePool, "resgroup-1", name="Resources", parent=cluster, owner=cluster),
        record(vim.ResourcePool, "resgroup-2", name="production", parent=ref(vim.ResourcePool, "resgroup-1"), owner=cluster),
        record(vim.ResourcePool, "resgroup-3", name="databases", parent=ref(vim.ResourcePool, "resgroup-2"), owner=cluster),
        host("host-1", "esx60-1.lab"),
        vmfs("datastore-1", "old-fc-01", "5678-ab", ("host-1",)),
        record(vim.Network, "network-1", name="VM Network", parent=ref(vim.Folder, "group-n1"), tag=[]),
        record(
            vim.dvs.DistributedVirtualPortgroup, "dvportgroup-8", name="pg-prod", key="dvportgroup-8",
            parent=ref(vim.Folder, "group-n1"), config__distributedVirtualSwitch=ref(vim.DistributedVirtualSwitch, "dvs-7"),
        ),
        record(
            vim.dvs.DistributedVirtualPortgroup, "dvportgroup-9", name="dvs-DVUplinks", key="dvportgroup-9", tag=uplinks,
            parent=ref(vim.Folder, "group-n1"), config__distributedVirtualSwitch=ref(vim.DistributedVirtualSwitch, "dvs-7"),
        ),
        record(vim.DistributedVirtualSwitch, "dvs-7", name="dvs", uuid="50 01", parent=ref(vim.Folder, "group-n1")),
    )  # fmt: skip
    return Snapshot(
        {one.moref: one for one in (*usual, *more)}, {one.moref: one for one in tasks}, {101: "owner", 102: "empty"}, 1
    )

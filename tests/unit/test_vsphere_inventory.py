from __future__ import annotations

from typing import Any

import pytest
from pyVmomi import vim

from migration.model import File, InFlight, Papers, Power, Tools, Vm
from migration.wanted import Identity
from tests.unit import vsphere_objects as raw
from vsphere.inventory import Inventory, in_flight
from vsphere.snapshot import Record

PAPERS = Papers(
    leaving="source", transit=True, power=Power.ON, template=False, datacenter="", cluster="", folder="", pool="",
    host="", nics={}, disks={}, attributes={},
)  # fmt: skip


def inventory(*more: Record) -> Inventory:
    return Inventory("source", "vc60", raw.site(*more))


def seen(**values: Any) -> Vm:
    site = inventory(raw.machine("vm-1", "app01", **values))
    (found,) = site.matching(Identity("app01"))
    return site.vm(found)


def test_where_a_vm_is() -> None:
    vm = seen()
    assert (vm.datacenter, vm.cluster, vm.host) == ("tokyo6", "prod6", "esx60-1.lab")
    assert vm.folder == "apps/web%2fshop"  # a slash in a name is no separator
    assert vm.pool == "production/databases"
    assert vm.vmx == File("vmfs:5678-ab", "app01/app01.vmx")


def test_what_a_vm_is() -> None:
    vm = seen(customValue=[vim.CustomFieldsManager.StringValue(key=101, value="sato")])
    assert (vm.power, vm.tools, vm.hardware, vm.memory, vm.notes) == (Power.ON, Tools.RUNNING, 11, 4.0, "notes")
    assert vm.attributes == {"owner": "sato"}
    assert vm.reachable
    assert not vm.template


def test_an_attribute_that_was_cleared_is_not_there() -> None:
    assert seen(customValue=[vim.CustomFieldsManager.StringValue(key=102, value="")]).attributes == {}


def test_a_template_has_no_pool_and_yet_a_cluster() -> None:
    vm = seen(config__template=True, resourcePool=None, runtime__powerState="poweredOff")
    assert (vm.template, vm.pool, vm.cluster) == (True, "", "prod6")


def test_papers_are_read_from_extra_config() -> None:
    option = vim.option.OptionValue(key="esxodus.papers", value=PAPERS.dumps())
    other = vim.option.OptionValue(key="guestinfo.role", value="builder")
    assert seen(config__extraConfig=[other, option]).papers == PAPERS
    assert seen(config__extraConfig=[other]).papers is None


def test_disks_with_what_is_written_over_a_snapshot_chain() -> None:
    files = [vim.vm.FileLayoutEx.FileInfo(key=key, name="", type="diskExtent", size=2 << 30) for key in (1, 2, 3)]
    unit: Any = vim.vm.FileLayoutEx.DiskUnit
    layout = vim.vm.FileLayoutEx.DiskLayout(key=2000, chain=[unit(fileKey=[1, 2]), unit(fileKey=[3])])
    (disk,) = seen(layoutEx__disk=[layout], layoutEx__file=files).disks
    assert (disk.key, disk.label, disk.capacity, disk.written) == (2000, "Hard disk 1", 20.0, 6.0)
    assert disk.file == File("vmfs:5678-ab", "app01/app01.vmdk")


@pytest.mark.parametrize(("mode", "rdm"), [("physicalMode", "physical"), ("virtualMode", "virtual")])
def test_raw_device_mappings(mode: str, rdm: str) -> None:
    kind = vim.vm.device.VirtualDisk.RawDiskMappingVer1BackingInfo
    device = raw.disk(2000, "datastore-1", "app01/app01.vmdk", kind=kind, compatibilityMode=mode)
    (disk,) = seen(config__hardware__device=[device]).disks
    assert disk.rdm == rdm


@pytest.mark.parametrize(
    ("backing", "network"),
    [
        (raw.standard("network-1", "VM Network"), "VM Network"),
        (raw.standard("", "Old Network"), "Old Network"),  # after a move only the old site's name is left
        (raw.distributed("dvportgroup-8"), "pg-prod"),
        (raw.distributed("dvportgroup-404"), "unknown port group 50 01/dvportgroup-404"),
        (
            vim.vm.device.VirtualEthernetCard.OpaqueNetworkBackingInfo(opaqueNetworkId="seg", opaqueNetworkType="nsx"),
            "seg",
        ),
        (None, ""),
    ],
)
def test_the_network_of_a_card(backing: Any, network: str) -> None:
    (nic,) = seen(config__hardware__device=[raw.card(4000, backing, connected=False)]).nics
    assert (nic.key, nic.network, nic.connected, nic.mac) == (4000, network, False, "00:50:56:aa:bb:01")


@pytest.mark.parametrize(
    ("running", "version", "tools"),
    [
        ("guestToolsRunning", "guestToolsCurrent", Tools.RUNNING),
        ("guestToolsNotRunning", "guestToolsCurrent", Tools.NOT_RUNNING),
        ("guestToolsExecutingScripts", "guestToolsUnmanaged", Tools.NOT_RUNNING),
        ("guestToolsNotRunning", "guestToolsNotInstalled", Tools.NOT_INSTALLED),
        (None, None, Tools.NOT_RUNNING),
    ],
)
def test_tools(running: str | None, version: str | None, tools: Tools) -> None:
    assert seen(guest__toolsRunningStatus=running, guest__toolsVersionStatus2=version).tools is tools


def test_a_question_with_its_choices() -> None:
    choices = [
        vim.ElementDescription(key="0", label="button.uuid.cancel", summary=""),
        vim.ElementDescription(key="1", label="button.uuid.movedTheVM", summary=""),
    ]
    raised = vim.vm.QuestionInfo(
        id="7",
        text="msg.uuid.altered:This virtual machine may have been moved or copied.",
        choice=vim.option.ChoiceOption(choiceInfo=choices),
        message=[vim.vm.Message(id="msg.uuid.altered", text="x")],
    )
    question = seen(runtime__question=raised).question
    assert question is not None
    assert (question.id, question.message_ids) == ("7", ("msg.uuid.altered",))
    assert question.choices == {"0": "button.uuid.cancel", "1": "button.uuid.movedTheVM"}


def test_snapshots_are_counted_through_the_tree() -> None:
    tree = vim.vm.SnapshotTree(
        name="a", childSnapshotList=[vim.vm.SnapshotTree(name="b"), vim.vm.SnapshotTree(name="c")]
    )
    assert seen(snapshot=vim.vm.SnapshotInfo(rootSnapshotList=[tree])).snapshots == 3


@pytest.mark.parametrize("state", ["orphaned", "inaccessible", "invalid", "disconnected"])
def test_a_vm_that_its_vcenter_cannot_reach(state: str) -> None:
    assert not seen(runtime__connectionState=state).reachable


def test_a_vm_without_configuration_is_still_a_vm() -> None:
    gone = {"config__uuid", "config__instanceUuid", "config__files__vmPathName", "config__hardware__device"}
    vm = seen(**dict.fromkeys(gone))
    assert (vm.name, vm.vmx, vm.disks, vm.reachable) == ("app01", File("", ""), (), False)
    assert inventory(raw.machine("vm-1", "app01", **dict.fromkeys(gone))).unreadable


def test_a_vm_that_cannot_be_read_is_still_known_by_uuid_and_file() -> None:
    gone = {"config__instanceUuid", "config__files__vmPathName"}
    summary = {"summary__config__instanceUuid": "uuid-9", "summary__config__vmPathName": "[old-fc-01] app01/app01.vmx"}
    site = inventory(
        raw.machine("vm-1", "app01", runtime__connectionState="inaccessible", **dict.fromkeys(gone), **summary)
    )
    (found,) = site.matching(Identity("x", "uuid-9"))
    vm = site.vm(found)
    assert (vm.vmx, vm.reachable) == (File("vmfs:5678-ab", "app01/app01.vmx"), False)
    assert site.registered == {vm.vmx}
    assert site.unreadable == ()


@pytest.mark.parametrize("before", ["", "[] "])
def test_a_vm_whose_datastore_is_gone_still_owns_its_file(before: str) -> None:
    path = f"{before}/vmfs/volumes/5678-ab/app01/app01.vmx"
    site = inventory(raw.machine("vm-1", "app01", config__files__vmPathName=path))
    assert site.registered == {File("vmfs:5678-ab", "app01/app01.vmx")}
    assert site.vm(site.matching(Identity("app01"))[0]).vmx in site.registered


def test_a_volume_is_the_same_at_every_site_whatever_its_name() -> None:
    here = inventory()
    there = Inventory("target", "vc70", raw.site(raw.vmfs("datastore-1", "old-fc-01 (1)", "5678-ab", ("host-1",))))
    assert here.view.volume_id("old-fc-01") == there.view.volume_id("old-fc-01 (1)") == "vmfs:5678-ab"


def test_nfs_and_unknown_volumes() -> None:
    nas = vim.host.NasDatastoreInfo(nas=vim.host.NasVolume(remoteHost="nfs7", remotePath="/export/a"))
    site = inventory(
        raw.record(vim.Datastore, "datastore-2", name="nfs7", info=nas, summary__accessible=True),
        raw.record(
            vim.Datastore, "datastore-3", name="local", info=vim.host.LocalDatastoreInfo(), summary__accessible=True
        ),
        raw.record(vim.Datastore, "datastore-4", name="dead", info=nas, summary__accessible=False),
    )
    assert site.view.volume_id("nfs7") == "nfs:nfs7:/export/a"
    assert site.view.volume_id("local") == "source:datastore-3"
    assert site.view.volume_id("dead") is None


def test_hosts_with_load_networks_and_volumes() -> None:
    (host,) = inventory(
        raw.machine("vm-1", "app01"), raw.machine("vm-2", "off01", runtime__powerState="poweredOff")
    ).view.hosts
    assert (host.name, host.cluster, host.vms, host.free_memory) == ("esx60-1.lab", "prod6", 2, 252.0)
    assert host.usable
    assert host.networks == {"VM Network"}  # uplinks are no network
    assert host.volumes == {"vmfs:5678-ab"}


def test_a_host_in_maintenance_or_away_is_not_usable() -> None:
    site = inventory(
        raw.host("host-2", "b", runtime__inMaintenanceMode=True),
        raw.host("host-3", "c", runtime__connectionState="notResponding"),
    )
    assert [host.usable for host in site.view.hosts] == [False, False, True]


def test_the_site() -> None:
    view = inventory().view
    assert view.networks == {"VM Network", "pg-prod"}
    assert [host.hardware for host in view.hosts] == [11]
    assert [(volume.name, volume.free, volume.capacity) for volume in view.volumes] == [("old-fc-01", 40.0, 100.0)]


@pytest.mark.parametrize(
    ("version", "hardware"), [("7.0.3", 19), ("7.0.0", 17), ("6.7.0", 14), ("6.5.0", 13), ("4.1.0", 0)]
)
def test_each_host_has_its_hardware(version: str, hardware: int) -> None:
    newer = raw.host("host-2", "b", summary__config__product=vim.AboutInfo(version="8.0.2"))
    first = raw.host("host-1", "a", summary__config__product=vim.AboutInfo(version=version))
    assert [host.hardware for host in inventory(newer, first).view.hosts] == [hardware, 21]


def test_a_vm_is_known_by_its_instance_uuid_first_and_by_name_only_without() -> None:
    site = inventory(raw.machine("vm-1", "app01"), raw.machine("vm-2", "renamed", config__instanceUuid="UUID-2"))
    assert [one.moref for one in site.matching(Identity("app01", "uuid-2"))] == ["vm-2"]
    assert site.matching(Identity("app01", "uuid-3")) == []
    assert [one.moref for one in site.matching(Identity("app01"))] == ["vm-1"]


def test_two_vms_of_one_name_are_two() -> None:
    site = inventory(raw.machine("vm-1", "app01"), raw.machine("vm-2", "app01", parent=raw.ref(vim.Folder, "group-v1")))
    assert len(site.matching(Identity("app01"))) == 2


def task(key: str, state: str, entity: str = "vm-1") -> Record:
    return raw.record(
        vim.Task,
        key,
        info__key=key,
        info__state=state,
        info__entity=raw.ref(vim.VirtualMachine, entity),
        info__descriptionId="VirtualMachine.relocate",
        info__progress=30,
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (task("task-1", "running"), InFlight("task-1", "VirtualMachine.relocate", 30)),
        (task("task-1", "queued"), InFlight("task-1", "VirtualMachine.relocate", 30)),
        (task("task-1", "success"), None),
        (task("task-1", "error"), None),
        (task("task-1", "running", "vm-2"), None),
        (task("task-ours", "running"), None),
    ],
)
def test_a_task_of_somebody_elses(found: Record, expected: InFlight | None) -> None:
    assert in_flight(raw.site(tasks=(found,)), "vm-1", {"task-ours"}) == expected


@pytest.mark.parametrize(
    ("host", "vm", "needs"),
    [
        ({}, {"runtime__minRequiredEVCModeKey": "intel-ivybridge"}, "intel-ivybridge"),
        ({"summary__currentEVCModeKey": "intel-ivybridge"}, {}, ""),
        ({}, {}, "intel-haswell"),
        ({}, {"runtime__powerState": "suspended"}, "intel-haswell"),
        ({}, {"runtime__powerState": "poweredOff"}, ""),
    ],
    ids=["as the API says", "in EVC and not said", "in no EVC", "suspended in no EVC", "off"],
)
def test_what_a_vm_needs_of_a_cpu(host: dict[str, str], vm: dict[str, str], needs: str) -> None:
    hosts = raw.host("host-1", "esx60-1.lab", summary__maxEVCModeKey="intel-haswell", **host)
    found = Inventory("source", "vc60", raw.site(hosts, raw.machine("vm-1", "app01", **vm)))
    (record,) = found.matching(Identity("app01"))
    assert found.vm(record).evc == needs

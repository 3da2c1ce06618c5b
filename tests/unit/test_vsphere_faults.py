from __future__ import annotations

import http.client
from xml.parsers.expat import ExpatError

import pytest
from pyVmomi import vim, vmodl

from migration import errors
from migration.errors import Blocked, Busy, MigrationError, Refused, SessionLost, Stale, Unexpected, Unreachable
from migration.model import Power
from vsphere import faults, meanings
from vsphere.tls import Endpoint

HERE = Endpoint("source", "vc60.example:8443", "svc-migrate", "secret", thumbprint="AA" * 20)


def test_a_place_for_a_name_that_is_empty_is_left_out() -> None:
    fault = vim.fault.NoDiskSpace(file="", datastore="", msg="Insufficient disk space on datastore ''.")
    assert faults.reasons(fault) == "Insufficient disk space"
    named = vim.fault.NoDiskSpace(file="a.vmdk", datastore="gold7", msg="Insufficient disk space on datastore 'gold7'.")
    assert faults.reasons(named) == "Insufficient disk space on datastore 'gold7': no space on gold7 for a.vmdk"
    assert faults.reasons(vim.fault.FileFault(file="")) == "no reason given"
    assert faults.reasons(vim.fault.CannotUseNetwork(device="Network adapter 1", backing="")) == "Network adapter 1"


def translated(fault: BaseException) -> MigrationError:
    return faults.translated(fault, HERE, "app01: power on", "app01")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (vim.fault.TaskInProgress(), Busy),
        (vim.fault.ConcurrentAccess(), Busy),
        (vmodl.fault.RequestCanceled(), Busy),
        (vmodl.fault.ManagedObjectNotFound(), Stale),
        (vim.fault.NotAuthenticated(), SessionLost),
        (vim.fault.InvalidLogin(), Refused),
        (vim.fault.NoPermission(privilegeId="VirtualMachine.Inventory.Unregister"), Refused),
        (vim.fault.InvalidPowerState(existingState="poweredOn", requestedState="poweredOff"), Stale),
        (vim.fault.FileLocked(file="app01.vmdk"), Blocked),
        (vim.fault.InsufficientCpuResourcesFault(), Blocked),
        (vim.fault.InsufficientFailoverResourcesFault(), Blocked),
        (vim.fault.NoDiskSpace(file="app01.vmdk", datastore="gold7-01"), Blocked),
        (vim.fault.DuplicateName(name="app01"), Blocked),
        (vim.fault.AlreadyExists(name="app01"), Stale),
        (vim.fault.ToolsUnavailable(), Blocked),
        (vim.fault.VirtualHardwareVersionNotSupported(), Blocked),
        (vim.fault.EVCModeUnsupportedByHosts(), Blocked),
        (vim.fault.EVCModeIllegalByVendor(clusterCPUVendor="intel", modeCPUVendor="amd"), Blocked),
        (vim.fault.ActiveVMsBlockingEVC(evcMode="intel-haswell"), Blocked),
        (vim.fault.DisconnectedHostsBlockingEVC(), Blocked),
        (vim.fault.EVCUnsupportedByHostHardware(), Blocked),
        (vim.fault.EVCAdmissionFailedCPUModelForMode(currentEVCModeKey="intel-haswell"), Blocked),
        (vmodl.fault.NotSupported(), Blocked),
        (vim.fault.DeviceNotSupported(), Blocked),
        (vmodl.fault.HostNotConnected(), Blocked),
        (vmodl.fault.HostNotReachable(), Unreachable),
        (ConnectionResetError(104, "Connection reset by peer"), Unreachable),
        (TimeoutError("timed out"), Unreachable),
        (http.client.HTTPException("503 Service Unavailable"), Unreachable),
        (http.client.RemoteDisconnected("closed"), Unreachable),
        (ExpatError("no element found"), Unreachable),
        (vmodl.fault.SystemError(reason="vpxd"), Unexpected),
        (vim.fault.VimFault(), Unexpected),
        (vim.fault.CpuIncompatible1ECX(level=1, registerName="ecx"), Blocked),
        (vim.fault.FeatureRequirementsNotMet(), Blocked),
        (vim.fault.VMotionNotConfigured(), Blocked),
        (vim.fault.VMotionLinkDown(), Blocked),
        (vim.fault.VMOnVirtualIntranet(device="Network adapter 1", backing="internal"), Blocked),
        (vim.fault.CannotUseNetwork(device="Network adapter 1", backing="pg-prod"), Blocked),
        (vim.fault.SuspendedRelocateNotSupported(), Blocked),
        (vim.fault.SnapshotMoveNotSupported(), Blocked),
        (vim.fault.MigrationNotReady(reason="busy"), Busy),
        (vim.fault.MismatchedNetworkPolicies(), Blocked),
        (vim.fault.UserNotFound(principal="LAB\\nobody", unresolved=True), Blocked),
    ],
    ids=lambda value: getattr(type(value), "__name__", ""),
)
def test_each_fault_says_what_may_be_done_about_it(fault: BaseException, error: type[MigrationError]) -> None:
    found = translated(fault)
    assert type(found) is error
    assert "app01: power on" in str(found)
    assert "vc60.example" in str(found)
    assert "secret" not in str(found)


def test_a_blocking_fault_carries_a_concern_with_id_and_remedy() -> None:
    found = translated(vim.fault.DuplicateName(name="app01", msg="The name 'app01' already exists."))
    assert isinstance(found, Blocked)
    (concern,) = found.concerns
    assert concern.id == "fault.duplicate-name"
    assert concern.subject == "app01"
    assert "already exists" in concern.sentence
    assert "rename" in concern.remedy


def test_a_missing_privilege_is_named() -> None:
    found = translated(vim.fault.NoPermission(privilegeId="Resource.ColdMigrate", msg="Permission denied."))
    assert "Resource.ColdMigrate" in str(found)
    assert "svc-migrate" in str(found)


def test_nested_reasons_are_told_once_each() -> None:
    fault = vim.fault.GenericVmConfigFault(
        reason="Module 'Disk' power on failed.",
        msg="Module 'Disk' power on failed.",
        faultMessage=[
            vmodl.LocalizableMessage(key="msg.fileio.lock", message="Failed to lock the file"),
            vmodl.LocalizableMessage(key="msg.disk", message="Cannot open the disk '/vmfs/volumes/x/app01.vmdk'."),
        ],
        faultCause=vim.fault.FileLocked(file="app01.vmdk", msg="Unable to access a file since it is locked"),
    )
    text = faults.reasons(fault)
    assert text.count("Module 'Disk' power on failed") == 1
    for part in ("Failed to lock the file", "Cannot open the disk", "since it is locked"):
        assert part in text


def test_an_unknown_fault_keeps_its_name() -> None:
    found = translated(vim.fault.VimFault(msg="odd"))
    assert isinstance(found, Unexpected)
    assert "VimFault" in str(found)
    assert "odd" in str(found)


def test_one_of_ours_passes_through() -> None:
    ours = errors.Paused("stopped")
    assert translated(ours) is ours


@pytest.mark.parametrize("requested", ["poweredOff", "poweredOn"])
def test_already_in_the_wanted_state_is_success_whatever_the_server_calls_requested(requested: str) -> None:
    fault = vim.fault.InvalidPowerState(existingState="poweredOff", requestedState=requested)
    assert faults.already(fault, Power.OFF)
    assert not faults.already(fault, Power.ON)
    assert not faults.already(vim.fault.InvalidState(), Power.OFF)
    assert not faults.already(None, Power.OFF)


def test_every_name_in_the_table_is_a_fault_of_the_api() -> None:
    known = {"InvalidCollectorVersion": vmodl.query.InvalidCollectorVersion}
    for name in {**meanings.MEANINGS, **meanings.AT_THE_OTHER}:
        found = known.get(name) or getattr(vim.fault, name, None) or getattr(vmodl.fault, name, None)
        assert isinstance(found, type), name
        assert issubclass(found, vmodl.MethodFault), name


OTHER = Endpoint("target", "vc70.example", "svc-arrive", "hidden-word", thumbprint="BB" * 20)


@pytest.mark.parametrize(
    ("fault", "error", "way_out"),
    [
        (vim.fault.InvalidLogin(), Refused, "the user name or the password of that vCenter"),
        (vim.fault.SSLVerifyFault(selfSigned=True, thumbprint="CC:DD"), Refused, "CC:DD"),
        (vim.fault.NoPermission(privilegeId="Resource.ColdMigrate"), Refused, "both vCenters"),
        (vim.fault.NoHost(name="vc70.example"), Blocked, "the way between the two vCenters"),
    ],
    ids=lambda value: getattr(type(value), "__name__", ""),
)
def test_what_one_vcenter_is_told_by_the_other_names_the_other(
    fault: vmodl.MethodFault, error: type[MigrationError], way_out: str
) -> None:
    found = faults.translated(fault, HERE, "app01: cross vCenter vMotion", "app01", OTHER)
    assert type(found) is error
    assert "log in to target vCenter vc70.example as svc-arrive" in str(found)
    assert way_out in str(found)
    assert "hidden-word" not in str(found)


def test_the_same_faults_of_a_task_without_another_vcenter_are_about_ours() -> None:
    assert "svc-migrate" in str(translated(vim.fault.InvalidLogin()))
    assert "vc70" not in str(translated(vim.fault.InvalidLogin()))


@pytest.mark.parametrize("fault", [vim.fault.TaskInProgress(), vim.fault.FileLocked(file="app01.vmdk")])
def test_other_faults_of_a_crossing_mean_what_they_always_mean(fault: vmodl.MethodFault) -> None:
    crossing = faults.translated(fault, HERE, "app01: move", "app01", OTHER)
    assert str(crossing) == str(faults.translated(fault, HERE, "app01: move", "app01"))


@pytest.mark.parametrize(
    ("fault", "way_out"),
    [
        (vim.fault.CpuIncompatible(level=1, registerName="ecx"), "target.cluster.evc"),
        (vim.fault.VMotionNotConfigured(), "enable vMotion"),
        (vim.fault.CannotUseNetwork(device="Network adapter 1", backing="pg-prod"), "esxodus:networkMap"),
        (vim.fault.SnapshotMoveNotSupported(), "snapshots"),
        (vim.fault.GenericVmConfigFault(reason="MAC address conflict"), "an address that another VM has"),
    ],
    ids=lambda value: getattr(type(value), "__name__", ""),
)
def test_a_move_that_is_refused_says_the_way_out(fault: vmodl.MethodFault, way_out: str) -> None:
    found = translated(fault)
    assert isinstance(found, Blocked)
    assert way_out in found.concerns[0].remedy


@pytest.mark.parametrize(
    ("fault", "said", "way_out"),
    [
        (
            vim.fault.EVCModeIllegalByVendor(clusterCPUVendor="intel", modeCPUVendor="amd"),
            "for amd processors",
            "CPU vendor",
        ),
        (vim.fault.EVCModeUnsupportedByHosts(evcMode="x", hostName=["esx71", "esx72"]), "on esx71, esx72", "a BIOS"),
        (vim.fault.ActiveVMsBlockingEVC(evcMode="x", hostName=["esx71"]), "on esx71", "power off"),
        (vim.fault.DisconnectedHostsBlockingEVC(), "no reason given", "connect every host"),
        (vim.fault.EVCAdmissionFailedVmActive(), "no reason given", "esxodus:target.cluster.evc"),
    ],
    ids=lambda value: getattr(type(value), "__name__", ""),
)
def test_evc_that_is_refused_names_the_hosts_and_the_way_out(fault: vmodl.MethodFault, said: str, way_out: str) -> None:
    found = translated(fault)
    assert isinstance(found, Blocked)
    assert said in found.concerns[0].sentence
    assert way_out in found.concerns[0].remedy

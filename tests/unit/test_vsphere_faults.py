from __future__ import annotations

import http.client
from xml.parsers.expat import ExpatError

import pytest
from pyVmomi import vim, vmodl

from migration import errors
from migration.errors import Blocked, Busy, MigrationError, Refused, SessionLost, Stale, Unexpected, Unreachable
from migration.model import Power
from vsphere import faults
from vsphere.tls import Endpoint

HERE = Endpoint("source", "vc60.example:8443", "svc-migrate", "secret", thumbprint="AA" * 20)


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
    for name in faults.MEANINGS:
        found = known.get(name) or getattr(vim.fault, name, None) or getattr(vmodl.fault, name, None)
        assert isinstance(found, type), name
        assert issubclass(found, vmodl.MethodFault), name

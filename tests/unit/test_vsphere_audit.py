from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyVmomi import SoapAdapter, vim, vmodl

from tests.unit.vsphere_objects import ref
from vsphere import audit, soap
from vsphere.tls import Endpoint

HERE = Endpoint("source", "vc60.example", "svc-migrate", "hidden-word", thumbprint="AA" * 20)


def test_a_write_with_time_site_object_and_how_it_ended() -> None:
    with audit.recording() as entries, audit.writing("source", "UnregisterVM", "app01"):
        assert [entry.ended for entry in entries] == ["sent"], "it is there before the answer is"
    (entry,) = entries
    assert (entry.site, entry.method, entry.object, entry.task, entry.ended) == (
        "source", "UnregisterVM", "app01", "", "ok",
    )  # fmt: skip
    assert abs(entry.time - datetime.now(UTC)) < timedelta(minutes=1)
    assert entry.plain()["time"].endswith("Z")


def test_a_fault_is_named_and_passed_on() -> None:
    with audit.recording() as entries, pytest.raises(vim.fault.InvalidState), audit.writing("source", "M", "app01"):
        raise vim.fault.InvalidState
    assert [entry.ended for entry in entries] == ["InvalidState"]


def test_a_task_ends_when_it_is_seen_to_end_and_only_its_own_entry_changes() -> None:
    with audit.recording() as entries:
        for task in ("task-1", "task-2"):
            with audit.writing("source", "RelocateVM_Task", task) as started:
                started(task)
        audit.ended("target", "task-1", "ok")
        assert [entry.ended for entry in entries] == ["started", "started"]
        audit.ended("source", "task-2", "NoDiskSpace")
    assert [(entry.task, entry.ended) for entry in entries] == [("task-1", "started"), ("task-2", "NoDiskSpace")]


def test_each_thread_records_its_own_and_nested_recordings_both_hear() -> None:
    def elsewhere() -> None:
        with audit.writing("source", "PowerOffVM_Task", "other"):
            pass

    with audit.recording() as outer:
        with audit.writing("source", "A", "app01"):
            pass
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        with audit.recording() as inner, audit.writing("source", "B", "app01") as started:
            started("task-3")
        audit.ended("source", "task-3", "ok")
    assert [entry.method for entry in outer] == ["A", "B"]
    assert outer[1].ended == "ok"
    assert [entry.method for entry in inner] == ["B"]
    elsewhere()
    assert len(outer) == 2


class Wire:
    """What stands behind pyVmomi's client: answers, and says what was called."""

    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.called: list[str] = []

    def __call__(self, thing: Any, info: Any, arguments: Any, *more: Any) -> object:
        del thing, arguments, more
        self.called.append(info.wsdlName)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def client(monkeypatch: pytest.MonkeyPatch, wire: Wire) -> Any:
    monkeypatch.setattr(SoapAdapter.SoapStubAdapter, "InvokeMethod", lambda _, *arguments: wire(*arguments))
    return soap.client(HERE, "vim.version.version10", 1.0, {"vm-1": "app01"}.get)  # type: ignore[arg-type]


def test_whatever_calls_through_the_client_is_recorded_without_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(ref(vim.Task, "task-9"))
    stub = client(monkeypatch, wire)
    spec = vim.vm.RelocateSpec(
        service=vim.ServiceLocator(
            instanceUuid="1",
            url="https://vc70",
            credential=vim.ServiceLocator.NamePassword(username="u", password="pw"),
        )
    )
    with audit.recording() as entries:
        vim.VirtualMachine("vm-1", stub).Relocate(spec, None)
    (entry,) = entries
    assert (entry.method, entry.object, entry.task, entry.ended) == ("RelocateVM_Task", "app01", "task-9", "started")
    assert "pw" not in str(entry) + repr(entry)


def test_reads_are_not_recorded_and_what_is_unknown_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = client(monkeypatch, Wire())
    with audit.recording() as entries:
        vim.ServiceInstance("ServiceInstance", stub).RetrieveContent()
        vim.Datastore("datastore-1", stub).Refresh()
        vim.VirtualMachine("vm-2", stub).ShutdownGuest()
    assert [(entry.method, entry.object) for entry in entries] == [("ShutdownGuest", "vm-2")]


def test_a_service_acts_on_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = client(monkeypatch, Wire())
    with audit.recording() as entries:
        vm = vim.VirtualMachine("vm-1", stub)
        vim.AuthorizationManager("AuthorizationManager", stub).SetEntityPermissions(vm, [])
        vim.CustomFieldsManager("CustomFieldsManager", stub).AddFieldDefinition("owner", None, None, None)
    assert [entry.object for entry in entries] == ["app01", "CustomFieldsManager"]


def test_what_was_just_made_has_its_name_and_what_is_registered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(ref(vim.Folder, "group-44"))
    stub = client(monkeypatch, wire)
    with audit.recording() as entries:
        vim.Folder("group-1", stub).CreateFolder("a%2fb")
        vim.Folder("group-44", stub).CreateFolder("below")
        wire.answer = ref(vim.Task, "task-9")
        host, pool = vim.HostSystem("host-1", stub), vim.ResourcePool("resgroup-1", stub)
        vim.Folder("group-44", stub).RegisterVm("[ds] app02/app02.vmx", "app%2502", False, pool, host)
    assert [(entry.method, entry.object) for entry in entries] == [
        ("CreateFolder", "group-1"),
        ("CreateFolder", "a/b"),
        ("RegisterVM_Task", "app%02"),
    ]


def test_a_call_that_fails_is_recorded_with_its_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = client(monkeypatch, Wire(vim.fault.TaskInProgress()))
    with audit.recording() as entries, pytest.raises(vim.fault.TaskInProgress):
        vim.VirtualMachine("vm-1", stub).PowerOff()
    assert [entry.ended for entry in entries] == ["TaskInProgress"]


def test_only_methods_that_the_api_has_are_called_reads() -> None:
    kinds = (
        vim.ServiceInstance, vim.SessionManager, vim.view.ViewManager, vim.view.ContainerView, vim.Datastore,
        vim.SearchIndex, vim.host.DatastoreBrowser, vim.host.StorageSystem, vim.host.DatastoreSystem,
        vim.AuthorizationManager, vim.ClusterComputeResource, vim.cluster.EVCManager, vim.option.OptionManager,
        vim.host.DateTimeSystem, vim.LicenseAssignmentManager, vim.Datacenter, vmodl.query.PropertyCollector,
    )  # fmt: skip
    attributes = (getattr(kind, name) for kind in kinds for name in dir(kind))
    known = {str(one.info.wsdlName) for one in attributes if hasattr(one, "info")}
    assert audit.READS - known == {"Fetch"}, "which every object has, for reading a property by itself"

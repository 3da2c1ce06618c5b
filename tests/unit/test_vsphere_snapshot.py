from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pyVmomi import vim

from tests.unit import vsphere_objects as raw
from vsphere.snapshot import Snapshot


def update(kind: str, obj: Any, **values: Any) -> Any:
    changes = [
        SimpleNamespace(name=name.replace("__", "."), op="remove" if value is None else "assign", val=value)
        for name, value in values.items()
    ]
    return SimpleNamespace(kind=kind, obj=obj, changeSet=changes)


VM: Any = raw.ref(vim.VirtualMachine, "vm-1")
TASK: Any = raw.ref(vim.Task, "task-1")


def test_an_object_comes_changes_and_goes() -> None:
    first = Snapshot().updated([update("enter", VM, name="app01", runtime__powerState="poweredOn")])
    second = first.updated([update("modify", VM, runtime__powerState="poweredOff")])
    third = second.updated([update("leave", VM)])
    assert first.inventory["vm-1"].values == {"name": "app01", "runtime.powerState": "poweredOn"}
    assert second.inventory["vm-1"].values == {"name": "app01", "runtime.powerState": "poweredOff"}
    assert third.inventory == {}
    assert first.edition < second.edition < third.edition


def test_a_property_that_is_removed_is_unset() -> None:
    asked = Snapshot().updated([update("enter", VM, name="app01", runtime__question="?")])
    assert (
        asked.updated([update("modify", VM, runtime__question=None)]).inventory["vm-1"].get("runtime.question") is None
    )


def test_an_object_that_enters_again_is_not_mixed_with_what_it_was() -> None:
    before = Snapshot().updated([update("enter", VM, name="app01", snapshot="s")])
    assert before.updated([update("enter", VM, name="app01")]).inventory["vm-1"].values == {"name": "app01"}


def test_tasks_do_not_change_the_inventory() -> None:
    before = Snapshot().updated([update("enter", VM, name="app01")])
    after = before.updated([update("enter", TASK, info__state="running"), update("modify", TASK, info__progress=5)])
    assert after.edition == before.edition
    assert after.tasks["task-1"].values == {"info.state": "running", "info.progress": 5}
    assert after.updated([update("leave", TASK)]).tasks == {}


def test_definitions_of_custom_attributes() -> None:
    manager: Any = raw.ref(vim.CustomFieldsManager, "CustomFieldsManager")
    definition = vim.CustomFieldsManager.FieldDef(key=101, name="owner", type=str)
    snapshot = Snapshot().updated([update("enter", manager, field=[definition])])
    assert snapshot.fields == {101: "owner"}
    known = update("enter", VM, customValue=[vim.CustomFieldsManager.StringValue(key=101, value="sato")])
    new = update("enter", VM, customValue=[vim.CustomFieldsManager.StringValue(key=102, value="4711")])
    assert not snapshot.updated([known]).unnamed([known])
    assert snapshot.updated([new]).unnamed([new])


def test_an_object_read_on_its_own() -> None:
    before = Snapshot().updated([update("enter", VM, name="app01")])
    now = raw.record(vim.VirtualMachine, "vm-1", name="app01", snapshot="s")
    assert before.reread(now, "vm-1").inventory["vm-1"].get("snapshot") == "s"
    assert before.reread(None, "vm-1").inventory == {}

"""What is asked of a site once, or now and then: locks on VMs and what only looks like one, tags that were attached."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, cast

import pytest
from pyVmomi import VmomiSupport, vim

from migration.metadata import Tag
from migration.wanted import Identity
from tests.unit import vsphere_objects as raw
from vsphere import locks, standing, tagging
from vsphere.inventory import Inventory
from vsphere.locks import STATE
from vsphere.session import Session
from vsphere.snapshot import Record
from vsphere.standing import TAGS_AGAIN, Inquiry, Standing


def method(name: str) -> Any:
    """Return a method as pyVmomi makes it of its name in an answer."""
    return vars(VmomiSupport)["GuessWsdlMethod"](name)


LOCK = [method("RelocateVM_Task"), method("MigrateVM_Task")]
BY_STATE = [method(name) for name in ("Destroy_Task", "UnregisterVM", "PowerOnVM_Task", "MarkAsTemplate")]
CHOICES = vim.option.ChoiceOption(choiceInfo=[vim.ElementDescription(key="0", label="Cancel", summary="")])
QUESTION = vim.vm.QuestionInfo(id="1", text="?", choice=CHOICES)


def found(*disabled: Any, busy: bool = False, **values: Any) -> tuple[str, ...]:
    whole = raw.machine("vm-1", "app01", disabledMethod=list(disabled), **values)
    read = Record(whole.ref, {path: value for path, value in whole.values.items() if path in STATE})
    return locks.locks(read, busy)


def test_a_lock() -> None:
    assert found(*BY_STATE, LOCK[0]) == ("RelocateVM_Task",)
    assert found(*BY_STATE, *LOCK) == ("RelocateVM_Task", "MigrateVM_Task")


def test_a_running_vm_has_disabled_methods_and_no_lock() -> None:
    assert found(*BY_STATE) == ()


def test_a_method_that_pyvmomi_does_not_know_is_no_lock() -> None:
    unknown = vars(VmomiSupport)["UnknownManagedMethod"]("FromTheFuture_Task")
    assert found(unknown, LOCK[0]) == ("RelocateVM_Task",)


@pytest.mark.parametrize(
    "state",
    [
        {"runtime__connectionState": "disconnected"},
        {"config__template": True},
        {"runtime__question": QUESTION},
        {"runtime__faultToleranceState": "running"},
        {"config__ftInfo": vim.vm.FaultToleranceConfigInfo(role=1)},
        {"busy": True},
    ],
    ids=lambda state: next(iter(state)),
)
def test_what_the_state_of_a_vm_or_a_task_disables_is_no_lock(state: dict[str, Any]) -> None:
    assert found(*LOCK, **state) == ()


@pytest.mark.parametrize(("state", "busy"), [("running", True), ("queued", True), ("success", False), ("error", False)])
def test_a_task_that_has_ended_disables_nothing(state: str, busy: bool) -> None:
    entity = raw.ref(vim.VirtualMachine, "vm-1")
    task = raw.record(vim.Task, "task-1", info__key="task-1", info__state=state, info__entity=entity)
    assert (raw.site(tasks=(task,)).task_on("vm-1") is not None) is busy
    assert raw.site(tasks=(task,)).task_on("vm-2") is None
    assert raw.site(tasks=(task,)).task_on("vm-1", {"task-1"}) is None


def test_the_locks_of_a_vm_are_part_of_it() -> None:
    site = Inventory("source", "vc60", raw.site(raw.machine("vm-1", "app01")), Standing(locks={"vm-1": ("x",)}))
    assert site.vm(site.matching(Identity("app01"))[0]).locked == ("x",)


class Open:
    logins = 1
    endpoint = "vc67"


Reading = Mapping[str, tuple[str, ...]]
LOCKED = {"vm-1": ("RelocateVM_Task",)}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def inquiry(monkeypatch: pytest.MonkeyPatch, *readings: Reading) -> tuple[Inquiry, list[Reading]]:
    """Return an inquiry, and what of the readings is left."""
    left = list(readings)
    monkeypatch.setattr(standing, "_ask", lambda *_: Standing(version="6.0.0"))
    monkeypatch.setattr(locks, "read", lambda *_: left.pop(0))
    return Inquiry(cast("Session", Open()), raw.site), left


def test_locks_are_read_anew_after_a_while_and_not_before(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    asked, left = inquiry(monkeypatch, LOCKED, {}, {})
    first = asked.standing(raw.site())
    clock[0] += locks.HOLDS - 1
    assert asked.standing(raw.site()) is first
    clock[0] += 2
    second = asked.standing(raw.site())
    assert (first.locks, second.locks, second.version) == (LOCKED, {}, "6.0.0")
    clock[0] += locks.HOLDS
    assert asked.standing(raw.site()) is second  # nothing has changed: what is derived from it stays
    assert left == []


def test_what_comes_later_counts_where_it_lasts_and_that_is_soon_known(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    passing = {**LOCKED, "vm-2": ("MigrateVM_Task",)}
    asked, left = inquiry(monkeypatch, {}, passing, LOCKED, LOCKED)
    found = []
    for seconds in (0, locks.HOLDS, locks.SOON, locks.SOON):
        clock[0] += seconds
        found.append(asked.standing(raw.site()).locks)
    assert found == [{}, {}, LOCKED, LOCKED]
    assert len(left) == 1, "one that is known to last is relied on"


@pytest.mark.parametrize("seen", [0, 1, None])
def test_a_task_that_begins_or_ends_while_locks_are_read_is_seen(
    monkeypatch: pytest.MonkeyPatch, seen: int | None
) -> None:
    entity = raw.ref(vim.VirtualMachine, "vm-1")
    task = raw.record(vim.Task, "task-1", info__key="task-1", info__state="running", info__entity=entity)
    snapshots = [raw.site(tasks=(task,) if seen == number else ()) for number in range(2)]
    found = [raw.record(vim.VirtualMachine, "vm-1", disabledMethod=LOCK[:1])]

    def collect(*_: object) -> list[Record]:
        assert len(snapshots) == 1, "one snapshot of before"
        return found

    monkeypatch.setattr(locks, "collect", collect)
    assert locks.read(cast("Session", Open()), lambda: snapshots.pop(0)) == (LOCKED if seen is None else {})


def test_what_was_attached_is_known_and_tags_that_could_not_be_read_are_asked_for_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gold = frozenset({Tag("tier", "gold")})
    answers = [Standing(), Standing(tags={"vm-2": gold})]

    monkeypatch.setattr(standing, "_ask", lambda *_: answers.pop(0))
    monkeypatch.setattr(locks, "read", lambda *_: {})
    asked = Inquiry(cast("Session", Open()), raw.site)
    assert asked.standing(raw.site()).tags is None
    asked.tagged("vm-1", gold)
    assert asked.standing(raw.site()).tags == {"vm-2": gold}
    asked.tagged("vm-1", gold)
    assert asked.standing(raw.site()).tags == {"vm-1": gold, "vm-2": gold}
    assert answers == []


@pytest.mark.parametrize(("version", "tags"), [("6.7.0", {"vm-1": frozenset({Tag("tier", "gold")})}), ("6.0.0", None)])
def test_tags_whose_service_failed_are_tried_again_after_a_while(
    monkeypatch: pytest.MonkeyPatch, clock: list[float], version: str, tags: Mapping[str, frozenset[Tag]] | None
) -> None:
    answers = [None, {"vm-1": frozenset({Tag("tier", "gold")})}]
    monkeypatch.setattr(standing, "_ask", lambda *_: Standing(version=version))
    monkeypatch.setattr(locks, "read", lambda *_: {})
    monkeypatch.setattr(tagging, "read", lambda _: answers.pop(0))
    asked = Inquiry(cast("Session", Open()), raw.site)
    found = []
    for seconds in (0, TAGS_AGAIN - 1, 1, TAGS_AGAIN - 1, 1, TAGS_AGAIN):
        clock[0] += seconds
        found.append(asked.standing(raw.site()).tags)
    assert found == [None, None, None, None, tags, tags]
    assert len(answers) == (0 if tags else 2), "once they are read they are followed no more"

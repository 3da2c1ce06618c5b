"""Following a task, over a watch that is told what to show: no server."""

from __future__ import annotations

import threading
import time
from typing import Any, cast

import pytest
from pyVmomi import vim

from migration.errors import Blocked, Busy, OutOfTime, Paused, Stale
from tests.unit import vsphere_objects as raw
from vsphere import tasks
from vsphere.snapshot import Snapshot
from vsphere.tls import Endpoint
from vsphere.watch import News, Watch

TASK: Any = raw.ref(vim.Task, "task-1")


class Shown:
    """What `tasks.follow` uses of a watch."""

    def __init__(self) -> None:
        self.news = News()
        self.followed: set[str] = set()
        self.session = self
        self.endpoint = Endpoint("source", "vc60", "u", "p")
        self.direct: dict[str, Any] | None = None
        self.asked = 0
        self._snapshot = Snapshot()

    def snapshot(self, pause: Any) -> Snapshot:
        pause()
        return self._snapshot

    def read_one(self, *_: Any) -> dict[str, Any] | None:
        self.asked += 1
        return self.direct

    def show(self, **values: Any) -> None:
        found = raw.record(vim.Task, "task-1", **{f"info__{name}": value for name, value in values.items()})
        self._snapshot = raw.site(tasks=(found,))
        self.news.spread()


@pytest.fixture
def shown() -> Shown:
    return Shown()


def follow(shown: Shown, **how: Any) -> Any:
    return tasks.follow(cast("Watch", shown), TASK, "app01: power on", subject="app01", **how)


def test_to_its_end_with_progress_and_result(shown: Shown) -> None:
    told: list[int | None] = []

    def end(_: str, percent: int | None) -> None:
        told.append(percent)
        assert shown.followed == {"task-1"}
        if percent == 40:
            shown.show(state="success", progress=100, result="done")

    shown.show(state="running", progress=40)
    assert follow(shown, progress=end) == "done"
    assert told == [40]
    assert not shown.followed


def test_a_failed_task_is_our_error(shown: Shown) -> None:
    shown.show(state="error", error=vim.fault.NoDiskSpace(file="x", datastore="gold7-01"))
    with pytest.raises(Blocked, match="gold7-01"):
        follow(shown)
    shown.show(state="error", error=vim.fault.TaskInProgress())
    with pytest.raises(Busy):
        follow(shown)
    assert not shown.followed


def test_a_task_that_is_not_among_the_recent_ones_is_asked_for_directly(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "GRACE", 0.01)
    shown.direct = {"info.state": "success", "info.result": 7}
    assert follow(shown) == 7
    assert shown.asked == 1


def test_a_running_task_of_which_nothing_is_heard_is_asked_for_directly(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "SILENCE", 0.01)
    shown.show(state="running", progress=50)
    shown.direct = {"info.state": "success", "info.result": 7}
    assert follow(shown) == 7


def test_a_task_that_vcenter_has_forgotten_is_stale(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "GRACE", 0.01)
    with pytest.raises(Stale, match="no longer knows the task"):
        follow(shown)


def test_the_run_may_be_stopped_while_it_goes_on(shown: Shown) -> None:
    stop = threading.Event()
    shown.show(state="running", progress=1)
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Paused, match="Run again to resume"):
        follow(shown, pause=tasks.pausing(stop, "power on app01"))
    assert time.monotonic() - began < 1


def test_a_deadline(shown: Shown) -> None:
    shown.show(state="running")
    with pytest.raises(OutOfTime, match="nothing is lost"):
        follow(shown, deadline=time.monotonic())


def test_it_may_be_enough_before_the_end(shown: Shown) -> None:
    shown.show(state="running")
    assert follow(shown, enough=lambda: True) is None


def test_until(shown: Shown) -> None:
    watch = cast("Watch", shown)
    assert tasks.until(watch, lambda: True, 0)
    assert not tasks.until(watch, lambda: False, 0.05)
    threading.Timer(0.05, shown.show, kwargs={"state": "success"}).start()
    assert tasks.until(watch, lambda: "task-1" in shown.snapshot(lambda: None).tasks, 2)

"""Following a task to its end by what the watch hears of it; nothing is polled while updates come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from pyVmomi import vim, vmodl

from migration.errors import Blocked, OutOfTime, Paused, Stale
from migration.model import Concern, Severity
from migration.sites import Progress
from vsphere import audit, faults
from vsphere.properties import TASK
from vsphere.session import moref
from vsphere.tls import Endpoint
from vsphere.watch import News, Watch

GRACE: Final = 5.0
"""Seconds for which a task may be missing from the recent ones before it is asked for directly."""
SILENCE: Final = 30.0
"""Seconds without news of a running task after which it is asked for directly: an update may have got lost."""
_TICK: Final = 0.5
"""Seconds within which a wait notices that the run was asked to stop."""


def follow(
    watch: Watch,
    task: vim.Task,
    doing: str,
    *,
    subject: str = "",
    progress: Progress = lambda *_: None,
    pause: Callable[[], None] = lambda: None,
    enough: Callable[[], bool] = lambda: False,
    deadline: float | None = None,
    other: Endpoint | None = None,
) -> Any:
    """Wait until the task ends and return its result; None if `enough` held before.

    `pause` is called at least twice a second and may raise. `deadline` is on `time.monotonic()`. `other` is the vCenter that
    the task itself logs in to.

    Raises: what the task's fault means; Stale where vCenter no longer knows the task; OutOfTime at the deadline.
    """
    key = moref(task)
    news = watch.news
    watch.followed.add(key)
    heard: dict[str, Any] | None = None
    heard_at = time.monotonic()
    told: int | None = None
    asked = False
    try:
        while True:
            version = news.version
            record = watch.snapshot(pause).tasks.get(key)
            info = dict(record.values) if record else None
            if info != heard:
                heard, heard_at = info, time.monotonic()
            elif time.monotonic() - heard_at > (SILENCE if info else GRACE):
                info = _asked(watch, task, doing)
                asked = True
                heard_at = time.monotonic()
            if info and info.get("info.state") == "success":
                audit.ended(watch.session.endpoint.name, key, audit.OK)
                return info.get("info.result")
            if info and info.get("info.state") == "error":
                fault = info.get("info.error")
                audit.ended(watch.session.endpoint.name, key, faults.fault_name(fault) if fault else "error")
                _fail(watch, fault, doing, subject, other)
            percent = info.get("info.progress") if info else None
            if percent != told:
                told = percent
                progress(doing, percent)
            if enough():
                return None
            if deadline is not None and time.monotonic() > deadline:
                raise OutOfTime(f"{doing}: the time is up; the task goes on in vCenter. Run again, nothing is lost")
            wait(news, version, _TICK)
            pause()
    finally:
        if not asked:  # else no update has told of its end: it would look as if it still ran, and as somebody else's
            watch.followed.discard(key)


def wait(news: News, version: int, timeout: float) -> bool:
    """Block until something newer than `version` is known, at most `timeout` seconds; say whether there is."""
    with news.condition:
        return news.condition.wait_for(lambda: news.version > version, timeout)


def until(watch: Watch, holds: Callable[[], bool], timeout: float, pause: Callable[[], None] = lambda: None) -> bool:
    """Wait until `holds`, which asks the watch's snapshot; say whether it came to hold within `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        version = watch.news.version
        if holds():
            return True
        left = end - time.monotonic()
        if left <= 0:
            return False
        wait(watch.news, version, min(left, _TICK))
        pause()


def pausing(stop: threading.Event, what: str) -> Callable[[], None]:
    """Return a check that raises Paused once the run was asked to stop; `what` says what goes on in vCenter."""

    def check() -> None:
        if stop.is_set():
            raise Paused(f"{what}: paused; what vCenter is doing goes on. Run again to resume")

    return check


def _asked(watch: Watch, task: vim.Task, doing: str) -> dict[str, Any]:
    """Ask for a task that the recent ones do not show.

    Raises: Stale where it is gone.
    """
    info = watch.read_one(task, vim.Task, TASK)
    if info is None:
        raise Stale(f"{doing}: vCenter no longer knows the task {moref(task)}; it is observed again what came of it")
    return info


def _fail(watch: Watch, fault: Any, doing: str, subject: str, other: Endpoint | None) -> None:
    endpoint = watch.session.endpoint
    if isinstance(fault, vmodl.fault.RequestCanceled):  # whoever cancelled it had a reason: it is not started again
        raise Blocked(
            (
                Concern(
                    "task.cancelled",
                    Severity.BLOCKS,
                    subject,
                    f"somebody cancelled this at {endpoint}: {doing.removeprefix(f'{subject}: ')}",
                    "see why; run again to have it done",
                ),
            )
        )
    if isinstance(fault, faults.TRANSPORT):
        raise faults.translated(fault, endpoint, doing, subject, other) from fault
    raise Stale(f"{doing}: the task failed at {endpoint} without a reason; it is observed again")

"""What can go wrong at a call: by rules of the lab, by a vCenter that is down, by the end of our own process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from tools.running_lab import Lab
from vsphere import audit

Call = tuple[str, str, str]
"""Site, method and object of a call that changes something."""


class Died(BaseException):
    """The process ends here: nothing catches this."""


@dataclass(frozen=True)
class Trouble:
    """A kind of trouble. `rule` is a fault rule of the lab for that one call; the others are done by `Interference`."""

    name: str
    rule: Mapping[str, Any] = field(default_factory=dict)
    tasks_only: bool = False

    def fits(self, call: Call) -> bool:
        """Say whether it can happen to this call."""
        return call[1].endswith("_Task") or not self.tasks_only


def _rule(action: str, fault: str = "", seconds: float = 0) -> Trouble:
    rule = {
        "action": action,
        "count": 1,
        **({"fault": fault} if fault else {}),
        **({"seconds": seconds} if seconds else {}),
    }
    return Trouble(" ".join(part for part in (action, fault) if part), rule, tasks_only=action == "taskFault")


DOWN: Final = Trouble("vCenter down for 2 s")
DIES_BEFORE, DIES_AFTER = Trouble("killed before the call"), Trouble("killed after the call")
STOPPED_BEFORE, STOPPED_AFTER = Trouble("Ctrl-C before the call"), Trouble("Ctrl-C after the call")
TROUBLES: Final = (
    _rule("fault", "TaskInProgress"),
    _rule("fault", "Timedout"),
    _rule("fault", "NoPermission"),
    _rule("taskFault", "TaskInProgress", 0.1),
    _rule("taskFault", "Timedout", 0.1),
    _rule("taskFault", "GenericVmConfigFault", 0.1),
    _rule("drop"),
    _rule("dropAfter"),
    _rule("delay", seconds=1),
    _rule("hang"),
    _rule("http503"),
    _rule("expire"),
    DOWN,
    DIES_BEFORE,
    DIES_AFTER,
    STOPPED_BEFORE,
    STOPPED_AFTER,
)


@contextmanager
def watching(before: Callable[[int, Call], None], after: Callable[[int, Call], None]) -> Iterator[None]:
    """Call these around each call of ours that changes something, with its number from 0, until the block ends."""
    usual = audit.writing
    count = 0

    @contextmanager
    def writing(site: str, method: str, thing: str) -> Iterator[Callable[[str], None]]:
        nonlocal count
        number, count, call = count, count + 1, (site, method, thing)
        before(number, call)
        with usual(site, method, thing) as started:
            yield started
        after(number, call)

    audit.writing = writing
    try:
        yield
    finally:
        audit.writing = usual


@contextmanager
def interfering(lab: Lab, at: int, trouble: Trouble, stop: threading.Event) -> Iterator[list[Call]]:
    """Let the trouble happen to call number `at` of those in the block; give the list of the calls to which it did."""
    hit: list[Call] = []
    ups: list[threading.Thread] = []

    def before(number: int, call: Call) -> None:
        if number != at:
            return
        hit.append(call)
        if trouble.rule:
            lab.post("/faults", {"vcenter": call[0], "method": call[1], **trouble.rule})
        elif trouble is DOWN:
            lab.post(f"/vcenters/{call[0]}/down")
            ups.append(threading.Thread(target=_up_again, args=(lab, call[0])))
            ups[-1].start()
        elif trouble is DIES_BEFORE:
            raise Died
        elif trouble is STOPPED_BEFORE:
            stop.set()

    def after(number: int, call: Call) -> None:
        del call
        if number == at and trouble is DIES_AFTER:
            raise Died
        if number == at and trouble is STOPPED_AFTER:
            stop.set()

    with watching(before, after):
        try:
            yield hit
        finally:
            for thread in ups:
                thread.join()
            lab.delete("/faults")


def _up_again(lab: Lab, site: str) -> None:
    time.sleep(2)
    lab.post(f"/vcenters/{site}/up")

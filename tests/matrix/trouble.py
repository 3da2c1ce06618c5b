"""What can go wrong at a call: by rules of the lab, by what happens at the sites, by the end of our own process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from tests.matrix.outages import OUTAGES, PEOPLE, Call, Excuse, Moment, Outage, Vms, during
from tools.running_lab import Lab
from vsphere import audit

HELD: Final = 0.4
"""Seconds for which a call, or its task, is held back so that something can happen meanwhile."""


class Died(BaseException):
    """The process ends here: nothing catches this."""


@dataclass(frozen=True)
class Trouble:
    """A kind of trouble. `rule` is a fault rule of the lab for that one call, or for the next call of the rule's own method.

    `outage` is something that happens at a site, before the call or, with `inside`, while it is under way.
    """

    name: str
    rule: Mapping[str, Any] = field(default_factory=dict)
    tasks_only: bool = False
    outage: Outage | None = None
    inside: bool = False

    def fits(self, call: Call) -> bool:
        """Say whether it can happen to this call."""
        task = call[1].endswith("_Task")
        return task or not self.tasks_only or (self.inside and call[1] == "ShutdownGuest")


def _rule(action: str, fault: str = "", seconds: float = 0, method: str = "") -> Trouble:
    rule = {
        "action": action,
        "count": 1,
        **({"fault": fault} if fault else {}),
        **({"seconds": seconds} if seconds else {}),
        **({"method": method} if method else {}),
    }
    name = " ".join(part for part in (action, fault) if part)
    return Trouble(f"{name} at the next {method}" if method else name, rule, tasks_only=action.startswith("task"))


DIES_BEFORE, DIES_AFTER = Trouble("killed before the call"), Trouble("killed after the call")
STOPPED_BEFORE, STOPPED_AFTER = Trouble("Ctrl-C before the call"), Trouble("Ctrl-C after the call")
CALLS: Final = (
    _rule("fault", "TaskInProgress"),
    _rule("fault", "Timedout"),
    _rule("fault", "NoPermission"),
    _rule("taskFault", "TaskInProgress", 0.1),
    _rule("taskFault", "Timedout", 0.1),
    _rule("taskFault", "GenericVmConfigFault", 0.1),
    _rule("taskFaultAfter", "Timedout", 0.1),
    _rule("taskHang", seconds=1),
    _rule("taskLost"),
    _rule("drop"),
    _rule("dropAfter"),
    _rule("delay", seconds=1),
    _rule("hang"),
    _rule("http503"),
    _rule("expire"),
    DIES_BEFORE,
    DIES_AFTER,
    STOPPED_BEFORE,
    STOPPED_AFTER,
)
"""What happens to the call itself, or to us at it."""
READS: Final = tuple(
    _rule(action, method=method)
    for method in ("RetrievePropertiesEx", "WaitForUpdatesEx")
    for action in ("drop", "http503", "expire", "hang")
)
"""What happens to a call that only reads, once the writing call is made."""
SITES: Final = (
    *(Trouble(name, outage=outage) for name, outage in OUTAGES.items()),
    *(Trouble(f"{name}, meanwhile", {}, True, outage, inside=True) for name, outage in OUTAGES.items()),
    *(Trouble(name, outage=outage) for name, outage in PEOPLE.items()),
)
"""What happens at the sites."""
TROUBLES: Final = (*CALLS, *READS, *SITES)


@dataclass
class Hit:
    """To which calls the trouble happened, and what it rightly changes."""

    calls: list[Call] = field(default_factory=list)
    excuses: list[Excuse] = field(default_factory=list)


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
def interfering(
    lab: Lab, at: int, trouble: Trouble, stop: threading.Event, name: str, seen: Callable[[], Vms]
) -> Iterator[Hit]:
    """Let the trouble happen to call number `at` of those in the block, which moves the VM `name`; give what it hit.

    `seen` returns the VM as the lab sees it. Raises: CannotHappen, from inside of the block; Died.
    """
    hit = Hit()
    endings: list[Callable[[], None]] = []

    def happen(outage: Outage, call: Call) -> None:
        moment = Moment(lab, call, name, seen())
        endings.append(outage.happen(moment))
        hit.excuses.append(outage.excuse(moment))

    def before(number: int, call: Call) -> None:
        if number != at:
            return
        hit.calls.append(call)
        outage = trouble.outage
        if outage and trouble.inside:
            action = "taskHang" if call[1].endswith("_Task") else "delay"
            held = {"vcenter": call[0], "method": call[1], "action": action, "seconds": HELD, "count": 1}
            lab.post("/faults", held)
            endings.append(during(lambda: happen(outage, call), HELD / 2).join)
        elif outage:
            happen(outage, call)
        elif trouble.rule:
            lab.post("/faults", {"vcenter": call[0], "method": call[1], **trouble.rule})
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
            while endings:  # one that happens meanwhile adds its own end
                endings.pop(0)()
            lab.delete("/faults")

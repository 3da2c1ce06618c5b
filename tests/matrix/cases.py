"""One case: a VM sets out, something goes wrong at one call, and whoever comes after must end as if nothing had."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from migration.admission import Admission
from migration.converge import Outcome, converge
from migration.errors import MigrationError
from migration.lease import Holder, Lease
from migration.wanted import Identity, Stage
from tests.matrix.journeys import DATASTORES, Journey, found, write_scenario
from tests.matrix.outages import RENAMED, Call, CannotHappen, Excuse
from tests.matrix.trouble import Died, Trouble, interfering, watching
from tests.person import PASSWORDS
from tools.running_lab import Lab, running_lab
from vsphere import session, watch
from vsphere.sites import VSphereSites
from vsphere.tls import Endpoint

REFUSALS: Final = ("NoPermission",)
LATER: Final = 4
"""Runs that may follow: each may only fail with an error of ours."""
ENOUGH: Final = 30.0
"""Seconds after which a run is stopped that still waits for something that is over."""


class Hurried(threading.Event):
    """A stop event whose waits, which are for back-off, are short."""

    def wait(self, timeout: float | None = None) -> bool:
        """See threading.Event."""
        return super().wait(None if timeout is None else min(timeout, 0.2))


@dataclass
class Result:
    """What came of a case. `problems` is empty where all was well."""

    journey: str
    step: str
    trouble: str
    first: str
    seconds: float
    problems: list[str] = field(default_factory=list)


class Ground:
    """A lab, and the runs on it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.dead: set[str] = set()

    def run(self, journey: Journey, stage: Stage, stop: threading.Event | None = None, name: str = "") -> Outcome:
        """Do what a process of its own does: log in, bring the VM there, log out."""
        stop = stop or Hurried()
        me = Lease(uuid.uuid4().hex, "a run of the matrix")
        holder = Holder(me, lambda other: other.run in self.dead, time.time)
        sites = VSphereSites(endpoints(self.lab), DATASTORES, stop)
        try:
            spec = journey.spec(stage)
            spec = replace(spec, identity=Identity(name)) if name else spec
            return converge(spec, sites, Admission(), lambda *_: None, stop, holder=holder)
        finally:
            self.dead.add(me.run)
            sites.close()

    def begin(self, journey: Journey) -> None:
        """Put everything as it is before the journey."""
        self.lab.post("/reset")
        self.dead.clear()
        if journey.first is not Stage.SOURCE:
            self.run(journey, journey.first)

    def undisturbed(self, journey: Journey) -> tuple[list[Call], list[dict[str, Any]]]:
        """Return the calls that a journey consists of, and the VM at its end."""
        calls: list[Call] = []
        self.begin(journey)
        with watching(lambda number, call: calls.append(call), lambda number, call: None):
            self.run(journey, journey.wanted)
        return calls, self.state(journey)

    def state(self, journey: Journey) -> list[dict[str, Any]]:
        """Return the VM as the lab itself sees it."""
        state = self.lab.get("/state")
        return found(state, journey.vm) or found(state, journey.vm + RENAMED)

    def now(self, journey: Journey) -> list[dict[str, Any]]:
        """Return each registration of the VM, with all that is volatile."""
        sites = self.lab.get("/state")["vcenters"].values()
        return [vm for site in sites for vm in site["vms"].values() if vm["name"] == journey.vm]

    def case(
        self,
        journey: Journey,
        at: int,
        step: str,
        trouble: Trouble,
        end: list[dict[str, Any]],
        second: Trouble | None = None,
    ) -> Result | None:
        """Let the trouble happen to call number `at`, then run again until it is there; None if it cannot happen there.

        `second` happens to the first call of the run that follows, if that one makes any.
        """
        began = time.monotonic()
        self.begin(journey)
        stop = Hurried()
        late: list[str] = []
        first, arrived = "arrived", False
        here = partial(self.now, journey)
        excuses: list[Excuse] = []
        try:
            with interfering(self.lab, at, trouble, stop, journey.vm, here) as hit, _limited(stop, late):
                try:
                    self.run(journey, journey.wanted, stop)
                    arrived = True
                except Died:
                    first = "killed"
                except MigrationError as error:
                    first = type(error).__name__
        except CannotHappen:
            return None
        excuses += [*hit.excuses, *_refused(hit.calls, trouble)]
        problems = [*late] if hit.calls else ["the call was not made"]
        if arrived and (wrong := _difference(end, self.state(journey), excuses)):
            problems.append(f"it said that it had arrived: {wrong}")
        if second:
            self._again(journey, second, excuses)
        problems += self._later(journey, end, excuses, arrived=arrived and not second)
        problems += [f"violation: {one}" for one in self.lab.get("/violations")]
        name = f"{trouble.name}, then {second.name}" if second else trouble.name
        return Result(journey.name, step, name, first, time.monotonic() - began, problems)

    def _again(self, journey: Journey, trouble: Trouble, excuses: list[Excuse]) -> None:
        """Run once more, with trouble at the first call of that."""
        stop = Hurried()
        with (
            suppress(Died, MigrationError),
            interfering(self.lab, 0, trouble, stop, journey.vm, partial(self.now, journey)) as hit,
        ):
            self.run(journey, journey.wanted, stop)
        excuses += [*hit.excuses, *_refused(hit.calls, trouble)]

    def _later(self, journey: Journey, end: list[dict[str, Any]], excuses: list[Excuse], *, arrived: bool) -> list[str]:
        """Run again until it arrives; return what is wrong then."""
        told, name = "", ""
        for _ in range(LATER):
            stop = Hurried()
            late: list[str] = []
            try:
                with _limited(stop, late):
                    outcome = self.run(journey, journey.wanted, stop, name)
            except MigrationError as error:
                told = f"{type(error).__name__}: {error}"
                # Whoever renamed it, and could not name it back, writes the new name into the wave.
                name = journey.vm + RENAMED if "vm.not-found" in told and not name else ""
                continue
            problems = [*late, *([f"settled, and yet it did: {outcome.steps}"] if arrived and outcome.steps else [])]
            if wrong := _difference(end, self.state(journey), excuses):
                problems.append(f"it ended otherwise: {wrong}")
            return problems
        return [f"{LATER} runs after it have not brought it there; the last one: {told}"]


@contextmanager
def _limited(stop: threading.Event, late: list[str]) -> Iterator[None]:
    """Stop a run that takes too long, and note it."""

    def enough() -> None:
        late.append(f"it was still waiting after {ENOUGH:g} s")
        stop.set()

    timer = threading.Timer(ENOUGH, enough)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def ground(folder: Path, *, live: bool) -> Iterator[Ground]:
    """Give a lab with the VMs of the journeys, to which we listen for seconds only: a call that hangs must come to an end."""
    usual = session.PATIENCE, watch.LONGEST_WAIT
    vars(session)["PATIENCE"], vars(watch)["LONGEST_WAIT"] = 5.0, 2
    try:
        with running_lab(write_scenario(folder / f"{live}.yaml", live=live), any_port=True) as lab:
            yield Ground(lab)
    finally:
        vars(session)["PATIENCE"], vars(watch)["LONGEST_WAIT"] = usual


def endpoints(lab: Lab) -> dict[str, Endpoint]:
    """Return where the lab's vCenters are, and who we are there."""
    return {
        name: Endpoint(
            name=name,
            vcenter=one["host"],
            username=one["username"],
            password=PASSWORDS[name],
            thumbprint=one["thumbprint"],
        )
        for name, one in lab.endpoints["vcenters"].items()
    }


def _refused(hit: list[Call], trouble: Trouble) -> list[Excuse]:
    """Return what need not be as it would have been: refused a pool of its own, a VM takes the one above, and says so."""
    if trouble.rule.get("fault") in REFUSALS and hit and hit[0][1] == "CreateResourcePool":
        return [lambda key, _wanted, _got: key == "pool"]
    return []


def _difference(wanted: list[dict[str, Any]], now: list[dict[str, Any]], excuses: list[Excuse]) -> str:
    if len(now) != 1:
        return f"registered {len(now)} times"
    pairs = {key: (wanted[0].get(key), now[0].get(key)) for key in {**wanted[0], **now[0]}}
    return "; ".join(
        f"{key} is {b!r}, not {a!r}"
        for key, (a, b) in pairs.items()
        if a != b and not any(excused(key, a, b) for excused in excuses)
    )

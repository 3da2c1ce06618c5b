"""The matrix with the real engine: `pulumi up` moves many VMs, each is held at another call, then somebody ends the run.

Of a VM held at a call the lab has done nothing yet (`before`), or does the work when nobody listens any more (`after`).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.engine.conftest import kill, started_by
from tests.engine.copies import names, write_copies
from tests.engine.site_project import Site, site_config
from tests.matrix.cases import ground
from tests.matrix.journeys import JOURNEYS, Journey, found
from tests.matrix.outages import but_for
from tools.running_lab import Lab, running_lab

Process = subprocess.Popen[str]
Held = tuple[str, str, int, str]
"""Site, method, how many such calls of the VM went before, and whether the work is done: `before` or `after`."""

LATE: Final = 12.0
"""Seconds after which a call is done that nobody waits for any more. Longer than it takes until all are held."""
AT_ONCE: Final = 5.0
"""Seconds in which a run has to end that is asked to."""
HELD_WITHIN: Final = 120.0
GONE_WITHIN: Final = 10.0
COPIES: Final = frozenset({"RelocateVM_Task"})
"""Of these one is held in each run, in turn before and after: two would take all that their host may copy at once."""
NOT_OF_A_VM: Final = frozenset({"SetField", "AddCustomFieldDef", "CreateResourcePool", "CreateFolder"})
"""Their object is not the VM, so that no rule can tell whose call it is. The matrix without the engine has them."""


def providers(process: Process) -> set[int]:
    """Return the processes that serve our dynamic resources."""
    return {pid for pid in started_by(process) if b"pulumi.dynamic" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def kill_provider(process: Process) -> None:
    """SIGKILL to what works on the VMs."""
    kill(providers(process))


def kill_cli(process: Process) -> None:
    """SIGKILL to `pulumi` itself."""
    kill({process.pid})


def kill_both(process: Process) -> None:
    """SIGKILL to everything that the run has started."""
    kill(started_by(process))


def ctrl_c(process: Process) -> None:
    """SIGINT to the process group, as a terminal does."""
    os.killpg(process.pid, signal.SIGINT)


def ctrl_c_twice(process: Process) -> None:
    """SIGINT, and SIGINT again before anything has ended."""
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)


def sigterm(process: Process) -> None:
    """SIGTERM to `pulumi`, as a runner does whose job takes too long."""
    process.terminate()


ENDINGS: Final[Mapping[str, Callable[[Process], None]]] = {
    "SIGKILL of the provider": kill_provider,
    "SIGKILL of the CLI": kill_cli,
    "SIGKILL of both": kill_both,
    "Ctrl-C": ctrl_c,
    "Ctrl-C twice": ctrl_c_twice,
    "SIGTERM": sigterm,
}
ASKED: Final = frozenset({"Ctrl-C", "SIGTERM"})
"""These ask for an end: it has to come soon, and nothing may be left pending in the state."""
LOCKS: Final = frozenset({"SIGKILL of both"})
"""After these nobody is left who could remove the lock of the state."""


@dataclass
class Round:
    """One run that was ended, and what came of it. `seconds` is how long it took to end."""

    journey: str
    ending: str
    held: int
    seconds: float
    cancelled: bool = False
    problems: list[str] = field(default_factory=list)


class Rounds:
    """A lab, a site with as many VMs as there are moments to hold one at, and the runs that move them to and fro."""

    def __init__(self, lab: Lab, site: Site, there: Sequence[Held], back: Sequence[Held]) -> None:
        """Take a site whose VMs are at home. `there`, `back`: where to hold a VM on its way."""
        self._lab = lab
        self._site = site
        self._held = {"migrated": there, "source": back}
        self._names = names(max(len(there), len(back)))
        self._played = 0
        self._wanted: dict[str, list[list[dict[str, Any]]]] = {}

    def undisturbed(self, stage: str) -> None:
        """Move all of them; how they are then is how they must always be."""
        self._want(stage)
        self._site.up()
        self._wanted[stage] = self._now()

    def play(self, journey: str, stage: str, ending: str) -> Round:
        """Move all of them, end the run while each is held, run again, and see."""
        self._want(stage)
        one = ("before", "after")[self._played % 2]
        self._played += 1
        moments_now = [held for held in self._held[stage] if held[1] not in COPIES or held[3] == one]
        self._arm(moments_now)
        process = self._site.project.start("up", "--yes", "--skip-preview", "--parallel", "64", "--continue-on-error")
        held = self._await(len(moments_now))
        ours, all_of_it = providers(process), started_by(process)
        began = time.monotonic()
        ENDINGS[ending](process)
        said, _ = process.communicate(timeout=120)
        done = Round(journey, ending, held, time.monotonic() - began)
        if left := _left(ours):
            done.problems.append(f"it left processes of ours behind: {left}")
        kill(all_of_it)  # of Pulumi's own some stay when the CLI is killed
        if held != len(moments_now):
            missed = [rule for rule in self._lab.get("/faults") if not rule["hits"]]
            done.problems.append(f"only {held} were held: {missed}; it said {said[-1500:]}")
        if ending in ASKED:
            if done.seconds > AT_ONCE:
                done.problems.append(f"it ended after {done.seconds:.1f} s only")
            if "Traceback" in said:
                done.problems.append(f"it said {said[-1500:]}")
            if pending := self._site.project.pending():
                done.problems.append(f"pending in the state: {pending}")
        self._lab.delete("/faults")
        done.problems += self._again(done, stage)
        return done

    def _again(self, done: Round, stage: str) -> Iterator[str]:
        """Run twice more; yield what is wrong."""
        code, said = self._up()
        if "currently locked" in said:
            done.cancelled = True
            if done.ending not in LOCKS:
                yield "the state stayed locked"
            self._site.run("cancel", "--yes")
            code, said = self._up()
        if code:
            yield f"the next run failed: {said[-3000:]}"
        for wanted, now in zip(self._wanted[stage], self._now(), strict=True):
            if wrong := _difference(wanted, now):
                yield wrong
        yield from (f"violation: {one}" for one in self._lab.get("/violations"))
        writes = self._lab.writes
        code, said = self._up()
        if code or self._lab.writes != writes:
            yield f"settled, and yet the run after it wrote {self._lab.writes - writes} times, and ended with {code}"

    def _up(self) -> tuple[int, str]:
        process = self._site.project.start("up", "--yes", "--skip-preview", "--parallel", "64", "--continue-on-error")
        said, _ = process.communicate(timeout=300)
        return process.returncode, said

    def _want(self, stage: str) -> None:
        self._site.wants(**dict.fromkeys(self._names, stage))
        self._site.write()

    def _now(self) -> list[list[dict[str, Any]]]:
        state = self._lab.get("/state")
        return [found(state, name) for name in self._names]

    def _arm(self, held: Sequence[Held]) -> None:
        for name, (site, method, skip, moment) in zip(self._names, held, strict=False):
            rule = {"vcenter": site, "method": method, "object": name, "skip": skip, "count": 1}
            if moment == "before":
                rule |= {"action": "hang"}
            elif method.endswith("_Task"):
                rule |= {"action": "taskHang"}  # goes on once the rules are cleared
            else:
                rule |= {"action": "delay", "seconds": LATE}
            self._lab.post("/faults", rule)

    def _await(self, count: int) -> int:
        """Wait until so many are held; return how many are."""
        deadline = time.monotonic() + HELD_WITHIN
        while True:
            held = sum(1 for rule in self._lab.get("/faults") if rule["hits"])
            if held >= count or time.monotonic() > deadline:
                return held
            time.sleep(0.1)


def moments(journey: Journey, folder: Path) -> list[Held]:
    """Return where a VM can be held on its way: at each call that is about it, before and after the work is done."""
    with ground(folder, live=journey.live) as here:
        calls, _ = here.undisturbed(journey)
    seen: Counter[tuple[str, str]] = Counter()
    held: list[Held] = []
    for site, method, _ in calls:
        if method not in NOT_OF_A_VM:
            held += [(site, method, seen[site, method], moment) for moment in ("before", "after")]
            seen[site, method] += 1
    return held


def rounds(folder: Path, *, live: bool, endings: Sequence[str], limit: int = 0) -> Iterator[Round]:
    """Move VMs to and fro, with each ending on the way there and on the way back.

    `limit`: hold so many only, drawn once and for all.
    """
    there, back = (
        moments(next(one for one in JOURNEYS if one.name == name), folder)
        for name in (("live, there", "live, back") if live else ("reattach, there", "reattach, back"))
    )
    if limit:
        chosen = random.Random(limit)  # noqa: S311 - the same moments each time
        there, back = chosen.sample(there, limit), chosen.sample(back, limit)
    with running_lab(write_copies(folder, max(len(there), len(back)), live=live), any_port=True) as lab:
        config = site_config(lab, dict.fromkeys(names(max(len(there), len(back))), "source"))
        config["esxodus:waves"][0]["method"] = "xvm" if live else "reattach"
        config["esxodus:policy"] = {"shutdownTimeout": 20, "onShutdownTimeout": "powerOff"}
        if live:
            config["esxodus:target"]["cluster"]["evc"] = "intel-ivybridge"
            config["esxodus:target"]["switch"]["version"] = "6.5.0"
        played = Rounds(lab, Site(folder / "clone", config), there, back)
        played.undisturbed("migrated")
        played.undisturbed("source")
        method = "live" if live else "reattach"
        for ending in endings:
            yield played.play(f"{method}, there", "migrated", ending)
            yield played.play(f"{method}, back", "source", ending)


def _left(pids: set[int]) -> list[str]:
    """Wait until these processes have ended; return the commands of those that have not."""
    deadline = time.monotonic() + GONE_WITHIN
    while (left := [pid for pid in sorted(pids) if _runs(pid)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() for pid in left if _runs(pid)]


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _difference(wanted: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> str:
    if len(now) != 1:
        return f"{wanted[0]['name']} is registered {len(now)} times"
    pairs = {key: (wanted[0].get(key), now[0].get(key)) for key in {**wanted[0], **now[0]}}
    # Which of two equal hosts it comes home to, its papers say when it leaves again.
    wrong = [f"{key} is {b!r}, not {a!r}" for key, (a, b) in pairs.items() if a != b and not but_for("host", key, a, b)]
    return f"{wanted[0]['name']}: {'; '.join(wrong)}" if wrong else ""


if __name__ == "__main__":
    import argparse
    import json
    import tempfile

    parser = argparse.ArgumentParser(prog="python -m tests.matrix.engine", description="ends runs of the real engine")
    parser.add_argument("--live", action="store_true", help="live, from a 6.7; else by reattach")
    parser.add_argument("--limit", type=int, default=0, help="hold so many VMs only")
    parser.add_argument("endings", nargs="*", default=list(ENDINGS))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for one in rounds(Path(place), live=asked.live, endings=asked.endings, limit=asked.limit):
            print(json.dumps(asdict(one)), flush=True)

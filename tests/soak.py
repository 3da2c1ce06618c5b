"""`make soak`: VMs go there and back, over and over, in one process, under faults; nothing may be lost, and nothing left.

Writes docs/soak.md. Exit code 0: no violation, every VM is at home as it was, and the process and the lab hold what they held.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import yaml

from migration.admission import Admission
from migration.converge import converge
from migration.errors import MigrationError, Unexpected
from migration.lease import Holder, Lease
from migration.wanted import Identity, Method, Stage, VmSpec
from tests.matrix.cases import endpoints
from tests.matrix.journeys import DATASTORES, SMALL, build_target, found
from tests.matrix.outages import but_for
from tools.parts import ROOT
from tools.processes import descendants
from tools.running_lab import Lab, running_lab
from vsphere.sites import VSphereSites

PAGE: Final = ROOT / "docs" / "soak.md"
AT_ONCE: Final = 48
TRIES: Final = 40
"""Runs that a VM may need until it has arrived, each ending with an error of ours."""
NOISE_PER_MINUTE: Final = 60
NOISY, QUIET = 8.0, 12.0
"""Seconds with faults, and without: a fault waits for the next call, so that else every single call would meet one."""
GROWTH: Final = 1.25
"""How much more memory the process may hold in the end than after its first trip under faults."""
MEMORY: Final = "memory, MiB"
LAPSE: Final = (" sessions", " restSessions", " views", " collectors", " filters")
"""What a vCenter keeps, until it lapses, for whoever did not get the answer that made it: said, and no mistake."""
SETTLES: Final = 60.0
"""Seconds in which connections and threads that are no longer needed have to go."""


def names(count: int) -> list[str]:
    """Return what the VMs are called."""
    return [f"vm{number:03}" for number in range(count)]


def write_scenario(folder: Path, count: int) -> Path:
    """Write a site of so many small VMs, with its target built; return the file."""
    site: dict[str, Any] = yaml.safe_load(SMALL.read_text(encoding="utf-8"))
    build_target(site)
    site["timescale"] = 3600
    site["vms"] = [
        {
            "name": name,
            "site": "source",
            "datacenter": "tokyo6",
            "cluster": "prod6",
            "host": f"esx60-{1 + number % 2}.lab",
            "guest": "rhel6_64Guest",
            "memory": 1,
            "disks": [{"datastore": ("old-a", "old-b")[number % 2], "size": 4, "used": 1 + number % 3, "thin": True}],
            "nics": [{"network": "VM Network"}],
            "ips": [f"10.{number // 200}.1.{number % 200 + 1}"],
        }
        for number, name in enumerate(names(count))
    ]
    file = folder / "soak.yaml"
    file.write_text(yaml.safe_dump(site), encoding="utf-8")
    return file


class Soak:
    """One long-lived process that moves all VMs, as a run of Pulumi does it."""

    def __init__(self, lab: Lab, vms: list[str]) -> None:
        """Open the sites."""
        self.errors: Counter[str] = Counter()
        self.arrivals = 0
        self._lab = lab
        self._vms = vms
        self._stop = threading.Event()
        self._sites = VSphereSites(endpoints(lab), DATASTORES, self._stop)
        self._admission = Admission()
        self._holder = Holder(Lease(uuid.uuid4().hex, "the soak"), lambda _: False, time.time)

    def bring(self, stage: Stage) -> list[str]:
        """Bring all of them to a stage; return who has not arrived, and why."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return [text for text in pool.map(lambda name: self._one(name, stage), self._vms) if text]

    def close(self) -> None:
        """Log out."""
        self._sites.close()

    def _one(self, name: str, stage: Stage) -> str:
        spec = VmSpec(
            Identity(name),
            stage,
            Method.REATTACH,
            datacenter="tokyo7",
            cluster="prod7",
            old_volumes=("old-a", "old-b"),
            new_volumes=("gold7-01",),
            networks={"VM Network": "pg-prod"},
            shutdown_timeout=20,
            on_shutdown_timeout="powerOff",
        )
        told = ""
        for _ in range(TRIES):
            try:
                converge(spec, self._sites, self._admission, lambda *_: None, self._stop, holder=self._holder)
            except MigrationError as error:
                told = f"{name}: {type(error).__name__}: {error}"
                self.errors[type(error).__name__] += 1
                if isinstance(error, Unexpected):
                    print(told, flush=True)
                time.sleep(0.5)
            else:
                self.arrivals += 1
                return ""
        return told

    def state(self) -> dict[str, list[dict[str, Any]]]:
        """Return each VM as the lab itself sees it, without what may differ between two good runs."""
        state = self._lab.get("/state")
        return {name: found(state, name) for name in self._vms}

    def held(self) -> dict[str, int]:
        """Return what this process and the lab hold: threads, MiB of memory, open files, processes, sessions and the like."""
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
        ours = {
            "threads": threading.active_count(),
            MEMORY: pages * os.sysconf("SC_PAGE_SIZE") >> 20,
            "open files": len(list(Path("/proc/self/fd").iterdir())),
            "processes": len(descendants(os.getpid())),
        }
        counted: Counter[str] = Counter()
        for of_one in self._lab.get("/counters")["open"].values():
            counted.update(of_one)
        return ours | {f"open at the vCenters: {kind}": number for kind, number in sorted(counted.items())}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="make soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20, help="how long there are faults (20)")
    parser.add_argument("--vms", type=int, default=200, help="how many VMs (200)")
    parser.add_argument("--seed", type=int, default=1, help="of the faults (1)")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_lab(write_scenario(Path(folder), asked.vms), any_port=True) as lab,
    ):
        text, wrong = _soaked(lab, asked.minutes, asked.vms, asked.seed)
    if not wrong and asked.vms == 200:
        PAGE.write_text(text, encoding="utf-8")
    print(text.rstrip())
    for one in wrong:
        print(one)
    return 1 if wrong else 0


def _soaked(lab: Lab, minutes: float, vms: int, seed: int) -> tuple[str, list[str]]:
    """Do it all; return the page and what is wrong."""
    soak = Soak(lab, names(vms))
    try:
        wrong = soak.bring(Stage.MIGRATED) + soak.bring(Stage.SOURCE)
        wanted, before = soak.state(), soak.held()
        print(f"warm: {soak.arrivals} arrivals; now {minutes:g} min of faults, seed {seed}", flush=True)
        soak.arrivals = 0
        chosen = random.Random(seed)  # noqa: S311 - the same faults each time
        over = threading.Event()
        noise = threading.Thread(target=_noise, args=(lab, chosen, over))
        noise.start()
        ends, trips, restarts = time.monotonic() + minutes * 60, 0, 0
        while time.monotonic() < ends and not wrong:
            lab.post(f"/vcenters/{('source', 'target')[trips % 2]}/restart", {"seconds": 2})
            restarts += 1
            wrong += soak.bring(Stage.MIGRATED) + soak.bring(Stage.SOURCE)
            trips += 1
            memory = soak.held()[MEMORY]
            # To read both sites anew at once takes more than a quiet trip, and Python gives none of it back to the system.
            before[MEMORY] = memory if trips == 1 else before[MEMORY]
            print(f"trip {trips}: {soak.arrivals} arrivals, errors {dict(soak.errors)}, {memory} MiB", flush=True)
        over.set()
        noise.join()
        wrong += soak.bring(Stage.MIGRATED) + soak.bring(Stage.SOURCE)
        trips += 1
        wrong += [f"violation: {one}" for one in lab.get("/violations")]
        wrong += [text for name, now in soak.state().items() if (text := _differs(name, wanted[name], now))]
        after = _settled(soak, before)
        wrong += [f"{kind}: {after.get(kind, 0)}, not {was}" for kind, was in before.items() if _grew(kind, was, after)]
    finally:
        soak.close()
    return _page(minutes, vms, seed, trips, restarts, soak, before, after), wrong


def _noise(lab: Lab, chosen: random.Random, over: threading.Event) -> None:
    """Make faults now and then until it is over."""
    while not over.is_set():
        lab.post("/noise", {"seed": chosen.randrange(1 << 30), "perMinute": NOISE_PER_MINUTE})
        over.wait(NOISY)
        lab.delete("/faults")
        over.wait(QUIET)


def _settled(soak: Soak, before: dict[str, int]) -> dict[str, int]:
    """Wait until nothing is held any more that was not held before; return what is."""
    deadline = time.monotonic() + SETTLES
    while True:
        after = soak.held()
        if time.monotonic() > deadline or not any(_grew(kind, was, after) for kind, was in before.items()):
            return after
        time.sleep(1)


def _grew(kind: str, was: int, after: dict[str, int]) -> bool:
    if any(kind.endswith(lapses) for lapses in LAPSE):
        return False
    now = after.get(kind, 0)
    return now > was * GROWTH if kind.startswith("memory") else now > was


def _differs(name: str, wanted: list[dict[str, Any]], now: list[dict[str, Any]]) -> str:
    if len(now) != 1:
        return f"{name}: registered {len(now)} times"
    pairs = {key: (wanted[0].get(key), now[0].get(key)) for key in {**wanted[0], **now[0]}}
    wrong = [key for key, (a, b) in pairs.items() if a != b and not but_for("host", key, a, b)]
    return f"{name}: not as it was: {', '.join(wrong)}" if wrong else ""


def _page(
    minutes: float,
    vms: int,
    seed: int,
    trips: int,
    restarts: int,
    soak: Soak,
    before: dict[str, int],
    after: dict[str, int],
) -> str:
    errors = ", ".join(f"{number} × {kind}" for kind, number in soak.errors.most_common()) or "none"
    rows = "".join(f"| {kind} | {was} | {after.get(kind, 0)} |\n" for kind, was in before.items())
    return f"""# Soak

Written by `make soak`: {vms} VMs go there and back by reattach, over and over, in one process, under a background of faults
(seed {seed}; in {NOISY:g} of every {NOISY + QUIET:g} s, {NOISE_PER_MINUTE} a minute: connections dropped before and after
the work, delays, 503, ended sessions, tasks that fail before and after their work, hang, or get lost), and before each trip one
of the two vCenters restarts. Runs that end with an error are begun again, as an operator would.

* {minutes:g} minutes of faults, {trips} trips there and back, {soak.arrivals} arrivals, {restarts} restarts of a vCenter
* runs that ended with an error, and were begun again: {errors}
* violations seen by the lab: 0; VMs that are not as they were: 0

What a vCenter made for a call whose answer was lost (a session, and what belongs to it) it keeps until that lapses, half an
hour at most: nobody knows its key. It is in the table, and counts for nothing. Memory is compared with what it was after the
first trip under faults: to read both sites anew at once takes more than a quiet trip, and is not given back.

| Held | after the first, undisturbed trip | in the end |
|---|---|---|
{rows}"""


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    sys.exit(main())

"""Longest copy first against order of arrival: how much sooner is a random site done?

    python -m bench.schedule [--vms N] [--seed N] [--sites N]

Time is virtual: the queue is the product's own (migration.turns, migration.waves), a copy takes its size over its rate.
"""

from __future__ import annotations

import argparse
import heapq
import random
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from migration import estimate
from migration.actions import Cross, Placed, Relocate
from migration.errors import Held
from migration.model import Disk, File, Power, Tools, Vm
from migration.observation import Host, Observation, SiteView, Volume
from migration.schedule import Admitted, Nowhere
from migration.turns import Request, Turns
from migration.wanted import Identity, Stage, VmSpec
from migration.waves import Closed, Moment, Opens, held

RATE: Final = 0.2
"""GiB a second of a copy, whatever else runs."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a VM: asked for at `arrives`, over `lasts` seconds after its start."""

    spec: VmSpec
    action: Relocate | Cross
    vm: Vm
    arrives: float
    lasts: float


@dataclass(frozen=True, slots=True)
class Ran:
    """A copy that was done, where, and when, in seconds of virtual time."""

    copy: Copy
    placed: Placed
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Story:
    """What came of it: the copies that ran, in the order of their start, and those that their wave held back."""

    ran: tuple[Ran, ...]
    held: tuple[tuple[Copy, str], ...]

    @property
    def makespan(self) -> float:
        """When the last copy ended."""
        return max((one.end for one in self.ran), default=0.0)


def simulate(sites: dict[str, SiteView], copies: Sequence[Copy], *, longest_first: bool = True) -> Story:
    """Play all copies on a virtual clock that starts at 0.

    As in a run, the time that copies took teaches how long the next will take, and a wave's VMs ask once those of the waves
    before it have ended.
    """
    turns, moment = Turns(), Moment()
    unfinished = Counter(one.spec.wave.name for one in copies)
    behind: list[Copy] = []
    asking = {one.spec.identity: one for one in copies}
    events: list[tuple[float, int, Copy, Admitted | None]] = [
        (one.arrives, number, one, None) for number, one in enumerate(copies)
    ]
    heapq.heapify(events)
    number = len(events)
    ran: list[Ran] = []
    stopped: list[tuple[Copy, str]] = []
    while events:
        now, _, copy, running = heapq.heappop(events)
        moment = replace(moment, now=now)
        asks = [copy]
        if running:
            turns = turns.ended(running.cost)
            kind, size = estimate.kind(type(copy.action), copy.vm), estimate.copied(copy.action, copy.vm)
            moment = replace(moment, rates=moment.rates.after(kind, size, copy.lasts)).after(copy.spec, None)
            unfinished[copy.spec.wave.name] -= 1
            asks = [asking[who] for who in turns.next()]
        for one in asks:
            if any(unfinished[name] for name in one.spec.wave.after):
                behind.append(one)
                continue
            seen = Observation((one.vm,), sites)
            gate = held(one.spec, one.action, seen, moment)
            if isinstance(gate, Opens):
                number += 1
                heapq.heappush(events, (gate.at, number, one, None))
            elif isinstance(gate, Closed):
                turns = turns.without(one.spec.identity)
                moment = moment.after(one.spec, Held(gate.sentence))
                unfinished[one.spec.wave.name] -= 1
                stopped.append((one, gate.sentence))
                asks += [other for who in turns.next() if (other := asking[who]) not in asks]
            else:
                seconds = one.lasts if longest_first else 0.0
                request = Request(one.spec.identity, one.action, one.vm, seen, one.spec.wave.order, seconds)
                turns, answer = turns.ask(request)
                if isinstance(answer, Nowhere):
                    raise SystemExit(str(answer.concern))
                if isinstance(answer, Admitted):
                    number += 1
                    heapq.heappush(events, (now + one.lasts, number, one, answer))
                    ran.append(Ran(one, answer.placed, now, now + one.lasts))
        for one in [one for one in behind if not any(unfinished[name] for name in one.spec.wave.after)]:
            behind.remove(one)
            number += 1
            heapq.heappush(events, (now, number, one, None))
    return Story(tuple(ran), tuple(stopped))


def a_site(chance: random.Random, vms: int) -> tuple[dict[str, SiteView], list[Copy]]:
    """Return a site of random size, and VMs there that all ask for their copy at once, in random order."""
    hosts = tuple(f"esx{number}" for number in range(chance.randint(3, 12)))
    old = tuple(Volume(f"vmfs:old{number}", f"old{number}", 0, 4000) for number in range(chance.randint(3, 10)))
    new = tuple(Volume(f"vmfs:new{number}", f"new{number}", 80_000, 100_000) for number in range(chance.randint(2, 5)))
    mounted = frozenset(volume.id for volume in (*old, *new))
    view = SiteView("target", "vc70", tuple(Host(name, "prod", volumes=mounted) for name in hosts), (*old, *new))
    candidates = tuple(volume.id for volume in new)
    copies = []
    for number in range(vms):
        name, size = f"vm{number:03}", min(2000.0, chance.lognormvariate(4.0, 1.2))
        vm = a_vm(name, chance.choice(hosts), chance.choice(old).id, size)
        spec = VmSpec(Identity(name), Stage.MIGRATED)
        copies.append(Copy(spec, Relocate({}, candidates, size), vm, 0.0, size / RATE))
    return {"target": view}, copies


def a_vm(name: str, host: str, volume: str, size: float) -> Vm:
    """Return a VM that runs on the host from the volume, with a disk of `size` GiB."""
    disk = Disk(2000, "Hard disk 1", File(volume, f"{name}/{name}.vmdk"), size, size)
    vmx = File(volume, f"{name}/{name}.vmx")
    return Vm("target", name, name, name, vmx, Power.ON, host=host, disks=(disk,), tools=Tools.RUNNING)


def main(arguments: Sequence[str]) -> int:
    """Print the makespans of some random sites and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m bench.schedule", description=__doc__)
    parser.add_argument("--vms", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sites", type=int, default=10)
    options = parser.parse_args(arguments)
    ratios = []
    print(f"{options.vms} VMs, virtual hours until the last copy has ended")
    print("seed  hosts  arrival order  longest first  ratio")
    for seed in range(options.seed, options.seed + options.sites):
        sites, copies = a_site(random.Random(seed), options.vms)  # noqa: S311 - a model, no secret
        arrival = simulate(sites, copies, longest_first=False).makespan
        longest = simulate(sites, copies).makespan
        ratios.append(longest / arrival)
        hosts = len(sites["target"].hosts)
        print(f"{seed:4}  {hosts:5}  {arrival / 3600:13.2f}  {longest / 3600:13.2f}  {ratios[-1]:5.2f}")
    print(f"median ratio {statistics.median(ratios):.2f}, best {min(ratios):.2f}, worst {max(ratios):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""No history of a rolling upgrade may stop a guest, take two hosts out, or leave one out that was in service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from migration.errors import Blocked, Transient
from migration.metadata import Overrides, Rule
from migration.model import Power, Vm
from migration.upgrade import Step
from migration.upgrade_fleet import Fleet
from migration.upgrade_host import Clock, Limits, upgrade
from tests.fake_cluster import FakeCluster, Killed, lost
from tests.unit.upgrade_worlds import NAMES, WANTED, fleet, member, ruled, vm

APART = Rule("apart", "antiAffinity", tuple((f"uuid-vm{n}", f"vm{n}") for n in range(2)))
TROUBLES = (
    "none",
    "none",
    "none",
    "kill before",
    "kill after",
    "lost before",
    "lost after",
    "power on",
    "power off",
    "maintain",
    "resume",
)


@st.composite
def clusters(draw: st.DrawFn) -> Fleet:
    """Draw a cluster of three or four hosts with VMs of all kinds, of which it may or may not be able to do without a host."""
    names = (*NAMES, "esx4")[: draw(st.integers(3, 4))]
    vms: list[Vm] = []
    for number in range(draw(st.integers(0, 8))):
        one = vm(f"vm{number}", draw(st.sampled_from(names)), memory=draw(st.sampled_from((2.0, 8.0, 30.0))))
        one = replace(one, power=draw(st.sampled_from((Power.ON, Power.ON, Power.ON, Power.OFF, Power.SUSPENDED))))
        behaviour = draw(st.sampled_from(("", "", "manual")))
        vms.append(
            ruled(
                one,
                *((APART,) if number < 2 and draw(st.booleans()) else ()),
                overrides=Overrides(drs_behavior=behaviour),
            )
        )
    drs = draw(st.sampled_from(("fullyAutomated", "partiallyAutomated", "")))
    world = fleet(*(member(name) for name in names), vms=vms, drs=drs)
    out = draw(st.sampled_from((None, None, None, *names)))
    if out and not list(world.on(out)):
        world = replace(world, members=tuple(replace(one, maintenance=one.name == out) for one in world.members))
    return world


class History:
    """Draws one trouble for each step."""

    def __init__(self, cluster: FakeCluster, troubles: Iterator[str]) -> None:
        self.cluster, self.troubles, self.now = cluster, troubles, "none"
        cluster.before, cluster.after = self.before, self.after

    def before(self, _: Step) -> None:
        self.now = next(self.troubles, "none")
        fleet = self.cluster.fleet
        match self.now:
            case "kill before":
                raise Killed
            case "lost before":
                raise lost()
            case "power on":
                self.power(Power.OFF, Power.ON)
            case "power off":
                self.power(Power.ON, Power.OFF)
            case "maintain":
                idle = [one.name for one in fleet.members if not one.out and not list(fleet.on(one.name))]
                if idle:
                    self.cluster.set(idle[0], maintenance=True)
            case "resume":
                others = [one.name for one in fleet.members if one.maintenance and not one.ours]
                if others:
                    self.cluster.set(others[0], maintenance=False)
            case _:
                pass  # after the step, or nothing

    def after(self, _: Step) -> None:
        if self.now == "kill after":
            raise Killed
        if self.now == "lost after":
            raise lost()

    def power(self, was: Power, now: Power) -> None:
        """Let somebody power a VM on or off; vCenter refuses the former on a host that is out."""
        fleet = self.cluster.fleet
        out = {one.name for one in fleet.members if one.out}
        at = next((n for n, one in enumerate(fleet.vms) if one.power is was and one.host not in out), None)
        if at is not None:
            vms = [*fleet.vms]
            vms[at] = replace(vms[at], power=now)
            self.cluster.fleet = replace(fleet, vms=tuple(vms))


def run(cluster: FakeCluster) -> str:
    """Run as the engine does, host by host up to the first that fails; return how it ended."""
    seconds = iter(range(10**6))
    for name in [one.name for one in cluster.fleet.members]:
        try:
            upgrade(
                name,
                WANTED,
                cluster,
                Limits(),
                Clock(lambda: float(next(seconds)), lambda _: None),
                lambda *_: None,
                [],
            )
        except Killed:
            return "killed"
        except Blocked:
            return "blocked"
        except Transient:
            return "transient"
    return "done"


@settings(max_examples=300, deadline=None)
@given(clusters(), st.lists(st.sampled_from(TROUBLES), max_size=40))
def test_no_history_stops_a_guest_or_takes_two_hosts_out(world: Fleet, troubles: list[str]) -> None:
    cluster = FakeCluster(world, WANTED)
    history = History(cluster, iter(troubles))
    somebody = {one.name for one in world.members if one.maintenance}
    people = {"power on", "power off", "maintain", "resume"} & set(troubles)
    for _ in range(len(troubles) + 1):
        if run(cluster) == "done":
            break
    history.troubles = iter(())
    ended = run(cluster)
    assert ended in ("done", "blocked")
    again = len(cluster.steps)
    assert run(cluster) == ended
    if ended == "done":
        assert len(cluster.steps) == again, "settled stays settled"
        assert all(one.runs(WANTED) for one in cluster.fleet.members)
        assert not any(one.ours for one in cluster.fleet.members)
    assert not any(one.ours and not one.out for one in cluster.fleet.members), "who is not being upgraded bears no mark"
    out = {one.name for one in cluster.fleet.members if one.maintenance and not one.ours}
    if not people:
        assert out == somebody, "hosts end in the state that they had"
        before = {one.name: one.power for one in world.vms}
        assert {one.name: one.power for one in cluster.fleet.vms} == before


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 30), st.booleans())
def test_killed_anywhere_it_goes_on_to_the_end(at: int, drs: bool) -> None:
    world = fleet(drs="fullyAutomated" if drs else "manual")
    cluster = FakeCluster(world, WANTED)
    History(cluster, iter(["none"] * at + ["kill before", "kill after"]))
    ends = [run(cluster) for _ in range(3)]
    assert ends[-1] == "done"
    assert cluster.worst_out == 1
    assert {one.name: one.power for one in cluster.fleet.vms} == {one.name: Power.ON for one in world.vms}

"""One host's way through its upgrade: what is done, in which order, and where it ends when something fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from migration.errors import Blocked, Busy, Paused, Unreachable
from migration.upgrade import Enter, Install, Leave, Mark, Move, Reboot, Step
from migration.upgrade_fleet import Connection, Fleet
from migration.upgrade_host import PAUSES, Clock, Limits, phrase, upgrade
from tests.fake_cluster import FakeCluster, lost
from tests.unit.upgrade_worlds import WANTED, fleet, member, vm


class Time:
    """A clock that goes by itself, and notes how long was slept."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def clock(self) -> Clock:
        return Clock(self.tick, self.sleep)

    def tick(self) -> float:
        self.now += 10
        return self.now

    def sleep(self, seconds: float) -> None:
        if seconds:
            self.slept.append(seconds)


def going(cluster: FakeCluster, name: str = "esx1", time: Time | None = None) -> list[str]:
    taken: list[str] = []
    upgrade(name, WANTED, cluster, Limits(), (time or Time()).clock(), lambda *_: None, taken)
    return taken


def kinds(cluster: FakeCluster) -> list[str]:
    return [type(step).__name__ for _, step in cluster.steps if type(step).__name__ != "Await"]


def blocked(cluster: FakeCluster) -> Blocked:
    with pytest.raises(Blocked) as error:
        going(cluster)
    return error.value


def test_one_host_from_beginning_to_end() -> None:
    cluster = FakeCluster(fleet(), WANTED)
    said = going(cluster)
    assert kinds(cluster) == ["Mark", "Enter", "Install", "Reboot", "Leave", "Mark"]
    assert said[1] == "put esx1 into maintenance mode"
    assert cluster.member("esx1").runs(WANTED)
    assert not cluster.member("esx1").ours
    assert going(cluster) == []


def test_vms_that_drs_leaves_to_people_are_moved_before() -> None:
    cluster = FakeCluster(fleet(drs="manual"), WANTED)
    going(cluster)
    assert kinds(cluster) == ["Mark", "Move", "Move", "Enter", "Install", "Reboot", "Leave", "Mark"]


def test_a_cluster_that_cannot_do_without_it_is_not_begun() -> None:
    cluster = FakeCluster(fleet(member("esx2", memory=20.0), member("esx3", memory=20.0)), WANTED)
    assert "upgrade.not-n-plus-1" in str(blocked(cluster))
    assert cluster.steps == []


def test_what_came_up_since_it_was_marked_is_found_before_it_leaves_service() -> None:
    cluster = FakeCluster(fleet(member("esx1", ours=True), vms=[vm("cd", "esx1", pinned="CPU affinity")]), WANTED)
    assert "upgrade.vm-pinned" in str(blocked(cluster))
    assert kinds(cluster) == ["Mark"], "it is let go, and nothing else is done"


@pytest.mark.parametrize(
    ("trouble", "identifier"), [("refusing", "fault.invalid-state"), ("reverting", "upgrade.reverted")]
)
def test_an_upgrade_that_fails_stays_in_maintenance_mode_and_goes_on_there(trouble: str, identifier: str) -> None:
    cluster = FakeCluster(fleet(), WANTED)
    getattr(cluster, trouble).add("esx1")
    assert identifier in str(blocked(cluster))
    assert cluster.member("esx1").maintenance
    assert cluster.member("esx1").ours
    getattr(cluster, trouble).clear()
    cluster.steps.clear()
    going(cluster)
    assert kinds(cluster) == ["Install", "Reboot", "Leave", "Mark"]


def test_a_host_that_does_not_come_back_stops_it_after_its_time() -> None:
    cluster = FakeCluster(fleet(), WANTED)
    cluster.dead.add("esx1")
    error = blocked(cluster)
    assert "upgrade.overdue" in str(error)
    assert "has not come back after its restart, after 2420 s" in str(error)
    cluster.dead.clear()
    assert going(cluster)[0] == "end esx1's maintenance mode"


def test_a_host_that_comes_back_disconnected_is_connected_again() -> None:
    away = member("esx1", ours=True, maintenance=True, connection=Connection.DISCONNECTED, next_image="new")
    cluster = FakeCluster(fleet(away, vms=[]), WANTED)
    going(cluster)
    assert kinds(cluster)[:2] == ["Reconnect", "Reboot"]


def test_a_datastore_that_does_not_come_back_keeps_it_in_maintenance_mode() -> None:
    cluster = FakeCluster(fleet(), WANTED)
    cluster.after = lambda step: _lose_datastores(cluster) if isinstance(step, Reboot) else None
    error = blocked(cluster)
    assert "upgrade.overdue" in str(error)
    assert "does not reach the datastores" in str(error)
    assert cluster.member("esx1").maintenance


def _lose_datastores(cluster: FakeCluster) -> None:
    cluster.set("esx1", host=replace(cluster.member("esx1").host, volumes=frozenset()))


def _failing(times: int, error: Exception, kind: type[Step]) -> Callable[[Step], None]:
    left = [times]

    def fail(step: Step) -> None:
        if isinstance(step, kind) and left[0]:
            left[0] -= 1
            raise error

    return fail


def test_what_passes_is_tried_again_a_bounded_number_of_times() -> None:
    cluster, time = FakeCluster(fleet(), WANTED), Time()
    cluster.before = _failing(2, lost(), Install)
    going(cluster, time=time)
    assert time.slept == list(PAUSES[:2])
    cluster = FakeCluster(fleet(), WANTED)
    cluster.before = _failing(99, lost(), Leave)
    with pytest.raises(Unreachable):
        going(cluster)


def test_a_host_that_is_not_emptied_stays_in_service() -> None:
    world: Fleet = fleet()
    cluster = FakeCluster(world, WANTED)
    cluster.before = _failing(99, Busy("still on it"), Enter)
    with pytest.raises(Busy):
        going(cluster)
    assert not cluster.member("esx1").maintenance
    assert not cluster.member("esx1").ours, "whoever takes it out after this has reasons of their own"


def test_a_run_that_shall_stop_stops_between_two_steps() -> None:
    cluster, taken = FakeCluster(fleet(), WANTED), list[str]()

    def sleep(_: float) -> None:
        if cluster.member("esx1").maintenance:
            raise Paused("paused")

    with pytest.raises(Paused):
        upgrade("esx1", WANTED, cluster, Limits(), Clock(lambda: 0.0, sleep), lambda *_: None, taken)
    assert kinds(cluster) == ["Mark", "Enter"]
    assert taken == ["mark esx1 as being upgraded", "put esx1 into maintenance mode"]


def test_each_step_is_said_in_words() -> None:
    said = {
        phrase(step, "esx1", WANTED)
        for step in (Mark(), Mark(on=False), Move(vm("a", "esx1"), "esx2"), Enter(), Leave())
    }
    assert len(said) == 5
    assert "vMotion of a to esx2" in said

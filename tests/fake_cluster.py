"""A cluster that is made of values: implements `migration.upgrade_host.Cluster`, keeps its rules, and lets things go wrong.

Its rules are vSphere's: nothing runs on a host in maintenance mode, only such a host is upgraded or restarted, and DRS
empties a host only of what it moves by itself. Whoever asks for something else gets an error, as from a vCenter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from migration.errors import Blocked, Busy, Unreachable
from migration.model import Concern, Power, Severity
from migration.sites import Progress
from migration.upgrade import Await, Enter, Install, Leave, Mark, Move, Reboot, Reconnect, Step
from migration.upgrade_fleet import Connection, Fleet, Member, Wanted
from migration.upgrade_host import Limits
from migration.upgrade_places import destination, refused


class Killed(BaseException):
    """The process died here: not an error that anything could catch."""


class FakeCluster:
    """`looks` is what happens at each look, such as somebody's own deed; `before` and `after` each step: it may raise."""

    def __init__(self, fleet: Fleet, wanted: Wanted) -> None:
        self.fleet = fleet
        self.wanted = wanted
        self.refusing: set[str] = set()
        self.reverting: set[str] = set()
        self.dead: set[str] = set()
        self.steps: list[tuple[str, Step]] = []
        self.looks: Callable[[], None] = lambda: None
        self.before: Callable[[Step], None] = lambda _: None
        self.after: Callable[[Step], None] = lambda _: None
        self.worst_out = 0

    def look(self, name: str) -> Fleet:
        """See migration.upgrade_host.Cluster."""
        del name
        self.looks()
        self.check()
        return self.fleet

    def perform(self, name: str, step: Step, limits: Limits, progress: Progress) -> None:
        """See migration.upgrade_host.Cluster."""
        del limits, progress
        self.before(step)
        member = self.member(name)
        self.steps.append((name, step))
        match step:
            case Mark(on):
                self.set(name, ours=on)
            case Move(vm, to):
                there = self.member(to)
                if (why := refused(vm, there, self.fleet)) or vm.power is not Power.ON:
                    raise refusal(vm.name, why or "it is off")
                self.fleet = self.fleet.moved(next(one for one in self.fleet.vms if one.name == vm.name), to)
            case Enter():
                if member.out:
                    raise refusal(name, "it is out already")
                self.evacuate(name)
                self.set(name, maintenance=True)
            case Install():
                if not member.maintenance or member.connection is not Connection.CONNECTED:
                    raise refusal(name, "it is not in maintenance mode")
                if name in self.refusing:
                    raise refusal(name, "a VIB does not fit")
                self.set(name, next_image="new")
            case Reboot():
                if not member.maintenance or member.connection is not Connection.CONNECTED:
                    raise refusal(name, "it is not in maintenance mode")
                self.set(name, connection=Connection.SILENT)
            case Reconnect():
                self.set(name, connection=Connection.CONNECTED)
            case Leave():
                if not member.maintenance:
                    raise refusal(name, "it is not in maintenance mode")
                self.set(name, maintenance=False)
            case Await():
                if member.connection is Connection.SILENT and name not in self.dead:
                    self.boot(name)
        self.check()
        self.after(step)

    def member(self, name: str) -> Member:
        found = self.fleet.member(name)
        assert found
        return found

    def set(self, name: str, **changes: object) -> None:
        self.fleet = replace(
            self.fleet,
            members=tuple(replace(one, **changes) if one.name == name else one for one in self.fleet.members),  # type: ignore[arg-type]
        )

    def boot(self, name: str) -> None:
        """Let a host come up with what was installed on it."""
        member = self.member(name)
        if member.next_image and name not in self.reverting:
            self.set(name, build=self.wanted.build, host=replace(member.host, version=self.wanted.version))
        self.set(name, connection=Connection.CONNECTED, next_image="")

    def evacuate(self, name: str) -> None:
        """Let DRS move what it moves; what is left keeps the host in service."""
        for vm in list(self.fleet.on(name)):
            to, _ = destination(vm, self.fleet, name)
            if to is None or not self.fleet.moved_by_drs(vm):
                raise Busy(f"{name}: {vm.name} is still on it")
            self.fleet = self.fleet.moved(vm, to.name)

    def check(self) -> None:
        """Hold what must always hold."""
        for one in self.fleet.members:
            if one.maintenance:
                running = [vm.name for vm in self.fleet.vms if vm.host == one.name and vm.power is Power.ON]
                assert not running, f"{running} run on {one.name}, which is in maintenance mode"
        out = [one.name for one in self.fleet.members if one.out and one.ours]
        self.worst_out = max(self.worst_out, len(out))
        assert len(out) <= 1, f"{out} are out at a time"


def refusal(subject: str, why: str) -> Blocked:
    return Blocked([Concern("fault.invalid-state", Severity.BLOCKS, subject, why, "see why")])


def lost() -> Unreachable:
    return Unreachable("no answer")

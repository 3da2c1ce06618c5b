"""One host's upgrade, from whatever it is in the middle of to its end: observe, decide, perform, and observe again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from migration.errors import Blocked, MigrationError, Paused, Transient
from migration.sites import Progress
from migration.upgrade import (
    Await,
    Done,
    Enter,
    Install,
    Leave,
    Mark,
    Move,
    Reboot,
    Reconnect,
    SoFar,
    Step,
    Stop,
    decide,
)
from migration.upgrade_concerns import Against
from migration.upgrade_fleet import Connection, Fleet, Member, Wanted
from migration.upgrade_proof import blocks, concerns

PAUSES: Final = (2.0, 5.0, 10.0, 30.0, *(60.0,) * 8)
"""Seconds before what failed in a way that may pass is looked at again; after the last one it is not.

Together they outlast an installation that a killed run has left under way on the host, which refuses a second one meanwhile.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that a host may take: to be emptied, to come back after its restart, and to get back what the others have."""

    empty: float = 7200.0
    reboot: float = 2400.0
    recover: float = 900.0


class Cluster(Protocol):
    """The cluster at its vCenter."""

    def look(self, name: str) -> Fleet:
        """Return the cluster as it is now; changes nothing. `name` is the host that is at its turn.

        Raises: MigrationError.
        """

    def perform(self, name: str, step: Step, limits: Limits, progress: Progress) -> None:
        """Carry out one step and see it through; Await returns at the first news, or after a while.

        Raises: MigrationError.
        """


@dataclass(frozen=True, slots=True)
class Clock:
    """The time that limits are measured by, in seconds, and a wait that ends, by raising Paused, where the run shall stop."""

    now: Callable[[], float]
    sleep: Callable[[float], None]


def upgrade(
    name: str, wanted: Wanted, cluster: Cluster, limits: Limits, clock: Clock, progress: Progress, taken: list[str]
) -> Member:
    """Upgrade the host and return how it is then. The steps that were taken are added to `taken`, also where it fails.

    Raises: Blocked with what an operator must act on; Paused, OutOfTime, MigrationError. The host stays as it is then, and the
    next run goes on there; one that was not taken out of service is let go.
    """
    try:
        return _upgraded(name, wanted, cluster, limits, clock, progress, taken)
    except Paused:
        raise
    except MigrationError:
        _let_go(name, cluster, limits, progress)
        raise


def _let_go(name: str, cluster: Cluster, limits: Limits, progress: Progress) -> None:
    """Take the mark from a host that is in service: who puts it into maintenance mode after this has reasons of their own."""
    with contextlib.suppress(MigrationError):  # what made the upgrade stop is what the operator is to hear
        member = cluster.look(name).member(name)
        if member and member.ours and not member.out and not member.entering:
            cluster.perform(name, Mark(on=False), limits, progress)


def _upgraded(
    name: str, wanted: Wanted, cluster: Cluster, limits: Limits, clock: Clock, progress: Progress, taken: list[str]
) -> Member:
    so_far = SoFar()
    waiting: tuple[str, float] | None = None
    failures = 0
    while True:
        clock.sleep(0)
        try:
            fleet = cluster.look(name)
            step = decide(name, wanted, fleet, so_far)
            match step:
                case Done():
                    member = fleet.member(name)
                    assert member is not None  # noqa: S101 - else it would be a Stop
                    return member
                case Stop(identifier, why, remedy):
                    raise Blocked((Against.named(identifier).concern(name, why, remedy=remedy),))
                case Await(what):
                    waiting = waiting if waiting and waiting[0] == what else (what, clock.now())
                    if clock.now() - waiting[1] > _limit(fleet.member(name), limits):
                        raise Blocked(
                            (Against.OVERDUE.concern(name, f"{what}, after {clock.now() - waiting[1]:.0f} s"),)
                        )
                case Mark(on=True) | Enter():
                    if against := [one for one in concerns(name, wanted, fleet) if blocks(one)]:
                        raise Blocked(against)
                case _:
                    pass
            words = phrase(step, name, wanted)
            progress(words, None)
            cluster.perform(name, step, limits, _of(words, progress))
        except Transient:
            if failures == len(PAUSES):
                raise
            clock.sleep(PAUSES[failures])
            failures += 1
            continue
        failures = 0
        if not isinstance(step, Await):
            taken.append(words)
            waiting = None
        so_far = replace(
            so_far,
            installed=so_far.installed or isinstance(step, Install),
            rebooted=so_far.rebooted or isinstance(step, Reboot),
        )


def _of(words: str, progress: Progress) -> Progress:
    """Return what says of a step how far it is."""
    return lambda _, percent: progress(words, percent)


def _limit(member: Member | None, limits: Limits) -> float:
    """Return how long may be waited for the host, which depends on where it stands."""
    if member is None or member.connection is not Connection.CONNECTED:
        return limits.reboot
    return limits.recover if member.maintenance else limits.empty


def phrase(step: Step, name: str, wanted: Wanted) -> str:
    """Say what a step does, in an operator's words."""
    match step:
        case Mark(on=True):
            return f"mark {name} as being upgraded"
        case Mark():
            return f"take the mark from {name}"
        case Move(vm, to):
            return f"vMotion of {vm.name} to {to}"
        case Enter():
            return f"put {name} into maintenance mode"
        case Install():
            return f"install {wanted} on {name}"
        case Reboot():
            return f"restart {name}"
        case Reconnect():
            return f"connect {name} again"
        case Leave():
            return f"end {name}'s maintenance mode"
        case Await(what):
            return f"waiting: {what}"

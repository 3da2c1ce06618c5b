"""Is the site that it goes to kept as it should be: the time of its hosts, and its licences?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from migration.concerns.moves import Move, leaving
from migration.concerns.site import SKEW
from migration.model import Severity
from migration.observation import Host, License, Observation
from migration.rule import Found, rule
from migration.wanted import VmSpec

SOON: Final = 7 * 86400.0
"""Seconds before a licence's end from which it is worth a word, where no window says when the VM moves."""
_DAY: Final = 86400.0
_FEATURES: Final = {"dvs": "distributed switches", "drs": "DRS", "vmotion": "vMotion"}


def _around(move: Move) -> list[Host]:
    """Return the hosts of the cluster that it goes to; the one it is bound to, where it is."""
    cluster = move.needed[0] if move.needed else ""
    return [host for host in move.there.hosts if host.cluster == cluster and move.only in ("", host.name)]


def _licenses(move: Move) -> Iterator[tuple[str, License]]:
    """Yield each licence that counts, with who has it."""
    if move.there.license:
        yield move.there.vcenter, move.there.license
    for host in _around(move):
        if host.license:
            yield host.name, host.license


@rule(
    "host.no-ntp",
    Severity.WARNS,
    "A host that it may go to has no time server, or does not run the service that asks it.",
    remedy="name time servers at the host, and start its NTP service with the host",
    source="U",
)
def no_ntp(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find hosts whose clock nobody sets; nothing of those that do not tell."""
    for move in leaving(spec, seen):
        for host in _around(move):
            if host.timed is False:
                yield Found("no time server sets its clock", subject=host.name)


@rule(
    "host.clock",
    Severity.WARNS,
    "The clock of a host that it may go to differs from its vCenter's by more than a minute; guests take the time of their "
    "host when they start or arrive.",
    remedy="set the host's clock, and name time servers there",
    source="U",
)
def clock(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find hosts that tell another time than their vCenter."""
    for move in leaving(spec, seen):
        for host in _around(move):
            apart = None if host.ahead is None else host.ahead - move.there.skew
            if apart is not None and abs(apart) > SKEW:
                yield Found(
                    f"its clock is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} that of {move.there.vcenter}",
                    subject=host.name,
                )


@rule(
    "license.expired",
    Severity.BLOCKS,
    "The licence, or the evaluation, of the vCenter or of a host that it may go to has ended: nothing more is powered on "
    "there.",
    remedy="assign a licence that holds",
    source="API: LicenseExpired",
    halts=False,
)
def expired(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find licences that have ended."""
    for move in leaving(spec, seen):
        for who, held in _licenses(move):
            if held.left is not None and held.left <= 0:
                yield Found(f"{_called(held)} has ended", subject=who)


@rule(
    "license.ends",
    Severity.WARNS,
    "The licence, or the evaluation, of the vCenter or of a host that it may go to ends before the wave's window does; or "
    "within a week, where there is no window.",
    remedy="assign a licence that holds for longer",
    source="API: LicenseExpired",
)
def ends(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find licences that end too early."""
    window = spec.wave.window
    for move in leaving(spec, seen):
        for who, held in _licenses(move):
            if held.left is None or held.expires is None or held.left <= 0:
                continue
            if window is not None and held.expires < window.end:
                yield Found(
                    f"{_called(held)} ends in {_days(held.left)}, before the window of wave {spec.wave.name!r} does",
                    subject=who,
                )
            elif window is None and held.left < SOON:
                yield Found(f"{_called(held)} ends in {_days(held.left)}", subject=who)


@rule(
    "license.feature",
    Severity.WARNS,
    "The licence of a host that it may go to has not all that the new site is to do there.",
    remedy="assign a licence with it, or do without it in esxodus:target",
    source="U",
)
def feature(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find features that are missing; an evaluation has all, and a licence that names none is not judged."""
    for move in leaving(spec, seen):
        cluster = move.there.cluster(move.needed[0]) if move.needed else None
        wanted = {
            "dvs": bool(set(move.networks.values()) & set(move.there.distributed)),
            "drs": bool(cluster and cluster.drs),
            "vmotion": bool(cluster and cluster.drs) or move.crosses,
        }
        for host in _around(move):
            held = host.license
            if held is None or held.evaluation or not held.features:
                continue
            if lacking := [_FEATURES[key] for key, needed in wanted.items() if needed and key not in held.features]:
                yield Found(f"{_called(held)} has no {', no '.join(lacking)}", subject=host.name)


def _called(held: License) -> str:
    return "its evaluation" if held.evaluation else f"its licence {held.name!r}"


def _days(seconds: float) -> str:
    """Return a time in the unit that tells it best."""
    return f"{seconds / _DAY:.0f} days" if seconds >= 2 * _DAY else f"{seconds / 3600:.0f} h"

"""Are the two sites ready for each other, and is there the time?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from migration import estimate
from migration.concerns.moves import copying, leaving, touched
from migration.live import number
from migration.model import Severity, Vm
from migration.observation import Observation
from migration.rule import Found, rule
from migration.wanted import Method, VmSpec

SKEW: Final = 60.0
"""Seconds that two vCenters' clocks may differ before it is worth a word."""
TAGGING: Final = (6, 5)
"""The first version of vCenter that has a service for tags."""
MINUTES: Final = 120.0
"""Seconds from which a time is said in minutes."""


@rule(
    "site.permission",
    Severity.BLOCKS,
    "Our user lacks privileges that the migration needs.",
    remedy="give the user a role with these privileges there",
    source="API: NoPermission",
    halts=False,
)
def permission(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find missing privileges; of the target only, where the VM is there already."""
    if any(True for _ in leaving(spec, seen)):
        views = list(seen.sites.values())
    else:
        views = [seen.sites[vm.site] for vm in copying(spec, seen) if vm.site in seen.sites]
    for view in views:
        lacking: dict[str, list[str]] = {}
        for thing, privilege in view.lacking:
            lacking.setdefault(thing, []).append(privilege)
        for thing, privileges in sorted(lacking.items()):
            yield Found(f"our user lacks {', '.join(sorted(privileges))} on {thing}", subject=view.vcenter)


@rule(
    "site.clock",
    Severity.WARNS,
    "The clocks of the two vCenters differ by more than a minute; logins between them and times in reports suffer.",
    remedy="set up NTP at both vCenters and their hosts",
    source="S13",
)
def clock(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find clocks that are not in step; live.clock refuses a move by vCenter where they are far apart."""
    for move in leaving(spec, seen):
        apart = abs(move.here.skew - move.there.skew)
        if apart > SKEW:
            yield Found(
                f"their clocks are {apart:.0f} s apart",
                subject=" and ".join(sorted((move.here.vcenter, move.there.vcenter))),
            )


@rule(
    "site.no-tags",
    Severity.INFORMS,
    "The vCenter that it leaves does not let tags be read, so they do not come along. Before 6.5 no API does; from then on "
    "its tag service has failed, which is a warning.",
    remedy="see that the tag service works, from 6.5 on; else note the tags that matter, and set them again at the other site",
    source="U",
)
def no_tags(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a vCenter whose tags cannot be read."""
    for move in leaving(spec, seen):
        if move.here.version and not move.here.tagging:
            fails = number(move.here.version)[:2] >= TAGGING
            yield Found(
                f"its tags cannot be read (vCenter {move.here.version})",
                severity=Severity.WARNS if fails else None,
                subject=move.here.vcenter,
            )


@rule(
    "wave.window-short",
    Severity.WARNS,
    "The wave's window is shorter than the VM is expected to take.",
    remedy="make the window longer, or use stage rehosted and copy the files in a window of their own",
    source="ours",
)
def window_short(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a window in which the VM would never be begun, or not be finished."""
    window = spec.wave.window
    if window is None:
        return
    for vm in touched(spec, seen):
        needed, length = estimate.seconds(spec, vm), window.end - window.start
        if needed > length:
            yield Found(
                f"it takes about {_long(needed)}, and the window of wave {spec.wave.name!r} is {_long(length)} long: it would "
                + ("never be begun" if _beginning(spec, vm) > length else "not be finished in it")
            )


def _beginning(spec: VmSpec, vm: Vm) -> float:
    """Return the seconds that must be left in a window for the VM to be begun, as `migration.waves.lasts` counts them."""
    copy = estimate.written(vm) / estimate.DEFAULT_RATE if estimate.files_move(spec, vm) else 0.0
    if vm.site == spec.home:
        return copy
    if spec.method is Method.XVM:
        return estimate.hooking(spec.before) + vm.memory / estimate.DEFAULT_RATE + copy
    back = copy if vm.site == spec.target else 0.0  # on the way back the files go first
    if back and not spec.before:
        return back
    return estimate.hooking(spec.before) + back + estimate.departing(spec, vm)


def _long(seconds: float) -> str:
    """Return a time in the unit that tells it best."""
    return f"{seconds:.0f} s" if seconds < MINUTES else f"{seconds / 60:.0f} min"

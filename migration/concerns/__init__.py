"""What an operator should know before a VM is touched: one function per concern.

A concern is a pure function of what is wanted and what is seen. Severities follow vCenter's own split: it blocks where
continuity or files are at risk, it warns where something may not reconnect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from migration import live
from migration.concerns import guest, identity, landing, network, storage, way_back
from migration.model import Concern, Severity
from migration.observation import Observation
from migration.wanted import Method, VmSpec

Check = Callable[[VmSpec, Observation], Iterator[Concern]]

ALL: Final[tuple[Check, ...]] = (
    identity.not_found,
    identity.ambiguous,
    identity.registered_twice,
    identity.unregistered_without_papers,
    identity.unreachable,
    identity.in_vapp,
    network.unmapped,
    network.missing_at_target,
    storage.not_brought_along,
    storage.raw_device,
    storage.shared,
    storage.nothing_to_land_on,
    guest.suspended,
    guest.question_pending,
    guest.tools_absent,
    guest.shutdown_overdue,
    guest.unhealthy,
    landing.no_host_able,
    landing.name_taken,
    way_back.papers_missing,
    way_back.hardware_too_new,
)


def concerns(spec: VmSpec, seen: Observation) -> tuple[Concern, ...]:
    """Return every concern about this VM, those that block first."""
    found = [concern for check in ALL for concern in check(spec, seen)]
    if spec.method is Method.XVM:
        found += [concern for check in live.RULES for concern in check(spec, seen)]
    order = list(Severity)
    return tuple(sorted(found, key=lambda concern: order.index(concern.severity)))


def blocking(spec: VmSpec, seen: Observation) -> tuple[Concern, ...]:
    """Return only the concerns that must be dealt with first."""
    return tuple(concern for concern in concerns(spec, seen) if concern.severity is Severity.BLOCKS)

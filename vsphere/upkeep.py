"""How a site is kept: the time and the time servers of its hosts, and the licences of these and of its vCenter."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from pyVmomi import vim

from migration.errors import MigrationError, SessionLost, Transient, Unreachable
from migration.observation import License
from vsphere.names import decoded
from vsphere.reading import read_one
from vsphere.session import Session
from vsphere.snapshot import Record

log = logging.getLogger(__name__)

READ: Final = (
    "name",
    "runtime.connectionState",
    "config.dateTimeInfo",
    "config.service.service",
    "configManager.dateTimeSystem",
)
"""What is read of a host for it, together with its links."""
AT_ONCE: Final = 8
"""Hosts that are asked the time at once: there is no bulk call for it, and each is asked once a session."""
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Care:
    """One host: seconds that its clock is ahead of ours, whether a service sets it, its licence. None: not known."""

    ahead: float | None = None
    timed: bool | None = None
    license: License | None = None


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Hosts by id, and the vCenter's own licence."""

    hosts: Mapping[str, Care] = field(default_factory=lambda: MappingProxyType({}))
    license: License | None = None


def upkeep(session: Session, hosts: Sequence[Record], skew: float) -> Upkeep:
    """Return what these hosts' properties tell, their clocks, and the licences. Changes nothing.

    `skew` is how many seconds the vCenter's clock is ahead of ours: licences end by that one.

    Raises: Transient.
    """
    found = dict(_licenses(session, skew))
    clocks = _clocks(session, hosts)
    cares = {one.moref: Care(clocks.get(one.moref), timed(one), found.get(one.moref)) for one in hosts}
    return Upkeep(cares, found.get(str(session.content.about.instanceUuid)))


def timed(host: Record) -> bool | None:
    """Say whether a service sets the host's clock by servers that are named; None where the host does not tell. Pure."""
    info, services = host.get("config.dateTimeInfo"), host.get("config.service.service")
    if info is None or services is None:
        return None
    running = {str(one.key) for one in services if one.running}
    if str(getattr(info, "systemClockProtocol", None) or "") == "ptp":
        return "ptpd" in running
    ntp = info.ntpConfig
    return bool(ntp and ntp.server) and "ntpd" in running


def _clocks(session: Session, hosts: Sequence[Record]) -> dict[str, float]:
    """Return how many seconds each connected host's clock is ahead of ours, by its id, less half of the time of the answer.

    Raises: Transient.
    """

    def ask(host: Record) -> float | None:
        name = decoded(str(host.get("name")))
        system: Any = host.get("configManager.dateTimeSystem")

        def asking() -> float:
            asked = time.time()
            theirs = system.QueryDateTime()
            return float(theirs.timestamp()) - (asked + time.time()) / 2

        try:
            return session.read(f"{name}: asking the time", asking)
        except (SessionLost, Unreachable):
            raise
        except MigrationError as error:  # of a host that has just gone: what is not known is no reason to stop
            log.warning("%s: it cannot be asked the time: %s", name, error)
            return None

    asked = [
        host
        for host in hosts
        if str(host.get("runtime.connectionState")) == "connected" and host.get("configManager.dateTimeSystem")
    ]
    if not asked:
        return {}
    with ThreadPoolExecutor(min(AT_ONCE, len(asked))) as pool:
        answers = list(pool.map(ask, asked))
    return {host.moref: ahead for host, ahead in zip(asked, answers, strict=True) if ahead is not None}


def _licenses(session: Session, skew: float) -> Iterator[tuple[str, License]]:
    """Yield what is assigned, by the id of a host or the UUID of the vCenter; nothing where it cannot be asked.

    Raises: Transient.
    """
    path = "licenseAssignmentManager"
    source: Any = session.content.licenseManager
    try:
        found = read_one(session, source, vim.LicenseManager, (path,)) if source is not None else None
        assigned: Any = (found or {}).get(path)
        if assigned is None:
            return
        answer = session.read("reading licences", assigned.QueryAssignedLicenses)
    except Transient:
        raise
    except MigrationError as error:
        log.warning("%s: its licences cannot be read: %s", session.endpoint, error)
        return
    now = time.time()
    for one in answer or ():
        yield str(one.entityId), license_of(one, now, skew)


def license_of(assignment: Any, now: float, skew: float) -> License:
    """Return a licence as the API has it. `now` is seconds since 1970 by our clock, `skew` as above. Pure.

    When it ends is among the properties of an evaluation, of the assignment or of the licence (vim.LicenseManager).
    """
    info = assignment.assignedLicense
    properties = [*(info.properties or ()), *(assignment.properties or ())]
    every = [inner for one in properties for inner in (one, *_nested(one.value))]
    left = _left(every, now + skew)
    return License(
        name=str(info.name),
        evaluation=str(info.editionKey) == "eval",
        left=left,
        expires=None if left is None else now + left,
        features=frozenset(str(one.value.key) for one in properties if str(one.key) == "feature"),
    )


def _nested(value: Any) -> Iterable[Any]:
    return value.properties or () if isinstance(value, vim.LicenseManager.EvaluationInfo) else ()


def _left(properties: Iterable[Any], now: float) -> float | None:
    """Return the seconds that are left at `now`, by the vCenter's clock; None where it never ends."""
    told = {str(one.key): one.value for one in properties}
    date = told.get("expirationDate")
    if isinstance(date, datetime):
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    hours = told.get("expirationHours")
    return float(hours) * _HOUR if isinstance(hours, int) else None

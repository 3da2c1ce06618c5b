"""What of a site is asked once per session and not followed: what changes rarely, is heavy, or comes by no update.

Asked anew after a new login, and where hosts or datacenters have come or gone; the locks on VMs every minute, and tags after a
while where their service has failed.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from pyVmomi import vim

from migration.evc_modes import Mode
from migration.metadata import Tag
from vsphere import locks, privileges, tagging, upkeep
from vsphere.evc_modes import modes
from vsphere.links import NETWORK, links
from vsphere.names import numbers
from vsphere.reading import collect, read_one
from vsphere.session import Session
from vsphere.snapshot import Snapshot
from vsphere.upkeep import Upkeep

_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})
_REST: Final = (6, 5)
"""The first API version with a REST service for tags."""
TAGS_AGAIN: Final = 300.0
"""Seconds after which a tag service that has failed is tried again."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The answers. `skew` is seconds, `roles` are names by id, `links` by host id, `tags` and `locks` by VM id.

    `tags` None: there are none that can be read.
    """

    version: str = ""
    build: str = ""
    skew: float = 0.0
    modes: tuple[Mode, ...] = ()
    roles: Mapping[int, str] = field(default_factory=lambda: _NOTHING)
    lacking: tuple[tuple[str, str], ...] = ()
    links: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    tags: Mapping[str, frozenset[Tag]] | None = None
    locks: locks.Locks = field(default_factory=lambda: _NOTHING)
    upkeep: Upkeep = field(default_factory=Upkeep)


class Inquiry:
    """One site's standing facts. Thread-safe: whoever comes first asks, the others wait for the answer."""

    def __init__(self, session: Session, latest: Callable[[], Snapshot]) -> None:
        """Remember whom to ask; nothing is asked yet. `latest` returns what is known of the site at the moment."""
        self._session = session
        self._latest = latest
        self._lock = threading.Lock()
        self._for: tuple[int, frozenset[str]] | None = None
        self._edition = -1
        self._locks_until = 0.0
        self._tags_until = math.inf
        self._locks_seen: locks.Locks | None = None
        self._standing = Standing()

    def standing(self, snapshot: Snapshot) -> Standing:
        """Return the answers, asking where that is due.

        Raises: MigrationError.
        """
        if self._edition == snapshot.edition and time.monotonic() < min(self._locks_until, self._tags_until):
            return self._standing
        with self._lock:
            places = (record.moref for kind in (vim.HostSystem, vim.Datacenter) for record in snapshot.of(kind))
            due = (self._session.logins, frozenset(places))
            if self._for != due:
                self._standing = _ask(self._session, snapshot)
                self._for = due
                self._locks_until = 0.0
                self._tags_until = self._retry()
            if time.monotonic() >= self._tags_until:
                self._standing = replace(self._standing, tags=tagging.read(self._session.endpoint))
                self._tags_until = self._retry()
            if time.monotonic() >= self._locks_until:
                self._read_locks()
            self._edition = snapshot.edition
            return self._standing

    def _retry(self) -> float:
        """Return when tags are to be read again: in a while where there is a service that has failed."""
        failed = self._standing.tags is None and numbers(self._standing.version) >= _REST
        return time.monotonic() + TAGS_AGAIN if failed else math.inf

    def _read_locks(self) -> None:
        """Read the locks; of a later reading those count that last. At the first one no task is ours yet."""
        found = locks.read(self._session, self._latest)
        lasting = found if self._locks_seen is None else locks.lasting(found, self._locks_seen)
        self._locks_seen = found
        if lasting != self._standing.locks:
            self._standing = replace(self._standing, locks=lasting)
        self._locks_until = time.monotonic() + (locks.HOLDS if lasting == found else locks.SOON)

    def tagged(self, vm: str, tags: frozenset[Tag]) -> None:
        """Say which tags the VM with this id has by now."""
        with self._lock:
            if self._standing.tags is None:
                self._for, self._edition = None, -1  # they can be read after all: all of them are, at the next look
                return
            known = {one: found for one, found in self._standing.tags.items() if one != vm}
            self._standing = replace(self._standing, tags={**known, vm: tags})


def _ask(session: Session, snapshot: Snapshot) -> Standing:
    about = session.content.about
    api = numbers(str(about.apiVersion))
    hosts = collect(session, "reading hosts", vim.HostSystem, (*NETWORK, *upkeep.READ))
    skew = _skew(session)
    return Standing(
        version=str(about.version),
        build=str(about.build),
        skew=skew,
        modes=_modes(session),
        roles=_roles(session),
        lacking=privileges.lacking(session, session.endpoint.name, snapshot, api),
        links={host.moref: links(host) for host in hosts},
        tags=tagging.read(session.endpoint) if api >= _REST else None,
        upkeep=upkeep.upkeep(session, hosts, skew),
    )


def _skew(session: Session) -> float:
    """Return how many seconds the vCenter's clock is ahead of ours; half of the time that the answer took is allowed for."""
    service = session.object(vim.ServiceInstance, "ServiceInstance")

    def ask() -> float:
        asked = time.time()
        theirs = service.CurrentTime()
        return float(theirs.timestamp()) - (asked + time.time()) / 2

    return session.read("asking the time", ask)


def _modes(session: Session) -> tuple[Mode, ...]:
    service = session.object(vim.ServiceInstance, "ServiceInstance")
    path = "capability.supportedEVCMode"
    return modes((read_one(session, service, vim.ServiceInstance, (path,)) or {}).get(path, ()))


def _roles(session: Session) -> Mapping[int, str]:
    authorization = session.content.authorizationManager
    if authorization is None:
        return {}
    found = read_one(session, authorization, vim.AuthorizationManager, ("roleList",)) or {}
    return {int(role.roleId): str(role.name) for role in found.get("roleList", ())}

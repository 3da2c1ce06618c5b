"""Which calls changed something: every write to a vCenter, when, on what, and how it ended. No arguments: one may be secret.

Whatever makes a call (SOAP: vsphere.session, REST: tagging), it passes `writing`. Each VM is carried by one thread, so what a
thread does between the ends of `recording` is what was done for its VM.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

log = logging.getLogger(__name__)

READS: Final = frozenset(
    {
        # the session, and what belongs to it alone: views, filters, collectors
        "RetrieveServiceContent", "Login", "Logout", "CurrentTime", "SessionIsActive",
        "CreateContainerView", "DestroyView", "CreatePropertyCollector", "DestroyPropertyCollector", "CreateFilter",
        "WaitForUpdatesEx", "CancelWaitForUpdates", "RetrieveProperties", "RetrievePropertiesEx",
        "ContinueRetrievePropertiesEx", "Fetch",
        # questions
        "FindByDatastorePath",
    "FindByUuid", "SearchDatastoreSubFolders_Task", "QueryUnresolvedVmfsVolume", "EvcManager",
        "RetrieveDiskPartitionInfo",
        "QueryUnresolvedVmfsVolumes", "CheckConfigureEvcMode_Task", "HasPrivilegeOnEntities", "HasUserPrivilegeOnEntities",
        "RetrieveDasAdvancedRuntimeInfo", "QueryOptions", "QueryDateTime", "QueryAssignedLicenses",
        "QueryConnectionInfoViaSpec",
        "FetchUserPrivilegeOnEntities", "RetrieveEntityPermissions", "RetrieveAllPermissions", "RetrieveRolePermissions",
        # vCenter looks again; nothing becomes another
        "RefreshDatastore", "RefreshDatastoreStorageInfo", "RefreshStorageSystem",
    }
)  # fmt: skip
"""Methods, as they are named on the wire, that change nothing. Any other is a write: it is suspected until it is known."""

UNLISTED: Final = frozenset(
    {"RetrieveManagedMethodExecuter", "esxcli software profile get", "esxcli software sources profile list"}
)
"""What changes nothing either and is in no public description of the API: esxcli, and the way to it (vsphere.esxcli)."""

SENT: Final = "sent"
"""How a call ended whose answer was not waited for."""
STARTED: Final = "started"
"""How a call ended whose task was not followed to its end."""
OK: Final = "ok"


@dataclass(frozen=True, slots=True)
class Entry:
    """One call. `ended` is `ok`, `started`, `sent`, or the name of the fault; `task` is its task's id, "" where it has none."""

    time: datetime
    site: str
    method: str
    object: str
    task: str = ""
    ended: str = SENT

    def __str__(self) -> str:
        """Give the line for a log."""
        task = f" ({self.task})" if self.task else ""
        return f"{self.plain()['time']} {self.site} {self.method} {self.object}{task}: {self.ended}"

    def plain(self) -> dict[str, str]:
        """Return it as JSON has it; the time in UTC, to the millisecond."""
        return {
            "time": self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "site": self.site,
            "method": self.method,
            "object": self.object,
            "task": self.task,
            "ended": self.ended,
        }


_open: ContextVar[tuple[list[Entry], ...]] = ContextVar("audit", default=())


@contextmanager
def recording() -> Iterator[list[Entry]]:
    """Give the list that this thread's writes are appended to, in order, until the block ends. Blocks may be nested."""
    entries: list[Entry] = []
    before = _open.set((*_open.get(), entries))
    try:
        yield entries
    finally:
        _open.reset(before)


@contextmanager
def writing(site: str, method: str, thing: str) -> Iterator[Callable[[str], None]]:
    """Record the call that the block makes; what it gives is to be told the id of the task that the call has started."""
    entry = Entry(datetime.now(UTC), site, method, thing)
    for entries in _open.get():
        entries.append(entry)
    now = entry

    def started(task: str) -> None:
        nonlocal now
        now = _put(now, replace(now, task=task, ended=STARTED))

    try:
        yield started
    except BaseException as error:
        _put(now, replace(now, ended=type(error).__name__.rpartition(".")[2]))
        raise
    if not now.task:
        _put(now, replace(now, ended=OK))


def ended(site: str, task: str, how: str) -> None:
    """Record how a task ended that this thread has started, and followed."""
    for entries in _open.get():
        for entry in entries:
            if (entry.site, entry.task) == (site, task):
                _put(entry, replace(entry, ended=how))
                return


def _put(before: Entry, now: Entry) -> Entry:
    """Put the entry in the place of what it was before, in every list that has it."""
    for entries in _open.get():
        for index, entry in enumerate(entries):
            if entry is before:
                entries[index] = now
    if now.ended != STARTED:
        log.debug("%s", now)
    return now

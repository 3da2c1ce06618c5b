"""A site read in bulk and followed by updates: one thread, one filter, one WaitForUpdatesEx at a time.

Objects come through container views, tasks through TaskManager.recentTask. Between updates reading costs no call. After a
lost session or connection everything is read anew; meanwhile nothing old is given out as if it were fresh.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from pyVmomi import vim, vmodl

from migration.errors import MigrationError, SessionLost, Transient, Unexpected
from vsphere import faults
from vsphere.names import decoded
from vsphere.properties import FIELDS, TASK, followed
from vsphere.reading import collect, read_one
from vsphere.session import Session, moref
from vsphere.snapshot import Record, Snapshot, field_names

log = logging.getLogger(__name__)

LONGEST_WAIT: Final = 60
"""Seconds after which the server answers WaitForUpdatesEx although nothing has changed; keeps the session alive too."""
BACK_OFF: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, 30.0, 30.0)
"""Seconds between attempts to read anew after the connection was lost; after the last one the error is surfaced."""
_FAREWELL: Final = 5.0
"""Seconds to wait for the thread at the end."""
_PAGE: Final = 500
"""Object updates per answer: a larger site comes in several."""

_PC = vmodl.query.PropertyCollector


class News:
    """Counts what has become known at any of several sites, and wakes who waits for more."""

    def __init__(self) -> None:
        """Start at version 0: nothing known."""
        self.condition = threading.Condition()
        self.version = 0

    def spread(self) -> None:
        """Say that something new is known."""
        with self.condition:
            self.version += 1
            self.condition.notify_all()


class Watch:
    """One site, followed. Thread-safe. The thread starts with the first question and ends with the process."""

    def __init__(self, session: Session, news: News) -> None:
        """Remember whom to watch and whom to tell."""
        self.session = session
        self.followed: set[str] = set()
        """Ids of the tasks that this process follows itself."""
        self.news = news
        self._snapshot: Snapshot | None = None
        self._error: MigrationError | None = None
        self._thread: threading.Thread | None = None
        self._collector: vmodl.query.PropertyCollector | None = None
        self._ending = threading.Event()

    def snapshot(self, pause: Callable[[], None] = lambda: None) -> Snapshot:
        """Return what is known; blocks until the site has been read. `pause` is called now and then, and may raise.

        Raises: Refused, Unreachable, SessionLost, Unexpected; the next call tries anew.
        """
        condition = self.news.condition
        with condition:
            while True:
                if self._error:
                    error, self._error = self._error, None
                    raise error
                if self._snapshot is not None:
                    return self._snapshot
                if self._ending.is_set() or self.session.closed:
                    raise SessionLost(f"{self.session.endpoint}: the session was closed")
                if self._thread is None or not self._thread.is_alive():
                    name = f"watch {self.session.endpoint.name}"
                    self._thread = threading.Thread(target=self._watch, name=name, daemon=True)
                    self._thread.start()
                condition.wait(0.2)
                pause()

    def name(self, key: str) -> str:
        """Return the name of the object with this id as people write it, "" where it is not known (yet); costs no call."""
        record = self._snapshot.record(key) if self._snapshot else None
        return decoded(str(record.get("name", ""))) if record else ""

    def reread(self, ref: vim.ManagedEntity) -> None:
        """Read one object directly and keep what it says, for where an update fails to come.

        Raises: MigrationError.
        """
        paths = [path for kind, paths in self._paths().items() if isinstance(ref, kind) for path in paths]
        values = self.read_one(ref, type(ref), tuple(paths))
        with self.news.condition:
            if self._snapshot is not None:
                record = None if values is None else Record(ref, values)
                self._snapshot = self._snapshot.reread(record, moref(ref))
        self.news.spread()

    def refresh(self, kinds: Sequence[type[vim.ManagedEntity]]) -> None:
        """Read every object of these kinds directly, if the site is being followed: what changed just now is then known.

        Raises: MigrationError.
        """
        if self._snapshot is None:
            return
        found = [
            record
            for kind in kinds
            for record in collect(self.session, "reading what has changed", kind, self._paths()[kind])
        ]
        with self.news.condition:
            if self._snapshot is not None:
                self._snapshot = self._snapshot.refreshed(found)
        self.news.spread()

    def reread_fields(self) -> None:
        """Read the definitions of custom attributes directly: a vCenter may not report a new one as an update.

        Raises: MigrationError.
        """
        manager = self.session.content.customFieldsManager
        values = self.read_one(manager, vim.CustomFieldsManager, (FIELDS,)) or {}
        names = field_names(values.get(FIELDS, ()))
        with self.news.condition:
            if self._snapshot is not None:
                self._snapshot = self._snapshot.renamed(names)
        self.news.spread()

    def read_one(self, ref: Any, kind: type, paths: tuple[str, ...]) -> dict[str, Any] | None:
        """Return the properties of one object by a call of its own, or None where it is gone.

        Raises: MigrationError.
        """
        return read_one(self.session, ref, kind, paths)

    def end(self) -> None:
        """Stop following, for good, before the session is closed."""
        self._ending.set()
        thread, until = self._thread, time.monotonic() + _FAREWELL
        while thread is not None and thread.is_alive() and time.monotonic() < until:
            collector = self._collector
            if collector is not None:
                with contextlib.suppress(*faults.TRANSPORT):
                    collector.CancelWaitForUpdates()  # without effect where the thread is not waiting just then
            thread.join(0.1)

    def _paths(self) -> Mapping[type[vim.ManagedEntity], tuple[str, ...]]:
        return followed(str(self.session.content.about.apiVersion))

    def _watch(self) -> None:
        try:
            self._run()
        except Exception as error:
            self._surface(Unexpected(f"following {self.session.endpoint} failed: {error!r}"))
            raise
        finally:
            self.session.drop()

    def _run(self) -> None:
        """Follow until that fails for good, then leave the error for the next who asks."""
        failures = 0
        while not self._ending.is_set():
            started = time.monotonic()
            try:
                self._follow()
            except Transient as error:
                known = self._forget()
                if self._ending.is_set() or self.session.closed:
                    return
                failures = 1 if known and time.monotonic() - started > LONGEST_WAIT else failures + 1
                if (not known and failures == 1) or failures > len(BACK_OFF):
                    self._surface(error)
                    return
                log.warning("%s; reading it anew", error)
                self._ending.wait(0 if isinstance(error, SessionLost) else BACK_OFF[failures - 1])
            except MigrationError as error:
                self._forget()
                self._surface(error)
                return

    def _forget(self) -> bool:
        """Drop the snapshot, for it may be out of date; say whether there was one."""
        with self.news.condition:
            known = self._snapshot is not None
            self._snapshot = None
        return known

    def _surface(self, error: MigrationError) -> None:
        with self.news.condition:
            self._error = error
            self._thread = None
        self.news.spread()

    def _follow(self) -> None:
        """Read everything, then follow the updates until the session or the connection is lost."""
        session = self.session
        with self._filtered() as collector:
            login = session.logins
            version = ""
            pending: list[Any] = []
            options = _PC.WaitOptions(maxWaitSeconds=LONGEST_WAIT, maxObjectUpdates=_PAGE)
            while not self._ending.is_set():
                try:
                    updates = collector.WaitForUpdatesEx(version, options)
                except faults.TRANSPORT as cause:
                    error = faults.translated(cause, session.endpoint, "following its inventory")
                    if isinstance(error, SessionLost):
                        session.renew(login)  # the filter went with the session: the next round makes a new one
                    raise error from cause
                if updates is None:
                    continue
                version = updates.version
                pending += [one for found in updates.filterSet or () for one in found.objectSet or ()]
                if not updates.truncated:
                    self._publish(pending)
                    pending = []

    def _publish(self, updates: list[Any]) -> None:
        """Apply the updates to what is known by now: `reread` may have added to it meanwhile."""
        with self.news.condition:
            # Editions go on from the clock, so that none is met twice after everything was read anew.
            before = self._snapshot or Snapshot(edition=time.monotonic_ns())
            snapshot = self._snapshot = before.updated(updates)
        if snapshot.unnamed(updates):
            self.reread_fields()
        self.news.spread()

    @contextlib.contextmanager
    def _filtered(self) -> Iterator[vmodl.query.PropertyCollector]:
        """A collector of our own with the one filter; both are given back where the connection still stands."""
        session = self.session
        content = session.content
        views = content.viewManager
        if views is None or content.taskManager is None or content.customFieldsManager is None:
            raise Unexpected(f"{session.endpoint} offers no inventory to follow; is it a vCenter?")

        def prepare() -> tuple[vmodl.query.PropertyCollector, vim.view.ContainerView]:
            view = views.CreateContainerView(content.rootFolder, list(self._paths()), True)
            collector = content.propertyCollector.CreatePropertyCollector()
            collector.CreateFilter(_filter(content, view, self._paths()), False)
            return collector, view

        collector, view = session.read("preparing to follow its inventory", prepare)
        self._collector = collector
        try:
            yield collector
        finally:
            self._collector = None
            with contextlib.suppress(*faults.TRANSPORT, MigrationError):
                collector.DestroyPropertyCollector()
                view.DestroyView()


def _filter(
    content: vim.ServiceInstanceContent,
    view: vim.view.ContainerView,
    paths_of: Mapping[type[vim.ManagedEntity], tuple[str, ...]],
) -> vmodl.query.PropertyCollector.FilterSpec:
    """Return the one filter: the view's objects, the recent tasks, the definitions of custom attributes."""
    of_view = _PC.TraversalSpec(name="view", type=vim.view.ContainerView, path="view", skip=False)
    of_tasks = _PC.TraversalSpec(name="tasks", type=vim.TaskManager, path="recentTask", skip=False)
    return _PC.FilterSpec(
        objectSet=[
            _PC.ObjectSpec(obj=view, skip=True, selectSet=[of_view]),
            _PC.ObjectSpec(obj=content.taskManager, skip=False, selectSet=[of_tasks]),
            _PC.ObjectSpec(obj=content.customFieldsManager, skip=False),
        ],
        propSet=[
            *(_PC.PropertySpec(type=kind, pathSet=list(paths)) for kind, paths in paths_of.items()),
            _PC.PropertySpec(type=vim.Task, pathSet=list(TASK)),
            _PC.PropertySpec(type=vim.TaskManager, pathSet=["recentTask"]),
            _PC.PropertySpec(type=vim.CustomFieldsManager, pathSet=[FIELDS]),
        ],
        reportMissingObjectsInResults=True,
    )

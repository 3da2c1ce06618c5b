"""One session per vCenter and process: opened on first use, renewed in one place, closed when the process ends.

A call is made through `Session.read` or `Session.send`. After a lost session both log in again, once; only `read` then repeats
the call, because nobody but the caller can tell whether repeating one that changes something is right.
"""

from __future__ import annotations

import atexit
import http.client
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

from pyVmomi import vim

from migration.errors import MigrationError, Refused, SessionLost, Unexpected, Unreachable
from vsphere import faults, tls
from vsphere.soap import best_version, client
from vsphere.soap import moref as moref  # what most of this package needs of it
from vsphere.tls import Endpoint

if TYPE_CHECKING:
    from pyVmomi.VmomiSupport import ManagedObject

T = TypeVar("T")
M = TypeVar("M", bound="ManagedObject")

log = logging.getLogger(__name__)

PATIENCE: Final = 120.0
"""Seconds without a byte after which an ordinary call counts as lost. WaitForUpdatesEx answers at least every minute."""
LONG_PATIENCE: Final = 900.0
"""The same for calls that are no tasks and yet take minutes, such as a rescan of all host bus adapters."""
_STILL_DOWN: Final = 3.0
"""Seconds for which a vCenter that did not answer is not tried again, though many VMs ask for it."""


class Session:
    """The session with one vCenter. Thread-safe; many calls may run at once."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Remember where to log in. Nothing is contacted before the first call."""
        self.endpoint = endpoint
        self.name: Callable[[str], str] = lambda _: ""
        """Gives the name of an object by its id, for the record of what was done; set by who knows the inventory."""
        self.parts: dict[str, str] = {}
        """Names by id of what is no object of the inventory, but a service of one host or cluster: those of its owner."""
        self._lock = threading.Lock()
        self._stub: Any = None
        self._slow: Any = None
        self._content: vim.ServiceInstanceContent | None = None
        self._logins = 0
        self._logged_in = False
        self._closed = False
        self._refused: Refused | None = None
        self._down: tuple[float, Unreachable] | None = None

    @property
    def content(self) -> vim.ServiceInstanceContent:
        """The vCenter's service objects; logs in if need be.

        Raises: Refused, Unreachable.
        """
        with self._lock:
            return self._open()

    def object(self, kind: type[M], moref: str) -> M:
        """Return the managed object with this id, for calls."""
        with self._lock:
            self._open()
            return kind(moref, self._stub)

    def patient(self, thing: M) -> M:
        """Return the same managed object for a call that may take many minutes to answer."""
        with self._lock:
            self._open()
            return type(thing)(moref(thing), self._slow)

    def read(self, doing: str, call: Callable[[], T], subject: str = "") -> T:
        """Make a call that changes nothing; after a lost session it is repeated once. `doing` says what for, in messages.

        Raises: MigrationError.
        """
        return self._call(doing, call, subject, repeat=True)

    def send(self, doing: str, call: Callable[[], T], subject: str = "", other: Endpoint | None = None) -> T:
        """Make a call that changes something: it is sent once. `other` is the vCenter that this one is to log in to for it.

        Raises: MigrationError. SessionLost says that the call had no effect; Unreachable leaves open whether it had.
        """
        return self._call(doing, call, subject, repeat=False, other=other)

    def download(self, path: str, query: dict[str, str], limit: int) -> bytes | None:
        """Return a file that the vCenter serves over HTTPS, or None where there is none, or one of more than `limit` bytes.

        Raises: Refused, SessionLost, Unreachable, Unexpected.
        """
        answer = self._get(path, query, limit)
        if answer[0] in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            self.renew(self._logins)
            answer = self._get(path, query, limit)
        status, body = answer
        if status == http.client.OK and len(body) > limit:
            log.warning(
                "%s: %s %s has more than %d bytes: not read", self.endpoint, query.get("dsName", ""), path, limit
            )
            return None  # half of it could say anything
        if status == http.client.OK:
            return body
        if status == http.client.NOT_FOUND:
            return None
        what = f"{self.endpoint}: reading {query.get('dsName', '')} {path}"
        if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            raise Refused(
                f"{what} is refused; user {self.endpoint.username} needs Datastore.Browse and low level file access"
            )
        if status >= http.client.INTERNAL_SERVER_ERROR:
            raise Unreachable(f"{what} failed with HTTP status {status}")
        raise Unexpected(f"{what} failed with HTTP status {status}")

    def renew(self, seen: int) -> None:
        """Log in again, unless another thread has done so since login number `seen`.

        Raises: Refused, Unreachable.
        """
        with self._lock:
            if self._logins == seen:
                self._logged_in = False
            self._open()

    @property
    def logins(self) -> int:
        """How often it has logged in so far."""
        return self._logins

    @property
    def closed(self) -> bool:
        """Whether it has been closed for good."""
        return self._closed

    def close(self) -> None:
        """Log out, for good."""
        with self._lock:
            self._closed = True
            self._drop()
            if self._content is None or not self._logged_in or not self._content.sessionManager:
                return
            self._logged_in = False
            try:
                self._content.sessionManager.Logout()
            except (*faults.TRANSPORT, MigrationError) as error:
                log.debug("%s: logout: %s", self.endpoint, error)
            self._drop()

    def drop(self) -> None:
        """Close the connections that are kept for reuse."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        for stub in (self._stub, self._slow):
            if stub is not None:
                stub.DropConnections()

    def _call(
        self, doing: str, call: Callable[[], T], subject: str, *, repeat: bool, other: Endpoint | None = None
    ) -> T:
        _ = self.content
        login = self._logins
        try:
            try:
                return call()
            except vim.fault.NotAuthenticated:
                log.info("%s: the session has ended, logging in again", self.endpoint)
                self.renew(login)
                if not repeat:
                    raise
                return call()
        except faults.TRANSPORT as error:
            raise faults.translated(error, self.endpoint, doing, subject, other) from error

    def _open(self) -> vim.ServiceInstanceContent:
        """Log in where that is needed; the lock is held."""
        if self._logged_in and self._content is not None:
            return self._content
        if self._closed:
            raise SessionLost(f"{self.endpoint}: the session was closed")
        if self._refused:
            raise Refused(str(self._refused))  # asking again with the same password would lock the account
        if self._down and time.monotonic() - self._down[0] < _STILL_DOWN:
            raise Unreachable(str(self._down[1]))
        try:
            if self._content is None:
                version = best_version(self.endpoint)
                self._stub = client(self.endpoint, version, PATIENCE, self._named)
                self._slow = client(self.endpoint, version, LONG_PATIENCE, self._named)
                self._content = vim.ServiceInstance("ServiceInstance", self._stub).RetrieveContent()
            self._login(self._content)
        except (*faults.TRANSPORT, MigrationError) as cause:
            error = faults.translated(cause, self.endpoint, "logging in")
            self._drop()
            if isinstance(error, Refused):
                self._refused = error
            elif isinstance(error, Unreachable):
                self._down = (time.monotonic(), error)
            raise error from cause
        return self._content

    def _named(self, key: str) -> str:
        return self.name(key) or self.parts.get(key, "")

    def _login(self, content: vim.ServiceInstanceContent) -> None:
        if content.sessionManager is None:
            raise Unexpected(f"{self.endpoint} offers no login")
        self._stub.SetSessionId(None)
        user = content.sessionManager.Login(self.endpoint.username, self.endpoint.password, "en_US")
        self._slow.SetSessionId(self._stub.GetSessionId())
        self._slow.cookie = self._stub.cookie
        self._logins += 1
        self._logged_in = True
        log.info(
            "%s: logged in as %s to %s, session %s…",
            self.endpoint,
            user.userName,
            content.about.fullName,
            user.key[:6],
        )

    def _get(self, path: str, query: dict[str, str], limit: int) -> tuple[int, bytes]:
        _ = self.content
        cookie = str(self._stub.cookie)
        peer = tls.connection(self.endpoint, PATIENCE)
        try:
            peer.request("GET", f"{path}?{urlencode(query)}", headers={"Cookie": cookie.partition(";")[0]})
            answer = peer.getresponse()
            return answer.status, answer.read(limit + 1)
        except (OSError, http.client.HTTPException) as error:
            raise tls.unreachable(self.endpoint, error) from error
        finally:
            peer.close()


_sessions: dict[Endpoint, Session] = {}
_sessions_lock = threading.Lock()


def session(endpoint: Endpoint) -> Session:
    """Return this process's session with the endpoint; the same one for the same endpoint."""
    with _sessions_lock:
        return _sessions.setdefault(endpoint, Session(endpoint))


def close(endpoint: Endpoint) -> None:
    """Close this process's session with the endpoint, if there is one."""
    with _sessions_lock:
        opened = _sessions.pop(endpoint, None)
    if opened is not None:
        opened.close()


def close_all() -> None:
    """Close every session; also done when the process ends."""
    with _sessions_lock:
        opened = list(_sessions)
    for endpoint in opened:
        close(endpoint)


atexit.register(close_all)

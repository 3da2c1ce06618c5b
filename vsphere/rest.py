"""The REST API that a vCenter 6.5 or later has beside SOAP, over the same verified TLS: a session for a few calls."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import logging
import re
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final

from migration.errors import MigrationError, Refused, Unexpected, Unreachable
from vsphere import audit, tls
from vsphere.tls import Endpoint

log = logging.getLogger(__name__)

_SESSION: Final = "/rest/com/vmware/cis/session"
_HEADER: Final = "vmware-api-session-id"
_IDENTIFIER: Final = re.compile(r"/id:[^/?]+")
_PATIENCE: Final = 60.0
"""Seconds without a byte after which a call counts as lost."""
LONGEST: Final = 1 << 26
"""Bytes that an answer may have."""


class RestError(Unexpected):
    """The vCenter answered with an error; `kind` is its name, such as "already_exists", `status` that of HTTP."""

    def __init__(self, message: str, kind: str, status: int) -> None:
        """Keep what it is."""
        super().__init__(message)
        self.kind = kind
        self.status = status


class Rest:
    """One session and one connection; not for several threads. Use it in a `with` statement.

    Every call may raise Refused, Unreachable and RestError.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        """Remember where to log in. Nothing is contacted yet."""
        self.endpoint = endpoint
        self._peer = tls.connection(endpoint, _PATIENCE)
        self._id = ""

    def __enter__(self) -> Rest:
        """Log in."""
        user = f"{self.endpoint.username}:{self.endpoint.password}".encode()
        headers = {"Authorization": "Basic " + base64.b64encode(user).decode("ascii")}
        try:
            self._id = str(self._call("POST", _SESSION, None, headers))
        except MigrationError:
            self._peer.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Log out."""
        with contextlib.suppress(MigrationError):
            self._call("DELETE", _SESSION)
        self._peer.close()

    def read(self, path: str) -> Any:
        """Return what is at the path."""
        return self._call("GET", path)

    def ask(self, path: str, body: Any = None) -> Any:
        """Return the answer to a question that needs a body; changes nothing."""
        return self._call("POST", path, body if body is not None else {})

    def change(self, path: str, body: Any, thing: str) -> Any:
        """Make a call that changes something, named `thing` in the record of what was done; it is sent once."""
        with audit.writing(self.endpoint.name, f"POST {_IDENTIFIER.sub('', path)}", thing):
            return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        sent = {"Accept": "application/json", **(headers or {})}
        if self._id:
            sent[_HEADER] = self._id
        content = None
        if body is not None:
            content = json.dumps(body)
            sent["Content-Type"] = "application/json"
        try:
            self._peer.request(method, path, content, sent)
            answer = self._peer.getresponse()
            text = answer.read(LONGEST + 1)
        except (OSError, http.client.HTTPException) as error:
            raise tls.unreachable(self.endpoint, error) from error
        return self._value(path, answer.status, text)

    def _value(self, path: str, status: int, text: bytes) -> Any:
        if len(text) > LONGEST:
            raise RestError(f"{self.endpoint}: {path}: the answer is longer than {LONGEST} bytes", "too long", status)
        try:
            data = json.loads(text) if text.strip() else {}
        except (ValueError, RecursionError):
            data = {}
        if not isinstance(data, dict):
            data = {"value": data}
        if status == http.client.OK:
            return data.get("value")
        kind = str(data.get("type", "")).rpartition(".")[2] or f"HTTP status {status}"
        what = f"{self.endpoint}: {path.partition('?')[0]}: {_said(data) or kind}"
        if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            raise Refused(what)
        if status >= http.client.INTERNAL_SERVER_ERROR:
            raise Unreachable(what)
        raise RestError(what, kind, status)


def _said(data: dict[str, Any]) -> str:
    """Return what the vCenter says for people."""
    value = data.get("value")
    messages = value.get("messages") if isinstance(value, dict) else None
    told = messages if isinstance(messages, list) else ()
    return "; ".join(str(one.get("default_message", "")) for one in told if isinstance(one, dict))


@contextlib.contextmanager
def reading(endpoint: Endpoint, what: str) -> Iterator[None]:
    """Take answers apart in the block.

    Raises: RestError where one is not of the form that the API has.
    """
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise RestError(
            f"{endpoint}: {what}: the answer is not of the form that is known", "unknown form", 0
        ) from error

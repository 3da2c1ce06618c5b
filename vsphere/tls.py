"""Connections whose certificate has been verified: by a CA bundle, or by a pinned thumbprint. There is no third way.

pyVmomi's own pinning is not used: it looks at the pin only where the system's CAs have failed, and after that first failure
its later connections are verified by nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from migration.errors import Refused, Unreachable

CONNECT_TIMEOUT = 15.0
"""Seconds for the TCP and TLS handshakes."""

GRACE: Final = 1.0
"""Seconds for which a run that was asked to pause waits for an answer; most come within a few hundredths."""

_ALGORITHMS = {40: "sha1", 64: "sha256"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a site's vCenter is, and who we are there. `vcenter` is "host" or "host:port"; one of `thumbprint`, `ca_file`.

    `kind` is what it is where it is something else: a switch.
    """

    name: str
    vcenter: str
    username: str
    password: str = field(repr=False)
    thumbprint: str = ""
    ca_file: str = ""
    kind: str = "vCenter"

    @property
    def host(self) -> str:
        """The host name or address, an IPv6 address without its brackets."""
        host, colon, port = self.vcenter.rpartition(":")
        return (host if colon and port.isdigit() and not host.endswith(":") else self.vcenter).strip("[]")

    @property
    def port(self) -> int:
        """The TCP port, 443 unless given."""
        host, colon, port = self.vcenter.rpartition(":")
        return int(port) if colon and port.isdigit() and not host.endswith(":") else 443

    def __str__(self) -> str:
        """Name the site and its vCenter, for messages."""
        return f"{self.name} {self.kind} {self.vcenter}"


class VerifiedConnection(http.client.HTTPSConnection):
    """An HTTPS connection that has verified its peer before the first byte of a request is sent."""

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext, timeout: float) -> None:
        """Prepare a connection; nothing is contacted yet. `timeout` is for each send and receive, in seconds."""
        super().__init__(endpoint.host, endpoint.port, timeout=CONNECT_TIMEOUT, context=context)
        self._endpoint = endpoint
        self._patience = timeout
        self._asked: float | None = None
        self._hurried = True
        with _asking:
            _connections.add(self)

    def putrequest(self, *arguments: Any, **more: Any) -> None:
        """See http.client; from here on an answer is awaited."""
        self._asked = time.monotonic()
        super().putrequest(*arguments, **more)

    def getresponse(self) -> http.client.HTTPResponse:
        """See http.client; the answer has begun to come."""
        try:
            return super().getresponse()
        finally:
            self._asked = None

    @contextlib.contextmanager
    def unhurried(self) -> Iterator[None]:
        """Let the answers in the block be waited for although the run is to pause: what they tell must not be left open."""
        self._hurried = False
        try:
            yield
        finally:
            self._hurried = True

    def cut(self, asked_before: float) -> None:
        """End the wait for an answer to what was asked before that moment of the monotonic clock."""
        asked, peer = self._asked, self.sock
        if asked is not None and asked < asked_before and peer is not None and self._hurried:
            with contextlib.suppress(OSError):  # it has just ended by itself
                peer.shutdown(socket.SHUT_RDWR)

    def connect(self) -> None:
        """Connect and verify.

        Raises: Refused, Unreachable.
        """
        endpoint = self._endpoint
        try:
            super().connect()
        except ssl.SSLCertVerificationError as error:
            raise Refused(
                f"{endpoint}: its certificate is not vouched for by {endpoint.ca_file}: {error.verify_message}. "
                f"Correct caFile, or pin the {endpoint.kind}'s thumbprint instead"
            ) from error
        except OSError as error:
            raise unreachable(endpoint, error) from error
        if endpoint.thumbprint:
            try:
                self._compare(endpoint.thumbprint)
            except Refused:
                self.close()
                raise
        self.sock.settimeout(self._patience)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def digest(self, algorithm: str) -> str:
        """Return the digest of the peer's certificate in hexadecimal; only once connected."""
        assert isinstance(self.sock, ssl.SSLSocket)  # noqa: S101 - HTTPSConnection.connect made it
        certificate = self.sock.getpeercert(binary_form=True) or b""
        return hashlib.new(algorithm, certificate, usedforsecurity=False).hexdigest()

    def _compare(self, pinned: str) -> None:
        wanted = plain(pinned)
        algorithm = _ALGORITHMS.get(len(wanted))
        if algorithm is None:
            raise Refused(
                f"{self._endpoint}: thumbprint {pinned!r} is neither a SHA-1 (20 bytes) nor a SHA-256 (32 bytes) value"
            )
        found = self.digest(algorithm)
        if not hmac.compare_digest(found, wanted):
            raise Refused(
                f"{self._endpoint}: its certificate has the {algorithm.upper()} thumbprint {colons(found)}, "
                f"but {colons(wanted)} is pinned. No credentials were sent. If the certificate was replaced on purpose, "
                f"compare with the one shown at the {self._endpoint.kind} itself and correct what is pinned in the stack's "
                "settings"
            )


_asking = threading.Lock()
_connections: weakref.WeakSet[VerifiedConnection] = weakref.WeakSet()


def hurry(stop: threading.Event) -> None:
    """Once `stop` is set, wait no longer than `GRACE` for any answer: a vCenter that is silent must not hold up a pause.

    Whether it does what it was asked for is not known then, as after a lost connection; the next run looks.
    """

    def cutting() -> None:
        stop.wait()
        time.sleep(GRACE)
        while True:
            with _asking:
                known = list(_connections)
            for one in known:
                one.cut(time.monotonic() - GRACE)
            time.sleep(GRACE / 5)

    threading.Thread(target=cutting, name="hurry", daemon=True).start()


def connection(endpoint: Endpoint, timeout: float = 60.0) -> VerifiedConnection:
    """Return a connection to the endpoint that will verify its peer.

    Raises: Refused where the endpoint says nothing to verify by, or the CA bundle cannot be read.
    """
    return VerifiedConnection(endpoint, context(endpoint), timeout)


def context(endpoint: Endpoint) -> ssl.SSLContext:
    """Return the TLS context: with a CA bundle, chain and host name are verified; with a pin alone, the pin is enough.

    Raises: Refused.
    """
    if endpoint.ca_file:
        if not Path(endpoint.ca_file).is_file():
            raise Refused(f"{endpoint}: the CA bundle {endpoint.ca_file} does not exist; correct caFile")
        try:
            return ssl.create_default_context(cafile=endpoint.ca_file)
        except OSError as error:
            raise Refused(f"{endpoint}: the CA bundle {endpoint.ca_file} cannot be read as PEM: {error}") from error
    if not endpoint.thumbprint:
        raise Refused(
            f"{endpoint}: give its thumbprint or a caFile; a {endpoint.kind} that cannot be verified is not talked to"
        )
    pinned = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    pinned.check_hostname = False
    pinned.verify_mode = ssl.CERT_NONE  # VerifiedConnection compares the certificate itself, on every connection
    return pinned


def verify(endpoint: Endpoint) -> None:
    """Connect, verify the certificate and disconnect; no credentials are sent.

    Raises: Refused, Unreachable.
    """
    peer = connection(endpoint)
    try:
        peer.connect()
    finally:
        peer.close()


def thumbprint(endpoint: Endpoint) -> str:
    """Return the SHA-1 thumbprint, AA:BB:…, of the endpoint's certificate, for a vCenter that is to connect to it.

    Where another thumbprint or a CA is what we verify by, it is that of the certificate that has just been verified.

    Raises: Refused, Unreachable.
    """
    if _ALGORITHMS.get(len(plain(endpoint.thumbprint))) == "sha1":
        return colons(endpoint.thumbprint)
    peer = connection(endpoint)
    try:
        peer.connect()
        return colons(peer.digest("sha1"))
    finally:
        peer.close()


def unreachable(endpoint: Endpoint, error: BaseException) -> Unreachable:
    """Return the error for a peer that did not answer, or not as a vCenter would."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Unreachable(f"{endpoint}: no answer from {endpoint.host} port {endpoint.port}: {reason}")


def plain(thumbprint: str) -> str:
    """Return the thumbprint as bare lower-case hexadecimal digits."""
    return thumbprint.replace(":", "").replace(" ", "").lower()


def colons(thumbprint: str) -> str:
    """Return the thumbprint as vSphere shows it: AA:BB:…."""
    digits = plain(thumbprint).upper()
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))

"""Certificates are verified always, before anything is sent. The peer here is a real TLS server on loopback."""

from __future__ import annotations

import hashlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from migration.errors import Refused, Unreachable
from vsphere import tls
from vsphere.tls import Endpoint


@dataclass(frozen=True)
class Peer:
    port: int
    certificate: Path
    received: list[bytes]

    @property
    def der(self) -> bytes:
        return ssl.PEM_cert_to_DER_cert(self.certificate.read_text())

    def endpoint(self, **how: str) -> Endpoint:
        return Endpoint("source", f"127.0.0.1:{self.port}", "svc-migrate", "hidden-word", **how)


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    made = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=vc60", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate),
    ]  # fmt: skip
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    received: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as connection:
                    received.append(connection.recv(4096))
            except OSError:
                plain.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield Peer(listener.getsockname()[1], certificate, received)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(2)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_the_pinned_thumbprint_is_enough_in_any_notation(peer: Peer, algorithm: str) -> None:
    digest = hashlib.new(algorithm, peer.der).hexdigest()
    for thumbprint in (digest, tls.colons(digest), digest.upper()):
        tls.verify(peer.endpoint(thumbprint=thumbprint))


@pytest.mark.parametrize(("algorithm", "length"), [("sha1", 20), ("sha256", 32)])
def test_a_mismatch_names_both_and_nothing_was_sent(peer: Peer, algorithm: str, length: int) -> None:
    peer.received.clear()
    wrong = ":".join(["AB"] * length)
    connection = tls.connection(peer.endpoint(thumbprint=wrong))
    with pytest.raises(Refused) as raised:
        connection.request("POST", "/sdk", b"hidden-word")
    assert wrong in str(raised.value)
    assert tls.colons(hashlib.new(algorithm, peer.der).hexdigest()) in str(raised.value)
    assert "hidden-word" not in str(raised.value)
    assert not any(peer.received)


def test_the_ca_bundle_vouches_for_its_own(peer: Peer) -> None:
    tls.verify(peer.endpoint(ca_file=str(peer.certificate)))


def test_a_ca_bundle_does_not_vouch_for_others(peer: Peer) -> None:
    with pytest.raises(Refused, match="not vouched for"):
        tls.verify(peer.endpoint(ca_file=ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"))


def test_a_ca_bundle_and_a_pin_must_both_hold(peer: Peer) -> None:
    with pytest.raises(Refused, match="is pinned"):
        tls.verify(peer.endpoint(ca_file=str(peer.certificate), thumbprint="00" * 20))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({}, "give its thumbprint or a caFile"),
        ({"ca_file": "missing.pem"}, "missing.pem does not exist"),
        ({"ca_file": __file__}, "cannot be read as PEM"),
        ({"thumbprint": "AA:BB"}, "neither a SHA-1"),
    ],
)
def test_without_something_to_verify_by_nothing_is_talked_to(peer: Peer, how: dict[str, str], says: str) -> None:
    with pytest.raises(Refused, match=says):
        tls.verify(peer.endpoint(**how))


def test_a_closed_port_names_host_port_and_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match=rf"127\.0\.0\.1 port {port}: Connection refused"):
        tls.verify(Endpoint("target", f"127.0.0.1:{port}", "u", "p", thumbprint="AA" * 20))


@pytest.mark.parametrize(
    ("vcenter", "host", "port"),
    [
        ("vc60.example", "vc60.example", 443),
        ("vc60.example:8443", "vc60.example", 8443),
        ("10.0.0.1:444", "10.0.0.1", 444),
        ("[fd00::1]:8443", "fd00::1", 8443),
        ("[fd00::1]", "fd00::1", 443),
    ],
)
def test_host_and_port(vcenter: str, host: str, port: int) -> None:
    endpoint = Endpoint("source", vcenter, "u", "p")
    assert (endpoint.host, endpoint.port) == (host, port)


def test_the_password_is_in_no_representation() -> None:
    endpoint = Endpoint("source", "vc60", "svc-migrate", "hidden-word")
    assert "hidden-word" not in f"{endpoint!r} {endpoint}"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_the_thumbprint_for_another_vcenter_is_the_verified_ones_sha1(peer: Peer, algorithm: str) -> None:
    pinned = hashlib.new(algorithm, peer.der).hexdigest()
    assert tls.thumbprint(peer.endpoint(thumbprint=pinned)) == tls.colons(hashlib.sha1(peer.der).hexdigest())  # noqa: S324
    assert tls.thumbprint(peer.endpoint(ca_file=str(peer.certificate))) == tls.colons(
        hashlib.sha1(peer.der).hexdigest()  # noqa: S324
    )


def test_no_thumbprint_of_a_certificate_that_is_not_the_pinned_one(peer: Peer) -> None:
    with pytest.raises(Refused):
        tls.thumbprint(peer.endpoint(thumbprint="AB" * 32))

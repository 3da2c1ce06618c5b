from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from migration.errors import Refused, SessionLost, Unreachable
from tests.lab.conftest import endpoints
from tools.running_lab import Lab
from vsphere import session, tls
from vsphere.existing import existing
from vsphere.session import Session
from vsphere.tls import Endpoint

pytestmark = pytest.mark.lab


@pytest.fixture
def source(lab: Lab) -> Endpoint:
    return endpoints(lab)["source"]


@pytest.fixture
def target(lab: Lab) -> Endpoint:
    return endpoints(lab)["target"]


def calls(lab: Lab, site: str) -> dict[str, int]:
    found: dict[str, int] = lab.get("/counters")["calls"][site]
    return found


def test_each_site_speaks_its_own_version(source: Endpoint, target: Endpoint) -> None:
    for endpoint, version in ((source, "6.0"), (target, "7.0.3.0")):
        one = Session(endpoint)
        assert one.content.about.apiVersion == version
        one.close()


def test_a_sha256_thumbprint_and_a_ca_file_serve_too(lab: Lab, tmp_path: Path) -> None:
    facts = lab.endpoints["vcenters"]["source"]
    pem = tmp_path / "source.pem"
    pem.write_text(facts["certificate"])
    for how in ({"thumbprint": facts["thumbprintSha256"]}, {"thumbprint": "", "ca_file": str(pem)}):
        one = Session(endpoints(lab, **how)["source"])
        assert one.content.about.apiVersion == "6.0"
        one.close()


def test_a_wrong_thumbprint_is_refused_before_any_call(lab: Lab) -> None:
    wrong = endpoints(lab, thumbprint=":".join(["AB"] * 20))["source"]
    with pytest.raises(Refused) as raised:
        _ = Session(wrong).content
    for value in (wrong.thumbprint, lab.endpoints["vcenters"]["source"]["thumbprint"]):
        assert value in str(raised.value)
    assert "Login" not in calls(lab, "source")


def test_a_wrong_password_is_tried_once(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = Session(endpoints(lab, password="not-the-password")["target"])
    for _ in range(3):
        with pytest.raises(Refused, match=r"target vCenter .* to user svc-migrate@vsphere.local"):
            _ = wrong.content
    assert calls(lab, "target")["Login"] == 1
    assert "not-the-password" not in caplog.text


def test_an_unreachable_vcenter_names_host_port_and_reason(lab: Lab, source: Endpoint) -> None:
    lab.post("/vcenters/source/down")
    with pytest.raises(Unreachable, match=rf"127\.0\.0\.1 port {source.port}: "):
        tls.verify(source)
    with pytest.raises(Unreachable, match=rf"127\.0\.0\.1 port {source.port}: "):
        _ = Session(source).content


def test_one_session_for_many_threads_and_none_is_left(lab: Lab, target: Endpoint) -> None:
    def ask(_: int) -> str:
        one = session.session(target)
        about = one.read("asking the version", lambda: one.content.about)
        return str(about.version)

    with ThreadPoolExecutor(32) as pool:
        assert set(pool.map(ask, range(100))) == {"7.0.3"}
    assert lab.get("/counters")["sessions"]["target"] == 1
    session.close(target)
    assert lab.get("/counters")["sessions"]["target"] == 0


def test_a_lost_session_is_renewed_and_a_read_repeated(lab: Lab, target: Endpoint) -> None:
    before = existing(target)
    lab.post("/faults", {"vcenter": "target", "method": "CreateContainerView", "action": "expire", "count": 1})
    assert existing(target) == before
    assert calls(lab, "target")["Login"] == 2
    assert lab.get("/counters")["sessions"]["target"] == 1
    session.close(target)


def test_after_a_lost_session_a_change_is_not_repeated(lab: Lab, target: Endpoint) -> None:
    one = session.session(target)
    folder = one.content.rootFolder
    lab.post("/faults", {"vcenter": "target", "method": "CreateFolder", "action": "expire", "count": 1})
    with pytest.raises(SessionLost):
        one.send("create a folder", lambda: folder.CreateFolder("x"))
    assert calls(lab, "target")["CreateFolder"] == 1
    assert one.send("create a folder", lambda: folder.CreateFolder("x")) is not None
    session.close(target)


@pytest.mark.parametrize("action", ["drop", "http503"])
def test_a_broken_call_is_unreachable_and_the_next_one_works(lab: Lab, target: Endpoint, action: str) -> None:
    existing(target)
    lab.post("/faults", {"vcenter": "target", "method": "CreateContainerView", "action": action, "count": 1})
    with pytest.raises(Unreachable):
        existing(target)
    assert existing(target)
    session.close(target)


def test_session_ids_and_passwords_are_not_logged(target: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    one = session.session(target)
    manager: Any = one.content.sessionManager
    key = str(manager.currentSession.key)
    session.close(target)
    assert key[:6] in caplog.text
    assert key not in caplog.text
    assert target.password not in caplog.text


def test_who_is_asked_to_pause_does_not_wait_for_a_silent_vcenter(lab: Lab, target: Endpoint) -> None:
    one = Session(target)
    stop = threading.Event()
    tls.hurry(stop)
    lab.post("/faults", {"vcenter": "target", "method": "CurrentTime", "action": "hang", "count": 1})
    service = one.object(vim.ServiceInstance, "ServiceInstance")
    threading.Timer(0.5, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Unreachable):
        one.send("asking for the time", service.CurrentTime)
    assert 0.5 < time.monotonic() - began < 5
    one.read("asking again", service.CurrentTime)  # what is answered at once goes on
    one.close()

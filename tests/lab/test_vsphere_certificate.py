"""A vCenter's certificate is exchanged while we talk to it: nothing more is said to it, and both thumbprints are named."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from migration.errors import MigrationError, Refused, Transient
from migration.wanted import Identity
from tests.lab.conftest import endpoints
from tools.running_lab import Lab
from vsphere import session, tagging
from vsphere.existing import existing
from vsphere.rest import Rest
from vsphere.session import Session
from vsphere.sites import VSphereSites
from vsphere.tls import Endpoint

pytestmark = pytest.mark.lab


def logins(lab: Lab, site: str) -> int:
    return int(lab.get("/counters")["calls"][site].get("Login", 0))


def refused(call: Callable[[], object]) -> str:
    """Make the call until it is refused for good; a connection that has just been closed may be told first."""
    for _ in range(5):
        try:
            call()
        except Refused as error:
            return str(error)
        except Transient:
            time.sleep(3.1)  # a vCenter that did not answer is left alone for as long
        else:
            raise AssertionError("it was answered")
    raise AssertionError("it was never refused")


@pytest.mark.parametrize("kind", ["thumbprint", "thumbprintSha256"])
def test_a_session_stops_with_both_thumbprints_and_sends_no_credentials(lab: Lab, kind: str) -> None:
    pinned = lab.endpoints["vcenters"]["target"][kind]
    one = session.session(endpoints(lab, thumbprint=pinned)["target"])
    existing(one.endpoint)
    before = logins(lab, "target")
    now = lab.post("/vcenters/target/certificate")[kind]
    said = refused(lambda: existing(one.endpoint))
    assert f"thumbprint {now}, but {pinned} is pinned. No credentials were sent" in said
    assert refused(lambda: one.content.about.version and existing(one.endpoint)) == said
    assert logins(lab, "target") == before
    session.close(one.endpoint)


def test_files_and_tags_are_read_from_no_other_certificate(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    target = endpoints(lab)["target"]
    one = Session(target)
    assert one.content.about.version
    now = lab.post("/vcenters/target/certificate")["thumbprint"]
    calls = lab.get("/counters")["calls"]["target"]
    assert now in refused(lambda: one.download("/folder/x.vmx", {"dsName": "x"}, 10))
    assert now in refused(lambda: Rest(target).__enter__())
    assert tagging.read(target) is None
    assert now in caplog.text
    assert target.thumbprint in caplog.text
    assert lab.get("/counters")["calls"]["target"] == calls
    one.close()


def test_a_ca_file_does_not_vouch_for_the_new_one(lab: Lab, tmp_path: Path) -> None:
    pem = tmp_path / "source.pem"
    pem.write_text(lab.endpoints["vcenters"]["source"]["certificate"])
    source = endpoints(lab, thumbprint="", ca_file=str(pem))["source"]
    existing(source)
    before = logins(lab, "source")
    now = lab.post("/vcenters/source/certificate")
    assert f"not vouched for by {pem}" in refused(lambda: existing(source))
    assert logins(lab, "source") == before
    session.close(source)
    pem.write_text(now["certificate"])
    assert existing(source), "the operator has corrected it, and runs again"
    session.close(source)


def test_sites_that_are_followed_stop_too(built: Lab, opened: Callable[..., VSphereSites]) -> None:
    sites = opened(built, "old-a")
    assert sites.observe(Identity("app01"))[0].vm
    writes, pinned = built.writes, built.endpoints["vcenters"]["source"]["thumbprint"]
    now = built.post("/vcenters/source/certificate")["thumbprint"]

    def observed_anew() -> object:
        seen, version = sites.observe(Identity("app01"))
        sites.wait(version, 1)
        if seen.vm is not None:
            raise Transient  # what was seen last is still believed for a moment
        return seen

    said = refused(observed_anew)
    assert now in said
    assert pinned in said
    assert built.writes == writes


def test_the_pinned_thumbprint_corrected_it_goes_on(lab: Lab) -> None:
    now = lab.post("/vcenters/source/certificate")["thumbprint"]
    wrong, right = endpoints(lab)["source"], endpoints(lab, thumbprint=now)["source"]
    assert isinstance(right, Endpoint)
    with pytest.raises(MigrationError, match="is pinned"):
        existing(wrong)
    assert existing(right)
    for one in (wrong, right):
        session.close(one)

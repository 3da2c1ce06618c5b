"""The provider of the EVC mode, called as the engine calls it, over a vCenter that only answers what it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from components.providers import access, evc_choice, evc_mode, verdict
from components.providers.evc_mode import EvcModeProvider
from migration.errors import Blocked, MigrationError, Unreachable
from migration.evc import Evc, Guest, Server
from migration.model import Concern, Severity
from tests.unit.test_evc import MODES, going

provider = EvcModeProvider()
INPUTS = {"cluster": "prod7", "mode": "auto"}
NEW = Evc("prod7", "", (Server("esx70-1", "intel-cascadelake"), Server("esx70-2", "intel-cascadelake")), MODES)


class VCenter:
    """What it has, and what it was asked to do."""

    def __init__(self) -> None:
        self.evc: Evc | None = NEW
        self.refuses: tuple[Concern, ...] = ()
        self.done: list[str] = []

    def read(self, _site: object, cluster: str) -> Evc:
        if self.evc is None:
            raise Blocked((Concern("evc.no-cluster", Severity.BLOCKS, cluster, "no such cluster", "-"),))
        return self.evc

    def check(self, _site: object, _cluster: str, key: str) -> tuple[Concern, ...]:
        self.done.append(f"check {key}")
        return self.refuses

    def configure(self, _site: object, _cluster: str, key: str) -> None:
        self.done.append(f"set {key}")
        assert self.evc is not None
        self.evc = replace(self.evc, current=key)


@pytest.fixture
def vcenter(monkeypatch: pytest.MonkeyPatch) -> Iterator[VCenter]:
    one = VCenter()
    monkeypatch.setattr(evc_choice, "vsphere_evc", one)
    monkeypatch.setattr(evc_mode, "vsphere_evc", one)
    monkeypatch.setattr(evc_choice, "_travellers", lambda: iter([going("intel-haswell")]))
    monkeypatch.setattr(access, "site", lambda name: name)
    yield one
    verdict.forget()
    evc_choice.forget()


def previewed(caplog: pytest.LogCaptureFixture, olds: dict[str, Any] | None = None, **changes: Any) -> tuple[str, Any]:
    """Return what a preview says and the inputs that it would keep; another resource is checked in it too."""
    caplog.set_level("INFO")
    caplog.clear()
    found = provider.check(olds or {}, {**INPUTS, "preview": 9, **changes})
    return caplog.text, found.inputs


def test_a_preview_says_the_mode_and_why_and_starts_nothing(vcenter: VCenter, caplog: pytest.LogCaptureFixture) -> None:
    said, kept = previewed(caplog)
    assert "EVC off → intel-haswell: the highest that the 2 new hosts and the old cluster prod6 share" in said
    assert "changed it" not in said
    assert vcenter.done == []
    assert kept == {**INPUTS, "known": {"inForce": "", "wanted": "intel-haswell"}}


@pytest.mark.parametrize("evc", [None, replace(NEW, hosts=())])
def test_before_the_hosts_have_joined_nothing_is_known(
    vcenter: VCenter, caplog: pytest.LogCaptureFixture, evc: Evc | None
) -> None:
    vcenter.evc = evc
    said, kept = previewed(caplog)
    assert "EVC auto: settled once the hosts have joined prod7" in said
    assert kept["known"] is None
    assert provider.diff("prod7", {}, kept).changes


def test_in_force_it_says_nothing_and_drift_is_told_from_a_new_wish(
    vcenter: VCenter, caplog: pytest.LogCaptureFixture
) -> None:
    vcenter.evc = replace(NEW, current="intel-haswell")
    said, kept = previewed(caplog)
    assert "EVC" not in said
    assert not provider.diff("prod7", {}, kept).changes
    vcenter.evc = replace(NEW, current="intel-cascadelake")
    said, after = previewed(caplog, kept)
    assert "EVC intel-cascadelake → intel-haswell" in said
    assert "somebody has changed it in vCenter" in said
    assert provider.diff("prod7", {}, after).changes
    said, _ = previewed(caplog, kept, mode="intel-penryn")
    assert "changed it" not in said, "that is a new wish"


def test_what_stands_against_it_fails_the_preview_and_the_update(
    vcenter: VCenter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    guests = (Guest("app01", "esx70-1", "intel-cascadelake"),)
    vcenter.evc = replace(NEW, current="intel-cascadelake", guests=guests)
    with pytest.raises(MigrationError, match="see the errors at EVC"):
        provider.check({}, {**INPUTS, "preview": 1})
    assert "[evc.vms-above]" in caplog.text
    with pytest.raises(MigrationError, match=r"less than app01 .* \[evc\.vms-above\]"):
        provider.create(INPUTS)
    assert vcenter.done == [], "vCenter was not even asked"


def test_an_update_tries_it_before_it_sets_it(vcenter: VCenter) -> None:
    outs = provider.create(INPUTS).outs or {}
    assert vcenter.done == ["check intel-haswell", "set intel-haswell"]
    assert outs["inForce"] == "intel-haswell"
    assert outs["because"].startswith("the highest that the 2 new hosts")
    again = provider.update("prod7", outs, INPUTS).outs or {}
    assert vcenter.done == ["check intel-haswell", "set intel-haswell"], "settled stays settled"
    assert again["inForce"] == "intel-haswell"


def test_what_vcenter_refuses_is_not_set_and_says_who_may_be_the_reason(vcenter: VCenter) -> None:
    vcenter.evc = replace(NEW, guests=(Guest("vCLS (1)", "esx70-1", "intel-cascadelake", sure=False),))
    vcenter.refuses = (Concern("evc.refused", Severity.BLOCKS, "prod7", "refused for esx70-1", "-"),)
    with pytest.raises(MigrationError, match=r"(?s)evc\.refused.*vCLS \(1\)"):
        provider.create(INPUTS)
    assert vcenter.done == ["check intel-haswell"]
    vcenter.refuses = ()
    provider.update("prod7", {}, INPUTS)
    assert vcenter.done[-1] == "set intel-haswell", "a warning of ours is no reason where vCenter has none"


def test_where_the_target_cannot_be_read_an_update_keeps_what_was_known(
    vcenter: VCenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> Evc:
        raise Unreachable("no answer")

    monkeypatch.setattr(vcenter, "read", unreachable)
    before = {"known": {"inForce": "x", "wanted": "x"}}
    assert provider.check(before, dict(INPUTS)).inputs["known"] == before["known"]
    with pytest.raises(Unreachable):
        provider.check(before, {**INPUTS, "preview": 1})


def test_a_mode_that_cannot_be_chosen_is_an_update_that_says_so(
    vcenter: VCenter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    vcenter.evc = replace(NEW, hosts=(Server("a", "intel-haswell"), Server("b", "amd-zen")))
    with pytest.raises(MigrationError, match="see the errors at EVC"):
        provider.check({}, {**INPUTS, "preview": 1})
    assert "EVC auto: stopped" in caplog.text
    assert "[evc.no-common-mode]" in caplog.text
    assert provider.diff("prod7", {}, INPUTS).changes
    with pytest.raises(MigrationError, match="no EVC mode in common"):
        provider.create(INPUTS)


def test_read_and_delete(vcenter: VCenter, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    vcenter.evc = replace(NEW, current="intel-penryn")
    assert provider.read("prod7", INPUTS).outs == {**INPUTS, "inForce": "intel-penryn"}
    provider.delete("prod7", INPUTS)
    assert "left as it is" in caplog.text
    assert vcenter.done == []

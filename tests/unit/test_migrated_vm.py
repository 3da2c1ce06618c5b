"""The provider of a VM over the fake sites, called as the engine calls it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from components.providers import access, runtime, verdict
from components.providers.migrated_vm import MigratedVmProvider
from components.providers.vm_inputs import inputs_of
from migration.actions import Action, Relocate
from migration.errors import Blocked, Held, MigrationError
from migration.model import Device, Tools
from migration.wanted import Health, Hook, Identity, Method, Stage, VmSpec, Wave, Window
from tests.fake_sites import NEW, OLD, FakeSites, a_vm
from vsphere import audit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


def inputs(stage: Stage = Stage.MIGRATED, **changes: Any) -> dict[str, Any]:
    return {**inputs_of(spec(stage)), **changes}


def spec(stage: Stage = Stage.MIGRATED) -> VmSpec:
    return VmSpec(
        Identity("app01"),
        stage,
        datacenter="tokyo7",
        cluster="prod7",
        old_volumes=tuple(volume.name for volume in OLD),
        new_volumes=tuple(volume.name for volume in NEW),
        networks={"VM Network": "pg-prod"},
        declared_networks=("pg-prod",),
        on_shutdown_timeout="stop",
    )


@dataclass
class FakeOutside:
    """Hooks that end well, unless `fails`."""

    ran: list[str] = field(default_factory=list)
    fails: Exception | None = None

    def run(self, hook: Hook, facts: Mapping[str, str], say: Callable[[str], None]) -> None:
        say("running")
        self.ran.append(f"{facts['ESXODUS_WHEN']} {facts['ESXODUS_VM']}: {hook.command[0]}")
        if self.fails:
            raise self.fails

    def reaches(self, address: str, port: int) -> bool:
        raise NotImplementedError(address, port)


@pytest.fixture
def outside() -> FakeOutside:
    return FakeOutside()


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Exception | None]]:
    """What the waves are told of each VM."""
    told: list[tuple[str, Exception | None]] = []
    monkeypatch.setattr(access.admission, "ended", lambda spec, error: told.append((spec.identity.name, error)))
    return told


@pytest.fixture
def fake(outside: FakeOutside, ended: list[tuple[str, Exception | None]]) -> Iterator[FakeSites]:
    del ended
    sites = FakeSites([a_vm()])
    access._opened.append(sites)  # type: ignore[arg-type] # all that this provider needs of them
    access._outside.append(outside)
    yield sites
    access._opened.clear()
    access._outside.clear()
    runtime.stop.clear()
    verdict.forget()


provider = MigratedVmProvider()


def test_a_preview_says_what_would_be_done(fake: FakeSites, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    result = provider.check({}, inputs(preview=1))
    assert "preview" not in result.inputs
    assert "app01  reattach source → migrated: shut down the guest" in caplog.text
    assert fake.writes == []


def test_what_blocks_is_shown_line_by_line_and_fails_the_preview_in_the_end(
    fake: FakeSites, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    fake.vms = [a_vm(tools=Tools.NOT_INSTALLED), a_vm("app02")]
    provider.check({}, inputs(preview=2, networkMap={}))
    assert sum("[network.unmapped]" in line for line in caplog.messages) == 1
    assert sum("[guest.no-tools]" in line for line in caplog.messages) == 1
    with pytest.raises(MigrationError, match="see the errors at app01"):
        provider.check({}, inputs(preview=2, vm="app02"))


def test_an_update_says_nothing_at_check(fake: FakeSites, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert provider.check({}, inputs(preview=0)).failures == []
    assert caplog.text == ""
    del fake


def test_a_create_brings_the_vm_across_and_says_where_it_was_and_is(fake: FakeSites) -> None:
    result = provider.create(inputs())
    assert result.id == "5000-app01"
    assert result.outs is not None
    assert result.outs["reached"] == "migrated"
    assert result.outs["was"]["site"] == "source"
    assert result.outs["place"]["site"] == "target"
    assert result.outs["downtimeSeconds"] is not None
    assert fake.vms[0].site == "target"


def test_settled_stays_settled(fake: FakeSites, caplog: pytest.LogCaptureFixture) -> None:
    created = provider.create(inputs())
    caplog.set_level("INFO")
    assert created.outs is not None
    fake.writes.clear()
    provider.check({}, inputs(preview=1))
    assert caplog.text == "", "a VM that stays as it is adds nothing to the preview"
    assert not provider.diff(created.id, created.outs, inputs()).changes
    assert provider.diff(created.id, created.outs, inputs(Stage.SOURCE)).changes
    assert fake.writes == []


def test_a_drift_is_seen_without_a_refresh(fake: FakeSites) -> None:
    created = provider.create(inputs())
    assert created.outs is not None
    fake.vms = [a_vm()]  # somebody brought it back by hand
    assert provider.diff(created.id, created.outs, inputs()).changes


def test_a_rollback_keeps_where_it_was(fake: FakeSites) -> None:
    created = provider.create(inputs())
    assert created.outs is not None
    result = provider.update(created.id, created.outs, inputs(Stage.SOURCE))
    assert result.outs is not None
    assert result.outs["reached"] == "source"
    assert result.outs["was"] == created.outs["was"]
    assert result.outs["place"]["site"] == "source"
    del fake


def test_a_failed_create_is_one_of_our_errors(fake: FakeSites) -> None:
    fake.guest_obeys = False
    with pytest.raises(MigrationError, match=r"\[guest\.shutdown-overdue\]"):
        provider.create(inputs())


def test_a_pause_says_so(fake: FakeSites) -> None:
    runtime.stop.set()
    with pytest.raises(MigrationError, match="paused"):
        provider.create(inputs())
    assert fake.writes == []


def test_a_read_tells_what_is_seen_and_drops_what_is_gone(fake: FakeSites) -> None:
    created = provider.create(inputs())
    assert created.outs is not None
    seen = provider.read(created.id, created.outs)
    assert seen.outs is not None
    assert seen.outs["reached"] == "migrated"
    fake.vms = []
    gone = provider.read(created.id, created.outs)
    assert (gone.id, gone.outs) == ("", {})


def test_a_delete_forgets(fake: FakeSites, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    provider.delete("5000-app01", inputs())
    assert "left where and as it is" in caplog.text
    assert fake.writes == []


def test_the_reason_for_the_method_stands_under_the_plan(fake: FakeSites, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    provider.check({}, inputs(preview=1))
    (line,) = [line for line in caplog.messages if line.startswith("app01  reattach")]
    below = line.splitlines()[1:]
    assert below[0].startswith("    live is not possible for any VM: no build of vCenter 6.0 supports it")
    caplog.clear()
    provider.check({}, inputs(preview=1))
    assert "app01  reattach" in caplog.text
    assert "live" not in caplog.text, "what holds for every VM is said once"
    caplog.clear()
    verdict.forget()
    provider.check({}, inputs(preview=1, method=Method.REATTACH.value))
    assert "live" not in caplog.text, "whoever asks for it needs no reason"
    del fake


def test_a_reason_of_the_vms_own_stands_under_each(fake: FakeSites, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    fake.versions = ("6.7.0", "7.0.3")
    dongle = (Device("usb", "USB 1"),)
    fake.vms = [a_vm(devices=dongle), a_vm("app02", devices=dongle)]
    for name in ("app01", "app02"):
        provider.check({}, inputs(preview=2, vm=name))
    assert caplog.text.count("    live is not possible: ") == 2


def test_a_preview_says_what_holds_a_vm_now(fake: FakeSites, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    paused = inputs_of(replace(spec(), wave=Wave("pilot", paused=True)))
    provider.check({}, {**paused, "preview": 1})
    (line,) = [line for line in caplog.messages if line.startswith("app01  reattach")]
    assert line.endswith("\n    held now: wave pilot is paused; take its `paused` away, then run again")
    caplog.clear()
    provider.check({}, inputs(preview=1))
    assert "held now" not in caplog.text
    del fake


def test_an_accepted_warning_is_shown_in_the_preview(fake: FakeSites, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    fake.vms = [a_vm(pinned="CPU affinity")]
    provider.check({}, inputs(preview=1, accepted={"guest.pinned": "ticket 4711"}))
    assert any(
        line.startswith("app01: accepted: ") and "(ticket 4711) [guest.pinned]" in line for line in caplog.messages
    )


def test_the_outputs_tell_the_whole_journey(fake: FakeSites, ended: list[tuple[str, Exception | None]]) -> None:
    outs = provider.create(inputs()).outs
    assert outs is not None
    assert outs["chosen"] == "reattach"
    assert outs["reasons"][0].endswith("[live.version]")
    assert outs["steps"][0] == "write its papers"
    assert {"shutDown", "unregister", "register", "relocate"} <= outs["timings"].keys()
    assert outs["copiedGiB"] == 12
    assert "" < outs["began"] <= outs["ended"]
    assert outs["papersDiff"] == []
    assert outs["waiting"] == ""
    assert ended == [("app01", None)]
    del fake


def test_concerns_and_differences_are_told(fake: FakeSites) -> None:
    fake.vms = [a_vm(tools=Tools.NOT_INSTALLED)]
    outs = provider.create(inputs(onShutdownTimeout="powerOff")).outs
    assert outs is not None
    assert any(text.startswith("guest.no-tools: VMware Tools are not installed") for text in outs["concerns"])
    fake.person("app01", folder="elsewhere", notes="x")
    again = provider.update("5000-app01", outs, inputs()).outs
    assert again is not None
    assert again["papersDiff"] == ["its folder at vc70 is 'elsewhere', it was 'apps'"]


def test_every_call_that_changed_anything_is_listed(fake: FakeSites) -> None:
    def call(action: Action) -> None:
        with audit.writing("source", type(action).__name__, "app01"):
            pass

    fake.before = call
    outs = provider.create(inputs()).outs
    assert outs is not None
    assert [entry["method"] for entry in outs["audit"]] == [type(action).__name__ for action in fake.writes]
    assert {entry["ended"] for entry in outs["audit"]} == {"ok"}


def journey(outs: dict[str, Any] | None) -> dict[str, Any]:
    """Return what the outputs tell of a journey."""
    assert outs is not None
    names = ("steps", "timings", "copiedGiB", "downtimeSeconds", "began", "ended", "runs", "arrived")
    return {name: outs[name] for name in names}


def recorded(fake: FakeSites) -> None:
    """Let each step be a call that the record shows."""

    def call(action: Action) -> None:
        with audit.writing("source", type(action).__name__, "app01"):
            pass

    fake.before = call


def test_a_run_that_does_nothing_hides_nothing_of_the_journey_before(fake: FakeSites) -> None:
    recorded(fake)
    there = provider.create(inputs()).outs
    assert there is not None
    back = inputs_of(replace(spec(Stage.SOURCE), wave=Wave("pilot", paused=True)))
    paused = provider.update("5000-app01", there, back).outs
    assert paused is not None
    assert paused["waiting"].startswith("app01: wave pilot is paused")
    assert journey(paused) == journey(there)
    assert paused["audit"] == there["audit"] != []
    home = provider.update("5000-app01", paused, inputs(Stage.SOURCE)).outs
    assert home is not None
    assert home["audit"][: len(there["audit"])] == there["audit"], "the record only grows"
    assert len(home["audit"]) > len(there["audit"])
    assert not any(step.startswith("register at vc70") for step in home["steps"]), "the steps are of the way back alone"
    assert home["began"] >= there["ended"]
    assert len(home["runs"]) == 1


def test_a_copy_back_alone_does_not_repeat_the_downtime_of_the_way_there(
    fake: FakeSites, caplog: pytest.LogCaptureFixture
) -> None:
    there = provider.create(inputs()).outs
    assert there is not None
    assert there["downtimeSeconds"] is not None
    caplog.set_level("INFO")
    back = provider.update("5000-app01", there, inputs(Stage.REHOSTED)).outs
    assert back is not None
    assert (back["downtimeSeconds"], back["copiedGiB"]) == (None, 12)
    assert "app01: rehosted" in caplog.messages
    del fake


def hold(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let the copies, and only those, not be admitted."""
    admitted = access.admission.admitted

    def refused(spec: VmSpec, action: Action, vm: Any, seen: Any) -> Any:
        if isinstance(action, Relocate):
            raise error
        return admitted(spec, action, vm, seen)

    monkeypatch.setattr(access.admission, "admitted", refused)


def test_a_vm_that_its_wave_holds_back_has_not_failed(
    fake: FakeSites,
    ended: list[tuple[str, Exception | None]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    held = Held("app01: the window of wave pilot is over")
    with monkeypatch.context() as patch:
        hold(patch, held)
        first = provider.create(inputs())
    assert first.outs is not None
    assert (first.outs["reached"], first.outs["waiting"]) == ("rehosted", "app01: the window of wave pilot is over")
    assert caplog.messages.count("app01: the window of wave pilot is over") == 1
    assert ended == [("app01", held)]
    assert provider.diff(first.id, first.outs, inputs()).changes, "the next run goes on"

    second = provider.update(first.id, first.outs, inputs()).outs
    assert second is not None
    assert (second["reached"], second["waiting"]) == ("migrated", "")
    assert second["steps"][: len(first.outs["steps"])] == first.outs["steps"], "one journey"
    assert second["steps"][-1].startswith("Storage vMotion")
    assert second["began"] == first.outs["began"]
    assert (second["chosen"], second["reasons"]) == (first.outs["chosen"], first.outs["reasons"])
    assert second["downtimeSeconds"] == first.outs["downtimeSeconds"]
    assert second["runs"][:1] == first.outs["runs"]
    assert len(second["runs"]) == 2, "each run is counted by itself"
    assert (first.outs["arrived"], second["arrived"]) == (False, True)
    del fake


def test_what_no_longer_waits_says_so(fake: FakeSites) -> None:
    outs = provider.create(inputs()).outs
    assert outs is not None
    assert provider.diff("5000-app01", {**outs, "waiting": "the window is over"}, inputs()).changes
    del fake


def test_a_failure_keeps_what_was_done(
    fake: FakeSites, outside: FakeOutside, ended: list[tuple[str, Exception | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[str, Any] = {}
    monkeypatch.setattr(runtime, "_partial", lambda id_, outputs, reason: str(kept.update(outputs)).encode())
    monkeypatch.setattr(runtime, "current_call", lambda: runtime.Call(context=Context()))
    outside.fails = Blocked([])
    hooked = inputs(after={"command": ["./check"], "timeout": 5, "retries": 0})
    with pytest.raises(MigrationError):
        provider.create(hooked)
    assert kept["reached"] == "rehosted"
    assert kept["steps"][-1] == "write its papers"
    assert kept["downtimeSeconds"] is not None
    assert ended == [("app01", outside.fails)]
    assert outside.ran == ["after app01: ./check"]
    outside.fails = None
    outs = provider.update("5000-app01", kept, hooked).outs
    assert outs is not None
    assert outs["reached"] == "migrated"
    assert len(outs["steps"]) > len(kept["steps"])
    del fake


class Context:
    """The engine's call."""

    def set_trailing_metadata(self, metadata: tuple[tuple[str, bytes], ...]) -> None:
        assert metadata[0][0] == "grpc-status-details-bin"


def test_another_window_or_hook_does_not_change_what_has_settled(fake: FakeSites) -> None:
    created = provider.create(inputs())
    assert created.outs is not None
    other = replace(
        spec(),
        wave=Wave("night", ("pilot",), Window(1, 2), paused=True, max_failures=1),
        before=Hook(("a",)),
        after=Hook(("b",)),
        health=Health(ports=(22,)),
        accepted={"guest.no-tools": "known"},
        reserve=0.5,
        host="esx70-9",
    )
    assert not provider.diff(created.id, created.outs, inputs_of(other)).changes
    del fake


def test_a_state_without_a_method_can_be_refreshed(fake: FakeSites) -> None:
    created = provider.create(inputs())
    assert provider.read(created.id, {**(created.outs or {}), "method": ""}).id == created.id
    del fake

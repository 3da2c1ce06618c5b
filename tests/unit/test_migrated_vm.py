"""The provider of a VM over the fake sites, called as the engine calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from components.providers import access, runtime, verdict
from components.providers.migrated_vm import MigratedVmProvider
from components.providers.vm_inputs import inputs_of
from migration.errors import MigrationError
from migration.model import Tools
from migration.wanted import Identity, Stage, VmSpec
from tests.fake_sites import NEW, OLD, FakeSites, a_vm

if TYPE_CHECKING:
    from collections.abc import Iterator


def inputs(stage: Stage = Stage.MIGRATED, **changes: Any) -> dict[str, Any]:
    spec = VmSpec(
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
    return {**inputs_of(spec), **changes}


@pytest.fixture
def fake() -> Iterator[FakeSites]:
    sites = FakeSites([a_vm()])
    access._opened.append(sites)  # type: ignore[arg-type] # all that this provider needs of them
    yield sites
    access._opened.clear()
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

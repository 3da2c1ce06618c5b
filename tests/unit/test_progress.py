"""How often progress is shown, and what is kept of an error that nobody foresaw."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from components.providers import progress, runtime
from migration import errors

if TYPE_CHECKING:
    from pathlib import Path


def shown(live: bool, reports: list[tuple[str, int | None, float]]) -> list[tuple[str, int | None]]:
    throttle = progress.Throttle(live=live)
    return [(phase, percent) for phase, percent, now in reports if throttle.admits(phase, percent, now)]


def test_a_log_gets_each_ten_percent() -> None:
    reports: list[tuple[str, int | None, float]] = [("copy", percent, float(percent)) for percent in range(30)]
    assert shown(False, reports) == [("copy", 0), ("copy", 10), ("copy", 20)]


def test_a_log_gets_a_sign_of_life_each_minute() -> None:
    reports: list[tuple[str, int | None, float]] = [
        ("shut down the guest", None, float(now)) for now in range(0, 200, 5)
    ]
    assert len(shown(False, reports)) == 4


@pytest.mark.parametrize("live", [True, False])
def test_a_new_phase_is_always_shown(live: bool) -> None:
    assert shown(live, [("unregister", None, 0.0), ("register", None, 0.01)]) == [
        ("unregister", None),
        ("register", None),
    ]


def test_a_terminal_gets_one_line_a_second() -> None:
    reports: list[tuple[str, int | None, float]] = [("copy", n, n / 10) for n in range(31)]
    assert len(shown(True, reports)) == 4


def test_a_foreseen_error_is_its_own_message() -> None:
    assert runtime.one_message(errors.Refused("vc60: the password is wrong")) == "vc60: the password is wrong"


def test_an_unforeseen_error_is_one_line_and_its_traceback_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="Expecting") as caught:
        json.loads('{"datastore"')
    message = runtime.one_message(caught.value)
    assert "\n" not in message
    assert "JSONDecodeError: Expecting" in message
    kept = (tmp_path / ".build" / "esxodus-errors.log").read_text(encoding="utf-8")
    assert "Traceback (most recent call last)" in kept


def test_outside_the_server_a_call_reports_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    runtime.current_call().say("hello")
    assert "hello" in caplog.text


def test_outside_the_server_a_failure_is_still_one_of_ours() -> None:
    with (
        pytest.raises(errors.MigrationError, match="the password is wrong"),
        runtime.current_call().keeping("vm", {}),
    ):
        raise errors.Refused("the password is wrong")

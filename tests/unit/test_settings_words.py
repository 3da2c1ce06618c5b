"""Whatever is wrong with a value, it is said in the operator's words: no library's, and nothing of how Python writes data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.settings import Settings
from migration.errors import SettingsError
from tests.unit.test_settings import GOOD, changed

HOOK = {"command": ["true"], "timeout": 60, "retries": 0}
WAVE = {
    "name": "pilot",
    "stage": "migrated",
    "method": "auto",
    "after": [],
    "window": {"start": "2026-12-01T22:00+09:00", "end": "2026-12-02T04:00+09:00"},
    "paused": False,
    "maxFailures": 1,
    "patience": 900,
    "policy": {"shutdownTimeout": 60, "onShutdownTimeout": "stop"},
    "placement": {"host": "esx71", "datastore": "gold7", "reserve": 5},
    "health": {"tools": True, "addresses": True, "ports": [22], "timeout": 60},
    "hooks": {"before": HOOK, "after": HOOK},
    "vms": [{"name": "app01", "uuid": "502e71fa-1a9b-2c3d-4e5f-60718293a4b5"}],
}
WHOLE: dict[str, Any] = {
    **GOOD,
    "waves": [WAVE],
    "accept": [{"concern": "guest.no-tools", "vm": "*", "reason": "known"}],
    "fabric": {"kind": "manual"},
    "policy": WAVE["policy"],
}
WRONG: tuple[object, ...] = (
    None,
    True,
    "",
    "x" * 100,
    -1,
    0,
    1.5,
    10**30,
    float("nan"),
    [],
    [[]],
    {},
    {"x": 1},
    "\u2028",
)
FOREIGN = re.compile(r"input|should|valid|unable|value error|expected|instance|[{}]|\[\]|tuple|dict\b", re.IGNORECASE)


def paths(value: object, at: str = "") -> Iterator[str]:
    """Yield the path of each value, however deep."""
    if at:
        yield at
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from paths(inner, f"{at}.{key}" if at else str(key))


def test_the_whole_of_it_is_right() -> None:
    assert Settings.parse(WHOLE).specs()


@pytest.mark.parametrize("path", [path for path in paths(WHOLE) if "Password" not in path])
def test_no_word_is_foreign(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.test_settings.GOOD", WHOLE)
    for value in WRONG:
        try:
            Settings.parse(changed(path, value))
        except SettingsError as error:
            for problem in error.problems:
                words = re.sub(r"known(?: here)?: .*|allowed: .*|such as .*|an instance UUID", "", problem)
                assert not FOREIGN.search(words), problem


def test_a_hook_is_a_command_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there").write_text("#!/bin/sh\n", encoding="utf-8")
    Path("not-executable").write_text("#!/bin/sh\n", encoding="utf-8")
    Path("there").chmod(0o700)
    commands = {"before": {"command": ["./there"]}, "after": {"command": ["true"]}}
    fine = {**WHOLE, "waves": [{**WAVE, "hooks": commands}]}
    assert Settings.parse(fine, here=True).specs()
    wrong = {"before": {"command": ["./not-executable", "x"]}, "after": {"command": ["no-such-command"]}}
    vms = [{"name": "app01", "hooks": {"before": {"command": ["./gone"]}}}]
    both = {**WHOLE, "waves": [{**WAVE, "hooks": wrong, "vms": vms}]}
    assert Settings.parse(both).specs(), "whoever only reads the settings need not have the commands"
    with pytest.raises(SettingsError) as caught:
        Settings.parse(both, here=True)
    found = [problem.partition(" is neither on PATH nor an executable file")[0] for problem in caught.value.problems]
    assert found == [
        "esxodus:waves[0].hooks.before.command: ./not-executable",
        "esxodus:waves[0].hooks.after.command: no-such-command",
        "esxodus:waves[0].vms[0].hooks.before.command: ./gone",
    ]

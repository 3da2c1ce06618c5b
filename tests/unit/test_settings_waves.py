"""What waves and VMs say: who beats whom, and every sentence about what is wrong."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
import yaml

from components.settings import Settings
from migration.wanted import RESERVE, Health, Hook, Method, VmSpec, Window
from tests.unit.test_settings import GOOD, changed, problems

WINDOW = {"start": "2026-12-01T22:00+09:00", "end": "2026-12-02T04:00+09:00"}


def specs(wave: dict[str, Any] | None = None, vm: dict[str, Any] | None = None, **site: Any) -> list[VmSpec]:
    """Return what two VMs should become, the second of which says something of its own."""
    one = {"name": "pilot", "stage": "migrated", **(wave or {}), "vms": ["app01", {"name": "app02", **(vm or {})}]}
    return [spec for _, spec in Settings.parse({**GOOD, "waves": [one], **site}).specs()]


def test_without_a_word_the_guest_is_checked_and_nothing_else_is_asked() -> None:
    spec = specs()[0]
    assert spec.health == Health(tools=True, addresses=True, ports=(), timeout=300)
    assert (spec.before, spec.after, spec.host, spec.reserve, spec.accepted) == (None, None, "", RESERVE, {})
    assert spec.method is Method.AUTO
    assert (spec.wave.window, spec.wave.paused, spec.wave.max_failures, spec.wave.patience) == (None, False, None, 900)


def test_the_vm_beats_the_wave_beats_the_site_key_by_key() -> None:
    first, second = specs(
        {"policy": {"shutdownTimeout": 60}, "method": "reattach"},
        {"policy": {"onShutdownTimeout": "stop"}, "method": "xvm"},
        policy={"shutdownTimeout": 10, "onShutdownTimeout": "powerOff"},
    )
    assert (first.shutdown_timeout, first.on_shutdown_timeout, first.method) == (60, "powerOff", Method.REATTACH)
    assert (second.shutdown_timeout, second.on_shutdown_timeout, second.method) == (60, "stop", Method.XVM)


def test_a_placement_names_the_host_the_datastore_and_what_stays_free() -> None:
    first, second = specs({"placement": {"datastore": "gold7", "reserve": 20}}, {"placement": {"host": "esx72"}})
    assert (first.host, first.new_volumes, first.reserve) == ("", ("gold7",), 0.2)
    assert (second.host, second.new_volumes, second.reserve) == ("esx72", ("gold7",), 0.2)


@pytest.mark.parametrize("off", ["off", False])
def test_health_may_be_off_and_on_again(off: object) -> None:
    first, second = specs({"health": off}, {"health": {"ports": [22, 443]}})
    assert first.health is None
    assert second.health == Health(ports=(22, 443))
    first, second = specs({"health": {"timeout": 9, "tools": False}}, {"health": off})
    assert first.health == Health(tools=False, timeout=9)
    assert second.health is None
    assert specs({"health": {"timeout": 9}}, {"health": {"addresses": False}})[1].health == Health(
        addresses=False, timeout=9
    )


def test_hooks_of_the_wave_and_of_the_vm() -> None:
    first, second = specs(
        {"hooks": {"before": {"command": ["./quiet", "4h"], "timeout": 5, "retries": 2}, "after": {"command": ["a"]}}},
        {"hooks": {"before": "off", "after": {"command": ["b"]}}},
    )
    assert (first.before, first.after) == (Hook(("./quiet", "4h"), 5, 2), Hook(("a",)))
    assert (second.before, second.after) == (None, Hook(("b",)))


@pytest.mark.parametrize(
    "written",
    [WINDOW, yaml.safe_load("{start: 2026-12-01T22:00:00+09:00, end: 2026-12-02T04:00:00+09:00}"), json.dumps(WINDOW)],
)
def test_a_window_is_text_or_what_yaml_makes_of_it(written: Any) -> None:
    given = json.loads(written) if isinstance(written, str) else written
    start = datetime(2026, 12, 1, 13, tzinfo=UTC).timestamp()
    assert specs({"window": given})[0].wave.window == Window(start, start + 6 * 3600)


def test_a_wave_comes_after_all_that_come_before() -> None:
    order = {"d": ["c", "b"], "a": [], "b": ["a"], "c": ["a"]}
    waves = [{"name": name, "stage": "migrated", "after": order[name], "vms": [f"vm-{name}"]} for name in order]
    after = {spec.wave.name: spec.wave.after for _, spec in Settings.parse({**GOOD, "waves": waves}).specs()}
    assert after == {"a": (), "b": ("a",), "c": ("a",), "d": ("a", "b", "c")}
    declared = [(spec.wave.name, spec.wave.order) for _, spec in Settings.parse({**GOOD, "waves": waves}).specs()]
    assert declared == [("d", 0), ("a", 1), ("b", 2), ("c", 3)]


def test_what_a_wave_admits() -> None:
    wave = specs({"paused": True, "maxFailures": 3, "patience": 0})[0].wave
    assert (wave.name, wave.paused, wave.max_failures, wave.patience) == ("pilot", True, 3, 0)


def test_what_is_accepted_of_a_vm_beats_what_is_accepted_of_all() -> None:
    first, second = specs(
        accept=[
            {"concern": "guest.no-tools", "vm": "app02", "reason": "mine"},
            {"concern": "guest.no-tools", "vm": "*", "reason": "all"},
        ]
    )
    assert (first.accepted, second.accepted) == ({"guest.no-tools": "all"}, {"guest.no-tools": "mine"})


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (
            "waves.0.vms.1.method",
            "relay",
            "live by a relay vCenter 6.7 is not available in this version; allowed: 'auto'",
        ),
        ("waves.0.vms.1.method", "fly", "esxodus:waves[0].vms[1].method: 'fly': must be 'auto', 'xvm' or 'reattach'"),
        (
            "waves.0.window",
            {**WINDOW, "start": "2026-12-01T22:00"},
            "esxodus:waves[0].window.start: '2026-12-01T22:00': must be a date and a time with its offset from UTC, such as",
        ),
        (
            "waves.0.window",
            {**WINDOW, "end": date(2026, 12, 2)},
            "esxodus:waves[0].window.end: 2026-12-02: must be a date",
        ),
        ("waves.0.window", {**WINDOW, "end": "tonight"}, "esxodus:waves[0].window.end: 'tonight': must be a date"),
        ("waves.0.window", {"start": WINDOW["start"]}, "esxodus:waves[0].window.end: missing"),
        (
            "waves.0.window",
            {"start": WINDOW["end"], "end": WINDOW["start"]},
            "esxodus:waves[0].window: the window must end after it starts",
        ),
        ("waves.0.vms.1.window", WINDOW, "esxodus:waves[0].vms[1].window: there is no such key; "),
        ("waves.0.paused", "maybe", "esxodus:waves[0].paused: 'maybe': must be true or false"),
        ("waves.0.maxFailures", 0, "esxodus:waves[0].maxFailures: 0: must be at least 1"),
        ("waves.0.patience", -1, "esxodus:waves[0].patience: -1: must be at least 0"),
        (
            "waves.0.placement",
            {"host": "esx73"},
            "esxodus:waves[0].placement.host: esx73 is no host of esxodus:target.hosts; did you mean esx7",
        ),
        (
            "waves.0.vms.1.placement",
            {"datastore": "silver"},
            "esxodus:waves[0].vms[1].placement.datastore: silver is no datastore of esxodus:target.datastores; known",
        ),
        ("waves.0.placement", {"reserve": 100}, "esxodus:waves[0].placement.reserve: 100: must be less than 100"),
        ("waves.0.placement", {"pool": "x"}, "esxodus:waves[0].placement.pool: there is no such key; known here: "),
        (
            "waves.0.policy",
            {"shutdownTimeout": 0},
            "esxodus:waves[0].policy.shutdownTimeout: 0: must be greater than 0",
        ),
        ("waves.0.health", "yes", "esxodus:waves[0].health: 'yes': must be keys with values"),
        ("waves.0.health", None, "esxodus:waves[0].health: None: must be keys with values, or off"),
        ("waves.0.health", {"ports": [0]}, "esxodus:waves[0].health.ports[0]: 0: must be at least 1"),
        ("waves.0.health", {"port": [22]}, "esxodus:waves[0].health.port: there is no such key; did you mean ports?"),
        (
            "waves.0.hooks",
            {"before": {"command": "ls -l"}},
            "esxodus:waves[0].hooks.before.command: 'ls -l': must be a list",
        ),
        (
            "waves.0.hooks",
            {"before": {"command": []}},
            "esxodus:waves[0].hooks.before.command: empty; at least one is needed",
        ),
        ("waves.0.hooks", {"after": {}}, "esxodus:waves[0].hooks.after.command: missing"),
        (
            "waves.0.hooks",
            {"after": {"command": ["a"], "timeout": 0}},
            "hooks.after.timeout: 0: must be greater than 0",
        ),
        ("accept", [{"concern": "guest.no-tools", "vm": "app01"}], "esxodus:accept[0].reason: missing"),
        (
            "accept",
            [{"concern": "guest.no-tool", "vm": "*", "reason": "ok"}],
            "esxodus:accept[0].concern: guest.no-tool is no concern of docs/concerns.md; did you mean guest.no-tools?",
        ),
        (
            "accept",
            [{"concern": "vm.encrypted", "vm": "*", "reason": "ok"}],
            "esxodus:accept[0].concern: vm.encrypted always blocks, so it cannot be accepted; ",
        ),
        (
            "accept",
            [{"concern": "guest.no-tools", "vm": "app01", "reason": "  "}],
            "esxodus:accept[0].reason: '  ' is not a reason; it is reported with the warning that it accepts",
        ),
        (
            "accept",
            [{"concern": "guest.no-tools", "vm": "app1", "reason": "ok"}],
            "esxodus:accept[0].vm: app1 is no VM of esxodus:waves; did you mean app0",
        ),
        (
            "accept",
            [{"concern": "guest.no-tools", "vm": "*", "reason": text} for text in ("one", "two")],
            "esxodus:accept: concern guest.no-tools of * is there 2 times",
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_place_and_what_is_allowed(path: str, value: object, expected: str) -> None:
    found = problems(changed(path, value))
    assert any(expected in problem for problem in found), found
    assert len(found) == 1, found


def test_many_names_are_not_all_listed() -> None:
    names = [f"server{number:03}" for number in range(300)]
    (found,) = problems({**GOOD, "waves": [{"name": "w", "stage": "source", "vms": names}], "accept": [
        {"concern": "guest.no-tools", "vm": "x", "reason": "ok"}
    ]})  # fmt: skip
    assert "server000" in found
    assert found.endswith("…")
    assert len(found) < 300

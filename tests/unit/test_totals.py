"""What the waves and the site add up to."""

from __future__ import annotations

from typing import Any

from components.totals import TOLD, brief, totals

SOURCE = {"site": "source", "host": "esx60-1", "datastores": ["old-a", "old-b"]}
TARGET = {"site": "target", "host": "esx70-1", "datastores": ["gold7"]}
OLD = "no build of vCenter 6.0 supports it [live.version]"
SWITCH = "a card would go to a standard switch [live.switch]"


def vm(**changes: Any) -> dict[str, Any]:
    return {
        "stage": "migrated",
        "reached": "migrated",
        "chosen": "reattach",
        "reasons": [OLD],
        "was": SOURCE,
        "place": TARGET,
        "downtimeSeconds": 60.0,
        "copiedGiB": 12.25,
        "began": "2026-12-01T22:00:00.000+00:00",
        "ended": "2026-12-01T22:10:00.000+00:00",
        "waiting": "",
        **changes,
    }


LIVE = vm(
    chosen="xvm",
    reasons=["every rule holds"],
    downtimeSeconds=None,
    began="2026-12-01T21:59:00.000+00:00",
    ended="2026-12-01T22:00:00.500+00:00",
)
IDLE = {"chosen": "", "reasons": [], "began": "", "ended": "", "copiedGiB": 0.0, "downtimeSeconds": None}
HELD = vm(reached="source", waiting="the window is over", **IDLE)
FAILED = {"stage": "migrated", "failed": True}


def test_the_fixture_is_what_a_vm_tells() -> None:
    assert vm().keys() == {"stage", *TOLD}


def test_it_adds_up() -> None:
    assert totals([vm(), vm(downtimeSeconds=90.5, reasons=[OLD, SWITCH]), LIVE, HELD, FAILED]) == {
        "vms": 5,
        "settled": 3,
        "waiting": 1,
        "failed": 1,
        "methods": {"reattach": 2, "xvm": 1},
        "reasons": {"reattach": {OLD: 2, SWITCH: 1}, "xvm": {"every rule holds": 1}},
        "copiedGiB": 36.8,
        "downtimeSeconds": {"total": 150.5, "longest": 90.5},
        "seconds": 660.0,
    }


def test_where_nothing_was_done_nothing_is_counted() -> None:
    found = totals([HELD])
    assert (found["settled"], found["seconds"], found["downtimeSeconds"]) == (0, 0.0, {"total": 0, "longest": 0.0})
    assert totals([])["vms"] == 0


def test_a_vm_at_its_stage_that_still_waits_has_not_settled() -> None:
    assert totals([vm(waiting="the window is over")])["settled"] == 0


def test_a_vm_on_its_way_has_not_settled() -> None:
    assert totals([vm(reached=""), vm(reached="rehosted")])["settled"] == 0


def test_one_vm_in_brief() -> None:
    assert brief(vm()) == {
        "stage": "migrated",
        "method": "reattach",
        "was": "source: esx60-1, old-a, old-b",
        "is": "target: esx70-1, gold7",
        "downtime": 60.0,
    }
    assert brief(HELD)["waiting"] == "the window is over"
    assert brief(vm(place={}))["is"] == ""
    assert brief(FAILED)["stage"].startswith("not reached")

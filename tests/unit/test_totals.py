"""What the waves and the site add up to."""

from __future__ import annotations

from typing import Any

from components.totals import TOLD, brief, totals

SOURCE = {"site": "source", "host": "esx60-1", "datastores": ["old-a", "old-b"]}
TARGET = {"site": "target", "host": "esx70-1", "datastores": ["gold7"]}
OLD = "no build of vCenter 6.0 supports it [live.version]"
SWITCH = "a card would go to a standard switch [live.switch]"


def run(began: str, ended: str) -> list[str]:
    return [f"2026-12-01T{moment}.000+00:00" for moment in (began, ended)]


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
        "runs": [run("22:00:00", "22:10:00")],
        "waiting": "",
        "papersDiff": [],
        "concerns": [
            "guest.no-tools: accepted: VMware Tools are not installed (ticket 4711)",
            "site.no-tags: not read",
        ],
        **changes,
    }


LIVE = vm(
    chosen="xvm",
    reasons=["every rule holds"],
    downtimeSeconds=None,
    runs=[run("21:59:00", "22:00:01")],
    concerns=[],
)
IDLE = {"reasons": [], "runs": [], "copiedGiB": 0.0, "downtimeSeconds": None, "concerns": [], "place": SOURCE}
HELD = vm(reached="source", waiting="app01: the window is over", **IDLE)
FAILED = vm(reached="rehosted", failed=True, copiedGiB=0.0, concerns=[])
BLIND = {"stage": "migrated", "failed": True}
NOT_BEGUN = {"stage": "migrated", "notBegun": True}


def test_the_fixture_is_what_a_vm_tells() -> None:
    assert vm().keys() == {"stage", *TOLD}


def test_it_adds_up() -> None:
    told = [vm(), vm(downtimeSeconds=90.5, reasons=[OLD, SWITCH]), LIVE, HELD, FAILED, BLIND, NOT_BEGUN, NOT_BEGUN]
    assert totals(told) == {
        "vms": 8,
        "settled": 3,
        "waiting": 1,
        "failed": 2,
        "notBegun": 2,
        "accepted": {"guest.no-tools": 2},
        "methods": {"reattach": 4, "xvm": 1},
        "reasons": {"reattach": {OLD: 3, SWITCH: 1}, "xvm": {"every rule holds": 1}},
        "copiedGiB": 36.8,
        "downtimeSeconds": {"total": 210.5, "longest": 90.5},
        "seconds": 660.0,
    }


def test_where_nothing_was_done_nothing_is_counted() -> None:
    found = totals([HELD])
    assert (found["settled"], found["seconds"], found["downtimeSeconds"]) == (0, 0.0, {"total": 0, "longest": 0.0})
    assert totals([])["vms"] == 0


def test_the_time_between_two_runs_does_not_count() -> None:
    over_night = vm(runs=[run("22:00:00", "22:10:00"), run("23:50:00", "23:51:00")])
    beside = vm(runs=[run("22:05:00", "22:11:00"), run("23:50:30", "23:50:40")])
    assert totals([over_night, beside])["seconds"] == 12 * 60


def test_a_vm_at_its_stage_that_still_waits_or_failed_has_not_settled() -> None:
    assert totals([vm(waiting="the window is over"), vm(failed=True)])["settled"] == 0


def test_a_vm_on_its_way_has_not_settled() -> None:
    assert totals([vm(reached=""), vm(reached="rehosted")])["settled"] == 0


def test_one_vm_is_one_line() -> None:
    assert brief("app01", vm()) == (
        "migrated by reattach: target esx70-1 gold7, was source esx60-1 old-a and old-b, guest down 60.0 s"
    )
    assert brief("app01", HELD) == "source: source esx60-1 old-a and old-b; waits: the window is over"
    assert brief("app01", vm(place={}, reached="")).startswith("on its way by reattach: registered nowhere, was source")
    differs = ["its folder at vc70 is 'a', it was 'b'", "tag x is not at vc70"]
    assert brief("app01", vm(papersDiff=differs)).endswith(f"; not as it was: {'; '.join(differs)}")


def test_what_failed_is_told_from_what_was_not_begun() -> None:
    assert brief("app01", FAILED).startswith("failed, rehosted by reattach: target esx70-1 gold7, was source esx60-1")
    assert brief("app01", BLIND).startswith("failed, see its error")
    assert brief("app01", NOT_BEGUN).startswith("not begun: ")

"""The totals of waves and of the site, over what its VMs tell. Pure; times are seconds, sizes GiB."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


TOLD: Final = (
    "reached", "chosen", "reasons", "was", "place", "downtimeSeconds", "copiedGiB", "runs", "waiting", "papersDiff", "concerns",
)  # fmt: skip
"""The outputs of a VM that are needed here, beside `stage`, the one that it is wanted at."""


def totals(vms: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the totals of VMs of which each tells its outputs; or `notBegun`, or `failed` with the outputs that are known.

    `settled` are where they are wanted, `waiting` are not admitted by their wave now, `failed` have an error of their own,
    `notBegun` come after something that failed. `accepted` counts warnings by id, `reasons` says for each method why it was
    chosen, and of how many VMs. `seconds` are those in which any of the VMs was at work, however many runs it took.
    """
    told = [vm for vm in vms if "reached" in vm]
    well = [vm for vm in told if not vm.get("failed")]
    down = [vm["downtimeSeconds"] for vm in told if vm["downtimeSeconds"] is not None]
    return {
        "vms": len(vms),
        "settled": sum(vm["reached"] == vm["stage"] and not vm["waiting"] for vm in well),
        "waiting": sum(bool(vm["waiting"]) for vm in well),
        "failed": sum(bool(vm.get("failed")) for vm in vms),
        "notBegun": sum(bool(vm.get("notBegun")) for vm in vms),
        "accepted": _accepted(told),
        "methods": dict(sorted(Counter(vm["chosen"] for vm in told if vm["chosen"]).items())),
        "reasons": _reasons(told),
        "copiedGiB": round(sum(vm["copiedGiB"] for vm in told), 1),
        "downtimeSeconds": {"total": round(sum(down), 1), "longest": max(down, default=0.0)},
        "seconds": round(_at_work(told), 1),
    }


def brief(name: str, vm: Mapping[str, Any]) -> str:
    """Return the line about one VM that the CLI prints at every run; the rest is in the state (`pulumi stack export`)."""
    if vm.get("notBegun"):
        return "not begun: something that it comes after has failed"
    if "reached" not in vm:
        return "failed, see its error; nothing is known of where it is, a preview looks"
    place, was, down = _place(vm["place"]), _place(vm["was"]), vm["downtimeSeconds"]
    differs = "; ".join(vm["papersDiff"] or ())
    parts = (
        "failed, " if vm.get("failed") else "",
        vm["reached"] or "on its way",
        f" by {vm['chosen']}" if vm["chosen"] and vm["runs"] else "",
        f": {place or 'registered nowhere'}",
        f", was {was}" if was and was != place else "",
        f", guest down {down:.1f} s" if down is not None else "",
        f"; waits: {vm['waiting'].removeprefix(f'{name}: ')}" if vm["waiting"] else "",
        f"; not as it was: {differs}" if differs else "",
    )
    return "".join(parts)


def _place(place: Mapping[str, Any]) -> str:
    return f"{place['site']} {place['host']} {' and '.join(place['datastores'])}" if place else ""


def _at_work(vms: Iterable[Mapping[str, Any]]) -> float:
    """Return the seconds in which at least one VM was at work: those between two runs, or while all were held, do not count."""
    seconds, until = 0.0, float("-inf")
    moments = [[datetime.fromisoformat(moment).timestamp() for moment in run] for vm in vms for run in vm["runs"] or ()]
    for began, ended in sorted(moments):
        seconds += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return seconds


def _accepted(vms: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how often each warning was accepted."""
    said = [text.partition(": ") for vm in vms for text in vm["concerns"] or ()]
    return dict(sorted(Counter(identifier for identifier, _, words in said if words.startswith("accepted: ")).items()))


def _reasons(vms: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Return for each method, in how many VMs each of its reasons was found; the most frequent first."""
    counted: dict[str, Counter[str]] = {}
    for vm in vms:
        if vm["chosen"]:
            counted.setdefault(vm["chosen"], Counter()).update(vm["reasons"])
    return {method: dict(counted[method].most_common()) for method in sorted(counted) if counted[method]}

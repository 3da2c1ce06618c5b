"""The totals of waves and of the site, over what its VMs tell. Pure; times are seconds, sizes GiB."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


TOLD: Final = (
    "reached", "chosen", "reasons", "was", "place", "downtimeSeconds", "copiedGiB", "began", "ended", "waiting",
)  # fmt: skip
"""The outputs of a VM that are needed here, beside `stage`, the one that it is wanted at."""


def totals(vms: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the totals of VMs of which each tells its outputs, or only `stage` and `failed` where this run has none.

    `settled` are where they are wanted, `waiting` are not admitted by their wave now, `failed` includes those that were not
    begun because something before them failed. `reasons` says for each method why it was chosen, and of how many VMs.
    """
    told = [vm for vm in vms if not vm.get("failed")]
    down = [vm["downtimeSeconds"] for vm in told if vm["downtimeSeconds"] is not None]
    moments = [datetime.fromisoformat(vm[end]) for vm in told for end in ("began", "ended") if vm[end]]
    return {
        "vms": len(vms),
        "settled": sum(vm["reached"] == vm["stage"] and not vm["waiting"] for vm in told),
        "waiting": sum(bool(vm["waiting"]) for vm in told),
        "failed": len(vms) - len(told),
        "methods": dict(sorted(Counter(vm["chosen"] for vm in told if vm["chosen"]).items())),
        "reasons": _reasons(told),
        "copiedGiB": round(sum(vm["copiedGiB"] for vm in told), 1),
        "downtimeSeconds": {"total": round(sum(down), 1), "longest": max(down, default=0.0)},
        "seconds": round((max(moments) - min(moments)).total_seconds(), 1) if moments else 0.0,
    }


def brief(vm: Mapping[str, Any]) -> dict[str, Any]:
    """Return the few words about one VM that the CLI prints at every run; the rest is in the state (`pulumi stack export`)."""
    if vm.get("failed"):
        return {"stage": "not reached: failed, or not begun because something before it failed"}
    return {
        "stage": vm["reached"],
        "method": vm["chosen"],
        "was": _place(vm["was"]),
        "is": _place(vm["place"]),
        "downtime": vm["downtimeSeconds"],
        **({"waiting": vm["waiting"]} if vm["waiting"] else {}),
    }


def _place(place: Mapping[str, Any]) -> str:
    return f"{place['site']}: {place['host']}, {', '.join(place['datastores'])}" if place else ""


def _reasons(vms: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Return for each method, in how many VMs each of its reasons was found; the most frequent first."""
    counted: dict[str, Counter[str]] = {}
    for vm in vms:
        if vm["chosen"]:
            counted.setdefault(vm["chosen"], Counter()).update(vm["reasons"])
    return {method: dict(counted[method].most_common()) for method in sorted(counted) if counted[method]}

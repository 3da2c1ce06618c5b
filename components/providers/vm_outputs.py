"""What a VM's resource tells: its outputs, which the state keeps in clear.

Times are seconds, sizes GiB, moments ISO 8601 in UTC. A journey is all that happens between two times that the VM is where it
is wanted: a run that goes on where another was interrupted adds to what that has told. What a journey has told stays until a
step of the next one has begun. The list of the calls that changed anything only grows.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from migration.concerns import concerns
from migration.decide import departing, stage_of
from migration.difference import differences
from migration.plan import plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from migration.model import Concern, Papers
    from migration.observation import Observation
    from migration.report import Report
    from migration.wanted import VmSpec
    from vsphere.audit import Entry

_NOTHING: Final[Mapping[str, Any]] = {
    "reached": "",  # the stage that it has reached in fact
    "chosen": "",  # the method
    "reasons": [],  # why it is that one
    "was": {},  # where it was before all
    "place": {},  # where it is
    "downtimeSeconds": None,  # of its guest; None: not known, or it was not down
    "timings": {},  # seconds by kind of step
    "steps": [],
    "copiedGiB": 0.0,
    "began": "",  # its first step
    "ended": "",  # its last step
    "runs": [],  # the same of each run
    "arrived": False,  # it has come to where it was wanted: the next step begins another journey
    "concerns": [],  # "id: sentence", those that were known before it moved and those that hold now
    "papersDiff": [],  # what its vCenter does not show of what its papers know
    "waiting": "",  # why its wave does not admit it now
    "audit": [],  # every call that changed anything, as vsphere.audit.Entry.plain gives it
}
NAMES: Final = tuple(_NOTHING)
_OF_A_JOURNEY: Final = (
    "timings", "steps", "copiedGiB", "downtimeSeconds", "began", "ended", "runs", "concerns", "arrived",
)  # fmt: skip
_LASTING: Final = ("was", "place", "chosen", "reasons", "audit")


def begun(inputs: Mapping[str, Any], olds: Mapping[str, Any], seen: Observation) -> dict[str, Any]:
    """Return the outputs at the beginning of a run. `olds` are those of the run before, {} where there was none."""
    kept = {name: olds[name] for name in (*_LASTING, *_OF_A_JOURNEY) if olds.get(name) is not None}
    if olds:
        kept["concerns"] = _accepted(olds)
        kept.setdefault("arrived", olds.get("reached") == olds.get("stage"))  # an older version did not say it
    at_first = {} if olds else {"was": place(seen), "place": place(seen)}
    return {**inputs, **_NOTHING, **at_first, **kept}


def foretold(spec: VmSpec, seen: Observation) -> dict[str, Any]:
    """Return what is known before anything is done: method, reasons, concerns."""
    foreseen = plan(spec, seen)
    method = {"chosen": foreseen.method} if foreseen.method else {}
    reasons = {"reasons": list(foreseen.reasons)} if foreseen.reasons else {}
    return {**method, **reasons, "concerns": _said(concerns(spec, seen))}


def account(outputs: dict[str, Any], before: Mapping[str, Any], report: Report, calls: Sequence[Entry]) -> None:
    """Add what a run has done, and the calls that changed anything, to what the journey had; `before`: see `foretold`."""
    if outputs["arrived"] and (calls or report.began is not None):
        outputs.update({name: _NOTHING[name] for name in _OF_A_JOURNEY})
    outputs.update({**before, "concerns": _together(outputs["concerns"], before.get("concerns", ()))})
    timings = {**outputs["timings"]}
    for name, seconds in report.timings.items():
        timings[name] = round(timings.get(name, 0.0) + seconds, 1)
    outputs.update(
        timings=timings,
        steps=[*outputs["steps"], *report.steps],
        copiedGiB=round(outputs["copiedGiB"] + report.copied, 3),
        began=outputs["began"] or _iso(report.began),
        ended=_iso(report.ended) or outputs["ended"],
        runs=[*outputs["runs"], *([[_iso(report.began), _iso(report.ended)]] if report.began is not None else [])],
        audit=[*outputs["audit"], *(call.plain() for call in calls)],
    )
    if report.downtime is not None:
        outputs["downtimeSeconds"] = round((outputs["downtimeSeconds"] or 0.0) + report.downtime, 1)


def conclude(outputs: dict[str, Any], spec: VmSpec, seen: Observation, papers: Papers | None) -> None:
    """Add where the VM is now. `papers` are those with which it set out: home again, it has none any more."""
    stage = stage_of(spec, seen)
    outputs.update(reached=stage.value if stage else "", place=place(seen))
    if vm := seen.vm:
        outputs["papersDiff"] = list(differences(replace(vm, papers=vm.papers or papers), seen))
    outputs["concerns"] = _together(outputs["concerns"], _said(concerns(spec, seen)))


def setting_out(spec: VmSpec, seen: Observation) -> Papers | None:
    """Return the papers with which the VM sets out, or is on its way already."""
    vm = seen.vm
    if vm is None:
        return seen.adrift[0].papers if seen.adrift else None
    return departing(spec, vm) if vm.papers and vm.site != spec.home else vm.papers


def place(seen: Observation) -> dict[str, Any]:
    """Return where the VM is, in the names of its site; nothing where it is registered nowhere or twice."""
    vm = seen.vm
    if vm is None:
        return {}
    view = seen.sites[vm.site]
    return {
        "site": vm.site,
        "host": vm.host,
        "datacenter": vm.datacenter,
        "folder": vm.folder,
        "pool": vm.pool,
        "datastores": sorted(view.volume_name(volume) or volume for volume in vm.volumes),
    }


def _accepted(olds: Mapping[str, Any]) -> list[str]:
    """Return the concerns that somebody has accepted: the report of a journey names them although they have passed."""
    accepted = olds.get("accepted") or {}
    return [text for text in olds.get("concerns") or [] if text.partition(":")[0] in accepted]


def _said(found: Iterable[Concern]) -> list[str]:
    return [f"{concern.id}: {concern.said}" for concern in found]


def _together(some: Iterable[str], more: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*some, *more]))


def _iso(moment: float | None) -> str:
    return "" if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")

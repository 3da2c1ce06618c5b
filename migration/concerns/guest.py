"""Will the guest go down cleanly?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from migration.method import reattaches
from migration.model import Concern, Power, Question, Severity, Tools
from migration.observation import Observation
from migration.wanted import Stage, VmSpec

MOVED_OR_COPIED: Final = "msg.uuid.altered"
"""The question of the first power-on at another place; the only one that we answer (vsphere-facts: S48, S49)."""


def unhealthy(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block the copy of a VM whose guest is not well after its arrival; the way back stays open."""
    if seen.so_far.unhealthy and spec.stage is not Stage.SOURCE:
        yield Concern(
            "guest.unhealthy",
            Severity.BLOCKS,
            spec.identity.name,
            f"its guest is not well after its arrival: {'; '.join(seen.so_far.unhealthy)}",
            "see to the guest and run again, set its stage to source to take it back, or set its health check to off",
        )


def moved_choice(question: Question) -> tuple[str, str] | None:
    """Return key and label of "I moved it", where this is the question of whether it was moved or copied."""
    if MOVED_OR_COPIED not in (*question.message_ids, question.text.partition(":")[0]):
        return None
    return next((choice for choice in question.choices.items() if "moved" in choice[1].lower().replace("_", "")), None)


def suspended(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block a suspended VM: its memory image needs a CPU like the one it was taken on (vsphere-facts: S32)."""
    for vm in seen.vms:
        if vm.power is Power.SUSPENDED and reattaches(spec, seen, vm):
            yield Concern(
                "guest.suspended",
                Severity.BLOCKS,
                spec.identity.name,
                "it is suspended",
                "resume it, or shut it down",
            )


def question_pending(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block a VM that waits for an answer that is not ours to give."""
    for vm in seen.vms:
        if vm.question and moved_choice(vm.question) is None:
            choices = ", ".join(vm.question.choices.values())
            yield Concern(
                "guest.question",
                Severity.BLOCKS,
                spec.identity.name,
                f"it waits for an answer at {vm.site}: {vm.question.text} ({choices})",
                "answer it in vCenter, then run again",
            )


def tools_absent(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """A guest without VMware Tools cannot be asked to shut down: warn, or block where the policy is to stop."""
    for vm in seen.vms:
        if vm.power is Power.ON and vm.tools is Tools.NOT_INSTALLED and reattaches(spec, seen, vm):
            stop = spec.on_shutdown_timeout == "stop"
            yield Concern(
                "guest.no-tools",
                Severity.BLOCKS if stop else Severity.WARNS,
                spec.identity.name,
                "VMware Tools are not installed, so the guest cannot be asked to shut down"
                + ("" if stop else "; it will be powered off"),
                "shut it down by hand first" + (", or set policy.onShutdownTimeout: powerOff" if stop else ""),
            )


def shutdown_overdue(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block once the guest has not obeyed within the time limit and the policy is to stop."""
    for vm in seen.vms:
        if (
            seen.so_far.overdue
            and vm.power is Power.ON
            and spec.on_shutdown_timeout == "stop"
            and reattaches(spec, seen, vm)
        ):
            yield Concern(
                "guest.shutdown-overdue",
                Severity.BLOCKS,
                spec.identity.name,
                f"the guest still runs after {spec.shutdown_timeout:g} s"
                + (" of being asked to shut down" if vm.tools is Tools.RUNNING else ": its VMware Tools never came up"),
                "shut it down by hand, raise policy.shutdownTimeout, or set policy.onShutdownTimeout: powerOff",
            )

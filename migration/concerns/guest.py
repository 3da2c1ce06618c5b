"""Will the guest go down cleanly, and come up as it was?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from migration import live
from migration.concerns.moves import leaving, touched
from migration.model import Power, Question, Severity, Tools
from migration.observation import Observation
from migration.rule import Found, rule
from migration.wanted import Stage, VmSpec

MOVED_OR_COPIED: Final = "msg.uuid.altered"
"""The question of the first power-on at another place; the only one that we answer (vsphere-facts: S48, S49)."""


def moved_choice(question: Question) -> tuple[str, str] | None:
    """Return key and label of "I moved it", where this is the question of whether it was moved or copied."""
    if MOVED_OR_COPIED not in (*question.message_ids, question.text.partition(":")[0]):
        return None
    return next((choice for choice in question.choices.items() if "moved" in choice[1].lower().replace("_", "")), None)


@rule(
    "guest.unhealthy",
    Severity.BLOCKS,
    "The guest is not well after its arrival; its files stay on the old array, and the way back stays open.",
    remedy="see to the guest and run again, set its stage to source to take it back, or set its health check to off",
    source="ours",
)
def unhealthy(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find what the health check found."""
    if seen.so_far.unhealthy and spec.stage is not Stage.SOURCE:
        yield Found(f"its guest is not well after its arrival: {'; '.join(seen.so_far.unhealthy)}")


@rule(
    "guest.suspended",
    Severity.BLOCKS,
    "The VM is suspended: its memory image needs a CPU like the one that it was taken on.",
    remedy="resume it, or shut it down",
    source="S32",
)
def suspended(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a suspended VM; where vCenter moves it live.suspended refuses it."""
    for move in leaving(spec, seen):
        if move.vm.power is Power.SUSPENDED and not move.crosses:
            yield Found("it is suspended")


@rule(
    "guest.question",
    Severity.BLOCKS,
    "The VM waits for an answer that is not ours to give.",
    remedy="answer it in vCenter, then run again",
    source="S48, S49",
)
def question_pending(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find any question but that of whether it was moved."""
    del spec
    for vm in seen.vms:
        if vm.question and moved_choice(vm.question) is None:
            choices = ", ".join(vm.question.choices.values())
            yield Found(f"it waits for an answer at {vm.site}: {vm.question.text} ({choices})")


@rule(
    "guest.no-tools",
    Severity.WARNS,
    "VMware Tools are not installed, so the guest cannot be asked to shut down; it blocks where the policy is to stop.",
    remedy="shut it down by hand first",
    source="API: ToolsUnavailable",
)
def tools_absent(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a guest that can only be powered off."""
    stop = spec.on_shutdown_timeout == "stop"
    for move in leaving(spec, seen):
        if move.vm.power is Power.ON and move.vm.tools is Tools.NOT_INSTALLED and not move.crosses:
            yield Found(
                "VMware Tools are not installed, so the guest cannot be asked to shut down"
                + ("" if stop else "; it will be powered off"),
                "shut it down by hand first, or set policy.onShutdownTimeout: powerOff" if stop else "",
                Severity.BLOCKS if stop else Severity.WARNS,
            )


@rule(
    "guest.tools-installer",
    Severity.BLOCKS,
    "VMware Tools are being installed, or their installer is still mounted; neither move nor copy is possible meanwhile.",
    remedy="let the installation end, or unmount the installer (“End VMware Tools install”)",
    source="S53",
    halts=False,
)
def tools_installer(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a mounted installer."""
    for vm in touched(spec, seen):
        if vm.tools_installer:
            yield Found("the installer of VMware Tools is mounted")


@rule(
    "guest.shutdown-overdue",
    Severity.BLOCKS,
    "The guest has not shut down within the time limit, and the policy is to stop.",
    remedy="shut it down by hand, raise policy.shutdownTimeout, or set policy.onShutdownTimeout: powerOff",
    source="ours",
)
def shutdown_overdue(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a guest that did not obey."""
    if not seen.so_far.overdue or spec.on_shutdown_timeout != "stop":
        return
    for move in leaving(spec, seen):
        if move.vm.power is Power.ON and not move.crosses:
            up = move.vm.tools is Tools.RUNNING
            yield Found(
                f"the guest still runs after {spec.shutdown_timeout:g} s"
                + (" of being asked to shut down, and may still go down" if up else ": its VMware Tools never came up")
            )


@rule(
    "guest.fewer-cpu-features",
    Severity.INFORMS,
    "No host where it goes offers the CPU features that the guest runs with; it will power on with fewer.",
    remedy="set esxodus:target.cluster.evc to a mode that covers it, if its software needs them",
    source="S31, S32",
)
def fewer_features(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a running VM that powers on at an older CPU; where vCenter moves it running live.cpu refuses it."""
    for move in leaving(spec, seen):
        hosts = [host for host in live.able(spec, move.there) if host.evc]
        needs = move.vm.evc if move.vm.power is Power.ON else ""
        if needs and hosts and not any(needs in host.evc for host in hosts) and not move.crosses:
            yield Found(f"it runs with the CPU features of {needs}, and will have fewer at {move.there.vcenter}")


@rule(
    "guest.pinned",
    Severity.WARNS,
    "The VM is bound to numbered processors or memory nodes, which are others on another host.",
    remedy="remove the affinity, and set it anew for the new hosts where it is needed",
    source="U; API: AffinityConfigured",
)
def pinned(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find CPU or NUMA affinity."""
    for move in leaving(spec, seen):
        if move.vm.pinned:
            yield Found(f"it has {move.vm.pinned}, set for its host {move.vm.host}")


@rule(
    "guest.latency-sensitive",
    Severity.WARNS,
    "Its latency sensitivity is high, which needs all of its CPU and memory reserved on the new host too.",
    remedy="see that a new host has that much left to reserve, or set the sensitivity to normal",
    source="U",
)
def latency(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find high latency sensitivity."""
    for move in leaving(spec, seen):
        if move.vm.latency_sensitive:
            yield Found("its latency sensitivity is high")

"""What `pulumi preview` says will happen to one VM: `decide` played forward over what is expected. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from migration.actions import Act, Action, Placed, Register, Relocate, SetAttributes, ShutDown, Stop, Wait, WritePapers
from migration.decide import decide, stage_of
from migration.expect import after
from migration.model import Concern, Observation, Stage, VmSpec
from migration.phrase import phrase

LONGEST = 40
"""More steps than any migration has: reaching it means that `decide` and `expect` disagree."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps to come; `stop` says why they end early, `reached` where the VM is now (None: on its way)."""

    reached: Stage | None
    wanted: Stage
    method: str
    steps: tuple[str, ...]
    stop: tuple[Concern, ...] = ()

    def __str__(self) -> str:
        """Give the one line of the preview."""
        where = self.reached.value if self.reached else "on its way"
        if not self.steps:
            return f"{self.method} {where}: nothing to do" if not self.stop else f"{self.method} {where}: stopped"
        return f"{self.method} {where} → {self.wanted.value}: {', '.join(self.steps)}"


def plan(spec: VmSpec, seen: Observation) -> Plan:
    """Return what would be done to the VM from now until it is where it is wanted."""
    steps: list[str] = []
    reached = stage_of(spec, seen)
    stop: tuple[Concern, ...] = ()
    for _ in range(LONGEST):
        decision = decide(spec, seen)
        match decision:
            case Act(action):
                if not isinstance(action, WritePapers | SetAttributes):  # book-keeping of ours
                    steps.append(_step(action, seen, spec))
                seen = after(seen, action, _imagined(action, seen))
                continue
            case Wait(reason):
                steps.append(f"wait: {reason}")
            case Stop(concerns):
                stop = concerns
            case _:
                pass
        break
    return Plan(reached, spec.stage, "reattach", tuple(steps), stop)


def _imagined(action: Action, seen: Observation) -> Placed:
    """Place an action where it might go; the real choice is made at admission."""
    if isinstance(action, Relocate) and not action.to:
        return Placed(volume=action.candidates[0])
    if isinstance(action, Register):
        hosts = seen.sites[action.site].hosts
        return Placed(host=action.host or (hosts[0].name if hosts else ""))
    return Placed()


def _step(action: Action, seen: Observation, spec: VmSpec) -> str:
    if isinstance(action, ShutDown):
        return phrase(action, seen)[:-1] + (
            ", else power off)" if spec.on_shutdown_timeout == "powerOff" else ", else stop)"
        )
    if isinstance(action, Relocate) and len(action.candidates) > 1:
        return f"Storage vMotion of {action.size:.0f} GiB to {' or '.join(spec.new_volumes)}"
    return phrase(action, seen)

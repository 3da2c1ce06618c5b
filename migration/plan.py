"""What `pulumi preview` says will happen to one VM: `decide` played forward over what is expected. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from migration import waves
from migration.actions import (
    Act,
    Action,
    Cross,
    Placed,
    Register,
    Relocate,
    SetAttributes,
    ShutDown,
    Stop,
    Wait,
    WritePapers,
)
from migration.decide import decide, stage_of
from migration.expect import after
from migration.method import choose
from migration.model import Concern
from migration.observation import Observation
from migration.phrase import phrase
from migration.wanted import Stage, VmSpec

LONGEST = 40
"""More steps than any migration has: reaching it means that `decide` and `expect` disagree."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps to come; `stop` says why they end early, `reached` where the VM is now (None: on its way).

    `method` is "" for a VM that need not change its site; `reasons` say why it is that one. `held` says why its wave would not
    let it begin at the moment that was asked for; "" where it would, or where it has begun.
    """

    reached: Stage | None
    wanted: Stage
    method: str
    steps: tuple[str, ...]
    stop: tuple[Concern, ...] = ()
    reasons: tuple[str, ...] = ()
    held: str = ""

    def __str__(self) -> str:
        """Give the one line of the preview."""
        where = self.reached.value if self.reached else "on its way"
        if not self.steps:
            return f"{where}: stopped" if self.stop else f"{where}: nothing to do"
        return f"{self.method} {where} → {self.wanted.value}: {', '.join(self.steps)}".lstrip()


def plan(spec: VmSpec, seen: Observation, now: float | None = None) -> Plan:
    """Return what would be done to the VM from now until it is where it is wanted.

    `now`, in seconds since 1970, is when it would begin; None: whether its wave lets it is not asked.
    """
    steps: list[str] = []
    held: str | None = None
    reached = stage_of(spec, seen)
    chosen = choose(spec, seen, seen.vm) if seen.vm and seen.vm.site != spec.home else None
    stop: tuple[Concern, ...] = ()
    for _ in range(LONGEST):
        decision = decide(spec, seen)
        match decision:
            case Act(action):
                if now is not None and held is None and waves.begins(spec, action, seen):
                    answer = waves.held(spec, action, seen, waves.Moment(now))
                    held = answer.sentence.removeprefix(f"{spec.identity.name}: ") if answer else ""
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
    if chosen is None:  # on its way already, or where it should be
        method = "reattach" if seen.adrift or reached is None else ""
        return Plan(reached, spec.stage, method, tuple(steps), stop, held=held or "")
    return Plan(reached, spec.stage, chosen.method.value, tuple(steps), stop, chosen.reasons, held or "")


def _imagined(action: Action, seen: Observation) -> Placed:
    """Place an action where it might go; the real choice is made at admission."""
    if isinstance(action, Relocate) and not action.to:
        return Placed(volume=action.candidates[0])
    if isinstance(action, Cross):
        hosts = seen.sites[action.site].hosts
        volume = action.candidates[0] if action.candidates else ""
        return Placed(host=action.host or (hosts[0].name if hosts else ""), volume=volume)
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

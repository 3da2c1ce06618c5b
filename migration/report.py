"""What a run has done to a VM so far. Whoever asks for a migration keeps it, so that a failure loses nothing of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from migration.actions import Action, Cross, Relocate


@dataclass(slots=True)
class Report:
    """Steps in an operator's words, seconds by kind of step, GiB copied; `began` and `ended` in seconds since 1970.

    `downtime` is from asking the guest to shut down until it was powered on again; None where the guest was not running, or
    where an earlier run had shut it down, so that it is not known.
    """

    steps: list[str] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    downtime: float | None = None
    copied: float = 0.0
    began: float | None = None
    ended: float | None = None
    now: Callable[[], float] = time.time

    def took(self, action: Action, seconds: float) -> None:
        """Note that an action has just ended, well or not, after so many seconds."""
        self.timings[kind(action)] = self.timings.get(kind(action), 0.0) + seconds
        self.ended = self.now()
        if self.began is None:
            self.began = self.ended - seconds

    def did(self, action: Action, words: str) -> None:
        """Note that an action has ended well."""
        self.steps.append(words)
        if isinstance(action, Relocate | Cross):
            self.copied += action.size


def kind(action: Action) -> str:
    """Return the name of a kind of step, as the outputs show it."""
    name = type(action).__name__
    return name[0].lower() + name[1:]

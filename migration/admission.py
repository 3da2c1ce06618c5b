"""Who may start: the one lock around `migration.schedule`, shared by every VM of a run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from migration.actions import Action, Placed
from migration.errors import Blocked
from migration.model import Vm
from migration.observation import Observation
from migration.schedule import Admitted, Load, Nowhere, admit
from migration.wanted import VmSpec


class Admission:
    """Lets actions of all VMs of a run start only as far as the cost model allows; one instance for a process."""

    def __init__(self) -> None:
        """Start with nothing running."""
        self._load = Load()
        self._changed = threading.Condition()

    @contextmanager
    def admitted(self, spec: VmSpec, action: Action, vm: Vm | None, seen: Observation) -> Iterator[Placed | None]:
        """Hold the action's cost while the block runs, placed where it goes; None: there is no room now.

        What was seen grows old while one waits, so who gets None must look again before asking anew.

        Raises: Blocked where there is no place for it, however long one waits.
        """
        with self._changed:
            answer = admit(spec.identity.name, action, vm, seen, self._load)
            if isinstance(answer, Nowhere):
                raise Blocked((answer.concern,))
            if isinstance(answer, Admitted):
                self._load = self._load.add(answer.cost)
        if not isinstance(answer, Admitted):
            yield None
            return
        try:
            yield answer.placed
        finally:
            with self._changed:
                self._load = self._load.remove(answer.cost)
                self._changed.notify_all()

    def wait(self, timeout: float) -> None:
        """Wait until something that was admitted has ended, at most `timeout` seconds."""
        with self._changed:
            self._changed.wait(timeout)

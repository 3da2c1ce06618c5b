"""The one seam between the decisions and vSphere: `vsphere.sites` is the real implementation, `tests.fake_sites` the fake.

Both pass the same contract tests (tests/lab/test_contract.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from migration.actions import Action, Placed
from migration.model import Vm
from migration.observation import Observation
from migration.wanted import Identity

Progress = Callable[[str, int | None], None]
"""Called with what goes on beside the step itself ("create the folder apps"; "" for the step), and the percent done or None."""


class Sites(Protocol):
    """The sites of one migration: a small named set of vCenters."""

    def observe(self, who: Identity, *, look_adrift: bool = True) -> tuple[Observation, int]:
        """Return what is seen of one VM at every site, and the version of that knowledge.

        Costs no call where nothing has changed: the sites are read once in bulk and followed by updates. Only for a VM that
        is registered nowhere are the datastores browsed for its .vmx (`look_adrift`).

        Raises: Transient and Refused errors of the sites.
        """
        ...

    def wait(self, version: int, timeout: float) -> bool:
        """Block until something newer than `version` is known, at most `timeout` seconds; say whether there is.

        Raises: Paused when the run was asked to stop meanwhile.
        """
        ...

    def perform(self, vm: Vm | None, action: Action, placed: Placed, progress: Progress) -> bool:
        """Do one action and follow it to its end; `vm` is what was observed, None for a registration.

        Returns False only where a `ShutDown` was asked for and its time limit has passed with the guest still running.
        "Already so" is success. A call that starts a task is sent once; what came of it is for the caller to observe.

        Raises: MigrationError. Paused when the run was asked to stop: a task in vCenter goes on.
        """
        ...

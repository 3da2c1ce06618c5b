"""What can go wrong, and what may be done about it.

::

    MigrationError
    ├── Transient          observe again; bounded attempts with back-off
    │   ├── SessionLost    the session ended; a new login may be all that is needed
    │   ├── Unreachable    no answer from the vCenter
    │   ├── Busy           another task holds the VM or the host
    │   └── Stale          what was acted on is no longer there
    ├── Blocked            an operator must act; carries the concerns
    ├── Refused            credentials, certificate or permission: the same call will be refused again
    ├── Held               its wave admits nothing now: not a failure of the VM, a later run goes on
    ├── OutOfTime          the deadline passed; what runs in vCenter goes on, run again, nothing is lost
    ├── Paused             asked to stop; stopped at a safe point, run again to resume
    ├── Unexpected         the world contradicts the model, or an unknown fault (its name kept)
    └── SettingsError      the stack's settings; lists every problem

The message is for the operator: it names the thing, what was tried, why it failed and the way out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migration.model import Concern


class MigrationError(Exception):
    """Root of every error that this product foresees."""


class Transient(MigrationError):
    """May pass by itself: observe again, at most a bounded number of times."""


class SessionLost(Transient):
    """The vCenter no longer knows our session."""


class Unreachable(Transient):
    """The vCenter did not answer, or the connection broke."""


class Busy(Transient):
    """Another operation holds the object."""


class Stale(Transient):
    """The object acted on is gone or has changed since it was observed."""


class Refused(MigrationError):
    """Login, certificate or permission refused: repeating the call cannot help."""


class Blocked(MigrationError):
    """An operator must act first. `concerns` says on what."""

    def __init__(self, concerns: Sequence[Concern]) -> None:
        """Join the concerns to one message, one line each."""
        self.concerns = tuple(concerns)
        super().__init__("\n".join(str(concern) for concern in self.concerns))


class Held(MigrationError):
    """The VM's wave admits nothing now (window, pause, earlier waves, failures). Nothing was begun; a later run goes on."""


class OutOfTime(MigrationError):
    """A deadline passed. What vCenter is doing goes on; the next run resumes."""


class Paused(MigrationError):
    """The operator asked to stop; stopped where it is safe. The next run resumes."""


class Unexpected(MigrationError):
    """The world contradicts the model, or vCenter answered with a fault that is not known here."""


class SettingsError(MigrationError):
    """The stack's settings are wrong. `problems` lists every one of them."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Number the problems when there are several."""
        self.problems = tuple(problems)
        count = len(self.problems)
        head = "1 problem" if count == 1 else f"{count} problems"
        super().__init__(
            f"{head} in the stack's settings:\n" + "\n".join(f"  - {problem}" for problem in self.problems)
        )

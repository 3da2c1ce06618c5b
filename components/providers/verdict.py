"""What a preview ends with: every concern is shown at its resource, and one that blocks fails the preview as a whole.

Failing a check at once would end the preview there, and the operator would see the problems one `pulumi preview` at a time.
So problems are only shown until the last of our resources has been checked, and that check fails if there were any.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from migration.errors import Blocked, MigrationError
from migration.model import Concern, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from components.providers import runtime
    from components.providers.runtime import Call

_LEVELS: Final[dict[Severity, runtime.Severity]] = {
    Severity.BLOCKS: "error",
    Severity.WARNS: "warning",
    Severity.INFORMS: "info",
}

_lock: Final = threading.Lock()
_checked: Final[set[str]] = set()
_blocked: Final[set[str]] = set()
_shown: Final[set[Concern]] = set()
_said: Final[set[str]] = set()


def first(words: str) -> bool:
    """Say whether these words, which are about the sites and found again for each VM, have not been said in this preview."""
    with _lock:
        new = words not in _said
        _said.add(words)
    return new


def show(call: Call, subject: str, concerns: Iterable[Concern], expected: int) -> None:
    """Show the concerns about `subject` at its resource; `expected` subjects are checked in this preview.

    A concern about something else, such as a site, is found again for each VM: it is shown where it is found first. What only
    informs is left to the outputs, but for what the operator has accepted.

    Raises: MigrationError for the last of them where any subject has a concern that blocks.
    """
    with _lock:
        found = [concern for concern in dict.fromkeys(concerns) if concern.subject == subject or concern not in _shown]
        _shown.update(found)
    for concern in found:
        if concern.severity is not Severity.INFORMS or concern.accepted:
            call.say(str(concern), severity=_LEVELS[concern.severity])
    with _lock:
        _checked.add(call.urn or subject)  # two VMs may bear one name
        if any(concern.severity is Severity.BLOCKS for concern in found):
            _blocked.add(subject)
        if len(_checked) == expected and _blocked:
            raise MigrationError(
                f"as things are, this cannot be done: see the errors at {', '.join(sorted(_blocked))}. "
                "Nothing has been changed"
            )


def heed(call: Call, concerns: Sequence[Concern]) -> None:
    """Show what warns, at the moment of acting.

    Raises: Blocked with all that block, where any does.
    """
    if wrong := [concern for concern in concerns if concern.severity is Severity.BLOCKS]:
        raise Blocked(wrong)
    for concern in concerns:
        call.say(str(concern), severity="warning")


def forget() -> None:
    """Begin anew; a process that serves one preview never needs to."""
    with _lock:
        _checked.clear()
        _blocked.clear()
        _shown.clear()
        _said.clear()

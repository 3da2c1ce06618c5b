"""What a migration asks of the machine that it runs on: an operator's commands, and connections to the guests."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from migration.errors import Blocked, Paused
from migration.model import Concern, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from migration.wanted import Hook

REACH: Final = 3.0
"""Seconds in which a port must answer."""
PAUSE: Final = 5.0
"""Seconds between two attempts of a command."""
GRACE: Final = 2.0
"""Seconds between the request to end and the end."""
LINES: Final = 5
"""How many of the last lines that a command wrote are shown where it fails."""
_TELLING: Final = 6
"""Characters from which on a password is also looked for within the values of variables."""
_LOOK: Final = 0.1
"""Seconds between two looks at a command that runs."""


class ThisMachine:
    """Implements `migration.outside.Outside`. `stop` ends what runs; no variable with one of `withheld` in it is passed on."""

    def __init__(
        self, stop: threading.Event, *, withheld: frozenset[str] = frozenset(), folder: Path | None = None
    ) -> None:
        """Commands run in `folder`: the project's, in which a provider is started, where none is given."""
        self._stop, self._folder = stop, folder or Path.cwd()
        self._withheld = tuple(filter(None, withheld))

    def run(self, hook: Hook, facts: Mapping[str, str], say: Callable[[str], None]) -> None:
        """See migration.outside.Outside."""
        attempts = 1 + hook.retries
        failure = ""
        for attempt in range(1, attempts + 1):
            if attempt > 1:
                say(f"hook {hook.command[0]}: {failure}; attempt {attempt} of {attempts} follows")
                self._stop.wait(PAUSE)
            if self._stop.is_set():
                raise Paused(f"{facts['ESXODUS_VM']}: paused before its hook {hook.command[0]}; run again to go on")
            failure = self._attempt(hook, facts["ESXODUS_VM"], facts)
            if not failure:
                return
        # An argument may be a token: the command is named without its arguments.
        times = f" {attempts} times, at last" if attempts > 1 else ""
        what = f"the hook {facts['ESXODUS_WHEN']} it moves, {hook.command[0]}, failed{times}: {failure}"
        remedy = "run it by hand to see why, then run again"
        raise Blocked([Concern("hook.failed", Severity.BLOCKS, facts["ESXODUS_VM"], what, remedy)])

    def reaches(self, address: str, port: int) -> bool:
        """See migration.outside.Outside."""
        try:
            socket.create_connection((address, port), timeout=REACH).close()
        except OSError:
            return False
        return True

    def attempted(self, hook: Hook, subject: str, facts: Mapping[str, str]) -> str:
        """Run a command for `subject` until it ends well, as often as it may be run; return what was wrong at last, else "".

        Raises: Paused.
        """
        failure = ""
        for _ in range(1 + hook.retries):
            failure = self._attempt(hook, subject, facts)
            if not failure:
                break
            self._stop.wait(PAUSE)
        return failure

    def _attempt(self, hook: Hook, subject: str, facts: Mapping[str, str]) -> str:
        """Run the command once and return what was wrong, with its last lines; nothing where it ended well."""
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own command, which no shell reads
                hook.command,
                cwd=self._folder,
                env={**self._environment(), **facts},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # so that it can be ended with all that it has started
            )
        except (OSError, ValueError) as error:
            return f"it cannot be started: {error}"
        assert process.stdout is not None  # noqa: S101 - piped above
        lines: deque[str] = deque(maxlen=LINES)
        reader = threading.Thread(target=_read, args=(process.stdout, lines), name="hook", daemon=True)
        reader.start()
        failure = self._followed(process, hook, subject)
        reader.join(GRACE)  # something that it left running may hold its output open
        said = "; ".join(line for line in list(lines) if line)
        return f"{failure}, after writing: {said}" if failure and said else failure

    def _followed(self, process: subprocess.Popen[str], hook: Hook, subject: str) -> str:
        deadline = time.monotonic() + hook.timeout
        while process.poll() is None:
            if self._stop.wait(_LOOK):
                _end(process)
                raise Paused(f"{subject}: its hook {hook.command[0]} was ended; run again to go on")
            if time.monotonic() >= deadline:
                _end(process)
                return f"it took more than {hook.timeout:g} s and was ended"
        code = process.returncode
        return "" if code == 0 else f"exit code {code}" if code > 0 else f"ended by signal {-code}"

    def _environment(self) -> dict[str, str]:
        """Return our environment without what is Pulumi's or ours to know: a hook needs neither state nor passwords."""
        return {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PULUMI_", "ESXODUS_")) and not self._tells(value)
        }

    def _tells(self, value: str) -> bool:
        """Say whether a variable holds a password, alone or within something; a short one is found anywhere by chance."""
        return any(value == secret or (len(secret) >= _TELLING and secret in value) for secret in self._withheld)


def _read(output: IO[str], lines: deque[str]) -> None:
    with output:
        lines.extend(line.rstrip() for line in output)


def _end(process: subprocess.Popen[str]) -> None:
    """End a command and all that it has started: asked first, then made to."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)

"""How often, and where, the operator is told what goes on."""

from __future__ import annotations

import functools
import os
import tempfile
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from components.providers.ancestry import PROC, ancestors

LIVE_PAUSE: Final = 1.0
"""Seconds between two lines of one resource on a terminal, where each line replaces the one before."""

LOG_PAUSE: Final = 60.0
"""Seconds between two lines of one resource in a log, where every line stays."""

LOG_STEP: Final = 10
"""Percent done that are worth a new line in a log."""


@dataclass(slots=True)
class Throttle:
    """Decides which progress of one resource is shown. `live`: the output is a terminal."""

    live: bool
    phase: str = ""
    percent: int = 0
    shown: float = 0.0

    def admits(self, phase: str, percent: int | None, now: float) -> bool:
        """Say whether to show this, at time `now` (seconds of a monotonic clock); remembers what was shown.

        A new phase is always shown. Within one, a terminal gets a line a second, a log one each 10 % or 60 s.
        """
        reached = self.percent if percent is None else percent
        fresh = phase != self.phase
        if self.live:
            due = now - self.shown >= LIVE_PAUSE
        else:
            due = reached // LOG_STEP > self.percent // LOG_STEP or now - self.shown >= LOG_PAUSE
        if not (fresh or due):
            return False
        self.phase, self.percent, self.shown = phase, reached, now
        return True


@functools.cache
def watched() -> bool:
    """Say whether a person watches the CLI's output on a terminal.

    The engine tells its providers nothing about that, so its process is looked up among this one's ancestors (Linux).
    Anywhere else the answer is no, which only means fewer lines.
    """
    for process in ancestors():
        folder = PROC / str(process)
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
            if Path(os.fsdecode(arguments[0])).name == "pulumi":
                output = str((folder / "fd" / "1").readlink())
                return output.startswith(("/dev/pts/", "/dev/tty")) and b"--non-interactive" not in arguments
        except OSError:
            return False
    return False


def keep_traceback(error: BaseException) -> str:
    """Append the traceback to a log file in the project's build folder and return the file's name."""
    text = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n{''.join(traceback.format_exception(error))}\n"
    for folder in (Path(".build"), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(exist_ok=True)
            file = folder / "esxodus-errors.log"
            with file.open("a", encoding="utf-8") as log:
                log.write(text)
        except OSError:
            continue
        return str(file)
    return "no file: neither .build nor the temporary folder can be written"

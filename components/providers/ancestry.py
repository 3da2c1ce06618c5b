"""The processes that this one comes from: the engine tells its providers nothing about the CLI that runs it. Linux only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")


def ancestors() -> Iterator[int]:
    """Yield our parent's id, its parent's, and so on, as far as the system tells."""
    pid = os.getppid()
    while pid > 1:
        yield pid
        try:
            # The second field, the command's name in brackets, may hold anything; the parent follows the state.
            pid = int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return

"""What runs on this machine, as Linux tells it."""

from __future__ import annotations

import contextlib
from pathlib import Path


def descendants(process: int) -> set[int]:
    """Return the process and all that it has started and that still runs, by id.

    A process group would not do: each of the engine's plugins has one of its own.
    """
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = {process}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found

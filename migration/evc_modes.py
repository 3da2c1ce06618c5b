"""EVC modes, and which covers which. Pure. They are read at run time: which a vCenter knows depends on its version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mode:
    """An EVC mode that the vCenter knows."""

    key: str
    vendor: str
    tier: int
    track: frozenset[str]

    def covers(self, other: Mode) -> bool:
        """Say whether a CPU of this mode can run a VM of the other one (govmomi, types.EVCMode)."""
        return self.vendor == other.vendor and other.track <= self.track and self.tier >= other.tier


def covered(ceiling: str, known: Sequence[Mode]) -> frozenset[str]:
    """Return the keys of all modes that `ceiling`, the key of one of them, covers; none where it is not known."""
    highest = next((mode for mode in known if mode.key == ceiling), None)
    return frozenset(mode.key for mode in known if highest and highest.covers(mode))

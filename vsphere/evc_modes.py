"""From vSphere's EVCMode objects to `migration.evc_modes`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from migration.evc_modes import Mode


def modes(raw: Iterable[Any]) -> tuple[Mode, ...]:
    """Return vSphere's EVCMode objects in our words."""
    return tuple(
        Mode(str(mode.key), str(mode.vendor), int(mode.vendorTier), frozenset(str(one) for one in mode.track or ()))
        for mode in raw
    )

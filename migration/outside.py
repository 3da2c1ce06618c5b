"""The second seam: what a migration asks of the world beside the sites, an operator's commands and the guests' networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from migration.errors import Unexpected
from migration.wanted import Hook


class Outside(Protocol):
    """Commands and network connections of the machine that this runs on."""

    def run(self, hook: Hook, facts: Mapping[str, str], say: Callable[[str], None]) -> None:
        """Run the command with `facts` in its environment until an attempt ends with exit code 0.

        Raises: Blocked with the last lines that it wrote where every attempt fails or takes too long; Paused.
        """
        ...

    def reaches(self, address: str, port: int) -> bool:
        """Say whether a TCP connection can be opened, within a few seconds."""
        ...


class _Nowhere:
    """Where neither hooks nor ports are configured, nothing is asked of the outside."""

    def run(self, hook: Hook, facts: Mapping[str, str], say: Callable[[str], None]) -> None:
        """Refuse."""
        del facts, say
        raise Unexpected(f"there is nobody to run {hook.command[0]}")

    def reaches(self, address: str, port: int) -> bool:
        """Refuse."""
        raise Unexpected(f"there is nobody to ask {address} port {port}")


NOWHERE: Final = _Nowhere()

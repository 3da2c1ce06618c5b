"""What the parts of a site tell of the calls that changed anything: the output `audit`, which only grows."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from components.providers import runtime
from vsphere import audit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextmanager
def accounted(id_: str, inputs: Mapping[str, Any], olds: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the outputs to add to; the calls of the block are added to those that `olds` tell, also where it fails.

    Only for create and update. Raises: MigrationError, in place of whatever the block raised.
    """
    outputs = {**olds, **inputs}
    with runtime.current_call().keeping(id_, outputs), audit.recording() as calls:
        try:
            yield outputs
        finally:
            outputs["audit"] = [*(olds.get("audit") or ()), *(call.plain() for call in calls)]

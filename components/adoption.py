"""What of the declared site is adopted: it exists, and this stack has not made it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi.dynamic

from migration.errors import Unexpected

if TYPE_CHECKING:
    from migration.model import Concern
    from vsphere.existing import Existing

PATIENCE: Final = 5.0
"""Seconds for which reading the stack's own state is tried again."""


Owned = Mapping[tuple[str, str], Mapping[str, Any]]
"""What a stack's state holds: outputs by resource type and logical name."""


class Adoption:
    """Tells what to declare from what to leave alone (docs/adr/0007-adopt-what-exists.md).

    What this stack's state holds is declared. What it does not hold and yet exists is adopted: used by its id and left as it
    is. Everything else is declared, hence created.
    """

    concerns: tuple[Concern, ...] = ()
    """What the operator is to be warned of at the site as a whole."""

    def __init__(self, existing: Existing, owned: Owned) -> None:
        """Take what exists (kind to name to id) and what the state holds (resource type and logical name, to the outputs)."""
        self._existing = existing
        self._owned = owned
        self.adopted: list[str] = []

    def told(self, resource: type[pulumi.dynamic.Resource], name: str) -> Mapping[str, Any]:
        """Return the outputs of one of our own resources as the state has them; nothing of one that is not there."""
        kind = f"pulumi-python:dynamic/esxodus:{resource.__name__}"
        return self._owned.get((kind, name), {})

    def id_of(self, kind: str, name: str, resource: type[pulumi.CustomResource]) -> str | None:
        """Return the id of a thing to adopt, None for one to declare; what is adopted is listed in `adopted`."""
        found = self.sees(kind, name, resource)
        if found is not None:
            self.adopted.append(f"{kind} {name}")
        return found

    def sees(self, kind: str, name: str, resource: type[pulumi.CustomResource]) -> str | None:
        """Return the id of a thing that would be adopted, None for one that would be declared."""
        if (str(resource.pulumi_type), name) in self._owned:  # type: ignore[attr-defined] # set by the SDK's decorator
            return None
        return self._existing.get(kind, {}).get(name)


def state_of_this_stack() -> Owned:
    """Return the outputs of every resource that this stack's state holds, by type and logical name; empty where there is none.

    Raises: Unexpected where the state cannot be read.
    """
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            read = pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", {"stackName": name})
            resources = (read.value or {}).get("outputs", {})
            return {_type_and_name(urn): (told or {}).get("outputs") or {} for urn, told in resources.items()}
        except Exception as error:
            # Just now the engine writes that this run has begun. The file backend replaces the state in one step, but not
            # the small file of attributes beside it (tools.toolchain.backend), and who reads in between is told "EOF".
            if time.monotonic() > deadline:
                raise Unexpected(f"the state of stack {name} cannot be read: {error}") from error
            time.sleep(0.1)


def _type_and_name(urn: str) -> tuple[str, str]:
    _, _, types, name = urn.split("::", 3)
    return types.rpartition("$")[2], name

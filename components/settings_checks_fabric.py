"""The problems of the fabrics' settings that only show when several keys are seen together, looked for in the plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.settings_data import entries, named, twice, verified

if TYPE_CHECKING:
    from collections.abc import Mapping


def problems(fabric: Mapping[str, Any], password: object) -> list[str]:
    """Return what a kind of fabric lacks, or has and has no use for."""
    kind, fabrics = fabric.get("kind", "manual"), entries(fabric.get("fabrics"))
    found = twice("esxodus:fabric.fabrics", "fabric", named(fabrics))
    if kind == "brocade":
        if not fabrics:
            found.append("esxodus:fabric.fabrics: empty; each fabric's switch is needed, two as a rule")
        if not password:
            found.append("esxodus:fabricPassword: missing; set it with `pulumi config set --secret fabricPassword`")
    for number, entry in fabrics:
        path = f"esxodus:fabric.fabrics[{number}]"
        if kind == "brocade":
            found += [f"{path}.{key}: missing" for key in ("switch", "username") if not entry.get(key)]
            found += [
                f"{path}.{key}: only of kind manual"
                for key in ("hbas", "targets", "vsan", "configuration")
                if key in entry
            ]
            found += verified(path, entry)
        elif kind == "manual":
            only = ("switch", "username", "thumbprint", "caFile", "vfid")
            found += [f"{path}.{key}: only of kind brocade" for key in only if key in entry]
            if not entry.get("configuration"):
                found.append(
                    f"{path}.configuration: missing; the configuration or zone set that the zones are added to"
                )
    return found

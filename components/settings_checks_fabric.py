"""The problems of the fabrics' settings that only show when several keys are seen together, looked for in the plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.settings_data import entries, named, texts, twice, verified
from fabric.zoning import zone_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def problems(fabric: Mapping[str, Any], password: object, hosts: Sequence[str]) -> list[str]:
    """Return what a kind of fabric lacks, or has and has no use for; and `hosts` whose zones would bear one name."""
    kind, fabrics = fabric.get("kind", "manual"), entries(fabric.get("fabrics"))
    switches = [f"{entry['switch']} {entry.get('vfid', '')}".strip() for _, entry in fabrics if entry.get("switch")]
    adapters = [hba for _, entry in fabrics for hba in texts(entry.get("hbas"))]
    found = [
        *twice("esxodus:fabric.fabrics", "fabric", named(fabrics)),
        *twice("esxodus:fabric.fabrics", "switch", switches),
        *twice("esxodus:fabric.fabrics", "adapter", adapters),
    ]
    if fabrics:
        found += _alike(hosts)
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
            if not entry.get("hbas"):
                found.append(f"{path}.hbas: missing; the new hosts' adapters that are cabled to this fabric")
            if not entry.get("configuration"):
                found.append(
                    f"{path}.configuration: missing; the configuration or zone set that the zones are added to"
                )
    return found


def _alike(hosts: Sequence[str]) -> list[str]:
    """Names of zones have no dots and hyphens: two hosts that differ in these alone would share theirs."""
    groups: dict[str, list[str]] = {}
    for host in dict.fromkeys(hosts):
        groups.setdefault(zone_name(host.lower()), []).append(host)
    return [
        f"esxodus:target.hosts: {' and '.join(group)} would have zones of one name; let them differ in letters or digits"
        for group in groups.values()
        if len(group) > 1
    ]

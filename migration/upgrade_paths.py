"""Which ESXi may be upgraded to which, and under which vCenter. Pure; the rules: vsphere-facts S16 to S19."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from migration.upgrade_fleet import Wanted, numbers

SOURCES: Final[Mapping[str, tuple[str, ...]]] = {
    "6.5": ("6.0", "6.5"),
    "6.7": ("6.0", "6.5", "6.7"),
    "7.0": ("6.5", "6.7", "7.0"),
}
"""By release, the releases that a host can be upgraded from in one step."""

MANAGED: Final[Mapping[str, tuple[str, ...]]] = {
    "6.5": ("6.0", "6.5"),
    "6.7": ("6.0", "6.5", "6.7"),
    "7.0": ("6.5", "6.7", "7.0"),
    "8.0": ("6.7", "7.0", "8.0"),
}
"""By release of vCenter, the releases of ESXi that it manages."""


def release(version: str) -> str:
    """Return "7.0" of "7.0.3"."""
    return ".".join(str(one) for one in numbers(version)[:2])


def against(version: str, build: int, wanted: Wanted) -> str:
    """Return why a host cannot be upgraded in one step, "" where it can.

    Builds are counted over all releases, so that a lower number means an earlier date: an update that is older than what the
    host runs is no upgrade, though its release is higher ("back in time").
    """
    here, there = release(version), release(wanted.version)
    if there not in SOURCES:
        return f"this version knows no way to {wanted}; it knows {', '.join(SOURCES)}"
    if here not in SOURCES[there]:
        return f"there is no way from ESXi {version} to {wanted} in one step; {_by_way_of(here, there)}"
    if build > wanted.build:
        return (
            f"build {build} of ESXi {version} is newer than build {wanted.build} of {wanted.version}: an upgrade back in time, "
            "which is not supported; take a later update"
        )
    return ""


def _by_way_of(here: str, there: str) -> str:
    between = [one for one in SOURCES if here in SOURCES[one] and one in SOURCES[there]]
    if not between:
        return "it has to be installed anew"
    way = " or ".join(between)
    return (
        f"it takes two: to {way} under a vCenter {way}, then, with that vCenter upgraded to {there}, to {there}; "
        "declare and run one after the other"
    )


def unmanaged(vcenter: str, version: str, wanted: Wanted) -> Iterator[str]:
    """Yield why this vCenter cannot do it: it must not be older than what the hosts become, and manage what they are."""
    if numbers(vcenter)[:3] < numbers(wanted.version)[:3]:
        yield f"vCenter {vcenter} is older than {wanted}; vCenter is upgraded first"
    manages = MANAGED.get(release(vcenter), ())
    if release(version) not in manages:
        yield f"vCenter {vcenter} does not manage ESXi {version}"

"""Is an old LUN presented to the new hosts as it should be: to all of them, by enough paths? Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from migration.model import Concern, Severity
from migration.rule import Kind

ENOUGH: Final = 2
"""Hosts that must have a volume where not all of them have: HA starts again on the second what ran on the first."""

NOT_EVERYWHERE: Final = Kind(
    "volume.not-on-every-host",
    Severity.BLOCKS,
    "An old datastore is presented to some of the new hosts only. It blocks where only one of several has it, else warns.",
    "present the LUN to the other hosts too and zone them, and rescan their storage",
    "S35, ours",
)
NO_PATH: Final = Kind(
    "volume.no-path",
    Severity.BLOCKS,
    "A new host has no path to an old LUN that works.",
    "see the zoning and the presentation, and the host's HBAs",
    "API",
)
ONE_PATH: Final = Kind(
    "volume.one-path",
    Severity.WARNS,
    "A new host reaches an old LUN by one path, or through one HBA, only: one cable or switch stops what runs from it.",
    "zone the other HBA too, and rescan the host's storage",
    "U",
)
PATHS: Final = Kind(
    "volume.paths-missing",
    Severity.WARNS,
    "A new host has fewer working paths to an old LUN than it should have, or than other hosts.",
    "see the zoning of the host, and which of its paths are dead; rescan its storage",
    "U",
)
KINDS: Final = (NOT_EVERYWHERE, NO_PATH, ONE_PATH, PATHS)


@dataclass(frozen=True, slots=True)
class Lun:
    """One disk of an old datastore as one new host sees it: how many paths to it work, through how many adapters."""

    datastore: str
    disk: str
    host: str
    works: int
    hbas: int


def paths(luns: Sequence[Lun], expected: Mapping[tuple[str, str], int] = MappingProxyType({})) -> Iterator[Concern]:
    """Yield what is wrong with the paths of each host.

    `expected`: how many a host should have to a disk; where it is not told, as many as the best has.
    """
    for lun in luns:
        said = f"{lun.host} has {lun.works} working path{'' if lun.works == 1 else 's'} to {lun.disk}"
        should = expected.get((lun.host, lun.disk)) or max(one.works for one in luns if one.disk == lun.disk)
        if lun.works == 0:
            yield NO_PATH.concern(lun.datastore, said)
        elif lun.works == 1 or lun.hbas == 1:
            yield ONE_PATH.concern(lun.datastore, said if lun.works == 1 else f"{said}, all through one HBA")
        elif lun.works < should:
            yield PATHS.concern(lun.datastore, f"{said}, and should have {should}")


def partial(datastore: str, has: Collection[str], lacks: Collection[str]) -> Concern | None:
    """Return what is to be said of a datastore that some of the usable new hosts lack; None where it is on all, or on none yet.

    That each VM finds a host with its datastores is asked for the VM itself.
    """
    if not has or not lacks:
        return None
    enough = len(has) >= ENOUGH
    rest = (
        f"; VMs on it can still run on {', '.join(sorted(has))}"
        if enough
        else f"; only {', '.join(sorted(has))} has it"
    )
    sentence = f"{', '.join(sorted(lacks))} {'lacks' if len(lacks) == 1 else 'lack'} it{rest}"
    return NOT_EVERYWHERE.concern(datastore, sentence, Severity.WARNS if enough else Severity.BLOCKS)

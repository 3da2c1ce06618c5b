"""Is what is declared of the new site where it is declared? What exists is adopted, and never moved. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from migration.model import Concern, Severity
from migration.rule import Kind

IN_ANOTHER_CLUSTER: Final = Kind(
    "host.in-another-cluster",
    Severity.BLOCKS,
    "A declared host is at the target's vCenter, but in another cluster, or in none.",
    "move it in vCenter, or take it out of esxodus:target.hosts; hosts are not moved here",
    "ours",
)
CLUSTER_ELSEWHERE: Final = Kind(
    "host.cluster-elsewhere",
    Severity.BLOCKS,
    "A declared host is in a cluster of the declared name, but of another datacenter.",
    "correct esxodus:target.datacenter, or the host's name",
    "ours",
)
IN_ANOTHER_VCENTER: Final = Kind(
    "host.in-another-vcenter",
    Severity.BLOCKS,
    "A declared host is connected to another vCenter, and would have to be taken from it by force.",
    "evacuate it, then disconnect and remove it there, or correct the host's name",
    "API: AlreadyBeingManaged",
)
KINDS: Final = (IN_ANOTHER_CLUSTER, CLUSTER_ELSEWHERE, IN_ANOTHER_VCENTER)


@dataclass(frozen=True, slots=True)
class Stands:
    """Where a host stands in a vCenter's inventory; `cluster` is "" for one that is in none, `vcenter` is for messages."""

    cluster: str
    datacenter: str
    vcenter: str
    connected: bool = True


def misplaced(
    hosts: Iterable[str], cluster: str, datacenter: str, here: Mapping[str, Stands], elsewhere: Mapping[str, Stands]
) -> Iterator[Concern]:
    """Yield what is wrong with where the declared hosts stand; nothing of one that is free to join.

    `here` are the hosts of the vCenter that they are declared for, `elsewhere` those of another one, by name.
    """
    here, elsewhere = ({name.lower(): stands for name, stands in one.items()} for one in (here, elsewhere))
    for host in hosts:
        stands = here.get(host.lower())
        other = elsewhere.get(host.lower())
        if stands is None and other is not None and other.connected:
            yield IN_ANOTHER_VCENTER.concern(host, f"it is {_in(other)} at {other.vcenter}")
        elif stands is not None and stands.cluster != cluster:
            yield IN_ANOTHER_CLUSTER.concern(host, f"it is {_in(stands)}, not in cluster {cluster!r}")
        elif stands is not None and stands.datacenter != datacenter:
            yield CLUSTER_ELSEWHERE.concern(host, f"it is {_in(stands)}, not of datacenter {datacenter!r}")


def _in(stands: Stands) -> str:
    cluster = f"in cluster {stands.cluster!r}" if stands.cluster else "in no cluster"
    return f"{cluster} of datacenter {stands.datacenter!r}"

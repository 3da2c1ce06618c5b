"""Is what is declared of the new site where it is declared? What exists is adopted, and never moved. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
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
    "A declared host is managed by another vCenter, and would have to be taken from it by force.",
    "evacuate it, then disconnect and remove it there, or correct the host's name",
    "API: AlreadyBeingManaged",
)
NO_VMOTION: Final = Kind(
    "host.no-vmotion",
    Severity.WARNS,
    "A declared host has no adapter for vMotion, and none is declared, while DRS is on or VMs are to come live.",
    "give it an address in esxodus:target.hosts (vmotion), on the network of esxodus:target.vmotion",
    "S13",
)
NOT_ON_SWITCH: Final = Kind(
    "host.not-on-switch",
    Severity.WARNS,
    "The distributed switch exists already, so it is left as it is, and a declared host is no member of it.",
    "add the host to the switch in vCenter, with its uplinks",
    "ours",
)
THUMBPRINT: Final = Kind(
    "host.thumbprint",
    Severity.BLOCKS,
    "A host that is to join has another certificate than the settings say.",
    "compare it with what the host's console shows, and correct thumbprint in esxodus:target.hosts",
    "API: SSLVerifyFault",
)
PASSWORD: Final = Kind(
    "host.password",
    Severity.BLOCKS,
    "A host that is to join does not take the user and password that the settings give.",
    "correct esxodus:target.hostUsername, or set hostPassword again",
    "API: InvalidLogin",
)
NOT_JOINING: Final = Kind(
    "host.not-joining",
    Severity.BLOCKS,
    "A host could not join: it does not answer, or the vCenter does not manage its version.",
    "see whether it is up, reached by that name from the vCenter, and of a version that this vCenter manages",
    "API: HostConnectFault",
)
OTHER_VLAN: Final = Kind(
    "network.other-vlan",
    Severity.WARNS,
    "A declared network exists already, so it is left as it is, and has another VLAN than is declared.",
    "correct vlan in esxodus:target, or the port group in vCenter",
    "ours",
)
KINDS: Final = (
    OTHER_VLAN,
    NO_VMOTION,
    NOT_ON_SWITCH,
    THUMBPRINT,
    PASSWORD,
    NOT_JOINING,
    IN_ANOTHER_CLUSTER,
    CLUSTER_ELSEWHERE,
    IN_ANOTHER_VCENTER,
)


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


def without_vmotion(hosts: Iterable[str], has: Collection[str], *, drs: bool, live: bool) -> Iterator[Concern]:
    """Yield a warning for each host that vMotion cannot use, where it will be wanted.

    `has` are the hosts that have an adapter for it, or will have; `live`: VMs are to come live from the old site.
    """
    wanted = " and ".join([*(["DRS"] if drs else []), *(["live moves"] if live else [])])
    for host in hosts:
        if wanted and host not in has:
            need = "need" if live else "needs"
            yield NO_VMOTION.concern(host, f"it has no adapter for vMotion, and none is declared; {wanted} {need} it")


def off_the_switch(hosts: Iterable[str], switch: str, members: Collection[str]) -> Iterator[Concern]:
    """Yield a warning for each host that is no member of the distributed switch, which is adopted."""
    for host in hosts:
        if host not in members:
            yield NOT_ON_SWITCH.concern(host, f"it is no member of {switch!r}, so it has none of the networks on it")


def other_vlan(network: str, declared: int, has: Mapping[int, Collection[str]]) -> Iterator[Concern]:
    """Yield a warning for each VLAN that a network, which is adopted, has other than the declared one; 0: none.

    `has` names the hosts for each VLAN; no hosts where it has the same on all.
    """
    for vlan, hosts in has.items():
        if vlan != declared:
            on = f" on {', '.join(hosts)}" if hosts else ""
            yield OTHER_VLAN.concern(network, f"it has {_vlan(vlan)}{on}, and is declared with {_vlan(declared)}")


def _vlan(number: int) -> str:
    return f"VLAN {number}" if number else "no VLAN"


def _in(stands: Stands) -> str:
    cluster = f"in cluster {stands.cluster!r}" if stands.cluster else "in no cluster"
    return f"{cluster} of datacenter {stands.datacenter!r}"

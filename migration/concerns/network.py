"""Will its network cards find a network where it goes?"""

from __future__ import annotations

from collections.abc import Iterator

from migration.concerns.moves import leaving
from migration.model import Severity
from migration.observation import Observation
from migration.rule import Found, rule
from migration.wanted import Stage, VmSpec


def _networks_to_map(spec: VmSpec, seen: Observation) -> dict[str, list[str]]:
    """Return the source networks of the VM's cards that still have to be mapped, with the cards on each."""
    if spec.stage is Stage.SOURCE:
        return {}
    cards: dict[str, list[str]] = {}
    for vm in seen.vms:
        if papers := vm.unrestored:
            for nic in vm.nics:
                if papers.nics.get(str(nic.key)):
                    cards.setdefault(papers.nics[str(nic.key)], []).append(nic.label)
        elif vm.site == spec.source:
            for nic in vm.nics:
                if nic.network:  # a card on no network goes as it is
                    cards.setdefault(nic.network, []).append(nic.label)
    return cards


@rule(
    "network.unmapped",
    Severity.BLOCKS,
    "A card is on a network that esxodus:networkMap does not map.",
    remedy="add the network to esxodus:networkMap",
    source="ours",
)
def unmapped(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a card whose network has no counterpart; also of a VM that is down at the target: it would stay without for good."""
    for network, cards in _networks_to_map(spec, seen).items():
        if network not in spec.networks:
            yield Found(
                f"{', '.join(cards)} is on {network!r}, which esxodus:networkMap does not map",
                f"add {network!r} to esxodus:networkMap",
            )


@rule(
    "network.no-way-back",
    Severity.BLOCKS,
    "A card that was added at the target is on a network that esxodus:networkMap leads to from none, or from several.",
    remedy="disconnect the card for the way back, or map one network of the source to it",
    source="ours",
    halts=False,
)
def no_way_back(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a card that would have no network at the source."""
    for move in leaving(spec, seen):
        if move.vm.site != spec.target or move.vm.papers is None:
            continue
        back = move.networks
        for nic in move.vm.nics:
            if nic.network in move.here.networks and nic.key not in back:
                yield Found(f"{nic.label} is on {nic.network!r}, which came from no network of {move.there.vcenter}")


@rule(
    "network.missing-at-target",
    Severity.BLOCKS,
    "A network is mapped to one that is neither declared nor there.",
    remedy="declare it in esxodus:target.networks, or correct esxodus:networkMap",
    source="ours",
)
def missing_at_target(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a map to a network that does not exist, or to nothing."""
    view = seen.sites.get(spec.target)
    known = set(spec.declared_networks) | (view.networks if view else frozenset())
    for network, cards in _networks_to_map(spec, seen).items():
        mapped = spec.networks.get(network)
        if mapped is not None and mapped not in known:
            to = f"{mapped!r}, which the target does not have" if mapped else "nothing"
            yield Found(
                f"{', '.join(cards)} would go from {network!r} to {to}",
                f"declare {mapped!r} in esxodus:target.networks, or correct esxodus:networkMap" if mapped else "",
            )


@rule(
    "network.none",
    Severity.INFORMS,
    "A card is on no network, and arrives like that.",
    remedy="remove the card, or connect it",
    source="ours",
)
def none(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find cards on no network; one that is not restored yet is known by its papers."""
    for move in leaving(spec, seen):
        known = move.vm.unrestored.nics if move.vm.unrestored else {}
        for nic in move.vm.nics:
            if not (known.get(str(nic.key)) or nic.network):
                yield Found(f"{nic.label} is on no network")


@rule(
    "network.to-standard-switch",
    Severity.INFORMS,
    "A card goes from a distributed switch to a standard one, without its statistics, shaping, mirroring and filters.",
    remedy="map the network to a port group of a distributed switch, if these are needed",
    source="S13b",
)
def to_standard(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find cards that lose their distributed switch by reattaching; where vCenter moves them live.switch refuses it."""
    for move in leaving(spec, seen):
        for nic in move.vm.nics:
            new = move.networks.get(nic.key, "")
            there = new in move.there.networks and new not in move.there.distributed
            if nic.network in move.here.distributed and there and not move.crosses:
                yield Found(
                    f"{nic.label} goes from the distributed switch of {nic.network!r} to a standard one ({new!r})"
                )


@rule(
    "network.mac-taken",
    Severity.WARNS,
    "Another VM where it goes has one of its MAC addresses; if both run, neither is reached reliably.",
    remedy="give one of the two another MAC address, or see that the other one stays off",
    source="S50",
)
def mac_taken(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a MAC address that will be there twice; where vCenter moves the VM live.mac refuses it."""
    for move in leaving(spec, seen):
        for address, (site, name) in sorted(seen.macs.items()):
            if site == move.there.name and not move.crosses:
                yield Found(f"{name} at {move.there.vcenter} has its MAC address {address} too")

"""Will its network cards find a network at the target?"""

from __future__ import annotations

from collections.abc import Iterator

from migration.model import Concern, Severity
from migration.observation import Observation
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


def unmapped(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block a network card whose network has no counterpart in the network map."""
    for network, cards in _networks_to_map(spec, seen).items():
        if network not in spec.networks:
            yield Concern(
                "network.unmapped",
                Severity.BLOCKS,
                spec.identity.name,
                f"{', '.join(cards)} is on {network!r}, which esxodus:networkMap does not map",
                f"add {network!r} to esxodus:networkMap",
            )


def missing_at_target(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block a map to a network that is neither declared nor there."""
    view = seen.sites.get(spec.target)
    known = set(spec.declared_networks) | (view.networks if view else frozenset())
    for network, cards in _networks_to_map(spec, seen).items():
        mapped = spec.networks.get(network)
        if mapped is not None and mapped not in known:
            yield Concern(
                "network.missing-at-target",
                Severity.BLOCKS,
                spec.identity.name,
                f"{', '.join(cards)} would go from {network!r} to {mapped!r}, which the target does not have",
                f"declare {mapped!r} in esxodus:target.networks, or correct esxodus:networkMap",
            )

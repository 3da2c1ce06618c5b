"""vCenter's cost model: what may run at once. Pure.

Documented up to 6.7 (vsphere-facts: S33, S34): a host may bear 8, a datastore 128, the vMotion network of a host 4 (1 GbE) or
8 (10 GbE). vCenter queues what does not fit; staying below its queue lets our time limits measure work instead of waiting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

HOST_LIMIT: Final = 8
VOLUME_LIMIT: Final = 128
LINK_LIMIT: Final = 4
"""vMotions at once on the network of a host that is not known: as on the slowest."""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Cost:
    """What an action takes while it runs, by host (`site/host`) and by volume id.

    `hosts`, `volumes` and `links` (the hosts' vMotion networks) are vCenter's units; `reserved` is GiB on a volume, `memory`
    GiB and `mhz` reserved MHz on a host; `registrations` are VMs that come to a host.
    """

    hosts: Mapping[str, int] = field(default_factory=dict)
    volumes: Mapping[str, int] = field(default_factory=dict)
    links: Mapping[str, int] = field(default_factory=dict)
    reserved: Mapping[str, float] = field(default_factory=dict)
    memory: Mapping[str, float] = field(default_factory=dict)
    mhz: Mapping[str, float] = field(default_factory=dict)
    registrations: Mapping[str, int] = field(default_factory=dict)

    def units(self) -> dict[Key, int]:
        """Return vCenter's units by what bears them."""
        return {
            **{("host", key): units for key, units in self.hosts.items()},
            **{("volume", key): units for key, units in self.volumes.items()},
            **{("link", key): units for key, units in self.links.items()},
        }


@dataclass(frozen=True, slots=True)
class Load:
    """What all running actions take together."""

    costs: tuple[Cost, ...] = ()
    _units: Mapping[Key, int] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Add up the units once: they are asked for far more often than they change."""
        total: dict[Key, int] = {}
        for cost in self.costs:
            for key, units in cost.units().items():
                total[key] = total.get(key, 0) + units
        object.__setattr__(self, "_units", total)

    def add(self, cost: Cost) -> Load:
        """Return the load with one more action."""
        return replace(self, costs=(*self.costs, cost))

    def remove(self, cost: Cost) -> Load:
        """Return the load with that action ended."""
        kept = list(self.costs)
        kept.remove(cost)
        return replace(self, costs=tuple(kept))

    def host(self, key: str) -> int:
        """Return the units taken on a host."""
        return self._units.get(("host", key), 0)

    def volume(self, key: str) -> int:
        """Return the units taken on a volume."""
        return self._units.get(("volume", key), 0)

    def link(self, key: str) -> int:
        """Return the vMotions under way on a host's network."""
        return self._units.get(("link", key), 0)

    def reserved(self, key: str) -> float:
        """Return the GiB that running copies will still take on a volume, at most."""
        return sum(cost.reserved.get(key, 0.0) for cost in self.costs)

    def memory(self, key: str) -> float:
        """Return the GiB of memory that VMs on their way to a host will need there."""
        return sum(cost.memory.get(key, 0.0) for cost in self.costs)

    def mhz(self, key: str) -> float:
        """Return the MHz that VMs on their way to a host have reserved."""
        return sum(cost.mhz.get(key, 0.0) for cost in self.costs)

    def registrations(self, key: str) -> int:
        """Return the VMs on their way to a host."""
        return sum(cost.registrations.get(key, 0) for cost in self.costs)

    def fits(self, cost: Cost, links: Mapping[str, int]) -> bool:
        """Say whether one more action stays within every limit; `links` holds how many vMotions each host's network bears."""
        return (
            all(self.host(key) + units <= HOST_LIMIT for key, units in cost.hosts.items())
            and all(self.volume(key) + units <= VOLUME_LIMIT for key, units in cost.volumes.items())
            and all(self.link(key) + units <= links.get(key, LINK_LIMIT) for key, units in cost.links.items())
        )

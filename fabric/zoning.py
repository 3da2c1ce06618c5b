"""What has to be zoned in a fabric so that initiators reach target ports, and what of it is ours. Pure.

A zone is made for each initiator, with the target ports that it needs (or one for all, of peers). Nothing that others have made
is ever changed: what they have zoned already is not zoned again, and a name of ours that means something else stops everything.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from fabric.against import Against
from migration.model import Concern

STANDARD: Final = 0
PEER: Final = 1
"""Kinds of zones as Fabric OS numbers them; the members of a peer zone see its principals, not each other."""

NAME_LIMIT: Final = 64
"""Characters in a name of Fabric OS and of NX-OS."""

INITIATOR: Final = "initiator"
PEERS: Final = "peer"
"""How zones are made: one for each initiator, or one of peers for all."""


@dataclass(frozen=True, slots=True)
class Initiator:
    """A port of a host's Fibre Channel adapter. `wwpn` is written 10:00:…, in lower case."""

    host: str
    device: str
    wwpn: str

    def __str__(self) -> str:
        """Name the port for people."""
        return f"{self.host} {self.device} ({self.wwpn})"


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone with its members: ports, or, where it is only defined, names of aliases too."""

    name: str
    members: tuple[str, ...]
    principals: tuple[str, ...] = ()
    type: int = STANDARD

    def lets(self, one: str, other: str) -> bool:
        """Say whether it lets two ports see each other."""
        if self.type == STANDARD:
            return one in self.members and other in self.members
        return (one in self.principals and other in self.members) or (other in self.principals and one in self.members)

    def same(self, other: Zone) -> bool:
        """Say whether both let the same ports see each other; the order in which they are listed means nothing."""
        mine, theirs = ((set(zone.members), set(zone.principals), zone.type) for zone in (self, other))
        return mine == theirs


@dataclass(frozen=True, slots=True)
class Defined:
    """What could be in effect: zones and aliases by name, and the names of each configuration's zones."""

    zones: Mapping[str, Zone] = field(default_factory=lambda: MappingProxyType({}))
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    configurations: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def resolved(self, configuration: str) -> dict[str, Zone]:
        """Return the zones as they would be in effect; a zone that is not defined any more is left out."""
        names = self.configurations.get(configuration, ())
        return {name: self._ports(self.zones[name]) for name in names if name in self.zones}

    def _ports(self, zone: Zone) -> Zone:
        return replace(zone, members=tuple(self._told(zone.members)), principals=tuple(self._told(zone.principals)))

    def _told(self, members: Iterable[str]) -> Iterator[str]:
        for member in members:
            yield from self.aliases.get(member, (member,))


@dataclass(frozen=True, slots=True)
class Zoning:
    """A fabric as its switch shows it. `configuration` is the name of the one in effect, "" where there is none.

    `transaction` is the token of one that somebody has open, 0 where nobody has. `ports` are logged in to the fabric.
    """

    fabric: str
    configuration: str
    effective: Mapping[str, Zone]
    defined: Defined
    checksum: str
    transaction: int = 0
    ports: frozenset[str] = frozenset()

    def lets(self, one: str, other: str, *, but: Collection[str] = ()) -> bool:
        """Say whether two ports see each other, by any zone in effect but some."""
        return any(zone.lets(one, other) for name, zone in self.effective.items() if name not in but)

    def pending(self) -> list[str]:
        """Return the zones that enabling the configuration anew would bring into effect, change or take out of it."""
        ready = self.defined.resolved(self.configuration)
        named = set(self.defined.configurations.get(self.configuration, ()))
        return sorted(
            name
            for name in {*self.effective, *named}
            if name not in ready or name not in self.effective or not ready[name].same(self.effective[name])
        )


@dataclass(frozen=True, slots=True)
class Change:
    """Zones that are added to the configuration that is in effect, and names of ours that are taken out of it."""

    add: tuple[Zone, ...] = ()
    remove: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Say whether there is anything to do."""
        return bool(self.add or self.remove)

    def defined(self, before: Zoning) -> Defined:
        """Return what is defined once it is made: all else as it was."""
        zones = {name: zone for name, zone in before.defined.zones.items() if name not in self.remove}
        configurations = dict(before.defined.configurations)
        kept = [name for name in configurations.get(before.configuration, ()) if name not in self.remove]
        configurations[before.configuration] = (*kept, *(zone.name for zone in self.add))
        return Defined(zones | {zone.name: zone for zone in self.add}, before.defined.aliases, configurations)

    def effective(self, before: Zoning) -> dict[str, Zone]:
        """Return the zones in effect once it is made: all others as they were."""
        others = {name: zone for name, zone in before.effective.items() if name not in self.remove}
        return others | {zone.name: zone for zone in self.add}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do in one fabric, what stands against it, and which target ports each host reaches once it is done."""

    fabric: str
    change: Change = Change()
    concerns: tuple[Concern, ...] = ()
    reach: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    zones: tuple[Zone, ...] = ()
    """All zones of ours that should be there, those too that are there already."""


def zone_name(prefix: str, *parts: str) -> str:
    """Return a name that both switch families take: letters, digits and _, at most 64, the same for the same parts."""
    whole = "_".join((prefix, *parts))
    name = re.sub(r"[^A-Za-z0-9]+", "_", whole)
    if len(name) > NAME_LIMIT:
        mark = hashlib.sha256(whole.encode()).hexdigest()[:8]
        name = f"{name[: NAME_LIMIT - 9]}_{mark}"
    return name


def wanted(
    fabric: str,
    initiators: Sequence[Initiator],
    targets: Sequence[str],
    *,
    style: str = INITIATOR,
    prefix: str = "esxodus",
) -> tuple[Zone, ...]:
    """Return the zones in which each of these initiators reaches each of these target ports, and no other initiator."""
    if not initiators or not targets:
        return ()
    if style == PEERS:
        ports = tuple(sorted(one.wwpn for one in initiators))
        return (Zone(zone_name(prefix, fabric), ports, tuple(sorted(targets)), PEER),)
    return tuple(
        Zone(zone_name(prefix, one.host, one.device), (one.wwpn, *sorted(targets)))
        for one in sorted(initiators, key=lambda one: (one.host, one.device))
    )


def plan(
    seen: Zoning,
    initiators: Sequence[Initiator],
    targets: Sequence[str],
    known: Collection[str],
    *,
    style: str = INITIATOR,
    prefix: str = "esxodus",
) -> Plan:
    """Return what to do in a fabric so that each initiator that is logged in there reaches each target port that is.

    `known` are ports of the new site's hosts beside these: a zone with a name of ours is made anew where it has no members but
    all these, so that nobody else can lose anything.
    """
    here = [one for one in initiators if one.wwpn in seen.ports]
    ports = [one for one in targets if one in seen.ports]
    ours = {zone.name for zone in wanted(seen.fabric, here, ports, style=style, prefix=prefix)}
    own = {*known, *targets, *(one.wwpn for one in initiators)}
    lacking = [one for one in here if not all(seen.lets(one.wwpn, port, but=ours) for port in ports)]
    zones = wanted(seen.fabric, lacking, ports, style=style, prefix=prefix)
    add, remove, concerns = [], [], list(against(seen))
    for zone in zones:
        there = seen.defined.zones.get(zone.name)
        if there is None or (there.same(zone) and zone.name not in seen.effective):
            add.append(zone)
            remove += [zone.name] if there else []
        elif not there.same(zone) and {*there.members, *there.principals} <= own:
            add.append(zone)
            remove.append(zone.name)
        elif not there.same(zone):
            others = sorted({*there.members, *there.principals} - own)
            sentence = f"{zone.name} is defined, and has other members: {', '.join(others)}"
            concerns.append(Against.FOREIGN.concern(seen.fabric, sentence))
    change = Change(tuple(add), tuple(remove))
    if not change:
        concerns = [one for one in concerns if one.id == Against.FOREIGN.value.id]
    reach: dict[str, int] = {}
    for one in here:
        reach[one.host] = reach.get(one.host, 0) + len(ports)
    return Plan(seen.fabric, change, tuple(concerns), reach, zones)


def against(seen: Zoning) -> Iterator[Concern]:
    """Yield what stands against changing anything in a fabric, whatever it is."""
    if seen.transaction:
        yield Against.TRANSACTION.concern(
            seen.fabric, f"somebody has a zoning transaction open on the switch (token {seen.transaction})"
        )
    if not seen.configuration:
        yield Against.NONE.concern(
            seen.fabric, "no zone configuration is in effect: enabling one would cut off whatever relies on that"
        )
        return
    if pending := seen.pending():
        some = ", ".join(pending[:5]) + (f" and {len(pending) - 5} more" if len(pending) > 5 else "")
        yield Against.PENDING.concern(
            seen.fabric,
            f"configuration {seen.configuration} as it is defined differs from what is in effect ({some}); "
            "enabling it would put that into effect too",
        )


def removal(seen: Zoning, made: Mapping[str, Zone]) -> Plan:
    """Return how the zones that we made in a fabric are taken away; one that somebody has changed since is left, and said."""
    concerns, remove = [], []
    for name, zone in sorted(made.items()):
        there = seen.defined.zones.get(name)
        if there is None:
            continue
        if there.same(zone):
            remove.append(name)
            continue
        concerns.append(
            Against.CHANGED.concern(seen.fabric, f"somebody has changed {name} since we made it: it is left")
        )
    if remove:
        concerns += against(seen)
        rest = set(seen.defined.configurations.get(seen.configuration, ())) - set(remove)
        if seen.configuration and not rest:
            sentence = f"{', '.join(remove)} are the only zones of {seen.configuration}, which cannot be empty"
            concerns.append(Against.LAST.concern(seen.fabric, sentence))
    return Plan(seen.fabric, Change(remove=tuple(remove)), tuple(concerns))


def absent(
    seen: Sequence[Zoning], initiators: Sequence[Initiator], targets: Sequence[str], hosts: Collection[str]
) -> Iterator[Concern]:
    """Yield which of the ports that are to be zoned are logged in to none of the fabrics, and who has one fabric only."""
    everywhere = frozenset().union(*(zoning.ports for zoning in seen))
    for one in initiators:
        if one.wwpn not in everywhere:
            yield Against.NO_LOGIN.concern(str(one), "it is logged in to none of the fabrics")
    for port in targets:
        if port not in everywhere:
            yield Against.NO_TARGET.concern(port, "this target port is logged in to none of the fabrics")
    if not any(port in everywhere for port in targets):
        yield Against.NO_TARGETS.concern("the old array", "no target port of it is logged in to any of the fabrics")
    for host in sorted(hosts):
        own = [one for one in initiators if one.host == host]
        joined = [zoning.fabric for zoning in seen if any(one.wwpn in zoning.ports for one in own)]
        if not joined:
            yield Against.UNCONNECTED.concern(host, "no Fibre Channel port of it is logged in to any of the fabrics")
        elif len(joined) < len(seen):
            yield Against.ONE_FABRIC.concern(host, f"of the fabrics it is only in {', '.join(joined)}")

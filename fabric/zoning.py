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

    @property
    def all(self) -> frozenset[str]:
        """All members, whatever they are."""
        return frozenset((*self.members, *self.principals))

    def with_more(self, more: Zone) -> Zone:
        """Return it with the members of another one too."""
        return replace(self, members=(*self.members, *more.members), principals=(*self.principals, *more.principals))

    def without(self, other: Zone) -> Zone:
        """Return it without the members that another one has."""
        members, principals = (
            tuple(one for one in mine if one not in theirs)
            for mine, theirs in ((self.members, other.members), (self.principals, other.principals))
        )
        return replace(self, members=members, principals=principals)

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
    """What is done to the configuration in effect and to the zones of ours in it.

    `add`: zones that are made. `extend`: zones that are there, each with the members that it lacks. `join`: zones that are
    defined and only put into the configuration. `leave`: zones that are only taken out of it. `remove`: taken out and deleted.
    """

    add: tuple[Zone, ...] = ()
    extend: tuple[Zone, ...] = ()
    join: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Say whether there is anything to do."""
        return bool(self.add or self.extend or self.join or self.leave or self.remove)

    def defined(self, before: Zoning) -> Defined:
        """Return what is defined once it is made: all else as it was."""
        zones = {name: zone for name, zone in before.defined.zones.items() if name not in self.remove}
        zones |= {zone.name: zone for zone in self.add}
        zones |= {more.name: zones[more.name].with_more(more) for more in self.extend if more.name in zones}
        configurations = dict(before.defined.configurations)
        out = {*self.leave, *self.remove}
        kept = [name for name in configurations.get(before.configuration, ()) if name not in out]
        configurations[before.configuration] = (*kept, *self.join, *(zone.name for zone in self.add))
        return Defined(zones, before.defined.aliases, configurations)

    def effective(self, before: Zoning) -> dict[str, Zone]:
        """Return the zones in effect once it is made: all others as they were."""
        return self.defined(before).resolved(before.configuration)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do in one fabric, what stands against it, and what the hosts reach there once it is done.

    `reach`: by host and target port, how many of the host's ports see it. `zones`: all zones of ours that should be there.
    """

    fabric: str
    change: Change = Change()
    concerns: tuple[Concern, ...] = ()
    reach: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: MappingProxyType({}))
    zones: tuple[Zone, ...] = ()


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
    made: Mapping[str, Zone],
    *,
    style: str = INITIATOR,
    prefix: str = "esxodus",
) -> Plan:
    """Return what to do in a fabric so that each initiator that is logged in there reaches each target port that is.

    `made` are the zones of this fabric that we have made, as we left them. A zone of ours only ever grows: a port that is away
    just now, or was taken out of the settings, keeps what it has until the zones go.
    """
    here = [one for one in initiators if one.wwpn in seen.ports]
    ports = [one for one in targets if one in seen.ports]
    zones = wanted(seen.fabric, here, ports, style=style, prefix=prefix)
    ours = {zone.name for zone in zones}
    lacking = {
        one.wwpn for one in here if not all(seen.lets(one.wwpn, port, but=ours) for port in ports)
    }  # others' zones do not give them all
    own = {*targets, *(one.wwpn for one in initiators)}
    add, extend, join, kept, concerns = [], [], [], [], list(against(seen))
    for zone in zones:
        there = seen.defined.zones.get(zone.name)
        if not lacking & {*zone.members, *zone.principals}:
            continue
        kept.append(zone)
        if wrong := _foreign(seen, zone, there, own | (made[zone.name].all if zone.name in made else frozenset())):
            concerns.append(Against.FOREIGN.concern(seen.fabric, wrong))
        elif there is None:
            add.append(zone)
        else:
            if (more := zone.without(there)).all:
                extend.append(more)
            if zone.name not in seen.effective:
                join.append(zone.name)
    change = Change(tuple(add), tuple(extend), tuple(join))
    if not change:
        concerns = [one for one in concerns if one.id == Against.FOREIGN.value.id]
    reach: dict[str, dict[str, int]] = {}
    for one in here:
        for port in ports:
            counted = reach.setdefault(one.host, {})
            counted[port] = counted.get(port, 0) + 1
    return Plan(seen.fabric, change, tuple(concerns), reach, tuple(kept))


def _foreign(seen: Zoning, zone: Zone, there: Zone | None, own: Collection[str]) -> str:
    """Return why a name of ours is not ours to use; "" where it is."""
    if there is None:
        for kind, names in (("an alias", seen.defined.aliases), ("a configuration", seen.defined.configurations)):
            if zone.name in names:
                return f"{zone.name} is the name of {kind}, and names are used once in a fabric"
        return ""
    if there.type != zone.type:
        return f"{zone.name} is defined, as {'a peer zone' if there.type else 'no peer zone'}"
    others = sorted(there.all - set(own))
    return f"{zone.name} is defined, and has members that are not known here: {', '.join(others)}" if others else ""


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


def removal(seen: Zoning, made: Mapping[str, Zone], known: Collection[str] = ()) -> Plan:
    """Return how the zones that we made in a fabric are taken away; one that somebody has changed since is left, and said.

    `known` are ports of the new hosts and of the old array, by which a run that was killed may have let a zone grow. A zone
    that another configuration names too stays defined, or that configuration could not be enabled any more.
    """
    concerns, remove, leave = [], [], []
    for name, zone in sorted(made.items()):
        there = seen.defined.zones.get(name)
        if there is None:
            continue
        if not (zone.all <= there.all <= zone.all | set(known) and there.type == zone.type):
            concerns.append(
                Against.CHANGED.concern(seen.fabric, f"somebody has changed {name} since we made it: it is left")
            )
            continue
        elsewhere = sorted(
            configuration
            for configuration, zones in seen.defined.configurations.items()
            if name in zones and configuration != seen.configuration
        )
        if not elsewhere:
            remove.append(name)
        elif name in seen.effective:
            leave.append(name)
            sentence = (
                f"{name} is also in {', '.join(elsewhere)}: it is taken out of {seen.configuration}, and stays defined"
            )
            concerns.append(Against.ELSEWHERE.concern(seen.fabric, sentence))
    if remove or leave:
        concerns += against(seen)
        rest = set(seen.defined.configurations.get(seen.configuration, ())) - {*remove, *leave}
        if seen.configuration and not rest:
            sentence = (
                f"{', '.join((*remove, *leave))} are the only zones of {seen.configuration}, which cannot be empty"
            )
            concerns.append(Against.LAST.concern(seen.fabric, sentence))
    return Plan(seen.fabric, Change(leave=tuple(leave), remove=tuple(remove)), tuple(concerns))


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

"""What the fabrics look like from here: whose ports are to be zoned with which, and how their switches have it."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from components.providers import access
from fabric import zoning
from fabric.against import Against
from fabric.zoning import Initiator, Plan, Zone, Zoning
from migration.errors import Blocked, Refused, Unexpected, Unreachable
from vsphere import host_storage, site_storage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fabric.brocade import Switch

BROCADE: Final = "brocade"

_lock: Final = threading.Lock()
_read: Final[dict[str, Zoning]] = {}


@dataclass(frozen=True)
class Ports:
    """Whose ports are to be zoned with which. `unknown` are new hosts that have not joined their vCenter, or are away."""

    initiators: tuple[Initiator, ...]
    targets: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """Ports of hosts that are at the target and not declared, such as one that was taken out of the settings."""


@dataclass
class Fabrics:
    """The switches, while there is a session with each, and the zoning as it was read."""

    switches: dict[str, Switch] = field(default_factory=dict)
    zonings: dict[str, Zoning] = field(default_factory=dict)


def ports(inputs: Mapping[str, Any], known: Sequence[str] = ()) -> Ports:
    """Return the ports of the new hosts and of the old array. Two reads of each vCenter at most; changes nothing.

    The array's ports are those of the settings; else those that the old hosts use for the old datastores; else `known`, which
    they used before.

    Raises: MigrationError.
    """
    hosts = host_storage.host_storage(access.site("target"))
    there = [hosts[name] for name in inputs["hosts"] if name in hosts and hosts[name].connected]
    initiators = [Initiator(one.host, device, wwpn) for one in there for device, wwpn in one.initiators.items()]
    unknown = [name for name in inputs["hosts"] if name not in {one.host for one in there}]
    targets = tuple(inputs["targets"]) or tuple(_seen_at_source(inputs["datastores"])) or tuple(known)
    others = [wwpn for name, one in hosts.items() if name not in inputs["hosts"] for wwpn in one.initiators.values()]
    return Ports(tuple(initiators), targets, tuple(unknown), tuple(others))


def _seen_at_source(datastores: Sequence[str]) -> list[str]:
    source = access.site("source")
    volumes = [one for one in site_storage.old_volumes(source, datastores).values() if one]
    devices = {device for volume in volumes for device in volume.devices}
    hosts = host_storage.host_storage(source).values()
    return sorted(
        {port for host in hosts for name, disk in host.disks.items() if name in devices for port in disk.ports}
    )


def manual(inputs: Mapping[str, Any], found: Ports) -> dict[str, tuple[Zone, ...]]:
    """Return the zones that people are to make, by fabric: its adapters are told by the settings, for no switch is asked."""
    zones: dict[str, tuple[Zone, ...]] = {}
    for one in inputs["fabrics"]:
        own = [port for port in found.initiators if port.device in one["hbas"]]
        ports = one["targets"] or found.targets
        zones[one["name"]] = zoning.wanted(one["name"], own, ports, style=inputs["zones"], prefix=inputs["prefix"])
    return zones


@contextlib.contextmanager
def opened(names: Sequence[str], *, again: bool = False) -> Iterator[Fabrics]:
    """Give a session with each fabric's switch and what is zoned there; all of them end with the block.

    What this process has read before is taken as it was, and no session is opened for it, unless it is to be read `again`.

    Raises: Blocked where a switch cannot be used; Paused.
    """
    fabrics = Fabrics()
    with contextlib.ExitStack() as stack:
        for name in names:
            with _lock:
                before = None if again else _read.get(name)
            if before is None:
                try:
                    switch = stack.enter_context(access.switch(name))
                    before = switch.zoning()
                except (Refused, Unreachable, Unexpected) as error:
                    raise Blocked([Against.SWITCH.concern(name, str(error))]) from error
                fabrics.switches[name] = switch
            keep(before)
            fabrics.zonings[name] = before
        yield fabrics


def keep(seen: Zoning) -> None:
    """Remember how a fabric was last seen, for who asks again in this run: a switch bears few requests."""
    with _lock:
        _read[seen.fabric] = seen


def plans(inputs: Mapping[str, Any], found: Ports, fabrics: Fabrics) -> list[Plan]:
    """Return what is to be done in each fabric."""
    style, prefix = inputs["zones"], inputs["prefix"]
    return [
        zoning.plan(seen, found.initiators, found.targets, found.others, style=style, prefix=prefix)
        for seen in fabrics.zonings.values()
    ]


def ours(inputs: Mapping[str, Any], fabrics: Fabrics) -> dict[str, dict[str, Zone]]:
    """Return the zones that are there under the names that we give, by fabric: a preview is not told what we made."""
    found = ports(inputs)
    names = {
        fabric: [
            zone.name
            for zone in zoning.wanted(
                fabric, found.initiators, found.targets or ("",), style=inputs["zones"], prefix=inputs["prefix"]
            )
        ]
        for fabric in fabrics.zonings
    }
    return {
        fabric: {name: seen.defined.zones[name] for name in names[fabric] if name in seen.defined.zones}
        for fabric, seen in fabrics.zonings.items()
    }


def written(zones: Mapping[str, Zone]) -> dict[str, Any]:
    """Return zones by name as JSON has them."""
    return {
        name: {"members": list(zone.members), "principals": list(zone.principals), "type": zone.type}
        for name, zone in sorted(zones.items())
    }


def made(outputs: Mapping[str, Any]) -> dict[str, dict[str, Zone]]:
    """Return the zones that we have made, by fabric, as the state keeps them; none of what is not known yet."""
    kept = outputs.get("made")
    return {
        fabric: {
            name: Zone(name, tuple(one["members"]), tuple(one["principals"]), int(one["type"]))
            for name, one in zones.items()
        }
        for fabric, zones in (kept if isinstance(kept, dict) else {}).items()
    }


def shown(seen: Zoning) -> dict[str, Any]:
    """Return what is in effect in a fabric as JSON has it, for the outputs."""
    return {"configuration": seen.configuration, "checksum": seen.checksum, "zones": written(seen.effective)}

"""What the fabrics look like from here: whose ports are to be zoned with which, and how their switches have it."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from components.providers import access, runtime
from fabric import zoning
from fabric.against import Against
from fabric.zoning import Initiator, Plan, Zone, Zoning
from migration.errors import Blocked, Paused, Refused, SessionLost, Unexpected, Unreachable
from vsphere import host_storage, site_storage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fabric.brocade import Switch

BROCADE: Final = "brocade"

_lock: Final = threading.Lock()
_read: Final[dict[str, Zoning]] = {}
_refused: Final[dict[str, Refused]] = {}


@dataclass(frozen=True)
class Ports:
    """Whose ports are to be zoned with which. `unknown` are new hosts that have not joined their vCenter, or are away."""

    initiators: tuple[Initiator, ...]
    targets: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    @property
    def known(self) -> frozenset[str]:
        """All of them."""
        return frozenset((*self.targets, *(one.wwpn for one in self.initiators)))


@dataclass
class Fabrics:
    """The switches, while there is a session with each, and the zoning as it was read."""

    switches: dict[str, Switch] = field(default_factory=dict)
    zonings: dict[str, Zoning] = field(default_factory=dict)


def ports(inputs: Mapping[str, Any], before: Mapping[str, Any]) -> Ports:
    """Return the ports of the new hosts and of the old array. Two reads of each vCenter at most; changes nothing.

    The array's ports are those of the settings; else those that the old hosts use for the old datastores, and have used before:
    a host that is away just now, or a datastore that is retired, takes none away.

    Raises: MigrationError.
    """
    hosts = host_storage.host_storage(access.site("target"))
    there = [hosts[name] for name in inputs["hosts"] if name in hosts and hosts[name].connected]
    initiators = [Initiator(one.host, device, wwpn) for one in there for device, wwpn in one.initiators.items()]
    unknown = [name for name in inputs["hosts"] if name not in {one.host for one in there}]
    targets = inputs["targets"] or {*_seen_at_source(inputs["datastores"]), *(before.get("targets") or ())}
    return Ports(tuple(initiators), tuple(sorted(targets)), tuple(unknown))


def _seen_at_source(datastores: Sequence[str]) -> set[str]:
    source = access.site("source")
    volumes = [one for one in site_storage.old_volumes(source, datastores).values() if one]
    devices = {device for volume in volumes for device in volume.devices}
    hosts = host_storage.host_storage(source).values()
    return {port for host in hosts for name, disk in host.disks.items() if name in devices for port in disk.ports}


def by_hand(inputs: Mapping[str, Any], found: Ports) -> dict[str, tuple[Zone, ...]]:
    """Return the zones that people are to make, by fabric: its adapters are told by the settings, for no switch is asked."""
    zones = {}
    for one in inputs["fabrics"]:
        own = [port for port in found.initiators if port.device in one["hbas"]]
        array = one["targets"] or found.targets
        zones[one["name"]] = zoning.wanted(one["name"], own, array, style=inputs["zones"], prefix=inputs["prefix"])
    return zones


@contextlib.contextmanager
def opened(names: Sequence[str], *, again: bool = False) -> Iterator[Fabrics]:
    """Give a session with each fabric's switch and what is zoned there; all of them end with the block.

    What this process has read before is taken as it was, and no session is opened for it, unless it is to be read `again`. Who
    was refused once is not tried again: an account may be locked after a few times.

    Raises: Blocked where a switch cannot be used; Paused.
    """
    fabrics = Fabrics()
    with contextlib.ExitStack() as stack:
        for name in names:
            with _lock:
                before, refused = None if again else _read.get(name), _refused.get(name)
            if before is None:
                try:
                    if refused:
                        raise refused
                    switch = stack.enter_context(access.switch(name))
                    before = switch.zoning()
                except (Refused, Unreachable, Unexpected, SessionLost) as error:
                    if isinstance(error, Refused):
                        with _lock:
                            _refused[name] = error
                    raise Blocked([Against.SWITCH.concern(name, str(error))]) from error
                fabrics.switches[name] = switch
            keep(before)
            fabrics.zonings[name] = before
        yield fabrics


def keep(seen: Zoning) -> None:
    """Remember how a fabric was last seen, for who asks again in this run: a switch bears few requests."""
    with _lock:
        _read[seen.fabric] = seen


def plans(
    inputs: Mapping[str, Any], found: Ports, fabrics: Fabrics, made: Mapping[str, Mapping[str, Zone]]
) -> list[Plan]:
    """Return what is to be done in each fabric."""
    style, prefix = inputs["zones"], inputs["prefix"]
    return [
        zoning.plan(seen, found.initiators, found.targets, made.get(name, {}), style=style, prefix=prefix)
        for name, seen in fabrics.zonings.items()
    ]


def carry_out(
    call: runtime.Call, fabrics: Fabrics, plan: Plan, outputs: dict[str, Any], doing: str, done: str
) -> Zoning:
    """Make a plan's change, if it has one, and return the zoning after it; the outputs tell what was, and is, in effect.

    Raises: Paused before anything is done; MigrationError.
    """
    zones = fabrics.zonings[plan.fabric]
    before = dict(outputs.get("before") or {})
    if plan.change:
        if runtime.stop.is_set():
            raise Paused(f"{plan.fabric}: paused before its zones are {done}; run again to go on")
        call.progress(f"{plan.fabric}: {doing}", None)
        before[plan.fabric] = shown(zones)
        zones = fabrics.switches[plan.fabric].apply(zones, plan.change)
        keep(zones)
    outputs.update(before=before, after={**(outputs.get("after") or {}), plan.fabric: shown(zones)})
    return zones


def named(inputs: Mapping[str, Any]) -> list[str]:
    """Return the fabrics' names."""
    return [one["name"] for one in inputs["fabrics"]]


def written(zones: Mapping[str, Zone]) -> dict[str, Any]:
    """Return zones by name as JSON has them."""
    return {
        name: {"members": list(zone.members), "principals": list(zone.principals), "type": zone.type}
        for name, zone in sorted(zones.items())
    }


def read(made: object) -> dict[str, dict[str, Zone]]:
    """Return zones by fabric and name as the state keeps them; none of what is not known yet, as in a preview."""
    return {
        fabric: {
            name: Zone(name, tuple(one["members"]), tuple(one["principals"]), int(one["type"]))
            for name, one in zones.items()
        }
        for fabric, zones in (made if isinstance(made, dict) else {}).items()
    }


def shown(seen: Zoning) -> dict[str, Any]:
    """Return what is in effect in a fabric, for the outputs: the names of all zones, and the checksum for what is in them."""
    return {"configuration": seen.configuration, "checksum": seen.checksum, "zones": sorted(seen.effective)}

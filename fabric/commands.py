"""The commands that people type in to zone by hand: Fabric OS of Brocade, and NX-OS of Cisco. Pure.

Each list begins with what has to be so first: both families enable a whole configuration by its name, whatever is in it.
"""

from __future__ import annotations

from collections.abc import Sequence

from fabric.zoning import PEER, Zone


def brocade(configuration: str, zones: Sequence[Zone], more: Sequence[Zone] = ()) -> list[str]:
    """Return the commands of Fabric OS that add zones to the configuration in effect, and members (`more`) to zones there."""
    return [
        *_brocade_first(configuration),
        *(_zone("zonecreate", zone) for zone in zones),
        *(_zone("zoneadd", zone) for zone in more),
        *(f'cfgadd "{configuration}", "{zone.name}"' for zone in zones),
        *_brocade_last(configuration),
    ]


def brocade_removal(configuration: str, names: Sequence[str]) -> list[str]:
    """Return the commands of Fabric OS that take zones out of the configuration in effect and delete them."""
    return [
        *_brocade_first(configuration),
        *(f'cfgremove "{configuration}", "{name}"' for name in names),
        *(f'zonedelete "{name}"' for name in names),
        *_brocade_last(configuration),
    ]


def _brocade_first(configuration: str) -> list[str]:
    return [
        "cfgtransshow   # stop if a zoning transaction is outstanding",
        f'cfgactvshow    # stop if the effective configuration is not "{configuration}"; keep what this prints',
        f'cfgshow "{configuration}"   # stop if its zones are not those in effect: cfgenable would bring in the others too',
    ]


def _brocade_last(configuration: str) -> list[str]:
    return [
        "cfgshow --transdiffs   # stop, and cfgtransabort, if this shows any other change",
        f'cfgenable "{configuration}"',
        "cfgactvshow    # all other zones are as before",
    ]


def _zone(command: str, zone: Zone) -> str:
    if zone.type != PEER:
        return f'{command} "{zone.name}", "{";".join(zone.members)}"'
    parts = [f'-principal "{";".join(zone.principals)}"'] if zone.principals else []
    parts += [f'-members "{";".join(zone.members)}"'] if zone.members else []
    return f'{command} --peerzone "{zone.name}" {" ".join(parts)}'


def cisco(vsan: int, zoneset: str, zones: Sequence[Zone], more: Sequence[Zone] = ()) -> list[str]:
    """Return the commands of NX-OS that add zones to the active zone set of a VSAN, and members (`more`) to zones there."""
    lines = [
        *_cisco_first(vsan, zoneset, peers=any(zone.type == PEER for zone in (*zones, *more))),
        "configure terminal",
    ]
    for zone in (*zones, *more):
        lines.append(f"zone name {zone.name} vsan {vsan}")
        target, initiator = (" target", " init") if zone.type == PEER else ("", "")
        lines += [f"  member pwwn {port}{target}" for port in zone.principals]
        lines += [f"  member pwwn {port}{initiator}" for port in zone.members]
        lines.append("  exit")
    if zones:
        lines += [f"zoneset name {zoneset} vsan {vsan}", *(f"  member {zone.name}" for zone in zones), "  exit"]
    return [*lines, *_cisco_last(vsan, zoneset)]


def cisco_removal(vsan: int, zoneset: str, names: Sequence[str]) -> list[str]:
    """Return the commands of NX-OS that take zones out of the active zone set and delete them."""
    return [
        *_cisco_first(vsan, zoneset),
        "configure terminal",
        f"zoneset name {zoneset} vsan {vsan}",
        *(f"  no member {name}" for name in names),
        "  exit",
        *(f"no zone name {name} vsan {vsan}" for name in names),
        *_cisco_last(vsan, zoneset),
    ]


def _cisco_first(vsan: int, zoneset: str, *, peers: bool = False) -> list[str]:
    smart = ", or smart-zoning is not enabled" if peers else ""
    return [
        f"show zone status vsan {vsan}   ! stop if a session is open, default-zone is permit{smart}; note the mode",
        f"show zoneset active vsan {vsan}   ! stop if it is not {zoneset}; keep what this prints",
        f"show zoneset name {zoneset} vsan {vsan}   ! stop if its zones are not those: activating would exchange them all",
    ]


def _cisco_last(vsan: int, zoneset: str) -> list[str]:
    return [
        f"zoneset activate name {zoneset} vsan {vsan}",
        f"zone commit vsan {vsan}   ! only where the mode is enhanced",
        "end",
        f"show zoneset active vsan {vsan}   ! all other zones are as before",
        "copy running-config startup-config",
    ]

"""The commands that people type in to zone by hand: Fabric OS of Brocade, and NX-OS of Cisco. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from fabric.zoning import PEER, Zone


def brocade(configuration: str, zones: Sequence[Zone]) -> list[str]:
    """Return the commands of Fabric OS that add the zones to a configuration and enable it; that one asks first."""
    lines = [
        "cfgtransshow   # there must be no outstanding zoning transaction",
        "cfgactvshow    # keep what this prints",
    ]
    for zone in zones:
        if zone.type == PEER:
            principals, members = (";".join(names) for names in (zone.principals, zone.members))
            lines.append(f'zonecreate --peerzone "{zone.name}" -principal "{principals}" -members "{members}"')
        else:
            lines.append(f'zonecreate "{zone.name}", "{";".join(zone.members)}"')
    names = ";".join(zone.name for zone in zones)
    return [
        *lines,
        f'cfgadd "{configuration}", "{names}"',
        f'cfgenable "{configuration}"',
        "cfgactvshow    # all other zones are as before",
    ]


def brocade_removal(configuration: str, names: Sequence[str]) -> list[str]:
    """Return the commands of Fabric OS that take zones out of a configuration and delete them."""
    return [
        "cfgtransshow   # must say that there is no outstanding zoning transaction",
        f'cfgremove "{configuration}", "{";".join(names)}"',
        *(f'zonedelete "{name}"' for name in names),
        f'cfgenable "{configuration}"',
    ]


def cisco(vsan: int, zoneset: str, zones: Sequence[Zone]) -> list[str]:
    """Return the commands of NX-OS that add the zones to a zone set of a VSAN and activate it."""
    lines = [
        f"show zone status vsan {vsan}   ! no session may be open",
        f"show zoneset active vsan {vsan}   ! keep what this prints",
        "configure terminal",
    ]
    for zone in zones:
        lines.append(f"zone name {zone.name} vsan {vsan}")
        if zone.type == PEER:
            lines += [f"  member pwwn {port} target" for port in zone.principals]
            lines += [f"  member pwwn {port} init" for port in zone.members]
        else:
            lines += [f"  member pwwn {port}" for port in zone.members]
        lines.append("  exit")
    lines.append(f"zoneset name {zoneset} vsan {vsan}")
    lines += [f"  member {zone.name}" for zone in zones]
    return [
        *lines,
        "  exit",
        f"zoneset activate name {zoneset} vsan {vsan}",
        f"zone commit vsan {vsan}   ! in enhanced mode",
        "end",
        "copy running-config startup-config",
    ]


def cisco_removal(vsan: int, zoneset: str, names: Sequence[str]) -> list[str]:
    """Return the commands of NX-OS that take zones out of a zone set and delete them."""
    return [
        "configure terminal",
        f"zoneset name {zoneset} vsan {vsan}",
        *(f"  no member {name}" for name in names),
        "  exit",
        *(f"no zone name {name} vsan {vsan}" for name in names),
        f"zoneset activate name {zoneset} vsan {vsan}",
        f"zone commit vsan {vsan}   ! in enhanced mode",
        "end",
        "copy running-config startup-config",
    ]

"""Zones that people make: what they are to type in, told once for each change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.providers import fabrics, runtime
from fabric import commands

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.providers.fabrics import Ports
    from fabric.zoning import Zone

Told = dict[str, dict[str, list[str]]]
"""Commands by fabric and family of switches."""


def commands_for(inputs: Mapping[str, Any], found: Ports, made: Mapping[str, Mapping[str, Zone]]) -> Told:
    """Return what is to be typed in beyond what was told before (`made`); nothing where that is all."""
    told: Told = {}
    wanted = fabrics.by_hand(inputs, found)
    for one in inputs["fabrics"]:
        before, zones = made.get(one["name"], {}), wanted[one["name"]]
        new = [zone for zone in zones if zone.name not in before]
        more = [more for zone in zones if zone.name in before and (more := zone.without(before[zone.name])).all]
        if new or more:
            told[one["name"]] = {"brocade": commands.brocade(one["configuration"], new, more)}
            if one["vsan"]:
                told[one["name"]]["cisco"] = commands.cisco(int(one["vsan"]), one["configuration"], new, more)
    return told


def settle(inputs: Mapping[str, Any], found: Ports, outputs: dict[str, Any], *, anew: bool) -> None:
    """Tell what is new, and keep what was told; `anew`: people were told to take it all away."""
    made = {} if anew else fabrics.read(outputs["made"])
    if told := commands_for(inputs, found, made):
        outputs["commands"] = told
        tell(runtime.current_call(), told)
    for name, zones in fabrics.by_hand(inputs, found).items():
        kept = made.setdefault(name, {})
        for zone in zones:
            kept[zone.name] = kept[zone.name].with_more(zone.without(kept[zone.name])) if zone.name in kept else zone
    outputs["made"] = {name: fabrics.written(zones) for name, zones in made.items()}
    outputs["reach"] = _reach(inputs, found)


def removal(inputs: Mapping[str, Any], made: Mapping[str, Mapping[str, Zone]]) -> Told:
    """Return what is to be typed in so that all that was told before is gone."""
    told: Told = {}
    for one in inputs["fabrics"]:
        if names := sorted(made.get(one["name"], {})):
            told[one["name"]] = {"brocade": commands.brocade_removal(one["configuration"], names)}
            if one["vsan"]:
                told[one["name"]]["cisco"] = commands.cisco_removal(int(one["vsan"]), one["configuration"], names)
    return told


def tell(call: runtime.Call, told: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    """Show the commands."""
    for fabric, families in told.items():
        for family, lines in families.items():
            title = f"{fabric}: to be typed in by the SAN team ({family}):"
            call.say("\n".join((title, *(f"  {line}" for line in lines))))


def _reach(inputs: Mapping[str, Any], found: Ports) -> dict[str, dict[str, int]]:
    """Return how many of a host's ports will see each port of the array; empty where a fabric's ports are not told."""
    if not all(one["targets"] for one in inputs["fabrics"]):
        return {}
    reach: dict[str, dict[str, int]] = {}
    for one in inputs["fabrics"]:
        for port in found.initiators:
            if port.device in one["hbas"]:
                ports = reach.setdefault(port.host, {})
                for target in one["targets"]:
                    ports[target] = ports.get(target, 0) + 1
    return reach

"""The problems of the target's networks that only show when several keys are seen together, looked for in the plain data."""

from __future__ import annotations

import contextlib
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from components.settings_data import entries, keys, named, texts, twice, unknown
from components.settings_networks import INSTALLED_NETWORKS, INSTALLED_SWITCH, address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def problems(target: Mapping[str, Any]) -> list[str]:
    """Return the problems; what does not have the form that it should have is passed over here."""
    hosts, networks, switches = (entries(target.get(key)) for key in ("hosts", "networks", "switches"))
    return [
        *_switchless(target, networks),
        *twice(
            "esxodus:target.switches", "switch", [*named(switches), *texts([keys(target.get("switch")).get("name")])]
        ),
        *_standard(switches, networks),
        *_uplinks(target),
        *_vmotion(target, hosts, named(networks)),
    ]


def _switchless(target: Mapping[str, Any], networks: Sequence[tuple[int, Mapping[str, Any]]]) -> list[str]:
    """A port group is on a switch that is declared: the distributed one, or by name a standard one."""
    distributed = keys(target.get("switch")).get("name")
    known = {*named(entries(target.get("switches"))), *texts([distributed])}
    on = [(f"networks[{number}]", network) for number, network in networks]
    vmotion = keys(target.get("vmotion"))
    on += [("vmotion", {"name": vmotion.get("network"), **vmotion})] if vmotion else []
    without = [str(one.get("name")) for _, one in on if one.get("switch") is None]
    found = []
    if without and target.get("switch") is None:
        found.append(
            f"esxodus:target.switch: missing; the networks {', '.join(without)} are port groups of it, "
            "as they name no standard switch"
        )
    for path, one in on:
        what = "switch of esxodus:target.switch or switches"
        found += unknown(f"esxodus:target.{path}.switch", what, one.get("switch"), known)
    return found


def _standard(
    switches: Sequence[tuple[int, Mapping[str, Any]]], networks: Sequence[tuple[int, Mapping[str, Any]]]
) -> list[str]:
    """What the installation of ESXi has made cannot be made again."""
    found = []
    for number, one in switches:
        path = f"esxodus:target.switches[{number}]"
        if one.get("name") == INSTALLED_SWITCH and (one.get("uplinks") or one.get("mtu")):
            found.append(
                f"{path}: every host has a {INSTALLED_SWITCH} from its installation on, which is used as it is; "
                "leave out uplinks and mtu, or choose another name"
            )
        elif one.get("mtu") and not one.get("uplinks"):
            found.append(f"{path}.mtu: a switch without uplinks is there already, and is used as it is")
    standard = named(switches)
    for number, network in networks:
        if network.get("name") in INSTALLED_NETWORKS and network.get("switch") in standard:
            found.append(
                f"esxodus:target.networks[{number}].name: every host has a port group {network['name']!r} from its "
                "installation on; choose another name"
            )
    return found


def _uplinks(target: Mapping[str, Any]) -> list[str]:
    """A network card of a host is an uplink of one switch."""
    switches = [keys(target.get("switch")), *(one for _, one in entries(target.get("switches")))]
    return twice("esxodus:target.switches", "uplink", [card for one in switches for card in texts(one.get("uplinks"))])


def _vmotion(
    target: Mapping[str, Any], hosts: Sequence[tuple[int, Mapping[str, Any]]], networks: Sequence[str]
) -> list[str]:
    """Each host's address is its own, and all are in one subnet."""
    vmotion = target.get("vmotion")
    at = [(number, host["vmotion"]) for number, host in hosts if host.get("vmotion") is not None]
    if not isinstance(vmotion, dict):
        return [
            f"esxodus:target.hosts[{number}].vmotion: esxodus:target.vmotion is missing, which says on what network"
            for number, _ in at
        ]
    found = []
    if not at:
        found.append("esxodus:target.vmotion: no host has an address on it; add vmotion: address/netmask to each host")
    if vmotion.get("network") in networks:
        found.append(
            f"esxodus:target.vmotion.network: {vmotion['network']} is also a network for VMs; vMotion needs one of its own"
        )
    addresses = []
    for _, written in at:
        with contextlib.suppress(ValueError):  # its form is reported where it is read
            addresses.append(address(written))
    found += twice("esxodus:target.hosts", "vMotion address", [str(one.ip) for one in addresses])
    subnets = {str(one.network) for one in addresses}
    if len(subnets) > 1:
        found.append(
            f"esxodus:target.vmotion: the hosts' addresses are in several subnets: {', '.join(sorted(subnets))}; "
            "adapters of one network belong in one"
        )
    gateway = vmotion.get("gateway")
    with contextlib.suppress(ValueError):
        if gateway is not None and addresses and IPv4Address(gateway) not in addresses[0].network:
            found.append(
                f"esxodus:target.vmotion.gateway: {gateway} is not in the hosts' subnet, {addresses[0].network}"
            )
    switches = [one for _, one in entries(target.get("switches"))]
    on = next((one for one in switches if one.get("name") == vmotion.get("switch")), keys(target.get("switch")))
    mtu, most = vmotion.get("mtu"), on.get("mtu") or 1500
    if isinstance(mtu, int) and isinstance(most, int) and mtu > most:
        found.append(f"esxodus:target.vmotion.mtu: {mtu} is more than its switch has ({most})")
    return found

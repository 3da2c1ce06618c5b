"""Settings of the target's networks: switches, port groups, and the adapters that vMotion uses."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

from components.settings_forms import Model, Name

INSTALLED_SWITCH: Final = "vSwitch0"
"""The switch that every ESXi has from its installation on."""
INSTALLED_NETWORKS: Final = ("VM Network", "Management Network")
"""The port groups that are on it then."""


def address(value: object) -> IPv4Interface:
    """Read an address with its netmask.

    Raises: ValueError with what is wrong with it.
    """
    text = str(value)
    try:
        found = IPv4Interface(text if "/" in text else "")
    except ValueError:
        raise ValueError("must be an IPv4 address with its netmask, such as 10.40.0.71/24") from None
    if found.network.num_addresses > 2 and found.ip in (found.network.network_address, found.network.broadcast_address):
        raise ValueError(f"is no host's address, but the network or broadcast address of {found.network}")
    return found


def _gateway(value: object) -> IPv4Address:
    try:
        return IPv4Address(str(value))
    except ValueError:
        raise ValueError("must be an IPv4 address") from None


def _switch_name(value: str) -> str:
    if len(value) > 31:
        raise ValueError("must be at most 31 characters long: ESXi takes no longer name of a switch")
    return value


Uplinks = tuple[Annotated[str, Field(pattern=r"^vmnic[0-9]+$")], ...]
Vlan = Annotated[int, Field(ge=0, le=4094)]
Mtu = Annotated[int, Field(ge=1280, le=9000)]
Address = Annotated[IPv4Interface, BeforeValidator(address)]


class Switch(Model):
    """The distributed switch, and the network cards that each host gives to it.

    `version`: such as `6.6.0`; absent, the newest that vCenter knows. A VM that leaves a distributed switch of the old site
    live needs one of the same version here. `mtu`: bytes; absent, 1500.
    """

    name: Name
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")] | None = None
    uplinks: Annotated[Uplinks, Field(min_length=1)]
    mtu: Mtu | None = None


class StandardSwitch(Model):
    """A standard switch, made on each host. Without `uplinks` it is there, as vSwitch0 is, and is left as it is."""

    name: Annotated[Name, AfterValidator(_switch_name)]
    uplinks: Uplinks = ()
    mtu: Mtu | None = None


class Network(Model):
    """A port group. `switch` names the standard switch that it is on, on each host; absent: the distributed one."""

    name: Name
    vlan: Vlan = 0
    switch: Name | None = None


class Vmotion(Model):
    """The network of the adapters that vMotion uses: a port group of its own, on `switch` as for a network.

    `gateway`: in the hosts' subnet; only for moves to and from hosts that are in another one.
    """

    network: Name
    vlan: Vlan = 0
    switch: Name | None = None
    mtu: Mtu | None = None
    gateway: Annotated[IPv4Address, BeforeValidator(_gateway)] | None = None

"""The networks that each host has of its own: standard switches, their port groups, and the adapter that vMotion uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_vsphere as vsphere

if TYPE_CHECKING:
    from components.adoption import Adoption
    from components.settings_networks import StandardSwitch, Vmotion
    from components.settings_site import NewHost, Target

STACK: Final = "vmotion"
"""ESXi's TCP/IP stack for vMotion. An adapter on it carries vMotion, and nothing else; no service has to be selected."""


class HostNetworks:
    """Declares the networks of one host, one after another: a host's network system is changed by one at a time."""

    def __init__(
        self, host: NewHost, id_: pulumi.Input[str], adoption: Adoption, inside: pulumi.ResourceOptions
    ) -> None:
        """Take the host by its settings and its id, and the options that every part of the site has."""
        self._host = host
        self._id = id_
        self._adoption = adoption
        self._inside = inside
        self._last: pulumi.Resource | None = None

    def declare(self, target: Target) -> None:
        """Declare the standard switches and the port groups on them."""
        for switch in target.switches:
            self._switch(switch)
        for network in target.standard:
            self._port_group(network.name, network.vlan, network.switch or "")

    def vmotion(self, vmotion: Vmotion, distributed: tuple[pulumi.Input[str], pulumi.Input[str]] | None) -> None:
        """Declare the host's adapter for vMotion.

        `distributed` are the UUID of the distributed switch and the key of the port group there; None: on a standard switch.
        """
        address = self._host.vmotion
        if address is None:
            return
        if distributed is None:
            self._port_group(vmotion.network, vmotion.vlan, vmotion.switch or "")
        if self._adoption.id_of("vMotion adapter", f"{self._host.name} {address.ip}", vsphere.Vnic):
            return
        self._last = vsphere.Vnic(
            f"{self._host.name} {address.ip}",
            host=self._id,
            portgroup=None if distributed else vmotion.network,
            distributed_switch_port=distributed[0] if distributed else None,
            distributed_port_group=distributed[1] if distributed else None,
            netstack=STACK,
            mtu=vmotion.mtu,
            ipv4=vsphere.VnicIpv4Args(
                ip=str(address.ip), netmask=str(address.netmask), gw=str(vmotion.gateway) if vmotion.gateway else None
            ),
            opts=self._next(),
        )

    def _switch(self, switch: StandardSwitch) -> None:
        name = f"{self._host.name} {switch.name}"
        if not switch.uplinks or self._adoption.id_of("host switch", name, vsphere.HostVirtualSwitch):
            return
        self._last = vsphere.HostVirtualSwitch(
            name,
            name=switch.name,
            host_system_id=self._id,
            mtu=switch.mtu,
            network_adapters=list(switch.uplinks),
            active_nics=list(switch.uplinks),
            standby_nics=[],
            opts=self._next(),
        )

    def _port_group(self, network: str, vlan: int, switch: str) -> None:
        name = f"{self._host.name} {network}"
        if self._adoption.id_of("host network", name, vsphere.HostPortGroup):
            return
        self._last = vsphere.HostPortGroup(
            name, name=network, host_system_id=self._id, virtual_switch_name=switch, vlan_id=vlan, opts=self._next()
        )

    def _next(self) -> pulumi.ResourceOptions:
        """Return the options of what comes next on this host."""
        after = [] if self._last is None else [self._last]
        return pulumi.ResourceOptions.merge(self._inside, pulumi.ResourceOptions(depends_on=after))

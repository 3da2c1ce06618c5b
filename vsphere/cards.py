"""What a reconfiguration or a relocation says of network cards: the same card, on another network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyVmomi import vim

from migration.errors import Blocked, Stale
from migration.model import Concern, Severity
from vsphere.hardware import devices
from vsphere.inventory import Inventory
from vsphere.names import encoded
from vsphere.snapshot import Record

_ETHERNET = vim.vm.device.VirtualEthernetCard


def edits(
    name: str, vm: Record, networks: Mapping[int, str], there: Inventory, host: Record | None, datacenter: str
) -> list[vim.vm.device.VirtualDeviceSpec]:
    """Return the changes that put the VM's cards, by device key, on networks of the site `there`.

    A network is one that `host` reaches, else one of the datacenter. Whether a card is connected, its MAC and type stay.

    Raises: Blocked where there is no such network; Stale where a card is gone.
    """
    cards = {int(card.key): card for card in devices(vm, _ETHERNET)}
    if missing := sorted(set(networks) - set(cards)):
        raise Stale(f"{name}: it no longer has the network cards {missing}")
    return [
        vim.vm.device.VirtualDeviceSpec(
            operation="edit", device=_on(cards[key], _backing(name, network, there, host, datacenter))
        )
        for key, network in networks.items()
    ]


def _on(card: Any, backing: Any) -> Any:
    """Return the same card on another backing; the one in the snapshot is not touched."""
    return type(card)(
        key=card.key,
        backing=backing,
        connectable=card.connectable,
        controllerKey=card.controllerKey,
        unitNumber=card.unitNumber,
        addressType=card.addressType,
        macAddress=card.macAddress,
        wakeOnLanEnabled=card.wakeOnLanEnabled,
    )


def _backing(vm: str, name: str, there: Inventory, host: Record | None, datacenter: str) -> Any:
    """Return the backing for a network by name."""
    reached = host.targets("network") if host else ()
    found = [one for one in reached if there.network_names.get(one) == name]
    network = there.snapshot.record(found[0]) if found else there.named(vim.Network, name, datacenter)
    if network is None:
        raise Blocked(
            (
                Concern(
                    "network.missing",
                    Severity.BLOCKS,
                    vm,
                    f"{there.site} has no network {name!r} to connect it to",
                    "create the network there, or correct esxodus:networkMap",
                ),
            )
        )
    if not isinstance(network.ref, vim.dvs.DistributedVirtualPortgroup):
        return _ETHERNET.NetworkBackingInfo(deviceName=encoded(name), network=network.ref)
    switch = there.snapshot.record(network.target("config.distributedVirtualSwitch"))
    if switch is None:
        raise Stale(f"{vm}: the switch of port group {name!r} is no longer there")
    port = vim.dvs.PortConnection(switchUuid=switch.get("uuid"), portgroupKey=network.get("key"))
    return _ETHERNET.DistributedVirtualPortBackingInfo(port=port)

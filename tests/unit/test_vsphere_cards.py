from __future__ import annotations

import pytest
from pyVmomi import vim

from migration.errors import Blocked, Stale
from tests.unit import vsphere_objects as raw
from vsphere import cards
from vsphere.inventory import Inventory
from vsphere.session import moref

HERE = raw.machine(
    "vm-1",
    "app01",
    config__hardware__device=[
        raw.card(4000, raw.standard("network-77", "old"), connected=False),
        raw.card(4001, raw.distributed("dvportgroup-77"), mac="00:50:56:AA:BB:02"),
    ],
)
THERE = Inventory("target", "vc70", raw.site())
HOST = THERE.snapshot.record("host-1")


def test_the_same_cards_on_networks_of_another_site() -> None:
    one, other = cards.edits("app01", HERE, {4000: "pg-prod", 4001: "VM Network"}, THERE, HOST, "datacenter-1")
    assert {str(one.operation), str(other.operation)} == {"edit"}
    first, second = one.device, other.device
    assert isinstance(first, vim.vm.device.VirtualVmxnet3)
    assert isinstance(second, vim.vm.device.VirtualVmxnet3)
    assert (first.key, first.macAddress, second.macAddress) == (4000, "00:50:56:AA:BB:01", "00:50:56:AA:BB:02")
    assert first.connectable is not None
    assert first.connectable.startConnected is False
    assert isinstance(first.backing, vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo)
    assert (first.backing.port.switchUuid, first.backing.port.portgroupKey) == ("50 01", "dvportgroup-8")
    assert isinstance(second.backing, vim.vm.device.VirtualEthernetCard.NetworkBackingInfo)
    assert second.backing.network is not None
    assert (second.backing.deviceName, moref(second.backing.network)) == ("VM Network", "network-1")


def test_what_the_watch_holds_is_not_changed() -> None:
    before = HERE.get("config.hardware.device")[0].backing
    cards.edits("app01", HERE, {4000: "pg-prod"}, THERE, HOST, "datacenter-1")
    assert HERE.get("config.hardware.device")[0].backing is before


def test_a_network_that_is_missing_blocks_and_a_card_that_is_gone_is_stale() -> None:
    with pytest.raises(Blocked, match="target has no network 'nowhere'"):
        cards.edits("app01", HERE, {4000: "nowhere"}, THERE, HOST, "datacenter-1")
    with pytest.raises(Stale, match=r"\[4009\]"):
        cards.edits("app01", HERE, {4009: "pg-prod"}, THERE, HOST, "datacenter-1")

"""The settings of the target's networks: where each lies, and every sentence about a wrong one."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from components.settings import Settings
from tests.unit.test_settings import GOOD, problems


def networked(**target: Any) -> dict[str, Any]:
    """Return the good settings with a standard switch and vMotion, and with what is given of the target."""
    settings = copy.deepcopy(GOOD)
    settings["target"] |= {
        "switches": [{"name": "vSwitch0"}, {"name": "vSwitch1", "uplinks": ["vmnic2"], "mtu": 9000}],
        "networks": [{"name": "pg-prod", "vlan": 20}, {"name": "pg-dmz", "vlan": 30, "switch": "vSwitch1"}],
        "vmotion": {"network": "vmotion", "vlan": 40, "switch": "vSwitch1", "mtu": 9000},
        **target,
    }
    for number, host in enumerate(settings["target"]["hosts"], 71):
        host.setdefault("vmotion", f"10.40.0.{number}/24")
    return settings


def hosts(*addresses: object) -> list[dict[str, Any]]:
    return [{**host, "vmotion": one} for host, one in zip(GOOD["target"]["hosts"], addresses, strict=True)]


def test_a_network_is_on_the_switch_that_it_names() -> None:
    stack = Settings.parse(networked())
    assert [one.name for one in stack.target.standard] == ["pg-dmz"]
    assert [one.name for one in stack.target.distributed] == ["pg-prod"]
    spec = stack.specs()[0][1]
    assert (spec.declared_networks, spec.standard_networks) == (("pg-prod", "pg-dmz"), ("pg-dmz",))
    assert [str(host.vmotion) for host in stack.target.hosts] == ["10.40.0.71/24", "10.40.0.72/24"]


def test_without_a_distributed_switch_all_is_on_standard_ones() -> None:
    settings = networked(networks=[{"name": "pg-prod", "switch": "vSwitch1"}])
    del settings["target"]["switch"]
    assert Settings.parse(settings).target.distributed == ()


@pytest.mark.parametrize("written", ["10.40.0.71/255.255.255.0", "10.40.0.71/24", "10.40.0.70/31"])
def test_an_address_has_its_netmask(written: str) -> None:
    other = "10.40.0.71/31" if written.endswith("31") else "10.40.0.72/24"
    assert Settings.parse(networked(hosts=hosts(written, other))).target.vmotion


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {
                "switches": [
                    {"name": "vSwitch0", "uplinks": ["vmnic2"]},
                    {"name": "vSwitch1", "uplinks": ["vmnic3"], "mtu": 9000},
                ]
            },
            "esxodus:target.switches[0]: every host has a vSwitch0 from its installation on, which is used as it is",
        ),
        (
            {"switches": [{"name": "vSwitch1", "mtu": 9000}]},
            "esxodus:target.switches[0].mtu: a switch without uplinks is there already",
        ),
        (
            {"switches": [{"name": "vSwitch1", "uplinks": ["vmnic1"], "mtu": 9000}]},
            "esxodus:target.switches: uplink vmnic1 is there 2 times",
        ),
        (
            {"switches": [{"name": "vSwitch1", "uplinks": ["vmnic2"], "mtu": 9001}]},
            "esxodus:target.switches[0].mtu: 9001: must be at most 9000",
        ),
        (
            {"switches": [{"name": "vSwitch1", "uplinks": ["vmnic2"], "mtu": 9000}, {"name": "dvs7"}]},
            "esxodus:target.switches: switch dvs7 is there 2 times",
        ),
        (
            {"switches": [{"name": "vSwitch1", "mtu": 9000, "uplinks": ["vmnic2"]}, {"name": "x" * 32}]},
            "must be at most 31 characters long: ESXi takes no longer name of a switch",
        ),
        (
            {"networks": [{"name": "pg-prod"}, {"name": "pg-dmz", "switch": "vSwitch2"}]},
            "esxodus:target.networks[1].switch: vSwitch2 is no switch of esxodus:target.switch or switches; did you mean",
        ),
        (
            {"networks": [{"name": "pg-prod"}, {"name": "VM Network", "switch": "vSwitch0"}]},
            "esxodus:target.networks[1].name: every host has a port group 'VM Network' from its installation on",
        ),
        (
            {"hosts": hosts("10.40.0.71", "10.40.0.72/24")},
            "hosts[0].vmotion: '10.40.0.71': must be an IPv4 address with its",
        ),
        (
            {"hosts": hosts("10.40.0.255/24", "10.40.0.72/24")},
            "is no host's address, but the network or broadcast address",
        ),
        (
            {"hosts": hosts("10.40.0.71/24", "10.40.0.71/24")},
            "esxodus:target.hosts: vMotion address 10.40.0.71 is there 2",
        ),
        (
            {"hosts": hosts("10.40.0.71/24", "10.41.0.72/24")},
            "esxodus:target.vmotion: the hosts' addresses are in several",
        ),
        ({"hosts": hosts(None, None)}, "esxodus:target.vmotion: no host has an address on it"),
        (
            {"vmotion": {"network": "vmotion", "gateway": "10.41.0.1"}},
            "esxodus:target.vmotion.gateway: 10.41.0.1 is not in the hosts' subnet, 10.40.0.0/24",
        ),
        (
            {"vmotion": {"network": "vmotion", "gateway": "gw"}},
            "esxodus:target.vmotion.gateway: 'gw': must be an IPv4 address",
        ),
        (
            {"vmotion": {"network": "vmotion", "mtu": 9000}},
            "esxodus:target.vmotion.mtu: 9000 is more than its switch has (1500)",
        ),
        ({"vmotion": {"network": "pg-prod"}}, "esxodus:target.vmotion.network: pg-prod is also a network for VMs"),
        ({"switch": None}, "esxodus:target.switch: missing; the networks pg-prod are port groups of it"),
    ],
)
def test_a_wrong_value_is_named_with_its_place_and_what_is_allowed(changed: dict[str, Any], expected: str) -> None:
    found = problems(networked(**changed))
    assert any(expected in problem for problem in found), found
    assert len(found) == 1, found


def test_an_address_without_its_network_is_named() -> None:
    settings = networked()
    del settings["target"]["vmotion"]
    assert problems(settings) == tuple(
        f"esxodus:target.hosts[{number}].vmotion: esxodus:target.vmotion is missing, which says on what network"
        for number in (0, 1)
    )

"""How many vMotions at once a host's network bears, from its links. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from vsphere.snapshot import Record

NETWORK: Final = (
    "config.network.pnic",
    "config.network.vnic",
    "config.network.vswitch",
    "config.network.proxySwitch",
    "config.network.portgroup",
    "config.virtualNicManagerInfo.netConfig",
)
"""What is read of a host for it: heavy, and changed rarely; not followed."""

SLOW: Final = 4
"""vMotions at once on 1 GbE."""
FAST: Final = 8
"""The same on 10 GbE."""
_TEN_GIGABIT: Final = 10_000


def links(host: Record) -> int:
    """Return 8 where every link that vMotion may use is up at 10 Gbit/s at least, else 4.

    Which links those are is known where its adapters are on a switch; else every link of the host that is up counts.
    """
    speeds = {str(nic.key): _speed(nic) for nic in host.get("config.network.pnic", ())}
    used = {str(key) for switch in _switches(host) for key in switch.pnic or ()}
    up = [speed for key, speed in speeds.items() if speed and (not used or key in used)]
    return FAST if up and min(up) >= _TEN_GIGABIT else SLOW


def _switches(host: Record) -> Iterator[Any]:
    """Yield the host's part of each switch that has an adapter for vMotion."""
    devices = set(_devices(host))
    adapters = [adapter for adapter in host.get("config.network.vnic", ()) if str(adapter.device) in devices]
    groups = {str(adapter.portgroup) for adapter in adapters if adapter.portgroup}
    standard = {
        str(one.spec.vswitchName) for one in host.get("config.network.portgroup", ()) if one.spec.name in groups
    }
    yield from (one for one in host.get("config.network.vswitch", ()) if str(one.name) in standard)
    ports = [adapter.spec.distributedVirtualPort for adapter in adapters if adapter.spec]
    distributed = {str(port.switchUuid) for port in ports if port}
    yield from (one for one in host.get("config.network.proxySwitch", ()) if str(one.dvsUuid) in distributed)


def _devices(host: Record) -> Iterator[str]:
    """Yield the names of the adapters that are selected for vMotion, such as vmk1."""
    for config in host.get("config.virtualNicManagerInfo.netConfig", ()):
        if str(config.nicType) == "vmotion":
            selected = {str(one) for one in config.selectedVnic or ()}
            yield from (str(one.device) for one in config.candidateVnic or () if str(one.key) in selected)


def _speed(nic: Any) -> int:
    """Return Mbit/s, 0 while the link is down."""
    return int(nic.linkSpeed.speedMb) if nic.linkSpeed else 0

"""The networks that hosts have of their own, as their configuration tells. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vsphere.names import decoded
from vsphere.snapshot import Record

READ: Final = (
    "config.network.vswitch",
    "config.network.portgroup",
    "config.network.vnic",
    "config.virtualNicManagerInfo.netConfig",
)
"""What is read of a host for it; unset where the host is not connected."""
_STACK: Final = "vmotion"


def ids(hosts: Mapping[str, Record]) -> dict[str, dict[str, str]]:
    """Return what these hosts have, by kind and by the host's name and its own."""
    switches, groups, adapters = {}, {}, {}
    for name, host in hosts.items():
        for switch in host.get(READ[0], ()):
            switches[f"{name} {decoded(str(switch.name))}"] = f"{host.moref}:{switch.name}"
        for group in host.get(READ[1], ()):
            groups[f"{name} {decoded(str(group.spec.name))}"] = f"{host.moref}:{group.spec.name}"
        for adapter in host.get(READ[2], ()):
            if _carries_vmotion(host, adapter) and adapter.spec.ip:
                adapters[f"{name} {adapter.spec.ip.ipAddress}"] = f"{host.moref}_{adapter.device}"
    return {"host switch": switches, "host network": groups, "vMotion adapter": adapters}


def vlans(hosts: Mapping[str, Record]) -> dict[str, int]:
    """Return the VLAN of each host network of these hosts, by its name as above; 0: none."""
    return {
        f"{name} {decoded(str(group.spec.name))}": int(group.spec.vlanId)
        for name, host in hosts.items()
        for group in host.get(READ[1], ())
    }


def _carries_vmotion(host: Record, adapter: Any) -> bool:
    """Say whether vMotion may use the adapter: it is on the stack for vMotion, or was selected for it."""
    return str(adapter.spec.netStackInstanceKey or "") == _STACK or any(
        str(config.nicType) == "vmotion"
        and any(
            str(one.device) == str(adapter.device) and str(one.key) in map(str, config.selectedVnic or ())
            for one in config.candidateVnic or ()
        )
        for config in host.get(READ[3], ())
    )

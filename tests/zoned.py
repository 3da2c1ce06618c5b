"""The small site of the lab with a switch in each of two fabrics, which keep the new hosts from the old array."""

from __future__ import annotations

from typing import Any

FABRICS = {"fabric-a": "vmhba2", "fabric-b": "vmhba3"}
PASSWORD = "zone-secret"


def with_switches(scenario: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """Add the switches: each old host is zoned with the old array, each new one with the new array."""
    arrays = [array["name"] for array in scenario["arrays"]]
    switches = []
    for number, (name, hba) in enumerate(FABRICS.items()):
        zones = []
        for vcenter, array in zip(scenario["vcenters"], arrays, strict=True):
            for host in vcenter["hosts"]:
                ports = [f"{array}/{number}", f"{array}/{number + 2}"]
                zone = f"{host['name'].replace('.', '_').replace('-', '_')}_{array.replace('-', '_')}"
                zones.append({"name": zone, "members": [f"{host['name']}/{hba}", *ports]})
        switches.append(
            {
                "name": name,
                "listen": "127.0.0.1:0",
                "username": "svc-zoning",
                "password": PASSWORD,
                "zones": zones,
                "effective": f"prod_{name[-1]}",
                **changed,
            }
        )
    scenario["fabric"]["switches"] = switches
    return scenario

"""A small site with as many like VMs as a test needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.engine.conftest import REPOSITORY
from tests.matrix.journeys import make_live

SMALL = REPOSITORY / "tests" / "scenarios" / "small.yaml"


def names(count: int) -> list[str]:
    """Return what the copies are called."""
    return [f"app{number:02}" for number in range(1, count + 1)]


def write_copies(folder: Path, count: int, *, live: bool = False) -> Path:
    """Write the small site with so many copies of its app01, with other addresses, and no other VM; return the file.

    `live`: the old site is a 6.7, from which VMs go live.
    """
    site: dict[str, Any] = yaml.safe_load(SMALL.read_text(encoding="utf-8"))
    if live:
        make_live(site)
        # From a distributed switch there is no live way to a standard port group: they have to be able to go back.
        datacenter = site["vcenters"][0]["datacenters"][0]
        datacenter["switches"] = [{"name": "dvs-prod6", "version": "6.5.0"}]
        datacenter["networks"] = [{**network, "switch": "dvs-prod6"} for network in datacenter["networks"]]
    (app,) = [vm for vm in site["vms"] if vm["name"] == "app01"]
    unlike = {"biosUuid", "instanceUuid", "ips"}
    site["vms"] = [
        {
            **{key: value for key, value in app.items() if key not in unlike},
            "name": name,
            "ips": [f"10.9.0.{number + 1}"],
            "nics": [{key: value for key, value in nic.items() if key != "mac"} for nic in app["nics"]],
        }
        for number, name in enumerate(names(count))
    ]
    file = folder / "copies.yaml"
    file.write_text(yaml.safe_dump(site), encoding="utf-8")
    return file

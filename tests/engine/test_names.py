"""Names and texts as awkward as vSphere allows, there and back with the real engine: nothing of them may change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.engine.conftest import REPOSITORY
from tests.engine.site_project import Site, site_config
from tools.running_lab import Lab, running_lab
from vsphere.names import decoded

pytestmark = pytest.mark.engine

SCENARIO = REPOSITORY / "tests" / "scenarios" / "names.yaml"
STORED = [vm["name"] for vm in yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))["vms"]]
PLAIN = {decoded(name): "migrated" for name in STORED}
KEPT = ("instanceUuid", "biosUuid", "macs", "notes", "snapshots", "power", "template")
AT_HOME = (*KEPT, "site", "folder", "pool", "networks", "disks", "vmx", "customAttributes", "extraConfig")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with running_lab(SCENARIO, any_port=True) as running:
        yield running
        assert running.get("/violations") == []


def seen(lab: Lab) -> dict[str, dict[str, Any]]:
    """Return every VM by the name that its vCenter stores."""
    found = [vm for site in lab.get("/state")["vcenters"].values() for vm in site["vms"].values()]
    assert sorted(vm["name"] for vm in found) == sorted(STORED)
    return {
        vm["name"]: {
            **vm,
            "networks": [nic["network"] for nic in vm["nics"]],
            "customAttributes": {name: value for name, value in vm["customAttributes"].items() if value},
        }
        for vm in found
    }


def test_there_and_back_byte_for_byte(lab: Lab, tmp_path: Path) -> None:
    before = seen(lab)
    config = site_config(lab, PLAIN)
    config["esxodus:target"]["cluster"]["ha"] = False  # of one host: nothing could be restarted elsewhere
    config["esxodus:target"]["networks"] = [{"name": 'pg "20" [x]', "vlan": 20}, {"name": "DMZ 'ネット'", "vlan": 30}]
    config["esxodus:oldDatastores"] = ["old 'a' \"1\" 100% データ", "old-b"]
    config["esxodus:networkMap"] = {"VLAN 10/20": 'pg "20" [x]', ' DMZ ["x"] 100% ネット ': "DMZ 'ネット'"}
    site = Site(tmp_path / "clone", config)

    site.up()
    now = seen(lab)
    for name, vm in now.items():
        assert vm["site"] == "target"
        kept = (*KEPT, "folder", "customAttributes")
        assert {key: vm[key] for key in kept} == {key: before[name][key] for key in kept}
        assert {disk["path"].partition("]")[0] for disk in vm["disks"]} == {"[gold7-01"}
    assert set(now["a%2fb"]["networks"]) == {'pg "20" [x]', "DMZ 'ネット'"}
    assert now["a%2fb"]["pool"] == before["a%2fb"]["pool"]

    for entry in site.config["esxodus:waves"][0]["vms"]:
        entry["stage"] = "source"
    site.up()
    now = seen(lab)
    for name, vm in now.items():
        assert {key: vm.get(key) for key in AT_HOME} == {key: before[name].get(key) for key in AT_HOME}

"""Live and reattached, with all that only a vCenter knows of a VM, there and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.engine.conftest import REPOSITORY
from tests.engine.site_project import Site, site_config
from tools.running_lab import Lab, running_lab

pytestmark = pytest.mark.engine

SCENARIO = REPOSITORY / "tests" / "scenarios" / "metadata.yaml"
VMS = {name: "migrated" for name in ("app01", "app02", "db01")}
FOR_EVER = ("instanceUuid", "biosUuid", "macs", "notes", "snapshots", "power", "cpus", "memoryMB")
AT_HOME = ("site", "host", "vmx", "disks", "nics", "extraConfig")
OF_THE_VCENTER = (
    "folder",
    "pool",
    "customAttributes",
    "tags",
    "permissions",
    "haOverride",
    "drsOverride",
    "rules",
    "groups",
)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """The site with its networks on a distributed switch: from one there is no live way back to standard port groups."""
    scenario = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))
    datacenter = scenario["vcenters"][0]["datacenters"][0]
    datacenter["switches"] = [{"name": "dvs-prod6", "version": "6.5.0"}]
    datacenter["networks"] = [{**network, "switch": "dvs-prod6"} for network in datacenter["networks"]]
    file = tmp_path / "metadata.yaml"
    file.write_text(yaml.safe_dump(scenario, allow_unicode=True), encoding="utf-8")
    with running_lab(file, any_port=True) as running:
        yield running
        assert running.get("/violations") == []


def seen(lab: Lab, name: str) -> dict[str, Any]:
    """Return the one registration of a VM, as the lab itself sees it."""
    sites = lab.get("/state")["vcenters"]
    found = [vm for site in sites.values() for vm in site["vms"].values() if vm["name"] == name]
    assert len(found) == 1, f"{name} is registered {len(found)} times"
    vm = found[0]
    kept = {key: value for key, value in vm["customAttributes"].items() if value}
    return {**vm, "customAttributes": kept}


def pools(lab: Lab, site: str) -> dict[str, Any]:
    clusters = lab.get("/state")["vcenters"][site]["clusters"]
    return {path: pool for cluster in clusters for path, pool in cluster["pools"].items()}


def drs(lab: Lab, site: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return rules and groups of the site's one cluster by name, each with all that it says."""
    (cluster,) = lab.get("/state")["vcenters"][site]["clusters"]
    rules, groups = ({one["name"]: one for one in cluster[kind]} for kind in ("rules", "groups"))
    assert (len(rules), len(groups)) == (len(cluster["rules"]), len(cluster["groups"])), "a name is there once"
    return rules, groups


def picked(vm: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: sorted(vm[key], key=str) if isinstance(vm.get(key), list) else vm.get(key) for key in keys}


@pytest.mark.parametrize("method", ["reattach", "xvm"])
def test_a_vm_with_every_kind_of_metadata_there_and_back(lab: Lab, tmp_path: Path, method: str) -> None:
    config = site_config(lab, VMS)
    config["esxodus:waves"][0]["method"] = method
    config["esxodus:target"]["switch"]["version"] = "6.5.0"
    config["esxodus:target"]["cluster"]["evc"] = "intel-ivybridge"  # for the way back, live
    site = Site(tmp_path / "clone", config)
    before = {name: seen(lab, name) for name in VMS}
    wanted_pools = pools(lab, "source")
    rules, groups = drs(lab, "source")
    assert sorted(rules) == ["app-not-with-db", "app-on-licensed", "app-together"]
    assert sorted(groups) == ["app-vms", "licensed-hosts"]

    site.up()
    for name in VMS:
        now = seen(lab, name)
        assert now["site"] == "target"
        assert picked(now, FOR_EVER) == picked(before[name], FOR_EVER)
        told = site.told(name)
        assert told["chosen"] == method
        if method == "xvm":
            assert now["clock"]["downSeconds"] == 0, now["clock"]
            assert told.get("downtimeSeconds") is None
        # The group of hosts that a rule names is made of hosts that stay behind: that one thing is told, not done.
        missing = [one for one in told.get("papersDiff", ()) if "app-on-licensed" not in one]
        assert missing == [], told
        kept = tuple(key for key in OF_THE_VCENTER if key != "rules")
        assert picked(now, kept) == picked(before[name], kept)
        assert set(before[name]["rules"]) - set(now["rules"]) <= {"app-on-licensed"}
    assert any("app-on-licensed" in one for one in site.told("app01")["papersDiff"])
    assert drs(lab, "target") == (
        {name: rule for name, rule in rules.items() if name != "app-on-licensed"},
        {"app-vms": groups["app-vms"]},
    )
    for path in ("production", "production/databases"):
        assert pools(lab, "target")[path] == wanted_pools[path]

    writes = lab.writes
    again = site.up()
    assert re.search(r"\d+ unchanged", again), again
    assert lab.writes == writes

    site.wants(app01="source")
    assert re.search(rf"app01\b.*{method} migrated → source: ", site.preview())
    site.up()
    home = seen(lab, "app01")
    assert home["site"] == "source"
    assert picked(home, FOR_EVER) == picked(before["app01"], FOR_EVER)
    kept = tuple(key for key in OF_THE_VCENTER if key != "rules")
    assert picked(home, kept) == picked(before["app01"], kept)
    assert home["disks"] == before["app01"]["disks"]
    site.wants(app02="source", db01="source")
    site.up()
    for name in VMS:
        home = seen(lab, name)
        for keys in (FOR_EVER, OF_THE_VCENTER, AT_HOME):
            assert picked(home, keys) == picked(before[name], keys)
    assert drs(lab, "source") == (rules, groups)
    left, empty = drs(lab, "target")
    assert left == {}, "a rule goes with the last of its VMs"
    assert all(group["vms"] == [] for group in empty.values()), "a group of a vCenter stays"

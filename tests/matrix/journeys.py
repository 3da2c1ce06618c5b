"""The ways that a VM can go: from where, by which method, to where."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from migration.wanted import Identity, Method, Stage, VmSpec
from tools.parts import ROOT

SMALL: Final = ROOT / "tests" / "scenarios" / "small.yaml"
VM: Final = "app01"
DATASTORES: Final = ("old-a", "old-b", "gold7-01")


@dataclass(frozen=True)
class Journey:
    """A VM that is at the stage `first`, by the same method, is wanted at `wanted`. `live`: the old site is a 6.7."""

    name: str
    vm: str
    first: Stage
    wanted: Stage
    live: bool = False

    def spec(self, stage: Stage) -> VmSpec:
        """Return what an operator wants who wants this stage."""
        return VmSpec(
            Identity(self.vm),
            stage,
            Method.XVM if self.live else Method.REATTACH,
            datacenter="tokyo7",
            cluster="prod7",
            old_volumes=("old-a", "old-b"),
            new_volumes=("gold7-01",),
            networks={"VM Network": "pg-prod", "DMZ": "pg-dmz"},
            shutdown_timeout=20,
            on_shutdown_timeout="powerOff",
        )


JOURNEYS: Final = (
    Journey("reattach, there", VM, Stage.SOURCE, Stage.MIGRATED),
    Journey("reattach, back", VM, Stage.MIGRATED, Stage.SOURCE),
    Journey("reattach, a template there", "tmpl01", Stage.SOURCE, Stage.MIGRATED),
    Journey("reattach, a template back", "tmpl01", Stage.MIGRATED, Stage.SOURCE),
    Journey("live, there", VM, Stage.SOURCE, Stage.MIGRATED, live=True),
    Journey("live, back", VM, Stage.MIGRATED, Stage.SOURCE, live=True),
)


def write_scenario(file: Path, *, live: bool) -> Path:
    """Write the small site with its target built and only the VMs that go; `live`: the old site is a 6.7. Return the file."""
    scenario = yaml.safe_load(SMALL.read_text(encoding="utf-8"))
    build_target(scenario)
    scenario["vms"] = [vm for vm in scenario["vms"] if vm["name"] in {journey.vm for journey in JOURNEYS}]
    if live:
        make_live(scenario)
        # A guest that boots at the target, since its host has died, must be able to go back live.
        scenario["vcenters"][1]["datacenters"][0]["clusters"][0]["evc"] = "intel-ivybridge"
    file.write_text(yaml.safe_dump(scenario, allow_unicode=True), encoding="utf-8")
    return file


def build_target(scenario: dict[str, Any]) -> None:
    """Let the target have its datacenter, cluster, networks and datastore from the start."""
    target = scenario["vcenters"][1]
    hosts = [host["name"] for host in target["hosts"]]
    networks: list[dict[str, Any]] = [{"name": "pg-prod", "vlan": 20}, {"name": "pg-dmz", "vlan": 30}]
    target["datacenters"] = [
        {"name": "tokyo7", "clusters": [{"name": "prod7", "hosts": hosts, "drs": True}], "networks": networks}
    ]
    scenario["arrays"][1]["luns"][0]["vmfs"] = {"name": "gold7-01", "version": 6}


def make_live(scenario: dict[str, Any]) -> None:
    """Make the old site a 6.7, and let the new hosts take part in vMotion."""
    source, target = scenario["vcenters"]
    source.update(version="6.7.0", build="14367737", api="6.7")
    for host in source["hosts"]:
        host.update(version="6.7.0", build="14320388")
    for host in target["hosts"]:
        host["vmotion"] = True


VOLATILE: Final = frozenset({"moref", "host", "tools", "busy", "clock", "evc"})
"""What may differ between two runs that have both done well: ids, which of two equal hosts, how far the guest has booted."""


def found(state: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return each registration of the VM in a lab's state, without what is volatile."""
    vms = [vm for site in state["vcenters"].values() for vm in site["vms"].values() if vm["name"] == name]
    kept = [{key: value for key, value in copy.deepcopy(vm).items() if key not in VOLATILE} for vm in vms]
    for vm in kept:  # an attribute that was cleared keeps an empty value, in vCenter too
        vm["customAttributes"] = {key: value for key, value in vm["customAttributes"].items() if value}
    return kept

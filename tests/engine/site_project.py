"""A Pulumi project for a site of the lab, in a folder of its own: what a fresh clone of this repository is to an operator."""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.engine.conftest import REPOSITORY, Project
from tools.running_lab import Lab
from tools.toolchain import backend, environment

PASSPHRASE = "lab"  # the same as of stacks/Pulumi.lab.yaml, whose encrypted passwords these are
SALT = "v1:tingLcUj7FE=:v1:FReeW4COonYnBJd1:2jB8F0HJusXW0X+k248kryXgesIOVQ=="
OLD_SECRET = {"secure": "v1:b86GB/uw+IEP4ZrC:3BBQNQpFJl4rqLKNe2i7n7L8I+rC70/5jhc="}
NEW_SECRET = {"secure": "v1:gXAWCnTMhuSTINso:tWpXdnvy4yXreeF/RaU82KmuOaQS8LljZKc="}
ROOT_SECRET = {"secure": "v1:zoRBnfT8JbWou0ik:jFaKEWwr2ZGLqLzljcLfOBoJgtJzvRaasw0="}

Config = dict[str, Any]


def site_config(lab: Lab, vms: Mapping[str, str]) -> Config:
    """Return the stack's settings for the small site: each VM with its stage, all in one wave."""
    vcenters, hosts = lab.endpoints["vcenters"], lab.endpoints["hosts"]
    entries = [{"name": name, "stage": stage} for name, stage in vms.items()]

    def vcenter(name: str) -> Config:
        one = vcenters[name]
        return {"vcenter": one["host"], "username": one["username"], "thumbprint": one["thumbprint"]}

    return {
        "esxodus:source": vcenter("source"),
        "esxodus:sourcePassword": OLD_SECRET,
        "esxodus:target": {
            **vcenter("target"),
            "datacenter": "tokyo7",
            "cluster": {"name": "prod7", "evc": "auto", "ha": True, "drs": True},
            "hosts": [
                {"name": name, "thumbprint": host["thumbprint"]}
                for name, host in sorted(hosts.items())
                if "esx70" in name
            ],
            "switch": {"name": "dvs-prod7", "uplinks": ["vmnic1"]},
            "networks": [{"name": "pg-prod", "vlan": 20}, {"name": "pg-dmz", "vlan": 30}],
            "datastores": [{"name": "gold7-01", "kind": "vmfs", "disk": "naa.68ccf098004f00000000000000b00001"}],
        },
        "esxodus:targetPassword": NEW_SECRET,
        "esxodus:hostPassword": ROOT_SECRET,
        "esxodus:oldDatastores": ["old-a", "old-b"],
        "esxodus:networkMap": {"VM Network": "pg-prod", "DMZ": "pg-dmz"},
        "esxodus:policy": {"shutdownTimeout": 3, "onShutdownTimeout": "powerOff"},
        "esxodus:waves": [{"name": "all", "stage": "migrated", "vms": entries}] if entries else [],
    }


class Site:
    """A project's folder with its state, and the settings that are written before each run."""

    def __init__(self, folder: Path, config: Config) -> None:
        """Clone what an operator would have: the program, and a stack file; the state starts empty."""
        self.folder = folder
        self.config = copy.deepcopy(config)
        (folder / "stacks").mkdir(parents=True)
        (folder / "state").mkdir()
        for name in ("Pulumi.yaml", "__main__.py"):
            shutil.copy(REPOSITORY / name, folder / name)
        for name in ("components", "fabric", "migration", "vsphere"):
            (folder / name).symlink_to(REPOSITORY / name)
        (folder / ".build").mkdir()
        (folder / ".build" / "venv").symlink_to(REPOSITORY / ".build" / "venv")
        variables = {**os.environ, **environment(), "PULUMI_BACKEND_URL": backend(folder / "state")}
        variables |= {"PULUMI_CONFIG_PASSPHRASE": PASSPHRASE, "PULUMI": "pulumi", "PYTHONDONTWRITEBYTECODE": "1"}
        variables.pop("PYTHONPATH", None)
        self.project = Project(folder, variables)
        self.write()
        self.project.run("stack", "init")

    def write(self) -> None:
        """Write the stack's file."""
        text = yaml.safe_dump({"encryptionsalt": SALT, "config": self.config}, sort_keys=False, allow_unicode=True)
        (self.folder / "stacks" / "Pulumi.test.yaml").write_text(text, encoding="utf-8")

    def wants(self, **stages: str) -> None:
        """Set the stage of VMs."""
        for entry in self.config["esxodus:waves"][0]["vms"]:
            entry["stage"] = stages.get(entry["name"], entry["stage"])

    def run(self, *arguments: str, succeeds: bool = True) -> str:
        """Write the settings and run the CLI."""
        self.write()
        return self.project.run(*arguments, succeeds=succeeds, timeout=240)

    def preview(self, *, succeeds: bool = True) -> str:
        """Run `pulumi preview`."""
        return self.run("preview", succeeds=succeeds)

    def up(self, *, succeeds: bool = True) -> str:
        """Run `pulumi up` as the recipes for CI do."""
        return self.run("up", "--yes", "--skip-preview", "--continue-on-error", succeeds=succeeds)

    def told(self, name: str) -> dict[str, Any]:
        """Return what the state has of a VM."""
        outputs: dict[str, Any] = self.project.resources()[name]["outputs"]
        return outputs

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs."""
        answer: dict[str, Any] = json.loads(self.run("stack", "output", "--json"))
        return answer

"""`make demo`: a lab site moves from end to end, and an independent read of both vCenters says whether it did.

    python -m tools.demo [SITE]     SITE names a lab stack, stacks/Pulumi.SITE.yaml (default: lab)

The state of the demo is its own and starts empty each time. Exit code 0: every VM is where its wave wants it, whole.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from tools import retirement, rolling
from tools.building import ToolchainError
from tools.census import Counted, count
from tools.parts import ROOT
from tools.running_lab import Lab, LabError, running_lab
from tools.toolchain import backend, environment

_STATE = ROOT / ".build" / "demo"


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


@dataclass(frozen=True)
class Stack:
    """A lab stack's file: where its lab's scenario is, and what it wants."""

    name: str
    file: Path
    scenario: Path
    config: Mapping[str, Any]

    @property
    def wanted(self) -> dict[str, str]:
        """The stage that each VM is wanted at, by name."""
        stages: dict[str, str] = {}
        for wave in self.config["esxodus:waves"]:
            for entry in wave["vms"]:
                vm = {"name": entry} if isinstance(entry, str) else entry
                stages[vm["name"]] = vm.get("stage", wave["stage"])
        return stages

    def datastores(self, stage: str) -> set[str]:
        """The datastores on which a VM of that stage has its files."""
        if stage == "migrated":
            return {store["name"] for store in self.config["esxodus:target"]["datastores"]}
        return set(self.config["esxodus:oldDatastores"])


def read_stack(site: str) -> Stack:
    """Read stacks/Pulumi.SITE.yaml. Raises: DemoError where it is none of the lab's."""
    file = ROOT / "stacks" / f"Pulumi.{site}.yaml"
    labs = sorted(path.name.split(".")[1] for path in file.parent.glob("Pulumi.lab*.yaml"))
    if not file.exists():
        raise DemoError(f"there is no stack {site!r}; the lab's stacks are: {', '.join(labs)}")
    config = yaml.safe_load(file.read_text())["config"]
    if "esxodus:lab" not in config:
        raise DemoError(
            f"{site!r} is not a lab stack: it names no esxodus:lab.scenario, and a demo never touches a real site"
        )
    return Stack(site, file, ROOT / config["esxodus:lab"]["scenario"], config)


def demo(site: str, console: Console) -> int:
    """Move the site and return the exit code."""
    stack = read_stack(site)
    if "esxodus:upgrade" in stack.config:
        rolling.prepared(site)
        return rolling.demo(site, stack.scenario, stack.config, _password(stack.scenario, "site"), console)
    started = time.monotonic()
    with running_lab(stack.scenario) as lab:
        sites = {
            name: {**vcenter, "vcenter": vcenter["host"], "password": _password(stack.scenario, name)}
            for name, vcenter in lab.endpoints["vcenters"].items()
        }
        for name, vcenter in sites.items():
            console.print(f"[bold]{name}[/]: vCenter {vcenter['version']} at {vcenter['vcenter']}", highlight=False)
        before, fabrics = count(sites), lab.get("/state")["fabrics"]
        pulumi = _pulumi(stack)
        console.rule("pulumi preview")
        pulumi("preview")
        if lab.writes:
            raise DemoError(f"preview made {lab.writes} write calls")
        console.rule("pulumi up")
        pulumi("up", "--yes", "--skip-preview", "--continue-on-error")
        outputs = json.loads(pulumi("stack", "output", "--json", quiet=True))
        told = vm_outputs(json.loads(pulumi("stack", "export", quiet=True)))
        console.rule("what came of it")
        good = report(stack, outputs.get("site", {}), told, before, count(sites), lab, console)
        if good and stack.config["esxodus:lab"].get("retire"):
            good = retirement.retire(stack.file, _STATE / stack.name, lab, fabrics, pulumi, console)
    console.print(f"Took {time.monotonic() - started:.0f} s; the lab is stopped.", highlight=False)
    console.print(
        "Try next: `make lab` keeps a lab running to play with; `make demo SITE=…` takes another lab stack; "
        "stacks/Pulumi.example.yaml is the start of a real one.",
        highlight=False,
        soft_wrap=True,
    )
    return 0 if good else 1


def report(
    stack: Stack,
    site: Mapping[str, Any],
    outputs: Mapping[str, Mapping[str, Any]],
    before: Mapping[str, list[Counted]],
    after: Mapping[str, list[Counted]],
    lab: Lab,
    console: Console,
) -> bool:
    """Print a table and the verdict, and return whether every VM is where it should be, whole.

    `site` is the stack's export of that name, `outputs` what the state has of each VM.
    """
    clocks = guest_clocks(lab.get("/state"))
    table = Table("VM", "method", "was at", "is at", "guest downtime", "checked")
    wanted = stack.wanted
    by_name = {vms[0].name: vms[0] for vms in before.values()}
    wrong = 0
    for name, stage in wanted.items():
        told = outputs.get(name, {})
        was = by_name.get(name)
        problems = check(stack, stage, was, after)
        if was and told.get("chosen") == "xvm":
            problems += interrupted(was, clocks)
        wrong += bool(problems)
        seconds = told.get("downtimeSeconds")
        table.add_row(
            name,
            str(told.get("chosen", "")),
            shown(told.get("was")),
            shown(told.get("place")),
            "none" if seconds is None else f"{seconds:.1f} s",
            "; ".join(problems) or "ok",
        )
    console.print(table)
    for line in choices(site):
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    violations = lab.get("/violations")
    for violation in violations:
        console.print(f"[red]violation[/]: {violation}")
    console.print(
        f"{len(wanted) - wrong} of {len(wanted)} VMs are where they should be, with the same instance UUID, MACs and disks; "
        f"the lab saw {len(violations)} violations of its invariants.",
        style="bold",
        highlight=False,
        soft_wrap=True,
    )
    return not wrong and not violations


def vm_outputs(state: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the outputs of each VM by its logical name; `state` is what `pulumi stack export` gives."""
    resources = state["deployment"].get("resources", [])
    kind = "pulumi-python:dynamic/esxodus:MigratedVm"
    return {one["urn"].rpartition("::")[2]: one.get("outputs", {}) for one in resources if one["type"] == kind}


def shown(place: Mapping[str, Any] | None) -> str:
    """Return a place as the table has it."""
    return f"{place['site']}: {place['host']}, {', '.join(place['datastores'])}" if place else ""


def check(stack: Stack, stage: str, was: Counted | None, after: Mapping[str, list[Counted]]) -> list[str]:
    """Return what is wrong with one VM after the migration; nothing where all is well."""
    if was is None:
        return ["was not there before"]
    found = after.get(was.instance_uuid, [])
    if len(found) != 1:
        return [f"registered {len(found)} times"]
    now = found[0]
    site = "source" if stage == "source" else "target"
    facts = {
        f"is at {now.site}": now.site == site,
        "other MACs": now.macs == was.macs,
        "other disks": now.disks == was.disks,
        f"is {now.power}": now.power == was.power,
        "template or not": now.template == was.template,
        "other notes": now.notes == was.notes,
        "other snapshots": now.snapshots == was.snapshots,
        f"files on {', '.join(sorted(now.datastores))}": now.datastores <= stack.datastores(stage),
    }
    return [problem for problem, well in facts.items() if not well]


def guest_clocks(state: Mapping[str, Any]) -> dict[str, float]:
    """Return for how many seconds each guest did not serve, by instance UUID, as the lab's own clock of it says."""
    vms = [vm for vcenter in state["vcenters"].values() for vm in vcenter["vms"].values()]
    return {vm["instanceUuid"]: float(vm["clock"]["downSeconds"]) for vm in vms}


def interrupted(was: Counted, clocks: Mapping[str, float]) -> list[str]:
    """Return what is wrong with a VM that moved live: its guest must have served all the time, if it ran."""
    down = clocks.get(was.instance_uuid)
    if was.power != "poweredOn" or down == 0:
        return []
    return [
        "the lab has no clock of its guest" if down is None else f"moved live, and its guest was down for {down:.1f} s"
    ]


def choices(site: Mapping[str, Any]) -> list[str]:
    """Say for each method how many VMs took it and, once, why; `site` is the stack's export."""
    lines = []
    for method, times in site.get("methods", {}).items():
        reasons = site.get("reasons", {}).get(method, {})
        because = "; ".join(reason + (f" ({n} of them)" if n < times else "") for reason, n in reasons.items())
        who = "auto chose" if reasons else "as asked,"
        lines.append(f"{who} {method} {times} time{'s' if times != 1 else ''}" + (f": {because}" if because else ""))
    return lines


def _pulumi(stack: Stack) -> Any:
    """Return a function that runs `pulumi` on the stack, in a state of the demo's own that starts empty."""
    home = _STATE / stack.name
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    variables = {**os.environ, **environment(), "PULUMI_BACKEND_URL": backend(home)}

    def run(*arguments: str, quiet: bool = False) -> str:
        command = ["pulumi", *arguments, "--stack", stack.name]
        ended = subprocess.run(
            command,
            cwd=ROOT,
            env=variables,
            stdout=subprocess.PIPE if quiet else None,
            text=True,
            check=False,
        )
        if ended.returncode:
            raise DemoError(f"`{' '.join(command)}` ended with exit code {ended.returncode}")
        return ended.stdout or ""

    subprocess.run(
        ["pulumi", "stack", "init", stack.name],
        cwd=ROOT,
        env=variables,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return run


def _password(scenario: Path, name: str) -> str:
    """Return a vCenter's password from the scenario: the independent read asks the lab's own file, not our settings."""
    vcenters = yaml.safe_load(scenario.read_text())["vcenters"]
    return str(next(vcenter["password"] for vcenter in vcenters if vcenter["name"] == name))


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="make demo", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("site", nargs="?", default="lab", help="a lab stack: stacks/Pulumi.SITE.yaml")
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        return demo(parser.parse_args().site, console)
    except (DemoError, LabError, ToolchainError, rolling.RollingError) as error:
        console.print(f"[red]demo:[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("stopped; the lab and what was in it are gone")
        return 130


if __name__ == "__main__":
    sys.exit(main())

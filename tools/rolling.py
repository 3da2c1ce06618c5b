"""The demos of a rolling upgrade: hosts become another version while their VMs run, or it is refused, with the numbers.

Called by tools.demo for stacks with esxodus:upgrade. An independent read of the lab says whether it came out as it should.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tools.census import Counted, count
from tools.parts import ROOT
from tools.processes import descendants
from tools.running_lab import Lab, running_lab
from tools.toolchain import backend, environment

STATE: Final = ROOT / ".build" / "demo"
PROJECT: Final = ROOT / "upgrade"
REFUSED: Final = "[upgrade.not-n-plus-1]"
"""What the preview of a cluster that is not N+1 must say."""
AFTER: Final = 2
"""The run is killed when so many hosts are upgraded and back in service."""


class RollingError(Exception):
    """The demo cannot go on; the message says why."""


def demo(name: str, scenario: Path, config: Mapping[str, Any], password: str, console: Console) -> int:
    """Upgrade the cluster, or see it refused, and return the exit code: 0 where it came out as it should."""
    with running_lab(scenario) as lab:
        one = lab.endpoints["vcenters"]["site"]
        site = {"site": {**one, "vcenter": one["host"], "password": password}}
        console.print(f"[bold]site[/]: vCenter {one['version']} at {one['host']}", highlight=False)
        before = count(site)
        console.rule("pulumi preview")
        code, said = run(name, "preview", console)
        if lab.writes:
            raise RollingError(f"preview made {lab.writes} write calls")
        if code:
            expected = REFUSED in said
            console.rule("what came of it")
            words = "refused with the numbers, as it should be" if expected else "failed, and not because it is not N+1"
            console.print(f"The preview was {words}; it made no write call.", style="bold", highlight=False)
            return 0 if expected else 1
        console.rule("pulumi up, killed after the second host")
        killed(name, lab, console)
        console.rule("pulumi up")
        code, _ = run(name, "up", console, "--yes", "--skip-preview")
        if code:
            raise RollingError(f"`pulumi up` ended with exit code {code}")
        console.rule("what came of it")
        return 0 if report(config["esxodus:upgrade"], before, count(site), lab, console) else 1


def hosts(lab: Lab) -> dict[str, dict[str, Any]]:
    """Return the hosts as the lab has them, by name."""
    return {str(one["name"]): one for one in lab.get("/state")["vcenters"]["site"]["hosts"]}


def upgraded(lab: Lab, version: str) -> int:
    """Return how many hosts run the version and are in service."""
    found = hosts(lab).values()
    return sum(
        one["version"] == version and not one["maintenance"] and one["connection"] == "connected" for one in found
    )


def killed(name: str, lab: Lab, console: Console) -> None:
    """Begin the upgrade, and kill the run, with all that it has started, while the third host is at its turn."""
    out: list[str] = []
    process = _start(name, ("up", "--yes", "--skip-preview"))
    try:
        while process.poll() is None:
            out = [one["name"] for one in hosts(lab).values() if one["maintenance"]]
            if upgraded(lab, "7.0.3") >= AFTER and out:
                break
            time.sleep(0.2)
        else:
            raise RollingError(
                f"`pulumi up` ended by itself, with exit code {process.returncode}, before it could be killed"
            )
    finally:
        for pid in descendants(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()
    console.print(f"kill -9 while {', '.join(out)} is in maintenance mode; nothing of the run is left", highlight=False)
    run(name, "cancel", console, "--yes")


def report(
    wanted: Mapping[str, Any],
    before: Mapping[str, list[Counted]],
    after: Mapping[str, list[Counted]],
    lab: Lab,
    console: Console,
) -> bool:
    """Print a table and the verdict; return whether every host runs what is wanted, in service, and no guest was ever down."""
    table = Table("host", "runs", "in service", "VMs")
    found = hosts(lab)
    for name in wanted["hosts"]:
        one = found[name]
        serves = one["connection"] == "connected" and not one["maintenance"]
        table.add_row(name, f"ESXi {one['version']} build {one['build']}", "yes" if serves else "no", str(one["vms"]))
    console.print(table)
    vms = lab.get("/state")["vcenters"]["site"]["vms"]
    running = [name for name, vm in vms.items() if vm["power"] == "poweredOn"]
    down = {name: vm["clock"]["downSeconds"] for name, vm in vms.items() if vm["clock"]["downSeconds"]}
    same = sum(_same(vm[0], after.get(uuid, [])) for uuid, vm in before.items())
    violations = lab.get("/violations")
    for violation in violations:
        console.print(f"[red]violation[/]: {violation}")
    done = upgraded(lab, wanted["version"])
    console.print(
        f"{done} of {len(wanted['hosts'])} hosts run ESXi {wanted['version']} and are in service; {len(running)} VMs run, "
        f"guest downtime {sum(down.values()):.1f} s by the lab's clock; {same} of {len(before)} VMs are as they were; "
        f"the lab saw {len(violations)} violations of its invariants.",
        style="bold",
        highlight=False,
        soft_wrap=True,
    )
    return done == len(wanted["hosts"]) and not down and same == len(before) and not violations


def _same(was: Counted, now: list[Counted]) -> bool:
    if len(now) != 1:
        return False
    facts: list[Callable[[Counted], Any]] = [
        lambda vm: vm.power,
        lambda vm: vm.macs,
        lambda vm: vm.disks,
        lambda vm: vm.datastores,
    ]
    return all(fact(was) == fact(now[0]) for fact in facts)


def run(name: str, verb: str, console: Console, *arguments: str) -> tuple[int, str]:
    """Run `pulumi` on the stack to its end; return its exit code and what it printed, which is shown as it comes."""
    process = _start(name, (verb, *arguments))
    said = []
    assert process.stdout is not None  # noqa: S101 - piped
    for line in process.stdout:
        said.append(line)
        if line.startswith("@ "):  # the engine's dots
            continue
        console.print(line.rstrip("\n"), highlight=False, soft_wrap=True, markup=False)
    return process.wait(), "".join(said)


def prepared(name: str) -> None:
    """Give the stack a state of the demo's own that is empty."""
    home = STATE / name
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    subprocess.run(
        ["pulumi", "stack", "init", name], cwd=PROJECT, env=_variables(name), check=True, stdout=subprocess.DEVNULL
    )


def _variables(name: str) -> dict[str, str]:
    return {**os.environ, **environment(), "PULUMI_BACKEND_URL": backend(STATE / name)}


def _start(name: str, arguments: tuple[str, ...]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["pulumi", "--non-interactive", "--stack", name, *arguments],
        cwd=PROJECT,
        env=_variables(name),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )

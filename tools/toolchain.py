"""Prepares Pulumi, its vSphere plugin, the Python packages and the lab, in `.build/`.

An official `pulumi` on PATH is used, with the released plugin. Where there is none, and only package
registries can be reached, both are built from their Go modules: `engine/`, `language/` and `vsphere/` beside
this file. All of this needs the standard library only, for it runs before the virtual environment exists.

    python3 -m tools.toolchain setup              # make what is missing or out of date
    eval "$(python3 -m tools.toolchain env)"      # `pulumi` in this shell is now the one chosen
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from tools import parts
from tools.building import ToolchainError, Workshop, exclusive
from tools.choice import Engine, Plugin, choose_engine
from tools.parts import BIN, BUILD, PULUMI_HOME, ROOT, VENV

_OLDEST_PYTHON = (3, 11)
_ALL = ("python", "engine", "lab")
_STATE = BUILD / "state"


def environment() -> dict[str, str]:
    """Return the variables that a process needs, besides its own, to run the chosen `pulumi`.

    Raises:
        ToolchainError: nothing has been prepared yet.
    """
    engine = choose_engine(os.environ.get("PATH", ""), BIN)
    for needed in (VENV / "bin" / "python", engine.pulumi):
        if not needed.exists():
            raise ToolchainError(_shown(needed), "is missing", "run `make setup`")
    _STATE.mkdir(parents=True, exist_ok=True)
    return variables(engine, os.environ)


def backend(folder: Path) -> str:
    """Return the URL by which Pulumi keeps its state in a folder.

    Without `metadata=skip` it writes a file of attributes beside each file, and not at once: killed in between, it leaves an
    empty one, and no later run can read the state (“failed to load checkpoint: EOF”; gocloud.dev/blob/fileblob, attrs.go).
    """
    return f"{folder.as_uri()}?metadata=skip"


def variables(engine: Engine, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what to add to `environ` to run `engine`.

    State goes to a folder of this project, encrypted with a passphrase known to all unless one is set.
    """
    # The venv comes first because the built language host takes the first Python there is.
    path = (str(VENV / "bin"), str(engine.pulumi.parent), environ.get("PATH", ""))
    added = {
        "PATH": os.pathsep.join(path),
        "PULUMI_HOME": str(PULUMI_HOME),
        "PULUMI_BACKEND_URL": backend(_STATE),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # Most of the work is waiting for vCenter, so the default of four per core is too few.
        "PULUMI_PARALLEL": environ.get("PULUMI_PARALLEL", "64"),
    }
    if not environ.keys() & {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"}:
        added["PULUMI_CONFIG_PASSPHRASE"] = "lab"  # noqa: S105 - it protects the lab's own
    if not engine.official:
        added["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    return added


def setup(wanted: Collection[str] = _ALL) -> str:
    """Make what is missing or out of date, and return a line that says which engine and plugin are used.

    Raises:
        ToolchainError: a part could not be made.
    """
    with exclusive(BUILD, sys.stderr):
        workshop = Workshop(BUILD, sys.stderr)
        engine = choose_engine(os.environ.get("PATH", ""), BIN)
        python = [parts.packages(workshop)] if "python" in wanted else []
        go = []
        if "engine" in wanted:
            go += [] if engine.official else [parts.engine(workshop), parts.language_host(workshop)]
            go += [parts.plugin(workshop, engine)]
        if "lab" in wanted:
            go += [parts.lab(workshop)]
        # Two compilers would only share the cores; packages come over the network meanwhile.
        workshop.build(python, go)
        plugin = parts.installed_plugin(workshop)
    return describe(engine, plugin) if "engine" in wanted and plugin else ""


def describe(engine: Engine, plugin: Plugin) -> str:
    """Say in one line which engine and which plugin are used, and from where."""
    if engine.official:
        asked = subprocess.run([engine.pulumi, "version"], capture_output=True, text=True, check=False)
        first = f"official pulumi {asked.stdout.strip()} ({engine.pulumi})"
    else:
        aside = f"; {engine.remark}" if engine.remark else ""
        first = f"pulumi {parts.engine_version()} built from its Go module ({_shown(engine.pulumi)}{aside})"
    where = _shown(PULUMI_HOME)
    if plugin.released:
        return f"{first}, released vsphere plugin {plugin.version} ({where})"
    aside = f"; the release could not be had: {plugin.refusal}" if plugin.refusal else ""
    return f"{first}, vsphere plugin {plugin.version} built from {parts.upstream_version()} ({where}{aside})"


def main(arguments: list[str]) -> int:
    """Run the command line and return its exit code."""
    if sys.version_info < _OLDEST_PYTHON:
        oldest = ".".join(map(str, _OLDEST_PYTHON))
        sys.stderr.write(f"Python {oldest} or newer is needed; run `make PYTHON=python{oldest} …`\n")
        return 1
    parser = argparse.ArgumentParser(prog="python3 -m tools.toolchain")
    commands = parser.add_subparsers(dest="command", required=True)
    preparing = commands.add_parser("setup", help="make what is missing or out of date")
    preparing.add_argument("--only", action="append", choices=_ALL, help="leave out the rest")
    commands.add_parser("env", help="print the variables that `pulumi` needs, for a shell")
    options = parser.parse_args(arguments)
    try:
        if options.command == "env":
            lines = [f"export {name}={shlex.quote(value)}" for name, value in environment().items()]
        else:
            lines = [setup(options.only or _ALL)]
    except ToolchainError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped; what was finished is kept, run it again\n")
        return 130
    sys.stdout.write("".join(f"{line}\n" for line in lines if line))
    return 0


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

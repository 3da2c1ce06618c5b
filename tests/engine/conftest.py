"""The real engine with a file backend of its own in a temporary folder."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tools.processes import descendants
from tools.toolchain import backend

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Project:
    """A Pulumi project with one stack, `test`."""

    folder: Path
    environment: Mapping[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the CLI in a process group of its own, as a shell does for a command in the foreground."""
        return subprocess.Popen(
            [self.environment["PULUMI"], "--non-interactive", "--stack", "test", *arguments],
            cwd=self.folder,
            env=dict(self.environment) | {"PYTHONFAULTHANDLER": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, succeeds: bool = True, timeout: float = 120) -> str:
        """Run the CLI to its end and return what it printed; one that does not come to its end says where it stands."""
        process = self.start(*arguments)
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{' '.join(arguments)} has not ended after {timeout:.0f} s:\n{_stands(process)}")
        assert (process.returncode == 0) is succeeds, output
        return output

    def up(self, *, succeeds: bool = True) -> str:
        """Run `pulumi up` without a preview."""
        return self.run("up", "--yes", "--skip-preview", "--parallel", "64", "--continue-on-error", succeeds=succeeds)

    def resources(self) -> dict[str, dict[str, Any]]:
        """Return the dynamic resources of the stack's state by name."""
        state = json.loads(self.run("stack", "export"))
        return {
            resource["urn"].rpartition("::")[2]: resource
            for resource in state["deployment"].get("resources", [])
            if "pulumi-python:dynamic" in resource["type"]
        }

    def pending(self) -> list[Any]:
        """Return what the state calls pending."""
        operations = json.loads(self.run("stack", "export"))["deployment"].get("pending_operations")
        return list(operations or [])


def started_by(process: subprocess.Popen[str]) -> set[int]:
    """Return the process and all that it has started, in whatever process group: each plugin has one of its own."""
    return descendants(process.pid)


def kill(pids: set[int]) -> None:
    """`kill -9` of those that still run."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _stands(process: subprocess.Popen[str]) -> str:
    """End what hangs, and return what it printed, with the stacks of its Python processes."""
    all_ = started_by(process)
    for pid in all_:
        with contextlib.suppress(OSError):
            if b"python" in (Path("/proc") / str(pid) / "cmdline").read_bytes():
                os.kill(pid, signal.SIGABRT)  # PYTHONFAULTHANDLER is set
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)  # the engine ends in its own way then, and hands on what they printed
    kill(all_)
    return process.communicate(timeout=10)[0]


def _tools() -> Mapping[str, str] | None:
    """Return the environment in which the engine runs, or None where there is no engine."""
    environment = dict(os.environ)
    built = REPOSITORY / ".build" / "bin"
    if built.is_dir():
        environment["PATH"] = f"{built}{os.pathsep}{environment['PATH']}"
    engine = shutil.which("pulumi", path=environment["PATH"])
    return None if engine is None else environment | {"PULUMI": engine}


@pytest.fixture(scope="session")
def engine() -> Mapping[str, str]:
    """The environment of the engine; the test is skipped where none is installed."""
    found = _tools()
    if found is None:
        pytest.skip("no Pulumi engine: run `make setup`")
    return found


def project_in(folder: Path, engine: Mapping[str, str], files: Mapping[str, str]) -> Project:
    """Write the files of a project and give it a stack with an empty state."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    state = folder / ".state"
    state.mkdir()
    environment = dict(engine) | {
        "PULUMI_BACKEND_URL": backend(state),
        "PULUMI_HOME": str(folder / ".pulumi-home"),
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_PYTHON_CMD": sys.executable,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    project = Project(folder, environment)
    project.run("stack", "init")
    return project

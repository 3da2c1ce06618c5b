"""The contract of components/providers/runtime.py with the pinned SDK, shown on the real engine."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engine.conftest import Project, kill, project_in, started_by

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

PROJECT = "name: runtime-contract\nruntime: python\n"

PROGRAM = """
import signal

import pulumi
from slow import Slow

signal.signal(signal.SIGINT, signal.SIG_DFL)  # as __main__.py does

config = pulumi.Config()
for number in range(config.require_int("count")):
    Slow(f"vm{number}", {
        "seconds": config.require_float("seconds"),
        "fails": (config.get("fails") or "").replace("*", f"vm{number}"),
        "preview": pulumi.runtime.is_dry_run(),
    })
"""

PROVIDER = """
import os
import time
from pathlib import Path

from pulumi.dynamic import CheckResult, CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from components.providers import runtime
from migration import errors


class SlowProvider(ResourceProvider):
    serialize_as_secret_always = False

    def configure(self, req):
        runtime.install()
        Path("provider.pid").write_text(str(os.getpid()))

    def check(self, olds, news):
        if news.pop("preview"):
            runtime.current_call().say("source -> migrated")
        if news["fails"] == "at check":
            raise errors.Refused("vc60: the password is wrong")
        return CheckResult(news, [])

    def diff(self, id_, olds, news):
        if news["fails"] == "at diff":
            raise errors.Refused("vc60: the thumbprint differs")
        return DiffResult(changes=olds.get("phase") != "done" or olds["seconds"] != news["seconds"])

    def create(self, props):
        outputs = dict(props, how="create")
        self.work("slow", outputs)
        return CreateResult("slow", outputs)

    def update(self, id_, olds, news):
        outputs = dict(news, how="update after " + olds["phase"])
        self.work(id_, outputs)
        return UpdateResult(outputs)

    def work(self, id_, outputs):
        call = runtime.current_call()
        outputs.update(phase="half", began=time.time())
        with call.keeping(id_, outputs):
            if outputs["fails"] == "in the middle":
                raise errors.Refused("app01: the host is full")
            if outputs["fails"] == "unforeseen":
                raise KeyError("datastore")
            for tenth in range(int(outputs["seconds"] * 10)):
                if runtime.stop.is_set():
                    raise errors.Paused("app01: paused")
                call.progress("copying", int(tenth * 10 / outputs["seconds"]))
                time.sleep(0.1)
            outputs.update(phase="done", ended=time.time())


class Slow(Resource, module="test", name="Slow"):
    phase: object
    how: object

    def __init__(self, name, props):
        super().__init__(SlowProvider(), name, {"phase": None, "how": None, **props})
"""


@pytest.fixture
def project(tmp_path: Path, engine: Mapping[str, str]) -> Project:
    made = project_in(tmp_path, engine, {"Pulumi.yaml": PROJECT, "__main__.py": PROGRAM, "slow.py": PROVIDER})
    configure(made, count=12, seconds=3)
    return made


def configure(project: Project, **values: object) -> None:
    for key, value in values.items():
        project.run("config", "set", key, str(value))


def wait_for(file: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not file.exists():
        assert time.monotonic() < deadline, f"{file.name} did not appear"
        time.sleep(0.05)


def alive(process: int) -> bool:
    """Say whether the process runs; a dead one that nobody has waited for does not."""
    try:
        return Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_all_work_at_once_and_progress_is_at_the_resource(project: Project) -> None:
    output = project.up()
    assert any("test:Slow vm7" in line and "50 % copying" in line for line in output.splitlines()), output
    copying = [line for line in output.splitlines() if "vm7 creating" in line and "copying" in line]
    assert len(copying) <= 12, "a log gets no more than each 10 %"
    done = [resource["outputs"] for resource in project.resources().values()]
    assert {outputs["phase"] for outputs in done} == {"done"}
    assert max(outputs["began"] for outputs in done) < min(outputs["ended"] for outputs in done)


def test_a_failed_create_is_kept_said_in_one_line_and_resumed_by_update(project: Project) -> None:
    configure(project, count=2, seconds=0.2, fails="in the middle")
    output = project.up(succeeds=False)
    assert "* app01: the host is full" in output
    assert "Traceback" not in output
    kept = project.resources()
    assert {resource["outputs"]["phase"] for resource in kept.values()} == {"half"}
    assert {resource["initErrors"][0] for resource in kept.values()} == {"app01: the host is full"}
    configure(project, fails="")
    project.up()
    resumed = project.resources()
    assert {resource["outputs"]["how"] for resource in resumed.values()} == {"update after half"}
    assert not any(resource.get("initErrors") for resource in resumed.values())
    assert "updated" not in project.up(), "settled stays settled"


@pytest.mark.parametrize(
    ("fails", "message"),
    [("at check", "error: vc60: the password is wrong"), ("at diff", "error: vc60: the thumbprint differs")],
)
def test_a_foreseen_failure_of_any_call_is_one_line(project: Project, fails: str, message: str) -> None:
    configure(project, count=1, seconds=0)
    project.up()
    configure(project, fails=fails)
    output = project.run("preview", succeeds=False)
    assert message in output
    assert "Traceback" not in output


def test_an_unforeseen_failure_keeps_its_traceback_in_a_file(project: Project) -> None:
    configure(project, count=1, fails="unforeseen")
    output = project.up(succeeds=False)
    assert "KeyError: 'datastore' — this was not foreseen" in output
    assert "Traceback" not in output
    assert "Traceback" in (project.folder / ".build" / "esxodus-errors.log").read_text(encoding="utf-8")


def test_the_input_preview_reaches_check_only(project: Project) -> None:
    configure(project, count=1, seconds=0)
    output = project.run("up", "--yes")
    preview, _, update = output.partition("Updating (")
    assert "source -> migrated" in preview
    assert "source -> migrated" not in update
    assert "preview" not in project.resources()["vm0"]["inputs"]
    assert "1 to update" not in project.run("preview")


def test_ctrl_c_pauses_with_the_state_intact(project: Project) -> None:
    configure(project, count=6, seconds=100)
    process = project.start("up", "--yes", "--skip-preview", "--parallel", "64")
    wait_for(project.folder / "provider.pid")
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=5)
    assert process.returncode != 0
    assert output.count("* app01: paused") == 6
    assert "Traceback" not in output
    assert len(project.resources()) == 6
    assert project.pending() == []
    configure(project, seconds=0.1)
    project.up()
    assert {resource["outputs"]["how"] for resource in project.resources().values()} == {"update after half"}


def test_a_killed_cli_leaves_no_orphan(project: Project) -> None:
    configure(project, count=6, seconds=100)
    process = project.start("up", "--yes", "--skip-preview", "--parallel", "64")
    wait_for(project.folder / "provider.pid")
    provider = int((project.folder / "provider.pid").read_text())
    time.sleep(1)
    assert alive(provider)
    started = started_by(process)
    os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while alive(provider) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(provider)
    process.communicate(timeout=5)  # ends when nothing holds the pipe: the program is gone too
    kill(started)  # the language host of the built engine has no watch of its own

"""An official Pulumi goes before ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import parts

pytestmark = pytest.mark.engine

PROGRAM = """
import pulumi
from greeting import Greeting
pulumi.export("said", Greeting("hello").said)
"""
PROVIDER = """
from pulumi import Output
from pulumi.dynamic import CreateResult, Resource, ResourceProvider
class Provider(ResourceProvider):
    def create(self, props):
        return CreateResult("1", {"said": "hello"})
class Greeting(Resource):
    said: Output[str]
    def __init__(self, name):
        super().__init__(Provider(), name, {"said": None})
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout where only the Python packages are prepared, and beside it an engine as users install it."""
    if not (parts.BIN / "pulumi").exists():
        pytest.skip("this machine has an official engine, so none was built that could pose as one")
    official = tmp_path / "official"
    official.mkdir()
    for program in parts.BIN.glob("pulumi*"):
        (official / program.name).symlink_to(program)
    root = tmp_path / "checkout"
    shutil.copytree(parts.ROOT / "tools", root / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(parts.ROOT / "requirements-dev.txt", root)
    (root / ".build").mkdir()
    (root / ".build" / "venv").symlink_to(parts.VENV)
    return root


def run(folder: Path, *command: str, path: str, **environ: str) -> str:
    ended = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_an_official_engine_is_used_and_said_in_one_line(checkout: Path, tmp_path: Path) -> None:
    official = tmp_path / "official"
    path = f"{official}{os.pathsep}{os.environ['PATH']}"
    line = run(checkout, sys.executable, "-m", "tools.toolchain", "setup", "--only", "engine", path=path)
    assert line.startswith(f"official pulumi {parts.engine_version()} ({official}/pulumi), ")
    # Whether a release can be downloaded depends on the machine.
    assert f"vsphere plugin {parts.plugin_version()}" in line
    assert "released" in line or "the release could not be had: " in line
    assert line.count("\n") == 1
    assert not (checkout / ".build" / "bin" / "pulumi").exists()

    (tmp_path / "Pulumi.yaml").write_text("{name: greeting, runtime: python}", "utf-8")
    (tmp_path / "__main__.py").write_text(PROGRAM, "utf-8")
    (tmp_path / "greeting.py").write_text(PROVIDER, "utf-8")
    script = f"""
        eval "$(cd {checkout} && {sys.executable} -m tools.toolchain env)"
        command -v pulumi
        pulumi stack init --non-interactive test >&2
        pulumi up --non-interactive --yes --skip-preview >&2
        pulumi stack output said
    """
    assert run(tmp_path, "sh", "-euc", script, path=path).split() == [f"{official}/pulumi", "hello"]

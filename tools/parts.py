"""How each part of the toolchain is made. The versions are in the go.mod files beside it and in the lock."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from tools.building import CommandError, Part, Step, ToolchainError, Workshop
from tools.choice import LANGUAGE_HOST, Engine, Plugin

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / ".build"
VENV = BUILD / "venv"
BIN = BUILD / "bin"
PULUMI_HOME = BUILD / "pulumi-home"

_TOOLS = ROOT / "tools"
_LAB = ROOT / "lab"
_LOCK = ROOT / "requirements-dev.txt"
_SDK = "github.com/pulumi/pulumi/sdk/v3"
_ENGINE = "github.com/pulumi/pulumi/pkg/v3"
_UPSTREAM = "github.com/hashicorp/terraform-provider-vsphere"
_SCRIPTS = ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python")


def packages(workshop: Workshop) -> Part:
    """The virtual environment with the locked packages."""
    # It holds its own path and an interpreter of one version.
    key = _key(_LOCK, text=f"{platform.python_version()} {VENV}")
    python = VENV / "bin" / "python"

    def make(step: Step) -> str:
        if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
            reason = "this Python lacks its venv module"
            raise ToolchainError(step.title, reason, "install it (Debian: python3-venv)")
        _run(step, sys.executable, "-m", "venv", "--clear", VENV)
        options = ("--no-input", "--progress-bar=off", "--disable-pip-version-check", "--require-hashes")
        _run(step, python, "-m", "pip", "install", *options, "-r", _LOCK)
        return key

    return Part("python", "Python packages", _is_fresh(workshop, "python", key, python), make)


def engine(workshop: Workshop) -> Part:
    """The engine, and the scripts that it and the language host look for beside themselves."""
    module = _TOOLS / "engine"
    key = _key(module)
    version = engine_version()
    made = [BIN / "pulumi", *(BIN / Path(script).name for script in _SCRIPTS)]

    def make(step: Step) -> str:
        # The Automation API refuses an engine that does not know its version.
        stamp = f"-X {_SDK}/go/common/version.Version={version}"
        _go_build(step, module, f"{_ENGINE}/cmd/pulumi", BIN / "pulumi", stamp)
        sdk = _run(step, "go", "list", "-m", "-f", "{{.Dir}}", _SDK, cwd=module).strip()
        for script in _SCRIPTS:
            _install(Path(sdk, script), BIN / Path(script).name)
        return key

    return Part("engine", f"Pulumi engine {version}", _is_fresh(workshop, "engine", key, *made), make)


def language_host(workshop: Workshop) -> Part:
    """What the engine starts to run a Python program."""
    module = _TOOLS / "language"
    key = _key(module)

    def make(step: Step) -> str:
        _go_build(step, module, f"{_SDK}/python/cmd/{LANGUAGE_HOST}", BIN / LANGUAGE_HOST)
        return key

    fresh = _is_fresh(workshop, "language", key, BIN / LANGUAGE_HOST)
    return Part("language", "Pulumi language host", fresh, make)


def lab(workshop: Workshop) -> Part:
    """The simulated sites."""
    key = _key(_LAB)

    def make(step: Step) -> str:
        _go_build(step, _LAB, "./cmd/lab", BIN / "lab")
        return key

    return Part("lab", "lab", _is_fresh(workshop, "lab", key, BIN / "lab"), make)


def plugin(workshop: Workshop, engine: Engine) -> Part:
    """The vSphere plugin: the release if the engine is official and the release can be had, else a build."""
    module = _TOOLS / "vsphere"
    buildable = Plugin(plugin_version(), sources=_key(module))
    installed = installed_plugin(workshop)
    install = (engine.pulumi, "plugin", "install", "resource", "vsphere", buildable.version, "--reinstall")

    def build(step: Step) -> Plugin:
        folder = BUILD / "plugin"
        binary = folder / "pulumi-resource-vsphere"
        archive = folder / "plugin.tar.gz"
        _go_build(step, module, ".", binary, f"-X main.version={buildable.version}")
        with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
            tar.add(binary, binary.name)
        _run(step, *install, "--file", archive)
        shutil.rmtree(folder)
        return buildable

    def make(step: Step) -> str:
        if not engine.official:
            return json.dumps(asdict(build(step)))
        try:
            step.run(*install, cwd=ROOT, env=_environ())
        except CommandError as error:
            refusal = error.unreachable() or error.gist()
            return json.dumps(asdict(replace(build(step), refusal=refusal)))
        return json.dumps(asdict(Plugin(buildable.version)))

    fresh = installed is not None and installed.serves(engine, buildable)
    return Part("plugin", f"vSphere plugin {buildable.version}", fresh, make)


def installed_plugin(workshop: Workshop) -> Plugin | None:
    """Return what is installed in the project's own Pulumi home, if anything."""
    stamp = workshop.stamp("plugin")
    if not stamp:
        return None
    found = Plugin(**json.loads(stamp))
    folder = PULUMI_HOME / "plugins" / f"resource-vsphere-v{found.version}"
    return found if (folder / "pulumi-resource-vsphere").exists() else None


def plugin_version() -> str:
    """Return the version of the plugin that belongs to the locked SDK."""
    return _pin(_LOCK, r"^pulumi-vsphere==(\S+)")


def engine_version() -> str:
    """Return the version of the engine that is built."""
    return _pin(_TOOLS / "engine" / "go.mod", rf"{_ENGINE} (v\S+)")


def upstream_version() -> str:
    """Return name and version of the provider that the plugin is built from."""
    return f"{Path(_UPSTREAM).name} " + _pin(_TOOLS / "vsphere" / "go.mod", rf"{_UPSTREAM} (v\S+)")


def _go_build(step: Step, module: Path, package: str, output: Path, stamp: str = "") -> None:
    _require_go(module, step)
    unproved = output.with_suffix(".new")
    flags = ("-v", "-mod=readonly", "-trimpath", "-buildvcs=false", f"-ldflags=-s -w {stamp}")
    _run(step, "go", "build", *flags, "-o", unproved, package, cwd=module)
    unproved.replace(output)


def _require_go(module: Path, step: Step) -> None:
    needed = _pin(module / "go.mod", r"^go (\S+)")
    way_out = f"install Go {needed} or newer, then run `make setup` again"
    if not shutil.which("go"):
        raise ToolchainError(step.title, "it is built with Go, which is not on PATH", way_out)
    try:
        step.run("go", "env", "GOVERSION", cwd=module, env=_environ())
    except CommandError as error:
        raise ToolchainError(step.title, error.gist(), way_out) from error


def _run(step: Step, *command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command of a step; a failure becomes a sentence for the user."""
    try:
        return step.run(*command, cwd=cwd, env=_environ())
    except CommandError as error:
        log = step.log.relative_to(ROOT)
        if line := error.unreachable():
            way_out = f"look at the network{_registry(command)}, then run `make setup` again (log: {log})"
            raise ToolchainError(step.title, f"a registry does not answer: {line}", way_out) from error
        raise ToolchainError(step.title, error.gist(), f"see {log}, then run `make setup` again") from error


def _registry(command: Iterable[str | Path]) -> str:
    if "go" not in command:
        return " and at `pip config list`"
    proxy = subprocess.run(["go", "env", "GOPROXY"], capture_output=True, text=True, check=False)
    return f" and at GOPROXY, which is {proxy.stdout.strip()}"


def _environ() -> dict[str, str]:
    # No C compiler is needed, nor a workspace or user-wide flags that would change what is built.
    return os.environ | {
        "CGO_ENABLED": "0",
        "GOWORK": "off",
        "GOFLAGS": "",
        "PULUMI_HOME": str(PULUMI_HOME),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }


def _install(script: Path, target: Path) -> None:
    unproved = target.with_suffix(".new")
    shutil.copyfile(script, unproved)
    unproved.chmod(0o755)
    unproved.replace(target)


def _is_fresh(workshop: Workshop, name: str, key: str, *made: Path) -> bool:
    return workshop.stamp(name) == key and all(path.exists() for path in made)


def _key(path: Path, text: str = "") -> str:
    """Return a hash of a file or of all files below a folder, and of `text`."""
    digest = hashlib.sha256(text.encode())
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            content = file.read_bytes()
            digest.update(f"{file.relative_to(ROOT)} {len(content)} ".encode())
            digest.update(content)
    return digest.hexdigest()


def _pin(path: Path, pattern: str) -> str:
    found = re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        thing = str(path.relative_to(ROOT))
        raise ToolchainError(thing, f"names no version ({pattern})", "restore the file from git")
    return found[1]

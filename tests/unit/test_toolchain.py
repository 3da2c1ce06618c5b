"""What is used given what there is, and what the user is told when it cannot be had."""

from __future__ import annotations

import io
import re
import threading
import time
from pathlib import Path

import pytest

from tools import parts
from tools.building import CommandError, Part, Step, ToolchainError, Workshop
from tools.choice import LANGUAGE_HOST, Engine, Plugin, choose_engine
from tools.toolchain import describe, main, variables

OURS = Path("ours")
OFFICIAL = Engine(Path("official/pulumi"), official=True)
BUILT = Engine(parts.BIN / "pulumi", official=False)


def install(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).touch(mode=0o755)
    return folder


def test_an_official_pulumi_on_path_is_used(tmp_path: Path) -> None:
    official = install(tmp_path / "official", "pulumi", LANGUAGE_HOST)
    assert choose_engine(f"{tmp_path}:{official}", OURS) == Engine(official / "pulumi", official=True)


def test_a_linked_pulumi_has_its_language_host_where_the_link_leads(tmp_path: Path) -> None:
    official = install(tmp_path / "official", "pulumi", LANGUAGE_HOST)
    linked = install(tmp_path / "linked")
    (linked / "pulumi").symlink_to(official / "pulumi")
    assert choose_engine(str(linked), OURS).official


def test_our_own_pulumi_on_path_is_not_official(tmp_path: Path) -> None:
    ours = install(tmp_path / "ours", "pulumi", LANGUAGE_HOST)
    assert choose_engine(f"{tmp_path}/./ours:", ours) == Engine(ours / "pulumi", official=False)


def test_a_pulumi_that_cannot_run_python_is_passed_over(tmp_path: Path) -> None:
    lone = install(tmp_path / "lone", "pulumi")
    chosen = choose_engine(str(lone), OURS)
    assert chosen == Engine(OURS / "pulumi", False, f"{lone}/pulumi has no {LANGUAGE_HOST} beside it")


@pytest.mark.parametrize(
    ("installed", "engine", "stays"),
    [
        (Plugin("1"), OFFICIAL, True),
        (Plugin("1"), BUILT, True),
        (Plugin("0"), OFFICIAL, False),
        (Plugin("1", "same"), BUILT, True),
        (Plugin("1", "same"), OFFICIAL, False),
        (Plugin("1", "same", "no such host"), OFFICIAL, True),
        (Plugin("1", "other"), BUILT, False),
        (Plugin("0", "same"), BUILT, False),
    ],
)
def test_a_plugin_stays_until_a_better_one_can_be_had(installed: Plugin, engine: Engine, stays: bool) -> None:
    assert installed.serves(engine, Plugin("1", "same")) is stays


def test_one_line_says_what_is_used() -> None:
    engine = Engine(BUILT.pulumi, False, "lone/pulumi has no host beside it")
    line = describe(engine, Plugin("4.18.2", "sources", "no such host"))
    assert line == (
        f"pulumi {parts.engine_version()} built from its Go module"
        " (.build/bin/pulumi; lone/pulumi has no host beside it),"
        f" vsphere plugin 4.18.2 built from {parts.upstream_version()}"
        " (.build/pulumi-home; the release could not be had: no such host)"
    )


def test_the_plugin_has_the_version_of_the_locked_sdk() -> None:
    assert f"pulumi-vsphere=={parts.plugin_version()}" in (parts.ROOT / "pyproject.toml").read_text("utf-8")


def test_the_environment_leaves_what_the_user_chose() -> None:
    chosen = {"PATH": "there", "PULUMI_CONFIG_PASSPHRASE_FILE": "mine", "PULUMI_PARALLEL": "3"}
    added = variables(OFFICIAL, chosen)
    assert added["PATH"] == f"{parts.VENV}/bin:official:there"
    assert added["PULUMI_PARALLEL"] == "3"
    assert "PULUMI_CONFIG_PASSPHRASE" not in added
    assert "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION" not in added


def test_a_built_engine_downloads_nothing() -> None:
    added = variables(BUILT, {})
    assert added["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    assert added["PULUMI_CONFIG_PASSPHRASE"] == "lab"


def part(name: str, script: str, *, fresh: bool = False) -> Part:
    """A part that is made by a shell script."""

    def make(step: Step) -> str:
        return step.run("sh", "-c", script, cwd=Path.cwd(), env={"PATH": "/usr/bin:/bin"})

    return Part(name, name, fresh, make)


def test_what_is_made_leaves_a_stamp_and_what_is_fresh_is_left_alone(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, io.StringIO())
    workshop.build([part("new", "echo made"), part("old", "echo made", fresh=True)])
    assert [workshop.stamp(name) for name in ("new", "old")] == ["made\n", ""]


def test_a_failure_ends_what_runs_beside_it_and_takes_back_the_stamp(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, io.StringIO())
    workshop.build([part("broken", "true")], [part("long", "true")])
    started = time.monotonic()
    with pytest.raises(CommandError, match="no luck"):
        workshop.build([part("broken", "echo no luck; exit 1")], [part("long", "exec sleep 300")])
    assert time.monotonic() - started < 60
    assert [path.name for path in (tmp_path / "stamps").iterdir()] == []


def test_what_takes_long_is_announced(tmp_path: Path) -> None:
    out = io.StringIO()
    Workshop(tmp_path, out).build([part("long", "echo compiling; exec sleep 1.5"), part("short", "true")])
    assert re.fullmatch(r" +\d+ s  long: compiling\n +\d+ s  long: ready\n", out.getvalue())


def step_of(made: Part, tmp_path: Path) -> Step:
    return Step(made, tmp_path / "log", threading.Event())


def test_a_missing_go_is_named_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    lab = parts.lab(Workshop(tmp_path, io.StringIO()))
    with pytest.raises(ToolchainError, match=r"(?s)lab: .*Go, which is not on PATH.*way out: install Go 1\."):
        lab.make(step_of(lab, tmp_path))


def test_an_old_go_is_named_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says = "go: go.mod requires go >= 1.25.11 (running go 1.22.0; GOTOOLCHAIN=local)"
    go = tmp_path / "go"
    go.write_text(f"#!/bin/sh\necho '{says}'; exit 1\n", "utf-8")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    lab = parts.lab(Workshop(tmp_path, io.StringIO()))
    with pytest.raises(ToolchainError, match=r"(?s)lab: .*running go 1\.22\.0.*way out: install Go 1\."):
        lab.make(step_of(lab, tmp_path))


@pytest.mark.parametrize(
    "line",
    [
        'go: a@v1: Get "registry/a": dial tcp: lookup registry: no such host',
        "go: a@v1: reading registry/a.mod: 403 Forbidden",
        "ERROR: Failed to establish a new connection: [Errno 111] Connection refused",
        "WARNING: Retrying after connection broken by 'NewConnectionError(...)': /simple/rich/",
    ],
)
def test_a_registry_out_of_reach_is_recognised(line: str) -> None:
    assert CommandError(f"net/http\n{line}\n").unreachable() == line


def test_of_a_failed_build_only_the_failure_is_shown() -> None:
    output = "go: downloading a v1\nnet/http\na.example/b-c/v3\n# esxodus/lab\n./main.go:3:1: undefined: x\n"
    assert CommandError(output).unreachable() == ""
    assert CommandError(output).gist() == "# esxodus/lab\n./main.go:3:1: undefined: x"


def test_a_wrong_command_line_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["setup", "--only", "everything"])
    assert "invalid choice: 'everything'" in capsys.readouterr().err

"""Hooks and ports, with real commands and real sockets."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from components.providers import outside
from components.providers.outside import ThisMachine
from migration.errors import Blocked, Paused
from migration.wanted import Hook

FACTS = {"ESXODUS_VM": "app01", "ESXODUS_WHEN": "before"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "PAUSE", 0.01)
    monkeypatch.setattr(outside, "GRACE", 0.5)


def python(code: str, *arguments: str, timeout: float = 20, retries: int = 0) -> Hook:
    return Hook((sys.executable, "-c", code, *arguments), timeout, retries)


def run(
    hook: Hook, folder: Path, stop: threading.Event | None = None, withheld: frozenset[str] = frozenset()
) -> list[str]:
    said: list[str] = []
    ThisMachine(stop or threading.Event(), withheld=withheld, folder=folder).run(hook, FACTS, said.append)
    return said


def refusal(hook: Hook, folder: Path) -> str:
    with pytest.raises(Blocked) as caught:
        run(hook, folder)
    (concern,) = caught.value.concerns
    assert (concern.id, concern.subject) == ("hook.failed", "app01")
    return concern.sentence


def gone(pid: int) -> bool:
    """Say whether a process has ended, soon; a zombie that nobody has waited for has."""
    for _ in range(50):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_a_command_runs_in_the_project_with_the_facts(tmp_path: Path) -> None:
    run(python("import os; open('said', 'w').write(os.environ['ESXODUS_VM'])"), tmp_path)
    assert (tmp_path / "said").read_text() == "app01"


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    run(python("import sys; open('said', 'w').write(sys.argv[1])", "$HOME; *"), tmp_path)
    assert (tmp_path / "said").read_text() == "$HOME; *"


def test_a_command_gets_our_environment_without_what_is_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "lab")
    monkeypatch.setenv("ESXODUS_SOURCE_PASSWORD", "one")
    monkeypatch.setenv("CI_VCENTER", "hunter2")
    monkeypatch.setenv("CI_URL", "https://svc:hunter2@vc60.example")
    monkeypatch.setenv("NO_SECRET", "hunter")
    run(
        python("import os; open('said', 'w').write(' '.join(sorted(os.environ)))"),
        tmp_path,
        withheld=frozenset({"hunter2", "/", ""}),  # short ones are looked for alone: PATH has a slash
    )
    names = set((tmp_path / "said").read_text().split())
    assert {"PATH", "NO_SECRET", "ESXODUS_VM"} <= names
    assert not names & {"PULUMI_CONFIG_PASSPHRASE", "ESXODUS_SOURCE_PASSWORD", "CI_VCENTER", "CI_URL"}


def test_a_failure_is_told_with_the_last_lines(tmp_path: Path) -> None:
    said = refusal(python("for n in range(9): print('line', n)\nraise SystemExit(3)"), tmp_path)
    assert said.endswith("failed: exit code 3, after writing: line 4; line 5; line 6; line 7; line 8")


def test_a_failure_is_told_without_the_arguments(tmp_path: Path) -> None:
    said = refusal(python("raise SystemExit(3)", "token-1234"), tmp_path)
    assert sys.executable in said
    assert "token-1234" not in said


def test_what_is_no_command_is_told(tmp_path: Path) -> None:
    assert "it cannot be started: [Errno 2]" in refusal(Hook(("./no-such-command",)), tmp_path)


def test_it_is_tried_again_until_it_ends_well(tmp_path: Path) -> None:
    count = "from pathlib import Path; p = Path('n'); p.write_text((p.read_text() if p.exists() else '') + 'x'); "
    said = run(python(count + "raise SystemExit(len(p.read_text()) < 3)", retries=5), tmp_path)
    assert (tmp_path / "n").read_text() == "xxx"
    assert [line.rpartition(": ")[2] for line in said] == [
        "exit code 1; attempt 2 of 6 follows",
        "exit code 1; attempt 3 of 6 follows",
    ]
    (tmp_path / "n").unlink()
    assert "failed 2 times, at last: exit code 7" in refusal(python(count + "raise SystemExit(7)", retries=1), tmp_path)
    assert (tmp_path / "n").read_text() == "xx"


CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("child", "w").write(str(child.pid))
time.sleep(600)
"""


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    assert "it took more than 1 s and was ended" in refusal(python(CHILD, timeout=1), tmp_path)
    assert gone(int((tmp_path / "child").read_text()))


def test_one_that_does_not_want_to_end_is_made_to(tmp_path: Path) -> None:
    deaf = "import signal, os, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('me', 'w').write(str(os.getpid()))"
    refusal(python(f"{deaf}; time.sleep(600)", timeout=1), tmp_path)
    assert gone(int((tmp_path / "me").read_text()))


def test_a_stop_ends_it(tmp_path: Path) -> None:
    stop = threading.Event()
    threading.Timer(0.8, stop.set).start()
    started = time.monotonic()
    with pytest.raises(Paused, match="app01: its hook"):
        run(python(CHILD), tmp_path, stop)
    assert time.monotonic() - started < 5
    assert gone(int((tmp_path / "child").read_text()))


def test_once_stopped_nothing_is_begun(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Paused):
        run(python("open('said', 'w')"), tmp_path, stop)
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_answers_and_one_that_does_not() -> None:
    here = ThisMachine(threading.Event())
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert here.reaches("127.0.0.1", port)
    assert not here.reaches("127.0.0.1", port)
    assert not here.reaches("no-such-host.invalid", 22)


def test_the_default_folder_is_where_the_provider_runs() -> None:
    assert ThisMachine(threading.Event())._folder == Path(os.getcwd())  # noqa: PTH109 - the same, found another way

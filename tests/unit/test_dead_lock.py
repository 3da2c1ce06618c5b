"""Only the lock of the very CLI that started us, and that lives no more, may go."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from components.providers import dead_lock
from components.providers.ancestry import ancestors


def ended() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def lock(backend: Path, content: Any) -> Path:
    folder = backend / ".pulumi" / "locks" / "organization" / "esxodus" / "tokyo"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "7f.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def of(pid: int, host: str = "") -> dict[str, Any]:
    return {"pid": pid, "username": "ci", "hostname": host or socket.gethostname(), "timestamp": "2026-11-26T00:00:00Z"}


def test_the_lock_of_a_dead_ancestor_goes(tmp_path: Path) -> None:
    pid = ended()
    file = lock(tmp_path, of(pid))
    assert dead_lock.remove({pid, 1}, {"PULUMI_BACKEND_URL": f"{tmp_path.as_uri()}?metadata=skip"}) == [file]
    assert not file.exists()


def test_so_it_does_where_the_backend_is_that_of_a_login(tmp_path: Path) -> None:
    pid = ended()
    file = lock(tmp_path, of(pid))
    (tmp_path / "credentials.json").write_text(json.dumps({"current": tmp_path.as_uri()}), encoding="utf-8")
    assert dead_lock.remove({pid}, {"PULUMI_HOME": str(tmp_path)}) == [file]


def test_below_the_home_folder(tmp_path: Path) -> None:
    pid = ended()
    file = lock(tmp_path / "state", of(pid))
    assert dead_lock.remove({pid}, {"PULUMI_BACKEND_URL": "file://~/state", "HOME": str(tmp_path)}) == [file]


@pytest.mark.parametrize("doubt", ["alive", "a stranger's", "another machine's", "torn", "a list", "elsewhere"])
def test_in_doubt_it_stays(tmp_path: Path, doubt: str) -> None:
    pid = os.getppid() if doubt == "alive" else ended()
    contents = {"another machine's": of(pid, "ci-7"), "torn": '{"pid": ', "a list": [pid]}
    file = lock(tmp_path, contents.get(doubt, of(pid)))
    url = "s3://states" if doubt == "elsewhere" else tmp_path.as_uri()
    assert dead_lock.remove(set() if doubt == "a stranger's" else {pid}, {"PULUMI_BACKEND_URL": url}) == []
    assert file.exists()


def test_our_ancestors_are_who_started_us() -> None:
    assert os.getppid() in set(ancestors())
    assert os.getpid() not in set(ancestors())

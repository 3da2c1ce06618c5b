"""This run as it calls itself, and what it knows of others on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from components.providers import this_run


def test_a_process_of_this_machine_is_known_to_have_ended() -> None:
    me = this_run.holder("tokyo")
    assert str(os.getpid()) in me.lease.owner
    assert "tokyo" in me.lease.owner
    assert not me.gone(me.lease), "we live"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert me.gone(replace(me.lease, process=f"{ended.pid} 1"))
    assert me.gone(replace(me.lease, process=f"{os.getpid()} 1")), "its number was given to another process"
    assert not me.gone(replace(me.lease, machine="elsewhere", process=f"{ended.pid} 1"))
    assert not me.gone(replace(me.lease, machine="", process=""))


def test_it_fits_into_a_custom_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "a" * 64)
    monkeypatch.setattr("os.getpid", lambda: 4194304)
    lease = replace(this_run.holder("s" * 100).renewed(1000), process="4194304 12345678901", machine="0" * 16)
    assert len(lease.dumps()) <= 255

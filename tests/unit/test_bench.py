"""The measurements run, and say what they measured."""

from __future__ import annotations

import pytest

from bench import schedule


def test_longest_first_is_measured_against_arrival(capsys: pytest.CaptureFixture[str]) -> None:
    assert schedule.main(["--vms", "30", "--sites", "2", "--seed", "7"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("30 VMs")
    assert [line.split()[0] for line in lines[2:4]] == ["7", "8"]
    assert lines[-1].startswith("median ratio ")

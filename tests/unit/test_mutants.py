"""What counts as a planted bug that was caught: a test that failed, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants import unreadable, verdict
from tests.planted import PLANTED, Planted

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("code", "said", "caught", "broken"),
    [
        (0, "12 passed", "", False),
        (
            1,
            "FAILED tests/unit/test_x.py::test_y - assert 1 == 2\n1 failed",
            "FAILED tests/unit/test_x.py::test_y",
            False,
        ),
        (2, "ERROR tests/unit/test_x.py - ImportError\n1 error", "", True),
        (1, "ERROR tests/unit/test_x.py::test_y - a fixture\n1 error", "", True),
        (4, "", "", True),
        (-9, "FAILED tests/unit/test_x.py::test_y - killed", "", True),
    ],
)
def test_caught_is_a_test_that_failed(code: int, said: str, caught: str, *, broken: bool) -> None:
    found, how = verdict(code, said, "")
    assert (found, bool(how)) == (caught, broken)


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.what)
def test_where_a_bug_is_planted_is_there_once(bug: Planted) -> None:
    assert (REPOSITORY / bug.file).read_text(encoding="utf-8").count(bug.before) == 1


def test_a_bug_that_does_not_compile_is_told() -> None:
    first = PLANTED[0]
    assert unreadable(first) == ""
    assert "syntax" in unreadable(Planted("nonsense", first.file, first.before, "    if vm.power is is:\n")).lower()

"""Whoever is ended, and however: the next `pulumi up` goes on as if nothing had happened. A sample of `make matrix`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.matrix.engine import rounds

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(
    ("live", "ending"), [(False, "SIGKILL of the CLI"), (True, "SIGTERM")], ids=["reattach", "live"]
)
def test_the_next_up_ends_as_if_nothing_had_happened(tmp_path: Path, live: bool, ending: str) -> None:
    there, back = rounds(tmp_path, live=live, endings=[ending], limit=5)
    assert (there.problems, back.problems) == ([], [])
    assert (there.cancelled, back.cancelled) == (False, False), "the lock of a killed CLI is removed"

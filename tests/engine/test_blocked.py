"""A site full of things that must be dealt with first: a preview says all of it, and touches nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.conftest import REPOSITORY
from tools.running_lab import Lab, running_lab

pytestmark = pytest.mark.engine


@pytest.fixture
def lab() -> Iterator[Lab]:
    with running_lab(REPOSITORY / "tests" / "scenarios" / "blocked.yaml", any_port=True) as running:
        yield running
        assert running.get("/violations") == []

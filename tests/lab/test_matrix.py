"""A sample of `make matrix`, always the same: one case for every other kind of trouble, spread over journeys and steps."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.matrix.cases import Ground, ground
from tests.matrix.journeys import JOURNEYS
from tests.matrix.trouble import TROUBLES

pytestmark = pytest.mark.lab
SEED = 5


@pytest.fixture(scope="module", params=[False, True], ids=["6.0", "6.7"])
def here(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, binary: Path) -> Iterator[Ground]:
    del binary  # it is the lab's program that `ground` runs
    with ground(tmp_path_factory.mktemp("matrix"), live=request.param) as one:
        yield one


def test_whatever_goes_wrong_once_the_next_run_ends_as_if_nothing_had(here: Ground) -> None:
    live = "6.7" in here.lab.get("/endpoints")["vcenters"]["source"]["version"]
    journeys = [journey for journey in JOURNEYS if journey.live is live]
    undisturbed = {journey.name: here.undisturbed(journey) for journey in journeys}
    chosen = random.Random(SEED)  # noqa: S311 - a sample, no secret
    for trouble in TROUBLES[live::2]:
        journey = chosen.choice(journeys)
        calls, end = undisturbed[journey.name]
        at, call = chosen.choice([(at, call) for at, call in enumerate(calls) if trouble.fits(call)])
        result = here.case(journey, at, f"{at + 1} {call[0]} {call[1]}", trouble, end)
        assert result is None or result.problems == [], result

"""Back to the old site although something is broken: the host that it came from, the old vCenter, a copy that is half done."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from migration.errors import Blocked, Paused, Unreachable
from migration.wanted import Stage
from tests.matrix.cases import Ground, ground
from tests.matrix.journeys import JOURNEYS
from tests.person import person

pytestmark = pytest.mark.lab
THERE, BACK = JOURNEYS[:2]


@pytest.fixture
def here(tmp_path: Path, binary: Path) -> Iterator[Ground]:
    del binary  # it is the lab's program that `ground` runs
    with ground(tmp_path, live=False) as one:
        yield one
        assert one.lab.get("/violations") == []


def test_where_its_host_is_dead_and_ha_keeps_the_other_it_does_not_even_begin(here: Ground) -> None:
    home = here.now(BACK)[0]
    here.begin(BACK)
    here.lab.post(f"/hosts/{home['host']}/down")
    (before,), writes = here.now(BACK), here.lab.writes
    with pytest.raises(Blocked, match=r"HA of cluster prod6 .* keeps all that its usable hosts have"):
        here.run(BACK, Stage.SOURCE)
    assert here.lab.writes == writes
    assert (before["site"], here.now(BACK)) == ("target", [before])


def test_where_its_host_is_dead_another_one_is_chosen(here: Ground) -> None:
    home = here.now(BACK)[0]
    before = here.state(BACK)
    here.begin(BACK)
    here.lab.post(f"/hosts/{home['host']}/down")
    with person(here.lab, "source") as someone:
        someone.relax_admission("prod6")
    here.run(BACK, Stage.SOURCE)
    (now,) = here.now(BACK)
    assert (now["site"], now["power"]) == ("source", "poweredOn")
    assert now["host"] != home["host"]
    assert here.state(BACK) == before


def test_the_old_vcenter_restarts_before_it_goes_back(here: Ground) -> None:
    before = here.state(BACK)
    here.begin(BACK)
    here.lab.post("/vcenters/source/restart", {"seconds": 4})
    arrived = False
    while not arrived:  # a run that cannot log in fails, and says so: the next one finds it up again
        try:
            here.run(BACK, Stage.SOURCE)
        except Unreachable as error:
            assert "source vCenter" in str(error)  # noqa: PT017 - how often it fails is not said
            time.sleep(1)
        else:
            arrived = True
    assert here.state(BACK) == before


@pytest.mark.parametrize("goes_on", [True, False], ids=["the copy goes on", "the copy has stopped"])
def test_a_copy_to_the_new_array_is_half_done(here: Ground, goes_on: bool) -> None:
    before = here.state(THERE)
    here.begin(THERE)
    here.lab.post("/faults", {"method": "RelocateVM_Task", "action": "taskHang", "count": 1})
    stop = threading.Event()
    told: list[str] = []

    def there() -> None:
        try:
            here.run(THERE, Stage.MIGRATED, stop)
        except Paused as error:
            told.append(str(error))

    run = threading.Thread(target=there)
    run.start()
    deadline = time.monotonic() + 60
    while not here.lab.get("/faults")[0]["hits"] and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    run.join(10)
    assert told, "it pauses although the copy goes on"
    assert here.now(THERE)[0]["site"] == "target"
    over = threading.Timer(1.0 if goes_on else 0.0, here.lab.delete, ["/faults"])
    over.start()
    here.run(THERE, Stage.SOURCE)
    over.join()
    assert here.state(THERE) == before
    assert here.now(THERE)[0]["power"] == "poweredOn"

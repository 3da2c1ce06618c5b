"""How long a step will take: what is learned, and what is counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migration import estimate
from migration.actions import Cross, Relocate
from migration.estimate import DEFAULT_RATE, Rates
from migration.model import Power
from migration.wanted import Health, Hook, Method, Stage
from tests.fake_sites import a_vm
from tests.unit.test_decide import BACK, SPEC, settled

COPY = Relocate({}, ("vmfs:n1",), 93.13225746154785)  # 100 GB
LIVE = Cross("target", "app01", "", "", "", "", (), "", {}, {}, (), 0, live=True)


def test_a_copy_takes_its_size_over_100_mb_a_second() -> None:
    assert estimate.copying(COPY, settled(), Rates()) == pytest.approx(1000)


def test_a_vmotion_copies_the_memory() -> None:
    assert estimate.copied(LIVE, a_vm(memory=8)) == 8
    assert estimate.copied(LIVE, a_vm(memory=8, power=Power.OFF)) == 0
    assert estimate.copied(COPY, settled(memory=8)) == COPY.size


def test_rates_are_learned_by_kind_and_newer_copies_count_more() -> None:
    rates = Rates().after("Relocate poweredOn", 10, 10)
    assert rates.of("Relocate poweredOn") == 1
    assert rates.of("Cross poweredOn") == DEFAULT_RATE
    slower = rates.after("Relocate poweredOn", 10, 20)
    assert slower.of("Relocate poweredOn") == pytest.approx(0.3 * 0.5 + 0.7 * 1)
    for _ in range(30):
        slower = slower.after("Relocate poweredOn", 10, 20)
    assert slower.of("Relocate poweredOn") == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize(("size", "seconds"), [(0.5, 60), (0, 1), (10, 0)])
def test_what_tells_nothing_about_the_rate_is_not_learned(size: float, seconds: float) -> None:
    assert Rates().after("any", size, seconds) == Rates()


def test_the_whole_way() -> None:
    files = 12 / DEFAULT_RATE
    assert estimate.seconds(SPEC, a_vm()) == pytest.approx(30 * 1.2 + files)
    assert estimate.seconds(replace(SPEC, stage=Stage.REHOSTED), a_vm()) == pytest.approx(36)
    assert estimate.seconds(SPEC, a_vm(power=Power.OFF)) == pytest.approx(6 + files)
    live = replace(SPEC, method=Method.XVM)
    assert estimate.seconds(live, a_vm(memory=4)) == pytest.approx(4 / DEFAULT_RATE + files)
    hooked = replace(SPEC, before=Hook(("x",), 60, 1), after=Hook(("y",), 5), health=Health(timeout=100))
    assert estimate.seconds(hooked, a_vm()) == pytest.approx(120 + 5 + 100 + 36 + files)


def test_only_what_is_left_of_the_way_counts() -> None:
    assert estimate.seconds(SPEC, settled()) == pytest.approx(12 / DEFAULT_RATE)  # it runs from the old array
    new = settled(vmx=replace(settled().vmx, volume="vmfs:n1"), disks=())
    assert estimate.seconds(SPEC, new) == 0
    assert estimate.seconds(BACK, settled()) == pytest.approx(36)  # its files are where they were
    assert estimate.seconds(BACK, new) == pytest.approx(36)
    moved = tuple(replace(disk, file=replace(disk.file, volume="vmfs:n1")) for disk in settled().disks)
    assert estimate.seconds(BACK, settled(disks=moved)) == pytest.approx(36 + 12 / DEFAULT_RATE)
    assert estimate.seconds(BACK, a_vm()) == 0

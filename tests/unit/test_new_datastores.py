"""What lands on the new datastores, who finds no room, and which disks are not blank."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from migration.model import Disk as VmDisk
from migration.model import File, Power
from migration.new_datastores import Coming, Disk, Store, coming, forecast
from migration.wanted import Stage
from tests.fake_sites import a_vm
from tests.unit.test_decide import PAPERS, SPEC, see, settled

BOTH = ("gold7-01", "gold7-02")


def a_coming(vm: str, size: float, whole: float = 0.0, among: tuple[str, ...] = BOTH, order: int = 0) -> Coming:
    return Coming(vm, size, whole or size, among, 0.05, order)


def test_the_largest_of_each_wave_first_and_each_where_most_room_is() -> None:
    stores = [Store("gold7-01", 1000, 900), Store("gold7-02", 1000, 600)]
    waves = [
        a_coming("b", 300, 500),
        a_coming("a", 400),
        a_coming("last", 100, order=1),
        a_coming("there", 10, among=BOTH[1:]),
    ]
    found = forecast(stores, waves)
    assert [(row.store.name, row.lands, row.left) for row in found.rows] == [
        ("gold7-01", 500, 400),  # a, and the one of the last wave
        ("gold7-02", 310, 290),  # b, since a is at the other one by then, and the one that is bound to it
    ]
    assert not found.homeless
    assert list(found.concerns()) == []
    assert str(found).splitlines()[0].split() == [
        "GiB",
        "capacity",
        "free",
        "lands",
        "left",
        "left",
        "if",
        "thin",
        "disks",
        "grow",
    ]
    assert str(found).splitlines()[1].split() == ["gold7-01", "1000.0", "900.0", "500.0", "400.0", "400.0"]
    assert str(found).splitlines()[2].split() == ["gold7-02", "1000.0", "600.0", "310.0", "290.0", "90.0"]


def test_who_finds_no_room_beyond_the_reserve_is_named_with_what_is_left() -> None:
    stores = [Store("gold7-01", 1000, 100), Store("gold7-02", 1000, 60)]
    found = forecast(stores, [a_coming(f"vm{number}", 40) for number in range(8)])
    (concern,) = found.concerns()
    assert concern.id == "datastore.waves-do-not-fit"
    assert concern.subject == "the new datastores"
    assert concern.sentence == (
        "vm1, vm2, vm3, vm4, vm5 and 2 more would need another 280.0 GiB beyond the reserve; left there (GiB): "
        "gold7-01 60.0, gold7-02 60.0"
    )
    assert "stage rehosted" in concern.remedy


def test_what_is_not_there_yet_is_said_and_never_blocks() -> None:
    found = forecast(
        [Store("gold7-01"), Store("gold7-02", 100, 90)], [a_coming("a", 400), a_coming("b", 20, among=BOTH[1:])]
    )
    assert [one.vm for one in found.open] == ["a"]
    assert list(found.concerns()) == []
    assert "gold7-01  not known yet" in str(found)
    assert "1 VM brings 400.0 GiB" in str(found)
    assert [row.lands for row in found.rows] == [0, 20]


@given(
    st.lists(st.floats(0, 500), min_size=1, max_size=4),
    st.lists(st.tuples(st.floats(0, 200), st.sets(st.integers(0, 3), min_size=1)), max_size=12),
)
def test_nothing_lands_beyond_the_reserve_and_nobody_is_forgotten(
    free: list[float], vms: list[tuple[float, set[int]]]
) -> None:
    stores = [Store(f"s{number}", 500, one) for number, one in enumerate(free)]
    asked = [
        a_coming(f"vm{number}", size, among=tuple(f"s{one}" for one in at)) for number, (size, at) in enumerate(vms)
    ]
    found = forecast(stores, asked)
    assert all(row.left >= 0.05 * 500 - 1e-6 for row in found.rows if row.lands)
    landed, homeless = sum(row.lands for row in found.rows), sum(one.size for one in found.homeless)
    assert abs(landed + homeless - sum(one.size for one in asked)) < 1e-6


def test_what_a_vm_brings() -> None:
    disks = (
        VmDisk(2000, "Hard disk 1", File("vmfs:a", "app01/app01.vmdk"), 40, 12),
        VmDisk(2001, "Hard disk 2", File("vmfs:n1", "app01/data.vmdk"), 100, 80),
    )
    vm = a_vm(memory=8, disks=disks)
    one = coming(SPEC, see(vm))
    assert one == Coming("app01", 20, 48, BOTH, SPEC.reserve, 0), "what is there already brings nothing more"
    off = coming(SPEC, see(replace(vm, power=Power.OFF)))
    assert off is not None
    assert off.size == 12
    down = replace(settled(papers=replace(PAPERS, transit=True, power=Power.ON)), power=Power.OFF, memory=8)
    back = coming(SPEC, see(down))
    assert back is not None
    assert back.size == 20, "down for the move only"


def test_who_brings_nothing() -> None:
    vm = a_vm()
    assert coming(replace(SPEC, stage=Stage.REHOSTED), see(vm)) is None
    assert coming(replace(SPEC, new_volumes=()), see(vm)) is None
    assert coming(SPEC, see()) is None
    there = settled(vmx=File("vmfs:n1", "x"), disks=tuple(replace(one, file=File("vmfs:n1", "y")) for one in vm.disks))
    assert coming(SPEC, see(there)) is None


def test_a_disk_that_is_not_blank_or_not_everywhere() -> None:
    assert list(Disk("gold7", "naa.1", ("a", "b"), capacity=10).concerns()) == []
    used, unseen = Disk("gold7", "naa.1", ("a",), ("b",), holds="holds datastore old-x").concerns()
    assert (used.id, used.subject) == ("datastore.disk-not-blank", "gold7")
    assert used.sentence == "its disk naa.1 holds datastore old-x"
    assert (unseen.id, unseen.sentence) == ("datastore.disk-not-seen", "its disk naa.1 is not seen by b")

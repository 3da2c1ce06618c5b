"""The cost model of moves between vCenters, and hosts chosen by memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migration.actions import Cross
from migration.load import Cost, Load
from migration.model import Needs, Power, Vm
from migration.observation import Cluster, Host, Observation
from migration.schedule import Admitted, Later, Nowhere, admit
from tests.fake_sites import a_vm
from tests.unit.test_schedule import REGISTER, SEEN, with_hosts

STAY = Cross("target", "app01", "tokyo7", "prod7", "apps", "", (), "", {4000: "pg-prod"}, {}, (), 0, live=True)
ALONG = replace(STAY, candidates=("vmfs:n1", "vmfs:n2"), size=12)
BIG = replace(REGISTER, needs=Needs(memory=16))
HERE, THERE = "source/esx60-1", "target/esx70-1"


def with_target(*hosts: Host, clusters: tuple[Cluster, ...] = ()) -> Observation:
    view = SEEN.sites["target"]
    return replace(SEEN, sites={**SEEN.sites, "target": replace(view, hosts=hosts, clusters=clusters)})


def a_host(name: str, **changes: object) -> Host:
    return replace(SEEN.sites["target"].hosts[0], name=name, **changes)  # type: ignore[arg-type]


def admitted(action: Cross, vm: Vm, seen: Observation = SEEN, load: Load | None = None) -> Admitted:
    answer = admit("app01", action, vm, seen, load or Load())
    assert isinstance(answer, Admitted)
    return answer


@pytest.mark.parametrize(
    ("action", "hosts", "volumes", "links"),
    [
        (STAY, {HERE: 1, THERE: 1}, {"vmfs:a": 1}, {HERE: 1, THERE: 1}),
        (ALONG, {HERE: 4, THERE: 4}, {"vmfs:a": 16, "vmfs:n1": 16}, {HERE: 1, THERE: 1}),
        (replace(STAY, live=False), {HERE: 1, THERE: 1}, {"vmfs:a": 1}, {}),
        (replace(ALONG, live=False), {HERE: 1, THERE: 1}, {"vmfs:a": 16, "vmfs:n1": 16}, {}),
        (
            replace(STAY, to={"home": "vmfs:a", "2000": "vmfs:b"}),
            {HERE: 4, THERE: 4},
            {"vmfs:a": 16, "vmfs:b": 16},
            {HERE: 1, THERE: 1},
        ),
    ],
    ids=["compute only", "with files", "cold compute only", "cold with files", "files to named volumes"],
)
def test_what_a_crossing_costs(
    action: Cross, hosts: dict[str, int], volumes: dict[str, int], links: dict[str, int]
) -> None:
    vm = a_vm(power=Power.ON if action.live else Power.OFF)
    cost = admitted(action, vm).cost
    assert (cost.hosts, cost.volumes, cost.links) == (hosts, volumes, links)


@pytest.mark.parametrize(("links", "most"), [(4, 4), (8, 8)])
def test_a_hosts_network_bears_so_many_vmotions(links: int, most: int) -> None:
    hosts = [replace(host, links=links) for host in SEEN.sites["source"].hosts]
    source = replace(SEEN.sites["source"], hosts=tuple(hosts))
    seen = with_hosts(*(f"esx70-{number}" for number in range(9)))
    seen = replace(seen, sites={**seen.sites, "source": source})
    load = Load()
    for _ in range(most):
        load = load.add(admitted(STAY, a_vm(), seen, load).cost)
    assert admit("app01", STAY, a_vm(), seen, load) == Later()
    assert isinstance(admit("app01", STAY, a_vm(host="esx60-2"), seen, load), Admitted)


def test_the_network_of_the_host_where_it_goes_counts_too() -> None:
    seen = with_target(a_host("only", links=4))
    load = Load((Cost(links={"target/only": 4}),))
    assert admit("app01", STAY, a_vm(), seen, load) == Later()
    assert isinstance(admit("app01", replace(STAY, live=False), a_vm(power=Power.OFF), seen, load), Admitted)


def test_crossings_spread_over_the_hosts_and_datastores() -> None:
    load = Load()
    placed = []
    for number in range(3):
        answer = admitted(replace(ALONG, size=150), a_vm(f"app{number}", host=f"esx60-{number}"), SEEN, load)
        load = load.add(answer.cost)
        placed.append((answer.placed.host, answer.placed.volume))
    assert placed == [("esx70-1", "vmfs:n1"), ("esx70-2", "vmfs:n2"), ("esx70-3", "vmfs:n1")]


def test_a_host_that_bears_no_more_is_left_out() -> None:
    busy = Load((Cost(hosts={"target/esx70-1": 8}),))
    assert admitted(STAY, a_vm(), SEEN, busy).placed.host == "esx70-2"


def test_a_running_vm_needs_vmotion_and_its_cpu_features_there() -> None:
    hosts = (a_host("none", vmotion=False), a_host("old", evc=frozenset({"intel-nehalem"})))
    needs = a_vm(evc="intel-haswell")
    assert isinstance(admit("app01", STAY, needs, with_target(*hosts), Load()), Nowhere)
    able = with_target(*hosts, a_host("zz", evc=frozenset({"intel-haswell"})))
    assert admitted(STAY, needs, able).placed.host == "zz"


def test_the_named_host_or_none() -> None:
    named = replace(STAY, host="esx70-3", only=True)
    assert admitted(named, a_vm()).placed.host == "esx70-3"
    full = Load((Cost(hosts={"target/esx70-3": 8}),))
    assert admit("app01", named, a_vm(), SEEN, full) == Later()
    assert isinstance(admit("app01", replace(named, host="esx70-9"), a_vm(), SEEN, Load()), Nowhere)


def test_files_that_fit_nowhere_and_files_that_may_fit_later() -> None:
    huge = replace(ALONG, size=870)
    nowhere = admit("app01", huge, a_vm(), SEEN, Load())
    assert isinstance(nowhere, Nowhere)
    assert nowhere.concern.id == "datastore.too-small"
    running = Load((Cost(reserved={"vmfs:n1": 100}),))
    assert admit("app01", replace(ALONG, size=840), a_vm(), SEEN, running) == Later()


class TestMemory:
    def test_enough_memory_comes_before_few_vms(self) -> None:
        seen = with_target(a_host("few", vms=1, free_memory=8), a_host("many", vms=9, free_memory=64))
        assert admitted(STAY, a_vm(memory=16), seen).placed.host == "many"
        assert admitted(STAY, a_vm(memory=4), seen).placed.host == "few"

    def test_what_ha_keeps_is_not_free(self) -> None:
        hosts = (a_host("few", vms=1, free_memory=40, memory=100), a_host("many", vms=9, free_memory=64, memory=100))
        half = Cluster("prod7", ha=True, memory_reserve=0.33)
        assert admitted(STAY, a_vm(memory=16), with_target(*hosts, clusters=(half,))).placed.host == "many"

    def test_two_that_are_placed_at_once_do_not_count_on_the_same_memory(self) -> None:
        seen = with_target(a_host("few", vms=1, free_memory=20), a_host("many", vms=9, free_memory=64))
        first = admit("a", BIG, None, seen, Load())
        assert isinstance(first, Admitted)
        assert first.placed.host == "few"
        second = admit("b", BIG, None, seen, Load((first.cost,)))
        assert isinstance(second, Admitted)
        assert second.placed.host == "many"

    def test_a_guest_that_is_down_is_registered_even_where_memory_is_short(self) -> None:
        seen = with_target(a_host("one", free_memory=1), a_host("two", free_memory=2))
        answer = admit("a", BIG, None, seen, Load())
        assert isinstance(answer, Admitted)
        assert answer.placed.host == "two"


class TestProcessors:
    SEEN = with_target(
        a_host("few", vms=1, threads=8, mhz=8_000.0, free_mhz=8_000.0, hardware=11),
        a_host("many", vms=9, threads=64, mhz=90_000.0, free_mhz=30_000.0, hardware=19),
    )

    @pytest.mark.parametrize(
        ("needs", "host"),
        [
            (Needs(cpus=8, mhz=8_000, hardware=11), "few"),
            (Needs(cpus=9), "many"),
            (Needs(mhz=8_001), "many"),
            (Needs(hardware=12), "many"),
            (Needs(cpus=65), "few"),  # better registered where it cannot run than nowhere
        ],
    )
    def test_a_registration_goes_where_the_vm_can_run(self, needs: Needs, host: str) -> None:
        answer = admit("a", replace(REGISTER, needs=needs), None, self.SEEN, Load())
        assert isinstance(answer, Admitted)
        assert answer.placed.host == host

    @pytest.mark.parametrize(
        ("vm", "host"),
        [
            (a_vm(cpus=8, cpu_reservation=8_000), "few"),
            (a_vm(cpus=9), "many"),
            (a_vm(cpu_reservation=8_001), "many"),
            (a_vm(hardware=12), "many"),
        ],
    )
    def test_so_does_a_crossing(self, vm: Vm, host: str) -> None:
        assert admitted(STAY, vm, self.SEEN).placed.host == host

    def test_a_crossing_that_every_host_would_refuse(self) -> None:
        for vm in (a_vm(cpus=65), a_vm(cpus=65, power=Power.OFF), a_vm(cpu_reservation=90_001), a_vm(hardware=20)):
            answer = admit("a", replace(STAY, live=vm.power is Power.ON), vm, self.SEEN, Load())
            assert isinstance(answer, Nowhere)
            assert answer.concern.id == "host.none-able"
        cold = a_vm(cpu_reservation=90_001, power=Power.OFF)
        assert admitted(replace(STAY, live=False), cold, self.SEEN).placed.host == "few"

    def test_what_is_reserved_on_the_way_or_kept_by_ha_is_not_free(self) -> None:
        seen = with_target(
            a_host("few", vms=1, mhz=9_000.0, free_mhz=9_000.0), a_host("many", vms=9, mhz=90_000.0, free_mhz=30_000.0)
        )
        action = replace(REGISTER, needs=Needs(mhz=5_000), host="few")
        first = admit("a", action, None, seen, Load())
        assert isinstance(first, Admitted)
        second = admit("b", action, None, seen, Load((first.cost,)))
        assert isinstance(second, Admitted)
        assert (first.placed.host, second.placed.host) == ("few", "many")
        view = seen.sites["target"]
        half = with_target(*view.hosts, clusters=(Cluster("prod7", ha=True, cpu_reserve=0.2),))
        kept = admit("a", replace(action, needs=Needs(mhz=8_000)), None, half, Load())
        assert isinstance(kept, Admitted)
        assert kept.placed.host == "many"

    def test_a_live_crossing_takes_its_reservation_along(self) -> None:
        assert admitted(STAY, a_vm(cpu_reservation=500), self.SEEN).cost.mhz == {"target/few": 500}
        off = a_vm(cpu_reservation=500, power=Power.OFF)
        assert admitted(replace(STAY, live=False), off, self.SEEN).cost.mhz == {}


def test_a_running_vm_goes_only_to_a_host_that_can_take_it_live() -> None:
    seen = with_target(
        a_host("esx70-1", vmotion=False, evc=frozenset({"intel-haswell"})),
        a_host("esx70-2", vmotion=True, evc=frozenset({"intel-ivybridge"})),
        a_host("esx70-3", vmotion=True, evc=frozenset({"intel-haswell"}), vms=9),
    )
    vm = a_vm(evc="intel-haswell")
    assert admitted(STAY, vm, seen).placed.host == "esx70-3"
    assert admitted(replace(STAY, live=False), replace(vm, power=Power.OFF), seen).placed.host == "esx70-1"

"""The cost model: never above a limit, and a place that fits."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from migration.actions import Action, PowerOn, Register, Relocate, ShutDown
from migration.decide import departing
from migration.load import HOST_LIMIT, VOLUME_LIMIT, Cost, Load
from migration.model import Disk, File, Papers, Power, Vm
from migration.observation import Host, Observation, SiteView, Volume
from migration.schedule import Admitted, Later, Nowhere, admit
from tests.fake_sites import NEW, FakeSites, a_vm
from tests.unit.test_decide import SPEC, settled

SEEN = Observation((), FakeSites().views())
COPY = Relocate({}, ("vmfs:n1", "vmfs:n2"), 12)
REGISTER = Register(
    "target",
    File("vmfs:a", "a.vmx"),
    "app01",
    "tokyo7",
    "prod7",
    "apps",
    "",
    "",
    frozenset({"vmfs:a"}),
    frozenset({"pg-prod"}),
)


def with_hosts(*names: str) -> Observation:
    view = SEEN.sites["target"]
    hosts = tuple(replace(view.hosts[0], name=name) for name in names)
    return replace(SEEN, sites={**SEEN.sites, "target": replace(view, hosts=hosts)})


def fill(count: int, action: Action, vm: Vm | None = None) -> tuple[Load, list[Admitted]]:
    load = Load()
    admitted: list[Admitted] = []
    for _ in range(count):
        answer = admit("app01", action, vm, SEEN, load)
        if not isinstance(answer, Admitted):
            break
        load = load.add(answer.cost)
        admitted.append(answer)
    return load, admitted


def test_two_storage_vmotions_fill_a_host() -> None:
    load, admitted = fill(9, COPY, settled())
    assert len(admitted) == 2
    assert admit("app01", COPY, settled(), SEEN, load) == Later()
    assert isinstance(admit("app01", COPY, settled(host="esx70-2"), SEEN, load), Admitted)


def test_eight_storage_vmotions_fill_a_datastore() -> None:
    one = replace(COPY, candidates=("vmfs:n1",))
    seen = with_hosts(*(f"h{number}" for number in range(10)))
    load = Load()
    for number in range(8):
        answer = admit("app01", one, settled(host=f"h{number}"), seen, load)
        assert isinstance(answer, Admitted)
        load = load.add(answer.cost)
    assert admit("app01", one, settled(host="h9"), seen, load) == Later()
    ended = load.remove(load.costs[0])
    assert isinstance(admit("app01", one, settled(host="h9"), seen, ended), Admitted)


def test_a_guest_that_is_down_never_waits_behind_somebodys_copy() -> None:
    load, _ = fill(2, COPY, settled())
    busy = load.add(Cost(hosts={f"target/esx70-{n}": HOST_LIMIT for n in (1, 2, 3)}))
    assert isinstance(admit("app01", REGISTER, None, SEEN, busy), Admitted)
    assert isinstance(admit("app01", PowerOn(), settled(), SEEN, busy), Admitted)


def test_a_datastore_must_be_mounted_on_the_vms_own_host() -> None:
    view = SEEN.sites["target"]
    hosts = tuple(replace(host, volumes=host.volumes - {"vmfs:n1"}) for host in view.hosts)
    seen = replace(SEEN, sites={**SEEN.sites, "target": replace(view, hosts=hosts)})
    answer = admit("app01", COPY, settled(), seen, Load())
    assert isinstance(answer, Admitted)
    assert answer.placed.volume == "vmfs:n2"
    nowhere = admit("app01", replace(COPY, candidates=("vmfs:n1",)), settled(), seen, Load())
    assert isinstance(nowhere, Nowhere)
    assert nowhere.concern.id == "datastore.not-on-host"


def test_the_swap_file_of_a_running_vm_needs_room_too() -> None:
    tight = replace(COPY, size=845)  # 850 GiB beyond the reserve
    assert isinstance(admit("app01", tight, settled(), SEEN, Load()), Admitted)
    assert isinstance(admit("app01", tight, settled(memory=16), SEEN, Load()), Nowhere)


def test_copies_spread_over_the_datastores_by_what_will_be_left() -> None:
    first = admit("app01", replace(COPY, size=300), settled(), SEEN, Load())
    assert isinstance(first, Admitted)
    assert first.placed.volume == "vmfs:n1"  # 900 GiB free against 800
    second = admit("app02", COPY, settled(host="esx70-2"), SEEN, Load().add(first.cost))
    assert isinstance(second, Admitted)
    assert second.placed.volume == "vmfs:n2"  # 600 GiB left against 800


def test_what_fits_nowhere_says_so_and_what_may_fit_later_waits() -> None:
    huge = replace(COPY, size=870)  # 900 free, but 50 stay in reserve
    nowhere = admit("app01", huge, settled(), SEEN, Load())
    assert isinstance(nowhere, Nowhere)
    assert nowhere.concern.id == "datastore.too-small"
    assert "870" in nowhere.concern.sentence
    running = Load().add(Cost(reserved={"vmfs:n1": 100}))
    assert admit("app01", replace(COPY, size=840), settled(), SEEN, running) == Later()


def test_registrations_spread_over_the_hosts() -> None:
    _, admitted = fill(6, REGISTER)
    assert sorted(answer.placed.host for answer in admitted) == [
        "esx70-1",
        "esx70-1",
        "esx70-2",
        "esx70-2",
        "esx70-3",
        "esx70-3",
    ]


def test_the_host_it_came_from_is_preferred_while_it_is_usable() -> None:
    back = replace(REGISTER, site="source", cluster="prod6", host="esx60-2", networks=frozenset({"DMZ"}))
    answer = admit("app01", back, None, SEEN, Load())
    assert isinstance(answer, Admitted)
    assert answer.placed.host == "esx60-2"
    view = SEEN.sites["source"]
    dead = replace(view, hosts=tuple(replace(host, usable=host.name != "esx60-2") for host in view.hosts))
    answer = admit("app01", back, None, replace(SEEN, sites={**SEEN.sites, "source": dead}), Load())
    assert isinstance(answer, Admitted)
    assert answer.placed.host == "esx60-1"


def test_no_host_sees_it() -> None:
    answer = admit("app01", replace(REGISTER, networks=frozenset({"pg-missing"})), None, SEEN, Load())
    assert isinstance(answer, Nowhere)
    assert answer.concern.id == "host.none-able"
    assert "pg-missing" in answer.concern.sentence


@settings(deadline=None)  # the machine may be busy: it is not about time
@given(st.data())
def test_never_above_a_limit(data: st.DataObject) -> None:
    hosts = tuple(
        Host(f"h{n}", "c", networks=frozenset({"n"}), volumes=frozenset({"vmfs:a", "vmfs:n1", "vmfs:n2"}))
        for n in range(3)
    )
    seen = Observation((), {"target": SiteView("target", "vc", hosts, (Volume("vmfs:a", "a", 500, 1000), *NEW))})
    load = Load()
    running: list[Cost] = []
    for _ in range(data.draw(st.integers(1, 60))):
        ending: bool = data.draw(st.booleans())
        if running and ending:
            cost = running.pop(data.draw(st.integers(0, len(running) - 1)))
            load = load.remove(cost)
            continue
        vm = settled(
            host=data.draw(st.sampled_from(["h0", "h1", "h2"])),
            power=data.draw(st.sampled_from([Power.ON, Power.OFF])),
        )
        register = replace(REGISTER, cluster="c", networks=frozenset({"n"}))
        actions: list[Action] = [COPY, ShutDown(10), register]
        action = data.draw(st.sampled_from(actions))
        answer = admit("vm", action, vm, seen, load)
        if isinstance(answer, Admitted):
            load = load.add(answer.cost)
            running.append(answer.cost)
        else:
            assert running, "work-conserving: with nothing running, something may start"
        for key in ("h0", "h1", "h2"):
            assert load.host(f"target/{key}") <= HOST_LIMIT
        for key in ("vmfs:a", "vmfs:n1", "vmfs:n2"):
            assert load.volume(key) <= VOLUME_LIMIT


def test_papers_are_plain_text_and_survive_any_name() -> None:
    vm = a_vm(folder='a"b\n../c/%2f', attributes={"ключ": "日本語 😀"})
    papers = departing(SPEC, vm)
    text = papers.dumps()
    assert text.isascii()
    assert "\n" not in text
    assert type(papers).loads(text) == papers


@given(st.text() | st.sampled_from(["{}", "[]", "null", '{"power": "poweredOn"}', '{"power":"x"}']))
def test_papers_that_are_none_are_none(text: str) -> None:
    assert Papers.loads(text) is None


def test_copies_back_do_not_fill_the_datastore_that_they_came_from() -> None:
    """Each alone would fit; together they would not, and the guests that still run there would stop."""
    back = Relocate({"home": "vmfs:a", "2000": "vmfs:a"}, (), 12)
    view = SEEN.sites["target"]
    volumes = tuple(replace(volume, free=30.0) if volume.id == "vmfs:a" else volume for volume in view.volumes)
    seen = replace(SEEN, sites={**SEEN.sites, "target": replace(view, volumes=volumes)})
    vm = settled(
        vmx=File("vmfs:n1", "a.vmx"), disks=(Disk(2000, "Hard disk 1", File("vmfs:n1", "a.vmdk"), 40, 12),), memory=4.0
    )
    load = Load()
    first = admit("app01", back, vm, seen, load)
    assert isinstance(first, Admitted)
    assert first.cost.reserved == {"vmfs:a": 16.0}
    assert admit("app02", back, vm, seen, load.add(first.cost)) == Later()
    tight = replace(volumes[0], free=10.0)
    full = replace(SEEN, sites={**SEEN.sites, "target": replace(view, volumes=(tight, *volumes[1:]))})
    nowhere = admit("app01", back, vm, full, load)
    assert isinstance(nowhere, Nowhere)
    assert nowhere.concern.id == "rollback.no-room"
    assert "16.0 GiB on old-a" in nowhere.concern.sentence

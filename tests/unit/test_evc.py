"""Which EVC mode, and why; what stands against one; and who may go live."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migration.errors import Blocked
from migration.evc import Evc, Guest, Server, Traveller, against, choose, traveller
from migration.evc_modes import Mode, covered
from migration.model import Power, Severity, Vm
from migration.observation import Host, Observation, SiteView
from migration.wanted import Method, Stage
from tests.fake_sites import a_vm
from tests.unit.test_decide import PAPERS, SPEC, settled

INTEL = ("intel-merom", "intel-penryn", "intel-ivybridge", "intel-haswell", "intel-cascadelake")
MODES = (
    *(Mode(key, "intel", tier, frozenset(INTEL[: tier + 1])) for tier, key in enumerate(INTEL)),
    Mode("amd-rev-e", "amd", 0, frozenset({"amd-rev-e"})),
    Mode("amd-zen", "amd", 1, frozenset({"amd-rev-e", "amd-zen"})),
)


def evc(*ceilings: str, current: str = "", **more: Any) -> Evc:
    hosts = tuple(Server(f"esx70-{number}", ceiling) for number, ceiling in enumerate(ceilings, 1))
    return Evc("prod7", current, hosts, MODES, **more)


def going(*ceilings: str, needs: str = "", name: str = "app01", cluster: str = "prod6") -> Traveller:
    """Return a VM of an old cluster with these hosts."""
    offers = [covered(ceiling, MODES) for ceiling in ceilings]
    return Traveller(name, cluster, frozenset.intersection(*offers), needs)


@pytest.mark.parametrize(
    ("ceilings", "mode"),
    [
        (["intel-ivybridge"], "intel-ivybridge"),
        (["intel-cascadelake", "intel-ivybridge", "intel-haswell"], "intel-ivybridge"),
        (["amd-zen", "amd-zen"], "amd-zen"),
    ],
)
def test_where_nobody_goes_live_it_is_the_highest_that_all_hosts_have(ceilings: list[str], mode: str) -> None:
    choice = choose(evc(*ceilings), "auto")
    assert choice.key == mode
    assert "no VM may go live" in choice.because
    assert "its only host" in choice.because or f"all {len(ceilings)} new hosts" in choice.because


@pytest.mark.parametrize(
    "ceilings", [["intel-merom", "amd-zen"], ["intel-haswell", "intel-unheard-of"], ["intel-haswell", ""], []]
)
def test_where_the_hosts_have_nothing_in_common_it_names_them(ceilings: list[str]) -> None:
    with pytest.raises(Blocked, match=r"no EVC mode in common \(.+\)") as error:
        choose(evc(*ceilings), "auto")
    assert [concern.id for concern in error.value.concerns] == ["evc.no-common-mode"]
    if ceilings:
        assert f"esx70-2: {ceilings[1] or 'not reported'}" in str(error.value)


def test_where_vms_go_live_it_is_the_highest_that_both_sites_share() -> None:
    new = evc("intel-cascadelake", "intel-cascadelake", "intel-cascadelake")
    choice = choose(new, "auto", [going("intel-haswell", "intel-haswell"), going("intel-haswell", name="app02")])
    assert str(choice) == (
        "intel-haswell: the highest that the 3 new hosts and the old cluster prod6 share, because 2 VMs may go live there and "
        "back; the new hosts alone would have intel-cascadelake"
    )
    two = [going("intel-haswell"), going("intel-ivybridge", name="db01", cluster="db6")]
    assert choose(new, "auto", two).key == "intel-ivybridge"
    assert "the old clusters db6 and prod6" in choose(new, "auto", two).because


def test_old_hosts_that_can_more_than_the_new_ones_lower_nothing() -> None:
    choice = choose(evc("intel-ivybridge"), "auto", [going("intel-haswell")])
    assert str(choice) == (
        "intel-ivybridge: the highest that its only host has, and the old cluster prod6 too: 1 VM may go live there and back"
    )


def test_it_is_no_lower_than_what_runs_and_goes_live_needs() -> None:
    """An old cluster of two generations, without EVC: what runs on the newer host would lose its way, not only the way back."""
    mixed = ("intel-ivybridge", "intel-haswell")
    vms = [going(*mixed, needs="intel-ivybridge"), going(*mixed, needs="intel-haswell", name="db01")]
    choice = choose(evc("intel-cascadelake"), "auto", vms)
    assert choice.key == "intel-haswell"
    assert "db01" in choice.because
    assert "intel-ivybridge is what all of them share" in choice.because
    beyond = [going(*mixed, needs="intel-haswell")]
    assert choose(evc("intel-ivybridge"), "auto", beyond).key == "intel-ivybridge", (
        "nothing helps a VM that no new host can run"
    )


def test_another_vendor_leaves_nobody_to_go_live() -> None:
    choice = choose(evc("amd-zen"), "auto", [going("intel-haswell", needs="intel-haswell")])
    assert choice.key == "amd-zen"
    assert "no VM goes live" in choice.because


def test_a_host_that_says_nothing_is_no_reason_to_change_what_is_in_force() -> None:
    choice = choose(evc("intel-cascadelake", "", current="intel-haswell"), "auto")
    assert (choice.key, "esx70-2 does not say" in choice.because) == ("intel-haswell", True)


def test_a_key_is_taken_at_its_word_where_the_vcenter_knows_it() -> None:
    assert choose(evc("intel-haswell"), "intel-penryn", [going("intel-merom")]).key == "intel-penryn"
    with pytest.raises(Blocked, match=r"knows no EVC mode 'intel-pentium' \[evc\.unknown-mode\]") as error:
        choose(evc("intel-haswell"), "intel-pentium")
    assert "intel-merom, intel-penryn" in error.value.concerns[0].remedy


KEYS = st.sampled_from([mode.key for mode in MODES])


@given(
    st.lists(KEYS, min_size=1, max_size=4),
    st.lists(st.tuples(st.lists(KEYS, min_size=1, max_size=3), KEYS), max_size=3),
)
def test_auto_is_never_more_than_a_new_host_has(new: list[str], old: list[tuple[list[str], str]]) -> None:
    state = evc(*new)
    try:
        choice = choose(state, "auto", [going(*hosts, needs=needs) for hosts, needs in old])
    except Blocked:
        assert not frozenset.intersection(*(covered(one, MODES) for one in new))
        return
    assert all(choice.key in covered(one, MODES) for one in new)
    assert not any(concern.id in ("evc.host-cannot", "evc.other-vendor") for concern in against(state, choice.key))


def found(state: Evc, key: str) -> list[str]:
    return [concern.id for concern in against(state, key)]


def test_nothing_stands_against_what_is_in_force_or_a_raise() -> None:
    guests = (Guest("app01", "esx70-1", "intel-haswell"),)
    state = evc("intel-cascadelake", current="intel-haswell", guests=guests)
    assert found(state, "intel-haswell") == found(state, "intel-cascadelake") == []
    assert found(replace(state, hosts=(Server("esx70-1", "", connected=False),)), "intel-haswell") == []


def test_each_host_that_stands_against_it_is_named() -> None:
    hosts = (Server("a", "intel-haswell"), Server("b", "amd-zen"), Server("c", "intel-cascadelake", connected=False))
    concerns = against(Evc("prod7", "", hosts, MODES), "intel-cascadelake")
    assert [(concern.id, concern.subject) for concern in concerns] == [
        ("evc.host-disconnected", "prod7"),
        ("evc.other-vendor", "prod7"),
        ("evc.host-cannot", "prod7"),
    ]
    assert "c is not connected" in concerns[0].sentence
    assert "b has others" in concerns[1].sentence
    assert "a (at most intel-haswell)" in concerns[2].sentence
    assert found(evc("intel-haswell"), "intel-pentium") == ["evc.unknown-mode"]


def test_lowering_names_who_runs_above_and_keeps_the_others_out_of_it() -> None:
    guests = (
        Guest("app01", "esx70-1", "intel-cascadelake"),
        Guest("app02", "esx70-1", "intel-haswell"),
        Guest("db01", "esx70-1", "intel-cascadelake", suspended=True),
        Guest("old01", "esx70-1", ""),
    )
    (concern,) = against(evc("intel-cascadelake", current="intel-cascadelake", guests=guests), "intel-haswell")
    assert concern.id == "evc.vms-above"
    assert "app01 (intel-cascadelake), db01 (intel-cascadelake, suspended) run with" in concern.sentence
    assert "app02" not in concern.sentence
    assert "set esxodus:target.cluster.evc to intel-cascadelake" in concern.remedy
    many = tuple(Guest(f"vm{number}", "esx70-1", "intel-cascadelake") for number in range(9))
    assert "and 4 more run with" in against(evc("intel-cascadelake", guests=many), "intel-haswell")[0].sentence


def test_where_vcenter_does_not_say_what_runs_the_preview_warns_and_leaves_the_word_to_vcenter() -> None:
    guests = (
        Guest("vCLS (1)", "esx70-1", "intel-cascadelake", sure=False),
        Guest("app01", "esx70-1", "intel-cascadelake"),
    )
    perhaps, sure = against(evc("intel-cascadelake", guests=guests), "intel-haswell")
    assert (perhaps.id, perhaps.severity) == ("evc.vms-may-be-above", Severity.WARNS)
    assert "may be less than vCLS (1) (intel-cascadelake) runs with" in perhaps.sentence
    assert sure.id == "evc.vms-above"
    assert against(evc("intel-cascadelake", guests=guests[:1]), "intel-cascadelake") == ()


def sites(source: str = "6.7.0", target: str = "7.0.3", hosts: Iterable[Host] = ()) -> dict[str, SiteView]:
    old = tuple(hosts) or (Host("esx67-1", "prod6", version="6.7.0", evc=covered("intel-haswell", MODES)),)
    return {
        "source": SiteView("source", "vc67", hosts=old, version=source),
        "target": SiteView("target", "vc70", version=target),
    }


def see(vm: Vm, views: dict[str, SiteView]) -> Observation:
    return Observation((vm,), views)


AUTO = replace(SPEC, method=Method.AUTO)
RUNS = a_vm(cluster="prod6", evc="intel-ivybridge")


def test_a_vm_may_go_live_with_what_it_needs_and_what_its_cluster_offers() -> None:
    one = traveller(AUTO, see(RUNS, sites()))
    assert one == Traveller("app01", "prod6", covered("intel-haswell", MODES), "intel-ivybridge")
    off = traveller(AUTO, see(replace(RUNS, power=Power.OFF), sites()))
    assert off is not None
    assert off.needs == "", "what is off needs nothing; it may come back running"
    home = settled(papers=replace(PAPERS, cluster="prod6", transit=False), evc="intel-cascadelake")
    back = traveller(replace(AUTO, stage=Stage.MIGRATED), see(home, sites()))
    assert back == Traveller("app01", "prod6", covered("intel-haswell", MODES), "")


def test_who_never_goes_live_sets_no_limit() -> None:
    assert traveller(replace(AUTO, method=Method.REATTACH), see(RUNS, sites())) is None
    assert traveller(AUTO, see(RUNS, sites(source="6.0.0"))) is None
    assert traveller(AUTO, see(replace(RUNS, template=True), sites())) is None
    assert (
        traveller(AUTO, see(RUNS, sites(hosts=[Host("esx60-1", "prod6", version="6.0.0", evc=frozenset({"x"}))])))
        is None
    )
    assert traveller(AUTO, see(RUNS, sites(hosts=[Host("esx67-1", "prod6", version="6.7.0")]))) is None, (
        "it reports nothing"
    )

"""Live or reattached: the choice, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from migration.actions import Act, Cross, ShutDown, WritePapers
from migration.decide import decide, departing
from migration.declared import as_declared
from migration.method import choose
from migration.model import Disk, File, Power, Vm
from migration.observation import Observation, SiteView
from migration.plan import plan
from migration.wanted import Method, Stage, VmSpec
from tests.fake_sites import FakeSites, a_vm
from tests.unit.test_decide import SPEC, settled

NEW = FakeSites(versions=("6.7.0", "7.0.3")).views()
OLD = FakeSites().views()
LIVE = replace(SPEC, method=Method.XVM)
BACK = replace(SPEC, stage=Stage.SOURCE)


def see(vm: Vm, views: Mapping[str, SiteView] = NEW) -> Observation:
    return Observation((vm,), views)


def ids(spec: VmSpec, seen: Observation) -> list[str]:
    assert seen.vm
    return [concern.id for concern in choose(spec, seen, seen.vm).refusals]


def test_auto_goes_live_where_every_rule_holds() -> None:
    chosen = choose(SPEC, see(a_vm()), a_vm())
    assert chosen.method is Method.XVM
    assert chosen.reasons == ("every rule for moving between vCenters in one step holds",)


def test_before_the_new_hosts_have_joined_that_is_said() -> None:
    target = NEW["target"]
    views = {**NEW, "target": replace(target, hosts=tuple(replace(host, version="") for host in target.hosts))}
    (reason,) = choose(SPEC, see(a_vm(), views), a_vm()).reasons
    assert reason.endswith(", as far as can be known before the new hosts have joined")


def test_no_build_of_6_0_takes_part_and_that_is_said() -> None:
    chosen = choose(SPEC, see(a_vm(), OLD), a_vm())
    assert chosen.method is Method.REATTACH
    assert chosen.reasons == (
        "no build of vCenter 6.0 supports it, 6.5 is the oldest that does: vc60 is 6.0.0 [live.version]",
    )


def test_a_version_that_is_not_known_is_no_reason_to_hope() -> None:
    views = {**NEW, "target": replace(NEW["target"], version="")}
    chosen = choose(SPEC, see(a_vm(), views), a_vm())
    assert chosen.reasons == ("the version of vc70 is not known [live.version]",)


def test_reattach_asks_nothing() -> None:
    assert choose(replace(SPEC, method=Method.REATTACH), see(a_vm()), a_vm()).refusals == ()


def test_xvm_that_is_refused_blocks_by_its_reason() -> None:
    seen = see(a_vm(), OLD)
    assert [concern.id for concern in plan(LIVE, seen).stop] == ["live.version"]
    assert plan(SPEC, seen).stop == ()


@pytest.mark.parametrize("power", [Power.ON, Power.OFF])
def test_only_a_running_vm_needs_the_cpu_and_vmotion(power: Power) -> None:
    target = NEW["target"]
    hosts = tuple(replace(host, evc=frozenset({"intel-sandybridge"}), vmotion=False) for host in target.hosts)
    seen = see(a_vm(evc="intel-haswell", power=power), {**NEW, "target": replace(target, hosts=hosts)})
    assert ids(SPEC, seen) == (["live.cpu", "live.no-vmotion"] if power is Power.ON else [])


def test_the_steps_of_a_live_move() -> None:
    vm = a_vm()
    assert decide(SPEC, see(vm)) == Act(WritePapers(departing(SPEC, vm)))
    step = decide(SPEC, see(replace(vm, papers=departing(SPEC, vm))))
    assert isinstance(step, Act)
    cross = step.action
    assert isinstance(cross, Cross)
    assert (cross.site, cross.live, cross.candidates, cross.size) == ("target", True, ("vmfs:n1", "vmfs:n2"), 12)
    assert cross.nics == {4000: "pg-prod"}
    foreseen = plan(SPEC, see(vm))
    assert foreseen.method == "xvm"
    assert foreseen.steps == ("vMotion to vc70, with 12 GiB to gold7-01 or gold7-02",)


def test_rehosted_live_leaves_the_files_where_they_are() -> None:
    foreseen = plan(replace(SPEC, stage=Stage.REHOSTED), see(a_vm()))
    assert foreseen.steps == ("vMotion to vc70, its files stay",)


def test_and_needs_the_other_side_to_show_them() -> None:
    target = NEW["target"]
    views = {**NEW, "target": replace(target, volumes=tuple(one for one in target.volumes if one.id != "vmfs:a"))}
    assert ids(replace(SPEC, stage=Stage.REHOSTED), see(a_vm(), views)) == ["live.storage"]
    assert ids(SPEC, see(a_vm(), views)) == []


def test_the_way_back_from_the_new_array_is_one_step_too() -> None:
    disks = (Disk(2000, "Hard disk 1", File("vmfs:n1", "app01/app01.vmdk"), 40, 12),)
    vm = settled(vmx=File("vmfs:n1", "app01/app01.vmx"), disks=disks)
    foreseen = plan(BACK, see(vm))
    assert foreseen.method == "xvm"
    assert foreseen.steps == ("vMotion to vc60, with 12 GiB to old-a",)


def test_a_named_host_is_the_only_one_on_the_way_there_and_does_not_count_on_the_way_back() -> None:
    named = replace(SPEC, host="esx70-2")
    vm = a_vm(papers=departing(named, a_vm()))
    step = decide(named, see(vm))
    assert isinstance(step, Act)
    assert isinstance(step.action, Cross)
    assert (step.action.host, step.action.only) == ("esx70-2", True)
    back = replace(named, stage=Stage.SOURCE)
    home = settled(papers=departing(back, settled()))
    step = decide(back, see(home))
    assert isinstance(step, Act)
    assert isinstance(step.action, Cross)
    assert (step.action.host, step.action.only) == ("esx60-1", False)


@pytest.mark.parametrize("method", [Method.AUTO, Method.XVM])
def test_a_guest_that_is_down_on_its_way_is_not_copied_before_it_is_up(method: Method) -> None:
    """Either it is reattached, which is quick, or it comes up where it is and goes live."""
    spec, back = replace(SPEC, method=method), replace(BACK, method=method)
    arrived = replace(settled(power=Power.OFF), papers=replace(departing(SPEC, a_vm()), transit=True))
    reattached = ["unregister", "register", "connect", "power"]
    assert [step.split(" ")[0] for step in plan(back, see(arrived)).steps] == reattached
    leaving = a_vm(power=Power.OFF, papers=departing(SPEC, a_vm()))
    assert [step.split(" ")[0] for step in plan(spec, see(leaving)).steps] == [*reattached, "Storage"]
    target = NEW["target"]
    views = {**NEW, "target": replace(target, volumes=tuple(one for one in target.volumes if one.id != "vmfs:a"))}
    assert [step.split(" ")[0] for step in plan(spec, see(leaving, views)).steps] == ["power", "vMotion"]


def test_a_distributed_switch_leads_to_no_standard_one() -> None:
    views = {**NEW, "source": replace(NEW["source"], distributed={"VM Network": "6.5.0"})}
    assert ids(SPEC, see(a_vm(), views)) == ["live.switch"]
    for version, expected in (("6.5.0", []), ("6.0.0", ["live.switch"]), ("7.0.3", ["live.switch"])):
        other = {**views, "target": replace(NEW["target"], distributed={"pg-prod": version})}
        assert ids(SPEC, see(a_vm(), other)) == expected


@pytest.mark.parametrize(("version", "method"), [("6.6.0", "xvm"), ("", "reattach")])
def test_a_preview_counts_on_the_switch_that_is_declared(version: str, method: str) -> None:
    bare = replace(NEW["target"], networks=frozenset(), hosts=(), volumes=())
    views = {"source": replace(NEW["source"], distributed={"VM Network": "6.6.0"}), "target": bare}
    spec = replace(SPEC, declared_networks=("pg-prod", "pg-dmz"), declared_switch=version)
    assert plan(spec, as_declared(spec, see(a_vm(), views))).method == method


def test_without_live_it_is_shut_down() -> None:
    vm = a_vm()
    seen = see(replace(vm, papers=departing(SPEC, vm)), OLD)
    assert decide(SPEC, seen) == Act(ShutDown(30))

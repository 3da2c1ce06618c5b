"""The plan of the preview: every step once, in an operator's words, and an end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migration.declared import as_declared
from migration.model import Disk, File, Power
from migration.observation import Cluster, Observation, SiteView
from migration.plan import LONGEST, plan
from migration.wanted import Stage, Wave, Window
from tests.fake_sites import FakeSites, a_vm
from tests.unit.concern_worlds import world
from tests.unit.test_decide import BACK, PAPERS, SPEC, settled

SNAPSHOT = (Disk(2000, "Hard disk 1", File("vmfs:a", "app01/x-000001.vmdk"), 40, 5, below=frozenset({"vmfs:a"})),)


def test_each_step_once() -> None:
    _, seen = world(a_vm())
    assert str(plan(SPEC, seen)) == (
        "reattach source → migrated: shut down the guest (at most 30 s, else power off), unregister at vc60, "
        "register at vc70, connect to pg-prod, power on, Storage vMotion of 12 GiB to gold7-01 or gold7-02"
    )


@pytest.mark.parametrize("disks", [SNAPSHOT, ()])
def test_a_plan_ends(disks: tuple[Disk, ...]) -> None:
    _, forward = world(a_vm(disks=disks))
    there = settled(disks=tuple(replace(disk, below=frozenset({"vmfs:n1"})) for disk in disks))
    _, back = world(replace(there, vmx=File("vmfs:n1", "app01/app01.vmx")))
    for spec, seen in ((SPEC, forward), (BACK, back)):
        steps = plan(spec, seen).steps
        assert len(steps) < LONGEST / 2
        assert sum("Storage vMotion" in step for step in steps) == 1


NIGHT = Wave("night", window=Window(1000, 9000), patience=0)


def test_what_its_wave_would_hold_back_now_is_said() -> None:
    _, seen = world(a_vm())
    spec = replace(SPEC, wave=NIGHT)
    assert plan(spec, seen, 0).held.startswith("the window of wave night opens at ")
    assert plan(spec, seen, 9000).held.startswith("the window of wave night closed at ")
    assert plan(spec, seen, 1000).held == ""
    assert plan(replace(spec, wave=Wave("night", paused=True)), seen, 0).held.startswith("wave night is paused")
    assert plan(spec, seen).held == "", "nobody asked"
    assert plan(spec, seen, 0).steps == plan(SPEC, seen).steps, "the plan stays what it is"


def test_what_has_begun_is_not_held() -> None:
    _, down = world(a_vm(power=Power.OFF, papers=replace(PAPERS, transit=True)))
    assert plan(replace(SPEC, stage=Stage.REHOSTED, wave=NIGHT), down, 0).held == ""


def test_nothing_to_do_is_said_so() -> None:
    _, seen = world(settled())
    assert str(plan(replace(SPEC, stage=Stage.REHOSTED), seen)) == "rehosted: nothing to do"


def test_back_at_the_source_but_not_restored_it_can_turn_round_again() -> None:
    vm = a_vm(power=Power.OFF, papers=replace(PAPERS, leaving="target"))
    vm = replace(vm, nics=tuple(replace(nic, network="pg-prod") for nic in vm.nics))
    _, seen = world(vm)
    assert plan(SPEC, seen).stop == ()


def test_before_the_site_is_built_the_plan_counts_on_what_is_declared() -> None:
    spec = replace(SPEC, declared_networks=("pg-prod", "pg-dmz"))
    views = {**FakeSites().views(), "target": SiteView("target", "vc70")}
    seen = Observation((a_vm(),), views)
    assert [concern.id for concern in plan(spec, seen).stop] == ["host.none-able"]
    assert plan(spec, as_declared(spec, seen)).stop == ()


def test_of_the_declared_networks_those_on_a_standard_switch_are_not_distributed() -> None:
    spec = replace(SPEC, declared_networks=("pg-prod", "pg-new"), standard_networks=("pg-new",))
    seen = Observation((a_vm(),), {**FakeSites().views(), "target": SiteView("target", "vc70", version="7.0.3")})
    target = as_declared(spec, seen).sites["target"]
    assert target.distributed == {"pg-prod": "7.0.3"}
    assert target.networks == {"pg-prod", "pg-new"}


def test_a_host_for_which_an_adapter_is_declared_counts_for_vmotion() -> None:
    views = FakeSites().views()
    bare = tuple(replace(host, vmotion=False) for host in views["target"].hosts)
    seen = Observation((a_vm(),), {**views, "target": replace(views["target"], hosts=bare)})
    first = next(host.name for host in bare if host.cluster == SPEC.cluster)
    target = as_declared(replace(SPEC, vmotion_hosts=(first,)), seen).sites["target"]
    assert [host.name for host in target.hosts if host.vmotion] == [first]


def test_hosts_that_join_a_cluster_share_in_what_ha_keeps_free() -> None:
    views = FakeSites().views()
    one = replace(views["target"].hosts[0], networks=frozenset(), volumes=frozenset())
    kept = Cluster(SPEC.cluster, ha=True, memory_reserve=1.0, cpu_reserve=1.0, spare=1)
    alone = replace(views["target"], hosts=(one,), clusters=(kept,))
    seen = Observation((a_vm(),), {**views, "target": alone})
    spec = replace(SPEC, declared_networks=("pg-prod", "pg-dmz"), declared_hosts=(one.name, "esx79"))
    target = as_declared(spec, seen).sites["target"]
    assert [host.name for host in target.hosts] == [one.name, "esx79"]
    assert target.clusters == (replace(kept, memory_reserve=0.5, cpu_reserve=0.5),)
    assert plan(spec, as_declared(spec, seen)).stop == ()
    by_percent = replace(seen, sites={**views, "target": replace(alone, clusters=(replace(kept, spare=0),))})
    assert as_declared(spec, by_percent).sites["target"].clusters[0].memory_reserve == 1.0
    unchanged = as_declared(replace(spec, declared_hosts=(one.name,)), seen).sites["target"]
    assert unchanged.clusters == (kept,)


def test_a_dead_host_of_the_declared_cluster_does_not_stop_a_preview() -> None:
    views = FakeSites().views()
    dead = replace(views["target"], hosts=tuple(replace(host, usable=False) for host in views["target"].hosts))
    seen = Observation((a_vm(),), {**views, "target": dead})
    spec = replace(SPEC, declared_networks=("pg-prod", "pg-dmz"))
    assert plan(spec, as_declared(spec, seen)).stop == ()
    assert plan(spec, seen).stop != ()

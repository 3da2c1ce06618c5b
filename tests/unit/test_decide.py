"""The single next step, as sentences: given this world, do that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migration import expect
from migration.actions import (
    Act,
    Answer,
    Done,
    MakeTemplate,
    MakeVm,
    PowerOff,
    PowerOn,
    Reconnect,
    Register,
    Relocate,
    RestoreMetadata,
    RunHook,
    SetAttributes,
    ShutDown,
    Stop,
    Unregister,
    Wait,
    WritePapers,
)
from migration.decide import decide, departing, stage_of
from migration.metadata import Metadata, Rule, Tag
from migration.model import HOME, TEMPLATE_MARK, Disk, File, InFlight, Nic, Power, Question, Tools, Vm
from migration.observation import Observation, SoFar
from migration.wanted import Health, Hook, Identity, Stage, VmSpec
from tests.fake_sites import QUESTION, FakeSites, a_vm

SPEC = VmSpec(
    Identity("app01"),
    Stage.MIGRATED,
    datacenter="tokyo7",
    cluster="prod7",
    old_volumes=("old-a", "old-b"),
    new_volumes=("gold7-01", "gold7-02"),
    networks={"VM Network": "pg-prod", "DMZ": "pg-dmz"},
    shutdown_timeout=30,
    on_shutdown_timeout="powerOff",
)
BACK = replace(SPEC, stage=Stage.SOURCE)
PAPERS = departing(SPEC, a_vm())


def see(*vms: Vm, overdue: bool = False) -> Observation:
    return Observation(vms, FakeSites().views(), (), SoFar(overdue=overdue))


def arrived(**changes: object) -> Vm:
    """A VM that has been registered at the target and is not yet restored."""
    vm = a_vm(site="target", host="esx70-1", cluster="prod7", power=Power.OFF, papers=PAPERS, attributes={})
    return replace(vm, tools=Tools.NOT_RUNNING, **changes)  # type: ignore[arg-type]


def settled(**changes: object) -> Vm:
    """A VM that runs at the target from the old array."""
    nics = (Nic(4000, "Network adapter 1", "00:50:56:00:00:01", "pg-prod"),)
    papers = replace(PAPERS, transit=False)
    now = {"power": Power.ON, "tools": Tools.RUNNING, **changes}
    return replace(arrived(nics=nics, papers=papers, attributes={"owner": "sato"}), **now)  # type: ignore[arg-type]


def next_step(spec: VmSpec, seen: Observation) -> object:
    decision = decide(spec, seen)
    return decision.action if isinstance(decision, Act) else decision


class TestLeavingTheSource:
    def test_papers_come_first(self) -> None:
        assert next_step(SPEC, see(a_vm())) == WritePapers(PAPERS)

    def test_then_the_guest_is_asked(self) -> None:
        assert next_step(SPEC, see(a_vm(papers=PAPERS))) == ShutDown(30)

    def test_a_guest_that_does_not_obey_is_powered_off_where_that_is_the_policy(self) -> None:
        assert isinstance(next_step(SPEC, see(a_vm(papers=PAPERS), overdue=True)), PowerOff)

    def test_or_everything_stops(self) -> None:
        seen = see(a_vm(papers=PAPERS), overdue=True)
        stop = next_step(replace(SPEC, on_shutdown_timeout="stop"), seen)
        assert isinstance(stop, Stop)
        assert [concern.id for concern in stop.concerns] == ["guest.shutdown-overdue"]

    def test_a_guest_without_tools_is_not_waited_for(self) -> None:
        vm = a_vm(tools=Tools.NOT_INSTALLED)
        assert isinstance(next_step(SPEC, see(replace(vm, papers=departing(SPEC, vm)))), PowerOff)

    def test_only_a_powered_off_vm_is_unregistered(self) -> None:
        assert next_step(SPEC, see(a_vm(papers=PAPERS, power=Power.OFF))) == Unregister("source")

    def test_papers_remember_that_it_ran_before_we_shut_it_down(self) -> None:
        assert departing(SPEC, a_vm(papers=PAPERS, power=Power.OFF)).power is Power.ON

    def test_registered_again_by_hand_half_way_its_papers_know_more_than_the_vcenter(self) -> None:
        metadata = Metadata(frozenset({Tag("backup", "gold")}))
        papers = departing(SPEC, a_vm(metadata=metadata))
        again = a_vm(papers=papers, attributes={"owner": "tanaka"}, metadata=Metadata(groups=frozenset({"db"})))
        assert departing(SPEC, replace(again, attributes={})).attributes == {"owner": "sato"}
        assert departing(SPEC, again).attributes == {"owner": "tanaka"}
        assert departing(SPEC, again).metadata == Metadata(metadata.tags, groups=frozenset({"db"}))

    def test_papers_keep_the_addresses_of_a_guest_that_is_going_down(self) -> None:
        papers = departing(SPEC, a_vm(addresses=("10.0.0.1",)))
        assert departing(SPEC, a_vm(papers=papers, addresses=())).addresses == ("10.0.0.1",)

    def test_the_hook_runs_before_anything_else_and_not_again_half_way(self) -> None:
        spec = replace(SPEC, before=Hook(("notify",)))
        assert next_step(spec, see(a_vm())) == RunHook("before", Hook(("notify",)))
        assert next_step(spec, see(a_vm(papers=PAPERS))) == ShutDown(30)

    def test_a_vm_that_moved_to_another_host_gets_new_papers(self) -> None:
        step = next_step(SPEC, see(a_vm(papers=PAPERS, host="esx60-2")))
        assert step == WritePapers(replace(PAPERS, host="esx60-2"))

    def test_a_template_is_marked_before_it_is_made_a_vm(self) -> None:
        template = a_vm(template=True, power=Power.OFF)
        assert next_step(SPEC, see(template)) == SetAttributes({TEMPLATE_MARK: "yes"})
        marked = replace(template, attributes={TEMPLATE_MARK: "yes"})
        assert next_step(SPEC, see(marked)) == MakeVm()
        papers = departing(SPEC, replace(marked, template=False))
        assert papers.template
        assert TEMPLATE_MARK not in papers.attributes


class TestRegisteredNowhere:
    def test_it_is_registered_where_it_is_wanted(self) -> None:
        gone = expect.adrift(a_vm(papers=PAPERS, power=Power.OFF))
        seen = replace(see(), adrift=(gone,))
        forward, back = next_step(SPEC, seen), next_step(BACK, seen)
        assert isinstance(forward, Register)
        assert isinstance(back, Register)
        assert (forward.site, forward.cluster, forward.folder) == ("target", "prod7", "apps")
        assert forward.networks == {"pg-prod"}
        assert (back.site, back.host) == ("source", "esx60-1")
        assert back.networks == {"VM Network"}

    def test_with_files_on_the_new_array_the_way_back_begins_at_the_target(self) -> None:
        gone = expect.adrift(a_vm(papers=PAPERS, power=Power.OFF, vmx=File("vmfs:n1", "app01/app01.vmx")))
        step = next_step(BACK, replace(see(), adrift=(gone,)))
        assert isinstance(step, Register)
        assert step.site == "target"

    def test_what_its_host_must_have_is_what_the_files_say(self) -> None:
        for power, cpus in ((Power.ON, 4), (Power.OFF, 0)):
            vm = a_vm(cpus=4, hardware=11, power=Power.OFF, papers=replace(PAPERS, power=power))
            step = next_step(SPEC, replace(see(), adrift=(expect.adrift(vm),)))
            assert isinstance(step, Register)
            assert (step.needs.cpus, step.needs.hardware) == (cpus, 11)

    def test_one_that_a_person_unregistered_is_on_its_way_again(self) -> None:
        gone = expect.adrift(settled(power=Power.OFF))
        step = next_step(SPEC, replace(see(), adrift=(gone,)))
        assert isinstance(step, Register)
        assert step.papers
        assert step.papers.transit

    def test_without_papers_nobody_knows_where_it_belongs(self) -> None:
        gone = expect.adrift(a_vm(power=Power.OFF))
        stop = next_step(SPEC, replace(see(), adrift=(gone,)))
        assert isinstance(stop, Stop)
        assert stop.concerns[0].id == "vm.unregistered"


class TestArriving:
    def test_networks_before_power(self) -> None:
        assert next_step(SPEC, see(arrived())) == Reconnect({4000: "pg-prod"})

    def test_then_power_as_it_was(self) -> None:
        nics = (Nic(4000, "Network adapter 1", "00:50:56:00:00:01", "pg-prod"),)
        assert next_step(SPEC, see(arrived(nics=nics))) == PowerOn()
        was_off = replace(PAPERS, power=Power.OFF)
        assert isinstance(next_step(SPEC, see(arrived(nics=nics, papers=was_off))), SetAttributes)

    def test_the_question_is_answered_with_moved(self) -> None:
        seen = see(arrived(question=QUESTION, in_flight=InFlight("task-9", "powerOn")))
        assert next_step(SPEC, seen) == Answer("7", "1", "I Moved It")

    def test_another_question_is_the_operators(self) -> None:
        question = Question("8", "msg.hbacommon.outofspace: no space", ("msg.hbacommon.outofspace",), {"0": "Retry"})
        stop = next_step(SPEC, see(arrived(question=question)))
        assert isinstance(stop, Stop)
        assert stop.concerns[0].id == "guest.question"

    def test_arrival_is_written_down_last(self) -> None:
        spec, vm = replace(SPEC, stage=Stage.REHOSTED), settled(papers=PAPERS)
        assert next_step(spec, see(vm)) == WritePapers(replace(PAPERS, transit=False, healthy=True))
        hooked = replace(spec, after=Hook(("true",)))
        assert next_step(hooked, see(vm)) == WritePapers(replace(PAPERS, transit=False, healthy=False))

    def test_papers_take_up_the_rules_that_are_whole_again_where_all_have_arrived(self) -> None:
        rule = Rule("apart", "antiAffinity", (("5000-app01", "app01"), ("5000-db01", "db01")))
        spec = replace(SPEC, stage=Stage.REHOSTED)
        step = next_step(spec, see(settled(papers=PAPERS, metadata=Metadata(rules=frozenset({rule})))))
        assert isinstance(step, WritePapers)
        assert step.papers
        assert step.papers.metadata.rules == {rule}

    def test_a_hook_that_is_wanted_later_is_not_for_those_that_have_settled(self) -> None:
        spec = replace(SPEC, stage=Stage.REHOSTED, after=Hook(("true",)), health=Health(ports=(22,)))
        assert next_step(spec, see(settled(papers=replace(PAPERS, transit=False, healthy=True)))) == Done()

    def test_somebody_elses_task_is_waited_for(self) -> None:
        assert isinstance(decide(SPEC, see(settled(in_flight=InFlight("task-1", "snapshot")))), Wait)


class TestStorage:
    def test_migrated_means_off_the_old_array(self) -> None:
        step = next_step(SPEC, see(settled()))
        assert isinstance(step, Relocate)
        assert set(step.candidates) == {"vmfs:n1", "vmfs:n2"}
        assert step.size == 12

    def test_rehosted_is_done_on_the_old_array(self) -> None:
        assert decide(replace(SPEC, stage=Stage.REHOSTED), see(settled())) == Done()

    def test_a_vm_that_a_person_powered_off_stays_off(self) -> None:
        assert decide(replace(SPEC, stage=Stage.REHOSTED), see(settled(power=Power.OFF))) == Done()

    @pytest.mark.parametrize("stage", [Stage.REHOSTED, Stage.SOURCE])
    def test_the_way_back_puts_each_file_where_it_was(self, stage: Stage) -> None:
        disks = (
            Disk(2000, "Hard disk 1", File("vmfs:n1", "app01/app01.vmdk"), 40, 12),
            Disk(2001, "added since", File("vmfs:n1", "app01/app01_1.vmdk"), 10, 1),
        )
        vm = settled(vmx=File("vmfs:n1", "app01/app01.vmx"), disks=disks)
        step = next_step(replace(SPEC, stage=stage), see(vm))
        assert step == Relocate({HOME: "vmfs:a", "2000": "vmfs:a", "2001": "vmfs:a"}, (), 13)

    def test_a_template_becomes_one_again_at_the_end(self) -> None:
        vm = settled(
            power=Power.OFF,
            attributes={"owner": "sato", TEMPLATE_MARK: "yes"},
            vmx=File("vmfs:n1", "app01/app01.vmx"),
            disks=(),
        )
        assert next_step(SPEC, see(vm)) == MakeTemplate()
        assert next_step(SPEC, see(replace(vm, template=True))) == SetAttributes({TEMPLATE_MARK: ""})


class TestNeverLeft:
    """Its papers were written, and then it did not go: what its vCenter shows by now is newer."""

    def test_nothing_is_played_back_but_its_power(self) -> None:
        papers = departing(SPEC, a_vm(metadata=Metadata(frozenset({Tag("backup", "gold")}))))
        moved = (Nic(4000, "Network adapter 1", "00:50:56:00:00:01", "DMZ"),)
        later = Metadata(frozenset({Tag("backup", "silver")}))
        vm = a_vm(papers=papers, nics=moved, attributes={"owner": "tanaka"}, metadata=later)
        assert next_step(BACK, see(vm)) == WritePapers(None)
        assert next_step(BACK, see(replace(vm, power=Power.OFF))) == PowerOn()

    def test_registered_here_again_by_hand_it_gets_everything(self) -> None:
        metadata = Metadata(frozenset({Tag("backup", "gold")}))
        vm = a_vm(papers=departing(SPEC, a_vm(metadata=metadata)), attributes={})
        assert next_step(BACK, see(vm)) == SetAttributes({"owner": "sato"})
        assert next_step(BACK, see(replace(vm, attributes={"owner": "sato"}))) == RestoreMetadata(metadata)


class TestTheWayBack:
    def test_a_card_that_was_added_goes_where_the_map_leads_from(self) -> None:
        added = (*settled().nics, Nic(4001, "Network adapter 2", "00:50:56:00:00:02", "pg-dmz"))
        step = next_step(BACK, see(settled(nics=added)))
        assert isinstance(step, WritePapers)
        assert step.papers
        assert step.papers.nics == {"4000": "VM Network", "4001": "DMZ"}

    def test_files_that_are_where_they_came_from_stay_whatever_is_called_old_by_now(self) -> None:
        spec = replace(SPEC, stage=Stage.REHOSTED, old_volumes=("old-b",))
        assert next_step(spec, see(settled(papers=replace(PAPERS, transit=False, healthy=True)))) == Done()

    def test_the_hook_runs_after_the_copy_back_just_before_it_leaves(self) -> None:
        hooked = replace(BACK, before=Hook(("drain",)))
        on_new = (Disk(2000, "Hard disk 1", File("vmfs:n1", "app01/app01.vmdk"), 40, 12),)
        vm = settled(vmx=File("vmfs:n1", "app01/app01.vmx"), disks=on_new)
        assert isinstance(next_step(hooked, see(vm)), Relocate)
        assert next_step(hooked, see(settled())) == RunHook("before", Hook(("drain",)))


class TestBackAtTheSource:
    def test_it_is_restored_and_the_papers_are_removed(self) -> None:
        vm = a_vm(power=Power.OFF, attributes={}, papers=replace(PAPERS, leaving="target"))
        assert next_step(BACK, see(vm)) == PowerOn()
        vm = replace(vm, power=Power.ON)
        assert next_step(BACK, see(vm)) == SetAttributes({"owner": "sato"})
        vm = replace(vm, attributes={"owner": "sato"})
        assert next_step(BACK, see(vm)) == WritePapers(None)
        assert decide(BACK, see(replace(vm, papers=None))) == Done()


def test_stage_is_none_while_on_its_way() -> None:
    assert stage_of(SPEC, see(a_vm())) is Stage.SOURCE
    assert stage_of(SPEC, see(a_vm(papers=PAPERS))) is None
    assert stage_of(SPEC, see(settled())) is Stage.REHOSTED
    assert stage_of(SPEC, see(settled(vmx=File("vmfs:n1", "x.vmx"), disks=()))) is Stage.MIGRATED

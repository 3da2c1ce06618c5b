"""What the waves declare, and in which order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi

from components.migration_wave import declare_waves, exports
from components.providers.vm_inputs import inputs_of, spec_of
from components.settings import Settings
from migration.wanted import Identity
from tests.unit.test_settings import GOOD, changed
from tests.unit.test_totals import vm as outputs

if TYPE_CHECKING:
    from tests.components.conftest import Recorder


FORWARD = {**GOOD, "waves": [GOOD["waves"][0], {**GOOD["waves"][1], "stage": "migrated"}]}


class Site(pulumi.ComponentResource):
    """Stands for what must be complete before any VM is touched."""

    def __init__(self) -> None:
        super().__init__("esxodus:index:Site", "site")
        pulumi.CustomResource("test:index:Host", "esx71", opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({})


def declare(engine: Recorder, settings: dict[str, Any] = GOOD, *, preview: bool = False) -> None:
    def program() -> None:
        stack = Settings.parse(settings)
        declare_waves(stack, preview=stack.checked() if preview else 0, parts=[Site()])

    engine.run(program, preview=preview)


def test_each_vm_is_one_resource_of_its_wave(engine: Recorder) -> None:
    declare(engine)
    vms = engine.of("MigratedVm")
    assert {(vm.name, vm.parent, vm.inputs["stage"]) for vm in vms} == {
        ("app01", "pilot", "migrated"),
        ("db01", "pilot", "rehosted"),
        ("app02", "rest", "source"),
    }
    assert {vm.type for vm in vms} == {"pulumi-python:dynamic/esxodus:MigratedVm"}, "it is in users' states: it stays"


def test_a_wave_begins_after_the_site_and_after_its_waves(engine: Recorder) -> None:
    declare(engine)
    after = {vm.name: vm.depends_on for vm in engine.of("MigratedVm")}
    assert after["app01"] == {"esx71"}
    engine.declared.clear()
    declare(engine, FORWARD)
    assert {vm.name: vm.depends_on for vm in engine.of("MigratedVm")}["app02"] >= {"esx71", "app01", "db01"}


def test_the_way_back_does_not_wait_for_a_new_site_that_may_be_broken(engine: Recorder) -> None:
    declare(engine, {**GOOD, "waves": [{"name": "back", "stage": "source", "vms": ["app01"]}]})
    assert [vm.depends_on for vm in engine.of("MigratedVm")] == [set()]


def test_who_is_on_its_way_waits_for_nothing(engine: Recorder) -> None:
    def program() -> None:
        stack = Settings.parse(FORWARD)
        declare_waves(stack, preview=0, parts=[Site()], travelling={Identity("app02")})

    engine.run(program)
    after = {vm.name: vm.depends_on for vm in engine.of("MigratedVm")}
    assert not after["app02"]
    assert after["app01"] == {"esx71"}


def test_waves_may_be_written_in_any_order(engine: Recorder) -> None:
    declare(engine, {**FORWARD, "waves": FORWARD["waves"][::-1]})
    assert {vm.name: "app01" in vm.depends_on for vm in engine.of("MigratedVm")}["app02"]


def test_the_inputs_are_plain_and_hold_no_secret(engine: Recorder) -> None:
    declare(engine)
    for vm in engine.of("MigratedVm"):
        assert vm.secret == frozenset()
        text = json.dumps(vm.inputs)
        assert not any(password in text for password in ("old-secret", "new-secret", "root-secret"))


def test_a_preview_says_that_it_is_one(engine: Recorder) -> None:
    declare(engine, preview=True)
    assert {vm.inputs["preview"] for vm in engine.of("MigratedVm")} == {6}, "three VMs, the datastores, EVC"


def test_a_uuid_tells_vms_of_one_name_apart(engine: Recorder) -> None:
    one, two = (f"502e71fa-1a9b-2c3d-4e5f-60718293a4b{digit}" for digit in "56")
    declare(engine, changed("waves.0.vms", [{"name": "web", "uuid": one}, {"name": "web", "uuid": two}]))
    assert {vm.name for vm in engine.of("MigratedVm")} == {f"web {one}", f"web {two}", "app02"}


def test_a_specification_survives_as_inputs() -> None:
    for _, spec in Settings.parse(GOOD).specs():
        as_the_engine_hands_it_over = json.loads(json.dumps(inputs_of(spec)))
        assert spec_of(as_the_engine_hands_it_over) == spec


def test_the_id_is_the_instance_uuid_unless_that_was_not_known() -> None:
    inputs = inputs_of(Settings.parse(GOOD).specs()[0][1])
    assert spec_of(inputs, "app01").identity.instance_uuid == ""
    assert spec_of(inputs, "502e").identity.instance_uuid == "502e"


def exported(engine: Recorder, settings: dict[str, Any] = GOOD) -> dict[str, Any]:
    """Return what the stack would export."""
    told: dict[str, Any] = {}

    def program() -> pulumi.Output[None]:
        waves = declare_waves(Settings.parse(settings), preview=0, parts=[])
        return pulumi.Output.all(**exports(waves)).apply(told.update)

    engine.run(program)
    return told


def test_the_totals_are_exported_per_wave_and_for_the_site(engine: Recorder) -> None:
    engine.outputs |= {
        "app01": outputs(),
        "db01": outputs(reached="rehosted", copiedGiB=1.0),
        "app02": outputs(stage="source", reached="migrated", waiting="the window is over"),
    }
    told = exported(engine)
    assert told["vms"]["app01"].startswith("migrated by reattach: target esx70-1 gold7, was source esx60-1 old-a")
    assert {name: (wave["vms"], wave["settled"], wave["waiting"]) for name, wave in told["waves"].items()} == {
        "pilot": (2, 2, 0),
        "rest": (1, 0, 1),
    }
    assert (told["site"]["vms"], told["site"]["methods"], told["site"]["copiedGiB"]) == (3, {"reattach": 3}, 25.5)


def test_a_vm_that_failed_is_counted_and_hides_nothing_of_the_others(engine: Recorder) -> None:
    engine.outputs |= {"app01": outputs(), "db01": outputs(reached="rehosted"), "app02": outputs()}
    engine.failing |= {"db01"}
    engine.skipped |= {"app02"}
    told = exported(engine)
    assert (told["waves"]["pilot"]["settled"], told["waves"]["pilot"]["failed"]) == (1, 1)
    assert (told["waves"]["rest"]["failed"], told["waves"]["rest"]["notBegun"]) == (0, 1)
    assert told["vms"]["db01"].startswith("failed, rehosted by reattach: target esx70-1 gold7"), (
        "what it left in the state"
    )
    assert told["vms"]["app02"].startswith("not begun")
    assert told["site"]["vms"] == 3


def test_a_vm_that_failed_before_it_was_looked_at_is_counted_too(engine: Recorder) -> None:
    engine.failing |= {"app01", "db01", "app02"}
    told = exported(engine)
    assert told["site"]["failed"] == 3
    assert told["vms"]["db01"].startswith("failed, see its error")


def test_a_site_whose_waves_are_not_written_yet_has_totals_too(engine: Recorder) -> None:
    told = exported(engine, {**GOOD, "waves": []})
    assert (told["vms"], told["waves"], told["site"]["vms"]) == ({}, {}, 0)

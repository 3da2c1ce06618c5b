"""A specification travels through the engine as plain inputs and comes back as it was."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pulumi.runtime import rpc

from components.providers.vm_inputs import inputs_of, spec_of
from migration.wanted import Health, Hook, Identity, Method, Stage, VmSpec, Wave, Window

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.lists(TEXT, max_size=3).map(tuple)
SECONDS = st.floats(0, 1e10)
MAPS = st.dictionaries(TEXT, TEXT, max_size=3)
HOOK = {
    "command": st.lists(TEXT, min_size=1, max_size=3).map(tuple),
    "timeout": SECONDS,
    "retries": st.integers(0, 9),
}
HEALTH = {
    "tools": st.booleans(),
    "addresses": st.booleans(),
    "ports": st.lists(st.integers(1, 65535), max_size=3).map(tuple),
    "timeout": SECONDS,
}
WAVE = {
    "name": TEXT,
    "after": NAMES,
    "window": st.none() | st.builds(Window, SECONDS, SECONDS),
    "paused": st.booleans(),
    "max_failures": st.none() | st.integers(0, 99),
    "patience": SECONDS,
    "order": st.integers(0, 99),
}
SPEC = {
    "identity": st.builds(Identity, TEXT, TEXT),
    "stage": st.sampled_from(Stage),
    "method": st.sampled_from(Method),
    "source": TEXT,
    "target": TEXT,
    "datacenter": TEXT,
    "cluster": TEXT,
    "host": TEXT,
    "old_volumes": NAMES,
    "new_volumes": NAMES,
    "reserve": st.floats(0, 1),
    "networks": MAPS,
    "declared_networks": NAMES,
    "standard_networks": NAMES,
    "declared_hosts": NAMES,
    "vmotion_hosts": NAMES,
    "declared_switch": TEXT,
    "shutdown_timeout": SECONDS,
    "on_shutdown_timeout": st.sampled_from(["powerOff", "stop"]),
    "wave": st.builds(Wave, **WAVE),
    "health": st.none() | st.builds(Health, **HEALTH),
    "before": st.none() | st.builds(Hook, **HOOK),
    "after": st.none() | st.builds(Hook, **HOOK),
    "accepted": MAPS,
}
SPECS = st.builds(VmSpec, **SPEC)


def through_the_engine(inputs: dict[str, Any]) -> Any:
    """Return the inputs as a provider gets them: packed by the SDK, whose numbers are all floating point, and unpacked."""
    loop = (
        asyncio.new_event_loop()
    )  # not asyncio.run: it would leave this thread without the loop that other tests need
    try:
        return rpc.deserialize_properties(loop.run_until_complete(rpc.serialize_properties(inputs, {})))
    finally:
        loop.close()


@given(SPECS)
@settings(deadline=None)
def test_every_field_survives(spec: VmSpec) -> None:
    back = spec_of(through_the_engine(inputs_of(spec)))
    assert back == spec
    assert isinstance(back.wave.max_failures, int | None)
    assert all(isinstance(port, int) for port in (back.health.ports if back.health else ()))


@given(SPECS)
def test_no_input_is_none(spec: VmSpec) -> None:
    def inner(value: object) -> list[object]:
        if isinstance(value, dict):
            return [one for part in value.values() for one in inner(part)]
        return [one for part in value for one in inner(part)] if isinstance(value, list) else [value]

    assert None not in inner(inputs_of(spec))


@pytest.mark.parametrize(("kind", "varied"), [(VmSpec, SPEC), (Wave, WAVE), (Health, HEALTH), (Hook, HOOK)])
def test_a_new_field_needs_its_input(kind: type[Any], varied: dict[str, Any]) -> None:
    assert {field.name for field in fields(kind)} == varied.keys(), "what is not varied here may get lost unseen"


def test_what_an_older_version_left_in_a_state_is_read() -> None:
    old = inputs_of(VmSpec(Identity("app01"), Stage.MIGRATED))
    for key in ("source", "target", "host", "reserve", "wave", "accepted", "declaredSwitch"):
        del old[key]
    assert spec_of({**old, "method": ""}) == VmSpec(Identity("app01"), Stage.MIGRATED)

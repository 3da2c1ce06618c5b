"""A VM's specification as plain inputs of a resource, and back. No secrets: they are stored in the state in clear.

What is absent stays absent: the engine drops an input that is None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.wanted import RESERVE, Health, Hook, Identity, Method, Stage, VmSpec, Wave, Window

if TYPE_CHECKING:
    from collections.abc import Mapping


def inputs_of(spec: VmSpec) -> dict[str, Any]:
    """Return the inputs that `spec_of` reads."""
    optional = {
        "health": spec.health and _health(spec.health),
        "before": spec.before and _hook(spec.before),
        "after": spec.after and _hook(spec.after),
        "standardNetworks": list(spec.standard_networks),
        "declaredHosts": list(spec.declared_hosts),
        "vmotionHosts": list(spec.vmotion_hosts),
    }
    return {
        "vm": spec.identity.name,
        "uuid": spec.identity.instance_uuid,
        "stage": spec.stage.value,
        "method": spec.method.value,
        "source": spec.source,
        "target": spec.target,
        "datacenter": spec.datacenter,
        "cluster": spec.cluster,
        "host": spec.host,
        "oldDatastores": list(spec.old_volumes),
        "newDatastores": list(spec.new_volumes),
        "reserve": spec.reserve,
        "networkMap": dict(spec.networks),
        "declaredNetworks": list(spec.declared_networks),
        "declaredSwitch": spec.declared_switch,
        "shutdownTimeout": spec.shutdown_timeout,
        "onShutdownTimeout": spec.on_shutdown_timeout,
        "wave": _wave(spec.wave),
        "accepted": dict(spec.accepted),
        **{name: value for name, value in optional.items() if value},
    }


def spec_of(inputs: Mapping[str, Any], uuid: str = "") -> VmSpec:
    """Return the specification in the inputs, or in what an older version of this product left in a state.

    `uuid` is the resource's id, which is the VM's instance UUID, or its name where that was not known at its creation.
    """
    name = str(inputs["vm"])
    known = uuid if uuid != name else ""
    return VmSpec(
        identity=Identity(name, known or str(inputs.get("uuid") or "")),
        stage=Stage(inputs["stage"]),
        method=Method(inputs["method"] or Method.AUTO),
        source=str(inputs.get("source", "source")),
        target=str(inputs.get("target", "target")),
        datacenter=str(inputs["datacenter"]),
        cluster=str(inputs["cluster"]),
        host=str(inputs.get("host", "")),
        old_volumes=tuple(inputs["oldDatastores"]),
        new_volumes=tuple(inputs["newDatastores"]),
        reserve=float(inputs.get("reserve", RESERVE)),
        networks=dict(inputs["networkMap"]),
        declared_networks=tuple(inputs["declaredNetworks"]),
        declared_switch=str(inputs.get("declaredSwitch", "")),
        declared_hosts=tuple(inputs.get("declaredHosts") or ()),
        vmotion_hosts=tuple(inputs.get("vmotionHosts") or ()),
        standard_networks=tuple(inputs.get("standardNetworks") or ()),
        shutdown_timeout=float(inputs["shutdownTimeout"]),
        on_shutdown_timeout="powerOff" if inputs["onShutdownTimeout"] == "powerOff" else "stop",
        wave=_wave_of(inputs.get("wave") or {}),
        health=_health_of(inputs.get("health")),
        before=_hook_of(inputs.get("before")),
        after=_hook_of(inputs.get("after")),
        accepted=dict(inputs.get("accepted") or {}),
    )


def _wave(wave: Wave) -> dict[str, Any]:
    optional = {
        "window": {"start": wave.window.start, "end": wave.window.end} if wave.window else None,
        "maxFailures": wave.max_failures,
    }
    return {
        "name": wave.name,
        "after": list(wave.after),
        "paused": wave.paused,
        "patience": wave.patience,
        "order": wave.order,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _wave_of(inputs: Mapping[str, Any]) -> Wave:
    window, failures = inputs.get("window"), inputs.get("maxFailures")
    return Wave(
        name=str(inputs.get("name", "")),
        after=tuple(inputs.get("after", ())),
        window=Window(float(window["start"]), float(window["end"])) if window else None,
        paused=bool(inputs.get("paused", False)),
        max_failures=None if failures is None else int(failures),
        patience=float(inputs.get("patience", Wave().patience)),
        order=int(inputs.get("order", 0)),
    )


def _health(health: Health) -> dict[str, Any]:
    return {
        "tools": health.tools,
        "addresses": health.addresses,
        "ports": list(health.ports),
        "timeout": health.timeout,
    }


def _health_of(inputs: Mapping[str, Any] | None) -> Health | None:
    if not inputs:
        return None
    ports = tuple(int(port) for port in inputs["ports"])
    return Health(bool(inputs["tools"]), bool(inputs["addresses"]), ports, float(inputs["timeout"]))


def _hook(hook: Hook) -> dict[str, Any]:
    return {"command": list(hook.command), "timeout": hook.timeout, "retries": hook.retries}


def _hook_of(inputs: Mapping[str, Any] | None) -> Hook | None:
    if not inputs:
        return None
    return Hook(tuple(inputs["command"]), float(inputs["timeout"]), int(inputs["retries"]))

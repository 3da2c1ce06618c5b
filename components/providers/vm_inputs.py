"""A VM's specification as plain inputs of a resource, and back. No secrets: they are stored in the state in clear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.wanted import Identity, Method, Stage, VmSpec

if TYPE_CHECKING:
    from collections.abc import Mapping


def inputs_of(spec: VmSpec) -> dict[str, Any]:
    """Return the inputs that `spec_of` reads."""
    return {
        "vm": spec.identity.name,
        "uuid": spec.identity.instance_uuid,
        "stage": spec.stage.value,
        "method": spec.method.value,
        "datacenter": spec.datacenter,
        "cluster": spec.cluster,
        "oldDatastores": list(spec.old_volumes),
        "newDatastores": list(spec.new_volumes),
        "networkMap": dict(spec.networks),
        "declaredNetworks": list(spec.declared_networks),
        "shutdownTimeout": spec.shutdown_timeout,
        "onShutdownTimeout": spec.on_shutdown_timeout,
    }


def spec_of(inputs: Mapping[str, Any], uuid: str = "") -> VmSpec:
    """Return the specification in the inputs.

    `uuid` is the resource's id, which is the VM's instance UUID, or its name where that was not known at its creation.
    """
    name = str(inputs["vm"])
    known = uuid if uuid != name else ""
    return VmSpec(
        identity=Identity(name, known or str(inputs.get("uuid") or "")),
        stage=Stage(inputs["stage"]),
        method=Method(inputs["method"]),
        datacenter=str(inputs["datacenter"]),
        cluster=str(inputs["cluster"]),
        old_volumes=tuple(inputs["oldDatastores"]),
        new_volumes=tuple(inputs["newDatastores"]),
        networks=dict(inputs["networkMap"]),
        declared_networks=tuple(inputs["declaredNetworks"]),
        shutdown_timeout=float(inputs["shutdownTimeout"]),
        on_shutdown_timeout="powerOff" if inputs["onShutdownTimeout"] == "powerOff" else "stop",
    )

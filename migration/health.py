"""Is a guest well after it has arrived? And what a hook is told of its VM."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from migration.actions import CheckHealth
from migration.errors import Paused
from migration.model import Tools, Vm
from migration.observation import Observation
from migration.outside import Outside
from migration.sites import Sites
from migration.wanted import Identity, VmSpec

TURN: Final = 2.0
"""Seconds between two looks at a guest that is not well yet; news of its vCenter come at once."""


def check(
    action: CheckHealth,
    sites: Sites,
    who: Identity,
    outside: Outside,
    stop: threading.Event,
    say: Callable[[str, int | None], None],
    clock: Callable[[], float],
) -> tuple[str, ...]:
    """Wait until the guest is well, at most `action.timeout` seconds; return what is wrong at the end, () where nothing is.

    Raises: Paused.
    """
    deadline = clock() + action.timeout
    while True:
        seen, version = sites.observe(who)
        found = problems(action, seen.vm, outside)
        if not found or clock() >= deadline:
            return found
        if stop.is_set():
            raise Paused(f"{who.name}: paused while waiting for its guest; run again to go on")
        say(f"waiting for its guest: {found[0]}", None)
        sites.wait(version, min(TURN, max(0.0, deadline - clock())))


def problems(action: CheckHealth, vm: Vm | None, outside: Outside) -> tuple[str, ...]:
    """Return what is wrong with the guest now. Ports are tried last, at each of its addresses until one answers."""
    if vm is None:
        return ("it is not registered",)
    found = []
    if action.tools and vm.tools is not Tools.RUNNING:
        found.append("VMware Tools do not run")
    if missing := sorted(set(action.addresses) - set(vm.addresses)):
        has = f" (it has {', '.join(vm.addresses)})" if vm.addresses else ""
        found.append(f"the address {', '.join(missing)} is missing{has}")
    if found:
        return tuple(found)
    addresses = action.addresses or vm.addresses
    if action.ports and not addresses:
        return ("no address is known at which its ports could be tried",)
    return tuple(
        f"TCP port {port} does not answer at {' or '.join(addresses)}"
        for port in action.ports
        if not any(outside.reaches(address, port) for address in addresses)
    )


def facts(spec: VmSpec, seen: Observation, when: str) -> dict[str, str]:
    """Return the VM's facts as a hook finds them in its environment."""
    vm = seen.vm
    view = seen.sites.get(vm.site) if vm else None
    return {
        "ESXODUS_WHEN": when,
        "ESXODUS_VM": vm.name if vm else spec.identity.name,
        "ESXODUS_UUID": vm.instance_uuid if vm else spec.identity.instance_uuid,
        "ESXODUS_WAVE": spec.wave.name,
        "ESXODUS_STAGE": spec.stage.value,
        "ESXODUS_SITE": vm.site if vm else "",
        "ESXODUS_VCENTER": view.vcenter if view else "",
        "ESXODUS_HOST": vm.host if vm else "",
        "ESXODUS_POWER": vm.power.value if vm else "",
        "ESXODUS_ADDRESSES": " ".join(vm.addresses) if vm else "",
    }

"""A VM's power, and the question that may come with it."""

from __future__ import annotations

import time
from typing import Any, Final, cast

from pyVmomi import vim

from migration.actions import Answer
from migration.errors import Blocked, MigrationError, Stale
from migration.model import Power, Tools, Vm
from migration.sites import Progress
from vsphere import faults, tasks
from vsphere.inventory import in_flight
from vsphere.session import moref
from vsphere.site import Site

_TELL: Final = 5.0
"""Seconds between two lines of progress while a guest shuts down."""


def shut_down(site: Site, vm: Vm, timeout: float, progress: Progress) -> bool:
    """Ask the guest to shut down and wait until it is off; False where it still runs after `timeout` seconds.

    A guest whose Tools do not run yet, for it boots, is asked as soon as they do.
    """
    ref = _ref(site, vm)
    what = f"{vm.name}: waiting for the guest to shut down"
    pause = site.pausing(what)
    began = time.monotonic()
    asked = False
    told = 0.0
    while True:
        version = site.watch.news.version
        now = site.now(vm)
        if now is None:
            raise Stale(f"{vm.name}: no longer registered at {site.name} while its guest was shutting down")
        if now.power is Power.OFF:
            return True
        waited = time.monotonic() - began
        if waited >= timeout:
            return False
        if not asked and now.tools is not Tools.NOT_RUNNING:
            asked = _ask(site, vm, ref)
            if not asked and now.tools is Tools.NOT_INSTALLED:
                return False
        if time.monotonic() - told >= _TELL:
            told = time.monotonic()
            progress(f"waiting for the guest to shut down, {waited:.0f} s of {timeout:g} s", None)
        tasks.wait(site.watch.news, version, min(0.5, timeout - waited))
        pause()


def _ask(site: Site, vm: Vm, ref: vim.VirtualMachine) -> bool:
    """Send the request; False where VMware Tools cannot take it now."""
    try:
        site.session.send(f"{vm.name}: shut down the guest", ref.ShutdownGuest, vm.name)
    except MigrationError as error:
        if isinstance(error.__cause__, vim.fault.ToolsUnavailable):
            return False
        if not faults.already(error.__cause__, Power.OFF):
            raise
    return True


def power_off(site: Site, vm: Vm, reason: str, progress: Progress) -> None:
    """Power off without asking the guest."""
    ref = _ref(site, vm)
    _switch(site, vm, f"power off ({reason})", ref.PowerOff, Power.OFF, progress)
    site.settle(ref, lambda: _power(site, vm) is Power.OFF)


def power_on(site: Site, vm: Vm, progress: Progress) -> None:
    """Power on; ends early when the VM asks a question, for nothing goes on before that is answered."""
    ref = _ref(site, vm)
    _switch(site, vm, "power on", lambda: ref.PowerOn(None), Power.ON, progress)
    site.settle(ref, lambda: _power(site, vm) is Power.ON or _asks(site, vm))


def answer(site: Site, vm: Vm, action: Answer, progress: Progress) -> None:
    """Answer the pending question, unless it is no longer the same one.

    Raises: Stale.
    """
    ref = _ref(site, vm)
    now = site.now(vm)
    if now is None or now.question is None or now.question.id != action.question:
        raise Stale(f"{vm.name}: the question {action.question} is no longer pending")
    try:
        site.session.send(f"{vm.name}: answer {action.label}", lambda: ref.Answer(action.question, action.key), vm.name)
    except (MigrationError, Blocked) as error:
        if isinstance(error.__cause__, vim.fault.InvalidState):
            raise Stale(f"{vm.name}: the question {action.question} was answered meanwhile") from error
        raise
    site.settle(ref, lambda: not _asks(site, vm, action.question))
    # What asked goes on now, or fails; its fault is what the operator has to be told.
    flying = in_flight(site.inventory().snapshot, moref(ref), set())
    task = site.inventory().snapshot.tasks.get(flying.key) if flying else None
    if task is not None:
        what = f"{vm.name}: power on"
        tasks.follow(
            site.watch,
            cast("vim.Task", task.ref),
            what,
            subject=vm.name,
            progress=lambda _, percent: progress("", percent),
            pause=site.pausing(what),
            enough=lambda: _asks(site, vm),
        )
        site.settle(ref, lambda: _power(site, vm) is Power.ON or _asks(site, vm))


def _switch(site: Site, vm: Vm, what: str, call: Any, wanted: Power, progress: Progress) -> None:
    try:
        site.run(vm.name, what, call, progress, enough=lambda: _asks(site, vm))
    except MigrationError as error:
        if not faults.already(error.__cause__, wanted):
            raise


def _power(site: Site, vm: Vm) -> Power | None:
    now = site.now(vm)
    return now.power if now else None


def _asks(site: Site, vm: Vm, question: str = "") -> bool:
    """Say whether a question, or that one, is pending."""
    now = site.now(vm)
    return bool(now and now.question and question in ("", now.question.id))


def _ref(site: Site, vm: Vm) -> vim.VirtualMachine:
    return cast("vim.VirtualMachine", site.identified(vm).ref)

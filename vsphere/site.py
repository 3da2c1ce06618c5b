"""One site at work: its session, its watch, and how a change is made and seen through."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from pyVmomi import vim

from migration.errors import Stale
from migration.metadata import Tag
from migration.model import Vm
from migration.sites import Progress
from migration.wanted import Identity
from vsphere import tasks
from vsphere.inventory import Inventory
from vsphere.session import session
from vsphere.snapshot import Record
from vsphere.standing import Inquiry
from vsphere.tls import Endpoint
from vsphere.watch import News, Watch

EFFECT: Final = 2.0
"""Seconds for which an update that shows a change's effect is waited for, before the object is read directly."""
READINGS: Final = 4
"""How often it is read directly: vCenter may lag behind what its host has done."""


def _quiet(what: str, percent: int | None) -> None:
    del what, percent


class Site:
    """A vCenter under the name that the migration gives it."""

    def __init__(self, endpoint: Endpoint, news: News, stop: threading.Event) -> None:
        """Remember where it is; nothing is contacted yet."""
        self.name = endpoint.name
        self.endpoint = endpoint
        self.session = session(endpoint)
        self.watch = Watch(self.session, news)
        self.session.name = self.watch.name
        self.stop = stop
        self._inquiry = Inquiry(self.session, lambda: self.watch.snapshot(self.pausing("reading locks")))
        self._inventory: Inventory | None = None

    def inventory(self, what: str = "reading its inventory") -> Inventory:
        """Return what the site shows now; derived anew only where something other than a task has changed.

        Raises: Refused, Transient, Paused.
        """
        snapshot = self.watch.snapshot(self.pausing(what))
        kept = self._inventory
        standing = self._inquiry.standing(snapshot)
        if kept is None or kept.snapshot.edition != snapshot.edition or kept.standing is not standing:
            kept = self._inventory = Inventory(self.name, self.endpoint.vcenter, snapshot, standing)
        kept.snapshot = snapshot  # of one edition only the tasks differ
        return kept

    def tagged(self, vm: str, tags: frozenset[Tag]) -> None:
        """Say which tags the VM with this id has by now: no update of vCenter's tells."""
        self._inquiry.tagged(vm, tags)
        self.watch.news.spread()

    def pausing(self, what: str) -> Callable[[], None]:
        """Return a check that raises Paused once the run was asked to stop."""
        return tasks.pausing(self.stop, f"{what} at {self.name}")

    def identified(self, vm: Vm) -> Record:
        """Return the VM as it is registered now.

        Raises: Stale where it is not the one that was observed: gone, doubled, or with its files elsewhere.
        """
        inventory = self.inventory()
        found = inventory.matching(Identity(vm.name, vm.instance_uuid))
        if len(found) != 1:
            raise Stale(f"{vm.name}: {len(found)} VMs with instance UUID {vm.instance_uuid} are at {self.name} now")
        now = inventory.vm(found[0])
        if now.vmx != vm.vmx:
            raise Stale(f"{vm.name}: its files have moved since it was observed, to {now.vmx.path}")
        if now.held_by and (vm.held_by is None or now.held_by.run != vm.held_by.run):
            raise Stale(f"{vm.name}: {now.held_by.owner} has taken it up since it was observed")
        return found[0]

    def now(self, vm: Vm) -> Vm | None:
        """Return the VM as the site shows it now, or None where it does not."""
        inventory = self.inventory()
        found = inventory.matching(Identity(vm.name, vm.instance_uuid))
        return inventory.vm(found[0]) if found else None

    def run(
        self,
        vm: str,
        what: str,
        call: Callable[[], vim.Task],
        progress: Progress = _quiet,
        enough: Callable[[], bool] = lambda: False,
        other: Endpoint | None = None,
    ) -> Any:
        """Start a task, once, and follow it to its end; return its result, or None if `enough` held before.

        `other` is the vCenter that the task itself logs in to, for what its faults mean.

        Raises: MigrationError; Paused leaves the task running in vCenter.
        """
        doing = f"{vm}: {what}"
        task = self.session.send(doing, call, vm, other)
        return tasks.follow(
            self.watch,
            task,
            doing,
            subject=vm,
            progress=lambda _, percent: progress("", percent),
            pause=self.pausing(doing),
            enough=enough,
            other=other,
        )

    def settle(self, ref: Any, holds: Callable[[], bool]) -> None:
        """Wait until the watch shows a change's effect; read the object directly where no update comes.

        What the caller observes next then includes what was just done.
        """
        pause = self.pausing("waiting for vCenter to show a change")
        for _ in range(READINGS):
            if tasks.until(self.watch, holds, EFFECT, pause):
                return
            self.watch.reread(ref)
            if holds():
                return

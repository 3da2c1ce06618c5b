"""Methods that somebody, such as a backup product, has disabled on a VM.

A vCenter disables methods itself too, by the state of a VM, and lists all of them alike in `disabledMethod`. It need not report
a change of that list as an update (API reference, ManagedEntity): it is read in bulk, and for a short time only. What a task
disables that begins meanwhile looks like a lock, so that one counts only where it lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pyVmomi import vim

from vsphere.machines import fault_tolerant
from vsphere.reading import collect
from vsphere.session import Session
from vsphere.snapshot import Record, Snapshot

HOLDS: Final = 60.0
"""Seconds for which what was read is relied on."""

SOON: Final = 2.0
"""Seconds after which it is read again whether a lock that was seen for the first time lasts."""
Locks = Mapping[str, tuple[str, ...]]
"""The locks of every VM that has any, by the VM's id."""

_MEANT: Final = ("RelocateVM_Task", "MigrateVM_Task")
"""What a backup product disables while it reads a VM's disks (VDDK, VixDiskLib_PrepareForAccess: RelocateVM_Task)."""

STATE: Final = (
    "disabledMethod",
    "config.ftInfo",
    "config.template",
    "runtime.connectionState",
    "runtime.faultToleranceState",
    "runtime.question",
)
"""What is read of each VM: the list, and the states that account for it."""


def read(session: Session, latest: Callable[[], Snapshot]) -> Locks:
    """Return what looks like a lock, judged by the tasks that `latest` shows before the reading and after it.

    Raises: MigrationError.
    """
    before = latest()
    found = collect(session, "reading disabled methods", vim.VirtualMachine, STATE)
    after = latest()

    def busy(vm: str) -> bool:
        return any(snapshot.task_on(vm) is not None for snapshot in (before, after))

    return {record.moref: names for record in found if (names := locks(record, busy(record.moref)))}


def lasting(found: Locks, seen: Locks) -> Locks:
    """Return what was found that had been seen in the reading before, too."""
    both = {vm: tuple(name for name in names if name in seen.get(vm, ())) for vm, names in found.items()}
    return {vm: names for vm, names in both.items() if names}


def locks(vm: Record, busy: bool) -> tuple[str, ...]:
    """Return what somebody has disabled; nothing where the VM's state, or a task on it, accounts for that."""
    by_state = (
        busy
        or str(vm.get("runtime.connectionState", "connected")) != "connected"
        or bool(vm.get("config.template", False))
        or vm.get("runtime.question") is not None
        or fault_tolerant(vm)
    )
    disabled = {_name(one) for one in vm.get("disabledMethod", ())}
    return () if by_state else tuple(name for name in _MEANT if name in disabled)


def _name(method: Any) -> str:
    """Return a method's name as the API spells it; pyVmomi gives the method itself, or a mere name of one unknown to it."""
    info = getattr(method, "info", None)
    return str(info.wsdlName if info else getattr(method, "name", method))

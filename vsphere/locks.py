"""Methods that somebody, such as a backup product, has disabled on a VM.

A vCenter disables methods itself too, by the state of a VM, and lists all of them alike in `disabledMethod`. It need not report
a change of that list as an update (API reference, ManagedEntity): it is read in bulk, and for a short time only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pyVmomi import vim

from vsphere.machines import fault_tolerant
from vsphere.reading import collect
from vsphere.session import Session
from vsphere.snapshot import Record, Snapshot

HOLDS: Final = 60.0
"""Seconds for which what was read is relied on."""

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


def read(session: Session, snapshot: Snapshot) -> Mapping[str, tuple[str, ...]]:
    """Return the locks of every VM that has any, by the VM's id.

    Raises: MigrationError.
    """
    found = collect(session, "reading disabled methods", vim.VirtualMachine, STATE)
    return {
        record.moref: names for record in found if (names := locks(record, snapshot.task_on(record.moref) is not None))
    }


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

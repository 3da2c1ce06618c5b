"""This run as it calls itself in the VMs that it works on, and whether another run on this machine still lives."""

from __future__ import annotations

import hashlib
import os
import socket
import time
import uuid
from typing import Final

from components.providers.ancestry import PROC
from migration.lease import Holder, Lease

OWNER: Final = 24
"""Characters of the names in a lease: as a template's custom attribute it must stay below 255."""


def holder(stack: str) -> Holder:
    """Return this process as the holder of leases, under an id of its own; `stack` is what people know it by."""
    host, pid = socket.gethostname(), os.getpid()
    lease = Lease(
        run=uuid.uuid4().hex,
        owner=f"{host[:OWNER]} (process {pid}, stack {stack[:OWNER]})",
        machine=_machine(host),
        process=f"{pid} {_started(pid)}",
    )
    return Holder(lease, lambda other: _gone(other, lease.machine), time.time)


def _gone(lease: Lease, machine: str) -> bool:
    """Say whether the lease's process ran here and has ended. Of one elsewhere nothing is known."""
    pid, _, started = lease.process.partition(" ")
    if not (machine and lease.machine == machine and pid.isdigit() and started):
        return False
    return _started(int(pid)) != started and not _hidden(int(pid))


def _machine(host: str) -> str:
    """Return what is the same only for processes that see each other's ids: one boot of one machine or container."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii")
        space = (PROC / "self/ns/pid").readlink()
    except OSError:
        return ""  # not Linux, or not allowed: leases are watched instead
    return hashlib.sha256(f"{host} {boot} {space}".encode()).hexdigest()[:16]


def _started(pid: int) -> str:
    """Return when a process was started, in ticks since the boot; "" where it has ended or cannot be seen."""
    try:
        fields = (PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]


def _hidden(pid: int) -> bool:
    """Say whether the process exists although it cannot be seen: another user's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not (PROC / str(pid)).exists()

"""How long a VM will take. Pure; seconds."""

from __future__ import annotations

from typing import Final

from migration.model import Power, Vm
from migration.wanted import Stage, VmSpec

RATE: Final = 100 / 1024
"""GiB per second of a copy, as long as none has been measured: 100 MB/s."""


def seconds(spec: VmSpec, vm: Vm) -> float:
    """Return what the VM's whole way may take: the longest that its guest may take to shut down, and one copy of its files."""
    down = spec.shutdown_timeout if vm.site != spec.home and vm.power is Power.ON else 0.0
    copies = spec.stage is Stage.MIGRATED or vm.site != spec.source
    return down + (sum(disk.written for disk in vm.disks) / RATE if copies else 0.0)

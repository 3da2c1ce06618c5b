"""What keeps a VM on its host, so that the host cannot be emptied. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from migration.model import Concern, Power, Vm
from migration.upgrade_concerns import Against
from migration.upgrade_fleet import Fleet
from migration.upgrade_places import destination, files

_DEVICES: Final = {
    "passthrough": "a PCI device of the host",
    "sriov": "an SR-IOV adapter of the host",
    "vgpu": "a virtual GPU",
    "usb": "a USB device of the host",
    "serial": "a serial port of the host",
    "parallel": "a parallel port of the host",
    "hostMedia": "a drive of the host or of a client",
}
"""What binds a running VM to its host, by the kind of device."""


def obstacles(vm: Vm, fleet: Fleet, host: str) -> Iterator[Concern]:
    """Yield what keeps a VM that is not off on its host; that no other host can take it is said of one that could leave."""
    found = list(_held(vm, fleet, host))
    for kind, sentence in found:
        yield kind.concern(vm.name, sentence)
    if {"RelocateVM_Task", "MigrateVM_Task"} & set(vm.locked):
        yield Against.LOCKED.concern(vm.name, "moving it is disabled at the moment")
    if not found:
        to, why = destination(vm, fleet, host)
        if to is None:
            yield Against.NOWHERE.concern(vm.name, f"it cannot leave {host}: {why}")


def _held(vm: Vm, fleet: Fleet, host: str) -> Iterator[tuple[Against, str]]:
    if vm.power is Power.SUSPENDED:
        yield Against.SUSPENDED, f"it is suspended on {host}"
        return
    if not vm.reachable:
        yield Against.UNREACHABLE, f"vCenter does not reach it on {host}"
        return
    if vm.question:
        yield Against.QUESTION, f"it waits for an answer: {vm.question.text}"
    if vm.fault_tolerant:
        yield Against.FAULT_TOLERANT, f"it is fault tolerant, on {host}"
    if vm.pinned:
        yield Against.PINNED, f"it has {vm.pinned} on {host}"
    for device in vm.devices:
        if device.connected and device.kind in _DEVICES:
            yield Against.DEVICE, f"{device.label} is {_DEVICES[device.kind]}"
    for disk in vm.disks:
        if disk.sharing == "bus":
            yield Against.SHARED_BUS, f"{disk.label} is on a shared bus"
    if vm.tools_installer:
        yield Against.TOOLS_INSTALLER, "the installer of VMware Tools is mounted"
    elsewhere = frozenset[str]().union(*(one.host.volumes for one in fleet.others(host)))
    if local := sorted(fleet.volumes.get(one, one) for one in files(vm) - elsewhere):
        yield Against.LOCAL, f"only {host} reaches {', '.join(local)}"

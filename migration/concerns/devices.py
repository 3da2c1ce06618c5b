"""Devices that bind the VM to a host, or to a file beside its disks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from migration.concerns.moves import devices, leaving, touched
from migration.model import Severity
from migration.observation import Observation
from migration.rule import Found, Rule, rule
from migration.wanted import VmSpec


def _of_the_host(kind: str, what: str) -> Rule:
    """Make the rule for a device that gives the VM hardware of its host."""

    @rule(
        f"device.{kind}",
        Severity.BLOCKS,
        f"The VM has {what}, which no other host has; neither it nor its files can be moved with it.",
        remedy="remove the device for the move, and give it one of the new host afterwards",
        source="S8, S58",
    )
    def found(spec: VmSpec, seen: Observation) -> Iterator[Found]:
        for vm in touched(spec, seen):
            for device in devices(vm, kind):
                yield Found(f"{device.label} is {what}")

    return found


def _left_behind(kind: str, what: str) -> Rule:
    """Make the rule for a device that is plugged into the host, and will be missing at the other one."""

    @rule(
        f"device.{kind}",
        Severity.WARNS,
        f"A {what} of the VM is one of its host, and will not be there where it arrives.",
        remedy="remove it from the VM, or reach it over the network",
        source="S58",
    )
    def found(spec: VmSpec, seen: Observation) -> Iterator[Found]:
        for move in leaving(spec, seen):
            for device in devices(move.vm, kind):
                yield Found(f"{device.label} is a {what} of its host {move.vm.host}")

    return found


passthrough: Final = _of_the_host("passthrough", "a PCI device of its host (DirectPath)")
sriov: Final = _of_the_host("sriov", "a virtual function of its host's network card (SR-IOV)")
vgpu: Final = _of_the_host("vgpu", "a share of its host's graphics card (vGPU)")
usb: Final = _left_behind("usb", "USB device")
serial: Final = _left_behind("serial", "serial port")
parallel: Final = _left_behind("parallel", "parallel port")


@rule(
    "device.vtpm",
    Severity.BLOCKS,
    "The VM has a virtual TPM, and only a vCenter with the same key provider can run it.",
    remedy="suspend disk encryption in the guest and remove the TPM for the move; have the guest's recovery keys at hand",
    source="U",
)
def vtpm(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a virtual TPM."""
    for move in leaving(spec, seen):
        for device in devices(move.vm, "vtpm"):
            yield Found(f"{device.label} is a virtual TPM, and {move.there.vcenter} may not have its key provider")


@rule(
    "media.left-behind",
    Severity.WARNS,
    "A CD or floppy drive holds an image on a datastore that does not come along; it would not connect.",
    remedy="disconnect the image",
    source="S58, S59",
)
def image(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find an image on a datastore that the other site does not have."""
    for move in leaving(spec, seen):
        known = {volume.id for volume in move.there.volumes}
        for device in devices(move.vm, "iso", "floppy"):
            if device.file and device.file.volume not in known:
                name = move.here.volume_name(device.file.volume) or device.file.volume
                yield Found(
                    f"{device.label} holds [{name}] {device.file.path}, which {move.there.vcenter} does not show"
                )


@rule(
    "media.host",
    Severity.WARNS,
    "A CD or floppy drive is the host's own; it would be another host's.",
    remedy="set the drive to “client device”, or disconnect it",
    source="S58",
)
def host_media(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a drive that is its host's."""
    for move in leaving(spec, seen):
        for device in devices(move.vm, "hostMedia"):
            yield Found(f"{device.label} is the drive of its host {move.vm.host}")

"""Devices that bind a VM to a host or a file, and disks that stand on another VM's."""

from __future__ import annotations

from typing import Any

import pytest
from pyVmomi import vim

from migration.model import Device, File, Vm
from migration.wanted import Identity
from tests.unit import vsphere_objects as raw
from vsphere.inventory import Inventory
from vsphere.snapshot import Record

DEV: Any = vim.vm.device


def device(kind: Any, backing: Any = None, *, connected: bool | None = None, starts: bool = False) -> Any:
    plug = None
    if connected is not None:
        plug = DEV.VirtualDevice.ConnectInfo(startConnected=starts, connected=connected, allowGuestControl=True)
    label = vim.Description(label="a device", summary="")
    return kind(key=3000, deviceInfo=label, backing=backing, connectable=plug)


def bound(*devices: Any) -> tuple[Device, ...]:
    site = Inventory("source", "vc60", raw.site(raw.machine("vm-1", "app01", config__hardware__device=list(devices))))
    return site.vm(site.matching(Identity("app01"))[0]).devices


def image(path: str) -> dict[str, Any]:
    where = raw.ref(vim.Datastore, "datastore-1") if not path.startswith("[]") else None
    return {"fileName": path, "datastore": where}


CD, FLOPPY, PCI, SERIAL = DEV.VirtualCdrom, DEV.VirtualFloppy, DEV.VirtualPCIPassthrough, DEV.VirtualSerialPort


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (device(CD, CD.AtapiBackingInfo(deviceName="/dev/cdrom"), connected=True), "hostMedia"),
        (device(CD, CD.RemotePassthroughBackingInfo(deviceName="", exclusive=False), connected=True), "hostMedia"),
        (device(FLOPPY, FLOPPY.DeviceBackingInfo(deviceName="/dev/fd0"), connected=True), "hostMedia"),
        (device(PCI, PCI.DeviceBackingInfo(deviceName="card")), "passthrough"),
        (device(PCI, PCI.VmiopBackingInfo(vgpu="grid_m10-8q")), "vgpu"),
        (
            device(DEV.VirtualSCSIPassthrough, DEV.VirtualSCSIPassthrough.DeviceBackingInfo(deviceName="t")),
            "passthrough",
        ),
        (device(DEV.VirtualSriovEthernetCard, connected=True), "sriov"),
        (device(DEV.VirtualUSB), "usb"),
        (device(SERIAL, SERIAL.DeviceBackingInfo(deviceName="/dev/ttyS0")), "serial"),
        (device(SERIAL, SERIAL.PipeBackingInfo(pipeName="p")), "serial"),
        (device(DEV.VirtualParallelPort), "parallel"),
        (device(DEV.VirtualTPM), "vtpm"),
        (device(DEV.VirtualNVDIMM), "other"),
    ],
    ids=lambda value: type(value).__name__.rpartition(".")[2] if not isinstance(value, str) else value,
)
def test_what_binds_a_vm_to_its_host(found: Any, kind: str) -> None:
    assert bound(found) == (Device(kind, "a device"),)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "found",
    [
        device(CD, CD.RemotePassthroughBackingInfo(deviceName="", exclusive=False), connected=False, starts=True),
        device(CD, CD.RemoteAtapiBackingInfo(deviceName=""), connected=False),
        device(FLOPPY, FLOPPY.RemoteDeviceBackingInfo(deviceName=""), connected=False),
        device(CD, CD.IsoBackingInfo(**image("[] /vmimages/tools-isoimages/linux.iso")), connected=True),
        device(SERIAL, SERIAL.URIBackingInfo(serviceURI="telnet://", direction="client")),
        device(SERIAL, SERIAL.ThinPrintBackingInfo()),
        device(DEV.VirtualLsiLogicController),
        device(DEV.VirtualKeyboard),
    ],
    ids=lambda found: type(found.backing or found).__name__.rpartition(".")[2],
)
def test_what_any_host_has_binds_nothing(found: Any) -> None:
    assert bound(found) == ()


@pytest.mark.parametrize(
    ("connected", "starts", "expected"),
    [(True, False, True), (False, True, True), (False, False, False)],
)
def test_an_image_on_a_datastore(connected: bool, starts: bool, expected: bool) -> None:
    iso = device(CD, CD.IsoBackingInfo(**image("[old-fc-01] iso/rhel.iso")), connected=connected, starts=starts)
    flp = device(FLOPPY, FLOPPY.ImageBackingInfo(**image("[old-fc-01] x.flp")), connected=connected, starts=starts)
    assert bound(iso, flp) == (
        Device("iso", "a device", File("vmfs:5678-ab", "iso/rhel.iso"), expected),
        Device("floppy", "a device", File("vmfs:5678-ab", "x.flp"), expected),
    )


# --- linked clones ----------------------------------------------------------------------------------------------------


def layer(path: str, parent: Any = None, datastore: str = "datastore-1", name: str = "old-fc-01") -> Any:
    where = raw.ref(vim.Datastore, datastore)
    kind = DEV.VirtualDisk.FlatVer2BackingInfo
    return kind(fileName=f"[{name}] {path}", datastore=where, diskMode="persistent", parent=parent)


def stacked(*paths: str) -> list[Any]:
    """Return the only disk of a VM, by the files of its layers from the running one down."""
    backing = None
    for path in reversed(paths):
        backing = layer(path, backing)
    disk = raw.disk(2000, "datastore-1", paths[0])
    disk.backing = backing
    return [disk]


def linked(*others: Record, layers: tuple[str, ...], beyond: Inventory | None = None) -> str:
    vm = raw.machine("vm-1", "app01", config__hardware__device=stacked(*layers))
    site = Inventory("source", "vc60", raw.site(vm, *others))
    found: Vm = site.vm(site.matching(Identity("app01"))[0], among=[site, *([beyond] if beyond else [])])
    return found.disks[0].linked


OWN = ("app01/app01-000001.vmdk", "app01/app01.vmdk")
CLONE = ("app01/app01-000001.vmdk", "golden/golden.vmdk")


def golden(**values: Any) -> Record:
    usual = {"config__hardware__device": stacked("golden/golden-000001.vmdk", "golden/golden.vmdk")}
    return raw.machine("vm-9", "golden", **{**usual, **values})


def test_a_disk_on_its_own_snapshots_is_not_linked() -> None:
    assert not linked(golden(), layers=OWN)


def test_a_disk_on_a_layer_of_another_vm_is_linked() -> None:
    elsewhere = golden(config__files__vmPathName="[old-fc-01] other/golden.vmx")
    assert linked(elsewhere, layers=CLONE) == "clone"


def test_a_disk_on_a_file_in_the_directory_of_another_vm_is_linked() -> None:
    assert linked(golden(config__hardware__device=[]), layers=CLONE) == "clone"
    assert not linked(golden(config__hardware__device=[], config__files__vmPathName=None), layers=CLONE)


def test_a_disk_that_others_stand_on_is_their_base() -> None:
    clone = golden(config__hardware__device=stacked("golden/golden-000001.vmdk", "app01/app01.vmdk"))
    assert linked(clone, layers=OWN) == "base"
    assert linked(clone, layers=("app01/app01.vmdk",)) == "base"
    assert linked(golden(config__hardware__device=stacked("app01/app01.vmdk")), layers=("app01/app01.vmdk",)) == "base"


def test_the_same_vm_registered_twice_is_no_other_vm() -> None:
    again = golden(config__instanceUuid="UUID-OF-APP01")
    assert not linked(again, layers=CLONE)


def test_the_other_vm_may_be_at_the_other_site() -> None:
    moved = golden(config__files__vmPathName="[renamed] golden/golden.vmx", config__hardware__device=[])
    shown = raw.vmfs("datastore-1", "renamed", "5678-ab", ("host-1",))
    assert linked(layers=CLONE, beyond=Inventory("target", "vc70", raw.site(shown, moved))) == "clone"
    assert not linked(layers=CLONE)


def test_the_same_path_on_another_volume_is_another_file() -> None:
    far = raw.vmfs("datastore-2", "old-fc-02", "9999-cd", ("host-1",))
    disk = raw.disk(2000, "datastore-2", "golden/golden.vmdk", name="old-fc-02")
    other = golden(
        config__files__vmPathName="[old-fc-02] golden/golden.vmx",
        config__hardware__device=[disk],
        datastore=[raw.ref(vim.Datastore, "datastore-2")],
    )
    assert not linked(far, other, layers=CLONE)

"""What of a VM ought to be its own and may be another's too: MAC addresses, BIOS UUIDs, layers of disks. Pure.

One index per site and edition; "another VM" is one with another instance UUID, at whatever site.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from pyVmomi import vim

from migration.model import File
from vsphere.hardware import devices, layers
from vsphere.machines import instance_uuid, vmx_path
from vsphere.names import decoded
from vsphere.snapshot import Record
from vsphere.surroundings import Surroundings

K = TypeVar("K", str, File)

Owner = tuple[str, str]
"""Instance UUID in lower case, and name."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Who bears what at one site; `directories` are those of the VMs' .vmx files and of the running layers of their disks."""

    site: str
    macs: dict[str, set[Owner]] = field(default_factory=dict)
    bios: dict[str, set[Owner]] = field(default_factory=dict)
    files: dict[File, set[Owner]] = field(default_factory=dict)
    directories: dict[File, set[Owner]] = field(default_factory=dict)

    def add(self, record: Record, around: Surroundings) -> None:
        """Take up one VM. One whose UUID is not known is left out: it may be the very VM that is asked about."""
        uuid = instance_uuid(record).lower()
        if not uuid:
            return
        owner = (uuid, decoded(str(record.get("name", ""))))
        if bios := str(record.get("config.uuid", "")).lower():
            self.bios.setdefault(bios, set()).add(owner)
        for card in devices(record, vim.vm.device.VirtualEthernetCard):
            if card.macAddress:
                self.macs.setdefault(str(card.macAddress).lower(), set()).add(owner)
        for disk in devices(record, vim.vm.device.VirtualDisk):
            for depth, layer in enumerate(layers(disk)):
                file = around.file(str(getattr(layer, "fileName", None) or ""), getattr(layer, "datastore", None))
                self.files.setdefault(file, set()).add(owner)
                if not depth:
                    self.directories.setdefault(_directory(file), set()).add(owner)
        if path := vmx_path(record):
            self.directories.setdefault(_directory(around.file(path)), set()).add(owner)


def linked(among: Iterable[Neighbours], uuid: str, files: Sequence[File]) -> Literal["", "clone", "base"]:
    """Say what a disk of the VM with this instance UUID shares; `files` are its layers, the running one first.

    "base": another VM's disk stands on, or is, a file of its own. "clone": a layer under it belongs to another VM.
    """
    every, me = tuple(among), uuid.lower()
    clone = False
    for depth, file in enumerate(files):
        used = any(_others(one.files, file, me) for one in every)
        owners = {owner for one in every for owner, _ in one.directories.get(_directory(file), ())}
        if used and (me in owners or not owners):
            return "base"
        clone = clone or (depth > 0 and (used or (bool(owners - {me}) and me not in owners)))
    return "clone" if clone else ""


def duplicates(
    among: Iterable[Neighbours], uuid: str, macs: Iterable[str], bios: str, site: str
) -> tuple[Mapping[str, Owner], frozenset[Owner]]:
    """Return, for each of the MAC addresses that another VM bears, (site, name) of one; and those of all with its BIOS UUID.

    A VM at a site other than `site`, where the one that is asked about is, is named first: there the two would meet.
    """
    every = sorted(among, key=lambda one: (one.site == site, one.site))
    twins = frozenset(
        (one.site, name) for one in every for _, name in _others(one.bios, bios.lower(), uuid.lower()) if bios
    )
    found: dict[str, Owner] = {}
    for mac in macs:
        for one in every:
            for name in sorted(name for _, name in _others(one.macs, mac.lower(), uuid.lower())):
                found.setdefault(mac, (one.site, name))
    return found, twins


def _others(index: Mapping[K, set[Owner]], key: K, but: str) -> set[Owner]:
    return {owner for owner in index.get(key, ()) if owner[0] != but}


def _directory(file: File) -> File:
    return File(file.volume, file.path.rpartition("/")[0])

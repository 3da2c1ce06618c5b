"""The words of a migration as plain frozen data: a VM as it is seen.

What is wanted: migration.wanted; what a site offers: migration.observation; what may be done: migration.actions. Nothing here
does I/O. Sizes are GiB, times seconds. A MoRef is short-lived and never appears here: a VM is known by its
instance UUID, a volume by its VMFS UUID (or its NFS address), because names differ between two vCenters that see one LUN.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from migration.lease import Lease
from migration.metadata import NO_METADATA, Metadata, Pool, pools_plain, pools_read, typed

HOME: Final = "home"
"""The key of the .vmx among the files of a VM in `Papers.disks` and `Relocate.to`; a disk's key is its device key."""

TEMPLATE_MARK: Final = "esxodus.template"
"""Custom attribute of a VM that must become a template again. Papers cannot hold it alone: a template cannot be
reconfigured, so between "made a VM" and "papers written" a kill would lose the knowledge that it was one. Its value is the
lease of the run that is at work on it, for which a template has no other place, or "yes"."""

NONE: Final[Mapping[str, str]] = MappingProxyType({})


class Power(enum.StrEnum):
    """Power state, in vSphere's words."""

    ON = "poweredOn"
    OFF = "poweredOff"
    SUSPENDED = "suspended"


class Tools(enum.StrEnum):
    """VMware Tools in the guest. Not running may pass (a guest that boots); not installed does not."""

    RUNNING = "running"
    NOT_RUNNING = "notRunning"
    NOT_INSTALLED = "notInstalled"


class Severity(enum.StrEnum):
    """vCenter's own split: an error where continuity or files are at risk, a warning where something may not reconnect."""

    BLOCKS = "blocks"
    WARNS = "warns"
    INFORMS = "informs"


@dataclass(frozen=True, slots=True)
class Concern:
    """Something an operator should know about one VM (or one site thing) before it is touched.

    `accepted` is the operator's reason to live with it; "" where nobody has accepted it.
    """

    id: str
    severity: Severity
    subject: str
    sentence: str
    remedy: str
    accepted: str = ""

    def __str__(self) -> str:
        """Give the one line shown to the operator."""
        remedy = "" if self.accepted else f" — {self.remedy}"
        return f"{self.subject}: {self.said} [{self.id}]{remedy}"

    @property
    def said(self) -> str:
        """The sentence, with the reason where it is accepted."""
        return f"accepted: {self.sentence} ({self.accepted})" if self.accepted else self.sentence


@dataclass(frozen=True, slots=True, order=True)
class File:
    """A file on a volume, whatever name a site gives the volume: `volume` is its id, `path` such as `app01/app01.vmx`."""

    volume: str
    path: str


@dataclass(frozen=True, slots=True)
class Disk:
    """One virtual disk. `rdm` is empty unless it is a raw device mapping; `written` is what a copy has to move, in GiB.

    `below` are the volumes of what it is a delta of: snapshots, the base of a linked clone. `sharing` says how another VM may
    open it too. `linked`: a layer under it belongs to another VM ("clone"), or another VM's disk stands on it ("base").
    """

    key: int
    label: str
    file: File
    capacity: float
    written: float = 0.0
    mode: str = "persistent"
    rdm: Literal["", "physical", "virtual"] = ""
    below: frozenset[str] = frozenset()
    sharing: Literal["", "multiWriter", "bus"] = ""
    linked: Literal["", "clone", "base"] = ""


@dataclass(frozen=True, slots=True)
class Device:
    """A device that binds the VM to a host or to a file beside its disks; `file` is that of an image on a datastore.

    `connected`: now, or at power-on.
    """

    kind: Literal[
        "iso", "floppy", "hostMedia", "passthrough", "sriov", "vgpu", "usb", "serial", "parallel", "vtpm", "other"
    ]
    label: str
    file: File | None = None
    connected: bool = True


@dataclass(frozen=True, slots=True)
class Nic:
    """One network card; `network` is the name its site shows, `connected` whether it connects at power-on."""

    key: int
    label: str
    mac: str
    network: str
    connected: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """A question a VM is stuck at. `choices` maps the key to answer with to the label."""

    id: str
    text: str
    message_ids: tuple[str, ...]
    choices: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Papers:
    """What only the vCenter that a VM leaves knows of it, carried in the VM's own extra config, hence in its .vmx.

    `transit` holds from before the VM leaves until it is restored where it arrives; after arrival at the target the papers
    stay, because the way back needs them. Place, `nics` (the network of each card) and `disks` (the volume of each file:
    "home" for the .vmx, else the disk's key) are those at the source; `leaving` is the site at which it
    was last whole. `tools` and `addresses` are what its guest had when it left; `healthy`: it was found well after arrival.
    """

    leaving: str
    transit: bool
    power: Power
    template: bool
    datacenter: str
    cluster: str
    folder: str
    pool: str
    host: str
    nics: Mapping[str, str]
    disks: Mapping[str, str]
    attributes: Mapping[str, str]
    metadata: Metadata = NO_METADATA
    pools: tuple[Pool, ...] = ()
    tools: bool = False
    addresses: tuple[str, ...] = ()
    healthy: bool = False

    def dumps(self) -> str:
        """Return the one-line JSON that is stored."""
        plain = {**asdict(self), "metadata": self.metadata.plain(), "pools": pools_plain(self.pools)}
        return json.dumps(plain, sort_keys=True, ensure_ascii=True, separators=(",", ":"))

    def places(self, disks: Iterable[Disk]) -> dict[str, str]:
        """Return the volume at the source that each file belongs on; a disk that was added since goes beside the .vmx."""
        return {key: self.disks.get(key, self.disks[HOME]) for key in (HOME, *(str(disk.key) for disk in disks))}

    @classmethod
    def loads(cls, text: str) -> Papers | None:
        """Return the papers in `text`, or None where it does not hold any (a person edited them, or another tool)."""
        try:
            data = json.loads(text)
            json.dumps(data, ensure_ascii=False).encode()  # half a character could not be sent to a vCenter again
            data["power"] = Power(data["power"])
            for name in ("nics", "disks", "attributes"):
                data[name] = {str(key): str(value) for key, value in data[name].items()}
            data["metadata"] = Metadata.read(data.get("metadata", {}))
            data["pools"] = pools_read(data.get("pools", ()))
            data["addresses"] = tuple(str(address) for address in data.get("addresses", ()))
            return typed(cls, data)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class Needs:
    """What a host must have for a VM: GiB of memory, vCPUs, reserved MHz, virtual hardware. 0: nothing, or not known."""

    memory: float = 0.0
    cpus: int = 0
    mhz: float = 0.0
    hardware: int = 0

    def at_rest(self) -> Needs:
        """Return what is left while the VM is off: a host may have fewer processors than a VM that it does not run."""
        return Needs(hardware=self.hardware)


NO_NEEDS: Final = Needs()


@dataclass(frozen=True, slots=True)
class InFlight:
    """A task that vCenter is running on a VM and that this process does not follow (an earlier run's, or a person's)."""

    key: str
    name: str
    progress: int | None = None


@dataclass(frozen=True, slots=True)
class Vm:
    """A VM as one site has it registered. Memory and its reservation are GiB, the CPU's reservation MHz.

    `evc` is the mode that one that runs or is suspended needs at least; `depth` the longest chain of snapshots; `addresses`
    are the IP addresses that VMware Tools report, link-local ones left out; `pools` are its resource pool and those around
    it, outermost first; `pinned` says what binds it to processors or memory nodes ("CPU affinity"), "" where nothing does;
    `locked` holds the methods that somebody, such as a backup product, has disabled; `lease` says which run is at work on it.
    """

    site: str
    name: str
    instance_uuid: str
    bios_uuid: str
    vmx: File
    power: Power
    datacenter: str = ""
    cluster: str = ""
    folder: str = ""
    pool: str = ""
    host: str = ""
    template: bool = False
    disks: tuple[Disk, ...] = ()
    nics: tuple[Nic, ...] = ()
    notes: str = ""
    attributes: Mapping[str, str] = field(default_factory=lambda: NONE)
    papers: Papers | None = None
    hardware: int = 0
    memory: float = 0.0
    snapshots: int = 0
    tools: Tools = Tools.NOT_INSTALLED
    question: Question | None = None
    in_flight: InFlight | None = None
    vapp: bool = False
    evc: str = ""
    cpus: int = 0
    cpu_reservation: float = 0.0
    memory_reservation: float = 0.0
    depth: int = 0
    addresses: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    pinned: str = ""
    latency_sensitive: bool = False
    fault_tolerant: bool = False
    encrypted: bool = False
    tools_installer: bool = False
    consolidation: bool = False
    change_tracking: bool = False
    locked: tuple[str, ...] = ()
    metadata: Metadata = NO_METADATA
    pools: tuple[Pool, ...] = ()
    reachable: bool = True  # False: vCenter shows it orphaned, inaccessible, invalid or disconnected
    lease: Lease | None = None

    @property
    def on_its_way(self) -> bool:
        """Whether it has left where it was and is not yet restored where it arrives; a template no longer is."""
        return self.papers is not None and self.papers.transit and not self.template

    @property
    def from_template(self) -> bool:
        """Whether it is to be a template where it arrives: its mark says so, or the papers that it is on its way with."""
        return TEMPLATE_MARK in self.attributes or bool(self.papers and self.papers.transit and self.papers.template)

    @property
    def held_by(self) -> Lease | None:
        """What it says of the run that is at work on it, wherever it says that."""
        return self.lease or Lease.loads(self.attributes.get(TEMPLATE_MARK, ""))

    @property
    def unrestored(self) -> Papers | None:
        """Its papers, where it has come to this site and is not restored yet: they know its place better than vCenter."""
        return self.papers if self.papers and self.papers.transit and self.papers.leaving != self.site else None

    @property
    def needs(self) -> Needs:
        """What a host must have to run it."""
        return Needs(self.memory, self.cpus, self.cpu_reservation, self.hardware)

    @property
    def volumes(self) -> frozenset[str]:
        """The volumes that hold any of its files."""
        chains = frozenset[str]().union(*(disk.below for disk in self.disks))
        return frozenset({self.vmx.volume, *(disk.file.volume for disk in self.disks)}) | chains


@dataclass(frozen=True, slots=True)
class Adrift:
    """A VM registered nowhere, found by its .vmx on a volume."""

    name: str
    instance_uuid: str
    vmx: File
    volumes: frozenset[str]
    papers: Papers | None
    nics: tuple[Nic, ...] = ()
    needs: Needs = NO_NEEDS
    last: Vm | None = None  # the VM as it was when registered, where that is known (in plans)
    lease: Lease | None = None

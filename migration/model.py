"""The words of a migration as plain frozen data: what is wanted and what is seen (what may be done: migration.actions).

Nothing here does I/O. Sizes are GiB, times seconds. A MoRef is short-lived and never appears here: a VM is known by its
instance UUID, a volume by its VMFS UUID (or its NFS address), because names differ between two vCenters that see one LUN.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal

HOME: Final = "home"
"""The key of the .vmx among the files of a VM in `Papers.disks` and `Relocate.to`; a disk's key is its device key."""

TEMPLATE_MARK: Final = "esxodus.template"
"""Custom attribute of a VM that must become a template again. Papers cannot hold it alone: a template cannot be
reconfigured, so between "made a VM" and "papers written" a kill would lose the knowledge that it was one."""

NONE: Final[Mapping[str, str]] = MappingProxyType({})


class Stage(enum.StrEnum):
    """Where a VM is wanted; ordered from the old site to the new array."""

    SOURCE = "source"
    REHOSTED = "rehosted"
    MIGRATED = "migrated"


class Method(enum.StrEnum):
    """How a VM gets across. `auto` chooses per VM, with reasons."""

    AUTO = "auto"
    REATTACH = "reattach"


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
    """Something an operator should know about one VM (or one site thing) before it is touched."""

    id: str
    severity: Severity
    subject: str
    sentence: str
    remedy: str

    def __str__(self) -> str:
        """Give the one line shown to the operator."""
        return f"{self.subject}: {self.sentence} [{self.id}] — {self.remedy}"


# --- what is wanted ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom we mean: a name, and the instance UUID once it is known or given."""

    name: str
    instance_uuid: str = ""


@dataclass(frozen=True, slots=True)
class VmSpec:
    """What one VM should become; written by the operator, never by us.

    `old_volumes` and `new_volumes` are datastore names as the source and the target site show them.
    `networks` maps the source's network names to the target's. `declared_networks` will exist at the target even if a
    preview runs before they do.
    """

    identity: Identity
    stage: Stage
    method: Method = Method.AUTO
    source: str = "source"
    target: str = "target"
    datacenter: str = ""
    cluster: str = ""
    old_volumes: tuple[str, ...] = ()
    new_volumes: tuple[str, ...] = ()
    networks: Mapping[str, str] = field(default_factory=lambda: NONE)
    declared_networks: tuple[str, ...] = ()
    shutdown_timeout: float = 300.0
    on_shutdown_timeout: Literal["powerOff", "stop"] = "stop"

    @property
    def home(self) -> str:
        """The site at which the VM is wanted."""
        return self.source if self.stage is Stage.SOURCE else self.target


# --- what is seen -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class File:
    """A file on a volume, whatever name a site gives the volume: `volume` is its id, `path` such as `app01/app01.vmx`."""

    volume: str
    path: str


@dataclass(frozen=True, slots=True)
class Disk:
    """One virtual disk. `rdm` is empty unless it is a raw device mapping; `written` is what a copy has to move, in GiB."""

    key: int
    label: str
    file: File
    capacity: float
    written: float = 0.0
    mode: str = "persistent"
    rdm: Literal["", "physical", "virtual"] = ""
    below: frozenset[str] = frozenset()  # the volumes of what it is a delta of: snapshots, the base of a linked clone
    shared: bool = False  # with another VM: multi-writer, or on a controller that shares its bus


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
    was last whole.
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

    def dumps(self) -> str:
        """Return the one-line JSON that is stored."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=True, separators=(",", ":"))

    @classmethod
    def loads(cls, text: str) -> Papers | None:
        """Return the papers in `text`, or None where it does not hold any (a person edited them, or another tool)."""
        try:
            data = json.loads(text)
            data["power"] = Power(data["power"])
            for name in ("nics", "disks", "attributes"):
                data[name] = {str(key): str(value) for key, value in data[name].items()}
            return cls(**data)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


@dataclass(frozen=True, slots=True)
class InFlight:
    """A task that vCenter is running on a VM and that this process does not follow (an earlier run's, or a person's)."""

    key: str
    name: str
    progress: int | None = None


@dataclass(frozen=True, slots=True)
class Vm:
    """A VM as one site has it registered."""

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
    reachable: bool = True  # False: vCenter shows it orphaned, inaccessible, invalid or disconnected

    @property
    def unrestored(self) -> Papers | None:
        """Its papers, where it has come to this site and is not restored yet: they know its place better than vCenter."""
        return self.papers if self.papers and self.papers.transit and self.papers.leaving != self.site else None

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
    last: Vm | None = None  # the VM as it was when registered, where that is known (in plans)


@dataclass(frozen=True, slots=True)
class Host:
    """A host as a site shows it; `networks` and `volumes` are what a VM on it can reach. Memory in GiB."""

    name: str
    cluster: str
    usable: bool = True  # connected and not in maintenance mode
    vms: int = 0
    free_memory: float = 0.0
    networks: frozenset[str] = frozenset()
    volumes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Volume:
    """A datastore as a site shows it. `id` is the same at every site; GiB."""

    id: str
    name: str
    free: float = 0.0
    capacity: float = 0.0


@dataclass(frozen=True, slots=True)
class SiteView:
    """What one site offers to a VM."""

    name: str
    vcenter: str
    hosts: tuple[Host, ...] = ()
    volumes: tuple[Volume, ...] = ()
    networks: frozenset[str] = frozenset()
    hardware: int = 0  # the highest virtual hardware that its oldest host runs; 0: not known

    def volume_id(self, name: str) -> str | None:
        """Return the id of the volume that this site calls `name`."""
        return next((volume.id for volume in self.volumes if volume.name == name), None)

    def volume_name(self, volume_id: str) -> str | None:
        """Return what this site calls the volume."""
        return next((volume.name for volume in self.volumes if volume.id == volume_id), None)


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything `decide` may know about one VM. `vms` holds each registration, at whatever site, that matches its identity.

    `overdue` is set once a guest shutdown has been asked for and its time limit has passed. `namesakes` says where other VMs
    bear its name: (site, folder), in whatever datacenter.
    """

    vms: tuple[Vm, ...]
    sites: Mapping[str, SiteView]
    adrift: tuple[Adrift, ...] = ()
    overdue: bool = False
    namesakes: frozenset[tuple[str, str]] = frozenset()

    @property
    def vm(self) -> Vm | None:
        """The VM, where exactly one registration was found."""
        return self.vms[0] if len(self.vms) == 1 else None

    def volume_ids(self, site: str, names: tuple[str, ...]) -> frozenset[str]:
        """Return the ids of the volumes that `site` calls by these names, leaving out those it does not show."""
        view = self.sites.get(site)
        return frozenset(volume.id for volume in view.volumes if volume.name in names) if view else frozenset()

    def overdue_now(self) -> Observation:
        """Return the same observation, with the shutdown's time limit passed."""
        return replace(self, overdue=True)

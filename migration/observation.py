"""What one look at the sites says about one VM: the VM, and what each site offers it. Plain frozen data; GiB, MHz, seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from migration.lease import Lease
from migration.model import NONE, Adrift, Vm


@dataclass(frozen=True, slots=True)
class License:
    """A licence, or the time of an evaluation.

    It ends in `left` seconds, at `expires` by our clock (seconds since 1970); None: never. `features` are the keys of what it
    allows; none: it does not tell.
    """

    name: str
    evaluation: bool = False
    left: float | None = None
    expires: float | None = None
    features: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Host:
    """A host as a site shows it; `networks` and `volumes` are what a VM on it can reach.

    `free_memory` is what running VMs may not come to use. `evc` are all EVC modes that a VM on it may need; `vmotion`: it is
    set up for vMotion; `links` is how many vMotions its network bears at once (4 on 1 GbE, 8 on 10 GbE). `threads` are its
    logical processors, `mhz` what all its cores have together, `free_mhz` what of it no running VM has reserved; `hardware` is
    the highest virtual hardware that it runs. A 0 of these, or of `memory`, is not known. `ahead` is how many seconds its clock
    is ahead of ours, `timed` whether time servers set it; None: not known.
    """

    name: str
    cluster: str
    usable: bool = True  # connected and not in maintenance mode
    vms: int = 0
    free_memory: float = 0.0
    networks: frozenset[str] = frozenset()
    volumes: frozenset[str] = frozenset()
    version: str = ""
    memory: float = 0.0
    evc: frozenset[str] = frozenset()
    vmotion: bool = True
    links: int = 4
    build: str = ""
    threads: int = 0
    mhz: float = 0.0
    free_mhz: float = 0.0
    hardware: int = 0
    ahead: float | None = None
    timed: bool | None = None
    license: License | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster as a site shows it.

    HA's admission control keeps `memory_reserve` of its memory and `cpu_reserve` of its MHz free, as parts of 1; 0: none.
    `spare`: that is what so many of its hosts have; 0: it does not go by hosts.
    """

    name: str
    evc: str = ""
    ha: bool = False
    drs: bool = False
    memory_reserve: float = 0.0
    cpu_reserve: float = 0.0
    spare: int = 0


@dataclass(frozen=True, slots=True)
class Volume:
    """A datastore as a site shows it. `id` is the same at every site. `kind` is "VMFS", "NFS", …; `version` that of VMFS.

    `local`: on a disk of one host; `storage_drs`: in a datastore cluster that moves files; `sioc`: Storage I/O Control is on.
    """

    id: str
    name: str
    free: float = 0.0
    capacity: float = 0.0
    kind: str = "VMFS"
    version: str = ""
    local: bool = False
    storage_drs: bool = False
    sioc: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """A volume, by its id and the name that the site gives it, that usable `hosts` have mounted and cannot reach.

    `reason` is in vSphere's words, such as AllPathsDown_Start; "" where it gives none.
    """

    volume: str
    name: str
    hosts: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SiteView:
    """What one site offers to a VM.

    `distributed` holds the version of the switch of each distributed port group, by name. `skew` is how many seconds its clock
    is ahead of ours. `lacking` are (object, privilege) that our user would need there and has not. `tagging`: it has tags that
    we can read. `lost` are the volumes that hosts have mounted and cannot reach now.
    """

    name: str
    vcenter: str
    hosts: tuple[Host, ...] = ()
    volumes: tuple[Volume, ...] = ()
    networks: frozenset[str] = frozenset()
    version: str = ""
    build: str = ""
    clusters: tuple[Cluster, ...] = ()
    distributed: Mapping[str, str] = field(default_factory=lambda: NONE)
    roles: frozenset[str] = frozenset()
    skew: float = 0.0
    lacking: tuple[tuple[str, str], ...] = ()
    tagging: bool = False
    license: License | None = None
    lost: tuple[Lost, ...] = ()

    def cluster(self, name: str) -> Cluster | None:
        """Return the cluster of this name."""
        return next((cluster for cluster in self.clusters if cluster.name == name), None)

    def volume_id(self, name: str) -> str | None:
        """Return the id of the volume that this site calls `name`."""
        return next((volume.id for volume in self.volumes if volume.name == name), None)

    def volume_name(self, volume_id: str) -> str | None:
        """Return what this site calls the volume."""
        return next((volume.name for volume in self.volumes if volume.id == volume_id), None)


@dataclass(frozen=True, slots=True)
class SoFar:
    """What this run has done or found out about one VM that no site can show; another run finds it out anew.

    `overdue`: its guest was asked to shut down and the time limit has passed; `prepared`: the hook before its departure has
    ended well; `restored`: what could be restored of its metadata was; `checked`: its guest was found well, else `unhealthy`
    says what was wrong; `received`: the hook after its arrival has ended well. `run` is this run's id, "" where nothing will be
    done; `void` is a lease of another run that counts for nothing.
    """

    overdue: bool = False
    prepared: bool = False
    restored: bool = False
    checked: bool = False
    unhealthy: tuple[str, ...] = ()
    received: bool = False
    run: str = ""
    void: Lease | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything `decide` may know about one VM. `vms` holds each registration, at whatever site, that matches its identity.

    `namesakes` says where other VMs bear its name, in whatever case: (site, datacenter, folder). `macs` holds, for each of
    its MAC addresses that another VM bears too, (site, that VM's name); `twins` are (site, name) of VMs with its BIOS UUID.
    `partners` are the instance UUIDs of those VMs that its DRS rules are about which have arrived where it is. `unreadable`
    are (site, name) of VMs of which their vCenter cannot say which files they have.
    """

    vms: tuple[Vm, ...]
    sites: Mapping[str, SiteView]
    adrift: tuple[Adrift, ...] = ()
    so_far: SoFar = SoFar()
    namesakes: frozenset[tuple[str, str, str]] = frozenset()
    macs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    twins: frozenset[tuple[str, str]] = frozenset()
    partners: frozenset[str] = frozenset()
    unreadable: tuple[tuple[str, str], ...] = ()

    @property
    def vm(self) -> Vm | None:
        """The VM, where exactly one registration was found."""
        return self.vms[0] if len(self.vms) == 1 else None

    @property
    def twice(self) -> bool:
        """Several registrations of one VM were found, at one site or at both."""
        return len(self.vms) > 1 and len({vm.instance_uuid for vm in self.vms}) == 1

    @property
    def ending(self) -> Vm | None:
        """The registration with a task in flight, where there are several: so a move between vCenters may look at its end."""
        return next((vm for vm in self.vms if vm.in_flight), None) if self.twice else None

    @property
    def lease(self) -> Lease | None:
        """What the VM says of the run that is at work on it."""
        found = [vm.held_by for vm in self.vms] + [one.lease for one in self.adrift]
        return found[0] if len(found) == 1 else None

    @property
    def holder(self) -> Lease | None:
        """The lease of another run that must be left to its work."""
        lease, so_far = self.lease, self.so_far
        return None if lease is None or lease.run == so_far.run or lease.voided(so_far.void) else lease

    def volume_ids(self, site: str, names: tuple[str, ...]) -> frozenset[str]:
        """Return the ids of the volumes that `site` calls by these names, leaving out those it does not show."""
        view = self.sites.get(site)
        return frozenset(volume.id for volume in view.volumes if volume.name in names) if view else frozenset()

    def knowing(self, **found: Any) -> Observation:
        """Return the same observation, with these fields of `so_far` changed."""
        return replace(self, so_far=replace(self.so_far, **found))

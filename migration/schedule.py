"""What may run at once, and where it goes. Pure: `converge` holds the lock.

vCenter's own cost model of provisioning (vsphere-facts: S33, S34, documented up to 6.7): a host may bear 8, a datastore 128; a
Storage vMotion costs 4 on its host and 16 on each datastore it touches, a cold relocation 1 on its host. vCenter queues what
does not fit; staying below its queue lets our time limits measure work instead of waiting. Power, register and reconfigure
cost nothing there, and here: a guest that is down must never wait behind somebody's copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from migration.actions import Action, Cross, Placed, Register, Relocate
from migration.model import Concern, Power, Severity, Vm
from migration.observation import Host, Observation, SiteView

HOST_LIMIT: Final = 8
VOLUME_LIMIT: Final = 128
STORAGE_VMOTION: Final = (4, 16)
"""Cost on the host and on each datastore."""
COLD: Final = 1
"""Cost on the host of relocating a powered-off VM; its datastores read and write the same, so there it counts alike."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an action takes while it runs: units by host (`site/host`) and by volume id, and GiB reserved on a volume."""

    hosts: Mapping[str, int] = field(default_factory=dict)
    volumes: Mapping[str, int] = field(default_factory=dict)
    reserved: Mapping[str, float] = field(default_factory=dict)
    registrations: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Load:
    """What all running actions take together."""

    costs: tuple[Cost, ...] = ()

    def add(self, cost: Cost) -> Load:
        """Return the load with one more action."""
        return replace(self, costs=(*self.costs, cost))

    def remove(self, cost: Cost) -> Load:
        """Return the load with that action ended."""
        kept = list(self.costs)
        kept.remove(cost)
        return replace(self, costs=tuple(kept))

    def host(self, key: str) -> int:
        """Return the units taken on a host."""
        return sum(cost.hosts.get(key, 0) for cost in self.costs)

    def volume(self, key: str) -> int:
        """Return the units taken on a volume."""
        return sum(cost.volumes.get(key, 0) for cost in self.costs)

    def reserved(self, key: str) -> float:
        """Return the GiB that running copies will still take on a volume, at most."""
        return sum(cost.reserved.get(key, 0.0) for cost in self.costs)

    def registrations(self, key: str) -> int:
        """Return the registrations under way on a host."""
        return sum(cost.registrations.get(key, 0) for cost in self.costs)

    def fits(self, cost: Cost) -> bool:
        """Say whether one more action stays within every limit."""
        return all(self.host(key) + units <= HOST_LIMIT for key, units in cost.hosts.items()) and all(
            self.volume(key) + units <= VOLUME_LIMIT for key, units in cost.volumes.items()
        )


@dataclass(frozen=True, slots=True)
class Admitted:
    """An action may start now, here, at this cost."""

    placed: Placed
    cost: Cost


@dataclass(frozen=True, slots=True)
class Later:
    """It must wait until something else has ended."""


@dataclass(frozen=True, slots=True)
class Nowhere:
    """There is no place for it, however long it waits."""

    concern: Concern


def admit(name: str, action: Action, vm: Vm | None, seen: Observation, load: Load) -> Admitted | Later | Nowhere:
    """Choose a place for the action of VM `name` and say whether it may start now."""
    match action:
        case Register():
            return _admit_register(name, action, seen, load)
        case Cross() if vm is not None:
            return _admit_cross(name, action, vm, seen, load)
        case Relocate() if vm is not None:
            return _admit_relocate(name, action, vm, seen, load)
        case _:
            return Admitted(Placed(), Cost())


def _admit_register(name: str, action: Register, seen: Observation, load: Load) -> Admitted | Later | Nowhere:
    """Choose the host: the one it came from where that is usable, else the one with the fewest VMs."""
    view = seen.sites[action.site]
    able = [host for host in view.hosts if can_run(host, action.cluster, action.volumes, action.networks)]
    if action.only:
        able = [host for host in able if host.name == action.host]
    if not able:
        return Nowhere(no_host(name, view, action.volumes, action.networks))
    best = min(able, key=lambda host: _host_order(host, action, load))
    return Admitted(Placed(host=best.name), Cost(registrations={f"{action.site}/{best.name}": 1}))


def no_host(name: str, view: SiteView, volumes: frozenset[str], networks: frozenset[str]) -> Concern:
    """Return what the operator should know where no host can take the VM."""
    stores = ", ".join(view.volume_name(volume) or volume for volume in sorted(volumes))
    return Concern(
        "host.none-able",
        Severity.BLOCKS,
        name,
        f"no usable host of {view.vcenter} sees both its datastores ({stores}) and its networks "
        f"({', '.join(sorted(networks)) or 'none'})",
        "bring a host back from maintenance, mount the datastores and networks on one, then run again",
    )


def can_run(host: Host, cluster: str, volumes: frozenset[str], networks: frozenset[str]) -> bool:
    """Say whether a VM with these files and networks can be run by the host."""
    in_cluster = not cluster or host.cluster == cluster
    return host.usable and in_cluster and volumes <= host.volumes and networks <= host.networks


def _host_order(host: Host, action: Register | Cross, load: Load) -> tuple[bool, int, float, str]:
    """Order hosts: the preferred one, then the fewest VMs (those being registered included), then the most free memory."""
    busy = host.vms + load.registrations(f"{action.site}/{host.name}")
    return (host.name != action.host, busy, -host.free_memory, host.name)


def _admit_relocate(name: str, action: Relocate, vm: Vm, seen: Observation, load: Load) -> Admitted | Later | Nowhere:
    """Choose the datastore: the one with the most space left once the running copies have ended."""
    view = seen.sites[vm.site]
    needed = sum(disk.capacity for disk in vm.disks)  # thin disks may grow: what counts is what they may become
    if action.to:
        targets = sorted(set(action.to.values()))
        cost = _copy_cost(vm, targets, {})
        return Admitted(Placed(), cost) if load.fits(cost) else Later()
    mounted = next((host.volumes for host in view.hosts if host.name == vm.host), frozenset[str]())
    room = {
        volume.id: volume.free - load.reserved(volume.id) - action.reserve * volume.capacity
        for volume in view.volumes
        if volume.id in action.candidates and volume.id in mounted
    }
    if not room:
        names = ", ".join(view.volume_name(volume) or volume for volume in action.candidates)
        return Nowhere(
            Concern(
                "datastore.not-on-host",
                Severity.BLOCKS,
                name,
                f"its host {vm.host} has mounted none of the new datastores ({names})",
                "present and mount them there, or move the VM to a host that has them, then run again",
            )
        )
    size = action.size + (vm.memory if vm.power is Power.ON else 0.0)  # its swap file goes along
    enough = [key for key, free in room.items() if free >= size]
    if not enough:
        if any(load.reserved(key) for key in room):
            return Later()
        best = max(room.values(), default=0.0)
        return Nowhere(_too_small(name, size, needed, best))
    for key in sorted(enough, key=lambda key: (-room[key], key)):
        cost = _copy_cost(vm, [key], {key: size})
        if load.fits(cost):
            return Admitted(Placed(volume=key), cost)
    return Later()


def _admit_cross(name: str, action: Cross, vm: Vm, seen: Observation, load: Load) -> Admitted | Later | Nowhere:
    """Choose host and datastore at the other vCenter together: the emptiest host that can take it, then the most room."""
    view = seen.sites[action.site]
    stay = not (action.to or action.candidates)
    needed = vm.volumes if stay else frozenset(action.to.values())
    networks = frozenset(action.nics.values())
    able = [host for host in view.hosts if can_run(host, action.cluster, needed, networks)]
    if action.live:
        able = [host for host in able if host.vmotion and (not vm.evc or vm.evc in host.evc)]
    if action.only:
        able = [host for host in able if host.name == action.host]
    if not able:
        return Nowhere(no_host(name, view, needed, networks))
    size = action.size + (vm.memory if vm.power is Power.ON else 0.0)
    short = 0.0
    later = False
    for host in sorted(able, key=lambda host: _host_order(host, action, load)):
        rooms = {
            volume.id: volume.free - load.reserved(volume.id) - action.reserve * volume.capacity
            for volume in view.volumes
            if volume.id in action.candidates and volume.id in host.volumes
        }
        choices = sorted(rooms, key=lambda key: (-rooms[key], key)) if action.candidates else [""]
        for key in choices:
            if key and rooms[key] < size:
                short = max(short, rooms[key])
                later = later or bool(load.reserved(key))
                continue
            cost = _cross_cost(vm, action, host, key, size)
            if load.fits(cost):
                return Admitted(Placed(host.name, key), cost)
            later = True
    if later:
        return Later()
    return Nowhere(_too_small(name, size, sum(disk.capacity for disk in vm.disks), short))


def _cross_cost(vm: Vm, action: Cross, host: Host, volume: str, size: float) -> Cost:
    """Return the cost at both ends: with files 4 on each host and 16 on each datastore, without 1; a vMotion network 1."""
    stay = not (action.to or action.candidates)
    units = 1 if stay or not action.live else STORAGE_VMOTION[0]
    touched = vm.volumes | ({volume} if volume else frozenset(action.to.values()))
    ends = (f"{vm.site}/{vm.host}", f"{action.site}/{host.name}")
    return Cost(
        hosts=dict.fromkeys(ends, units),
        volumes=dict.fromkeys(touched, 1 if stay else STORAGE_VMOTION[1]),
        reserved={volume: size} if volume else {},
        registrations={ends[1]: 1},
    )


def _too_small(name: str, size: float, whole: float, best: float) -> Concern:
    return Concern(
        "datastore.too-small",
        Severity.BLOCKS,
        name,
        f"it needs {size:.1f} GiB (up to {whole:.0f} GiB); the new datastore with the most room has "
        f"{max(best, 0.0):.1f} GiB beyond its reserve",
        "enlarge or add a new datastore, then run again",
    )


def _copy_cost(vm: Vm, targets: list[str], reserved: Mapping[str, float]) -> Cost:
    """Return the cost of copying the VM's files: its host, every volume read, every volume written."""
    host, volume = STORAGE_VMOTION
    touched = vm.volumes | set(targets)
    return Cost(
        {f"{vm.site}/{vm.host}": host if vm.power is Power.ON else COLD}, dict.fromkeys(touched, volume), reserved
    )

"""Where an action may go, and whether it may start there now. Pure: `migration.admission` holds the lock.

What it costs is vCenter's own cost model (migration.load): a Storage vMotion takes 4 on its host and 16 on each datastore it
touches, a vMotion 1 on host, datastore and network at either end, one that takes its files along both together, a cold copy 1
on its host. Power, register and reconfigure cost nothing there, and here: a guest that is down must never wait behind
somebody's copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from migration import live
from migration.actions import Action, Cross, Placed, Register, Relocate
from migration.load import HOST_LIMIT, VOLUME_LIMIT, Cost, Load
from migration.model import HOME, Concern, Needs, Power, Severity, Vm
from migration.observation import Host, Observation, SiteView

STORAGE_VMOTION: Final = (4, 16)
"""Cost on the host and on each datastore."""
SHARED: Final = (1, 1)
"""Cost, on the host and on each datastore, of a move that leaves the files where they are."""
COPIES: Final = frozenset({"VirtualMachine.relocate", "VirtualMachine.migrate", "VirtualMachine.clone"})
"""Tasks that vCenter counts, by their description."""
COLD: Final = 1
"""Cost on the host of relocating a powered-off VM; its datastores read and write the same, so there it counts alike."""


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
    found = ways(name, action, vm, seen, load)
    if isinstance(found, Nowhere):
        return found
    limits = links(seen) if isinstance(action, Cross) else {}
    return next((way for way in found if load.fits(way.cost, limits)), Later())


def ways(name: str, action: Action, vm: Vm | None, seen: Observation, load: Load) -> Iterator[Admitted] | Nowhere:
    """Return every place for the action and what it costs there, best first, whether or not it fits just now.

    There is none for the moment where running copies hold the room that it needs.
    """
    match action:
        case Register():
            return _ways_to_register(name, action, seen, load)
        case Cross() if vm is not None:
            return _ways_across(name, action, vm, seen, load)
        case Relocate() if vm is not None:
            return _ways_to_relocate(name, action, vm, seen, load)
        case _:
            return iter((Admitted(Placed(), Cost()),))


def stuck(action: Relocate | Cross, vm: Vm, load: Load) -> bool:
    """Say whether it cannot start now wherever it goes, because where it is bears no more: far cheaper than `admit`."""
    host, volume = _units(action, vm)
    return load.host(f"{vm.site}/{vm.host}") + host > HOST_LIMIT or any(
        load.volume(key) + volume > VOLUME_LIMIT for key in vm.volumes
    )


def foreign(vm: Vm) -> Cost | None:
    """Return what a task takes that an earlier run or a person started on the VM, as far as it shows: not where it goes."""
    if vm.in_flight is None or vm.in_flight.name not in COPIES:
        return None
    host, volume = STORAGE_VMOTION
    return Cost({f"{vm.site}/{vm.host}": host if vm.power is Power.ON else COLD}, dict.fromkeys(vm.volumes, volume))


def links(seen: Observation) -> dict[str, int]:
    """Return how many vMotions the network of each host bears at once."""
    return {f"{view.name}/{host.name}": host.links for view in seen.sites.values() for host in view.hosts}


def _ways_to_register(name: str, action: Register, seen: Observation, load: Load) -> Iterator[Admitted] | Nowhere:
    view = seen.sites[action.site]
    able = [host for host in view.hosts if can_run(host, action.cluster, action.volumes, action.networks)]
    if action.only:
        able = [host for host in able if host.name == action.host]
    if not able:
        return Nowhere(no_host(name, view, action.volumes, action.networks))
    needs = action.needs
    # What is registered can be changed until it runs; what is registered nowhere cannot.
    fit = [host for host in able if suffices(host, needs)] or able
    best = min(fit, key=lambda host: _host_order(host, view, action.host, needs, load))
    key = f"{action.site}/{best.name}"
    cost = Cost(registrations={key: 1}, memory={key: needs.memory}, mhz={key: needs.mhz})
    return iter((Admitted(Placed(host=best.name), cost),))


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


def _too_small_hosts(name: str, view: SiteView, needs: Needs) -> Concern:
    wanted = ((needs.cpus, "logical processors"), (needs.mhz, "MHz"), (needs.hardware, "as virtual hardware"))
    return Concern(
        "host.none-able",
        Severity.BLOCKS,
        name,
        f"no usable host of {view.vcenter} that sees its datastores and networks has all that it needs "
        f"({', '.join(f'{number:g} {what}' for number, what in wanted if number)})",
        "give it fewer vCPUs or a smaller CPU reservation, or let other hosts see its datastores and networks, then run again",
    )


def can_run(host: Host, cluster: str, volumes: frozenset[str], networks: frozenset[str]) -> bool:
    """Say whether the host sees these files and networks, and takes VMs."""
    in_cluster = not cluster or host.cluster == cluster
    return host.usable and in_cluster and volumes <= host.volumes and networks <= host.networks


def suffices(host: Host, needs: Needs) -> bool:
    """Say whether the host has the processors, and runs the virtual hardware; what is not known of it is no obstacle."""
    pairs = ((host.threads, needs.cpus), (host.mhz, needs.mhz), (host.hardware, needs.hardware))
    return all(need <= has or not has for has, need in pairs)


def _host_order(
    host: Host, view: SiteView, preferred: str, needs: Needs, load: Load
) -> tuple[bool, bool, bool, int, float, str]:
    """Order hosts: those with its MHz free, the preferred one, those with the memory, the fewest VMs, the most free memory.

    What is on its way to a host counts as there, and what HA keeps for the failure of a host is not free.
    """
    key = f"{view.name}/{host.name}"
    cluster = view.cluster(host.cluster)
    kept = cluster.memory_reserve * host.memory if cluster else 0.0
    free = host.free_memory - kept - load.memory(key)
    mhz = host.free_mhz - (cluster.cpu_reserve * host.mhz if cluster else 0.0) - load.mhz(key)
    vms = host.vms + load.registrations(key)
    # A reservation that is not to be had is refused, memory that is not free is shared.
    return (0 < needs.mhz > mhz, host.name != preferred, free < needs.memory, vms, -free, host.name)


def _ways_to_relocate(
    name: str, action: Relocate, vm: Vm, seen: Observation, load: Load
) -> Iterator[Admitted] | Nowhere:
    """Order datastores by the space left once the running copies have ended."""
    view = seen.sites[vm.site]
    if action.to:
        needs = _arriving(action, vm)
        if (short := _short(name, view, needs, load)) is not None:
            return short
        return iter((Admitted(Placed(), _copy_cost(vm, action, frozenset(action.to.values()), needs)),))
    mounted = next((host.volumes for host in view.hosts if host.name == vm.host), frozenset[str]())
    room = {key: free for key, free in _room(view, action, load).items() if key in mounted}
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
    size = _size(action, vm)
    if max(room.values()) < size and not any(load.reserved(key) for key in room):
        return Nowhere(_too_small(name, size, vm, max(room.values())))
    return (
        Admitted(Placed(volume=key), _copy_cost(vm, action, frozenset({key}), {key: size}))
        for key in _enough(room, size)
    )


def _ways_across(name: str, action: Cross, vm: Vm, seen: Observation, load: Load) -> Iterator[Admitted] | Nowhere:
    """Choose host and datastore at the other vCenter together: the emptiest host that can take it, then the most room."""
    view = seen.sites[action.site]
    stay = not (action.to or action.candidates)
    needed = vm.volumes if stay else frozenset(action.to.values())
    networks = frozenset(action.nics.values())
    able = [host for host in view.hosts if can_run(host, action.cluster, needed, networks)]
    able = [host for host in able if not host.version or live.number(host.version)[:2] >= live.OLDEST]
    if action.live:
        able = [host for host in able if host.vmotion and (not vm.evc or vm.evc in host.evc)]
    if action.only:
        able = [host for host in able if host.name == action.host]
    if not able:
        return Nowhere(no_host(name, view, needed, networks))
    # vCenter refuses even a VM that is off where the host could not run it.
    needs = vm.needs if action.live else replace(vm.needs.at_rest(), cpus=vm.cpus)
    able = [host for host in able if suffices(host, needs)]
    if not able:
        return Nowhere(_too_small_hosts(name, view, needs))
    if action.to and (short := _short(name, view, _arriving(action, vm), load)) is not None:
        return short
    size = _size(action, vm)
    room = _room(view, action, load)
    reachable = {key: free for key, free in room.items() if any(key in host.volumes for host in able)}
    if action.candidates and max(reachable.values(), default=0.0) < size:
        if not any(load.reserved(key) for key in reachable):
            return Nowhere(_too_small(name, size, vm, max(reachable.values(), default=0.0)))
        return iter(())
    hosts = sorted(able, key=lambda host: _host_order(host, view, action.host, needs, load))
    volumes = _enough(room, size) if action.candidates else [""]
    return (
        Admitted(Placed(host.name, key), _cross_cost(vm, action, host, key, size))
        for host in hosts
        for key in volumes
        if not key or key in host.volumes
    )


def _arriving(action: Relocate | Cross, vm: Vm) -> dict[str, float]:
    """Return the GiB that come to each volume of a move to named ones; the swap file of a running VM goes beside its .vmx."""
    needs: dict[str, float] = {}
    for disk in vm.disks:
        volume = action.to.get(str(disk.key), disk.file.volume)
        if volume != disk.file.volume:
            needs[volume] = needs.get(volume, 0.0) + disk.written
    home = action.to.get(HOME, vm.vmx.volume)
    if home != vm.vmx.volume and vm.power is Power.ON:
        needs[home] = needs.get(home, 0.0) + vm.memory
    return needs


def _short(name: str, view: SiteView, needs: Mapping[str, float], load: Load) -> Iterator[Admitted] | Nowhere | None:
    """Say that a named volume lacks the room, for now or for good; None: all have it. The old array keeps no reserve for us."""
    free = {volume.id: volume.free for volume in view.volumes}
    for key, size in needs.items():
        if key in free and free[key] - load.reserved(key) < size:
            return (
                iter(())
                if load.reserved(key)
                else Nowhere(_no_room(name, view.volume_name(key) or key, size, free[key]))
            )
    return None


def _no_room(name: str, volume: str, size: float, free: float) -> Concern:
    return Concern(
        "rollback.no-room",
        Severity.BLOCKS,
        name,
        f"its files need {size:.1f} GiB on {volume}, where they came from, and it has {free:.1f} GiB free",
        "make room there, then run again",
    )


def _size(action: Relocate | Cross, vm: Vm) -> float:
    """Return the GiB that the files will take where they go; the swap file of a running VM goes along."""
    return action.size + (vm.memory if vm.power is Power.ON else 0.0)


def _room(view: SiteView, action: Relocate | Cross, load: Load) -> dict[str, float]:
    """Return the GiB that each candidate has beyond its reserve and beyond what running copies will take."""
    return {
        volume.id: volume.free - load.reserved(volume.id) - action.reserve * volume.capacity
        for volume in view.volumes
        if volume.id in action.candidates
    }


def _enough(room: Mapping[str, float], size: float) -> list[str]:
    """Return the volumes with room enough, the roomiest first."""
    return sorted((key for key, free in room.items() if free >= size), key=lambda key: (-room[key], key))


def _units(action: Relocate | Cross, vm: Vm) -> tuple[int, int]:
    """Return what it costs on each host and on each datastore that it touches."""
    if isinstance(action, Cross) and not (action.to or action.candidates):
        return SHARED
    host, volume = STORAGE_VMOTION
    return (host if vm.power is Power.ON else COLD), volume


def _cross_cost(vm: Vm, action: Cross, host: Host, volume: str, size: float) -> Cost:
    """Return the cost at both ends; a live one takes the vMotion network too, and its memory there."""
    on_host, on_volume = _units(action, vm)
    touched = vm.volumes | ({volume} if volume else frozenset(action.to.values()))
    ends = (f"{vm.site}/{vm.host}", f"{action.site}/{host.name}")
    return Cost(
        hosts=dict.fromkeys(ends, on_host),
        volumes=dict.fromkeys(touched, on_volume),
        links=dict.fromkeys(ends, 1) if action.live else {},
        reserved={volume: size} if volume else _arriving(action, vm),
        memory={ends[1]: vm.memory} if action.live else {},
        mhz={ends[1]: vm.cpu_reservation} if action.live else {},
        registrations={ends[1]: 1},
    )


def _too_small(name: str, size: float, vm: Vm, best: float) -> Concern:
    whole = sum(disk.capacity for disk in vm.disks)  # thin disks may grow to it
    return Concern(
        "datastore.too-small",
        Severity.BLOCKS,
        name,
        f"it needs {size:.1f} GiB (up to {whole:.0f} GiB); the new datastore with the most room has "
        f"{max(best, 0.0):.1f} GiB beyond its reserve",
        "enlarge or add a new datastore, then run again",
    )


def _copy_cost(vm: Vm, action: Relocate, targets: frozenset[str], reserved: Mapping[str, float]) -> Cost:
    """Return the cost of copying the VM's files: its host, every volume read, every volume written."""
    on_host, on_volume = _units(action, vm)
    return Cost({f"{vm.site}/{vm.host}": on_host}, dict.fromkeys(vm.volumes | targets, on_volume), reserved=reserved)

"""vCenter's limits, written down once more from the documents and not from the code: what tests measure against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from migration.actions import Cross, Placed, Relocate
from migration.model import Disk, File, Power, Vm
from migration.observation import Host, SiteView, Volume
from tests.fake_sites import a_vm

RELOCATE = Relocate({}, ("n1", "n2"), 10)
BACK = Relocate({"home": "a", "2000": "a"}, (), 10)
STAY = Cross("target", "vm", "dc", "", "", "", (), "", {4000: "net"}, {}, (), 0, live=True)
ALONG = Cross("target", "vm", "dc", "", "", "", (), "", {4000: "net"}, {}, ("n1", "n2"), 10, live=True)

Copying = Relocate | Cross
Running = tuple[Copying, Vm, Placed]
KINDS: Final[tuple[Copying, ...]] = (RELOCATE, BACK, STAY, ALONG)


def two_sites(links: int = 4, room: float = 10_000) -> dict[str, SiteView]:
    """Three hosts at either site; all see the old volumes a and b, the target's see n1 and n2 too."""
    old, new = (
        [Volume(key, key, 100_000, 100_000) for key in "ab"],
        [Volume(key, key, room, room) for key in ("n1", "n2")],
    )
    net, mounted = frozenset({"net"}), frozenset({"a", "b", "n1", "n2"})
    source = [Host(f"s{n}", "c", networks=net, volumes=frozenset({"a", "b"})) for n in range(3)]
    target = [Host(f"t{n}", "c", networks=net, volumes=mounted, links=links, free_memory=99) for n in range(3)]
    return {
        "source": SiteView("source", "vc60", tuple(source), tuple(old)),
        "target": SiteView("target", "vc70", tuple(target), (*old, *new)),
    }


def placed_vm(name: str, action: Relocate | Cross, host: int, volume: str, *, on: bool = True) -> Vm:
    """Return a VM with its files on one volume, where the action would find it."""
    site = "source" if isinstance(action, Cross) else "target"
    return a_vm(
        name,
        site=site,
        host=f"{site[0]}{host}",
        vmx=File(volume, f"{name}/{name}.vmx"),
        disks=(Disk(2000, "Hard disk 1", File(volume, f"{name}/{name}.vmdk"), 40, 10),),
        power=Power.ON if on else Power.OFF,
    )


def units(action: Relocate | Cross, vm: Vm, placed: Placed) -> Counter[tuple[str, str]]:
    """Return what one copy takes by the documents' table (vsphere-facts: S33, S34)."""
    on = vm.power is Power.ON
    with_files = isinstance(action, Relocate) or bool(action.to or action.candidates)
    hosts = {f"{vm.site}/{vm.host}"} | ({f"{action.site}/{placed.host}"} if isinstance(action, Cross) else set())
    volumes = {vm.vmx.volume, *(disk.file.volume for disk in vm.disks), *action.to.values()}
    volumes |= {placed.volume} if placed.volume else set()
    taken: Counter[tuple[str, str]] = Counter()
    for host in hosts:
        taken["host", host] = 4 if on and with_files else 1
        if on and isinstance(action, Cross):
            taken["network", host] = 1
    for volume in volumes:
        taken["datastore", volume] = 16 if with_files else 1
    return taken


def exceeded(running: Iterable[Running], sites: Mapping[str, SiteView]) -> list[str]:
    """Return each limit that these copies together exceed."""
    total: Counter[tuple[str, str]] = Counter()
    for one in running:
        total.update(units(*one))
    links = {f"{view.name}/{host.name}": host.links for view in sites.values() for host in view.hosts}
    limits = {key: {"host": 8, "datastore": 128, "network": links.get(key[1], 4)}[key[0]] for key in total}
    return [f"{kind} {name}: {total[kind, name]}" for kind, name in total if total[kind, name] > limits[kind, name]]


def places(action: Relocate | Cross, vm: Vm, sites: Mapping[str, SiteView]) -> list[Placed]:
    """Return every place where a copy could go, room and limits left aside."""
    volumes = action.candidates or ("",)
    if isinstance(action, Relocate):
        return [Placed(volume=volume) for volume in volumes]
    hosts = sites[action.site].hosts
    return [Placed(host.name, volume) for host in hosts for volume in volumes if vm.volumes <= host.volumes]

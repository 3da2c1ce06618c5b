"""The sites of one migration over vSphere: `migration.sites.Sites` for real."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence

from pyVmomi import vim

from migration import actions
from migration.actions import Action, Placed
from migration.errors import Paused, Unexpected
from migration.model import Vm
from migration.observation import Observation
from migration.sites import Progress
from migration.wanted import Identity
from vsphere import configure, crossing, metadata, power, registration, relocate, session, tagging, tasks
from vsphere.adrift import Drift, Inventories
from vsphere.inventory import Inventory, in_flight
from vsphere.machines import instance_uuid, papers
from vsphere.neighbours import duplicates
from vsphere.site import Site
from vsphere.tls import Endpoint
from vsphere.watch import News


class VSphereSites:
    """A small named set of vCenters. Thread-safe: one instance serves every VM of a run."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        volumes: Sequence[str] = (),
        stop: threading.Event | None = None,
    ) -> None:
        """Remember where the sites are; each is contacted when it is first asked about.

        `volumes` are the names of the datastores, old and new, that are searched for a VM registered nowhere. `stop`, once
        set, makes every wait end with Paused.
        """
        self._news = News()
        self._stop = stop or threading.Event()
        self._sites = {name: Site(endpoint, self._news, self._stop) for name, endpoint in endpoints.items()}
        self._drift = Drift(self._sites, volumes)

    def observe(self, who: Identity, *, look_adrift: bool = True) -> tuple[Observation, int]:
        """Return what is seen of one VM at every site, and the version of that knowledge. See `Sites.observe`."""
        version, inventories = self._known()
        vms = self._registrations(who, inventories)
        adrift = self._drift.find(who, inventories) if look_adrift and not vms else ()
        views = {name: inventory.view for name, inventory in inventories.items()}
        macs, twins = _doubles(vms, inventories)
        namesakes = _namesakes(vms, inventories)
        partners = frozenset(uuid for vm in vms for uuid in _partners(vm, inventories[vm.site]))
        unreadable = tuple(_unreadable(inventories))
        seen = Observation(
            vms, views, adrift, namesakes=namesakes, macs=macs, twins=twins, partners=partners, unreadable=unreadable
        )
        return seen, version

    def site(self, name: str) -> Site:
        """Return one of the sites, for the steps that are not about a VM: vsphere.site_storage and vsphere.evc."""
        return self._sites[name]

    def close(self) -> None:
        """Log out everywhere, for good. Without it that is done when the process ends."""
        for site in self._sites.values():
            site.watch.end()
            session.close(site.endpoint)

    def wait(self, version: int, timeout: float) -> bool:
        """Block until something newer than `version` is known. See `Sites.wait`."""
        end = time.monotonic() + timeout
        while True:
            if self._stop.is_set():
                raise Paused("paused while waiting; what vCenter is doing goes on. Run again to resume")
            left = end - time.monotonic()
            if tasks.wait(self._news, version, max(0.0, min(0.5, left))):
                return True
            if left <= 0:
                return False

    def perform(self, vm: Vm | None, action: Action, placed: Placed, progress: Progress) -> bool:
        """Do one action and follow it to its end. See `Sites.perform`."""
        if isinstance(action, actions.Register):
            for site in self._sites.values():
                registration.refuse_registered(site, action)
            registration.register(self._sites[action.site], action, placed, progress)
            self._drift.entered(action.vmx)
            return True
        if vm is None:
            raise Unexpected(f"{type(action).__name__} needs a VM that is registered")
        site = self._sites[vm.site]
        match action:
            case actions.WritePapers(wanted, lease):
                if wanted and wanted.transit and wanted.leaving == vm.site:
                    tagging.confirm(site, vm)  # what its papers do not know would be lost with its registration
                configure.write_papers(site, vm, wanted, lease, progress)
            case actions.Hold(lease, let_go):
                configure.hold(site, vm, lease, let_go, progress)
            case actions.ShutDown(timeout):
                return power.shut_down(site, vm, timeout, progress)
            case actions.PowerOff(reason):
                power.power_off(site, vm, reason, progress)
            case actions.PowerOn():
                power.power_on(site, vm, progress)
            case actions.Answer():
                power.answer(site, vm, action, progress)
            case actions.Unregister():
                self._drift.left(vm)
                registration.unregister(site, vm)
            case actions.Reconnect(networks):
                configure.reconnect(site, vm, networks, progress)
            case actions.Relocate():
                relocate.relocate(site, vm, action, placed, progress)
            case actions.Cross():
                crossing.cross(site, self._sites[action.site], vm, action, placed, progress)
            case actions.RestoreMetadata(wanted):
                metadata.restore(site, vm, wanted, progress)
            case actions.SetAttributes(attributes):
                configure.set_attributes(site, vm, attributes)
            case actions.MakeTemplate():
                configure.make_template(site, vm)
            case actions.MakeVm():
                configure.make_vm(site, vm)
            case _:
                raise Unexpected(f"{type(action).__name__} is nothing that a site does")
        return True

    def _known(self) -> tuple[int, Inventories]:
        """Return every site's inventory, and a version that is not newer than any of them."""
        while True:
            version = self._news.version
            inventories = {name: site.inventory() for name, site in self._sites.items()}
            if self._news.version == version or version > 0:
                return version, inventories
            # Those were the first reads: what they spread is no news to who asked for them.

    def _registrations(self, who: Identity, inventories: Inventories) -> tuple[Vm, ...]:
        """Return each registration of the VM: by its name, and then of the same instance UUID under another name too."""
        found = {}
        for name, inventory in inventories.items():
            for record in inventory.matching(who):
                found[name, record.moref] = record
        uuids = {instance_uuid(record) for record in found.values()} - {""}
        for name, inventory in inventories.items():
            for uuid in uuids:
                for record in inventory.matching(Identity(who.name, uuid)):
                    found.setdefault((name, record.moref), record)
        return tuple(
            inventories[name].vm(
                record,
                in_flight(inventories[name].snapshot, moref, self._sites[name].watch.followed),
                inventories.values(),
            )
            for (name, moref), record in sorted(found.items(), key=lambda item: item[0])
        )


def _unreadable(inventories: Inventories) -> Iterator[tuple[str, str]]:
    """Yield (site, name) of each VM whose files are not known and stay so: one that is just being made is not read yet."""
    for site, inventory in inventories.items():
        for record in inventory.unreadable:
            if record.get("runtime.connectionState") != "connected":
                yield site, inventory.name(record.moref)


def _namesakes(vms: tuple[Vm, ...], inventories: Inventories) -> frozenset[tuple[str, str, str]]:
    """Return (site, datacenter, folder) of every other VM that bears the name of one of these; in a vApp it is in no folder."""
    return frozenset(
        (site, inventory.name(inventory.datacenter_of(record)), inventory.path(record.target("parent"), vim.Folder))
        for vm in vms
        for site, inventory in inventories.items()
        for record in inventory.namesakes(vm.name)
        if instance_uuid(record) != vm.instance_uuid and record.target("parent")
    )


def _doubles(
    vms: tuple[Vm, ...], inventories: Inventories
) -> tuple[Mapping[str, tuple[str, str]], frozenset[tuple[str, str]]]:
    """Return the MAC addresses of these VMs that another one bears too, and the VMs that share their BIOS UUID."""
    among = [inventory.neighbours for inventory in inventories.values()]
    macs: dict[str, tuple[str, str]] = {}
    twins: set[tuple[str, str]] = set()
    for vm in vms:
        addresses = [nic.mac for nic in vm.nics if nic.mac]
        found, same = duplicates(among, vm.instance_uuid, addresses, vm.bios_uuid, vm.site)
        macs |= found
        twins |= same
    return macs, frozenset(twins)


def _partners(vm: Vm, inventory: Inventory) -> Iterator[str]:
    """Yield the instance UUIDs of those that the VM's DRS rules are about which are at its site, and not on their way."""
    rules = vm.metadata.rules | (vm.papers.metadata.rules if vm.papers else frozenset())
    for uuid in {uuid for rule in rules for uuid, _ in rule.members} - {vm.instance_uuid}:
        for record in inventory.matching(Identity("", uuid)):
            known = papers(record)
            if known is None or not known.transit:
                yield uuid

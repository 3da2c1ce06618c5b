"""Taking a VM out of an inventory and into another one. Its files are not touched."""

from __future__ import annotations

import functools
from typing import cast

from pyVmomi import vim

from migration.actions import Placed, Register
from migration.errors import Stale
from migration.model import Power, Vm
from migration.sites import Progress
from vsphere import places
from vsphere.configure import put_papers
from vsphere.names import datastore_path, encoded
from vsphere.session import moref
from vsphere.site import Site


def unregister(site: Site, vm: Vm) -> None:
    """Take the VM, which must be off, out of its site's inventory.

    Raises: Stale where it no longer is as it was observed; else as the fault means.
    """
    record = site.identified(vm)
    if str(record.get("runtime.powerState")) != Power.OFF:
        raise Stale(f"{vm.name}: it is not off any more; only a VM that is off is unregistered")
    ref = cast("vim.VirtualMachine", record.ref)
    site.session.send(f"{vm.name}: unregister", ref.Unregister, vm.name)
    site.settle(ref, lambda: site.inventory().snapshot.record(record.moref) is None)


def refuse_registered(site: Site, action: Register) -> None:
    """Refuse to register what the site has registered already, whoever did it, at whatever site it is wanted now.

    Updates may lag, and a VM that changes its vCenter is in neither for a moment: so the vCenter itself is asked, each time.

    Raises: Stale; MigrationError.
    """
    known = action.vmx in site.inventory().registered
    index = cast("vim.SearchIndex", site.session.content.searchIndex)
    for datacenter, path in () if known else site.inventory().paths(action.vmx):
        doing = f"{action.name}: looking whether {site.name} has it registered"
        find = functools.partial(index.FindByDatastorePath, datacenter, path)
        found = site.session.read(doing, find, action.name)
        if found is not None:
            site.watch.reread(found)
            known = True
    if known:
        raise Stale(f"{action.name}: {action.vmx.path} is registered at {site.name} by now; it is observed again")


def register(site: Site, action: Register, placed: Placed, progress: Progress) -> None:
    """Register the .vmx on the host that was chosen, in its folder and pool; then write the papers, where given.

    A folder or a pool that is missing is created: vsphere.places.

    Raises: Stale, Blocked; else as the fault means.
    """
    at = places.place(site, action, placed.host)
    found = site.inventory().datastore(action.vmx.volume, at.datacenter.moref)
    datastore = places.needed(found, "volume", action.vmx.volume, action)
    path = datastore_path(str(datastore.get("name")), action.vmx.path)
    pool = places.pool(site, at.cluster, action, progress)
    folder = places.folder(site, at.datacenter, action, progress)
    host = cast("vim.HostSystem", at.host.ref)
    ref = site.run(
        action.name,
        f"register at {placed.host}",
        lambda: folder.RegisterVm(path, encoded(action.name), False, pool, host),
        progress,
    )
    if not isinstance(ref, vim.VirtualMachine):
        raise Stale(f"{action.name}: registered, but vCenter does not say as what; it is observed again")
    key = moref(ref)
    site.settle(ref, lambda: site.inventory().snapshot.record(key) is not None)
    site.watch.reread(ref)  # the update that it has entered may have come before all of its configuration was read
    if action.papers:
        put_papers(site, action.name, ref, action.papers, progress)
        site.settle(ref, lambda: _vm(site, key).papers == action.papers)


def _vm(site: Site, key: str) -> Vm:
    inventory = site.inventory()
    record = inventory.snapshot.record(key)
    if record is None:
        raise Stale(f"{key} is gone again")
    return inventory.vm(record)

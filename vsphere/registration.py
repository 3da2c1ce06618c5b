"""Taking a VM out of an inventory and into another one. Its files are not touched."""

from __future__ import annotations

from typing import cast

from pyVmomi import vim

from migration.actions import Placed, Register
from migration.errors import Blocked, MigrationError, Stale
from migration.model import Concern, Power, Severity, Vm
from migration.sites import Progress
from vsphere.configure import put_papers
from vsphere.inventory import Inventory
from vsphere.names import datastore_path, decoded, encoded, stored_segment
from vsphere.session import moref
from vsphere.site import Site
from vsphere.snapshot import Record


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


def register(site: Site, action: Register, placed: Placed, progress: Progress) -> None:
    """Register the .vmx on the host that was chosen, in its folder and pool; then write the papers, where given.

    A folder that is missing is created; where the pool is missing, the cluster's root pool is taken.

    Raises: Stale, Blocked; else as the fault means.
    """
    inventory = site.inventory()
    datacenter = _needed(inventory.named(vim.Datacenter, action.datacenter), "datacenter", action.datacenter, action)
    within = inventory.named(vim.ComputeResource, action.cluster, datacenter.moref)
    cluster = _needed(within, "cluster", action.cluster, action)
    host = _needed(inventory.named(vim.HostSystem, placed.host, cluster.moref), "host", placed.host, action)
    datastore = _needed(inventory.datastore(action.vmx.volume, datacenter.moref), "volume", action.vmx.volume, action)
    path = datastore_path(str(datastore.get("name")), action.vmx.path)
    pool = _pool(inventory, cluster, action.pool)
    folder = _folder(site, datacenter, action, progress)
    ref = site.run(
        action.name,
        f"register at {placed.host}",
        lambda: folder.RegisterVm(path, encoded(action.name), False, pool, cast("vim.HostSystem", host.ref)),
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


def _needed(record: Record | None, kind: str, name: str, action: Register) -> Record:
    if record is not None:
        return record
    what = f"the {kind} {name!r}" if name else f"the {kind}"
    raise Blocked(
        (
            Concern(
                f"register.no-{kind}",
                Severity.BLOCKS,
                action.name,
                f"{action.site} does not show {what} that it should be registered with",
                "see whether it is there and connected, then run again",
            ),
        )
    )


def _pool(inventory: Inventory, cluster: Record, path: str) -> vim.ResourcePool:
    """Return the pool of the cluster at the path, else the cluster's root pool."""
    for record in inventory.snapshot.of(vim.ResourcePool):
        if path and record.target("owner") == cluster.moref and inventory.path(record.moref, vim.ResourcePool) == path:
            return cast("vim.ResourcePool", record.ref)
    return cast("vim.ResourcePool", cluster.get("resourcePool"))


def _folder(site: Site, datacenter: Record, action: Register, progress: Progress) -> vim.Folder:
    """Return the folder at the path below the datacenter's VM folder, creating what is missing of it."""
    folder = cast("vim.Folder", datacenter.get("vmFolder"))
    for part in (part for part in action.folder.split("/") if part):
        name = stored_segment(part)
        children = (one for one in site.inventory().snapshot.of(vim.Folder) if one.target("parent") == moref(folder))
        found = next((one for one in children if str(one.get("name")).lower() == name.lower()), None)
        if found is not None:
            folder = cast("vim.Folder", found.ref)
            continue
        progress(f"create the folder {decoded(name)}", None)
        folder = _create(site, folder, name, action)
    return folder


def _create(site: Site, parent: vim.Folder, name: str, action: Register) -> vim.Folder:
    try:
        return site.session.send(
            f"{action.name}: create the folder {decoded(name)}",
            lambda: parent.CreateFolder(name),
            action.name,
        )
    except MigrationError as error:
        cause = error.__cause__
        if isinstance(cause, vim.fault.DuplicateName) and isinstance(cause.object, vim.Folder):
            return cause.object  # another VM's thread was quicker
        raise

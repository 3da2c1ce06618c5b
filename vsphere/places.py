"""Where a VM that comes to a site is put: host, folder and resource pool, the latter two created where they are missing.

Nothing that exists is changed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

from pyVmomi import vim
from pyVmomi.VmomiSupport import ManagedObject

from migration.actions import Cross, Register
from migration.errors import Blocked, MigrationError, Refused
from migration.metadata import Allocation, Pool
from migration.model import Concern, Severity
from migration.sites import Progress
from vsphere.names import decoded, stored_segment
from vsphere.session import moref
from vsphere.site import Site
from vsphere.snapshot import Record

M = TypeVar("M", bound=ManagedObject)


@dataclass(frozen=True, slots=True)
class Place:
    """What the site shows of where an arriving VM goes."""

    datacenter: Record
    cluster: Record
    host: Record


def place(site: Site, action: Register | Cross, host: str) -> Place:
    """Return datacenter, cluster and host.

    Raises: Blocked where the site does not show one of them.
    """
    inventory = site.inventory()
    datacenter = needed(inventory.named(vim.Datacenter, action.datacenter), "datacenter", action.datacenter, action)
    within = inventory.named(vim.ComputeResource, action.cluster, datacenter.moref)
    cluster = needed(within, "cluster", action.cluster, action)
    found = inventory.named(vim.HostSystem, host, cluster.moref)
    return Place(datacenter, cluster, needed(found, "host", host, action))


def needed(record: Record | None, kind: str, name: str, action: Register | Cross) -> Record:
    """Return the record.

    Raises: Blocked where there is none.
    """
    if record is not None:
        return record
    what = f"the {kind} {name!r}" if name else f"the {kind}"
    remedy = "see whether it is there and connected, then run again"
    if isinstance(action, Register):
        sentence = f"{action.site} does not show {what} that it should be registered with"
        raise Blocked((Concern(f"register.no-{kind}", Severity.BLOCKS, action.name, sentence, remedy),))
    sentence = f"{action.site} does not show {what} that it should be moved to"
    raise Blocked((Concern(f"cross.no-{kind}", Severity.BLOCKS, action.name, sentence, remedy),))


def folder(site: Site, datacenter: Record, action: Register | Cross, progress: Progress) -> vim.Folder:
    """Return the folder at the action's path below the datacenter's VM folder, creating what is missing of it.

    Raises: MigrationError.
    """
    found = cast("vim.Folder", datacenter.get("vmFolder"))
    for part in (part for part in action.folder.split("/") if part):
        name = stored_segment(part)
        child = _child(site, found, vim.Folder, name)
        if child is None:
            progress(f"create the folder {decoded(name)}", None)
            doing = f"{action.name}: create the folder {decoded(name)}"
            child = _made(site, vim.Folder, doing, action.name, functools.partial(found.CreateFolder, name))
        found = child
    return found


def pool(site: Site, cluster: Record, action: Register | Cross, progress: Progress) -> vim.ResourcePool:
    """Return the pool of the cluster at the action's path, creating what is missing of it as `action.pools` says.

    A pool that cannot be made (a cluster without DRS, a reservation that it cannot give), or of which nothing is known but the
    path, must not keep a VM down: then the pool is taken that is there of the path, and that is said through `progress`.

    Raises: MigrationError, where nothing was refused but something else went wrong.
    """
    found = cast("vim.ResourcePool", cluster.get("resourcePool"))
    settings = {one.path: one for one in action.pools}
    known = _known(site, cluster)
    parts = action.pool.split("/") if action.pool else []
    for depth in range(1, len(parts) + 1):
        path = "/".join(parts[:depth])
        if path in known:
            found = known[path]
            continue
        if path not in settings:
            progress(f"no resource pool {path}, and its settings are not known: taking the one above it", None)
            break
        progress(f"create the resource pool {path}", None)
        try:
            found = _make_pool(site, found, stored_segment(parts[depth - 1]), settings[path], action)
        except (Blocked, Refused) as error:
            progress(f"cannot create the resource pool {path}, taking the one above it: {error}", None)
            break
    return found


def _known(site: Site, cluster: Record) -> dict[str, vim.ResourcePool]:
    inventory = site.inventory()
    return {
        inventory.path(record.moref, vim.ResourcePool): cast("vim.ResourcePool", record.ref)
        for record in inventory.snapshot.of(vim.ResourcePool)
        if record.target("owner") == cluster.moref
    }


def _make_pool(
    site: Site, parent: vim.ResourcePool, name: str, settings: Pool, action: Register | Cross
) -> vim.ResourcePool:
    spec = vim.ResourceConfigSpec(
        cpuAllocation=_allocation(settings.cpu), memoryAllocation=_allocation(settings.memory)
    )
    doing = f"{action.name}: create the resource pool {settings.path}"
    return _made(site, vim.ResourcePool, doing, action.name, lambda: parent.CreateResourcePool(name, spec))


def _allocation(settings: Allocation) -> vim.ResourceAllocationInfo:
    number = int(settings.shares) if settings.shares.isdigit() else 0  # vSphere ignores it beside a level of its own
    level = "custom" if settings.shares.isdigit() else settings.shares
    return vim.ResourceAllocationInfo(
        reservation=settings.reservation,
        expandableReservation=settings.expandable,
        limit=settings.limit,
        shares=vim.SharesInfo(level=level, shares=number),
    )


def _child(site: Site, parent: ManagedObject, kind: type[M], name: str) -> M | None:
    """Return what the parent has under that name; vSphere does not tell names apart by case."""
    for record in site.inventory().snapshot.of(kind):
        if record.target("parent") == moref(parent) and str(record.get("name")).casefold() == name.casefold():
            return cast("M", record.ref)
    return None


def _made(site: Site, kind: type[M], doing: str, subject: str, make: Callable[[], M]) -> M:
    """Make it; where another VM's thread was quicker, return what that one has made."""
    try:
        return site.session.send(doing, make, subject)
    except MigrationError as error:
        cause = error.__cause__
        if isinstance(cause, vim.fault.DuplicateName) and isinstance(cause.object, kind):
            return cause.object
        raise

"""Giving a VM back what only the vCenter that it left knew: permissions, tags, DRS rules and groups, overrides.

As far as the vCenter allows: what it refuses is said through `progress` and does not stop the rest; the difference that is left
is seen, and told, from what is observed afterwards. Nothing that somebody has set up there is taken away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, cast

from pyVmomi import vim

from migration.errors import Blocked, Refused, Stale, Unexpected
from migration.metadata import Metadata, Overrides, Permission
from migration.model import Vm
from migration.sites import Progress
from vsphere import membership, tagging
from vsphere.machines import instance_uuid, papers
from vsphere.membership import Change, Impossible
from vsphere.site import Site
from vsphere.snapshot import Record
from vsphere.tls import Endpoint

_locks: Final[dict[tuple[Endpoint, str], threading.Lock]] = {}
"""One for each cluster: its configuration is read, changed and written, and two VMs' threads may want to at once."""
_locks_lock: Final = threading.Lock()


def restore(site: Site, vm: Vm, wanted: Metadata, progress: Progress) -> None:
    """Give the VM all of `wanted` that its site allows; what is observed next shows it.

    Raises: Transient, Paused; Refused where no call at all is allowed any more.
    """
    record = site.identified(vm)
    ref = cast("vim.VirtualMachine", record.ref)
    _permissions(site, vm, ref, wanted.permissions, progress)
    if wanted.tags:
        _attempt("its tags", partial(_tags, site, ref, wanted, progress), progress)
    if wanted.rules or wanted.groups or wanted.overrides != Overrides():
        _in_cluster(site, vm, record, wanted, progress)
    site.watch.reread(ref)


def _permissions(site: Site, vm: Vm, ref: vim.VirtualMachine, wanted: Iterable[Permission], progress: Progress) -> None:
    """Give each principal its role on the VM, one by one: a principal that is not known spoils the call for the others."""
    if not (held := sorted(wanted)):
        return
    manager = site.session.content.authorizationManager
    if manager is None:
        _undone("its permissions", f"{site.endpoint} offers none", progress)
        return
    listed = site.watch.read_one(manager, vim.AuthorizationManager, ("roleList",)) or {}
    roles = {str(role.name): int(role.roleId) for role in listed.get("roleList", ())}
    for one in held:
        if one.role not in roles:
            _undone(f"permission {one}", f"{site.endpoint} has no role {one.role!r}", progress)
            continue
        permission = vim.AuthorizationManager.Permission(
            principal=one.principal, group=one.group, roleId=roles[one.role], propagate=one.propagate
        )
        call = partial(manager.SetEntityPermissions, ref, [permission])
        doing = f"{vm.name}: give {one}"
        _attempt(f"permission {one}", partial(site.session.send, doing, call, vm.name), progress)


def _tags(site: Site, ref: vim.VirtualMachine, wanted: Metadata, progress: Progress) -> None:
    for why in tagging.attach(site, ref, sorted(wanted.tags)):
        progress(f"not restored: {why}", None)


def _in_cluster(site: Site, vm: Vm, record: Record, wanted: Metadata, progress: Progress) -> None:
    """Put the VM into its rules and groups, and set its overrides: in one task, or one by one where that is refused."""
    cluster = _cluster(site, record)
    if cluster is None:
        _undone("DRS rules, groups and overrides", "it is in no cluster", progress)
        return
    with _alone(site, cluster):
        parts = _possible(site, vm, record, cluster, wanted, progress)
        if len(parts) > 1:
            if _apply(site, vm, cluster, parts, _unsaid):
                return
            parts = _possible(site, vm, record, cluster, wanted, _unsaid)
        for part in parts:
            _apply(site, vm, cluster, [part], progress)


def _possible(
    site: Site, vm: Vm, record: Record, cluster: Record, wanted: Metadata, progress: Progress
) -> list[Change]:
    """Return what is to be changed, by the cluster's configuration as it is this moment; say what is impossible."""
    ref = cast("vim.VirtualMachine", record.ref)
    read = site.watch.read_one(cluster.ref, vim.ClusterComputeResource, ("configurationEx",))
    if not read:
        raise Stale(f"{vm.name}: its cluster is no longer there")
    found = membership.changes(read["configurationEx"], ref, wanted, _members(site, cluster, wanted))
    for one in found:
        if isinstance(one, Impossible):
            _undone(one.what, one.why, progress)
    return [one for one in found if isinstance(one, Change)]


def _apply(site: Site, vm: Vm, cluster: Record, parts: Sequence[Change], progress: Progress) -> bool:
    ref = cast("vim.ClusterComputeResource", cluster.ref)
    what = ", ".join(part.what for part in parts)
    spec = membership.joined(parts)
    done = _attempt(what, lambda: site.run(vm.name, f"restore {what}", lambda: ref.ReconfigureEx(spec, True)), progress)
    site.watch.reread(ref)
    return done


def _cluster(site: Site, record: Record) -> Record | None:
    """Return the cluster that the VM's host is in; None where that is a host of its own."""
    snapshot = site.inventory().snapshot
    host = snapshot.record(record.target("runtime.host"))
    found = snapshot.record(host.target("parent")) if host else None
    return found if found and isinstance(found.ref, vim.ClusterComputeResource) else None


def _members(site: Site, cluster: Record, wanted: Metadata) -> dict[str, list[Any]]:
    """Return the VMs of the cluster that belong into each wanted rule, by its name; a template is in none.

    Those whose UUIDs the rule names, and those whose own papers name the rule: who had left the old vCenter before this VM's
    papers were written was in the rule there no more.
    """
    kinds = {rule.name: rule.kind for rule in wanted.rules if rule.kind != "vmHost"}
    named = {(uuid.lower(), rule.name) for rule in wanted.rules for uuid, _ in rule.members}
    found: dict[str, list[Any]] = {}
    for record in site.inventory().snapshot.of(vim.VirtualMachine) if kinds else ():
        there = _cluster(site, record)
        if there is None or there.moref != cluster.moref or record.get("config.template", False):
            continue
        carried = papers(record)
        own = {rule.name for rule in carried.metadata.rules if kinds.get(rule.name) == rule.kind} if carried else set()
        for name in kinds:
            if name in own or (instance_uuid(record).lower(), name) in named:
                found.setdefault(name, []).append(record.ref)
    return found


@contextmanager
def _alone(site: Site, cluster: Record) -> Iterator[None]:
    """Keep other threads from changing the cluster's configuration.

    Raises: Paused.
    """
    with _locks_lock:
        lock = _locks.setdefault((site.endpoint, cluster.moref), threading.Lock())
    pause = site.pausing("waiting for another VM's rules")
    while not lock.acquire(timeout=0.5):
        pause()
    try:
        yield
    finally:
        lock.release()


def _attempt(what: str, do: Callable[[], Any], progress: Progress) -> bool:
    """Do it, and say whether that was allowed; what passes by itself, or a wish to stop, is for the caller."""
    try:
        do()
    except (Blocked, Refused, Unexpected) as error:
        _undone(what, str(error), progress)
        return False
    return True


def _unsaid(what: str, percent: int | None) -> None:
    del what, percent


def _undone(what: str, why: str, progress: Progress) -> None:
    progress(f"not restored: {what}: {why}", None)

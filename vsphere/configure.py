"""Changes to a registered VM that leave it where it is: papers, lease, networks, custom attributes, template or not."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, cast

from pyVmomi import vim

from migration.errors import MigrationError, Stale
from migration.lease import Lease
from migration.model import TEMPLATE_MARK, Papers, Vm
from migration.sites import Progress
from vsphere import cards
from vsphere.machines import LEASE, PAPERS, lease
from vsphere.properties import FIELDS
from vsphere.site import Site

_VIRTUAL_MACHINE: type[Any] = vim.VirtualMachine


def write_papers(site: Site, vm: Vm, papers: Papers | None, ours: Lease | None, progress: Progress) -> None:
    """Store the papers in the VM's extra config, hence in its .vmx, with our lease while it is on its way; None removes them.

    Raises: Stale where another run has taken the VM up, Busy where anybody has changed it just now; else as the fault means.
    """
    kept = ours if papers and papers.transit else None
    options = {PAPERS: papers.dumps() if papers else "", LEASE: kept.dumps() if kept else ""}
    ref = _set(site, vm, options, ours, "write its papers" if papers else "remove its papers", progress)
    site.settle(ref, lambda: _shows(site, vm, lambda now: (now.papers, now.lease) == (papers, kept)))


def hold(site: Site, vm: Vm, ours: Lease | None, let_go: bool, progress: Progress) -> None:
    """Say in the VM, or in the mark of a template, that this run works on it; `let_go`: that none does.

    Raises: as `write_papers`.
    """
    kept = None if let_go else ours
    if not vm.on_its_way:
        set_attributes(site, vm, {TEMPLATE_MARK: kept.dumps() if kept else "yes"})
        return
    options = {LEASE: kept.dumps() if kept else ""}
    ref = _set(site, vm, options, ours, "let it go" if let_go else "say in it who works on it", progress)
    site.settle(ref, lambda: _shows(site, vm, lambda now: now.lease == kept))


def _set(
    site: Site, vm: Vm, options: Mapping[str, str], ours: Lease | None, what: str, progress: Progress
) -> vim.VirtualMachine:
    """Set extra config only if the VM is as it was observed: of two runs that take it up at once, one must fail."""
    ref = _ref(site, vm)
    now = site.watch.read_one(ref, vim.VirtualMachine, ("config.changeVersion", "config.extraConfig"))
    held = lease((now or {}).get("config.extraConfig", ()))
    if now is None or (held != vm.lease and not (held and ours and held.run == ours.run)):
        raise Stale(f"{vm.name}: {held.owner if held else 'somebody'} has changed it meanwhile; it is observed again")
    spec = vim.vm.ConfigSpec(changeVersion=now.get("config.changeVersion"), extraConfig=_values(options))
    site.run(vm.name, what, lambda: ref.Reconfigure(spec), progress)
    return ref


def _values(options: Mapping[str, str]) -> list[vim.option.OptionValue]:
    """Return extra config to set. vSphere removes a key that is set to the empty string."""
    return [vim.option.OptionValue(key=key, value=value) for key, value in options.items()]


def put_papers(site: Site, name: str, ref: vim.VirtualMachine, papers: Papers, progress: Progress) -> None:
    """Store the papers of a VM that has just been registered."""
    spec = vim.vm.ConfigSpec(extraConfig=_values({PAPERS: papers.dumps()}))
    site.run(name, "write its papers", lambda: ref.Reconfigure(spec), progress)


def reconnect(site: Site, vm: Vm, networks: Mapping[int, str], progress: Progress) -> None:
    """Put network cards on these networks; whether they are connected, their MACs and types stay.

    Raises: Blocked where the site has no such network; Stale where a card is gone.
    """
    record = site.identified(vm)
    inventory = site.inventory()
    host = inventory.snapshot.record(record.target("runtime.host"))
    changes = cards.edits(vm.name, record, networks, inventory, host, inventory.datacenter_of(record))
    spec = vim.vm.ConfigSpec(deviceChange=changes)
    ref = cast("vim.VirtualMachine", record.ref)
    what = "connect to " + ", ".join(sorted(set(networks.values())))
    site.run(vm.name, what, lambda: ref.Reconfigure(spec), progress)

    def shown(now: Vm) -> bool:
        found = {nic.key: nic.network for nic in now.nics}
        return all(found.get(key) == name for key, name in networks.items())

    site.settle(ref, lambda: _shows(site, vm, shown))


def set_attributes(site: Site, vm: Vm, attributes: Mapping[str, str]) -> None:
    """Set custom attributes where they differ, creating the definitions that the site lacks; "" clears one."""
    ref = _ref(site, vm)
    now = site.now(vm)
    present = now.attributes if now else {}
    differing = {name: value for name, value in attributes.items() if present.get(name, "") != value}
    fields = site.session.content.customFieldsManager
    if fields is None:
        raise Stale(f"{site.endpoint} offers no custom attributes")
    for name, value in differing.items():
        key = _field(site, vm, fields, name)
        call = functools.partial(fields.SetField, ref, key, value)
        site.session.send(f"{vm.name}: set the attribute {name}", call, vm.name)
    if not set(attributes) <= set(site.inventory().snapshot.fields.values()):
        site.watch.reread_fields()
    site.watch.reread(ref)  # whether vCenter reports custom values as updates is not documented


def _field(site: Site, vm: Vm, fields: vim.CustomFieldsManager, name: str) -> int:
    """Return the key of a custom attribute, defining it for virtual machines where it is not defined."""
    doing = f"{vm.name}: define the attribute {name}"

    def defined() -> int | None:
        found = (site.watch.read_one(fields, vim.CustomFieldsManager, (FIELDS,)) or {}).get(FIELDS, ())
        kinds = (None, vim.ManagedEntity, _VIRTUAL_MACHINE)
        return next((int(one.key) for one in found if one.name == name and one.managedObjectType in kinds), None)

    known = next((key for key, one in site.inventory().snapshot.fields.items() if one == name), None)
    if known is not None:
        return known
    key = defined()
    if key is not None:
        return key
    try:
        added = site.session.send(doing, lambda: fields.AddFieldDefinition(name, _VIRTUAL_MACHINE, None, None))
        return int(added.key)
    except MigrationError as error:
        if not isinstance(error.__cause__, vim.fault.DuplicateName):
            raise
        key = defined()  # another VM's thread was quicker
        if key is None:
            raise
        return key


def make_template(site: Site, vm: Vm) -> None:
    """Turn the VM into a template."""
    ref = _ref(site, vm)
    site.session.send(f"{vm.name}: make it a template", ref.MarkAsTemplate, vm.name)
    site.settle(ref, lambda: _shows(site, vm, lambda now: now.template))


def make_vm(site: Site, vm: Vm) -> None:
    """Turn the template into a VM on the host where it is, in the root pool there: a template has no pool."""
    record = site.identified(vm)
    ref = cast("vim.VirtualMachine", record.ref)
    snapshot = site.inventory().snapshot
    host = snapshot.record(record.target("runtime.host"))
    compute = snapshot.record(host.target("parent")) if host else None
    if host is None or compute is None:
        raise Stale(f"{vm.name}: the template's host is not known")
    pool = cast("vim.ResourcePool", compute.get("resourcePool"))
    site.session.send(
        f"{vm.name}: make it a VM",
        lambda: ref.MarkAsVirtualMachine(pool, cast("vim.HostSystem", host.ref)),
        vm.name,
    )
    site.settle(ref, lambda: _shows(site, vm, lambda now: not now.template))


def _shows(site: Site, vm: Vm, condition: Any) -> bool:
    now = site.now(vm)
    return now is not None and bool(condition(now))


def _ref(site: Site, vm: Vm) -> vim.VirtualMachine:
    return cast("vim.VirtualMachine", site.identified(vm).ref)

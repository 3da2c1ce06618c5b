"""What to change in a cluster's configuration so that one VM has its DRS rules, groups and overrides back. Pure.

Each change is a piece of its own, so that one that vCenter refuses does not stop the others. Nothing is taken out of a rule or
a group, and of what exists nothing but its members is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyVmomi import vim

from migration.metadata import Metadata, Overrides, Rule
from vsphere.session import moref

_KINDS: Final[Mapping[str, type[Any]]] = {
    "affinity": vim.cluster.AffinityRuleSpec,
    "antiAffinity": vim.cluster.AntiAffinityRuleSpec,
    "vmHost": vim.cluster.VmHostRuleInfo,
}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to change; `spec` says nothing else."""

    what: str
    spec: vim.cluster.ConfigSpecEx


@dataclass(frozen=True, slots=True)
class Impossible:
    """One thing that cannot be had back, or not yet, and why."""

    what: str
    why: str


def changes(
    config: Any, vm: vim.VirtualMachine, wanted: Metadata, members: Mapping[str, Sequence[Any]]
) -> list[Change | Impossible]:
    """Return what makes the VM a member of the rules and groups that are wanted, and gives it its overrides.

    `config` is the cluster's `configurationEx`; `members` are the VMs of the cluster that belong into each rule, by its name.
    Groups come before the rules that need them.
    """
    groups = {str(one.name): one for one in config.group or ()}
    rules = {str(one.name): one for one in config.rule or ()}
    bound = {one.vm_group for one in wanted.rules if one.kind == "vmHost" and one.host_group in groups}
    found: list[Change | Impossible] = []
    for name in sorted(wanted.groups | bound):
        found += _group(name, groups.get(name), vm)
    for rule in sorted(wanted.rules):
        if rule.kind == "vmHost":
            found += _host_rule(rule, rules.get(rule.name), groups)
        else:
            found += _vm_rule(rule, rules.get(rule.name), vm, members.get(rule.name, ()))
    return [*found, *_overrides(config, vm, wanted.overrides)]


def joined(parts: Iterable[Change]) -> vim.cluster.ConfigSpecEx:
    """Return all the changes as one, for a single task."""
    spec = vim.cluster.ConfigSpecEx()
    for part in parts:
        for field in ("groupSpec", "rulesSpec", "dasVmConfigSpec", "drsVmConfigSpec"):
            setattr(spec, field, [*(getattr(spec, field) or ()), *(getattr(part.spec, field) or ())])
    return spec


def _group(name: str, present: Any, vm: vim.VirtualMachine) -> Iterator[Change | Impossible]:
    what = f"DRS group {name!r}"
    if present is None:
        info = vim.cluster.VmGroup(name=name, vm=[vm])
        yield Change(what, _groups("add", info))
    elif not isinstance(present, vim.cluster.VmGroup):
        yield Impossible(what, "the group of that name here is one of hosts")
    elif not _in(vm, present.vm):
        present.vm = [*(present.vm or ()), vm]
        yield Change(what, _groups("edit", present))


def _vm_rule(rule: Rule, present: Any, vm: vim.VirtualMachine, members: Sequence[Any]) -> Iterator[Change | Impossible]:
    what = f"DRS rule {rule.name!r}"
    if present is None:
        together = [vm, *(one for one in members if moref(one) != moref(vm))]
        if len(together) < 2:  # a rule about one VM says nothing, and vCenter refuses it
            yield Impossible(what, "no other VM of it is here yet; it is made when the next one arrives")
            return
        info = _KINDS[rule.kind](
            name=rule.name, enabled=rule.enabled, mandatory=rule.mandatory, userCreated=True, vm=together
        )
        yield Change(what, _rules("add", info))
    elif not isinstance(present, _KINDS[rule.kind]):
        yield Impossible(what, "the rule of that name here is of another kind")
    elif not _in(vm, present.vm):
        present.vm = [*(present.vm or ()), vm]
        yield Change(what, _rules("edit", present))


def _host_rule(rule: Rule, present: Any, groups: Mapping[str, Any]) -> Iterator[Change | Impossible]:
    what = f"DRS rule {rule.name!r}"
    if present is not None:
        if not isinstance(present, _KINDS[rule.kind]) or present.vmGroupName != rule.vm_group:
            yield Impossible(what, "the rule of that name here is about something else")
        return
    if not isinstance(groups.get(rule.host_group), vim.cluster.HostGroup):
        yield Impossible(what, f"there is no group of hosts {rule.host_group!r} here")
        return
    if not isinstance(groups.get(rule.vm_group), vim.cluster.VmGroup | None):
        yield Impossible(what, f"the group {rule.vm_group!r} here is one of hosts")
        return
    info = vim.cluster.VmHostRuleInfo(
        name=rule.name,
        enabled=rule.enabled,
        mandatory=rule.mandatory,
        userCreated=True,
        vmGroupName=rule.vm_group,
    )
    if rule.affine:
        info.affineHostGroupName = rule.host_group
    else:
        info.antiAffineHostGroupName = rule.host_group
    yield Change(what, _rules("add", info))


def _overrides(config: Any, vm: vim.VirtualMachine, wanted: Overrides) -> Iterator[Change]:
    if wanted.restart_priority or wanted.isolation_response:
        ha = next((one for one in config.dasVmConfig or () if moref(one.key) == moref(vm)), None)
        settings = (ha and ha.dasSettings) or vim.cluster.DasVmSettings()
        settings.restartPriority = wanted.restart_priority or settings.restartPriority
        settings.isolationResponse = wanted.isolation_response or settings.isolationResponse
        das = vim.cluster.DasVmConfigInfo(key=vm, dasSettings=settings)  # without what it says the older way, too
        spec = vim.cluster.DasVmConfigSpec(operation="edit" if ha else "add", info=das)
        said = Overrides(wanted.restart_priority, wanted.isolation_response)
        yield Change(str(said), vim.cluster.ConfigSpecEx(dasVmConfigSpec=[spec]))
    if wanted.drs_behavior or wanted.drs_enabled:
        present = next((one for one in config.drsVmConfig or () if moref(one.key) == moref(vm)), None)
        drs = present or vim.cluster.DrsVmConfigInfo(key=vm)
        drs.behavior = wanted.drs_behavior or drs.behavior
        drs.enabled = wanted.drs_enabled == "true" if wanted.drs_enabled else drs.enabled
        one = vim.cluster.DrsVmConfigSpec(operation="edit" if present else "add", info=drs)
        said = Overrides(drs_behavior=wanted.drs_behavior, drs_enabled=wanted.drs_enabled)
        yield Change(str(said), vim.cluster.ConfigSpecEx(drsVmConfigSpec=[one]))


def _groups(operation: str, info: Any) -> vim.cluster.ConfigSpecEx:
    return vim.cluster.ConfigSpecEx(groupSpec=[vim.cluster.GroupSpec(operation=operation, info=info)])


def _rules(operation: str, info: Any) -> vim.cluster.ConfigSpecEx:
    return vim.cluster.ConfigSpecEx(rulesSpec=[vim.cluster.RuleSpec(operation=operation, info=info)])


def _in(vm: vim.VirtualMachine, members: Any) -> bool:
    return any(moref(one) == moref(vm) for one in members or ())

"""From raw properties to what only the vCenter knows of its VMs: permissions, rules, groups, overrides, pools. Pure.

One index per edition: a cluster's configuration is gone through once, not once per VM.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pyVmomi import vim

from migration.metadata import Allocation, Metadata, Overrides, Permission, Rule, Tag
from vsphere.machines import instance_uuid
from vsphere.names import decoded
from vsphere.session import moref
from vsphere.snapshot import Record, Snapshot

_NONE: Final = frozenset[Tag]()
_AS_CLUSTER: Final = ("clusterRestartPriority", "clusterIsolationResponse")
"""What says that a VM is no exception."""


@dataclass(slots=True)
class _Of:
    """What the clusters' configurations say of one VM."""

    rules: set[Rule] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    high_availability: Any = None
    resources: Any = None


class MetadataSeen:
    """What one edition of a snapshot says; `roles` are the names of roles by id, `tags` those of objects by theirs."""

    def __init__(self, snapshot: Snapshot, roles: Mapping[int, str], tags: Mapping[str, frozenset[Tag]]) -> None:
        """Go through every cluster's configuration."""
        self._roles = roles
        self._tags = tags
        self._snapshot = snapshot
        self._of: dict[str, _Of] = {}
        for cluster in snapshot.of(vim.ClusterComputeResource):
            if (config := cluster.get("configurationEx")) is not None:
                self._take(config)

    def of(self, vm: Record) -> Metadata:
        """Return what there is about this VM."""
        known = self._of.get(vm.moref) or _Of()
        return Metadata(
            tags=self._tags.get(vm.moref, _NONE),
            permissions=frozenset(self._permissions(vm)),
            rules=frozenset(known.rules),
            groups=frozenset(known.groups),
            overrides=_overrides(known),
        )

    def _permissions(self, vm: Record) -> Iterator[Permission]:
        for one in vm.get("permission", ()):
            if one.entity is None or moref(one.entity) == vm.moref:
                role = self._roles.get(int(one.roleId), f"role {one.roleId}")
                yield Permission(str(one.principal), bool(one.group), role, bool(one.propagate))

    def _take(self, config: Any) -> None:
        groups: dict[str, list[Any]] = {}
        for group in config.group or ():
            if isinstance(group, vim.cluster.VmGroup):
                groups[str(group.name)] = list(group.vm or ())
                for vm in group.vm or ():
                    self._known(vm).groups.add(str(group.name))
        for raw in config.rule or ():
            for vm, rule in self._rules(raw, groups):
                self._known(vm).rules.add(rule)
        for override in config.dasVmConfig or ():
            self._known(override.key).high_availability = override
        for override in config.drsVmConfig or ():
            self._known(override.key).resources = override

    def _known(self, vm: Any) -> _Of:
        return self._of.setdefault(moref(vm), _Of())

    def _rules(self, raw: Any, groups: Mapping[str, list[Any]]) -> Iterator[tuple[Any, Rule]]:
        """Yield the rule for each VM that is in it. Rules of other kinds, such as dependencies at restart, are left out."""
        kind: Literal["affinity", "antiAffinity"] = "affinity"
        match raw:
            case vim.cluster.VmHostRuleInfo():
                rule = Rule(
                    name=str(raw.name),
                    kind="vmHost",
                    enabled=bool(raw.enabled),
                    mandatory=bool(raw.mandatory),
                    vm_group=str(raw.vmGroupName or ""),
                    host_group=str(raw.affineHostGroupName or raw.antiAffineHostGroupName or ""),
                    affine=bool(raw.affineHostGroupName),
                )
                yield from ((vm, rule) for vm in groups.get(rule.vm_group, ()))
                return
            case vim.cluster.AffinityRuleSpec():
                pass
            case vim.cluster.AntiAffinityRuleSpec():
                kind = "antiAffinity"
            case _:
                return
        members = tuple(sorted(self._member(vm) for vm in raw.vm or ()))
        rule = Rule(str(raw.name), kind, members, bool(raw.enabled), bool(raw.mandatory))
        yield from ((vm, rule) for vm in raw.vm or ())

    def _member(self, vm: Any) -> tuple[str, str]:
        record = self._snapshot.record(moref(vm))
        return (instance_uuid(record), decoded(str(record.get("name", "")))) if record else ("", moref(vm))


def allocation(raw: Any) -> Allocation:
    """Return a pool's shares, reservation and limit, of CPU (MHz) or of memory (MB)."""
    if raw is None:
        return Allocation()
    level = str(raw.shares.level) if raw.shares else "normal"
    return Allocation(
        shares=level if level != "custom" else str(raw.shares.shares),
        reservation=int(raw.reservation or 0),
        limit=-1 if raw.limit is None else int(raw.limit),
        expandable=raw.expandableReservation is not False,
    )


def _overrides(known: _Of) -> Overrides:
    ha, drs = known.high_availability, known.resources
    settings = getattr(ha, "dasSettings", None)
    priority = (settings.restartPriority if settings else getattr(ha, "restartPriority", None)) or ""
    isolation = (settings.isolationResponse if settings else None) or ""
    enabled: Literal["", "true", "false"] = ""
    if drs is not None and drs.enabled is not None:
        enabled = "true" if drs.enabled else "false"
    return Overrides(
        restart_priority="" if priority in _AS_CLUSTER else str(priority),
        isolation_response="" if isolation in _AS_CLUSTER else str(isolation),
        drs_behavior=str(getattr(drs, "behavior", None) or ""),
        drs_enabled=enabled,
    )

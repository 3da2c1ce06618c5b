"""What only the vCenter that it leaves knows of the VM: can the other one hold it?"""

from __future__ import annotations

from collections.abc import Iterator

from migration.concerns.moves import leaving
from migration.metadata import Rule as DrsRule
from migration.model import Severity, Vm
from migration.observation import Observation
from migration.rule import Found, rule
from migration.wanted import VmSpec


@rule(
    "permission.no-role",
    Severity.WARNS,
    "The other vCenter has no role of the name that a permission on the VM gives.",
    remedy="create the role there, or accept that the permission does not come along",
    source="ours",
)
def no_role(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find permissions that cannot be given again; roles are known by name."""
    for move in leaving(spec, seen):
        metadata = move.vm.unrestored.metadata if move.vm.unrestored else move.vm.metadata
        for one in sorted(metadata.permissions):
            if move.there.roles and one.role not in move.there.roles:
                yield Found(f"{move.there.vcenter} has no role {one.role!r}, for the permission {one}")


def _rules(vm: Vm) -> list[DrsRule]:
    metadata = vm.unrestored.metadata if vm.unrestored else vm.metadata
    return sorted(rule for rule in metadata.rules if rule.enabled)


@rule(
    "drs.host-rule",
    Severity.WARNS,
    "A DRS rule binds the VM to a group of hosts; hosts do not come along.",
    remedy="make a host group of the same name in the other cluster before, with the hosts that it should mean there",
    source="ours",
)
def host_rule(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find rules about hosts."""
    for move in leaving(spec, seen):
        for one in _rules(move.vm):
            if one.kind == "vmHost":
                on = "on" if one.affine else "off"
                yield Found(
                    f"DRS rule {one.name!r} keeps it {on} the hosts of group {one.host_group!r}, which stay behind"
                )


@rule(
    "drs.members-apart",
    Severity.WARNS,
    "A DRS rule keeps the VM together with others, or apart from them; it holds again once they are at the same site.",
    remedy="put all members of the rule into one wave",
    source="ours",
)
def members_apart(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find rules about other VMs: no rule reaches across two vCenters, so it does not hold while they are apart."""
    for move in leaving(spec, seen):
        for one in _rules(move.vm):
            others = [name for uuid, name in one.members if uuid != move.vm.instance_uuid]
            if one.kind != "vmHost" and others:
                how = "together with" if one.kind == "affinity" else "apart from"
                yield Found(
                    f"DRS rule {one.name!r} keeps it {how} {', '.join(others)}; "
                    f"it does not hold until they are at {move.there.vcenter} too"
                )

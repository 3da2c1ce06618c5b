"""What the vCenter that has a VM does not show of what its papers know: said in the outputs, by name. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from migration.metadata import Rule
from migration.model import Papers, Vm
from migration.observation import Observation


def differences(vm: Vm, seen: Observation) -> tuple[str, ...]:
    """Return a sentence for each thing that is not as in the VM's papers; () for a VM that has none.

    Networks and datastores are not among them: those are meant to be others.
    """
    return tuple(_found(vm.papers, vm, seen)) if vm.papers else ()


def _found(papers: Papers, vm: Vm, seen: Observation) -> Iterator[str]:
    view = seen.sites.get(vm.site)
    where = view.vcenter if view else vm.site
    if vm.folder != papers.folder:
        yield f"its folder at {where} is {vm.folder!r}, it was {papers.folder!r}"
    if vm.pool != papers.pool and not vm.template:  # a template is in no pool
        yield f"its resource pool at {where} is {vm.pool!r}, it was {papers.pool!r}"
    for name, value in sorted(papers.attributes.items()):
        if vm.attributes.get(name, "") != value:
            has = f"is {vm.attributes[name]!r}" if vm.attributes.get(name) else "is missing"
            yield f"custom attribute {name!r} {has} at {where}, it was {value!r}"
    lacking = papers.metadata.lacking(vm.metadata)
    lacking = replace(lacking, rules=frozenset(rule for rule in lacking.rules if not _to_come(rule, seen)))
    unread = " (its tags cannot be read there)" if view and not view.tagging and lacking.tags else ""
    for part in lacking.said():
        yield f"{part} is not at {where}" + (unread if part.startswith("tag ") else "")


def _to_come(rule: Rule, seen: Observation) -> bool:
    """Say whether the rule is made with the arrival of its next member: one VM alone has no rule about others."""
    return rule.kind != "vmHost" and not seen.partners & {uuid for uuid, _ in rule.members}

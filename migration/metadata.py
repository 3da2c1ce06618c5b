"""What only a vCenter knows of a VM and would forget: tags, permissions, DRS rules and groups, overrides. Pure data.

Named, never referred to: a role, a tag or a rule has another id at each vCenter. Members of a rule are known by instance UUID.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
_hints: Final = functools.cache(get_type_hints)
"""Each VM's papers are read often, and what a class is declared with does not change."""


@dataclass(frozen=True, slots=True, order=True)
class Tag:
    """A tag, in its category."""

    category: str
    name: str

    def __str__(self) -> str:
        """Give it as an operator writes it."""
        return f"{self.category}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """A role that a principal has on the VM itself; what it inherits is its folder's."""

    principal: str
    group: bool
    role: str
    propagate: bool = True

    def __str__(self) -> str:
        """Give it as an operator would say it."""
        return f"{self.role} for {'group ' if self.group else ''}{self.principal}"


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """A DRS rule that the VM is in.

    `members` are (instance UUID, name) of the VMs of an affinity or anti-affinity rule; a `vmHost` rule binds `vm_group` to
    `host_group` (`affine`: runs on; else: does not run on).
    """

    name: str
    kind: Literal["affinity", "antiAffinity", "vmHost"]
    members: tuple[tuple[str, str], ...] = ()
    enabled: bool = True
    mandatory: bool = False
    vm_group: str = ""
    host_group: str = ""
    affine: bool = True


@dataclass(frozen=True, slots=True)
class Overrides:
    """The VM's exceptions from its cluster's settings, in vSphere's words; "" where it has none."""

    restart_priority: str = ""
    isolation_response: str = ""
    drs_behavior: str = ""
    drs_enabled: Literal["", "true", "false"] = ""

    def __str__(self) -> str:
        """Give those that are set."""
        said = {
            "HA restart priority": self.restart_priority,
            "HA isolation response": self.isolation_response,
            "DRS automation": self.drs_behavior,
            "DRS enabled": self.drs_enabled,
        }
        return ", ".join(f"{name} {value}" for name, value in said.items() if value)


@dataclass(frozen=True, slots=True)
class Allocation:
    """Shares, reservation and limit of a pool; MHz or MB. `shares` is a level or a number, `limit` -1 is none."""

    shares: str = "normal"
    reservation: int = 0
    limit: int = -1
    expandable: bool = True


@dataclass(frozen=True, slots=True)
class Pool:
    """A resource pool below the cluster's root, by path, with its settings."""

    path: str
    cpu: Allocation = Allocation()
    memory: Allocation = Allocation()


@dataclass(frozen=True, slots=True)
class Metadata:
    """All of it about one VM."""

    tags: frozenset[Tag] = frozenset()
    permissions: frozenset[Permission] = frozenset()
    rules: frozenset[Rule] = frozenset()
    groups: frozenset[str] = frozenset()
    overrides: Overrides = field(default_factory=Overrides)

    def __bool__(self) -> bool:
        """Say whether there is any."""
        return self != Metadata()

    def merged(self, later: Metadata) -> Metadata:
        """Return both together; of what both say differently, what `later` says. A rule keeps the members of both."""
        rules = {rule.name: rule for rule in self.rules}
        for rule in later.rules:
            members = {*rule.members, *(rules[rule.name].members if rule.name in rules else ())}
            rules[rule.name] = replace(rule, members=tuple(sorted(members)))
        overrides = {name: value for name, value in asdict(later.overrides).items() if value}
        held = {(one.principal, one.group): one for one in (*sorted(self.permissions), *sorted(later.permissions))}
        return Metadata(
            self.tags | later.tags,
            frozenset(held.values()),
            frozenset(rules.values()),
            self.groups | later.groups,
            replace(self.overrides, **overrides),
        )

    def lacking(self, present: Metadata) -> Metadata:
        """Return what `present` has not: tags, permissions, rules by name, groups, and overrides that differ."""
        names = {rule.name for rule in present.rules}
        there = asdict(present.overrides)
        missing = {name: value for name, value in asdict(self.overrides).items() if value and there[name] != value}
        return Metadata(
            self.tags - present.tags,
            self.permissions - present.permissions,
            frozenset(rule for rule in self.rules if rule.name not in names),
            self.groups - present.groups,
            Overrides(**missing),
        )

    def said(self) -> tuple[str, ...]:
        """Return a sentence's part for each thing, in a steady order."""
        return (
            *(f"tag {tag}" for tag in sorted(self.tags)),
            *(f"permission {permission}" for permission in sorted(self.permissions)),
            *(f"DRS rule {rule.name!r} ({_members(rule)})" for rule in sorted(self.rules)),
            *(f"DRS group {group!r}" for group in sorted(self.groups)),
            *((str(self.overrides),) if self.overrides != Overrides() else ()),
        )

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it; nothing that is empty."""
        sets: dict[str, Any] = {
            "tags": [asdict(one) for one in sorted(self.tags)],
            "permissions": [asdict(one) for one in sorted(self.permissions)],
            "rules": [asdict(one) for one in sorted(self.rules)],
            "groups": sorted(self.groups),
            "overrides": {name: value for name, value in asdict(self.overrides).items() if value},
        }
        return {name: value for name, value in sets.items() if value}

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Metadata:
        """Return what `plain` gave. Raises: TypeError, KeyError, ValueError where it is something else."""
        return cls(
            frozenset(typed(Tag, one) for one in data.get("tags", ())),
            frozenset(typed(Permission, one) for one in data.get("permissions", ())),
            frozenset(_rule(one) for one in data.get("rules", ())),
            frozenset(str(one) for one in data.get("groups", ())),
            typed(Overrides, data.get("overrides", {})),
        )


NO_METADATA: Final = Metadata()


def pools_plain(pools: Iterable[Pool]) -> list[dict[str, Any]]:
    """Return pools as JSON has them."""
    return [asdict(pool) for pool in pools]


def pools_read(data: Iterable[Mapping[str, Any]]) -> tuple[Pool, ...]:
    """Return what `pools_plain` gave. Raises: TypeError, KeyError where it is something else."""
    return tuple(
        typed(Pool, {**one, "cpu": typed(Allocation, one["cpu"]), "memory": typed(Allocation, one["memory"])})
        for one in data
    )


def typed(kind: type[T], data: Mapping[str, Any]) -> T:
    """Make a dataclass of what was JSON: papers can be edited by anybody who may edit a VM.

    Raises: TypeError where a field is missing, unknown, or not of the type that it is declared with.
    """
    made = kind(**data)
    for name, hint in _hints(cast("Any", kind)).items():
        value = getattr(made, name)
        words = get_args(hint) if get_origin(hint) is Literal else None
        if value not in words if words else isinstance(hint, type) and type(value) is not hint:
            raise TypeError(f"{name} of {kind.__name__} is {value!r}")
    return made


def _members(rule: Rule) -> str:
    if rule.kind == "vmHost":
        return f"group {rule.vm_group!r} {'on' if rule.affine else 'not on'} hosts {rule.host_group!r}"
    kind = "together" if rule.kind == "affinity" else "apart"
    return f"{kind}: {', '.join(name for _, name in rule.members)}"


def _rule(data: Mapping[str, Any]) -> Rule:
    members = tuple((str(uuid), str(name)) for uuid, name in data.get("members", ()))
    return typed(Rule, {**data, "members": members})

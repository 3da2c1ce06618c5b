"""What a watch knows of one vCenter at one moment: raw properties by object. Immutable; each update makes a new one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from pyVmomi import vim
from pyVmomi.VmomiSupport import ManagedObject

from vsphere.session import moref

_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Record:
    """One managed object: its reference, and its properties by path. A path that is unset is absent."""

    ref: ManagedObject
    values: Mapping[str, Any]

    @property
    def moref(self) -> str:
        """The object's id."""
        return moref(self.ref)

    def get(self, path: str, default: Any = None) -> Any:
        """Return the property, or `default` where it is unset."""
        return self.values.get(path, default)

    def target(self, path: str) -> str:
        """Return the id of the object that the property refers to, or "" where it is unset."""
        ref = self.values.get(path)
        return moref(ref) if isinstance(ref, ManagedObject) else ""

    def targets(self, path: str) -> tuple[str, ...]:
        """Return the ids of the objects that the property refers to."""
        return tuple(moref(ref) for ref in self.values.get(path) or ())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`inventory` and `tasks` are by object id, `fields` are the names of custom attributes by their key.

    `edition` counts the changes to anything but tasks: what is derived from the inventory can be kept while it stands.
    """

    inventory: Mapping[str, Record] = field(default_factory=lambda: _NOTHING)
    tasks: Mapping[str, Record] = field(default_factory=lambda: _NOTHING)
    fields: Mapping[int, str] = field(default_factory=lambda: _NOTHING)
    edition: int = 0

    def of(self, kind: type[ManagedObject]) -> Iterator[Record]:
        """Yield every object of this kind or of a subtype."""
        return (record for record in self.inventory.values() if isinstance(record.ref, kind))

    def record(self, key: str) -> Record | None:
        """Return the object with this id."""
        return self.inventory.get(key)

    def task_on(self, key: str, but: Collection[str] = ()) -> Record | None:
        """Return a task that is queued or running on the object with this id, leaving out those with the ids in `but`."""
        for task, record in self.tasks.items():
            state = str(record.get("info.state", ""))
            if state in ("queued", "running") and record.target("info.entity") == key and task not in but:
                return record
        return None

    def updated(self, updates: Iterable[Any]) -> Snapshot:
        """Return the snapshot with PropertyCollector object updates applied."""
        inventory, tasks, fields = dict(self.inventory), dict(self.tasks), self.fields
        changed = False
        for update in updates:
            if isinstance(update.obj, vim.TaskManager):
                continue
            if isinstance(update.obj, vim.CustomFieldsManager):
                fields = _names(update, fields)
                changed = True
                continue
            is_task = isinstance(update.obj, vim.Task)
            _apply(update, tasks if is_task else inventory)
            changed = changed or not is_task
        return Snapshot(inventory, tasks, fields, self.edition + changed)

    def unnamed(self, updates: Iterable[Any]) -> bool:
        """Say whether an updated VM has a custom attribute whose definition is not known."""
        updated = (self.inventory.get(moref(update.obj)) for update in updates)
        values = (one for record in updated if record for one in record.get("customValue", ()))
        return any(int(one.key) not in self.fields for one in values)

    def renamed(self, fields: Mapping[int, str]) -> Snapshot:
        """Return the snapshot with these definitions of custom attributes."""
        return replace(self, fields=fields, edition=self.edition + 1)

    def refreshed(self, records: Iterable[Record]) -> Snapshot:
        """Return the snapshot with the properties in these records; others that are known of the same objects stay."""
        inventory = dict(self.inventory)
        for record in records:
            before = inventory.get(record.moref)
            inventory[record.moref] = Record(record.ref, {**(before.values if before else {}), **record.values})
        return replace(self, inventory=inventory, edition=self.edition + 1)

    def reread(self, record: Record | None, key: str) -> Snapshot:
        """Return the snapshot with one object as it was read just now; None: it is gone."""
        inventory = dict(self.inventory)
        if record is None:
            inventory.pop(key, None)
        else:
            inventory[key] = record
        return replace(self, inventory=inventory, edition=self.edition + 1)


def _apply(update: Any, records: dict[str, Record]) -> None:
    key = moref(update.obj)
    if update.kind == "leave":
        records.pop(key, None)
        return
    before = records.get(key)
    if before is None and update.kind == "modify":
        return  # read directly meanwhile, and found gone
    values = dict(before.values) if before and update.kind == "modify" else {}
    for change in update.changeSet:
        if change.op in ("assign", "add") and change.val is not None:
            values[change.name] = change.val
        else:
            values.pop(change.name, None)
    records[key] = Record(update.obj, values)


def usable(host: Record) -> bool:
    """Say whether the host is connected and not in maintenance mode."""
    connected = str(host.get("runtime.connectionState", "")) == "connected"
    return connected and not host.get("runtime.inMaintenanceMode", False)


def field_names(definitions: Iterable[Any]) -> Mapping[int, str]:
    """Return the custom attributes that a VM can have, by key; those of hosts alone may bear the same name."""
    kinds = (None, vim.ManagedEntity, vim.VirtualMachine)
    return {int(one.key): str(one.name) for one in definitions if one.managedObjectType in kinds}


def _names(update: Any, before: Mapping[int, str]) -> Mapping[int, str]:
    for change in update.changeSet:
        before = field_names(change.val or ())
    return before

"""Reading objects once, in bulk or one: for what is needed as it is now, or is too rare or too heavy to follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyVmomi import vmodl
from pyVmomi.VmomiSupport import ManagedObject

from vsphere.session import Session, moref
from vsphere.snapshot import Record

_PC = vmodl.query.PropertyCollector


def collect(session: Session, doing: str, kind: type[ManagedObject], paths: Sequence[str]) -> list[Record]:
    """Return every object of this kind with these properties; changes nothing.

    Raises: MigrationError.
    """
    content = session.content

    def read() -> list[Record]:
        views: Any = content.viewManager
        view = views.CreateContainerView(content.rootFolder, [kind], True)
        try:
            walk = _PC.TraversalSpec(name="view", type=type(view), path="view", skip=False)
            spec = _PC.FilterSpec(
                objectSet=[_PC.ObjectSpec(obj=view, skip=True, selectSet=[walk])],
                propSet=[_PC.PropertySpec(type=kind, pathSet=list(paths))],
            )
            return _retrieved(content.propertyCollector, spec)
        finally:
            view.DestroyView()

    return session.read(doing, read)


def several(
    session: Session, doing: str, kind: type[ManagedObject], refs: Sequence[ManagedObject], paths: Sequence[str]
) -> list[Record]:
    """Return these objects with these properties, by one call: for parts of hosts, which no view lists. Changes nothing.

    Raises: MigrationError; Stale where one is gone.
    """
    if not refs:
        return []
    spec = _PC.FilterSpec(
        objectSet=[_PC.ObjectSpec(obj=ref) for ref in refs],
        propSet=[_PC.PropertySpec(type=kind, pathSet=list(paths))],
    )
    return session.read(doing, lambda: _retrieved(session.content.propertyCollector, spec))


def _retrieved(collector: Any, spec: vmodl.query.PropertyCollector.FilterSpec) -> list[Record]:
    answer = collector.RetrievePropertiesEx([spec], _PC.RetrieveOptions())
    found = list(answer.objects) if answer else []
    while answer and answer.token:
        answer = collector.ContinueRetrievePropertiesEx(answer.token)
        found += answer.objects
    return [Record(one.obj, {prop.name: prop.val for prop in one.propSet or ()}) for one in found]


def read_one(session: Session, ref: Any, kind: type, paths: Sequence[str]) -> dict[str, Any] | None:
    """Return the properties of one object by a call of its own, or None where it is gone.

    Raises: MigrationError.
    """
    spec = _PC.FilterSpec(
        objectSet=[_PC.ObjectSpec(obj=ref)], propSet=[_PC.PropertySpec(type=kind, pathSet=list(paths))]
    )
    collector = session.content.propertyCollector

    def read() -> Any:
        try:
            return collector.RetrievePropertiesEx([spec], _PC.RetrieveOptions())
        except vmodl.fault.ManagedObjectNotFound:
            return None

    answer = session.read(f"reading {moref(ref)}", read)
    if answer is None or not answer.objects:
        return None
    return {prop.name: prop.val for prop in answer.objects[0].propSet}

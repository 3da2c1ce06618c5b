"""Reading objects in bulk once, for the steps that need what is true now and are too rare to follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyVmomi import vmodl
from pyVmomi.VmomiSupport import ManagedObject

from vsphere.session import Session
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
            collector = content.propertyCollector
            answer = collector.RetrievePropertiesEx([spec], _PC.RetrieveOptions())
            found = list(answer.objects) if answer else []
            while answer and answer.token:
                answer = collector.ContinueRetrievePropertiesEx(answer.token)
                found += answer.objects
        finally:
            view.DestroyView()
        return [Record(one.obj, {prop.name: prop.val for prop in one.propSet or ()}) for one in found]

    return session.read(doing, read)

"""Tags, which only the REST API knows. Read in bulk, once per session; attached, and read again, one VM at a time.

The calls are those of vCenter 6.5 to 8 (/rest/com/vmware/cis/tagging). A vCenter 6.0 has tags too, and no way to read them.
"""

from __future__ import annotations

import http.client
import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from pyVmomi import vim

from migration.errors import MigrationError, Refused, Stale
from migration.metadata import Tag
from migration.model import Vm
from vsphere.rest import Rest, RestError, reading
from vsphere.session import moref
from vsphere.tls import Endpoint

if TYPE_CHECKING:
    from vsphere.site import Site

log = logging.getLogger(__name__)

Tags = Mapping[str, frozenset[Tag]]
"""The tags of each VM that has any, by the VM's id."""

_ROOT: Final = "/rest/com/vmware/cis/tagging/"
_ASSOCIATION: Final = f"{_ROOT}tag-association?~action="
_VM: Final = "VirtualMachine"
_PAGE: Final = 500
"""Tags per question: vCenter bounds the length of what it is asked."""
_writing = threading.Lock()
"""Held while categories and tags are looked for and created: two VMs may need the same one."""


@dataclass(slots=True)
class _Known:
    """Which categories and tags a session has met: ids by name, and names by id. What is missing here is asked for."""

    categories: dict[str, str] = field(default_factory=dict)
    tags: dict[Tag, str] = field(default_factory=dict)
    names: dict[str, Tag] = field(default_factory=dict)

    def add(self, key: str, tag: Tag) -> None:
        self.tags[tag], self.names[key] = key, tag

    def forget(self, tag: Tag) -> None:
        self.names.pop(self.tags.pop(tag, ""), None)


_known: Final[dict[Endpoint, _Known]] = {}


def read(endpoint: Endpoint) -> Tags | None:
    """Return the tags of the site's VMs, or None where it has none that can be read; says why in the log. Changes nothing."""
    known = _known[endpoint] = _Known()
    try:
        with Rest(endpoint) as rest, reading(endpoint, "reading tags"):
            return _read(rest, known)
    except RestError as error:
        level = logging.INFO if error.status == http.client.NOT_FOUND else logging.WARNING
        log.log(level, "%s: tags cannot be read: %s", endpoint, error)
    except MigrationError as error:
        log.warning("%s: tags cannot be read: %s", endpoint, error)
    return None


def confirm(site: Site, vm: Vm) -> None:
    """See that the VM still has the tags that were observed: no update of vCenter's tells. Says in the log where it cannot.

    Raises: Stale where it has others by now; what is observed next shows them.
    """
    ref = site.identified(vm).ref
    if site.inventory().standing.tags is None:
        return
    try:
        with Rest(site.endpoint) as rest, reading(site.endpoint, f"reading the tags of {vm.name}"):
            now = _attached(rest, moref(ref), _known.setdefault(site.endpoint, _Known()))
    except MigrationError as error:
        log.warning("%s: whether its tags have changed cannot be read: %s", vm.name, error)
        return
    if now != vm.metadata.tags:
        site.tagged(moref(ref), now)
        raise Stale(f"{vm.name}: somebody has changed its tags; it is observed again")


def attach(site: Site, ref: vim.ManagedEntity, tags: Iterable[Tag]) -> tuple[str, ...]:
    """Attach the tags to the VM, creating what is missing of them; return what could not be done, a sentence each.

    A category that is created takes several tags per object and any kind of object: what it was is not known here.

    Raises: Transient errors of the site.
    """
    undone = []
    known = _known.setdefault(site.endpoint, _Known())
    name = site.watch.name(moref(ref)) or moref(ref)
    with Rest(site.endpoint) as rest:
        for tag in sorted(tags):
            try:
                try:
                    with reading(site.endpoint, f"looking for tag {tag}"):
                        _attach(rest, moref(ref), tag, name, known)
                except RestError as error:
                    if error.status != http.client.NOT_FOUND:
                        raise
                    known.forget(tag)  # somebody has deleted it, or its category
                    known.categories.pop(tag.category, None)
                    with reading(site.endpoint, f"looking for tag {tag}"):
                        _attach(rest, moref(ref), tag, name, known)
            except (RestError, Refused) as error:
                undone.append(f"tag {tag}: {error}")
        with reading(site.endpoint, f"reading the tags of {name}"):
            site.tagged(moref(ref), _attached(rest, moref(ref), known))
    return tuple(undone)


def _attach(rest: Rest, vm: str, tag: Tag, name: str, known: _Known) -> None:
    with _writing:
        key = _ensured(rest, tag, known)
    rest.change(f"{_ROOT}tag-association/id:{_quoted(key)}?~action=attach", {"object_id": _target(vm)}, name)


def _attached(rest: Rest, vm: str, known: _Known) -> frozenset[Tag]:
    found = rest.ask(f"{_ASSOCIATION}list-attached-tags", {"object_id": _target(vm)}) or ()
    return frozenset(_named(rest, found, known).values())


def _target(vm: str) -> dict[str, str]:
    return {"id": vm, "type": _VM}


def _read(rest: Rest, known: _Known) -> Tags:
    """Ask which objects each tag is on, then for the names of those tags alone that are on a VM."""
    ids = [str(one) for one in rest.read(f"{_ROOT}tag") or ()]
    on: dict[str, list[str]] = {}
    for start in range(0, len(ids), _PAGE):
        answer = rest.ask(f"{_ASSOCIATION}list-attached-objects-on-tags", {"tag_ids": ids[start : start + _PAGE]})
        for one in answer or ():
            if vms := [str(thing["id"]) for thing in one["object_ids"] if thing["type"] == _VM]:
                on[str(one["tag_id"])] = vms
    found: dict[str, set[Tag]] = {}
    for key, tag in _named(rest, on, known).items():
        for vm in on[key]:
            found.setdefault(vm, set()).add(tag)
    return {vm: frozenset(tags) for vm, tags in found.items()}


def _named(rest: Rest, ids: Iterable[str], known: _Known) -> dict[str, Tag]:
    """Return the tags with these ids; what is not known of them is read, each category once."""
    categories = {key: name for name, key in known.categories.items()}
    named = {}
    for key in ids:
        if (met := known.names.get(key)) is None:
            tag = rest.read(f"{_ROOT}tag/id:{_quoted(key)}")
            category = str(tag["category_id"])
            if category not in categories:
                categories[category] = str(rest.read(f"{_ROOT}category/id:{_quoted(category)}")["name"])
                known.categories[categories[category]] = category
            met = Tag(categories[category], str(tag["name"]))
            known.add(key, met)
        named[key] = met
    return named


def _ensured(rest: Rest, tag: Tag, known: _Known) -> str:
    """Return the id of the tag, which is created where it is missing, in a category that is too.

    One that is not known makes all of its category be read, anew: somebody may have renamed what had been met.
    """
    if tag in known.tags:
        return known.tags[tag]
    if tag.category not in known.categories:
        ids = [str(one) for one in rest.read(f"{_ROOT}category") or ()]
        known.categories = {str(rest.read(f"{_ROOT}category/id:{_quoted(one)}")["name"]): one for one in ids}
    if tag.category not in known.categories:
        spec = {"name": tag.category, "description": "", "cardinality": "MULTIPLE", "associable_types": []}
        known.categories[tag.category] = _created(rest, "category", spec)
    category = known.categories[tag.category]
    inside = rest.ask(f"{_ROOT}tag/id:{_quoted(category)}?~action=list-tags-for-category") or ()
    for met in [one for one in tuple(known.tags) if one.category == tag.category]:
        known.forget(met)
    _named(rest, inside, known)
    if tag not in known.tags:
        spec = {"name": tag.name, "description": "", "category_id": category}
        known.add(_created(rest, "tag", spec), tag)
    return known.tags[tag]


def _created(rest: Rest, kind: str, spec: Mapping[str, Any]) -> str:
    return str(rest.change(f"{_ROOT}{kind}", {"create_spec": spec}, str(spec["name"])))


def _quoted(key: str) -> str:
    return quote(str(key), safe=":")

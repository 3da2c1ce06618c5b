"""Tags, which only the REST API knows. Read in bulk, once per session; attached one VM at a time.

The calls are those of vCenter 6.5 to 8 (/rest/com/vmware/cis/tagging). A vCenter 6.0 has tags too, and no way to read them.
"""

from __future__ import annotations

import http.client
import logging
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from pyVmomi import vim

from migration.errors import MigrationError, Refused
from migration.metadata import Tag
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


def read(endpoint: Endpoint) -> Tags | None:
    """Return the tags of the site's VMs, or None where it has none that can be read; says why in the log. Changes nothing."""
    try:
        with Rest(endpoint) as rest, reading(endpoint, "reading tags"):
            return _read(rest)
    except RestError as error:
        level = logging.INFO if error.status == http.client.NOT_FOUND else logging.WARNING
        log.log(level, "%s: tags cannot be read: %s", endpoint, error)
    except MigrationError as error:
        log.warning("%s: tags cannot be read: %s", endpoint, error)
    return None


def attach(site: Site, ref: vim.ManagedEntity, tags: Iterable[Tag]) -> tuple[str, ...]:
    """Attach the tags to the VM, creating what is missing of them; return what could not be done, a sentence each.

    A category that is created takes several tags per object and any kind of object: what it was is not known here.

    Raises: Transient errors of the site.
    """
    undone = []
    target = {"id": moref(ref), "type": _VM}
    name = site.watch.name(moref(ref)) or moref(ref)
    with Rest(site.endpoint) as rest:
        for tag in sorted(tags):
            try:
                with _writing, reading(site.endpoint, f"looking for tag {tag}"):
                    key = _ensured(rest, tag)
                rest.change(f"{_ROOT}tag-association/id:{_quoted(key)}?~action=attach", {"object_id": target}, name)
            except (RestError, Refused) as error:
                undone.append(f"tag {tag}: {error}")
        attached = rest.ask(f"{_ASSOCIATION}list-attached-tags", {"object_id": target}) or ()
        with reading(site.endpoint, f"reading the tags of {name}"):
            site.tagged(moref(ref), frozenset(_named(rest, attached).values()))
    return tuple(undone)


def _read(rest: Rest) -> Tags:
    """Ask which objects each tag is on, then for the names of those tags alone that are on a VM."""
    ids = [str(one) for one in rest.read(f"{_ROOT}tag") or ()]
    on: dict[str, list[str]] = {}
    for start in range(0, len(ids), _PAGE):
        answer = rest.ask(f"{_ASSOCIATION}list-attached-objects-on-tags", {"tag_ids": ids[start : start + _PAGE]})
        for one in answer or ():
            if vms := [str(thing["id"]) for thing in one["object_ids"] if thing["type"] == _VM]:
                on[str(one["tag_id"])] = vms
    found: dict[str, set[Tag]] = {}
    for key, tag in _named(rest, on).items():
        for vm in on[key]:
            found.setdefault(vm, set()).add(tag)
    return {vm: frozenset(tags) for vm, tags in found.items()}


def _named(rest: Rest, ids: Iterable[str]) -> dict[str, Tag]:
    """Return the tags with these ids, each category read once."""
    categories: dict[str, str] = {}
    named = {}
    for key in ids:
        tag = rest.read(f"{_ROOT}tag/id:{_quoted(key)}")
        category = str(tag["category_id"])
        if category not in categories:
            categories[category] = str(rest.read(f"{_ROOT}category/id:{_quoted(category)}")["name"])
        named[key] = Tag(categories[category], str(tag["name"]))
    return named


def _ensured(rest: Rest, tag: Tag) -> str:
    """Return the id of the tag, which is created where it is missing, in a category that is too."""
    category = _found(rest, "category", rest.read(f"{_ROOT}category"), tag.category)
    if category is None:
        spec = {"name": tag.category, "description": "", "cardinality": "MULTIPLE", "associable_types": []}
        category = _created(rest, "category", spec)
    inside = f"{_ROOT}tag/id:{_quoted(category)}?~action=list-tags-for-category"
    found = _found(rest, "tag", rest.ask(inside), tag.name)
    if found is None:
        found = _created(rest, "tag", {"name": tag.name, "description": "", "category_id": category})
    return found


def _found(rest: Rest, kind: str, ids: Iterable[str] | None, name: str) -> str | None:
    for key in ids or ():
        if rest.read(f"{_ROOT}{kind}/id:{_quoted(key)}")["name"] == name:
            return key
    return None


def _created(rest: Rest, kind: str, spec: Mapping[str, Any]) -> str:
    return str(rest.change(f"{_ROOT}{kind}", {"create_spec": spec}, str(spec["name"])))


def _quoted(key: str) -> str:
    return quote(str(key), safe=":")

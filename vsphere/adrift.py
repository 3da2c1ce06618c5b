"""Finding a VM that is registered nowhere, by its .vmx on the volumes that the migration is about.

The volumes are searched for .vmx files once, and again only where something was registered or unregistered since and a VM is
still missing. What this process itself has unregistered it need not search for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pyVmomi import vim

from migration.errors import Blocked, Stale
from migration.model import Adrift, Concern, File, Severity
from migration.wanted import Identity
from vsphere import vmx
from vsphere.inventory import Inventory
from vsphere.names import datastore_path, split_path
from vsphere.site import Site
from vsphere.snapshot import Record

Inventories = Mapping[str, Inventory]


class Drift:
    """What lies on the volumes without being registered. Thread-safe."""

    def __init__(self, sites: Mapping[str, Site], datastores: Sequence[str]) -> None:
        """`datastores` are the names, at whatever site, of the volumes to look at."""
        self._sites = sites
        self._names = frozenset(datastores)
        self._lock = threading.Lock()
        self._files: frozenset[File] = frozenset()
        self._read: dict[File, Adrift] = {}
        self._searched_at: frozenset[File] | None = None

    def left(self, file: File) -> None:
        """Say that this process has just unregistered the VM of this .vmx."""
        with self._lock:
            self._files |= {file}

    def find(self, who: Identity, inventories: Inventories) -> tuple[Adrift, ...]:
        """Return what fits the identity among the .vmx files that belong to no registered VM.

        Raises: Blocked where a site cannot tell which file one of its VMs has, Stale where it cannot yet; MigrationError.
        """
        _all_known(who, inventories)
        registered = frozenset().union(*(inventory.registered for inventory in inventories.values()))
        with self._lock:
            found = self._among(self._files - registered, who, inventories)
            if not found and self._searched_at != registered:
                self._files = frozenset(self._search(inventories))
                self._searched_at = registered
                found = self._among(self._files - registered, who, inventories)
            return found

    def _among(self, files: frozenset[File], who: Identity, inventories: Inventories) -> tuple[Adrift, ...]:
        found = []
        for file in sorted(files):
            known = self._read.get(file) or self._fetch(file, inventories)
            if known is None or not _fits(known, who):
                continue
            now = self._fetch(file, inventories)  # its papers may have changed since it was first read
            if now is not None and _fits(now, who):
                found.append(now)
        return tuple(found)

    def _fetch(self, file: File, inventories: Inventories) -> Adrift | None:
        """Read the file through a site that shows its volume; None where it is not there."""
        for name, inventory in inventories.items():
            datastore = _accessible(inventory, file.volume)
            if datastore is None:
                continue
            query = {"dcPath": _datacenter_path(inventory, datastore), "dsName": str(datastore.get("name"))}
            content = self._sites[name].session.download(f"/folder/{quote(file.path)}", query, vmx.LONGEST)
            if content is None:
                break
            found = self._read[file] = vmx.adrift(content, file, _volumes(inventories))
            return found
        self._read.pop(file, None)
        return None

    def _search(self, inventories: Inventories) -> Iterator[File]:
        """Yield every .vmx on the volumes of interest; each volume is searched once, through one site that shows it."""
        done: set[str] = set()
        for name, inventory in inventories.items():
            wanted = {volume.id for other in inventories.values() for volume in other.view.volumes
                      if volume.name in self._names} - done  # fmt: skip
            for volume in sorted(wanted):
                datastore = _accessible(inventory, volume)
                if datastore is not None:
                    done.add(volume)
                    yield from _vmx_files(self._sites[name], datastore, volume)


def _all_known(who: Identity, inventories: Inventories) -> None:
    """Refuse to call a .vmx nobody's while a site has a VM that may be its owner: it could come to be registered twice."""
    for name, inventory in inventories.items():
        for record in inventory.unreadable:
            other = inventory.name(record.moref)
            if record.get("runtime.connectionState") == "connected":
                raise Stale(f"{who.name}: {name} has just got {other}, which is not read yet; it is observed again")
            raise Blocked(
                (
                    Concern(
                        "vm.owner-unknown",
                        Severity.BLOCKS,
                        who.name,
                        f"it is registered nowhere, and {name} cannot read {other!r}, which may be the same VM",
                        f"make {other!r} accessible, or remove it from the inventory, then run again",
                    ),
                )
            )


def _vmx_files(site: Site, datastore: Record, volume: str) -> Iterator[File]:
    name = str(datastore.get("name"))
    browser: Any = datastore.get("browser")
    spec = vim.host.DatastoreBrowser.SearchSpec(matchPattern=["*.vmx"])
    what = f"search datastore {name} for .vmx files"
    results = site.run(site.name, what, lambda: browser.SearchSubFolders(datastore_path(name, "").rstrip(), spec))
    for result in results or ():
        _, folder = split_path(result.folderPath)
        for file in result.file or ():
            yield File(volume, "/".join(part for part in (folder.rstrip("/"), str(file.path)) if part))


def _accessible(inventory: Inventory, volume: str) -> Record | None:
    datastore = inventory.datastore(volume)
    return datastore if datastore is not None and datastore.get("summary.accessible", False) else None


def _datacenter_path(inventory: Inventory, datastore: Record) -> str:
    """Return the datacenter's path from the root folder, which itself is no part of it, as the file service wants it."""
    chain = list(inventory.chain(inventory.datacenter_of(datastore)))
    return "/".join(str(record.get("name")) for record in reversed(chain) if record.target("parent"))


def _volumes(inventories: Inventories) -> Callable[[str], str | None]:
    """Return what turns the UUID or name in an ESXi path into a volume's id."""

    def volume(name: str) -> str | None:
        views = [inventory.view for inventory in inventories.values()]
        if any(one.id == f"vmfs:{name}" for view in views for one in view.volumes):
            return f"vmfs:{name}"
        return next((found for view in views if (found := view.volume_id(name))), None)

    return volume


def _fits(found: Adrift, who: Identity) -> bool:
    if who.instance_uuid and found.instance_uuid:
        return found.instance_uuid == who.instance_uuid.lower()
    return found.name == who.name

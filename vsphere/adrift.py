"""Finding a VM that is registered nowhere, by its .vmx on the volumes that the migration is about.

The volumes are searched for .vmx files once, and again, while a VM is missing, only where somebody else has unregistered one
since, or after a minute. What this process itself has unregistered it need not search for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from pyVmomi import vim

from migration.errors import Blocked, Stale
from migration.model import Adrift, Concern, File, Severity, Vm
from migration.wanted import Identity
from vsphere import vmx
from vsphere.inventory import Inventory
from vsphere.names import datastore_path, split_path
from vsphere.site import Site
from vsphere.snapshot import Record

Inventories = Mapping[str, Inventory]

AGAIN: Final = 60.0
"""Seconds after which the volumes are searched again for what was not found."""


class Drift:
    """What lies on the volumes without being registered. Thread-safe: who needs no search never waits for one."""

    def __init__(self, sites: Mapping[str, Site], datastores: Sequence[str]) -> None:
        """`datastores` are the names, at whatever site, of the volumes to look at."""
        self._sites = sites
        self._names = frozenset(datastores)
        self._lock = threading.Lock()
        """Held for a moment only, never while a site is asked."""
        self._ours: dict[File, Vm] = {}
        self._files: dict[File, Adrift | None] = {}
        """What each file was of when it was last read; None: not read yet."""
        self._searching = threading.Lock()
        self._searched: tuple[float, frozenset[str]] | None = None
        """When the last search began, and which instance UUIDs were registered then."""

    def left(self, vm: Vm) -> None:
        """Say that this process unregisters the VM."""
        with self._lock:
            self._ours[vm.vmx] = vm

    def entered(self, file: File) -> None:
        """Say that this process has registered the VM of this .vmx again."""
        with self._lock:
            self._ours.pop(file, None)

    def find(self, who: Identity, inventories: Inventories) -> tuple[Adrift, ...]:
        """Return what fits the identity among the .vmx files that belong to no registered VM: of several the one that is meant.

        Raises: Blocked where a site cannot tell which file one of its VMs has, Stale where it cannot yet; MigrationError.
        """
        registered = frozenset[File]().union(*(inventory.registered for inventory in inventories.values()))
        if ours := self._among(self._ours, registered, who, inventories):
            return _meant(ours)  # nobody's but ours; before it is registered, each site is asked all the same
        _all_known(who, inventories)
        found = self._among(self._files, registered, who, inventories)
        if not found:
            self._search_if_due(registered, inventories)
            found = self._among(self._files, registered, who, inventories)
        return _meant(found)

    def _among(
        self,
        known: Mapping[File, Adrift | Vm | None],
        registered: frozenset[File],
        who: Identity,
        inventories: Inventories,
    ) -> tuple[Adrift, ...]:
        with self._lock:
            fitting = [file for file, of in known.items() if file not in registered and (of is None or _fits(of, who))]
        read = (self._fetch(file, inventories) for file in sorted(fitting))  # its papers may have changed since
        return tuple(found for found in read if found is not None and _fits(found, who))

    def _fetch(self, file: File, inventories: Inventories) -> Adrift | None:
        """Read the file through a site that shows its volume; None where it is not there, and then it is forgotten."""
        for name, inventory in inventories.items():
            datastore = _accessible(inventory, file.volume)
            if datastore is None:
                continue
            query = {"dcPath": _datacenter_path(inventory, datastore), "dsName": str(datastore.get("name"))}
            content = self._sites[name].session.download(f"/folder/{quote(file.path)}", query, vmx.LONGEST)
            found = None if content is None else vmx.adrift(content, file, _volumes(inventories))
            with self._lock:
                if found is None:
                    self._ours.pop(file, None)
                    self._files.pop(file, None)
                elif file in self._files:
                    self._files[file] = found
            return found
        return None

    def _search_if_due(self, registered: frozenset[File], inventories: Inventories) -> None:
        """Search, or wait for who does, where a VM has gone that we have not unregistered, and else after a while."""
        uuids = frozenset[str]().union(*(inventory.uuids for inventory in inventories.values()))
        with self._searching:
            if self._searched is not None:
                began, then = self._searched
                with self._lock:
                    ours = {vm.instance_uuid.lower() for vm in self._ours.values()}
                if time.monotonic() - began < AGAIN and then <= uuids | ours:
                    return
            began = time.monotonic()
            found: dict[File, Adrift | None] = {}
            for file in self._search(inventories):
                # Read here, once: each of those who wait would read it to see whether it is theirs.
                found[file] = self._files.get(file) or (None if file in registered else self._fetch(file, inventories))
            with self._lock:
                self._files = found
            self._searched = began, uuids

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
        mounted = (inventory.mounted_names.get(name) for inventory in inventories.values())
        named = (inventory.view.volume_id(name) for inventory in inventories.values())
        return next((found for found in (*mounted, *named) if found), None)

    return volume


def _meant(found: tuple[Adrift, ...]) -> tuple[Adrift, ...]:
    """Leave out copies: of several the one that carries papers in transit is the VM, if there is exactly one such."""
    on_its_way = tuple(one for one in found if one.papers and one.papers.transit)
    return on_its_way if len(on_its_way) == 1 else found


def _fits(found: Adrift | Vm, who: Identity) -> bool:
    if who.instance_uuid and found.instance_uuid:
        return found.instance_uuid.lower() == who.instance_uuid.lower()
    return found.name == who.name

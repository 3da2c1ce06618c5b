"""What of its site a VM's own properties only refer to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from migration.metadata import NO_METADATA, Metadata, Pool
from migration.model import File, InFlight
from vsphere.names import mounted_path, split_path
from vsphere.session import moref


@dataclass(frozen=True, slots=True)
class Place:
    """Where a VM is in its site's inventory; `pools` are its pool and those around it, outermost first.

    `features` is the highest EVC mode of its host where no EVC limits that: what is powered on there runs with it.
    """

    datacenter: str
    cluster: str
    folder: str
    pool: str
    host: str
    pools: tuple[Pool, ...] = ()
    features: str = ""


NOWHERE: Final = Place("", "", "", "", "")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A VM's site, as far as the VM refers to it."""

    site: str
    place: Place
    volume: Callable[[str, str], str]
    """From (datastore id or "", datastore name) to the volume's id."""
    network: Callable[[str], str]
    """From a network's id, or a distributed port group's "switch UUID/key", to its name; "" where it is not of this site."""
    fields: Mapping[int, str]
    in_flight: InFlight | None
    locked: tuple[str, ...] = ()
    """The methods that somebody has disabled."""
    linked: Callable[[Sequence[File]], Literal["", "clone", "base"]] = lambda _: ""
    """Whether another VM, at whatever site, has the file among its disks' layers, or is at home in its directory."""
    metadata: Metadata = NO_METADATA
    mounted: Callable[[str], str] = "vmfs:{}".format
    """From the name of a volume under /vmfs/volumes to its id."""

    def file(self, path: str, datastore: Any = None) -> File:
        """Return the file at "[datastore] path", by the datastore itself where that is known, or at a path as ESXi has it."""
        if mounted := mounted_path(path):
            return File(self.mounted(mounted[0]), mounted[1])
        try:
            name, inside = split_path(path)
        except ValueError:
            return File("", path)
        return File(self.volume(moref(datastore) if datastore else "", name), inside)

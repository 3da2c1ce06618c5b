"""Taking an old datastore out of service: what stands against it, and what is left to do, host by host. Pure.

A datastore is retired in this order: unmounted on every host of every site, then its disks detached on every host; the new
hosts before the old ones, so that the old site has it to the last, as it was before anything was moved (vsphere-facts: S43 to
S47). Only then may zones go or a LUN be unpresented. Nothing of it touches what is on the disks.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from migration.model import Concern, Severity
from migration.rule import Kind

SOURCE: Final = "source"
"""The site that is ending: what is its own is taken from it last."""

_SHOWN: Final = 5
"""How many VMs are named in one sentence."""


class Against(enum.Enum):
    """What may stand against retiring a datastore, each with its row in docs/concerns.md."""

    REGISTERED = Kind(
        "retire.vm-registered",
        Severity.BLOCKS,
        "A VM or template that is registered at a site has files on the datastore.",
        "move its files to another datastore, or have its wave take it to stage migrated, then run again",
        "S43, S45",
    )
    UNREADABLE = Kind(
        "retire.vm-unreadable",
        Severity.BLOCKS,
        "A site cannot say which files a VM has: they may be on the datastore.",
        "make that VM accessible, or remove it from the inventory, then run again",
        "ours",
    )
    IMAGE = Kind(
        "retire.image",
        Severity.BLOCKS,
        "A VM's CD or floppy drive holds an image that is on the datastore.",
        "set the drive to a client device, or move the image to another datastore, then run again",
        "S43",
    )
    NOWHERE = Kind(
        "retire.vm-nowhere",
        Severity.BLOCKS,
        "The datastore holds a VM that is registered at no site.",
        "register it and move it, or have its folder moved away or removed by whoever owns it, then run again",
        "ours",
    )
    IN_TRANSIT = Kind(
        "retire.in-transit",
        Severity.BLOCKS,
        "A VM that is on its way has files that come from the datastore, or go back to it.",
        "let it arrive first: its wave says what it waits for",
        "ours",
    )
    UNSEARCHED = Kind(
        "retire.not-searched",
        Severity.BLOCKS,
        "No host can read the datastore, so that it is not known whether it holds a VM that is registered nowhere.",
        "mount it on one host of either site, then run again",
        "ours",
    )
    HEARTBEAT = Kind(
        "retire.heartbeat",
        Severity.BLOCKS,
        "HA has chosen the datastore for its heartbeats; a host that loses it may be taken for failed.",
        "choose other heartbeat datastores in the cluster's HA settings, or turn HA off in a cluster that has done its work",
        "S43",
    )
    CLUSTER = Kind(
        "retire.datastore-cluster",
        Severity.BLOCKS,
        "The datastore is in a datastore cluster.",
        "take it out of the datastore cluster, then run again",
        "S43, S44",
    )
    SIOC = Kind(
        "retire.sioc",
        Severity.BLOCKS,
        "Storage I/O Control is on for the datastore, and keeps a file on it open.",
        "turn Storage I/O Control off for the datastore, then run again",
        "S43, S47",
    )
    HOST_FILES = Kind(
        "retire.host-files",
        Severity.BLOCKS,
        "A host keeps its scratch files, logs, swap files or core dumps on the datastore.",
        "give the host another place for them, restart it where it says so, then run again",
        "S43",
    )
    HOST_GONE = Kind(
        "retire.host-unreachable",
        Severity.BLOCKS,
        "A host is not connected, so that the datastore can be neither unmounted nor detached there.",
        "reconnect the host, or remove it from its vCenter's inventory if it will not come back, then run again",
        "S43",
    )
    UNKNOWN = Kind(
        "retire.unknown",
        Severity.BLOCKS,
        "The source shows no datastore of this name, and this stack has not kept which disk it was on.",
        "correct the name; take it out of esxodus:oldDatastores if it is gone for good",
        "ours",
    )
    IN_USE = Kind(
        "retire.in-use",
        Severity.BLOCKS,
        "A host refuses to unmount the datastore or to detach its disk, because something still uses it.",
        "see with `esxcli storage core device` and `lsof` on the host what has it open, then run again",
        "S43, S45",
    )
    WAY_BACK = Kind(
        "retire.way-back",
        Severity.WARNS,
        "VMs that have moved came from the datastore: without it they cannot go back to the source.",
        "retire it once nobody will want them back; taking retire away brings it back",
        "ours",
    )
    DISKS = Kind(
        "retire.disk-left",
        Severity.WARNS,
        "The datastore holds virtual disks that belong to no registered VM.",
        "see whether anybody needs them; they stay on the datastore",
        "ours",
    )

    def concern(self, subject: str, sentence: str, severity: Severity | None = None) -> Concern:
        """Return the concern that says it of a datastore."""
        kind: Kind = self.value
        return kind.concern(subject, sentence, severity)


KINDS: Final[tuple[Kind, ...]] = tuple(one.value for one in Against)


@dataclass(frozen=True, slots=True)
class Use:
    """Something that stands against it: which kind, at which site, the thing's name, and the sentence."""

    against: Against
    site: str
    name: str
    sentence: str
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class OnHost:
    """How one host stands to the datastore. `attached` and `detached` are those of its disks that the host sees."""

    site: str
    host: str
    connected: bool = True
    mounted: bool = False
    attached: tuple[str, ...] = ()
    detached: tuple[str, ...] = ()

    @property
    def retired(self) -> bool:
        """Whether nothing is left to do on the host."""
        return not self.mounted and not self.attached


@dataclass(frozen=True, slots=True)
class Old:
    """A datastore that is to be retired, as all sites show it."""

    name: str
    kind: str
    hosts: tuple[OnHost, ...]
    uses: tuple[Use, ...] = ()

    @property
    def retired(self) -> bool:
        """Whether every host that can be asked has it neither mounted nor attached."""
        return all(one.retired for one in self.hosts if one.connected)


class Verb(enum.StrEnum):
    """What is done on a host, in this order."""

    UNMOUNT = "unmount"
    DETACH = "detach"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do on one host. `disk` is what is detached."""

    verb: Verb
    site: str
    host: str
    disk: str = ""

    def __str__(self) -> str:
        """Say it, without the datastore's name."""
        return f"{self.verb} {self.disk} on {self.host}" if self.disk else f"{self.verb} on {self.host}"


def steps(old: Old) -> tuple[Step, ...]:
    """Return what is left to do, in order: every unmount before any detach, the new hosts before the old ones."""
    hosts = sorted((one for one in old.hosts if one.connected), key=lambda one: (one.site == SOURCE, one.host))
    unmounts = (Step(Verb.UNMOUNT, one.site, one.host) for one in hosts if one.mounted)
    detaches = (Step(Verb.DETACH, one.site, one.host, disk) for one in hosts for disk in one.attached)
    return (*unmounts, *detaches)


def concerns(old: Old, leaving: Collection[str] = ()) -> tuple[Concern, ...]:
    """Return what stands against retiring it, what blocks first; nothing where it is retired already.

    `leaving` are the names of VMs that this very run takes to the new array first: they only warn, before that.
    """
    if old.retired:
        return ()
    found = [_concern(old, use, leaving) for use in old.uses if use.against is not Against.WAY_BACK]
    found += [*_unreachable(old), *_one_way(old)]
    return tuple(sorted(dict.fromkeys(found), key=lambda concern: list(Severity).index(concern.severity)))


def _concern(old: Old, use: Use, leaving: Collection[str]) -> Concern:
    if use.against is Against.REGISTERED and use.name in leaving:
        return use.against.concern(old.name, f"{use.sentence}; this run is to move it first", Severity.WARNS)
    return use.against.concern(old.name, use.sentence, use.severity)


def _unreachable(old: Old) -> Iterator[Concern]:
    for one in old.hosts:
        if not one.connected:
            yield Against.HOST_GONE.concern(old.name, f"{one.host} ({one.site}) is not connected")


def _one_way(old: Old) -> Iterator[Concern]:
    """Yield one concern for all who could not go back: they may be hundreds."""
    names = sorted({use.name for use in old.uses if use.against is Against.WAY_BACK})
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        came = f"{', '.join(names[:_SHOWN])}{more} came from it and could not go back to the source"
        yield Against.WAY_BACK.concern(old.name, came)


def foretold(old: Old) -> str:
    """Return what a preview says will be done, host by host; "" where nothing is left to do."""
    left = steps(old)
    if not left:
        return ""
    return f"{old.name} ({old.kind}): " + "; then ".join(
        f"{verb} on {_listed(step.host for step in left if step.verb is verb)}"
        for verb in Verb
        if any(step.verb is verb for step in left)
    )


def _listed(hosts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(hosts))

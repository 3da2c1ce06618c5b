"""The new datastores: are their disks blank, and do the waves that land there fit? Pure. Sizes are GiB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from migration.model import Concern, Power, Severity, Vm
from migration.observation import Observation
from migration.rule import Kind
from migration.wanted import Stage, VmSpec

SUBJECT: Final = "the new datastores"
_SHOWN: Final = 5

NOT_BLANK: Final = Kind(
    "datastore.disk-not-blank",
    Severity.BLOCKS,
    "The disk of a new VMFS datastore holds a volume or a partition; creating the datastore would format it.",
    "name a blank disk; if that is the right one, have the storage team look at what is on it, and wipe it there",
    "S35; community.vmware #40",
)
NOT_SEEN: Final = Kind(
    "datastore.disk-not-seen",
    Severity.BLOCKS,
    "The disk of a new VMFS datastore is not seen by every new host; a preview warns, since a rescan may find it.",
    "present the LUN to the hosts and zone them, then run again; or correct its name",
    "ours",
)
NO_ROOM: Final = Kind(
    "datastore.waves-do-not-fit",
    Severity.BLOCKS,
    "The new datastores have not the room, beyond their reserve, for all that the waves would bring there.",
    "enlarge or add a datastore, leave VMs at stage rehosted, or lower placement.reserve",
    "ours",
)
KINDS: Final = (NOT_BLANK, NOT_SEEN, NO_ROOM)


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk that is to become the datastore `name`: `holds` says what is on it, "" where it is blank.

    `seen` and `unseen` are the new hosts that see it, and that do not.
    """

    name: str
    device: str
    seen: tuple[str, ...]
    unseen: tuple[str, ...] = ()
    capacity: float = 0.0
    holds: str = ""

    def concerns(self) -> Iterator[Concern]:
        """Yield why no datastore can be made of it."""
        if self.holds:
            yield NOT_BLANK.concern(self.name, f"its disk {self.device} {self.holds}")
        if self.unseen:
            yield NOT_SEEN.concern(self.name, f"its disk {self.device} is not seen by {', '.join(self.unseen)}")


@dataclass(frozen=True, slots=True)
class Store:
    """A new datastore as it is, or as its blank disk says it will be; `capacity` 0: not known yet."""

    name: str
    capacity: float = 0.0
    free: float = 0.0


@dataclass(frozen=True, slots=True)
class Coming:
    """What a VM brings: `size` now, `whole` if its thin disks grow to their full size, to one of `among`, in wave `order`."""

    vm: str
    size: float
    whole: float
    among: tuple[str, ...]
    reserve: float
    order: int


@dataclass(frozen=True, slots=True)
class Row:
    """What becomes of a datastore."""

    store: Store
    lands: float = 0.0
    grows: float = 0.0

    @property
    def left(self) -> float:
        """What is left of its free space."""
        return self.store.free - self.lands


@dataclass(frozen=True, slots=True)
class Forecast:
    """What lands where, and who finds no room; `open` are those that may go to datastores of which nothing is known yet."""

    rows: tuple[Row, ...]
    homeless: tuple[Coming, ...] = ()
    open: tuple[Coming, ...] = ()

    def __str__(self) -> str:
        """Give the table of the preview."""
        head = ("GiB", "capacity", "free", "lands", "left", "left if thin disks grow")
        lines = [head, *(_cells(row) for row in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        table = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines]
        if self.open:
            size = sum(one.size for one in self.open)
            count = "1 VM brings" if len(self.open) == 1 else f"{len(self.open)} VMs bring"
            table.append(f"{count} {size:.1f} GiB; whether that fits is known once the datastores are there")
        return "\n".join(table)

    def concerns(self) -> Iterator[Concern]:
        """Yield who does not fit."""
        if self.homeless:
            names = ", ".join(one.vm for one in self.homeless[:_SHOWN])
            more = f" and {len(self.homeless) - _SHOWN} more" if len(self.homeless) > _SHOWN else ""
            size = sum(one.size for one in self.homeless)
            left = ", ".join(f"{row.store.name} {max(row.left, 0.0):.1f}" for row in self.rows if row.store.capacity)
            yield NO_ROOM.concern(
                SUBJECT, f"{names}{more} would need another {size:.1f} GiB beyond the reserve; left there (GiB): {left}"
            )


def coming(spec: VmSpec, seen: Observation) -> Coming | None:
    """Return what the VM will bring to the new datastores; None where it brings nothing, or cannot be told from others.

    A guest that runs takes its swap file along, as large as its memory.
    """
    vm = seen.vm
    if spec.stage is not Stage.MIGRATED or vm is None or not spec.new_volumes:
        return None
    there = seen.volume_ids(spec.target, spec.new_volumes)
    disks = [disk for disk in vm.disks if disk.file.volume not in there]
    swap = vm.memory if _runs(vm) and vm.vmx.volume not in there else 0.0
    size, whole = sum(disk.written for disk in disks) + swap, sum(disk.capacity for disk in disks) + swap
    if not size and not whole:
        return None
    return Coming(spec.identity.name, size, max(size, whole), spec.new_volumes, spec.reserve, spec.wave.order)


def _runs(vm: Vm) -> bool:
    """Say whether it runs, or is down for the move only."""
    return vm.power is Power.ON or bool(vm.papers and vm.papers.transit and vm.papers.power is Power.ON)


def forecast(stores: Sequence[Store], comings: Iterable[Coming]) -> Forecast:
    """Say what lands where, as it is chosen when it starts: wave by wave the largest first, each where most room is."""
    rows: dict[str, Row] = {store.name: Row(store) for store in stores}
    homeless, unknown = [], []
    for one in sorted(comings, key=lambda one: (one.order, -one.size, one.vm)):
        if any(not rows[name].store.capacity for name in one.among if name in rows):
            unknown.append(one)
            continue
        room = _room(rows, one)
        best = max(room, key=lambda name: (room[name], name), default="")
        if not best or room[best] < one.size:
            homeless.append(one)
            continue
        row = rows[best]
        rows[best] = Row(row.store, row.lands + one.size, row.grows + one.whole)
    return Forecast(tuple(rows.values()), tuple(homeless), tuple(unknown))


def _room(rows: Mapping[str, Row], one: Coming) -> dict[str, float]:
    return {name: rows[name].left - one.reserve * rows[name].store.capacity for name in one.among if name in rows}


def _cells(row: Row) -> tuple[str, ...]:
    if not row.store.capacity:
        return (row.store.name, "not known yet", "", f"{row.lands:.1f}", "", "")
    numbers = (row.store.capacity, row.store.free, row.lands, row.left, row.store.free - row.grows)
    return (row.store.name, *(f"{number:.1f}" for number in numbers))

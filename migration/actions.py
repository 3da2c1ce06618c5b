"""What may be done to a VM, and what is decided, as plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from migration.lease import Lease
from migration.metadata import Metadata, Pool
from migration.model import NO_NEEDS, Concern, File, Needs, Papers
from migration.wanted import RESERVE, Hook


@dataclass(frozen=True, slots=True)
class WritePapers:
    """Store the papers in the VM's extra config; None removes them.

    `lease` is that of the run which does it: kept in the VM as long as it is on its way, removed otherwise.
    """

    papers: Papers | None
    lease: Lease | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Hold:
    """Say in a VM that is on its way that this run works on it, or goes on to; `let_go`: that none does."""

    lease: Lease | None = field(default=None, compare=False)
    let_go: bool = False


@dataclass(frozen=True, slots=True)
class ShutDown:
    """Ask the guest to shut down and wait until it is off, at most `timeout` seconds."""

    timeout: float


@dataclass(frozen=True, slots=True)
class PowerOff:
    """Power off without asking the guest."""

    reason: str


@dataclass(frozen=True, slots=True)
class PowerOn:
    """Power on. Ends early when the VM asks a question."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the pending question with the choice `key`."""

    question: str
    key: str
    label: str


@dataclass(frozen=True, slots=True)
class Unregister:
    """Take the VM out of its site's inventory; its files stay."""

    site: str


@dataclass(frozen=True, slots=True)
class Register:
    """Register the .vmx at a site, never as a template, on a host that is chosen at admission.

    `host` is preferred where it is usable; `only`: no other will do. `needs` is what the host should have. A folder or a pool
    of `pools` that is missing there is created; nothing that exists is changed. `papers`, where given, are written straight
    after: a VM that a person had unregistered counts as in transit again.
    """

    site: str
    vmx: File
    name: str
    datacenter: str
    cluster: str
    folder: str
    pool: str
    host: str
    volumes: frozenset[str]
    networks: frozenset[str]
    papers: Papers | None = None
    pools: tuple[Pool, ...] = ()
    only: bool = False
    needs: Needs = NO_NEEDS


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Put network cards (by device key) on these networks of the VM's present site."""

    networks: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Relocate:
    """Move files between volumes at the VM's present site.

    `to` maps "home" and disk keys to volume ids (the way back, each to where it was), or is empty: then everything goes to one
    of `candidates`, chosen at admission, which keeps `reserve` (a part of 1) free. `size` is what will be copied, in GiB.
    """

    to: Mapping[str, str]
    candidates: tuple[str, ...]
    size: float
    reserve: float = RESERVE


@dataclass(frozen=True, slots=True)
class Cross:
    """Take the VM, running or not, to another vCenter in one step: Advanced Cross vCenter vMotion.

    Files go as in `Relocate`; with neither `to` nor `candidates` they stay where they are. `nics` maps each card, by device
    key, to its network there. Place and host as in `Register`.
    """

    site: str
    name: str
    datacenter: str
    cluster: str
    folder: str
    pool: str
    pools: tuple[Pool, ...]
    host: str
    nics: Mapping[int, str]
    to: Mapping[str, str]
    candidates: tuple[str, ...]
    size: float
    live: bool
    only: bool = False
    reserve: float = RESERVE


@dataclass(frozen=True, slots=True)
class RestoreMetadata:
    """Give the VM back what only the vCenter that it left knew, as far as this one allows; nothing is taken away."""

    metadata: Metadata


@dataclass(frozen=True, slots=True)
class RunHook:
    """Run the operator's command before the VM departs or after it has arrived."""

    when: Literal["before", "after"]
    hook: Hook


@dataclass(frozen=True, slots=True)
class CheckHealth:
    """Wait until the guest is well: Tools run, it has these addresses, these TCP ports answer; at most `timeout` seconds."""

    tools: bool
    addresses: tuple[str, ...]
    ports: tuple[int, ...]
    timeout: float


@dataclass(frozen=True, slots=True)
class SetAttributes:
    """Set custom attributes, creating definitions that the site lacks."""

    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MakeTemplate:
    """Turn the VM into a template."""


@dataclass(frozen=True, slots=True)
class MakeVm:
    """Turn the template into a VM: a template can neither be reconfigured nor relocated freely."""


Action = (
    WritePapers
    | Hold
    | ShutDown
    | PowerOff
    | PowerOn
    | Answer
    | Unregister
    | Register
    | Reconnect
    | Relocate
    | Cross
    | SetAttributes
    | RestoreMetadata
    | RunHook
    | CheckHealth
    | MakeTemplate
    | MakeVm
)


@dataclass(frozen=True, slots=True)
class Act:
    """Do this next."""

    action: Action


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody else's task, or another run, is at work on the VM: wait until it ends."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing may be done until an operator acts."""

    concerns: tuple[Concern, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """The VM is where it should be."""


Decision = Act | Wait | Stop | Done


@dataclass(frozen=True, slots=True)
class Placed:
    """What admission chose for an action: a host for a registration or a crossing, one volume id for a copy."""

    host: str = ""
    volume: str = ""

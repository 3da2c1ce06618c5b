"""What may be done to a VM, and what is decided, as plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from migration.model import Concern, File, Papers


@dataclass(frozen=True, slots=True)
class WritePapers:
    """Store the papers in the VM's extra config; None removes them."""

    papers: Papers | None


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

    `host` is preferred where it is usable. `papers`, where given, are written straight after: a VM that a person had
    unregistered counts as in transit again.
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


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Put network cards (by device key) on these networks of the VM's present site."""

    networks: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Relocate:
    """Move files between volumes at the VM's present site.

    `to` maps "home" and disk keys to volume ids (the way back, each to where it was), or is empty: then everything goes to one
    of `candidates`, chosen at admission. `size` is what will be copied, in GiB.
    """

    to: Mapping[str, str]
    candidates: tuple[str, ...]
    size: float


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
    | ShutDown
    | PowerOff
    | PowerOn
    | Answer
    | Unregister
    | Register
    | Reconnect
    | Relocate
    | SetAttributes
    | MakeTemplate
    | MakeVm
)


@dataclass(frozen=True, slots=True)
class Act:
    """Do this next."""

    action: Action


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody else's task is at work on the VM: wait until it ends."""

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
    """What admission chose for an action: a host for a registration, one volume id for a relocation."""

    host: str = ""
    volume: str = ""

"""What an operator wants of a VM, as plain frozen data; written in the stack's file, never by us. Times are seconds."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
RESERVE: Final = 0.05
"""Part of a new datastore that stays free, for snapshots, swap and growth."""


class Stage(enum.StrEnum):
    """Where a VM is wanted; ordered from the old site to the new array."""

    SOURCE = "source"
    REHOSTED = "rehosted"
    MIGRATED = "migrated"


class Method(enum.StrEnum):
    """How a VM gets across: `xvm` is Advanced Cross vCenter vMotion, `auto` chooses per VM, with reasons."""

    AUTO = "auto"
    XVM = "xvm"
    REATTACH = "reattach"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom we mean: a name, and the instance UUID once it is known or given."""

    name: str
    instance_uuid: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """When a wave may begin something, in seconds since 1970."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Health:
    """What must hold of a guest after its arrival, within `timeout` seconds, before its files leave the old array.

    `tools`: VMware Tools run, where they ran before; `addresses`: it has the IP addresses that it had; `ports`: TCP ports that
    answer at one of them.
    """

    tools: bool = True
    addresses: bool = True
    ports: tuple[int, ...] = ()
    timeout: float = 300.0


@dataclass(frozen=True, slots=True)
class Hook:
    """A command of the operator's; `timeout` is seconds for each of 1 + `retries` attempts."""

    command: tuple[str, ...]
    timeout: float = 60.0
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Wave:
    """What the VMs of a wave share: when they may begin, and when the wave admits no more.

    `after` names every wave that must be complete before, through others too. `max_failures`: so many VMs may fail in a run
    before the wave admits no more; None: any number. `patience`: seconds that a run waits for the window to open. `order`
    counts the waves as they are declared: where not all can copy at once, the earlier one does.
    """

    name: str = ""
    after: tuple[str, ...] = ()
    window: Window | None = None
    paused: bool = False
    max_failures: int | None = None
    patience: float = 900.0
    order: int = 0


@dataclass(frozen=True, slots=True)
class VmSpec:
    """What one VM should become.

    `old_volumes` and `new_volumes` are datastore names as the source and the target site show them; its files go to one of
    the new ones, which keeps `reserve` (a part of 1) free. `host` names the only host that it may run on at the target, ""
    leaves that to us. `networks` maps the source's network names to the target's. `declared_networks` will exist at the
    target even if a preview runs before they do, on a distributed switch of version `declared_switch` ("": the vCenter's own),
    but for those in `standard_networks`, which are on standard switches. `declared_hosts` will be in its cluster then, and
    `vmotion_hosts` have an adapter for vMotion.
    `accepted` holds the operator's reason for each warning, by id.
    """

    identity: Identity
    stage: Stage
    method: Method = Method.AUTO
    source: str = "source"
    target: str = "target"
    datacenter: str = ""
    cluster: str = ""
    host: str = ""
    old_volumes: tuple[str, ...] = ()
    new_volumes: tuple[str, ...] = ()
    reserve: float = RESERVE
    networks: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    declared_networks: tuple[str, ...] = ()
    standard_networks: tuple[str, ...] = ()
    declared_hosts: tuple[str, ...] = ()
    vmotion_hosts: tuple[str, ...] = ()
    declared_switch: str = ""
    shutdown_timeout: float = 300.0
    on_shutdown_timeout: Literal["powerOff", "stop"] = "stop"
    wave: Wave = Wave()
    health: Health | None = None
    before: Hook | None = None
    after: Hook | None = None
    accepted: Mapping[str, str] = field(default_factory=lambda: NOTHING)

    @property
    def home(self) -> str:
        """The site at which the VM is wanted."""
        return self.source if self.stage is Stage.SOURCE else self.target

    def other(self, site: str) -> str:
        """Return the site that is not `site`."""
        return self.target if site == self.source else self.source

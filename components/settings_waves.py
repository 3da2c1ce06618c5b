"""Settings of the waves and their VMs. What a VM says beats what its wave says, key by key; times are seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from components.settings_forms import Host, Model, Moment, Name, OrOff, Seconds, as_named
from migration import wanted
from migration.wanted import RESERVE, Method, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Policy(Model):
    """What a guest's shutdown may take, and what is done when it takes longer."""

    shutdown_timeout: Seconds = 300.0
    on_shutdown_timeout: Literal["stop", "powerOff"] = "stop"


class Placement(Model):
    """The host and the new datastore that are meant, each of those at the target; `reserve` percent of it stay free."""

    host: Host | None = None
    datastore: Name | None = None
    reserve: Annotated[float, Field(ge=0, lt=100, allow_inf_nan=False)] = RESERVE * 100


class Health(Model):
    """What must hold of a guest after its arrival, as `migration.wanted.Health` says."""

    tools: bool = True
    addresses: bool = True
    ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = ()
    timeout: Seconds = 300.0


class Hook(Model):
    """A command of the operator's, word by word: no shell reads it."""

    command: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
    timeout: Seconds = 60.0
    retries: Annotated[int, Field(ge=0, le=100)] = 0

    def wanted(self) -> wanted.Hook:
        """Return it in the migration's words."""
        return wanted.Hook(self.command, self.timeout, self.retries)


class Hooks(Model):
    """Commands before a VM departs and after it has arrived; `off` where its wave has one that it does not want."""

    before: Annotated[Hook | None, OrOff] = None
    after: Annotated[Hook | None, OrOff] = None


class Window(Model):
    """When a wave may begin something."""

    start: Moment
    end: Moment

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.end <= self.start:
            raise ValueError("the window must end after it starts")
        return self


class _Choices(Model):
    """What a wave may say for all its VMs, and each VM for itself."""

    method: Method | None = None
    policy: Policy | None = None
    placement: Placement | None = None
    health: Annotated[Health | None, OrOff] = None
    hooks: Hooks | None = None


class WantedVm(_Choices):
    """A VM of a wave. `uuid`, its instance UUID, tells VMs of the same name apart; `stage` overrides the wave's."""

    name: Name
    uuid: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")] | None = None
    stage: Stage | None = None


class Wave(_Choices):
    """VMs that go together, once every VM of the waves in `after` is where it is wanted.

    `window`, `paused`, `max_failures`, `patience`: as in `migration.wanted.Wave`.
    """

    name: Name
    stage: Stage
    after: tuple[str, ...] = ()
    window: Window | None = None
    paused: bool = False
    max_failures: Annotated[int, Field(ge=1)] | None = None
    patience: Annotated[float, Field(ge=0, le=86400, allow_inf_nan=False)] = 900.0
    vms: Annotated[tuple[Annotated[WantedVm, BeforeValidator(as_named)], ...], Field(min_length=1)]

    def wanted(self, waves: Sequence[Wave]) -> wanted.Wave:
        """Return it in the migration's words: after every wave of `waves` that must be complete before, through others too."""
        window = wanted.Window(self.window.start.timestamp(), self.window.end.timestamp()) if self.window else None
        after = tuple(wave.name for wave in waves if wave.name in _earlier(self, waves))
        order = waves.index(self)
        return wanted.Wave(self.name, after, window, self.paused, self.max_failures, self.patience, order)


class Accepted(Model):
    """A warning that the operator knows of and accepts, of one VM or, with `vm: "*"`, of all; the reason is reported."""

    concern: Annotated[str, Field(min_length=1)]
    vm: Name
    reason: Annotated[str, Field(min_length=1, pattern=r"\S")]


def chosen(policy: Policy, wave: Wave, vm: WantedVm) -> dict[str, Any]:
    """Return what the site's policy, the wave and the VM say together, as fields of `migration.wanted.VmSpec`."""
    layers = (wave, vm)
    place = Placement().model_copy(update=_laid(layers, "placement"))
    shutdown = policy.model_copy(update=_laid(layers, "policy"))
    hooks = Hooks().model_copy(update=_laid(layers, "hooks"))
    return {
        "method": vm.method or wave.method or Method.AUTO,
        "shutdown_timeout": shutdown.shutdown_timeout,
        "on_shutdown_timeout": shutdown.on_shutdown_timeout,
        "host": place.host or "",
        "reserve": place.reserve / 100,
        "health": _health(layers),
        "before": hooks.before.wanted() if hooks.before else None,
        "after": hooks.after.wanted() if hooks.after else None,
    } | ({"new_volumes": (place.datastore,)} if place.datastore else {})


def accepted(accept: Iterable[Accepted], name: str) -> Mapping[str, str]:
    """Return the reason for each concern that is accepted of the VM; what names it beats what is said of all."""
    found = sorted((one for one in accept if one.vm in ("*", name)), key=lambda one: one.vm == name)
    return {one.concern: one.reason for one in found}


def _laid(layers: Iterable[_Choices], name: str) -> dict[str, Any]:
    """Return the fields of one aspect that any layer writes; a later layer wins."""
    fields: dict[str, Any] = {}
    for layer in layers:
        aspect: Model | None = getattr(layer, name)
        fields |= aspect.written if aspect else {}
    return fields


def _health(layers: Sequence[_Choices]) -> wanted.Health | None:
    """Return what is checked of the guest; None where the last to say anything says `off`."""
    written = [layer.health for layer in layers if "health" in layer.model_fields_set]
    if written and written[-1] is None:
        return None
    health = Health().model_copy(update=_laid(layers, "health"))
    return wanted.Health(health.tools, health.addresses, health.ports, health.timeout)


def _earlier(wave: Wave, waves: Sequence[Wave]) -> set[str]:
    """Return the names of all waves before this one, through others too; their order has no circle."""
    by_name = {one.name: one for one in waves}
    return {name for first in wave.after for name in (first, *_earlier(by_name[first], waves))}

"""The stack's configuration as frozen models: every problem is reported together, before anything is contacted."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

import pydantic
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

from components import settings_checks, settings_words
from migration.errors import SettingsError
from migration.wanted import Identity, Method, Stage, VmSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT: Final = "esxodus"
SECRETS: Final = ("sourcePassword", "targetPassword", "hostPassword")

_THUMBPRINT = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){19}|[0-9A-F]{2}(:[0-9A-F]{2}){31}")


def _thumbprint(value: object) -> str:
    text = str(value).strip().upper()
    if not _THUMBPRINT.fullmatch(text):
        raise ValueError(
            "must be the SHA-1 or SHA-256 of the certificate: 20 or 32 pairs of hex digits with colons between"
        )
    return text


def _named(value: object) -> object:
    """Let a VM be written as its bare name."""
    return value if isinstance(value, dict) else {"name": value}


Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^\S(.*\S)?$")]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")]
Server = Annotated[str, Field(pattern=r"^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?$")]


def _sha1(value: str) -> str:
    if len(value) != 59:
        raise ValueError("must be a SHA-1 thumbprint, 20 pairs: vCenter takes no other for a host that joins")
    return value


Thumbprint = Annotated[str, BeforeValidator(_thumbprint)]
HostThumbprint = Annotated[Thumbprint, AfterValidator(_sha1)]
Evc = Annotated[str, Field(pattern=r"^(auto|(intel|amd)-[a-z0-9-]+)$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True)


class Vcenter(_Model):
    """How a vCenter is reached. TLS is always verified: by a pinned thumbprint or by a file of CA certificates."""

    vcenter: Server
    username: Annotated[str, Field(min_length=1)]
    thumbprint: Thumbprint | None = None
    ca_file: str | None = None


class Cluster(_Model):
    """The new cluster. `evc`: a mode's key, `auto` for the highest that all hosts have, absent: left as it is."""

    name: Name
    evc: Evc | None = None
    ha: bool = True
    drs: bool = True


class NewHost(_Model):
    """A host that joins the new cluster; its certificate is pinned, by SHA-1: the only form that AddHost takes."""

    name: Host
    thumbprint: HostThumbprint


class Switch(_Model):
    """The distributed switch, and the network cards that each host gives to it.

    `version`: such as `6.6.0`; absent, the newest that vCenter knows. A VM that leaves a distributed switch of the old site
    live needs one of the same version here.
    """

    name: Name
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")] | None = None
    uplinks: Annotated[tuple[Annotated[str, Field(pattern=r"^vmnic[0-9]+$")], ...], Field(min_length=1)]


class Network(_Model):
    """A distributed port group."""

    name: Name
    vlan: Annotated[int, Field(ge=0, le=4094)] = 0


class Datastore(_Model):
    """A new VMFS datastore on a blank disk of the new array."""

    name: Name
    kind: Literal["vmfs"]
    disk: Annotated[str, Field(pattern=r"^(naa|eui|t10)\.\S+$")]


class Target(Vcenter):
    """The site that is built: its vCenter exists, everything else is declared here."""

    datacenter: Name
    cluster: Cluster
    hosts: Annotated[tuple[NewHost, ...], Field(min_length=1)]
    host_username: str = "root"
    switch: Switch | None = None
    networks: tuple[Network, ...] = ()
    datastores: Annotated[tuple[Datastore, ...], Field(min_length=1)]


class Fabric(_Model):
    """How the old array reaches the new hosts: `manual` means that the SAN team has zoned and presented it."""

    kind: Literal["manual"] = "manual"


class Policy(_Model):
    """What a guest's shutdown may take, in seconds, and what is done when it takes longer."""

    shutdown_timeout: Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)] = 300.0
    on_shutdown_timeout: Literal["stop", "powerOff"] = "stop"


class WantedVm(_Model):
    """A VM of a wave. `uuid`, its instance UUID, tells VMs of the same name apart; `stage` overrides the wave's."""

    name: Name
    uuid: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")] | None = None
    stage: Stage | None = None


class Wave(_Model):
    """VMs that go together, once every VM of the waves in `after` is where it is wanted."""

    name: Name
    stage: Stage
    method: Method = Method.AUTO
    after: tuple[str, ...] = ()
    vms: tuple[Annotated[WantedVm, BeforeValidator(_named)], ...]
    policy: Policy | None = None


class Lab(_Model):
    """Only of lab stacks: the scenario that the lab serves."""

    scenario: str


class Settings(_Model):
    """Everything that one stack says."""

    source: Vcenter
    target: Target
    source_password: SecretStr
    target_password: SecretStr
    host_password: SecretStr
    fabric: Fabric = Fabric()
    old_datastores: Annotated[tuple[Name, ...], Field(min_length=1)]
    network_map: dict[Name, Name] = Field(default_factory=dict)
    policy: Policy = Policy()
    waves: tuple[Wave, ...] = ()
    lab: Lab | None = None

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Read configuration keys, without the project's prefix; a value may be the JSON text that Pulumi hands over.

        Raises: SettingsError with every problem found.
        """
        data = {key: _plain(key, value) for key, value in values.items()}
        problems = settings_checks.cross_checked(data)
        try:
            settings = cls.model_validate(data)
        except pydantic.ValidationError as error:
            raise SettingsError([*settings_words.said(cls, data, error), *problems]) from None
        if problems:
            raise SettingsError(problems)
        return settings

    @classmethod
    def load(cls) -> Self:
        """Read the configuration of the running Pulumi program.

        Raises: SettingsError with every problem found.
        """
        from pulumi.runtime import config  # a program only: providers and tests read plain mappings

        found = {**config.get_config_env(), **config.CONFIG.get()}
        prefix = f"{PROJECT}:"
        return cls.parse({key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)})

    @classmethod
    def config_keys(cls) -> tuple[str, ...]:
        """Return the configuration keys, without the project's prefix."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())

    def specs(self) -> list[tuple[Wave, VmSpec]]:
        """Return what each VM should become, wave by wave."""
        return [(wave, self._spec(wave, vm)) for wave in self.waves for vm in wave.vms]

    def checked(self) -> int:
        """Return how many resources a preview checks: each VM, the old datastores, and EVC where it is set."""
        return sum(len(wave.vms) for wave in self.waves) + 1 + (self.target.cluster.evc is not None)

    def _spec(self, wave: Wave, vm: WantedVm) -> VmSpec:
        policy = wave.policy or self.policy
        return VmSpec(
            identity=Identity(vm.name, (vm.uuid or "").lower()),
            stage=vm.stage or wave.stage,
            method=wave.method,
            datacenter=self.target.datacenter,
            cluster=self.target.cluster.name,
            old_volumes=self.old_datastores,
            new_volumes=tuple(datastore.name for datastore in self.target.datastores),
            networks=self.network_map,
            declared_networks=tuple(network.name for network in self.target.networks),
            shutdown_timeout=policy.shutdown_timeout,
            on_shutdown_timeout=policy.on_shutdown_timeout,
        )


def _plain(key: str, value: object) -> object:
    """Undo the JSON text in which Pulumi hands over structured values; a password is text whatever it looks like."""
    if key in SECRETS or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value

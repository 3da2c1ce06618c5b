"""The stack's configuration as frozen models: every problem is reported together, before anything is contacted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, SecretStr

from components import settings_checks, settings_words
from components.settings_data import configured
from components.settings_fabric import Fabric
from components.settings_forms import Existing, Model, Name, as_named
from components.settings_site import OldDatastore, Target, Vcenter
from components.settings_waves import Accepted, Policy, WantedVm, Wave, accepted, chosen
from migration.errors import SettingsError
from migration.wanted import Identity, VmSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PROJECT: Final = "esxodus"
SECRETS: Final = ("sourcePassword", "targetPassword", "hostPassword", "fabricPassword")


class Lab(Model):
    """Only of lab stacks: the scenario that the lab serves; `retire`: the demo retires the old datastores in the end."""

    scenario: str
    retire: bool = False


class Settings(Model):
    """Everything that one stack says."""

    source: Vcenter
    target: Target
    source_password: SecretStr
    target_password: SecretStr
    host_password: SecretStr
    fabric: Fabric = Fabric()
    fabric_password: SecretStr | None = None
    old_datastores: Annotated[tuple[Annotated[OldDatastore, BeforeValidator(as_named)], ...], Field(min_length=1)]
    network_map: dict[Existing, Name] = Field(default_factory=dict)
    policy: Policy = Policy()
    waves: tuple[Wave, ...] = ()
    accept: tuple[Accepted, ...] = ()
    lab: Lab | None = None

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, here: bool = False, clear: Collection[str] = ()) -> Self:
        """Read configuration keys, without the project's prefix; a value may be the JSON text that Pulumi hands over.

        `here`: hooks must be commands that this machine can run from the present folder, the project's. `clear`: the keys of
        passwords that are not encrypted.

        Raises: SettingsError with every problem found.
        """
        data = {key: plain(key, value) for key, value in values.items()}
        if "upgrade" in data:
            raise SettingsError(
                [
                    "esxodus:upgrade: a rolling upgrade is a project of its own, in the folder upgrade: run pulumi -C upgrade; "
                    "a stack either migrates a site or upgrades its hosts"
                ]
            )
        problems = [*settings_checks.cross_checked(data), *(settings_checks.unrunnable(data) if here else ())]
        problems += [
            f"esxodus:{key}: it is there in clear; set it with `pulumi config set --secret {key}`" for key in clear
        ]
        return settings_words.validated(cls, data, problems)

    @classmethod
    def load(cls) -> Self:
        """Read the configuration of the running Pulumi program.

        Raises: SettingsError with every problem found.
        """
        from pulumi.runtime import config  # a program only: providers and tests read plain mappings

        found = configured(PROJECT)
        # The project's file has the engine refuse the others; one that not every stack needs cannot be declared there.
        clear = [key for key in SECRETS if key in found and not config.is_config_secret(f"{PROJECT}:{key}")]
        return cls.parse(found, here=True, clear=clear)

    @classmethod
    def config_keys(cls) -> tuple[str, ...]:
        """Return the configuration keys, without the project's prefix."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())

    @property
    def old_names(self) -> tuple[str, ...]:
        """The names of the old datastores, those that are retired too."""
        return tuple(old.name for old in self.old_datastores)

    @property
    def retiring(self) -> tuple[str, ...]:
        """The names of the old datastores that are to be retired."""
        return tuple(old.name for old in self.old_datastores if old.retire)

    def specs(self) -> list[tuple[Wave, VmSpec]]:
        """Return what each VM should become, wave by wave."""
        return [(wave, self._spec(wave, vm)) for wave in self.waves for vm in wave.vms]

    @property
    def closing(self) -> bool:
        """Whether the zones are to go in the end: every old datastore is retired, so that nothing is reached through them."""
        return bool(self.fabric.fabrics) and set(self.retiring) == set(self.old_names)

    def checked(self) -> int:
        """Return how many resources a preview checks: VMs, new and old datastores, those to retire; EVC and zones where set."""
        vms = sum(len(wave.vms) for wave in self.waves)
        zones = bool(self.fabric.fabrics) + self.closing
        return vms + 2 + bool(self.retiring) + (self.target.cluster.evc is not None) + zones

    def _spec(self, wave: Wave, vm: WantedVm) -> VmSpec:
        fields = {
            "new_volumes": tuple(datastore.name for datastore in self.target.datastores),
            **chosen(self.policy, wave, vm),
        }
        return VmSpec(
            identity=Identity(vm.name, (vm.uuid or "").lower()),
            stage=vm.stage or wave.stage,
            datacenter=self.target.datacenter,
            cluster=self.target.cluster.name,
            old_volumes=self.old_names,
            networks=self.network_map,
            declared_networks=tuple(network.name for network in self.target.networks),
            declared_hosts=tuple(host.name for host in self.target.hosts),
            vmotion_hosts=tuple(host.name for host in self.target.hosts if host.vmotion),
            standard_networks=tuple(network.name for network in self.target.standard),
            declared_switch=(self.target.switch and self.target.switch.version) or "",
            wave=wave.wanted(self.waves),
            accepted=accepted(self.accept, vm.name),
            **fields,
        )


def plain(key: str, value: object) -> object:
    """Undo the JSON text in which Pulumi hands over structured values; a password is text whatever it looks like."""
    if key in SECRETS or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value

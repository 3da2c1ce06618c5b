"""The settings of a rolling upgrade: a stack of the project in upgrade/, for a site that buys no hardware."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import Field, SecretStr, model_validator

from components import settings_words
from components.settings import Lab, Settings, plain
from components.settings_data import configured
from components.settings_forms import Host, Model, Name, Seconds, Server, Thumbprint
from components.settings_waves import Hook
from migration.upgrade_fleet import Wanted
from migration.upgrade_host import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT: Final = "esxodus"
SECRET: Final = "sitePassword"  # noqa: S105 - the key, not the password


class Vcenter(Model):
    """How the site's vCenter is reached; TLS is always verified, by a pinned thumbprint or a file of CA certificates."""

    vcenter: Server
    username: Annotated[str, Field(min_length=1)]
    thumbprint: Thumbprint | None = None
    ca_file: str | None = None

    @model_validator(mode="after")
    def _verified(self) -> Self:
        if bool(self.thumbprint) is bool(self.ca_file):
            raise ValueError("exactly one of thumbprint and caFile says how TLS is verified")
        return self


class Image(Model):
    """An image profile in an offline bundle on a datastore that every host has mounted."""

    depot: Annotated[str, Field(pattern=r"^\[[^\[\]]+\] \S.*\.zip$")]
    profile: Annotated[str, Field(min_length=1, max_length=200)]


class Command(Hook):
    """A command of the operator's that upgrades a host: it may take longer than a hook."""

    timeout: Seconds = 3600.0


class Upgrade(Model):
    """What is upgraded, in which order, to what, and by which means. Times are seconds.

    `image`: vCenter has each host install it. `command`: the operator's own command does, on this machine.
    """

    datacenter: Name
    cluster: Name
    hosts: Annotated[tuple[Host, ...], Field(min_length=1)]
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]
    build: Annotated[int, Field(ge=1, le=10**9)]
    image: Image | None = None
    command: Command | None = None
    evacuation: Seconds = 7200.0
    reboot: Seconds = 2400.0
    recovery: Seconds = 900.0

    @model_validator(mode="after")
    def _once(self) -> Self:
        if (self.image is None) is (self.command is None):
            raise ValueError("exactly one of image and command says how a host is upgraded")
        if twice := sorted({host for host in self.hosts if self.hosts.count(host) > 1}):
            raise ValueError(f"hosts: {', '.join(twice)} is there more than once")
        return self

    @property
    def wanted(self) -> Wanted:
        """What the hosts are to run."""
        return Wanted(self.version, self.build)

    @property
    def limits(self) -> Limits:
        """How long each host may take."""
        return Limits(self.evacuation, self.reboot, self.recovery)


class UpgradeSettings(Model):
    """Everything that one stack of a rolling upgrade says."""

    site: Vcenter
    site_password: SecretStr
    upgrade: Upgrade
    lab: Lab | None = None

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, here: bool = False) -> Self:
        """Read configuration keys, without the project's prefix; a value may be the JSON text that Pulumi hands over.

        `here`: the command must be one that this machine can run from the present folder, the repository's.

        Raises: SettingsError with every problem found.
        """
        data = {key: value if key == SECRET else plain(key, value) for key, value in values.items()}
        problems = [
            f"esxodus:{key}: a key of a migration; a stack either migrates a site, by Pulumi.yaml, "
            "or upgrades its hosts, by upgrade/Pulumi.yaml"
            for key in Settings.config_keys()
            if key in data and key not in cls.config_keys()
        ]
        problems += _unrunnable(data) if here else ()
        known = {
            key: value for key, value in data.items() if key not in Settings.config_keys() or key in cls.config_keys()
        }
        return settings_words.validated(cls, known, problems)

    @classmethod
    def load(cls) -> Self:
        """Read the configuration of the running Pulumi program.

        Raises: SettingsError with every problem found.
        """
        return cls.parse(configured(PROJECT), here=True)

    @classmethod
    def config_keys(cls) -> tuple[str, ...]:
        """Return the configuration keys, without the project's prefix."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())


def _unrunnable(data: Mapping[str, Any]) -> list[str]:
    upgrade = data.get("upgrade")
    command = upgrade.get("command") if isinstance(upgrade, dict) else None
    words = command.get("command") if isinstance(command, dict) else None
    word = words[0] if isinstance(words, list) and words and isinstance(words[0], str) else ""
    if not word or shutil.which(word) is not None:
        return []
    return [
        f"esxodus:upgrade.command.command: {word} is neither on PATH nor an executable file; "
        "a path is relative to the repository's folder"
    ]

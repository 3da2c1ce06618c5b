"""What of our providers is stored in every user's state: a short reference to a class, which must never change."""

from __future__ import annotations

import base64

import pytest
from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider

from components.providers.evc_mode import EvcModeProvider
from components.providers.migrated_vm import MigratedVmProvider
from components.providers.new_datastores import NewDatastoresProvider
from components.providers.old_datastores import OldDatastoresProvider

STORED = {
    MigratedVmProvider: "components.providers.migrated_vm MigratedVmProvider",
    EvcModeProvider: "components.providers.evc_mode EvcModeProvider",
    NewDatastoresProvider: "components.providers.new_datastores NewDatastoresProvider",
    OldDatastoresProvider: "components.providers.old_datastores OldDatastoresProvider",
}


@pytest.mark.parametrize("kind", STORED)
def test_a_provider_is_stored_as_a_reference_to_its_class(kind: type[ResourceProvider]) -> None:
    stored = base64.b64decode(serialize_provider(kind()))
    module, name = STORED[kind].split()
    assert len(stored) < 100
    assert stored == (
        b"\x80\x04\x95" + (len(module) + len(name) + 12).to_bytes(8, "little")
        + b"\x8c" + bytes([len(module)]) + module.encode() + b"\x94"
        + b"\x8c" + bytes([len(name)]) + name.encode() + b"\x94\x93\x94)\x81\x94."
    )  # fmt: skip


@pytest.mark.parametrize("kind", STORED)
def test_a_provider_has_nothing_to_store(kind: type[ResourceProvider]) -> None:
    provider = kind()
    assert vars(provider) == {}
    assert provider.serialize_as_secret_always is False

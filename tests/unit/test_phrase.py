"""Actions in words."""

from __future__ import annotations

import pytest

from migration.actions import Relocate
from migration.model import HOME
from migration.phrase import phrase
from tests.fake_sites import a_vm
from tests.unit.concern_worlds import world


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ({HOME: "vmfs:b", "2000": "vmfs:a", "2001": "vmfs:b"}, "old-b, old-a"),
        ({HOME: "vmfs:a", "2000": "vmfs:a"}, "old-a"),
        ({HOME: "vmfs:a", "2000": "vmfs:gone"}, "old-a, vmfs:gone"),
    ],
)
def test_a_copy_back_names_every_volume_once(to: dict[str, str], said: str) -> None:
    _, seen = world(a_vm())
    assert phrase(Relocate(to, (), 60), seen) == f"Storage vMotion of 60 GiB to {said}"

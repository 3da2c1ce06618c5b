"""What a rolling upgrade declares: one host after another, and nothing secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from components.rolling_upgrade import RollingUpgrade
from components.settings_upgrade import UpgradeSettings
from tests.unit.test_settings_upgrade import GOOD

if TYPE_CHECKING:
    from tests.components.conftest import Recorder


@pytest.mark.parametrize("preview", [True, False])
def test_each_host_comes_after_the_one_before(engine: Recorder, *, preview: bool) -> None:
    stack = UpgradeSettings.parse(GOOD)
    engine.run(lambda: RollingUpgrade("upgrade", stack, preview=preview), preview=preview)
    hosts = engine.of("UpgradedHost")
    assert [host.name for host in hosts] == ["esx1.osaka.example", "esx2.osaka.example", "esx3.osaka.example"]
    assert [host.depends_on for host in hosts] == [set(), {"esx1.osaka.example"}, {"esx2.osaka.example"}]
    assert {host.parent for host in hosts} == {"upgrade"}
    assert {host.type for host in hosts} == {"pulumi-python:dynamic/esxodus:UpgradedHost"}, (
        "it is in users' states: it stays"
    )
    for host in hosts:
        assert host.inputs["wanted"] == "ESXi 7.0.3 build 21930508"
        assert host.inputs["preview"] is preview
        assert "s3cret" not in str(host.inputs)

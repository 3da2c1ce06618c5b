from __future__ import annotations

import pytest

from vsphere.site_storage import Mount, OldVolume, State

VOLUME = OldVolume("old-fc-01", "vmfs:5678-ab", ("naa.6001",), "5.61")


@pytest.mark.parametrize("state", list(State))
def test_each_state_is_told_with_volume_device_host_and_a_way_out(state: State) -> None:
    concern = Mount("esx70-1.lab", VOLUME, state, "because").concern()
    for part in ("old-fc-01", "naa.6001", "esx70-1.lab", "because"):
        assert part in concern.sentence
    assert concern.remedy


def test_an_unresolved_volume_is_never_to_be_resignatured() -> None:
    concern = Mount("esx70-1.lab", VOLUME, State.UNRESOLVED, "naa.6001: diskIdMismatch").concern()
    assert concern.id == "volume.unresolved"
    assert "do not resignature" in concern.remedy


def test_the_uuid() -> None:
    assert VOLUME.uuid == "5678-ab"
    assert OldVolume("nfs7", "nfs:s:/p", (), "").uuid == ""

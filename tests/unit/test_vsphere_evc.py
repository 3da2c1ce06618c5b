from __future__ import annotations

import pytest

from migration.errors import Blocked, SettingsError
from vsphere.evc import Evc, highest_common, wanted
from vsphere.evc_modes import Mode

INTEL = ("intel-merom", "intel-penryn", "intel-ivybridge", "intel-haswell", "intel-cascadelake")
MODES = (
    *(Mode(key, "intel", tier, frozenset(INTEL[: tier + 1])) for tier, key in enumerate(INTEL)),
    Mode("amd-rev-e", "amd", 0, frozenset({"amd-rev-e"})),
    Mode("amd-zen", "amd", 1, frozenset({"amd-rev-e", "amd-zen"})),
)


@pytest.mark.parametrize(
    ("ceilings", "mode"),
    [
        (["intel-ivybridge"], "intel-ivybridge"),
        (["intel-cascadelake", "intel-ivybridge", "intel-haswell"], "intel-ivybridge"),
        (["amd-zen", "amd-zen"], "amd-zen"),
        (["intel-merom", "amd-zen"], None),
        (["intel-haswell", "intel-unheard-of"], None),
        (["intel-haswell", ""], None),
        ([], None),
    ],
)
def test_the_highest_mode_that_all_hosts_can_do(ceilings: list[str], mode: str | None) -> None:
    assert highest_common(ceilings, MODES) == mode


def test_covering_needs_track_and_tier() -> None:
    low, high = MODES[0], MODES[1]
    assert high.covers(low)
    assert not low.covers(high)
    assert not MODES[-1].covers(low)


def test_auto_and_a_key() -> None:
    evc = Evc("prod7", "", {"esx70-1": "intel-cascadelake", "esx70-2": "intel-haswell"}, MODES)
    assert wanted(evc, "auto") == "intel-haswell"
    assert wanted(evc, "intel-penryn") == "intel-penryn"
    with pytest.raises(SettingsError, match="'intel-pentium' is none of auto, intel-merom"):
        wanted(evc, "intel-pentium")


def test_auto_names_the_hosts_where_nothing_is_common() -> None:
    evc = Evc("prod7", "", {"esx70-1": "intel-cascadelake", "esx70-2": ""}, MODES)
    with pytest.raises(Blocked, match="esx70-1: intel-cascadelake, esx70-2: not reported"):
        wanted(evc, "auto")

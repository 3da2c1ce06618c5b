"""What is said of how old LUNs are presented to the new hosts."""

from __future__ import annotations

import pytest

from migration.model import Severity
from migration.presentation import Lun, partial, paths


def lun(host: str = "esx71", works: int = 4, hbas: int = 2, disk: str = "naa.1") -> Lun:
    return Lun("old-a", disk, host, works, hbas)


@pytest.mark.parametrize(
    ("found", "expected", "said"),
    [
        ([lun(), lun("esx72")], 0, []),
        ([lun(), lun("esx72")], 4, []),
        ([lun(works=2)], 0, []),
        ([lun(works=2)], 4, [("volume.paths-missing", Severity.WARNS)]),
        ([lun(), lun("esx72", works=2)], 0, [("volume.paths-missing", Severity.WARNS)]),
        ([lun(), lun("esx72", works=2, disk="naa.2")], 0, []),
        ([lun(works=1, hbas=1)], 0, [("volume.one-path", Severity.WARNS)]),
        ([lun(works=4, hbas=1)], 0, [("volume.one-path", Severity.WARNS)]),
        ([lun(works=0, hbas=0)], 0, [("volume.no-path", Severity.BLOCKS)]),
    ],
)
def test_paths(found: list[Lun], expected: int, said: list[tuple[str, Severity]]) -> None:
    concerns = list(paths(found, {(one.host, one.disk): expected for one in found}))
    assert [(one.id, one.severity) for one in concerns] == said
    assert all("naa." in one.sentence and "esx7" in one.sentence and one.remedy for one in concerns)


def test_on_some_hosts_only() -> None:
    assert partial("old-a", {"esx71", "esx72"}, ()) is None
    assert partial("old-a", (), {"esx71"}) is None, "nothing is mounted yet: that is another concern"
    some = partial("old-a", {"esx71", "esx72"}, {"esx73"})
    assert some is not None
    assert (some.id, some.severity) == ("volume.not-on-every-host", Severity.WARNS)
    assert some.sentence == "esx73 lacks it; VMs on it can still run on esx71, esx72"
    one = partial("old-a", {"esx71"}, {"esx72", "esx73"})
    assert one is not None
    assert one.severity is Severity.BLOCKS
    assert one.sentence == "esx72, esx73 lack it; only esx71 has it"

"""What the papers know and the vCenter does not show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migration.difference import differences
from migration.metadata import Metadata, Overrides, Permission, Rule, Tag
from migration.model import Vm
from migration.observation import Observation
from tests.fake_sites import FakeSites
from tests.unit.test_decide import PAPERS, settled

METADATA = Metadata(
    tags=frozenset({Tag("Backup", "daily")}),
    permissions=frozenset({Permission("EXAMPLE\\dba", group=True, role="VMUser")}),
    rules=frozenset({Rule("apart", "antiAffinity", (("5000", "app01"), ("5001", "app02")))}),
    groups=frozenset({"licensed"}),
    overrides=Overrides(restart_priority="high"),
)
WHOLE = replace(
    settled(metadata=METADATA), papers=replace(PAPERS, metadata=METADATA), folder=PAPERS.folder, pool=PAPERS.pool
)


def found(vm: Vm, *others: str) -> tuple[str, ...]:
    return differences(vm, Observation((vm,), FakeSites().views(), partners=frozenset(others)))


def test_a_vm_that_has_everything_differs_in_nothing() -> None:
    assert found(WHOLE) == ()


def test_without_papers_there_is_nothing_to_differ_from() -> None:
    assert found(replace(WHOLE, papers=None, folder="elsewhere")) == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"folder": ""}, ["its folder at vc70 is '', it was 'apps'"]),
        ({"pool": "Resources"}, ["its resource pool at vc70 is 'Resources', it was 'production'"]),
        ({"pool": "", "template": True}, []),
        ({"attributes": {}}, ["custom attribute 'owner' is missing at vc70, it was 'sato'"]),
        ({"attributes": {"owner": "ito"}}, ["custom attribute 'owner' is 'ito' at vc70, it was 'sato'"]),
        ({"attributes": {"owner": "sato", "new": "x"}}, []),
        (
            {"metadata": Metadata()},
            [
                "tag Backup/daily is not at vc70 (its tags cannot be read there)",
                "permission VMUser for group EXAMPLE\\dba is not at vc70",
                "DRS rule 'apart' (apart: app01, app02) is not at vc70",
                "DRS group 'licensed' is not at vc70",
                "HA restart priority high is not at vc70",
            ],
        ),
        ({"metadata": replace(METADATA, groups=frozenset({"licensed", "more"}))}, []),
        ({"name": "renamed", "host": "esx70-3"}, []),
    ],
)
def test_each_thing_is_named(change: dict[str, object], expected: list[str]) -> None:
    assert list(found(replace(WHOLE, **change), "5001")) == expected  # type: ignore[arg-type]


def test_a_rule_about_others_is_missed_only_once_one_of_them_is_there() -> None:
    alone = replace(WHOLE, metadata=replace(METADATA, rules=frozenset()))
    assert found(alone) == ()
    assert found(alone, "5001") == ("DRS rule 'apart' (apart: app01, app02) is not at vc70",)

"""What a vCenter would forget: kept together, compared, and written in the papers without a loss."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from migration.decide import departing
from migration.metadata import Allocation, Metadata, Overrides, Permission, Pool, Rule, Tag
from migration.model import Papers
from tests.fake_sites import a_vm
from tests.unit.test_decide import SPEC

TEXT = st.text(max_size=8)
RULES = st.builds(
    Rule,
    name=TEXT,
    kind=st.sampled_from(["affinity", "antiAffinity", "vmHost"]),
    members=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
    mandatory=st.booleans(),
    vm_group=TEXT,
)
PERMISSION = st.builds(Permission, TEXT, st.booleans(), TEXT, st.booleans())  # a principal has one role on an object
EVERYTHING = st.builds(
    Metadata,
    tags=st.frozensets(st.builds(Tag, TEXT, TEXT), max_size=3),
    permissions=st.lists(PERMISSION, max_size=3, unique_by=lambda one: (one.principal, one.group)).map(frozenset),
    rules=st.frozensets(RULES, max_size=2),
    groups=st.frozensets(TEXT, max_size=2),
    overrides=st.builds(Overrides, TEXT, TEXT, TEXT, st.sampled_from(["", "true", "false"])),
)
POOLS = st.lists(st.builds(Pool, TEXT, st.builds(Allocation, TEXT, st.integers(0)), st.builds(Allocation)), max_size=2)


@given(EVERYTHING, POOLS)
def test_papers_lose_nothing(metadata: Metadata, pools: list[Pool]) -> None:
    papers = departing(SPEC, a_vm(metadata=metadata, pools=tuple(pools), addresses=("10.0.0.1", "fd00::1")))
    assert Papers.loads(papers.dumps()) == papers


def test_papers_of_an_earlier_version_are_still_read() -> None:
    papers = departing(SPEC, a_vm())
    assert Papers.loads('{"leaving":"source"}') is None
    earlier = papers.dumps().replace('"metadata":{},', "").replace('"healthy":false,', "").replace('"pools":[],', "")
    assert "metadata" not in earlier
    assert Papers.loads(earlier) == papers


@given(EVERYTHING)
def test_nothing_is_lacking_of_itself(metadata: Metadata) -> None:
    assert not metadata.lacking(metadata)


@given(EVERYTHING, EVERYTHING)
def test_both_together_lack_no_tag_group_or_later_override(one: Metadata, other: Metadata) -> None:
    both = one.merged(other)
    assert not one.lacking(both).tags
    assert not one.lacking(both).groups
    assert not other.lacking(both).permissions
    assert other.lacking(both).overrides == Overrides()


def test_a_principal_has_the_role_that_was_seen_last() -> None:
    before = Metadata(permissions=frozenset({Permission("LAB\\dba", True, "ReadOnly")}))
    later = Metadata(permissions=frozenset({Permission("LAB\\dba", True, "Admin")}))
    assert before.merged(later).permissions == later.permissions


def test_a_rule_keeps_its_members_while_they_travel_one_by_one() -> None:
    whole = Rule("together", "affinity", (("1", "a"), ("2", "b")))
    alone = replace(whole, members=(("2", "b"),))
    together = Metadata(rules=frozenset({whole})).merged(Metadata(rules=frozenset({alone})))
    assert together.rules == {whole}


def test_what_is_missing_is_said_by_name() -> None:
    wanted = Metadata(
        frozenset({Tag("backup", "gold")}),
        frozenset({Permission("LAB\\dba", True, "VM user")}),
        frozenset({Rule("apart", "antiAffinity", (("1", "db01"), ("2", "db02")))}),
        frozenset({"databases"}),
        Overrides(restart_priority="high"),
    )
    assert wanted.lacking(Metadata()).said() == (
        "tag backup/gold",
        "permission VM user for group LAB\\dba",
        "DRS rule 'apart' (apart: db01, db02)",
        "DRS group 'databases'",
        "HA restart priority high",
    )

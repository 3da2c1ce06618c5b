"""Whether what is declared of the new site is where it is declared."""

from __future__ import annotations

import pytest

from migration.new_site import Stands, misplaced, off_the_switch, without_vmotion

RIGHT = Stands("prod7", "tokyo7", "vc70")
OLD = Stands("prod6", "tokyo6", "vc60")


def found(here: Stands | None, elsewhere: Stands | None = None) -> list[str]:
    every = misplaced(
        ["esx71"], "prod7", "tokyo7", {"ESX71": here} if here else {}, {"Esx71": elsewhere} if elsewhere else {}
    )
    return [str(concern).partition(" —")[0] for concern in every]


@pytest.mark.parametrize(
    ("here", "elsewhere", "said"),
    [
        (None, None, []),
        (RIGHT, None, []),
        (
            Stands("lab7", "tokyo7", "vc70"),
            None,
            ["esx71: it is in cluster 'lab7' of datacenter 'tokyo7', not in cluster 'prod7' [host.in-another-cluster]"],
        ),
        (
            Stands("", "tokyo7", "vc70"),
            None,
            ["esx71: it is in no cluster of datacenter 'tokyo7', not in cluster 'prod7' [host.in-another-cluster]"],
        ),
        (
            Stands("prod7", "osaka7", "vc70"),
            None,
            [
                "esx71: it is in cluster 'prod7' of datacenter 'osaka7', not of datacenter 'tokyo7' [host.cluster-elsewhere]"
            ],
        ),
        (
            None,
            OLD,
            ["esx71: it is in cluster 'prod6' of datacenter 'tokyo6' at vc60 [host.in-another-vcenter]"],
        ),
        (RIGHT, OLD, []),
    ],
)
def test_where_a_host_stands(here: Stands | None, elsewhere: Stands | None, said: list[str]) -> None:
    assert found(here, elsewhere) == said


def test_a_vcenter_that_has_lost_a_host_does_not_keep_it_from_joining() -> None:
    assert found(None, Stands("prod6", "tokyo6", "vc60", connected=False)) == []


@pytest.mark.parametrize(
    ("drs", "live", "said"),
    [
        (True, False, "esx72: it has no adapter for vMotion, and none is declared; DRS needs it [host.no-vmotion]"),
        (
            False,
            True,
            "esx72: it has no adapter for vMotion, and none is declared; live moves need it [host.no-vmotion]",
        ),
        (
            True,
            True,
            "esx72: it has no adapter for vMotion, and none is declared; DRS and live moves need it [host.no-vmotion]",
        ),
        (False, False, None),
    ],
)
def test_a_host_without_vmotion_is_named_where_it_is_wanted(drs: bool, live: bool, said: str | None) -> None:
    found = [str(one).partition(" —")[0] for one in without_vmotion(["esx71", "esx72"], {"esx71"}, drs=drs, live=live)]
    assert found == ([said] if said else [])


def test_a_host_that_an_adopted_switch_has_not_is_named() -> None:
    (found,) = off_the_switch(["esx71", "esx72"], "dvs7", {"esx71"})
    assert str(found).startswith(
        "esx72: it is no member of 'dvs7', so it has none of the networks on it [host.not-on-switch]"
    )

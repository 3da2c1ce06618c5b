"""Whether what is declared of the new site is where it is declared."""

from __future__ import annotations

import pytest

from migration.new_site import Stands, misplaced

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

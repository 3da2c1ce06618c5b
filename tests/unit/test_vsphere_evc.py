"""Covering, by what a vCenter reports."""

from __future__ import annotations

from pyVmomi import vim

from vsphere.evc_modes import modes


def raw(key: str, tier: int, *track: str) -> vim.EVCMode:
    return vim.EVCMode(
        key=key, label=key, summary=key, vendor="intel", vendorTier=tier, track=list(track), guaranteedCPUFeatures=[]
    )


def test_covering_needs_track_and_tier() -> None:
    low, high, aside = modes(
        [raw("a", 1, "a"), raw("b", 2, "a", "b"), raw("c", 3, "c")],
    )
    assert high.covers(low)
    assert high.covers(high)
    assert not low.covers(high)
    assert not aside.covers(low), "a later generation of another track"

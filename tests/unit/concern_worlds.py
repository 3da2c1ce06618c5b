"""Worlds for the tests of concerns: what is wanted, and what is seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from migration.model import Adrift, Disk, File, Vm
from migration.observation import Observation, SiteView, SoFar
from migration.wanted import Method, Stage, VmSpec
from tests.fake_sites import FakeSites
from tests.unit.test_decide import SPEC

World = tuple[VmSpec, Observation]
Cases = Mapping[str, tuple[World, World]]
"""For each id a world that has the concern, and the nearest one that has not."""

BACK = replace(SPEC, stage=Stage.SOURCE)
REHOSTED = replace(SPEC, stage=Stage.REHOSTED)
STOPPING = replace(SPEC, on_shutdown_timeout="stop")
LIVE = replace(SPEC, method=Method.XVM)
NEW_ENOUGH = {"version": "6.7.0"}


def world(
    *vms: Vm,
    spec: VmSpec = SPEC,
    overdue: bool = False,
    adrift: Iterable[Adrift] = (),
    source: Mapping[str, Any] | None = None,
    target: Mapping[str, Any] | None = None,
    **seen: Any,
) -> World:
    """Return a world of the fake sites; `source` and `target` change what these offer, `seen` the observation."""
    views = FakeSites().views()
    sites: dict[str, SiteView] = {
        "source": replace(views["source"], **(source or {})),
        "target": replace(views["target"], **(target or {})),
    }
    return spec, replace(Observation(vms, sites, tuple(adrift), SoFar(overdue=overdue)), **seen)


def live_world(*vms: Vm, source: Mapping[str, Any] | None = None, **rest: Any) -> World:
    """Return a world in which a VM may go from vCenter to vCenter in one step, and is asked to."""
    hosts = tuple(replace(host, version="6.7.0") for host in FakeSites().views()["source"].hosts)
    return world(*vms, spec=rest.pop("spec", LIVE), source={**NEW_ENOUGH, "hosts": hosts, **(source or {})}, **rest)


def hosts(site: str, **changes: Any) -> dict[str, Any]:
    """Return the change that gives every host of the site these facts."""
    return {"hosts": tuple(replace(host, **changes) for host in FakeSites().views()[site].hosts)}


def volumes(site: str, name: str, **changes: Any) -> dict[str, Any]:
    """Return the change that gives one datastore of the site these facts."""
    view = FakeSites().views()[site]
    return {"volumes": tuple(replace(one, **changes) if one.name == name else one for one in view.volumes)}


def disk(**changes: Any) -> tuple[Disk, ...]:
    """Return the one disk of a VM, with these facts."""
    one = Disk(2000, "Hard disk 1", File("vmfs:a", "app01/app01.vmdk"), 40, 12)
    return (replace(one, **changes),)

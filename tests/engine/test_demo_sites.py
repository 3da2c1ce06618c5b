"""The two sites of `make demo`, with the settings of stacks/: which way every VM goes, why, and what its guest felt."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.engine.site_project import Site
from tests.person import PASSWORDS
from tools.census import count
from tools.demo import Stack, check, read_stack
from tools.running_lab import Lab, running_lab

pytestmark = pytest.mark.engine


@contextmanager
def moved(stack: Stack, folder: Path) -> Iterator[tuple[Lab, dict[str, dict[str, Any]], dict[str, Any]]]:
    """Move the whole site; give its lab, the outputs of its VMs and the totals of the site."""
    with running_lab(stack.scenario, any_port=True) as lab:
        vcenters = lab.endpoints["vcenters"]
        config = copy.deepcopy(dict(stack.config))
        for name in ("source", "target"):
            config[f"esxodus:{name}"]["vcenter"] = vcenters[name]["host"]
        sites = {name: {**one, "vcenter": one["host"], "password": PASSWORDS[name]} for name, one in vcenters.items()}
        before = {vms[0].name: vms[0] for vms in count(sites).values()}
        site = Site(folder / "clone", config)
        site.up()
        after = count(sites)
        wanted = stack.wanted
        assert len(wanted) == 16
        wrong = {name: check(stack, stage, before[name], after) for name, stage in wanted.items()}
        assert {name: problems for name, problems in wrong.items() if problems} == {}
        state = site.project.resources()
        yield lab, {name: state[name]["outputs"] for name in wanted}, site.outputs()["site"]
        assert lab.get("/violations") == []


def clocks(lab: Lab) -> dict[str, float]:
    """Return for how many seconds each guest did not serve, by the lab's own clock of it."""
    sites = lab.get("/state")["vcenters"].values()
    return {name: vm["clock"]["downSeconds"] for site in sites for name, vm in site["vms"].items()}


def test_a_site_of_6_7_moves_live_and_no_guest_is_down(tmp_path: Path) -> None:
    stack = read_stack("lab-live")
    with moved(stack, tmp_path) as (lab, told, totals):
        assert {name: one["chosen"] for name, one in told.items()} == dict.fromkeys(stack.wanted, "xvm")
        down = {name: seconds for name, seconds in clocks(lab).items() if seconds}
        assert down == {}
        assert all(one.get("downtimeSeconds") is None for one in told.values()), told
        assert totals["methods"] == {"xvm": 16}
        assert totals["downtimeSeconds"] == {"total": 0, "longest": 0}
        calls = Counter(call["method"] for one in told.values() for call in one["audit"])
        assert not {"ShutdownGuest", "PowerOffVM_Task", "UnregisterVM", "RegisterVM_Task"} & calls.keys(), calls


def test_a_site_of_6_0_is_reattached_and_the_reason_is_told_of_every_vm(tmp_path: Path) -> None:
    stack = read_stack("lab")
    with moved(stack, tmp_path) as (lab, told, totals):
        for name, one in told.items():
            assert one["chosen"] == "reattach", name
            found = one["reasons"]
            assert any("vCenter 6.0" in reason and "[live.version]" in reason for reason in found), found
        assert totals["methods"] == {"reattach": 16}
        because = [times for reason, times in totals["reasons"]["reattach"].items() if "[live.version]" in reason]
        assert because == [16], json.dumps(totals["reasons"])
        down = clocks(lab)
        ran = {name for name, one in told.items() if one.get("downtimeSeconds") is not None}
        assert ran == {name for name in told if down[name]}, "whose guest was down is told, and nobody else's"

"""A small cluster for the tests of rolling upgrades: three hosts, two VMs on each, everything shared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from migration.metadata import Metadata, Overrides, Rule
from migration.model import Disk, File, Nic, Power, Vm
from migration.observation import Host
from migration.upgrade_fleet import Fleet, Member, Wanted

WANTED = Wanted("7.0.3", 21930508)
OLD = 17499825
NAMES = ("esx1", "esx2", "esx3")
SHARED = "vmfs:shared"


def host(name: str, **changes: Any) -> Host:
    one = Host(
        name,
        "prod",
        networks=frozenset({"VM Network"}),
        volumes=frozenset({SHARED}),
        version="6.7.0",
        memory=66.0,
        mhz=40_000.0,
        hardware=14,
    )
    return replace(one, **changes)


def member(name: str, **changes: Any) -> Member:
    facts = {
        key: changes.pop(key)
        for key in ("networks", "volumes", "version", "memory", "mhz", "vmotion", "evc")
        if key in changes
    }
    return replace(Member(host(name, **facts), OLD), **changes)


def upgraded(name: str, **changes: Any) -> Member:
    return member(name, version="7.0.3", build=WANTED.build, **changes)


def vm(name: str, at: str, **changes: Any) -> Vm:
    one = Vm(
        "site",
        name,
        f"uuid-{name}",
        f"bios-{name}",
        File(SHARED, f"{name}/{name}.vmx"),
        Power.ON,
        host=at,
        disks=(Disk(2000, "Hard disk 1", File(SHARED, f"{name}/{name}.vmdk"), 40),),
        nics=(Nic(4000, "Network adapter 1", "00:50:56:00:00:01", "VM Network"),),
        memory=8.0,
    )
    return replace(one, **changes)


def fleet(*members: Member, vms: Iterable[Vm] | None = None, **changes: Any) -> Fleet:
    """Return the cluster, DRS fully automated, with these hosts in place of those of the same name."""
    given = {one.name: one for one in members}
    every = tuple(given.pop(name, member(name)) for name in NAMES) + tuple(given.values())
    run = tuple(vms) if vms is not None else tuple(vm(f"{at}-{n}", at) for at in NAMES for n in "ab")
    return replace(Fleet("prod", "7.0.3", every, run, drs="fullyAutomated"), **changes)


def ruled(one: Vm, *rules: Rule, overrides: Overrides | None = None) -> Vm:
    return replace(one, metadata=Metadata(rules=frozenset(rules), overrides=overrides or Overrides()))

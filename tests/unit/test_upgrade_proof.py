"""What stands against a rolling upgrade: versions, numbers, and what holds VMs on their host."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migration.metadata import Rule
from migration.model import Device, Disk, File, Power, Question, Severity
from migration.upgrade_concerns import KINDS, Against
from migration.upgrade_fleet import Connection, Fleet, Wanted
from migration.upgrade_paths import against, unmanaged
from migration.upgrade_proof import concerns, table, without
from tests.unit.upgrade_worlds import NAMES, WANTED, fleet, member, ruled, upgraded, vm

THREE = Rule("apart", "antiAffinity", tuple((f"uuid-{name}", name) for name in "abc"))
APART = [ruled(vm(name, at), THREE) for name, at in zip("abc", NAMES, strict=True)]
LOCAL = vm("a", "esx1", disks=(Disk(2000, "Hard disk 1", File("vmfs:local", "a/a.vmdk"), 40),))
BUS = vm("a", "esx1", disks=(Disk(2000, "Hard disk 1", File("vmfs:shared", "a/a.vmdk"), 40, sharing="bus"),))
ASKING = Question("q", "Moved or copied?", (), {})


def alone(**changes: object) -> Fleet:
    return fleet(vms=[vm("a", "esx1", **changes)])


FOUND = {
    "upgrade.host-unknown": (replace(fleet(), members=fleet().members[1:]), fleet()),
    "upgrade.path": (fleet(member("esx1", version="6.0.0", build=3029758)), fleet()),
    "upgrade.vcenter": (fleet(vcenter="6.7.0"), fleet(vcenter="7.0.3")),
    "upgrade.permission": (fleet(lacking=(("osaka", "Host.Config.Maintenance"),)), fleet()),
    "upgrade.host-out": (fleet(member("esx2", maintenance=True)), fleet(member("esx2", maintenance=True, ours=True))),
    "upgrade.not-n-plus-1": (fleet(member("esx2", memory=20.0), member("esx3", memory=20.0)), fleet()),
    "upgrade.vm-nowhere": (
        fleet(member("esx2", vmotion=False), member("esx3", networks=frozenset()), vms=[vm("a", "esx1")]),
        alone(),
    ),
    "upgrade.vm-local": (
        alone(devices=(Device("iso", "CD/DVD drive 1", File("vmfs:local", "tools.iso")),)),
        alone(devices=(Device("iso", "CD/DVD drive 1", File("vmfs:local", "tools.iso"), connected=False),)),
    ),
    "upgrade.vm-suspended": (alone(power=Power.SUSPENDED), alone(power=Power.OFF)),
    "upgrade.vm-question": (alone(question=ASKING), fleet(vms=[vm("a", "esx2", question=ASKING)])),
    "upgrade.vm-fault-tolerant": (alone(fault_tolerant=True), alone()),
    "upgrade.vm-device": (
        alone(devices=(Device("hostMedia", "CD/DVD drive 1"),)),
        alone(devices=(Device("hostMedia", "CD/DVD drive 1", connected=False), Device("iso", "CD/DVD drive 2"))),
    ),
    "upgrade.vm-pinned": (alone(pinned="CPU affinity"), alone()),
    "upgrade.vm-shared-bus": (fleet(vms=[BUS]), alone()),
    "upgrade.vm-tools-installer": (alone(tools_installer=True), alone()),
    "upgrade.vm-unreachable": (alone(reachable=False), alone()),
    "upgrade.vm-locked": (alone(locked=("RelocateVM_Task",)), alone(locked=("UnregisterVM",))),
    "upgrade.rule-apart": (fleet(vms=APART), fleet(vms=APART[:2])),
    "upgrade.drs-manual": (fleet(drs="manual"), fleet()),
}

ELSEWHERE = {
    "upgrade.cluster-unknown", "upgrade.depot", "upgrade.install-failed", "upgrade.reverted", "upgrade.overdue",
}  # fmt: skip
"""What only vCenter or the run shows: tests/lab/test_vsphere_upgrading.py, tests/unit/test_upgrade_host.py."""


@pytest.mark.parametrize("identifier", FOUND)
def test_concern(identifier: str) -> None:
    with_it, near = FOUND[identifier]
    found = {one.id: one for one in concerns("esx1", WANTED, with_it)}
    assert identifier in found, found
    severity = next(kind.severity for kind in KINDS if kind.id == identifier)
    assert found[identifier].severity is severity
    assert identifier not in {one.id for one in concerns("esx1", WANTED, near)}


def test_every_kind_has_its_case() -> None:
    assert FOUND.keys() | ELSEWHERE == {kind.id for kind in KINDS}
    assert not FOUND.keys() & ELSEWHERE


def test_a_cluster_as_it_should_be_has_none_and_neither_has_a_host_that_is_done() -> None:
    assert concerns("esx1", WANTED, fleet()) == ()
    assert concerns("esx1", WANTED, fleet(upgraded("esx1"), vms=[LOCAL])) == ()


class TestNumbers:
    def test_memory_is_what_running_vms_are_configured_with_and_the_hypervisor_has_its_part(self) -> None:
        one = without("esx1", fleet())
        assert one.needed[1] == 6 * 8
        assert one.left[1] == 2 * (66 - 2)
        assert one.leaving == 2

    def test_cpu_is_what_is_used_or_reserved_whichever_is_more(self) -> None:
        vms = [vm("a", "esx1", cpu_reservation=3000.0), vm("b", "esx2"), vm("c", "esx3", power=Power.OFF)]
        world = fleet(vms=vms, usage={"uuid-a": 1000.0, "uuid-b": 500.0, "uuid-c": 9000.0})
        assert without("esx1", world).needed[0] == 3500
        busy = replace(world, usage={"uuid-b": 90_000.0})
        (concern,) = concerns("esx1", WANTED, busy)
        assert "93000 MHz of CPU needed, 80000 left" in concern.sentence
        assert "GiB" not in concern.sentence

    def test_what_ha_keeps_free_is_not_left(self) -> None:
        world = fleet(reserve=(0.5, 0.7))
        one = without("esx1", world)
        assert one.left == pytest.approx((40_000.0, 128 * 0.3))
        (concern,) = concerns("esx1", WANTED, world)
        assert "48 GiB of memory needed, 38 left, with 70% kept free by HA" in concern.sentence

    def test_a_host_that_is_out_counts_for_nothing(self) -> None:
        assert without("esx1", fleet(member("esx2", connection=Connection.SILENT))).left[1] == 64

    def test_one_that_an_earlier_run_has_out_is_back_by_then(self) -> None:
        assert without("esx1", fleet(member("esx2", maintenance=True, ours=True))).left[1] == 128

    def test_what_fits_as_a_whole_and_not_into_one_host_is_named(self) -> None:
        big = vm("big", "esx1", memory=60.0)
        others = [vm("x", "esx2", memory=32.0), vm("y", "esx3", memory=32.0)]
        found = concerns("esx1", WANTED, fleet(vms=[big, *others]))
        assert [one.id for one in found] == ["upgrade.vm-nowhere"]
        assert "GiB of memory left" in found[0].sentence

    def test_a_single_host_is_not_n_plus_1(self) -> None:
        world = replace(fleet(vms=[]), members=fleet().members[:1])
        assert "upgrade.not-n-plus-1" in {one.id for one in concerns("esx1", WANTED, world)}

    def test_the_table_has_a_row_for_each_host_and_says_what_holds_vms(self) -> None:
        drive = (Device("hostMedia", "CD/DVD drive 1"),)
        vms = [
            LOCAL,
            replace(LOCAL, name="b", host="esx3"),
            vm("c", "esx3", devices=drive),
            vm("d", "esx3", pinned="NUMA"),
        ]
        title, head, *rows = table(
            fleet(upgraded("esx1"), member("esx2", memory=1000.0), vms=vms), WANTED, NAMES
        ).splitlines()
        assert title.startswith("prod to ESXi 7.0.3 build 21930508")
        assert head.split()[-4:] == ["rules", "local", "devices", "other"]
        assert [row.split()[0] for row in rows] == list(NAMES)
        assert rows[0].endswith("upgraded")
        assert rows[1].split()[-6:] == ["0", "0", "0", "0", "0", "fits"]
        assert rows[2].split()[-6:] == ["3", "0", "1", "1", "1", "refused"]

    def test_rules_that_hold_vms_are_counted(self) -> None:
        (_, _, row, *_) = table(fleet(vms=APART), WANTED, NAMES).splitlines()
        assert row.split()[-6:] == ["1", "1", "0", "0", "0", "refused"]


class TestPaths:
    @pytest.mark.parametrize(
        ("version", "build", "to"),
        [
            ("6.5.0", 4564106, ("6.7.0", 8169922)),
            ("6.5.0", 8294253, ("6.7.0", 10302608)),
            ("6.0.0", 5050593, ("6.5.0", 5969303)),
            ("6.7.0", 17499825, ("7.0.3", 21930508)),
            ("7.0.1", 16850804, ("7.0.3", 21930508)),
        ],
    )
    def test_supported(self, version: str, build: int, to: tuple[str, int]) -> None:
        assert against(version, build, Wanted(*to)) == ""

    @pytest.mark.parametrize(
        ("version", "build", "to", "says"),
        [
            ("6.5.0", 8294253, ("6.7.0", 8169922), "back in time"),  # 6.5 U2 to 6.7
            ("6.0.0", 5050593, ("6.5.0", 4564106), "back in time"),  # 6.0 U3 to 6.5
            ("6.7.0", 20497097, ("7.0.2", 17630552), "back in time"),
            ("6.0.0", 3029758, ("7.0.3", 21930508), "it takes two: to 6.5 or 6.7 under a vCenter 6.5 or 6.7, then"),
            ("5.5.0", 1331820, ("7.0.3", 21930508), "installed anew"),
            ("7.0.3", 21930508, ("6.7.0", 17499825), "no way"),
            ("7.0.3", 21930508, ("9.0.0", 24957450), "knows no way to"),
        ],
    )
    def test_not_supported(self, version: str, build: int, to: tuple[str, int], says: str) -> None:
        assert says in against(version, build, Wanted(*to))

    def test_the_vcenter_comes_first_and_manages_what_the_hosts_are(self) -> None:
        assert not list(unmanaged("7.0.3", "6.7.0", WANTED))
        assert "upgraded first" in next(unmanaged("7.0.2", "6.7.0", WANTED))
        assert list(unmanaged("7.0.3", "6.0.0", WANTED)) == ["vCenter 7.0.3 does not manage ESXi 6.0.0"]
        assert not list(unmanaged("6.7.0", "6.0.0", Wanted("6.7.0", 17499825)))


def test_a_remedy_that_is_given_beats_the_kinds_own() -> None:
    assert Against.PATH.concern("esx1", "why").remedy == Against.PATH.value.remedy
    assert Against.PATH.concern("esx1", "why", Severity.WARNS, "do this").remedy == "do this"

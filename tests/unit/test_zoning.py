"""What has to be zoned in a fabric, and what of it is ours: values in, values out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric import commands, zoning
from fabric.zoning import INITIATOR, PEER, PEERS, Change, Defined, Initiator, Zone, Zoning
from migration.model import Severity

A = Initiator("esx71.lab", "vmhba2", "10:00:00:00:00:00:00:71")
B = Initiator("esx72.lab", "vmhba2", "10:00:00:00:00:00:00:72")
OLD = "10:00:00:00:00:00:00:61"
PORTS = ("50:06:01:60:00:00:00:01", "50:06:01:68:00:00:00:01")
THEIRS = Zone("esx61_vnx", (OLD, *PORTS))


def seen(*ours: Zone, **changed: object) -> Zoning:
    """A fabric with one zone of others in effect, by way of an alias, and some of ours."""
    zones = {zone.name: zone for zone in (Zone("esx61_vnx", (OLD, "vnx")), *ours)}
    defined = Defined(zones, {"vnx": PORTS}, {"prod": tuple(zones), "spare": ("esx61_vnx",)})
    effective = {zone.name: zone for zone in (THEIRS, *ours)}
    ports = frozenset({A.wwpn, B.wwpn, OLD, *PORTS})
    return replace(Zoning("fabric-a", "prod", effective, defined, "c1", 0, ports), **changed)  # type: ignore[arg-type]


def after(before: Zoning, change: Change) -> Zoning:
    return replace(before, effective=change.effective(before), defined=change.defined(before), checksum="c2")


def test_each_initiator_gets_a_zone_of_its_own_with_all_target_ports() -> None:
    plan = zoning.plan(seen(), [A, B], PORTS, [])
    assert [(zone.name, zone.members) for zone in plan.change.add] == [
        ("esxodus_esx71_lab_vmhba2", (A.wwpn, *PORTS)),
        ("esxodus_esx72_lab_vmhba2", (B.wwpn, *PORTS)),
    ]
    assert plan.reach == {"esx71.lab": 2, "esx72.lab": 2}
    assert not plan.concerns
    done = after(seen(), plan.change)
    assert not zoning.plan(done, [A, B], PORTS, []).change, (
        "settled stays settled, even where nobody remembers who made them"
    )
    assert done.lets(A.wwpn, PORTS[0])
    assert not done.lets(A.wwpn, B.wwpn)


def test_peers_see_the_array_and_not_each_other() -> None:
    change = zoning.plan(seen(), [A, B], PORTS, [], style=PEERS).change
    (zone,) = change.add
    assert (zone.type, zone.principals, zone.members) == (PEER, PORTS, (A.wwpn, B.wwpn))
    done = after(seen(), change)
    assert done.lets(B.wwpn, PORTS[1])
    assert not done.lets(A.wwpn, B.wwpn)


def test_what_others_have_zoned_is_not_zoned_again() -> None:
    plan = zoning.plan(seen(), [Initiator("esx61", "vmhba1", OLD)], PORTS, [])
    assert not plan.change
    assert plan.reach == {"esx61": 2}, "and counts as paths"


def test_a_port_that_is_added_later_makes_our_zone_anew_and_a_zone_that_is_not_ours_stops_everything() -> None:
    ours = Zone("esxodus_esx71_lab_vmhba2", (A.wwpn, PORTS[0]))
    plan = zoning.plan(seen(ours), [A], PORTS, [])
    assert plan.change == Change((replace(ours, members=(A.wwpn, *PORTS)),), (ours.name,))
    gone = replace(ours, members=(*ours.members, B.wwpn))
    assert zoning.plan(seen(gone), [A], PORTS, [B.wwpn]).change.remove == (ours.name,), "a host that was taken out"
    refused = zoning.plan(seen(gone), [A], PORTS, [])
    assert not refused.change
    assert [one.id for one in refused.concerns] == ["fabric.zone-foreign"]
    assert B.wwpn in refused.concerns[0].sentence


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"transaction": 7}, "fabric.transaction-open"),
        ({"configuration": "", "effective": {}}, "fabric.no-configuration"),
        ({"effective": {}}, "fabric.pending-changes"),
        ({"effective": {"esx61_vnx": replace(THEIRS, members=(OLD, PORTS[0]))}}, "fabric.pending-changes"),
        ({"effective": {"esx61_vnx": THEIRS, "gone": replace(THEIRS, name="gone")}}, "fabric.pending-changes"),
    ],
)
def test_what_stands_against_any_change(changed: dict[str, object], said: str) -> None:
    plan = zoning.plan(seen(**changed), [A], PORTS, [])
    assert [one.id for one in plan.concerns] == [said]
    assert plan.concerns[0].severity is Severity.BLOCKS


def test_nothing_stands_against_changing_nothing() -> None:
    ours = Zone("esxodus_esx71_lab_vmhba2", (A.wwpn, *PORTS))
    assert not zoning.plan(seen(ours, transaction=7), [A], PORTS, []).concerns


def test_only_what_we_made_is_removed_and_only_as_we_made_it() -> None:
    ours = Zone("esxodus_esx71_lab_vmhba2", (A.wwpn, *PORTS))
    plan = zoning.removal(seen(ours), {ours.name: ours, "gone": replace(ours, name="gone")})
    assert plan.change == Change(remove=(ours.name,))
    assert after(seen(ours), plan.change) == replace(seen(), checksum="c2"), "all else is as before it was made"
    changed = zoning.removal(seen(replace(ours, members=(A.wwpn, B.wwpn, *PORTS))), {ours.name: ours})
    assert not changed.change
    assert [(one.id, one.severity) for one in changed.concerns] == [("fabric.zone-changed", Severity.WARNS)]
    alone = seen(ours, effective={ours.name: ours}, defined=Defined({ours.name: ours}, {}, {"prod": (ours.name,)}))
    assert [one.id for one in zoning.removal(alone, {ours.name: ours}).concerns] == ["fabric.last-zones"]


def test_who_is_not_logged_in() -> None:
    both = [seen(ports=frozenset({A.wwpn, PORTS[0]})), replace(seen(), fabric="fabric-b", ports=frozenset({"x"}))]
    ids = [(one.id, one.subject) for one in zoning.absent(both, [A, B], PORTS, ["esx71.lab", "esx72.lab"])]
    assert ids == [
        ("fabric.port-absent", str(B)),
        ("fabric.target-absent", PORTS[1]),
        ("fabric.one-fabric", "esx71.lab"),
        ("fabric.host-unconnected", "esx72.lab"),
    ]
    nobody = [one.id for one in zoning.absent(both, [A], ["50:00:00:00:00:00:00:00"], ["esx71.lab"])]
    assert "fabric.no-target" in nobody


@given(st.lists(st.text(min_size=1, max_size=90), min_size=1, max_size=3))
def test_any_name_becomes_one_that_switches_take(parts: list[str]) -> None:
    name = zoning.zone_name("esxodus", *parts)
    assert len(name) <= zoning.NAME_LIMIT
    assert name.isascii()
    assert name.replace("_", "").isalnum()


ports = st.sampled_from([f"10:00:00:00:00:00:00:{n:02x}" for n in range(6)])
targets = st.sampled_from([f"50:00:00:00:00:00:00:{n:02x}" for n in range(4)])
initiators = st.builds(
    Initiator, st.sampled_from(["esx1", "esx2", "esx3"]), st.sampled_from(["vmhba2", "vmhba3"]), ports
)
others = st.builds(
    Zone,
    st.sampled_from(["z1", "z2", "z3"]),
    st.lists(ports | targets, min_size=1, max_size=4, unique=True).map(tuple),
)


@given(
    st.lists(others, max_size=3, unique_by=lambda zone: zone.name),
    st.lists(initiators, max_size=4, unique_by=(lambda one: (one.host, one.device), lambda one: one.wwpn)),
    st.lists(targets, max_size=3, unique=True),
    st.sets(ports | targets),
    st.sampled_from([INITIATOR, PEERS]),
)
def test_whatever_is_there_all_that_should_see_each_other_do_and_nothing_else_changes(
    zones: list[Zone], wanted: list[Initiator], array: list[str], logged_in: set[str], style: str
) -> None:
    """Others' zones are the same before, in between and after; who may see whom changes by exactly what is wanted."""
    by_name = {zone.name: zone for zone in zones}
    before = Zoning("a", "prod", by_name, Defined(by_name, {}, {"prod": tuple(by_name)}), "c1", 0, frozenset(logged_in))
    plan = zoning.plan(before, wanted, array, [], style=style)
    done = after(before, plan.change)
    needed = {(one.wwpn, port) for one in wanted for port in array if {one.wwpn, port} <= logged_in}
    every = {*logged_in, *(one.wwpn for one in wanted), *array, *(port for zone in zones for port in zone.members)}
    for one in every:
        for other in every - {one}:
            beside = {one, other} <= set(array)  # the ports of one array, in the zone of one initiator
            should = before.lets(one, other) or (one, other) in needed or (other, one) in needed
            assert beside or done.lets(one, other) == should
    assert {name: done.effective[name] for name in by_name} == by_name
    assert not zoning.plan(done, wanted, array, [], style=style).change
    made = {zone.name: zone for zone in plan.change.add}
    removal = zoning.removal(done, made)
    assert set(removal.change.remove) == set(made)
    assert after(done, removal.change).effective == by_name


def test_commands_name_every_zone_and_enable_last() -> None:
    zones = zoning.wanted("a", [A, B], PORTS)
    brocade = commands.brocade("prod_a", zones)
    assert f'zonecreate "esxodus_esx71_lab_vmhba2", "{A.wwpn};{PORTS[0]};{PORTS[1]}"' in brocade
    assert brocade[-3:-1] == [
        'cfgadd "prod_a", "esxodus_esx71_lab_vmhba2;esxodus_esx72_lab_vmhba2"',
        'cfgenable "prod_a"',
    ]
    cisco = commands.cisco(10, "prod_a", zones)
    assert "zone name esxodus_esx71_lab_vmhba2 vsan 10" in cisco
    assert f"  member pwwn {A.wwpn}" in cisco
    assert "zoneset activate name prod_a vsan 10" in cisco
    (peer,) = zoning.wanted("a", [A, B], PORTS, style=PEERS)
    assert (
        f'zonecreate --peerzone "esxodus_a" -principal "{";".join(PORTS)}" -members "{A.wwpn};{B.wwpn}"'
        in commands.brocade("prod_a", [peer])
    )
    assert f"  member pwwn {PORTS[0]} target" in commands.cisco(10, "prod_a", [peer])
    names = [zone.name for zone in zones]
    assert commands.brocade_removal("prod_a", names)[1] == f'cfgremove "prod_a", "{";".join(names)}"'
    assert f"no zone name {names[0]} vsan 10" in commands.cisco_removal(10, "prod_a", names)

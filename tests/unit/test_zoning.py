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
    plan = zoning.plan(seen(), [A, B], PORTS, {})
    assert [(zone.name, zone.members) for zone in plan.change.add] == [
        ("esxodus_esx71_lab_vmhba2", (A.wwpn, *PORTS)),
        ("esxodus_esx72_lab_vmhba2", (B.wwpn, *PORTS)),
    ]
    assert plan.reach == {"esx71.lab": dict.fromkeys(PORTS, 1), "esx72.lab": dict.fromkeys(PORTS, 1)}
    assert not plan.concerns
    done = after(seen(), plan.change)
    assert not zoning.plan(done, [A, B], PORTS, {}).change, (
        "settled stays settled, even where nobody remembers who made them"
    )
    assert done.lets(A.wwpn, PORTS[0])
    assert not done.lets(A.wwpn, B.wwpn)


def test_peers_see_the_array_and_not_each_other() -> None:
    change = zoning.plan(seen(), [A, B], PORTS, {}, style=PEERS).change
    (zone,) = change.add
    assert (zone.type, zone.principals, zone.members) == (PEER, PORTS, (A.wwpn, B.wwpn))
    done = after(seen(), change)
    assert done.lets(B.wwpn, PORTS[1])
    assert not done.lets(A.wwpn, B.wwpn)


def test_what_others_have_zoned_is_not_zoned_again() -> None:
    plan = zoning.plan(seen(), [Initiator("esx61", "vmhba1", OLD)], PORTS, {})
    assert not plan.change
    assert plan.reach == {"esx61": dict.fromkeys(PORTS, 1)}, "and counts as paths"


def test_a_zone_of_ours_grows_and_never_shrinks() -> None:
    ours = Zone("esxodus_esx71_lab_vmhba2", (A.wwpn, PORTS[0]))
    plan = zoning.plan(seen(ours), [A], PORTS, {})
    assert plan.change == Change(extend=(replace(ours, members=(PORTS[1],)),))
    assert after(seen(ours), plan.change).lets(A.wwpn, PORTS[1])
    whole = replace(ours, members=(A.wwpn, *PORTS))
    away = seen(whole, ports=frozenset({A.wwpn, PORTS[0]}))
    assert not zoning.plan(away, [A], PORTS, {}).change, "an array's port that restarts just now"
    fewer = zoning.plan(seen(whole), [A], PORTS[:1], {whole.name: whole})
    assert (fewer.change, fewer.concerns) == (Change(), ()), "a port that was taken out of the settings"
    peers = Zone("esxodus_fabric_a", (A.wwpn, B.wwpn), PORTS, PEER)
    for initiators in ([A], [A, B]):
        absent = zoning.plan(
            seen(peers, ports=frozenset({A.wwpn, *PORTS})), initiators, PORTS, {peers.name: peers}, style=PEERS
        )
        assert (absent.change, absent.concerns) == (Change(), ()), "a host that restarts, or is not connected"


def test_a_name_that_is_not_ours_stops_everything() -> None:
    ours = Zone("esxodus_esx71_lab_vmhba2", (A.wwpn, PORTS[0], B.wwpn))
    assert zoning.plan(seen(ours), [A, B], PORTS[:1], {}).change, "all of them are known"
    for changed, said in (
        (seen(ours), B.wwpn),
        (seen(replace(ours, members=(A.wwpn,), principals=PORTS, type=PEER)), "as a peer zone"),
        (seen(defined=replace(seen().defined, aliases={"vnx": PORTS, ours.name: (B.wwpn,)})), "an alias"),
        (
            seen(defined=replace(seen().defined, configurations={"prod": ("esx61_vnx",), ours.name: ()})),
            "a configuration",
        ),
    ):
        refused = zoning.plan(changed, [A], PORTS, {})
        assert not refused.change
        assert [one.id for one in refused.concerns] == ["fabric.zone-foreign"]
        assert said in refused.concerns[0].sentence


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
    plan = zoning.plan(seen(**changed), [A], PORTS, {})
    assert [one.id for one in plan.concerns] == [said]
    assert plan.concerns[0].severity is Severity.BLOCKS


def test_nothing_stands_against_changing_nothing() -> None:
    ours = Zone("esxodus_esx71_lab_vmhba2", (A.wwpn, *PORTS))
    assert not zoning.plan(seen(ours, transaction=7), [A], PORTS, {}).concerns


def test_only_what_we_made_is_removed_and_only_as_we_made_it() -> None:
    ours = Zone("esxodus_esx71_lab_vmhba2", (A.wwpn, *PORTS))
    plan = zoning.removal(seen(ours), {ours.name: ours, "gone": replace(ours, name="gone")})
    assert plan.change == Change(remove=(ours.name,))
    assert after(seen(ours), plan.change) == replace(seen(), checksum="c2"), "all else is as before it was made"
    grown = replace(ours, members=(A.wwpn, *PORTS, "50:06:01:60:00:00:00:02"))
    assert zoning.removal(seen(grown), {ours.name: ours}, ["50:06:01:60:00:00:00:02"]).change.remove == (ours.name,)
    changed = zoning.removal(seen(replace(ours, members=(A.wwpn, B.wwpn, *PORTS))), {ours.name: ours})
    assert not changed.change
    assert [(one.id, one.severity) for one in changed.concerns] == [("fabric.zone-changed", Severity.WARNS)]
    alone = seen(ours, effective={ours.name: ours}, defined=Defined({ours.name: ours}, {}, {"prod": (ours.name,)}))
    assert [one.id for one in zoning.removal(alone, {ours.name: ours}).concerns] == ["fabric.last-zones"]


def test_a_zone_that_another_configuration_names_stays_defined() -> None:
    ours = Zone("esxodus_esx71_lab_vmhba2", (A.wwpn, *PORTS))
    there = seen(ours)
    copied = replace(
        there, defined=replace(there.defined, configurations={**there.defined.configurations, "old": (ours.name,)})
    )
    plan = zoning.removal(copied, {ours.name: ours})
    assert plan.change == Change(leave=(ours.name,))
    assert [one.id for one in plan.concerns] == ["fabric.zone-elsewhere"]
    done = after(copied, plan.change)
    assert ours.name in done.defined.zones
    assert ours.name not in done.effective
    assert not zoning.removal(done, {ours.name: ours}).change, "settled"


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


sets = st.sets(ports | targets)


@given(
    st.lists(others, max_size=3, unique_by=lambda zone: zone.name),
    st.lists(initiators, max_size=4, unique_by=(lambda one: (one.host, one.device), lambda one: one.wwpn)),
    st.lists(targets, max_size=3, unique=True),
    st.lists(st.tuples(sets, st.sets(st.integers(0, 3)), st.sets(targets)), min_size=1, max_size=3),
    st.sampled_from([INITIATOR, PEERS]),
)
def test_whatever_is_there_all_that_should_see_each_other_do_and_nobody_loses_anything(
    zones: list[Zone],
    every: list[Initiator],
    array: list[str],
    steps: list[tuple[set[str], set[int], set[str]]],
    style: str,
) -> None:
    """Ports log in and out, hosts and targets come and go in the settings: others' zones stay, and what was seen stays seen."""
    by_name = {zone.name: zone for zone in zones}
    now = Zoning("a", "prod", by_name, Defined(by_name, {}, {"prod": tuple(by_name)}), "c1")
    made: dict[str, Zone] = {}
    everybody = {*(one.wwpn for one in every), *array, *(port for zone in zones for port in zone.members)}
    for logged_in, chosen, wished in steps:
        before = replace(now, ports=frozenset(logged_in))
        wanted = [one for number, one in enumerate(every) if number in chosen]
        asked = [port for port in array if port in wished]
        plan = zoning.plan(before, wanted, asked, made, style=style)
        if plan.concerns:
            assert {one.id for one in plan.concerns} == {"fabric.zone-foreign"}
            continue
        now = after(before, plan.change)
        made |= {zone.name: now.defined.zones[zone.name] for zone in plan.zones}
        needed = {(one.wwpn, port) for one in wanted for port in asked if {one.wwpn, port} <= logged_in}
        for one in everybody:
            for other in everybody - {one}:
                assert now.lets(one, other) or not before.lets(one, other), "nobody loses sight of anybody"
                assert now.lets(one, other) or (one, other) not in needed
                ours = {zone.name for zone in made.values()}
                if now.lets(one, other) and not now.lets(one, other, but=ours):
                    assert {one, other} & set(array), "what we add always leads to the array"
        assert {name: now.effective[name] for name in by_name} == by_name
        assert not zoning.plan(now, wanted, asked, made, style=style).change
    removal = zoning.removal(now, made)
    gone = after(now, removal.change) if not any(one.severity is Severity.BLOCKS for one in removal.concerns) else now
    assert {name: gone.effective[name] for name in by_name} == by_name
    if gone is not now:
        assert gone.effective == by_name


def test_commands_name_every_zone_and_enable_after_all_is_looked_at() -> None:
    zones = zoning.wanted("a", [A, B], PORTS)
    more = [Zone("esxodus_esx70_lab_vmhba2", (PORTS[1],))]
    brocade = commands.brocade("prod_a", zones, more)
    assert [line.split()[0] for line in brocade] == [
        "cfgtransshow", "cfgactvshow", "cfgshow", "zonecreate", "zonecreate", "zoneadd", "cfgadd", "cfgadd",
        "cfgshow", "cfgenable", "cfgactvshow",
    ]  # fmt: skip
    assert f'zonecreate "esxodus_esx71_lab_vmhba2", "{A.wwpn};{PORTS[0]};{PORTS[1]}"' in brocade
    assert f'zoneadd "esxodus_esx70_lab_vmhba2", "{PORTS[1]}"' in brocade
    assert 'stop if the effective configuration is not "prod_a"' in brocade[1]
    cisco = commands.cisco(10, "prod_a", zones, more)
    assert "zone name esxodus_esx71_lab_vmhba2 vsan 10" in cisco
    assert f"  member pwwn {A.wwpn}" in cisco
    assert "smart-zoning" not in cisco[0]
    members = cisco[cisco.index("zoneset name prod_a vsan 10") :]
    assert members[1:4] == ["  member esxodus_esx71_lab_vmhba2", "  member esxodus_esx72_lab_vmhba2", "  exit"]
    assert members[4] == "zoneset activate name prod_a vsan 10"
    (peer,) = zoning.wanted("a", [A, B], PORTS, style=PEERS)
    principals, peers = ";".join(PORTS), f"{A.wwpn};{B.wwpn}"
    line = f'zonecreate --peerzone "esxodus_a" -principal "{principals}" -members "{peers}"'
    assert line in commands.brocade("prod_a", [peer])
    assert f"  member pwwn {PORTS[0]} target" in commands.cisco(10, "prod_a", [peer])
    assert "smart-zoning is not enabled" in commands.cisco(10, "prod_a", [peer])[0]
    names = [zone.name for zone in zones]
    removal = commands.brocade_removal("prod_a", names)
    assert removal[3:7] == [
        *(f'cfgremove "prod_a", "{name}"' for name in names),
        *(f'zonedelete "{name}"' for name in names),
    ]
    assert removal[-2] == 'cfgenable "prod_a"'
    gone = commands.cisco_removal(10, "prod_a", names)
    assert gone.index(f"  no member {names[0]}") < gone.index(f"no zone name {names[0]} vsan 10")

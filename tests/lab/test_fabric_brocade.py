"""A switch's zoning is read and changed over its REST interface, and everything that must not happen does not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fabric import brocade, zoning
from fabric.brocade import Switch
from fabric.zoning import Change, Initiator, Zone
from migration.errors import Blocked, Refused, Transient, Unexpected
from tests.lab.conftest import SMALL
from tests.zoned import PASSWORD, with_switches
from tools.running_lab import Lab
from vsphere.tls import Endpoint

pytestmark = pytest.mark.lab

NEW = Zone("esxodus_new", ("10:00:00:00:00:00:00:99", "50:00:00:00:00:00:00:01"))
Started = Callable[[Path], Lab]


@pytest.fixture
def lab(start: Started, tmp_path: Path) -> Lab:
    return started(start, tmp_path)


def started(start: Started, folder: Path, **changed: Any) -> Lab:
    scenario = with_switches(yaml.safe_load(SMALL.read_text(encoding="utf-8")), **changed)
    file = folder / "zoned.yaml"
    file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    return start(file)


def switch(lab: Lab, *, vfid: int = 0, **changed: str) -> Switch:
    one = lab.endpoints["fabrics"]["fabric-a"]
    right = {"username": one["username"], "password": PASSWORD, "thumbprint": one["thumbprint"]}
    return Switch(
        "fabric-a", Endpoint("fabric-a", one["host"], **{**right, **changed}, kind="switch"), threading.Event(), vfid
    )


def state(lab: Lab) -> Any:
    return lab.get("/state")["fabrics"]["fabric-a"]


@pytest.fixture
def unchanged(lab: Lab) -> Iterator[Lab]:
    """A lab whose zoning is as before in the end, with no session and no transaction of ours left."""
    before = state(lab)
    yield lab
    now = state(lab)
    assert (now["effective"], now["defined"], now["sessions"]) == (before["effective"], before["defined"], 0)


def test_what_is_read_is_what_is_there(unchanged: Lab) -> None:
    with switch(unchanged) as one:
        seen = one.zoning()
    told = state(unchanged)
    assert seen.configuration == "prod_a"
    assert seen.checksum == told["checksum"]
    assert {zone.name: list(zone.members) for zone in seen.effective.values()} == {
        zone["name"]: zone["members"] for zone in told["effective"]["zones"]
    }
    assert not seen.pending()
    assert seen.transaction == 0
    assert {member for zone in seen.effective.values() for member in zone.members} <= seen.ports
    assert unchanged.writes == 0


def test_a_change_is_in_effect_and_taken_back_without_a_trace(unchanged: Lab) -> None:
    peer = Zone("esxodus_peers", NEW.members[:1], NEW.members[1:], zoning.PEER)
    with switch(unchanged) as one:
        before = one.zoning()
        after = one.apply(before, Change((NEW, peer)))
        assert after.effective[NEW.name].same(NEW)
        assert after.effective[peer.name].same(peer)
        assert {name: after.effective[name] for name in before.effective} == before.effective
        assert after.lets(*NEW.members)
        other = Zone(NEW.name, ("50:00:00:00:00:00:00:02",))
        further = Zone(peer.name, ("10:00:00:00:00:00:00:98",), (), zoning.PEER)
        again = one.apply(after, Change(extend=(other, further)))
        grown = {NEW.name: NEW.with_more(other), peer.name: peer.with_more(further)}
        assert all(again.effective[name].same(zone) for name, zone in grown.items())
        gone = one.apply(again, zoning.removal(again, grown).change)
    assert gone == before


def test_changed_meanwhile_is_refused_and_what_was_begun_is_dropped(lab: Lab) -> None:
    with switch(lab) as one:
        before = one.zoning()
        lab.post("/fabrics/fabric-a/zone", {"zone": "theirs", "members": list(NEW.members)})
        with pytest.raises(Blocked, match=r"fabric\.changed-meanwhile"):
            one.apply(before, Change((NEW,)))
    now = state(lab)
    assert now["transaction"] == ""
    assert [zone["name"] for zone in now["effective"]["zones"]][-1] == "theirs"


def test_somebody_elses_transaction_is_left_alone(lab: Lab) -> None:
    with switch(lab) as one:
        before = one.zoning()
        lab.post("/fabrics/fabric-a/begin")
        with pytest.raises(Blocked, match=r"fabric\.transaction-open"):
            one.apply(before, Change((NEW,)))
        assert one.zoning().transaction > 0
    assert (state(lab)["transaction"], state(lab)["lost"]) == ("a person", 0)


@pytest.mark.parametrize(("action", "done"), [("drop", False), ("dropAfter", True)])
def test_a_lost_answer_is_looked_into(lab: Lab, action: str, done: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brocade, "AT_IT", 2.0)
    with switch(lab) as one:
        before = one.zoning()
        rule = {
            "vcenter": "fabric fabric-a",
            "method": "PATCH /brocade-zone/effective-configuration/cfg-name",
            "count": 1,
        }
        lab.post("/faults", {**rule, "action": action})
        if done:
            assert one.apply(before, Change((NEW,))).effective[NEW.name].same(NEW)
        else:
            with pytest.raises(Transient, match="nothing of ours is in effect"):
                one.apply(before, Change((NEW,)))
    now = state(lab)
    assert (now["transaction"], now["sessions"]) == ("", 0)
    assert (NEW.name in {zone["name"] for zone in now["effective"]["zones"]}) is done


def test_what_is_open_is_only_dropped_where_it_is_ours(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody begins just after we have looked, and our first call is lost on its way."""
    monkeypatch.setattr(Switch, "_as_read", lambda _, __: lab.post("/fabrics/fabric-a/begin"))
    rule = {"vcenter": "fabric fabric-a", "count": 1, "action": "drop"}
    with switch(lab) as one:
        before = one.zoning()
        lab.post("/faults", {**rule, "method": "POST /brocade-zone/defined-configuration/zone/zone-name"})
        with pytest.raises(Transient, match="nothing of ours is in effect"):
            one.apply(before, Change((NEW,)))
    assert (state(lab)["transaction"], state(lab)["lost"]) == ("a person", 0)


def test_what_would_be_saved_beside_ours_stops_it(lab: Lab) -> None:
    """Read wrongly, or changed in a way that no checksum tells: the transaction is compared with what is meant."""
    with switch(lab) as one:
        before = one.zoning()
        defined = before.defined
        fewer = {name: zone for name, zone in defined.zones.items() if name != next(iter(defined.zones))}
        mistaken = zoning.Zoning(
            **{**_fields(before), "defined": zoning.Defined(fewer, defined.aliases, defined.configurations)}
        )
        with pytest.raises(Unexpected, match="the transaction would also change zone"):
            one.apply(mistaken, Change((NEW,)))
    assert state(lab)["transaction"] == ""
    assert state(lab)["checksum"] == before.checksum


def _fields(seen: zoning.Zoning) -> dict[str, Any]:
    return {name: getattr(seen, name) for name in seen.__dataclass_fields__}


def test_a_switch_that_wants_to_be_left_alone_is(unchanged: Lab) -> None:
    with switch(unchanged) as one:
        seen = [one.zoning() for _ in range(9)]  # four requests each
    assert {zoned.configuration for zoned in seen} == {"prod_a"}


def test_who_is_not_let_in_and_what_cannot_be_zoned(start: Started, lab: Lab, tmp_path: Path) -> None:
    with (
        pytest.raises(Refused, match="does not let 'svc-zoning' in: invalid user name or password"),
        switch(lab, password="wrong"),
    ):
        pass
    with (
        pytest.raises(Refused, match="compare with the one shown at the switch itself"),
        switch(lab, thumbprint="AB" * 20),
    ):
        pass
    with switch(lab, vfid=128) as one, pytest.raises(Refused, match="virtual fabrics are not enabled"):
        one.zoning()
    old = started(start, tmp_path, firmware="v8.2.0a", vfid=128)
    with switch(old, vfid=128) as one, pytest.raises(Refused, match=r"it runs Fabric OS v8\.2\.0a"):
        one.zoning()
    assert state(lab)["sessions"] == 0


def test_initiators_and_targets_are_those_that_the_vcenters_tell(lab: Lab, opened: Callable[..., Any]) -> None:
    from vsphere import host_storage

    sites = opened(lab, "old-a")
    hosts = host_storage.host_storage(sites.site("source"))
    with switch(lab) as one:
        seen = one.zoning()
    for host in hosts.values():
        assert set(host.initiators) == {"vmhba2", "vmhba3"}
        assert host.initiators["vmhba2"] in seen.ports
        ports = frozenset().union(*(disk.ports for disk in host.disks.values()))
        assert any(seen.lets(host.initiators["vmhba2"], port) for port in ports)
        assert not zoning.plan(
            seen, [Initiator(host.host, "vmhba2", host.initiators["vmhba2"])], sorted(ports), {}
        ).change

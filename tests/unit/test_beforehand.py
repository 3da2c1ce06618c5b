"""What is refused before anything is declared, and what is wrong with an old datastore."""

from __future__ import annotations

import pytest

from components import beforehand, site_concerns
from components.adoption import Adoption, Owned
from components.providers import old_datastores
from components.settings import Settings
from migration.errors import Blocked, SettingsError
from migration.new_site import Stands
from tests.unit.test_settings import GOOD, changed
from tests.unit.test_settings_networks import networked
from vsphere.site_storage import OldVolume


def volume(name: str = "dsA", *, disk: str = "naa.a1", version: str = "5.61", id_: str = "vmfs:51-a") -> OldVolume:
    return OldVolume(name, id_, (disk,), version)


def test_a_new_datastore_on_a_disk_that_may_hold_data_is_refused() -> None:
    stack = Settings.parse(changed("target.datastores.0.disk", "naa.A1"))
    with pytest.raises(SettingsError) as caught:
        beforehand.refuse_used_disks(stack, stack.target.datastores, {"naa.a1": "is seen by esx60-1", "naa.b2": "-"})
    assert caught.value.problems == (
        "esxodus:target.datastores[0].disk: naa.A1 is seen by esx60-1; "
        "a new datastore needs a blank disk that only the new hosts see",
    )


def test_a_datastore_that_exists_is_not_created_again() -> None:
    stack = Settings.parse(changed("target.datastores.0.disk", "naa.A1"))
    beforehand.refuse_used_disks(stack, (), {"naa.a1": "holds datastore gold7"})


def test_a_blank_disk_is_not() -> None:
    stack = Settings.parse(GOOD)
    beforehand.refuse_used_disks(stack, stack.target.datastores, {"naa.a1": "holds datastore dsA"})


def test_an_export_that_the_source_has_mounted_is_no_new_datastore() -> None:
    nfs = {"name": "nfs7", "kind": "nfs", "version": 4.1, "servers": ["10.0.0.1", "NAS6"], "path": "/vm/"}
    stack = Settings.parse(changed("target.datastores.0", nfs))
    with pytest.raises(SettingsError) as caught:
        beforehand.refuse_old_exports(stack, {"nfs:nas6,nas9:/vm": "old-nfs", "nfs:10.0.0.1:/other": "-"})
    assert caught.value.problems == (
        "esxodus:target.datastores[0]: NAS6:/vm/ is what datastore old-nfs of the source is mounted from; "
        "name another export, or list it in esxodus:oldDatastores",
    )
    beforehand.refuse_old_exports(stack, {"nfs:nas6:/vm2": "old-nfs"})
    beforehand.refuse_old_exports(Settings.parse(GOOD), {"nfs:nas6:/vm": "old-nfs"})


@pytest.mark.parametrize("name", ["pg 10/20", "100%", "a\\b"])
@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("datacenter", "datacenter"),
        ("cluster", "cluster.name"),
        ("switch", "switch.name"),
        ("network", "networks.0.name"),
        ("datastore", "datastores.0.name"),
    ],
)
def test_a_name_that_vsphere_would_change_is_only_for_what_exists(kind: str, path: str, name: str) -> None:
    kinds = ("datacenter", "cluster", "switch", "network", "datastore")
    nothing: dict[str, dict[str, str]] = {one: {} for one in kinds}
    stack = Settings.parse(changed(f"target.{path}", name))
    with pytest.raises(SettingsError) as caught:
        beforehand.refuse_escaped_names(stack, nothing)
    (problem,) = caught.value.problems
    assert problem.startswith(f"esxodus:target.{path.replace('.0', '[0]')}: {name!r} has a slash")
    beforehand.refuse_escaped_names(stack, {**nothing, kind: {name: "id-1"}})
    beforehand.refuse_escaped_names(Settings.parse(GOOD), nothing)


def test_a_host_that_joins_needs_a_thumbprint_and_one_that_is_there_does_not() -> None:
    stack = Settings.parse(changed("target.hosts.1", {"name": "esx72"}))
    with pytest.raises(SettingsError) as caught:
        beforehand.refuse_unknown_hosts(stack, {"host": {"esx71": "host-1"}})
    assert caught.value.problems == (
        "esxodus:target.hosts[1].thumbprint: missing; esx72 is not at 127.0.0.1:8470 yet, "
        "and a host that joins is known by its certificate",
    )
    beforehand.refuse_unknown_hosts(stack, {"host": {"esx72": "host-2"}})


def test_a_switch_without_uplinks_is_there_already() -> None:
    settings = changed("target.switches", None)
    settings["target"]["switches"] = [{"name": "vSwitch0"}, {"name": "vSwitch1"}]
    stack = Settings.parse(settings)
    nothing: dict[str, dict[str, str]] = {"host": {}, "host switch": {}}
    with pytest.raises(SettingsError) as caught:
        beforehand.refuse_missing_switches(stack, nothing)
    assert caught.value.problems == tuple(
        f"esxodus:target.switches[1].uplinks: missing, so vSwitch1 is used as it is, and {host} has none"
        for host in ("esx71", "esx72")
    )
    names = [f"{host} {switch}" for host in ("esx71", "esx72") for switch in ("vSwitch0", "vSwitch1")]
    there = {"host": {"esx71": "host-1", "esx72": "host-2"}, "host switch": dict.fromkeys(names, "id")}
    beforehand.refuse_missing_switches(stack, there)
    there["host switch"].pop("esx71 vSwitch0")
    with pytest.raises(SettingsError, match="vSwitch0 is used as it is, and esx71 has none"):
        beforehand.refuse_missing_switches(stack, there)


def test_vmotion_is_there_or_declared_or_missed() -> None:
    there = {"vMotion adapter": {"esx71 10.40.0.71": "host-1_vmk1"}}
    assert [one.subject for one in site_concerns.missing_vmotion(Settings.parse(GOOD), there)] == ["esx72"]
    assert site_concerns.missing_vmotion(Settings.parse(networked()), {"vMotion adapter": {}}) == []
    quiet = changed("target.cluster", {"name": "prod7", "drs": False})
    assert site_concerns.missing_vmotion(Settings.parse(quiet), there) == []
    quiet["waves"][0]["method"] = "xvm"
    assert len(site_concerns.missing_vmotion(Settings.parse(quiet), there)) == 1


def test_only_of_a_switch_that_is_adopted_members_are_missed() -> None:
    stack, there = Settings.parse(GOOD), {"switch": {"dvs7": "uuid-7"}}
    asked: list[str] = []

    def members(switch: str) -> set[str]:
        asked.append(switch)
        return {"esx71"}

    adopted = site_concerns.off_the_switch(stack, Adoption(there, {}), members)
    assert [(one.id, one.subject) for one in adopted] == [("host.not-on-switch", "esx72")]
    assert asked == ["uuid-7"]
    ours: Owned = {("vsphere:index/distributedVirtualSwitch:DistributedVirtualSwitch", "dvs7"): {}}
    assert list(site_concerns.off_the_switch(stack, Adoption(there, ours), members)) == []
    assert list(site_concerns.off_the_switch(stack, Adoption({}, {}), members)) == []


def test_only_of_a_network_that_is_adopted_another_vlan_is_told() -> None:
    stack = Settings.parse(networked())
    vlans = {"network": {"pg-prod": 21}, "host network": {"esx71 pg-dmz": 0, "esx72 pg-dmz": 30, "esx71 vmotion": 41}}
    there = {"network": {"pg-prod": "dvportgroup-1"}, "host network": dict.fromkeys(vlans["host network"], "id")}
    found = [str(one).partition(" —")[0] for one in site_concerns.other_vlans(stack, Adoption(there, {}), vlans)]
    assert found == [
        "pg-prod: it has VLAN 21, and is declared with VLAN 20 [network.other-vlan]",
        "pg-dmz: it has no VLAN on esx71, and is declared with VLAN 30 [network.other-vlan]",
        "vmotion: it has VLAN 41 on esx71, and is declared with VLAN 40 [network.other-vlan]",
    ]
    assert list(site_concerns.other_vlans(stack, Adoption({}, {}), vlans)) == []


def test_hosts_that_stand_elsewhere_are_all_named() -> None:
    stack = Settings.parse(GOOD)
    here = {"esx71": Stands("other", "tokyo7", "vc70")}
    beforehand.refuse_misplaced_hosts(stack, {"esx71": Stands("prod7", "tokyo7", "vc70")}, {})
    with pytest.raises(Blocked) as caught:
        beforehand.refuse_misplaced_hosts(stack, here, {"esx72": Stands("prod6", "tokyo6", "vc60")})
    assert [concern.subject for concern in caught.value.concerns] == ["esx71", "esx72"]


def test_a_vmfs_5_datastore_may_come_along() -> None:
    assert old_datastores._wrong("dsA", volume(), "vc60") is None


def test_so_may_an_nfs_datastore() -> None:
    assert old_datastores._wrong("dsA", volume(id_="nfs:filer:/vol/a", version=""), "vc60") is None


@pytest.mark.parametrize(
    ("found", "concern"),
    [
        (None, "datastore.not-at-source"),
        (volume(version="3.60"), "datastore.vmfs3"),
        (volume(id_="source:datastore-9", version=""), "datastore.not-mountable"),
    ],
)
def test_what_cannot_be_mounted_by_the_new_hosts_is_named(found: OldVolume | None, concern: str) -> None:
    wrong = old_datastores._wrong("dsA", found, "vc60")
    assert wrong is not None
    assert wrong.id == concern
    assert str(wrong).startswith("dsA: ")

"""What TargetSite declares, and what it leaves alone."""

from __future__ import annotations

from typing import Any

from components import target_site
from components.adoption import Adoption, state_of_this_stack
from components.settings import Settings
from tests.components.conftest import Recorder
from tests.unit.test_settings import GOOD, changed
from tests.unit.test_settings_networks import networked


def declare(
    engine: Recorder, existing: dict[str, dict[str, str]] | None = None, settings: dict[str, Any] = GOOD
) -> list[str]:
    adopted: list[str] = []

    def program() -> None:
        site = target_site.TargetSite(
            "target",
            Settings.parse(settings),
            Adoption(existing or {}, state_of_this_stack()),
        )
        adopted.extend(site.adopted)

    engine.run(program)
    return adopted


def test_the_whole_site_is_declared_under_its_own_names(engine: Recorder) -> None:
    assert declare(engine) == []
    found = {(declared.type.rpartition(":")[2], declared.name, declared.parent) for declared in engine.declared}
    assert found == {
        ("TargetSite", "target", "esxodus-test"),
        ("vsphere", "target", "target"),
        ("Datacenter", "tokyo7", "target"),
        ("ComputeCluster", "prod7", "target"),
        ("Host", "esx71", "target"),
        ("Host", "esx72", "target"),
        ("DistributedVirtualSwitch", "dvs7", "target"),
        ("DistributedPortGroup", "pg-prod", "target"),
        ("VmfsDatastore", "gold7", "target"),
        ("NewDatastores", "new datastores", "target"),
    }
    named = [declared for declared in engine.declared if declared.type.startswith("vsphere:")]
    assert all(declared.inputs.get("name", declared.inputs.get("hostname")) == declared.name for declared in named)


def test_nothing_that_was_built_is_ever_destroyed(engine: Recorder) -> None:
    declare(engine)
    assert all(declared.retained for declared in engine.declared if declared.type.startswith("vsphere:"))


def test_the_parts_are_wired_by_their_ids(engine: Recorder) -> None:
    declare(engine)
    cluster, switch = engine.one("ComputeCluster"), engine.one("DistributedVirtualSwitch")
    assert cluster.inputs["datacenterId"] == "moid of tokyo7"
    assert cluster.ignored == {"evcMode"}
    assert (cluster.inputs["haEnabled"], cluster.inputs["drsEnabled"]) == (True, True)
    assert {host.inputs["cluster"] for host in engine.of("Host")} == {"id of prod7"}
    assert [host["hostSystemId"] for host in switch.inputs["hosts"]] == ["id of esx71", "id of esx72"]
    assert [host["devices"] for host in switch.inputs["hosts"]] == [["vmnic1"], ["vmnic1"]]
    network = engine.one("DistributedPortGroup").inputs
    assert (network["distributedVirtualSwitchUuid"], network["vlanId"]) == ("id of dvs7", 20)
    datastore = engine.one("VmfsDatastore").inputs
    assert (datastore["hostSystemId"], datastore["disks"]) == ("id of esx71", ["naa.01"])


DATASTORES = [
    {"name": "gold7", "kind": "vmfs", "disk": "naa.01", "cluster": "gold"},
    {"name": "nfs7-01", "kind": "nfs", "servers": ["nas7"], "path": "/vm7", "cluster": "silver"},
    {"name": "nfs7-02", "kind": "nfs", "version": 4.1, "servers": ["10.0.0.1", "10.0.0.2"], "path": "/vm8"},
]
CLUSTERS = [{"name": "gold", "storageDrs": "automatic"}, {"name": "silver"}, {"name": "plain", "storageDrs": False}]


def stored(datastores: object = DATASTORES) -> dict[str, Any]:
    settings = changed("target.datastores", datastores)
    settings["target"]["datastoreClusters"] = CLUSTERS
    return settings


def test_datastores_of_each_kind_in_their_clusters(engine: Recorder) -> None:
    declare(engine, settings=stored())
    clusters = {one.name: one.inputs for one in engine.of("DatastoreCluster")}
    assert {name: (one["sdrsEnabled"], one["sdrsAutomationLevel"]) for name, one in clusters.items()} == {
        "gold": (True, "automated"),
        "silver": (True, "manual"),
        "plain": (False, "manual"),
    }
    assert {one["datacenterId"] for one in clusters.values()} == {"moid of tokyo7"}
    assert engine.one("VmfsDatastore").inputs["datastoreClusterId"] == "id of gold"
    three, four = ({one.name: one.inputs for one in engine.of("NasDatastore")}[name] for name in ("nfs7-01", "nfs7-02"))
    assert (three["type"], three["remoteHosts"], three["remotePath"]) == ("NFS", ["nas7"], "/vm7")
    assert (three["datastoreClusterId"], "securityType" in three) == ("id of silver", False)
    assert (four["type"], four["remoteHosts"], four["securityType"]) == ("NFS41", ["10.0.0.1", "10.0.0.2"], "AUTH_SYS")
    assert three["hostSystemIds"] == four["hostSystemIds"] == ["id of esx71", "id of esx72"]


def test_nothing_is_formatted_before_its_disk_was_looked_at_and_no_disk_before_the_hosts_have_joined(
    engine: Recorder,
) -> None:
    declare(engine, settings=stored())
    looked = engine.one("NewDatastores")
    assert looked.name in engine.one("VmfsDatastore").depends_on
    assert looked.inputs["joined"] == ["id of esx71", "id of esx72"]
    assert looked.inputs["datastores"] == [
        {"name": "gold7", "kind": "vmfs", "disk": "naa.01"},
        {"name": "nfs7-01", "kind": "nfs"},
        {"name": "nfs7-02", "kind": "nfs"},
    ]


def test_datastores_and_their_clusters_are_adopted(engine: Recorder) -> None:
    there = {"datastore": {"nfs7-01": "datastore-1", "gold7": "datastore-2"}, "datastore cluster": {"gold": "group-p3"}}
    adopted = declare(engine, there, stored())
    assert adopted == ["datastore cluster gold", "datastore gold7", "datastore nfs7-01"]
    assert [one.name for one in engine.of("NasDatastore")] == ["nfs7-02"]


def test_passwords_are_secret_and_hosts_are_pinned(engine: Recorder) -> None:
    declare(engine)
    assert "password" in engine.one("providers:vsphere").secret
    for host in engine.of("Host"):
        assert host.secret == {"password"}
        assert host.inputs["thumbprint"] == GOOD["target"]["hosts"][0]["thumbprint"]
        assert host.ignored == {"username", "password"}


def test_the_plugin_verifies_by_a_ca_file_and_trusts_our_own_look_at_a_thumbprint(engine: Recorder) -> None:
    declare(engine)
    assert engine.one("providers:vsphere").inputs["allowUnverifiedSsl"] == "false"
    pinned = changed("target.thumbprint", GOOD["source"]["thumbprint"])
    del pinned["target"]["caFile"]
    other = type(engine)()
    declare(other, settings=pinned)
    assert other.one("providers:vsphere").inputs["allowUnverifiedSsl"] == "true"


def test_what_exists_without_being_in_the_state_is_adopted_by_its_id(engine: Recorder) -> None:
    adopted = declare(
        engine,
        {
            "datacenter": {"tokyo7": "datacenter-3"},
            "cluster": {"prod7": "domain-c8"},
            "host": {"esx71": "host-11"},
            "network": {"pg-prod": "dvportgroup-20"},
            "datastore": {"gold7": "datastore-30"},
        },
    )
    assert adopted == ["datacenter tokyo7", "cluster prod7", "host esx71", "network pg-prod", "datastore gold7"]
    made = {declared.name for declared in engine.declared if declared.type.startswith("vsphere:")}
    assert made == {"esx72", "dvs7"}
    assert engine.one("Host").inputs["cluster"] == "domain-c8"
    assert [host["hostSystemId"] for host in engine.one("DistributedVirtualSwitch").inputs["hosts"]] == [
        "host-11",
        "id of esx72",
    ]


def test_a_host_that_we_have_built_keeps_its_thumbprint_when_the_settings_no_longer_name_it(engine: Recorder) -> None:
    declare(engine, settings=changed("target.hosts.1", {"name": "esx72"}))
    assert {host.name: host.ignored - {"username", "password"} for host in engine.of("Host")} == {
        "esx71": frozenset(),
        "esx72": {"thumbprint"},
    }


def test_what_is_in_the_state_stays_declared_although_it_exists(engine: Recorder) -> None:
    kind = "esxodus:index:TargetSite$vsphere:index/computeCluster:ComputeCluster"
    engine.state[f"urn:pulumi:test::esxodus::{kind}::prod7"] = {}
    declare(engine, {"cluster": {"prod7": "domain-c8"}, "datacenter": {"tokyo7": "datacenter-3"}})
    assert engine.one("ComputeCluster").inputs["datacenterId"] == "datacenter-3"
    assert engine.of("Datacenter") == []


def test_a_state_that_is_being_written_is_read_again() -> None:
    engine = Recorder(busy=2)
    kind = "esxodus:index:TargetSite$vsphere:index/datacenter:Datacenter"
    engine.state[f"urn:pulumi:test::esxodus::{kind}::tokyo7"] = {}
    assert declare(engine, {"datacenter": {"tokyo7": "datacenter-3"}}) == []


def test_each_host_has_its_switches_networks_and_vmotion_one_after_another(engine: Recorder) -> None:
    declare(engine, {"host network": {"esx72 pg-dmz": "host-2:pg-dmz"}}, networked())
    (first, second) = engine.of("HostVirtualSwitch")
    assert {first.name, second.name} == {"esx71 vSwitch1", "esx72 vSwitch1"}
    switch = next(one for one in (first, second) if one.name.startswith("esx71"))
    assert switch.inputs == {
        "name": "vSwitch1",
        "hostSystemId": "id of esx71",
        "mtu": 9000,
        "networkAdapters": ["vmnic2"],
        "activeNics": ["vmnic2"],
        "standbyNics": [],
    }
    groups = {one.name: one for one in engine.of("HostPortGroup")}
    assert set(groups) == {"esx71 pg-dmz", "esx71 vmotion", "esx72 vmotion"}
    assert groups["esx71 pg-dmz"].inputs == {
        "name": "pg-dmz",
        "hostSystemId": "id of esx71",
        "virtualSwitchName": "vSwitch1",
        "vlanId": 30,
    }
    assert "esx71 vSwitch1" in groups["esx71 pg-dmz"].depends_on
    adapters = {one.name: one for one in engine.of("Vnic")}
    assert set(adapters) == {"esx71 10.40.0.71", "esx72 10.40.0.72"}
    adapter = adapters["esx71 10.40.0.71"]
    assert "esx71 vmotion" in adapter.depends_on
    assert adapter.inputs == {
        "host": "id of esx71",
        "portgroup": "vmotion",
        "netstack": "vmotion",
        "mtu": 9000,
        "ipv4": {"ip": "10.40.0.71", "netmask": "255.255.255.0"},
    }
    assert [one.name for one in engine.of("DistributedPortGroup")] == ["pg-prod"]
    assert all(one.retained for one in (first, second, *groups.values(), *adapters.values()))


def test_vmotion_on_the_distributed_switch_has_its_key_there(engine: Recorder) -> None:
    engine.outputs["vmotion"] = {"key": "dvportgroup-40"}
    vmotion = {"network": "vmotion", "vlan": 40, "gateway": "10.40.0.1"}
    declare(engine, {"vMotion adapter": {"esx72 10.40.0.72": "host-2_vmk1"}}, networked(vmotion=vmotion))
    assert {one.name: one.inputs["vlanId"] for one in engine.of("DistributedPortGroup")} == {
        "pg-prod": 20,
        "vmotion": 40,
    }
    adapter = engine.one("Vnic")
    assert adapter.inputs == {
        "host": "id of esx71",
        "distributedSwitchPort": "id of dvs7",
        "distributedPortGroup": "dvportgroup-40",
        "netstack": "vmotion",
        "ipv4": {"ip": "10.40.0.71", "netmask": "255.255.255.0", "gw": "10.40.0.1"},
    }

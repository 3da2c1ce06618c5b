"""What TargetSite declares, and what it leaves alone."""

from __future__ import annotations

from typing import Any

from components import target_site
from components.settings import Settings
from tests.components.conftest import Recorder
from tests.unit.test_settings import GOOD, changed


def declare(
    engine: Recorder, existing: dict[str, dict[str, str]] | None = None, settings: dict[str, Any] = GOOD
) -> list[str]:
    adopted: list[str] = []

    def program() -> None:
        site = target_site.TargetSite(
            "target",
            Settings.parse(settings),
            target_site.Adoption(existing or {}, target_site.state_of_this_stack()),
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

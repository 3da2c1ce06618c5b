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

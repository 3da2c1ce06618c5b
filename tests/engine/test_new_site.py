"""The new site with the real engine against the lab: what exists is adopted, what is missing is made, and then left alone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.engine.conftest import REPOSITORY
from tests.engine.site_project import Site, site_config
from tests.engine.test_story import one
from tests.lab.conftest import endpoints
from tools.running_lab import Lab, running_lab
from vsphere.existing import There

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.engine

HOSTS = ("esx70-1.lab", "esx70-2.lab")
SCENARIO = REPOSITORY / "tests" / "scenarios" / "small.yaml"


@contextmanager
def a_lab(folder: Path, change: Callable[[dict[str, Any]], None]) -> Iterator[Lab]:
    """Run the small site, without its VMs but for app01, with the target changed."""
    scenario = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))
    scenario["vms"] = scenario["vms"][:1]
    change(scenario)
    file = folder / "changed.yaml"
    file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    with running_lab(file, any_port=True) as running:
        yield running
        assert running.get("/violations") == []


def half_built(
    scenario: dict[str, Any], *, cluster: str = "prod7", datacenter: str = "tokyo7", ha: bool = True
) -> None:
    """Let the first of the new hosts be in a cluster already, when the lab starts."""
    scenario["vcenters"][1]["datacenters"] = [
        {"name": datacenter, "clusters": [{"name": cluster, "hosts": ["esx70-1.lab"], "drs": True, "ha": ha}]}
    ]


def test_a_host_joins_a_cluster_that_exists(tmp_path: Path) -> None:
    with a_lab(tmp_path, half_built) as lab:
        site = Site(tmp_path / "clone", site_config(lab, {}))
        del site.config["esxodus:target"]["hosts"][0]["thumbprint"]
        said = site.preview()
        assert (
            "esx70-2.lab: it has no adapter for vMotion, and none is declared; DRS needs it [host.no-vmotion]" in said
        )
        assert "esx70-1.lab: it has no adapter" not in said
        assert lab.writes == 0
        site.up()
        assert set(site.outputs()["adopted"]) == {"datacenter tokyo7", "cluster prod7", "host esx70-1.lab"}
        calls = lab.get("/counters")["calls"]["target"]
        assert calls.get("AddHost_Task", 0) == 1
        assert calls.get("CreateClusterEx", 0) + calls.get("CreateDatacenter", 0) == 0
        writes = lab.writes
        site.up()
        assert lab.writes == writes, "settled stays settled"


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (
            {"cluster": "lab7"},
            "it is in cluster 'lab7' of datacenter 'tokyo7', not in cluster 'prod7' [host.in-another-cluster]",
        ),
        (
            {"datacenter": "osaka7"},
            "it is in cluster 'prod7' of datacenter 'osaka7', not of datacenter 'tokyo7' [host.cluster-elsewhere]",
        ),
    ],
)
def test_a_host_that_stands_elsewhere_is_named_and_nothing_is_begun(
    tmp_path: Path, where: dict[str, Any], said: str
) -> None:
    with a_lab(tmp_path, lambda scenario: half_built(scenario, **where)) as lab:
        site = Site(tmp_path / "clone", site_config(lab, {}))
        for run in (site.preview, site.up):
            assert f"esx70-1.lab: {said}" in run(succeeds=False)
        assert lab.writes == 0


def test_a_host_of_the_old_vcenter_is_not_taken_from_it(tmp_path: Path) -> None:
    with a_lab(tmp_path, lambda _: None) as lab:
        site = Site(tmp_path / "clone", site_config(lab, {}))
        hosts = site.config["esxodus:target"]["hosts"]
        hosts.append({"name": "esx60-2.lab", "thumbprint": lab.endpoints["hosts"]["esx60-2.lab"]["thumbprint"]})
        said = site.preview(succeeds=False)
        assert "esx60-2.lab: it is in cluster 'prod6' of datacenter 'tokyo6' at source vCenter" in said
        assert "[host.in-another-vcenter]" in said
        assert "Traceback" not in said
        assert lab.writes == 0


def test_a_host_that_would_not_join_is_named_where_the_datacenter_is_there(tmp_path: Path) -> None:
    with a_lab(tmp_path, half_built) as lab:
        site = Site(tmp_path / "clone", site_config(lab, {}))
        hosts = site.config["esxodus:target"]["hosts"]
        hosts[1]["thumbprint"] = hosts[0]["thumbprint"]
        said = site.preview(succeeds=False)
        assert "esx70-2.lab: its certificate has the thumbprint" in said
        assert "[host.thumbprint]" in said
        assert "Traceback" not in said
        assert lab.writes == 0


def test_a_host_that_is_not_there_needs_its_thumbprint(tmp_path: Path) -> None:
    with a_lab(tmp_path, half_built) as lab:
        site = Site(tmp_path / "clone", site_config(lab, {}))
        del site.config["esxodus:target"]["hosts"][1]["thumbprint"]
        assert "esxodus:target.hosts[1].thumbprint: missing; esx70-2.lab is not at" in site.preview(succeeds=False)
        assert lab.writes == 0


def test_what_an_adopted_switch_has_not_as_declared_is_named(tmp_path: Path) -> None:
    def switched(scenario: dict[str, Any]) -> None:
        half_built(scenario)
        there = scenario["vcenters"][1]["datacenters"][0]
        there["switches"] = [{"name": "dvs-prod7", "version": "7.0.3"}]
        there["networks"] = [{"name": "pg-prod", "vlan": 21, "switch": "dvs-prod7"}]

    with a_lab(tmp_path, switched) as lab:
        said = Site(tmp_path / "clone", site_config(lab, {})).preview()
        assert "esx70-2.lab: it is no member of 'dvs-prod7', so it has none of the networks on it" in said
        assert "esx70-1.lab: it is no member" not in said
        assert "pg-prod: it has VLAN 21, and is declared with VLAN 20 [network.other-vlan]" in said
        assert lab.writes == 0


def networked(lab: Lab) -> dict[str, Any]:
    """Return the settings of a site with both kinds of switch, and adapters for vMotion."""
    config = site_config(lab, {"app01": "migrated"})
    target = config["esxodus:target"]
    target["switches"] = [{"name": "vSwitch0"}, {"name": "vSwitch1", "uplinks": ["vmnic2", "vmnic3"], "mtu": 9000}]
    target["networks"] = [
        {"name": "pg-prod", "vlan": 20},
        {"name": "pg-dmz", "vlan": 30, "switch": "vSwitch1"},
        {"name": "pg-tools", "switch": "vSwitch0"},
    ]
    target["vmotion"] = {"network": "vmotion", "vlan": 40, "switch": "vSwitch1", "mtu": 9000}
    for number, host in enumerate(target["hosts"], 71):
        host["vmotion"] = f"10.40.0.{number}/24"
    return config


def test_standard_switches_and_vmotion(tmp_path: Path) -> None:
    with a_lab(tmp_path, lambda _: None) as lab:
        site = Site(tmp_path / "clone", networked(lab))
        site.preview()
        assert lab.writes == 0
        site.up()
        there = There(endpoints(lab)["target"]).ids()
        for number, host in enumerate(HOSTS, 71):
            assert f"{host} vSwitch1" in there["host switch"]
            assert {f"{host} pg-dmz", f"{host} pg-tools", f"{host} vmotion"} <= set(there["host network"])
            assert f"{host} 10.40.0.{number}" in there["vMotion adapter"]
        assert one(lab, "app01")["site"] == "target"
        assert {nic["network"] for nic in one(lab, "app01")["nics"]} == {"pg-prod", "pg-dmz"}
        writes = lab.writes
        assert "unchanged" in site.run("refresh", "--yes")
        said = site.up()
        assert not any(word in said for word in ("created", "updated", "replaced")), said
        clone = Site(tmp_path / "clone without state", site.config)
        clone.up()
        assert {f"vMotion adapter {HOSTS[0]} 10.40.0.71", f"host switch {HOSTS[1]} vSwitch1"} <= set(
            clone.outputs()["adopted"]
        )
        assert lab.writes == writes, "settled stays settled, with or without a state"


def test_vmotion_on_the_distributed_switch_of_a_live_move(tmp_path: Path) -> None:
    def newer(scenario: dict[str, Any]) -> None:
        source = scenario["vcenters"][0]
        source |= {"version": "6.7.0", "api": "6.7"}
        for host in source["hosts"]:
            host["version"] = "6.7.0"
        scenario["vms"][0]["snapshots"] = []

    with a_lab(tmp_path, newer) as lab:
        site = Site(tmp_path / "clone", networked(lab))
        target = site.config["esxodus:target"]
        target["switch"]["mtu"] = 9000
        target["vmotion"] = {"network": "vmotion", "vlan": 40, "mtu": 9000, "gateway": "10.40.0.1"}
        site.config["esxodus:waves"][0]["method"] = "xvm"
        site.up()
        assert one(lab, "app01")["site"] == "target"
        assert site.told("app01")["reached"] == "migrated"
        there = There(endpoints(lab)["target"]).ids()
        assert set(there["vMotion adapter"]) == {f"{HOSTS[0]} 10.40.0.71", f"{HOSTS[1]} 10.40.0.72"}
        assert "unchanged" in site.run("refresh", "--yes")
        writes = lab.writes
        site.up()
        assert lab.writes == writes, "settled stays settled"


def test_a_switch_that_a_host_lacks_is_named(tmp_path: Path) -> None:
    with a_lab(tmp_path, half_built) as lab:
        site = Site(tmp_path / "clone", networked(lab))
        site.config["esxodus:target"]["switches"] = [{"name": "vSwitch0"}, {"name": "vSwitch1"}]
        del site.config["esxodus:target"]["vmotion"]["mtu"]
        said = site.preview(succeeds=False)
        assert (
            f"esxodus:target.switches[1].uplinks: missing, so vSwitch1 is used as it is, and {HOSTS[0]} has none"
            in said
        )
        assert lab.writes == 0


def test_clocks_and_licences_of_the_new_site_are_warned_of_once_or_stop_the_preview(tmp_path: Path) -> None:
    def neglected(scenario: dict[str, Any]) -> None:
        half_built(scenario)
        one, two = scenario["vcenters"][1]["hosts"]
        one |= {"clockSkew": "5m", "ntp": [], "license": {"name": "Trial", "evaluation": True, "expires": "72h"}}
        two["license"] = {"name": "Standard", "features": ["vmotion", "das"]}

    with a_lab(tmp_path, neglected) as lab:
        site = Site(tmp_path / "clone", site_config(lab, {"app01": "migrated"}))
        said = site.preview()
        assert "esx70-1.lab: no time server sets its clock [host.no-ntp]" in said
        assert "esx70-1.lab: its clock is 300 s ahead of that of 127.0.0.1" in said
        assert "esx70-1.lab: its evaluation ends in 3 days [license.ends]" in said
        site.up()
        assert one(lab, "app01")["site"] == "target"
        site.wants(app01="source")
        site.up()
        site.wants(app01="migrated")
        said = site.preview()
        assert "esx70-2.lab: its licence 'Standard' has no distributed switches, no DRS [license.feature]" in said


def test_an_evaluation_that_has_ended_stops_the_preview(tmp_path: Path) -> None:
    def late(scenario: dict[str, Any]) -> None:
        half_built(scenario)
        scenario["vcenters"][1]["hosts"][0]["license"] = {"name": "Trial", "evaluation": True, "expired": True}

    with a_lab(tmp_path, late) as lab:
        site = Site(tmp_path / "clone", site_config(lab, {"app01": "migrated"}))
        said = site.preview(succeeds=False)
        assert "esx70-1.lab: its evaluation has ended [license.expired]" in said
        assert "Nothing has been changed" in said
        assert lab.writes == 0

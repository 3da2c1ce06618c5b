"""The new site with the real engine against the lab: what exists is adopted, what is missing is made, and then left alone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.engine.conftest import REPOSITORY
from tests.engine.site_project import Site, site_config
from tools.running_lab import Lab, running_lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.engine

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


def half_built(scenario: dict[str, Any], *, cluster: str = "prod7", datacenter: str = "tokyo7") -> None:
    """Let the first of the new hosts be in a cluster already, when the lab starts."""
    scenario["vcenters"][1]["datacenters"] = [
        {"name": datacenter, "clusters": [{"name": cluster, "hosts": ["esx70-1.lab"], "drs": True, "ha": True}]}
    ]


def test_a_host_joins_a_cluster_that_exists(tmp_path: Path) -> None:
    with a_lab(tmp_path, half_built) as lab:
        site = Site(tmp_path / "clone", site_config(lab, {}))
        del site.config["esxodus:target"]["hosts"][0]["thumbprint"]
        site.preview()
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
    tmp_path: Path, where: dict[str, str], said: str
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


def test_a_host_that_is_not_there_needs_its_thumbprint(tmp_path: Path) -> None:
    with a_lab(tmp_path, half_built) as lab:
        site = Site(tmp_path / "clone", site_config(lab, {}))
        del site.config["esxodus:target"]["hosts"][1]["thumbprint"]
        assert "esxodus:target.hosts[1].thumbprint: missing; esx70-2.lab is not at" in site.preview(succeeds=False)
        assert lab.writes == 0

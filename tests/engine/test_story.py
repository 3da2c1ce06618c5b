"""The story of a site, with the real engine against the lab: what an operator does, and what must hold after it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import REPOSITORY, kill, started_by
from tests.engine.site_project import Site, site_config
from tests.person import PASSWORDS, person
from tools.census import count
from tools.running_lab import Lab, running_lab

pytestmark = pytest.mark.engine

VMS = {name: "migrated" for name in ("app01", "off01", "stubborn01", "bare01", "tmpl01")}
SCENARIO = REPOSITORY / "tests" / "scenarios" / "small.yaml"


@pytest.fixture
def lab() -> Iterator[Lab]:
    with running_lab(SCENARIO, any_port=True) as running:
        yield running
        assert running.get("/violations") == []


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Site:
    return Site(tmp_path / "clone", site_config(lab, VMS))


def seen(lab: Lab, name: str) -> list[dict[str, Any]]:
    """Return each registration of a VM, as the lab itself sees it."""
    sites = lab.get("/state")["vcenters"].values()
    found = [vm for site in sites for vm in site["vms"].values() if vm["name"] == name]
    # An attribute that was set and cleared again keeps an empty value, in vCenter too.
    kept = [{name: value for name, value in vm["customAttributes"].items() if value} for vm in found]
    return [
        {**vm, "networks": [nic["network"] for nic in vm["nics"]], "customAttributes": attributes}
        for vm, attributes in zip(found, kept, strict=True)
    ]


def one(lab: Lab, name: str) -> dict[str, Any]:
    found = seen(lab, name)
    assert len(found) == 1, f"{name} is registered {len(found)} times"
    return found[0]


SAME = ("instanceUuid", "biosUuid", "macs", "notes", "snapshots", "power", "template", "cpus", "memoryMB")
AT_HOME = (*SAME, "site", "folder", "pool", "networks", "disks", "vmx", "customAttributes", "extraConfig")


def same(before: dict[str, Any], after: dict[str, Any], keys: tuple[str, ...]) -> None:
    assert {key: after.get(key) for key in keys} == {key: before.get(key) for key in keys}


def test_there_nothing_more_to_do_and_back_again(lab: Lab, site: Site) -> None:
    before = {name: one(lab, name) for name in VMS}

    preview = site.preview()
    for name in VMS:
        assert re.search(rf"{name}\b.*reattach source → migrated: ", preview), preview
    assert "shut down the guest" in preview
    assert lab.writes == 0

    site.up()
    outputs = site.outputs()["vms"]
    for name in VMS:
        now = one(lab, name)
        same(before[name], now, SAME)
        assert now["site"] == "target"
        assert {disk["path"].partition("]")[0] for disk in now["disks"]} == {"[gold7-01"}
        assert outputs[name].startswith("migrated by reattach: target esx70-")
    assert set(one(lab, "app01")["networks"]) == {"pg-prod", "pg-dmz"}
    assert one(lab, "app01")["customAttributes"] == {"owner": "sato"}
    assert re.search(r", was source esx60-\S+ old-a and old-b, guest down [\d.]+ s$", outputs["app01"]), outputs[
        "app01"
    ]
    assert site.told("app01")["downtimeSeconds"] > 0

    writes = lab.writes
    assert "nothing to do" not in site.preview()
    again = site.up()
    assert re.search(r"\d+ unchanged", again), again
    assert not re.search(r"\d+ (updated|created|replaced|deleted)", again), again
    assert lab.writes == writes

    site.wants(app01="source", tmpl01="source")
    assert re.search(r"app01\b.*reattach migrated → source: ", site.preview())
    site.up()
    for name in ("app01", "tmpl01"):
        same(before[name], one(lab, name), AT_HOME)

    site.wants(app01="rehosted")
    site.up()
    now = one(lab, "app01")
    same(before["app01"], now, SAME)
    assert (now["site"], now["disks"]) == ("target", before["app01"]["disks"])

    writes = lab.writes
    said = site.run("destroy", "--yes", "--continue-on-error")
    assert "left" in said, said
    assert lab.writes == writes
    assert one(lab, "app01")["power"] == "poweredOn"


def test_what_a_person_did_at_the_target_is_healed(lab: Lab, site: Site) -> None:
    site.config["esxodus:waves"][0]["vms"] = [
        {"name": "app01", "stage": "migrated"},
        {"name": "bare01", "stage": "migrated"},
    ]
    site.up()
    sites = {
        name: {**vcenter, "vcenter": vcenter["host"], "password": PASSWORDS[name]}
        for name, vcenter in lab.endpoints["vcenters"].items()
    }
    before = count(sites)
    with person(lab, "target") as target:
        target.power_off("app01")
        target.unregister("app01")
        target.move("bare01", "old-b")
        target.rename("bare01", "renamed")
    assert seen(lab, "app01") == []
    assert re.search(r"bare01  rehosted → migrated: ", site.preview()), "it is still the one that is meant"
    site.up()
    renamed = {
        uuid: [replace(vm, name=vm.name.replace("bare01", "renamed")) for vm in vms] for uuid, vms in before.items()
    }
    assert count(sites) == renamed

    site.wants(bare01="source")
    site.up()
    assert one(lab, "renamed")["site"] == "source"


def test_killed_between_unregister_and_register_a_new_clone_finishes(lab: Lab, site: Site, tmp_path: Path) -> None:
    before = one(lab, "app01")
    site.config["esxodus:waves"][0]["vms"] = [{"name": "app01", "stage": "migrated"}]
    lab.post("/faults", {"method": "RegisterVM_Task", "action": "hang", "count": 1})
    site.write()
    process = site.project.start("up", "--yes", "--skip-preview")
    _until(lambda: seen(lab, "app01") == [] and lab.get("/faults")[0]["hits"] > 0)
    kill(started_by(process))
    process.communicate()
    lab.delete("/faults")
    config = site.config
    shutil.rmtree(site.folder)

    clone = Site(tmp_path / "another clone", config)
    clone.up()
    now = one(lab, "app01")
    same(before, now, SAME)
    assert now["site"] == "target"


def test_ctrl_c_pauses_during_a_long_copy_and_the_next_up_resumes(tmp_path: Path) -> None:
    slow = tmp_path / "slow.yaml"  # 12 GiB at 2 MB/s, 600 times as fast as on a real site: 10 s
    slow.write_text(SCENARIO.read_text().replace("bandwidth: 1600", "bandwidth: 2"))
    with running_lab(slow, any_port=True) as lab:
        site = Site(tmp_path / "clone", site_config(lab, {"app01": "migrated"}))
        process = site.project.start("up", "--yes", "--skip-preview")
        _until(lambda: lab.get("/counters")["calls"]["target"].get("RelocateVM_Task", 0) > 0)
        started = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=30)
        assert time.monotonic() - started < 5
        assert process.returncode != 0
        assert "Traceback" not in said
        assert re.search("app01.*paused", said, re.IGNORECASE), said
        assert site.project.pending() == []
        site.up()
        assert one(lab, "app01")["site"] == "target"
        assert lab.get("/counters")["calls"]["target"]["RelocateVM_Task"] == 1, (
            "the copy went on; it was not begun anew"
        )
        assert lab.get("/violations") == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"esxodus:sourcePassword": {"secure": "v1:gXAWCnTMhuSTINso:tWpXdnvy4yXreeF/RaU82KmuOaQS8LljZKc="}},
            "password",
        ),
        ({"esxodus:source": {"thumbprint": ":".join(["00"] * 20)}}, "thumbprint"),
        ({"esxodus:source": {"vcenter": "127.0.0.1:9"}}, "127.0.0.1:9"),
    ],
    ids=["wrong password", "wrong thumbprint", "unreachable"],
)
def test_a_vcenter_that_cannot_be_used_is_one_clear_message(
    lab: Lab, site: Site, change: dict[str, dict[str, str]], says: str
) -> None:
    for key, value in change.items():
        site.config[key] = value if "secure" in value else {**site.config[key], **value}
    said = site.preview(succeeds=False)
    assert says in said
    assert "Traceback" not in said, said
    assert said.count(says) <= 3, f"said too often:\n{said}"
    assert lab.writes == 0


def test_three_mistakes_are_told_together(lab: Lab, site: Site) -> None:
    site.config["esxodus:target"]["cluster"]["evc"] = "pentium"
    site.config["esxodus:waves"][0]["stage"] = "moved"
    site.config["esxodus:networkMap"] = ["VM Network"]
    said = site.preview(succeeds=False)
    for part in ("3 problems", "esxodus:target.cluster.evc", "esxodus:waves[0].stage", "esxodus:networkMap"):
        assert part in said, said
    assert "Traceback" not in said
    assert lab.writes == 0


def test_concerns_fail_the_preview_by_name_before_anything_is_touched(lab: Lab, site: Site) -> None:
    with person(lab, "source") as source:
        source.rename("tmpl01", "twin")  # another of that name is in the same datacenter, in another folder
    writes = lab.writes
    del site.config["esxodus:networkMap"]["DMZ"]
    site.config["esxodus:waves"][0]["vms"] = [
        {"name": name, "stage": "migrated"} for name in ("app01", "stays01", "nobody", "twin", "raw01", "off01")
    ]
    said = site.preview(succeeds=False)
    for part in (
        "network.unmapped",
        "'DMZ'",
        "disk.not-brought-along",
        "esxodus:oldDatastores",
        "vm.not-found",
        "vm.ambiguous",
        "rdm.physical",
    ):
        assert part in said, said
    assert "Traceback" not in said
    assert lab.writes == writes


def _until(holds: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not come about"
        time.sleep(0.1)

"""What stands against retiring an old datastore, as a built site shows it, and the steps that take it out of service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from migration import retire
from migration.errors import Blocked
from migration.model import Severity
from migration.retire import Old, Step, Verb
from tests.lab.conftest import _built
from tools.running_lab import Lab
from vsphere import retiring, site_storage
from vsphere.properties import PLACES
from vsphere.site_storage import OldVolume
from vsphere.sites import VSphereSites

pytestmark = pytest.mark.lab

Opened = Callable[..., VSphereSites]
Started = Callable[[Path], Lab]


@pytest.fixture
def site(start: Started, tmp_path: Path) -> Callable[..., Lab]:
    """Starts the built small site with the VMs that are named, the target's hosts having the old datastores mounted."""

    def starting(*vms: str, change: Callable[[Any], None] = lambda _: None) -> Lab:
        scenario = yaml.safe_load(_built(tmp_path).read_text(encoding="utf-8"))
        scenario["vms"] = [vm for vm in scenario["vms"] if vm["name"] in vms]
        change(scenario)
        file = tmp_path / "retiring.yaml"
        file.write_text(yaml.safe_dump(scenario, allow_unicode=True), encoding="utf-8")
        return start(file)

    return starting


def found(sites: VSphereSites, name: str = "old-a", *, searched: bool = False) -> tuple[OldVolume, Old]:
    both = [sites.site("source"), sites.site("target")]
    volume = site_storage.old_volumes(both[0], [name])[name]
    assert volume is not None
    return volume, retiring.looked_at(both, volume, searched=searched)


def blocking(old: Old, leaving: Sequence[str] = ()) -> set[str]:
    return {one.id for one in retire.concerns(old, leaving) if one.severity is Severity.BLOCKS}


def test_who_is_registered_or_has_an_image_there_and_what_vcenter_uses_it_for(
    site: Callable[..., Lab], opened: Opened
) -> None:
    def change(scenario: Any) -> None:
        scenario["arrays"][0]["luns"][0]["vmfs"]["sioc"] = True
        scenario["vcenters"][0]["datacenters"][0]["storagePods"] = [{"name": "pod", "datastores": ["old-a"]}]
        scenario["vms"][-1]["iso"] = "[old-a] iso/tools.iso"

    lab = site("app01", "tmpl01", "stays01", change=change)
    _, old = found(opened(lab))
    assert blocking(old) == {
        "retire.vm-registered",
        "retire.image",
        "retire.sioc",
        "retire.datastore-cluster",
        "retire.heartbeat",
    }
    said = "\n".join(str(one) for one in retire.concerns(old))
    assert "VM 'app01' at the source has files on it" in said
    assert "template 'tmpl01' at the source has files on it" in said
    assert "of 'stays01' at the source holds iso/tools.iso" in said
    assert "HA of cluster 'prod6' at the source uses it for heartbeats" in said
    assert blocking(old, leaving=["app01", "tmpl01"]) == blocking(old) - {"retire.vm-registered"}
    assert lab.writes == 0


def test_a_vm_that_is_registered_nowhere_is_never_cut_off(site: Callable[..., Lab], opened: Opened) -> None:
    lab = site("off01")
    lab.post("/vms/off01/unregister", {"site": "source"})
    volume, old = found(opened(lab), "old-b")
    assert blocking(old) == {"retire.vm-nowhere"}
    assert "off01/off01.vmx on it is registered at no site" in str(retire.concerns(old)[0])
    assert volume.kind == "VMFS"


def test_a_host_that_is_not_connected_stands_against_it(site: Callable[..., Lab], opened: Opened) -> None:
    lab = site()
    lab.post("/hosts/esx60-2.lab/down")
    _, old = found(opened(lab))
    assert blocking(old) == {"retire.host-unreachable"}
    assert "esx60-2.lab (source) is not connected" in str(retire.concerns(old)[0])


def test_a_volume_that_no_host_can_read_is_not_believed_to_be_empty(site: Callable[..., Lab], opened: Opened) -> None:
    lab = site()
    sites = opened(lab)
    found(sites)
    lab.post("/volumes/old-a/apd", {"hosts": "all"})
    sites.site("source").watch.refresh(PLACES)
    _, old = found(sites)
    assert "retire.not-searched" in blocking(old)


def test_scratch_files_of_a_host_stand_against_it(site: Callable[..., Lab], opened: Opened) -> None:
    def change(scenario: Any) -> None:
        scenario["vcenters"][0]["hosts"][1]["scratch"] = "old-a"

    _, old = found(opened(site(change=change)))
    assert blocking(old) == {"retire.host-files"}
    assert "esx60-2.lab at the source has its scratch files" in str(retire.concerns(old)[0])


def test_unmounted_everywhere_then_detached_everywhere_new_hosts_first(
    site: Callable[..., Lab], opened: Opened
) -> None:
    lab = site()
    sites = opened(lab)
    for host in ("esx70-1.lab", "esx70-2.lab"):
        site_storage.rescan(sites.site("target"), host)
    volume, old = found(sites)
    assert blocking(old) == set()
    (disk,) = volume.devices
    hosts = [("target", "esx70-1.lab"), ("target", "esx70-2.lab"), ("source", "esx60-1.lab"), ("source", "esx60-2.lab")]
    steps = retire.steps(old)
    assert steps == (
        *(Step(Verb.UNMOUNT, where, host) for where, host in hosts),
        *(Step(Verb.DETACH, where, host, disk) for where, host in hosts),
    )
    for step in steps:
        retiring.perform(sites.site(step.site), step, volume)
    volume, old = found(sites)
    assert old.retired
    assert retire.concerns(old) == ()
    assert retire.foretold(old) == ""


def test_what_the_host_refuses_is_told_and_not_tried_again(site: Callable[..., Lab], opened: Opened) -> None:
    lab = site("app01")
    sites = opened(lab)
    volume, _ = found(sites)
    with pytest.raises(Blocked, match=r"old-a: .*\[retire.in-use\]"):
        retiring.perform(sites.site("source"), Step(Verb.UNMOUNT, "source", "esx60-1.lab"), volume)
    with pytest.raises(Blocked, match=r"retire.in-use"):
        retiring.perform(sites.site("source"), Step(Verb.DETACH, "source", "esx60-1.lab", volume.devices[0]), volume)

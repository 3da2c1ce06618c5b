"""Hosts and clusters: versions, EVC, vMotion, links, what HA keeps free."""

from __future__ import annotations

from typing import Any

import pytest
from pyVmomi import vim

from migration.evc_modes import Mode, covered
from migration.observation import Cluster, Host
from tests.unit import vsphere_objects as raw
from vsphere.inventory import Inventory
from vsphere.links import links
from vsphere.snapshot import Record
from vsphere.standing import Standing

INTEL = ("intel-merom", "intel-ivybridge", "intel-haswell")
MODES = (
    *(Mode(key, "intel", tier, frozenset(INTEL[: tier + 1])) for tier, key in enumerate(INTEL)),
    Mode("amd-zen", "amd", 9, frozenset(INTEL)),  # another vendor, whatever its track says
)


def inventory(*more: Record, **standing: Any) -> Inventory:
    return Inventory("source", "vc60", raw.site(*more), Standing(**standing))


def host(**values: Any) -> Host:
    (found,) = inventory(raw.host("host-1", "a", **values), modes=MODES).view.hosts
    return found


def test_a_host() -> None:
    found = host(summary__config__vmotionEnabled=True, summary__config__product=vim.AboutInfo(version="6.7.0"))
    assert (found.version, found.memory, found.vmotion) == ("6.7.0", 256.0, True)
    assert not host().vmotion


PROCESSORS = {
    "summary__hardware__cpuMhz": 2600,
    "summary__hardware__numCpuCores": 16,
    "summary__hardware__numCpuThreads": 32,
}


def test_the_processors_of_a_host_and_what_running_vms_have_reserved_of_them() -> None:
    some = vim.ResourceAllocationInfo(reservation=1600)
    (found,) = inventory(
        raw.host("host-1", "a", **PROCESSORS),
        raw.machine("vm-1", "on", config__cpuAllocation=some),
        raw.machine("vm-2", "off", config__cpuAllocation=some, runtime__powerState="poweredOff"),
        raw.machine("vm-3", "none"),
    ).view.hosts
    assert (found.threads, found.mhz, found.free_mhz) == (32, 41_600, 40_000)


def test_processors_that_are_not_shown_are_not_known() -> None:
    assert (host().threads, host().mhz, host().free_mhz) == (0, 0, 0)


@pytest.mark.parametrize(
    ("ceilings", "modes"),
    [
        ({"summary__maxEVCModeKey": "intel-haswell"}, set(INTEL)),
        (
            {"summary__maxEVCModeKey": "intel-haswell", "summary__currentEVCModeKey": "intel-ivybridge"},
            {"intel-merom", "intel-ivybridge"},
        ),
        ({"summary__maxEVCModeKey": "intel-unheard-of"}, set()),
        ({}, set()),
    ],
)
def test_the_modes_that_a_vm_on_a_host_may_need(ceilings: dict[str, str], modes: set[str]) -> None:
    assert host(**ceilings).evc == modes


def test_vendors_never_mix() -> None:
    assert covered("amd-zen", MODES) == {"amd-zen"}


# --- links ------------------------------------------------------------------------------------------------------------


def physical(number: int, speed: int | None) -> Any:
    kind: Any = vim.host.PhysicalNic
    link = kind.LinkSpeedDuplex(speedMb=speed, duplex=True) if speed else None
    return kind(key=f"key-vim.host.PhysicalNic-vmnic{number}", device=f"vmnic{number}", linkSpeed=link)


def network(*speeds: int | None, vmotion: int | None = None, distributed: bool = False) -> Record:
    """Return a host whose vMotion adapter, where there is one, is on a switch over the link of this number."""
    values: dict[str, Any] = {"config__network__pnic": [physical(at, speed) for at, speed in enumerate(speeds)]}
    if vmotion is not None:
        uplinks = [physical(vmotion, None).key]
        port = vim.dvs.PortConnection(switchUuid="50 01", portgroupKey="dvportgroup-8") if distributed else None
        specification = vim.host.VirtualNic.Specification(distributedVirtualPort=port)
        group = "" if distributed else "vMotion"
        adapter = vim.host.VirtualNic(device="vmk1", key="key-vmk1", portgroup=group, spec=specification)
        other = vim.host.VirtualNic(device="vmk0", key="key-vmk0", portgroup="Management", spec=specification)
        candidates = [vim.host.VirtualNic(device=f"vmk{at}", key=f"vmotion.key-vmk{at}") for at in (0, 1)]
        config = vim.host.VirtualNicManager.NetConfig(
            nicType="vmotion", candidateVnic=candidates, selectedVnic=["vmotion.key-vmk1"]
        )
        management = vim.host.VirtualNicManager.NetConfig(
            nicType="management", candidateVnic=candidates, selectedVnic=["vmotion.key-vmk0"]
        )
        spec = vim.host.PortGroup.Specification(name="vMotion", vswitchName="vSwitch1")
        far = vim.host.PortGroup.Specification(name="Management", vswitchName="vSwitch0")
        every = [physical(at, None).key for at in range(len(speeds))]
        values |= {
            "config__network__vnic": [other, adapter],
            "config__virtualNicManagerInfo__netConfig": [management, config],
            "config__network__portgroup": [vim.host.PortGroup(spec=spec), vim.host.PortGroup(spec=far)],
            "config__network__vswitch": [
                vim.host.VirtualSwitch(name="vSwitch0", pnic=every),
                vim.host.VirtualSwitch(name="vSwitch1", pnic=[] if distributed else uplinks),
            ],
            "config__network__proxySwitch": [vim.host.HostProxySwitch(dvsUuid="50 01", pnic=uplinks)],
        }
    return raw.record(vim.HostSystem, "host-1", **values)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (network(10000, 25000), 8),
        (network(10000, 1000), 4),
        (network(10000, None), 8),  # a link that is down carries nothing
        (network(None), 4),
        (network(), 4),
        (network(1000, 10000, vmotion=1), 8),
        (network(10000, 1000, vmotion=1), 4),
        (network(1000, 10000, vmotion=1, distributed=True), 8),
        (network(10000, 1000, vmotion=1, distributed=True), 4),
    ],
)
def test_how_many_vmotions_a_network_bears(found: Record, expected: int) -> None:
    assert links(found) == expected


def test_a_host_whose_links_are_not_known_bears_few() -> None:
    assert host().links == 4
    (found,) = inventory(links={"host-1": 8}).view.hosts
    assert found.links == 8


# --- clusters ---------------------------------------------------------------------------------------------------------

ONE_OF_FOUR = vim.cluster.FailoverLevelAdmissionControlPolicy(failoverLevel=1)
PERCENT = vim.cluster.FailoverResourcesAdmissionControlPolicy(
    cpuFailoverResourcesPercent=10, memoryFailoverResourcesPercent=30
)
COMPUTED = vim.cluster.FailoverResourcesAdmissionControlPolicy(
    cpuFailoverResourcesPercent=0, memoryFailoverResourcesPercent=0, autoComputePercentages=True, failoverLevel=2
)
NAMED = vim.cluster.FailoverHostAdmissionControlPolicy(failoverHosts=[raw.ref(vim.HostSystem, "host-1")])


def cluster(
    *, ha: bool = True, control: bool = True, policy: Any = None, level: int | None = None, **host: Any
) -> Cluster:
    das = vim.cluster.DasConfigInfo(
        enabled=ha, admissionControlEnabled=control, admissionControlPolicy=policy, failoverLevel=level
    )
    config = vim.cluster.ConfigInfoEx(dasConfig=das, drsConfig=vim.cluster.DrsConfigInfo(enabled=True))
    place = raw.ref(vim.Folder, "group-h1")
    seen = raw.record(vim.ClusterComputeResource, "domain-c1", name="prod6", parent=place, configurationEx=config)
    (found,) = inventory(seen, *(raw.host(f"host-{at}", f"esx{at}", **host) for at in (1, 2, 3, 4))).view.clusters
    return found


@pytest.mark.parametrize(
    ("policy", "memory", "cpu"),
    [
        (ONE_OF_FOUR, 0.25, 0.25),
        (PERCENT, 0.3, 0.1),
        (COMPUTED, 0.5, 0.5),
        (NAMED, 0.25, 0.25),
        (None, 0.0, 0.0),
    ],
)
def test_what_admission_control_keeps_free(policy: Any, memory: float, cpu: float) -> None:
    found = cluster(policy=policy)
    assert (found.memory_reserve, found.cpu_reserve) == (memory, cpu)


def test_of_hosts_that_are_not_usable_nothing_can_be_kept() -> None:
    """It keeps as many hosts as before of fewer: where that is all of them, nothing powers on."""
    assert cluster(policy=ONE_OF_FOUR, runtime__inMaintenanceMode=True).memory_reserve == 0.0, "there is no host at all"
    down = [raw.host(f"host-{at}", f"esx{at}", runtime__connectionState="notResponding") for at in (1, 2, 3)]
    das = vim.cluster.DasConfigInfo(enabled=True, admissionControlEnabled=True, admissionControlPolicy=ONE_OF_FOUR)
    config = vim.cluster.ConfigInfoEx(dasConfig=das, drsConfig=vim.cluster.DrsConfigInfo(enabled=True))
    place = raw.ref(vim.Folder, "group-h1")
    seen = raw.record(vim.ClusterComputeResource, "domain-c1", name="prod6", parent=place, configurationEx=config)
    (found,) = inventory(seen, *down, raw.host("host-4", "esx4")).view.clusters
    assert found.memory_reserve == 1.0


def test_without_ha_or_its_admission_control_nothing_is_kept_free() -> None:
    assert cluster(ha=False, policy=PERCENT) == Cluster("prod6", ha=False, drs=True)
    assert cluster(control=False, policy=PERCENT) == Cluster("prod6", ha=True, drs=True)


def test_the_older_way_to_say_it() -> None:
    assert cluster(level=2).memory_reserve == 0.5


def test_the_mode_of_a_cluster_is_that_of_its_hosts() -> None:
    assert cluster(summary__currentEVCModeKey="intel-ivybridge").evc == "intel-ivybridge"
    assert cluster(summary__maxEVCModeKey="intel-haswell").evc == ""


def test_a_host_of_its_own_is_no_cluster() -> None:
    alone = raw.record(vim.ComputeResource, "domain-s9", name="esx9", parent=raw.ref(vim.Folder, "group-h1"))
    assert [one.name for one in inventory(alone).view.clusters] == ["prod6"]


# --- the site ---------------------------------------------------------------------------------------------------------


def test_what_is_asked_once_is_part_of_the_view() -> None:
    asked = {"version": "6.0.0", "build": "3018524", "skew": 1.5, "lacking": (("tokyo6", "Network.Assign"),)}
    view = inventory(**asked, roles={-1: "Admin", 7: "dba"}, tags={}).view
    assert {name: getattr(view, name) for name in asked} == asked
    assert (set(view.roles), view.tagging) == ({"Admin", "dba"}, True)
    assert not inventory().view.tagging


def test_distributed_port_groups_with_the_version_of_their_switch() -> None:
    folder = raw.ref(vim.Folder, "group-n1")
    switch = raw.record(
        vim.DistributedVirtualSwitch,
        "dvs-7",
        name="dvs",
        uuid="50 01",
        parent=folder,
        summary__productInfo__version="6.6.0",
    )
    assert inventory(switch).view.distributed == {"pg-prod": "6.6.0"}  # neither uplinks nor standard networks
    assert inventory().view.distributed == {"pg-prod": ""}

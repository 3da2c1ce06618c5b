"""From raw properties to hosts and clusters as `migration.observation` has them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from pyVmomi import vim

from migration.evc_modes import covered
from migration.model import Power
from migration.observation import Cluster, Host
from vsphere.hardware import GIB
from vsphere.links import SLOW
from vsphere.machines import reserved
from vsphere.names import decoded, numbers
from vsphere.snapshot import Record, Snapshot, usable
from vsphere.upkeep import Care

if TYPE_CHECKING:
    from vsphere.inventory import Inventory

_HARDWARE: Final = (
    ((8, 0, 2), 21), ((8, 0, 0), 20), ((7, 0, 2), 19), ((7, 0, 1), 18), ((7, 0, 0), 17),
    ((6, 7, 0), 14), ((6, 5, 0), 13), ((6, 0, 0), 11), ((5, 5, 0), 10), ((5, 1, 0), 9), ((5, 0, 0), 8),
)  # fmt: skip
"""Highest virtual hardware by ESXi version, newest first (vsphere-facts: govmomi esxi_version.go)."""

_UNKNOWN: Final = Care()


def hosts(inventory: Inventory) -> Iterator[Host]:
    """Yield every host that the site shows."""
    load = _load(inventory.snapshot)
    mounted = inventory.mounted
    for record in inventory.snapshot.of(vim.HostSystem):
        vms, used, taken = load.get(record.moref, (0, 0.0, 0.0))
        cores = int(record.get("summary.hardware.numCpuCores", 0))
        mhz = float(cores * record.get("summary.hardware.cpuMhz", 0))
        memory = record.get("summary.hardware.memorySize", 0) / GIB
        care = inventory.standing.upkeep.hosts.get(record.moref, _UNKNOWN)
        # In a cluster without EVC each host offers what it has.
        ceiling = str(record.get("summary.currentEVCModeKey") or record.get("summary.maxEVCModeKey", ""))
        yield Host(
            name=decoded(str(record.get("name", ""))),
            cluster=inventory.name(record.target("parent")),
            usable=usable(record),
            vms=vms,
            # What the running VMs may come to use, not what they use now: steady, and on the safe side.
            free_memory=max(0.0, memory - used),
            networks=inventory.networks_of(record),
            volumes=frozenset(mounted.get(record.moref, ())),
            version=str(getattr(record.get("summary.config.product"), "version", None) or ""),
            memory=memory,
            evc=covered(ceiling, inventory.standing.modes),
            vmotion=bool(record.get("summary.config.vmotionEnabled", False)),
            links=inventory.standing.links.get(record.moref, SLOW),
            threads=max(cores, int(record.get("summary.hardware.numCpuThreads", 0))),
            mhz=mhz,
            free_mhz=max(0.0, mhz - taken),
            hardware=_hardware(record),
            ahead=care.ahead,
            timed=care.timed,
            license=care.license,
        )


def clusters(inventory: Inventory) -> Iterator[Cluster]:
    """Yield every cluster that the site shows."""
    members: dict[str, list[Record]] = {}
    for host in inventory.snapshot.of(vim.HostSystem):
        members.setdefault(host.target("parent"), []).append(host)
    for record in inventory.snapshot.of(vim.ClusterComputeResource):
        config = record.get("configurationEx")
        inside = members.get(record.moref, ())
        ha = getattr(config, "dasConfig", None)
        drs = getattr(config, "drsConfig", None)
        cpu, memory = reserves(ha, sum(map(usable, inside)))
        yield Cluster(
            name=inventory.name(record.moref),
            # The mode in effect is the same at each of its hosts; a cluster of none runs nothing.
            evc=next((str(one) for host in inside if (one := host.get("summary.currentEVCModeKey"))), ""),
            ha=bool(ha and ha.enabled),
            drs=bool(drs and drs.enabled),
            memory_reserve=memory,
            cpu_reserve=cpu,
            spare=spare(ha),
        )


def reserves(ha: Any, hosts: int) -> tuple[float, float]:
    """Return the parts of the MHz and memory of a cluster's usable hosts, so many, that HA's admission control keeps free."""
    if not ha or not ha.enabled or not ha.admissionControlEnabled or not hosts:
        return 0.0, 0.0
    policy = ha.admissionControlPolicy
    if _by_percent(policy):
        percents = policy.cpuFailoverResourcesPercent, policy.memoryFailoverResourcesPercent
        return min(1.0, percents[0] / 100), min(1.0, percents[1] / 100)
    part = min(1.0, spare(ha) / hosts)
    return part, part


def spare(ha: Any) -> int:
    """Return how many hosts' worth HA's admission control keeps free; 0 where it keeps nothing, or does not go by hosts."""
    if not ha or not ha.enabled or not ha.admissionControlEnabled:
        return 0
    match ha.admissionControlPolicy:
        case policy if _by_percent(policy):
            return 0
        case vim.cluster.FailoverResourcesAdmissionControlPolicy() as policy:
            return int(policy.failoverLevel or 1)
        case vim.cluster.FailoverHostAdmissionControlPolicy() as policy:
            return len(policy.failoverHosts or ())
        case vim.cluster.FailoverLevelAdmissionControlPolicy() as policy:
            return int(policy.failoverLevel)
        case _:
            return int(ha.failoverLevel or 0)


def _by_percent(policy: Any) -> bool:
    return isinstance(policy, vim.cluster.FailoverResourcesAdmissionControlPolicy) and not policy.autoComputePercentages


def _load(snapshot: Snapshot) -> Mapping[str, tuple[int, float, float]]:
    """Return VMs, and of the running ones GiB of memory and reserved MHz, by host id."""
    load: dict[str, tuple[int, float, float]] = {}
    for record in snapshot.of(vim.VirtualMachine):
        host = record.target("runtime.host")
        vms, memory, mhz = load.get(host, (0, 0.0, 0.0))
        if str(record.get("runtime.powerState", "")) == Power.ON:
            memory += record.get("config.hardware.memoryMB", 0) / 1024
            mhz += reserved(record, "config.cpuAllocation")
        load[host] = (vms + 1, memory, mhz)
    return load


def _hardware(host: Record) -> int:
    """Return the highest virtual hardware that the host runs, 0 where that is not known."""
    product = host.get("summary.config.product")
    version = numbers(str(getattr(product, "version", "")))
    return next((hardware for oldest, hardware in _HARDWARE if version >= oldest), 0)

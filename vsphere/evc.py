"""Enhanced vMotion Compatibility of a cluster: what its hosts can do, the dry run, the change.

Modes are read from the vCenter at run time, for which ones exist depends on its version (vsphere-facts, EVC).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyVmomi import vim

from migration.errors import Blocked, Unexpected
from migration.evc import Evc, Guest, Server
from migration.model import Concern, Power, Severity
from vsphere import faults
from vsphere.evc_modes import modes
from vsphere.names import decoded
from vsphere.reading import collect
from vsphere.session import moref
from vsphere.site import Site
from vsphere.snapshot import Record


def read(site: Site, cluster: str) -> Evc:
    """Return the cluster's EVC; changes nothing.

    Raises: Blocked where there is no such cluster; Refused, Unreachable.
    """
    found = _cluster(site, cluster)
    doing = f"reading EVC of {cluster}"
    paths = ("name", "parent", "summary.maxEVCModeKey", "runtime.connectionState")
    hosts = {
        host.moref: Server(
            decoded(str(host.get("name"))),
            str(host.get("summary.maxEVCModeKey", "")),
            str(host.get("runtime.connectionState")) == "connected",
        )
        for host in collect(site.session, doing, vim.HostSystem, paths)
        if host.target("parent") == found.moref
    }
    state = _state(site, found, doing)
    current = str(state.currentEVCModeKey or "")
    guests = tuple(_guests(site, doing, hosts, evc=bool(current)))
    return Evc(cluster, current, tuple(hosts.values()), modes(state.supportedEVCMode or ()), guests)


def _guests(site: Site, doing: str, hosts: Mapping[str, Server], *, evc: bool) -> Iterator[Guest]:
    """Yield the VMs on these hosts that run or are suspended, each with the least mode that it can run with.

    The API tells that of a VM in a cluster with EVC; of another one it is taken to be what its host has, and may even be more
    than any mode that the vCenter knows (VirtualMachineRuntimeInfo).
    """
    paths = ("name", "runtime.powerState", "runtime.host", "runtime.minRequiredEVCModeKey")
    for vm in collect(site.session, doing, vim.VirtualMachine, paths):
        host, power = hosts.get(vm.target("runtime.host")), str(vm.get("runtime.powerState"))
        if host and power != Power.OFF:
            known = str(vm.get("runtime.minRequiredEVCModeKey") or "")
            needs = known or ("" if evc else host.ceiling)
            yield Guest(decoded(str(vm.get("name"))), host.name, needs, power == Power.SUSPENDED, bool(known) or evc)


def check(site: Site, cluster: str, key: str) -> tuple[Concern, ...]:
    """Return what would stand against the mode, by vCenter's own dry run. Empty: nothing.

    It changes nothing, but it is a task, which vCenter lists among its recent ones: a preview does without it, and decides from
    what it has read (migration.evc.against).

    Raises: MigrationError.
    """
    found = _cluster(site, cluster)
    results = site.run(
        cluster, f"try EVC mode {key}", _start(site, found, lambda evc: evc.CheckConfigureEvc(key, None))
    )
    names = {
        host.moref: decoded(str(host.get("name")))
        for host in collect(site.session, "reading host names", vim.HostSystem, ("name",))
    }
    return tuple(_concern(site, result, cluster, names) for result in results or () if result.error is not None)


def configure(site: Site, cluster: str, key: str) -> None:
    """Set the mode. vCenter refuses what would break a running VM. Afterwards the site's observations know of it.

    Raises: MigrationError.
    """
    found = _cluster(site, cluster)
    site.run(cluster, f"set EVC mode {key}", _start(site, found, lambda evc: evc.ConfigureEvc(key, None)))
    site.watch.refresh((vim.HostSystem,))


def _cluster(site: Site, name: str) -> Record:
    every = collect(site.session, "reading clusters", vim.ClusterComputeResource, ("name",))
    found = next((one for one in every if decoded(str(one.get("name"))) == name), None)
    if found is None:
        raise Blocked(
            (
                Concern(
                    "evc.no-cluster",
                    Severity.BLOCKS,
                    name,
                    f"{site.endpoint} has no such cluster",
                    "correct cluster.name, or create it first",
                ),
            )
        )
    return found


def _manager(site: Site, cluster: Record) -> vim.cluster.EVCManager:
    ref: Any = cluster.ref
    found: vim.cluster.EVCManager | None = site.session.read("asking for EVC", ref.EvcManager)
    if found is None:
        raise Unexpected(f"{site.endpoint} offers no EVC for the cluster")
    site.session.parts[moref(found)] = decoded(str(cluster.get("name")))
    return found


def _state(site: Site, cluster: Record, doing: str) -> Any:
    evc = _manager(site, cluster)
    values = site.watch.read_one(evc, vim.cluster.EVCManager, ("evcState",)) or {}
    if "evcState" not in values:
        raise Unexpected(f"{doing}: {site.endpoint} does not say")
    return values["evcState"]


def _start(site: Site, cluster: Record, call: Callable[[vim.cluster.EVCManager], vim.Task]) -> Callable[[], vim.Task]:
    evc = _manager(site, cluster)
    return lambda: call(evc)


def _concern(site: Site, result: Any, cluster: str, names: Mapping[str, str]) -> Concern:
    name = faults.fault_name(result.error)
    hosts = ", ".join(sorted(names.get(Record(host, {}).moref, "a host") for host in result.host or ())) or cluster
    meant = faults.translated(result.error, site.endpoint, f"try EVC mode {result.evcModeKey}", cluster)
    return Concern(
        "evc.refused",
        Severity.BLOCKS,
        cluster,
        f"EVC mode {result.evcModeKey} is refused for {hosts}: {faults.reasons(result.error)} ({name})",
        meant.concerns[0].remedy
        if isinstance(meant, Blocked)
        else "choose a mode that these hosts and their running VMs support, or auto",
    )

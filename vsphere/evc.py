"""Enhanced vMotion Compatibility of a cluster: what its hosts can do, the dry run, the change.

Modes are read from the vCenter at run time, for which ones exist depends on its version (vsphere-facts, EVC).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyVmomi import vim

from migration.errors import Blocked, SettingsError, Unexpected
from migration.model import Concern, Severity
from vsphere import faults
from vsphere.evc_modes import Mode, modes
from vsphere.names import decoded
from vsphere.reading import collect
from vsphere.session import moref
from vsphere.site import Site
from vsphere.snapshot import Record


@dataclass(frozen=True, slots=True)
class Evc:
    """A cluster's EVC: its present mode, "" where EVC is off, and the highest mode of each host, "" where not reported."""

    cluster: str
    current: str
    hosts: Mapping[str, str]
    modes: tuple[Mode, ...]


def highest_common(ceilings: Collection[str], modes: Sequence[Mode]) -> str | None:
    """Return the key of the highest mode that every ceiling covers; None where there is none, such as with mixed vendors.

    `ceilings` are the hosts' own highest modes.
    """
    known = {mode.key: mode for mode in modes}
    if not ceilings or not set(ceilings) <= set(known):
        return None
    common = [mode for mode in modes if all(known[key].covers(mode) for key in ceilings)]
    return max(common, key=lambda mode: (mode.tier, len(mode.track))).key if common else None


def read(site: Site, cluster: str) -> Evc:
    """Return the cluster's EVC; changes nothing.

    Raises: Blocked where there is no such cluster; Refused, Unreachable.
    """
    found = _cluster(site, cluster)
    doing = f"reading EVC of {cluster}"
    hosts = {
        decoded(str(host.get("name"))): str(host.get("summary.maxEVCModeKey", ""))
        for host in collect(site.session, doing, vim.HostSystem, ("name", "parent", "summary.maxEVCModeKey"))
        if host.target("parent") == found.moref
    }
    state = _state(site, found, doing)
    return Evc(cluster, str(state.currentEVCModeKey or ""), hosts, modes(state.supportedEVCMode or ()))


def wanted(evc: Evc, setting: str) -> str:
    """Return the mode that the setting asks for: a key, or for "auto" the highest one that all hosts can do.

    Raises: SettingsError for a key that the vCenter does not know; Blocked where "auto" finds none.
    """
    if setting != "auto":
        known = [mode.key for mode in evc.modes]
        if setting not in known:
            raise SettingsError([f"cluster.evc: {setting!r} is none of auto, {', '.join(known)}"])
        return setting
    if evc.current and not all(evc.hosts.values()):
        return (
            evc.current
        )  # a host that does not report its ceiling, such as a dead one, is no reason to change anything
    found = highest_common(list(evc.hosts.values()), evc.modes)
    if found is None:
        ceilings = (
            ", ".join(f"{host}: {mode or 'not reported'}" for host, mode in sorted(evc.hosts.items())) or "no hosts"
        )
        raise Blocked(
            (
                Concern(
                    "evc.no-common-mode",
                    Severity.BLOCKS,
                    evc.cluster,
                    f"its hosts have no EVC mode in common ({ceilings})",
                    "see that all hosts are connected and of one CPU vendor, or take one out of the cluster",
                ),
            )
        )
    return found


def check(site: Site, cluster: str, key: str) -> tuple[Concern, ...]:
    """Return what would stand against the mode, by vCenter's own dry run; changes nothing. Empty: nothing.

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
    return tuple(_concern(result, cluster, names) for result in results or () if result.error is not None)


def configure(site: Site, cluster: str, key: str) -> None:
    """Set the mode. vCenter refuses what would break a running VM.

    Raises: MigrationError.
    """
    found = _cluster(site, cluster)
    site.run(cluster, f"set EVC mode {key}", _start(site, found, lambda evc: evc.ConfigureEvc(key, None)))


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


def _concern(result: Any, cluster: str, names: Mapping[str, str]) -> Concern:
    name = faults.fault_name(result.error)
    hosts = ", ".join(sorted(names.get(Record(host, {}).moref, "a host") for host in result.host or ())) or cluster
    return Concern(
        "evc.refused",
        Severity.BLOCKS,
        cluster,
        f"EVC mode {result.evcModeKey} is refused for {hosts}: {faults.reasons(result.error)} ({name})",
        "choose a mode that these hosts and their running VMs support, or auto",
    )

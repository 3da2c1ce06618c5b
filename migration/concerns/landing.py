"""Is there a host that can take the VM? Asked before it is taken down, not after."""

from __future__ import annotations

from collections.abc import Iterator

from migration.model import Concern, Severity, Vm
from migration.observation import Observation
from migration.schedule import can_run, no_host
from migration.wanted import VmSpec


def no_host_able(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block a VM that would have to leave its site while no host of the other one can run it."""
    for vm in seen.vms:
        needs = _needs(spec, vm)
        view = seen.sites.get(spec.home)
        if vm.site == spec.home or view is None or needs is None:
            continue
        cluster, volumes, networks = needs
        if not any(can_run(host, cluster, volumes, networks) for host in view.hosts):
            yield no_host(spec.identity.name, view, volumes, networks)


def _needs(spec: VmSpec, vm: Vm) -> tuple[str, frozenset[str], frozenset[str]] | None:
    """Return cluster, volumes and networks that the VM needs at the other site; None where its papers are missing."""
    if vm.site == spec.source:
        present = vm.unrestored.nics.values() if vm.unrestored else [nic.network for nic in vm.nics]
        networks = frozenset(spec.networks[network] for network in present if network in spec.networks)
        return spec.cluster, vm.volumes, networks
    if vm.papers is None:
        return None  # the concern rollback.no-papers
    networks = frozenset(network for network in vm.papers.nics.values() if network)
    return vm.papers.cluster, frozenset(vm.papers.disks.values()), networks


def name_taken(spec: VmSpec, seen: Observation) -> Iterator[Concern]:
    """Block a VM whose folder at the other site holds another VM of its name: registering it there would be refused."""
    for vm in seen.vms:
        folder = vm.papers.folder if vm.site == spec.target and vm.papers else vm.folder
        if vm.site != spec.home and (spec.home, folder) in seen.namesakes:
            yield Concern(
                "vm.name-taken",
                Severity.BLOCKS,
                spec.identity.name,
                f"folder {folder or '/'!r} at {spec.home} holds another VM that is called {vm.name!r}",
                "rename one of the two, or move the other one to another folder",
            )

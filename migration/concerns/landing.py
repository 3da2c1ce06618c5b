"""Is there a host that can take the VM? Asked before it is taken down, not after."""

from __future__ import annotations

from collections.abc import Iterator

from migration.concerns.moves import Move, leaving
from migration.model import Severity, Vm
from migration.observation import Host, Observation
from migration.rule import Found, rule
from migration.schedule import can_run, no_host
from migration.wanted import VmSpec


@rule(
    "host.none-able",
    Severity.BLOCKS,
    "No usable host where it goes sees both its datastores and its networks.",
    remedy="bring a host back from maintenance, mount the datastores and networks on one, then run again",
    source="ours",
)
def no_host_able(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a VM that would have to leave its site while no host of the other one can run it, or not the one that is named."""
    for move in leaving(spec, seen):
        needs = _needs(spec, move)
        if needs is None:
            continue
        able = [host.name for host in move.there.hosts if can_run(host, *needs)]
        only = _only(spec, move)
        if not able:
            found = no_host(spec.identity.name, move.there, *needs[1:])
            yield Found(found.sentence, found.remedy)
        elif only and only not in able and any(host.name == only for host in move.there.hosts):
            yield Found(f"{only}, which it is to run on, is not usable, or does not see its datastores and networks")


def _needs(spec: VmSpec, move: Move) -> tuple[str, frozenset[str], frozenset[str]] | None:
    """Return cluster, volumes and networks that the VM needs at the other site; None where its papers are missing.

    Of a file that does not come along another concern tells: no host could ever see it.
    """
    networks = frozenset(move.networks.values())
    if move.vm.site == spec.source:
        along = frozenset(one.id for one in move.here.volumes if one.name in spec.old_volumes)
        return spec.cluster, move.vm.volumes & along if move.mounts else frozenset(), networks
    if move.vm.papers is None:
        return None  # the concern rollback.no-papers
    return move.vm.papers.cluster, frozenset(move.vm.papers.places(move.vm.disks).values()), networks


def _only(spec: VmSpec, move: Move) -> str:
    return spec.host if move.there.name == spec.target else ""


def _able(spec: VmSpec, move: Move) -> list[Host]:
    """Return the hosts that the VM may be given; none where the memory of one is not known (it has not joined yet)."""
    needs, only = _needs(spec, move), _only(spec, move)
    hosts = [host for host in move.there.hosts if needs and can_run(host, *needs) and only in ("", host.name)]
    return hosts if all(host.memory for host in hosts) else []


def _reserve(move: Move, host: Host) -> tuple[float, float]:
    """Return memory and free memory of the host's cluster beyond what HA's admission control keeps; GiB."""
    cluster = move.there.cluster(host.cluster)
    part = cluster.memory_reserve if cluster else 0.0
    hosts = [one for one in move.there.hosts if one.usable and one.cluster == host.cluster]
    memory, free = sum(one.memory for one in hosts), sum(one.free_memory for one in hosts)
    return memory * (1 - part), free - memory * part


def _held(vm: Vm) -> float:
    return max(vm.memory_reservation, vm.memory if vm.latency_sensitive else 0.0)


@rule(
    "host.reservation-too-large",
    Severity.BLOCKS,
    "The VM reserves more memory than any host where it goes has, or than its cluster has beyond HA's reserve.",
    remedy="lower its memory reservation, or add memory or hosts",
    source="API: InsufficientMemoryResourcesFault",
)
def reservation_too_large(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a reservation that can never be met there, so that the VM would not power on."""
    for move in leaving(spec, seen):
        hosts = _able(spec, move)
        need = _held(move.vm)
        if move.will_run and hosts and not any(need <= min(host.memory, _reserve(move, host)[0]) for host in hosts):
            yield Found(f"it reserves {need:g} GiB of memory, more than any host of {move.there.vcenter} can give it")


@rule(
    "host.memory-short",
    Severity.WARNS,
    "No host where it goes has its memory free, or its cluster has not beyond what HA keeps: guests may have to share.",
    remedy="add memory or hosts, or accept that hosts may have to reclaim memory from guests",
    source="API: InsufficientFailoverResourcesFault",
)
def memory_short(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a VM whose memory would have to be shared."""
    for move in leaving(spec, seen):
        hosts = _able(spec, move)
        free = max((min(host.free_memory, _reserve(move, host)[1]) for host in hosts), default=0.0)
        if move.will_run and hosts and move.vm.memory > free:
            yield Found(
                f"it has {move.vm.memory:g} GiB of memory; the host of {move.there.vcenter} with the most has "
                f"{max(free, 0.0):.0f} GiB free, HA's reserve left out"
            )

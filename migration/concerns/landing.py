"""Is there a host that can take the VM? Asked before it is taken down, not after."""

from __future__ import annotations

from collections.abc import Iterator

from migration.concerns.moves import Move, leaving
from migration.model import Needs, Severity, Vm
from migration.observation import Cluster, Host, Observation
from migration.rule import Found, rule
from migration.schedule import can_run, no_host, suffices
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
        if move.needed is None:
            continue
        able = [host.name for host in move.there.hosts if can_run(host, *move.needed)]
        if not able:
            found = no_host(spec.identity.name, move.there, *move.needed[1:])
            yield Found(found.sentence, found.remedy)
        elif not move.hosts and any(host.name == move.only for host in move.there.hosts):
            yield Found(
                f"{move.only}, which it is to run on, is not usable, or does not see its datastores and networks"
            )


def _able(move: Move) -> list[Host]:
    """Return the hosts that the VM may be given; none where the memory of one is not known (it has not joined yet)."""
    hosts = move.hosts
    return hosts if all(host.memory for host in hosts) else []


def _cluster(move: Move, name: str) -> Cluster:
    return move.there.cluster(name) or Cluster(name)


def _inside(move: Move, host: Host) -> tuple[Cluster, list[Host]]:
    """Return the cluster of the host and those of its hosts whose capacity counts there."""
    return _cluster(move, host.cluster), [one for one in move.there.hosts if one.usable and one.cluster == host.cluster]


def _memory(move: Move, host: Host) -> tuple[float, float]:
    """Return memory and free memory of the host's cluster beyond what HA's admission control keeps; GiB."""
    cluster, hosts = _inside(move, host)
    memory, free = sum(one.memory for one in hosts), sum(one.free_memory for one in hosts)
    return memory * (1 - cluster.memory_reserve), free - memory * cluster.memory_reserve


def _mhz(move: Move, host: Host) -> tuple[float, float]:
    """Return the MHz that the host can give to reservations, ever and now, beyond what HA's admission control keeps."""
    cluster, hosts = _inside(move, host)
    mhz, free = sum(one.mhz for one in hosts), sum(one.free_mhz for one in hosts)
    ever, now = mhz * (1 - cluster.cpu_reserve), free - mhz * cluster.cpu_reserve
    return min(host.mhz, ever), min(host.free_mhz, now)


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
        hosts = _able(move)
        need = _held(move.vm)
        if move.will_run and hosts and not any(need <= min(host.memory, _memory(move, host)[0]) for host in hosts):
            yield Found(f"it reserves {need:g} GiB of memory, more than any host of {move.there.vcenter} can give it")


@rule(
    "host.ha-keeps-all",
    Severity.BLOCKS,
    "As many hosts are left in the cluster where it goes as HA's admission control keeps for failures: no VM powers on there.",
    remedy="bring a host back, add one, or relax admission control there until it has arrived",
    source="API: InsufficientFailoverResourcesFault",
    halts=False,
)
def ha_keeps_all(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a VM whose guest would go down to stay down."""
    for move in leaving(spec, seen):
        clusters = [_cluster(move, name) for name in sorted({host.cluster for host in move.hosts})]
        if move.will_run and clusters and all(max(one.memory_reserve, one.cpu_reserve) >= 1 for one in clusters):
            names = ", ".join(one.name for one in clusters)
            yield Found(f"HA of cluster {names} at {move.there.vcenter} keeps all that its usable hosts have")


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
        hosts = _able(move)
        free = max((min(host.free_memory, _memory(move, host)[1]) for host in hosts), default=0.0)
        if move.will_run and hosts and move.vm.memory > free:
            yield Found(
                f"it has {move.vm.memory:g} GiB of memory; the host of {move.there.vcenter} with the most has "
                f"{max(free, 0.0):.0f} GiB free, HA's reserve left out"
            )


@rule(
    "host.cpu-too-few",
    Severity.BLOCKS,
    "No host where it goes has as many logical processors as the VM has vCPUs; of one that is off and is reattached it warns.",
    remedy="give the VM fewer vCPUs, or add a host with more processors",
    source="API: NotEnoughLogicalCpus",
    halts=False,
    lenient=True,
)
def cpu_too_few(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find more vCPUs than a host can run: it would not power on, and no host is asked to take it live or cold."""
    for move in leaving(spec, seen):
        hosts = move.modern
        if hosts and not any(suffices(host, Needs(cpus=move.vm.cpus)) for host in hosts):
            most = max(host.threads for host in hosts)
            yield Found(
                f"it has {move.vm.cpus} vCPUs; the host of {move.there.vcenter} with the most that it may go to has "
                f"{most} logical processors",
                severity=None if move.will_run or move.crosses else Severity.WARNS,
            )


@rule(
    "host.cpu-reservation",
    Severity.BLOCKS,
    "The VM reserves more MHz than any host where it goes has beyond HA's reserve; where only now none has it free, it warns.",
    remedy="lower its CPU reservation, or add hosts",
    source="API: InsufficientCpuResourcesFault, InsufficientFailoverResourcesFault",
    halts=False,
    lenient=True,
)
def cpu_reservation(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Find a CPU reservation that is not to be had there, so that the VM would not power on."""
    for move in leaving(spec, seen):
        need = move.vm.cpu_reservation
        hosts = [host for host in move.modern if suffices(host, Needs(cpus=move.vm.cpus))] or move.modern
        if not (move.will_run and need and hosts and all(host.mhz for host in hosts)):
            continue
        ever, now = (max(each) for each in zip(*(_mhz(move, host) for host in hosts), strict=True))
        if need > ever:
            yield Found(f"it reserves {need:.0f} MHz, more than any host of {move.there.vcenter} can give it")
        elif need > now:
            yield Found(
                f"it reserves {need:.0f} MHz; the host of {move.there.vcenter} with the most has {max(now, 0.0):.0f} MHz "
                "unreserved, HA's reserve left out",
                "power off or move what has reserved it, or lower its CPU reservation",
                Severity.WARNS,
            )

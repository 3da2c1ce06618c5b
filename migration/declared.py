"""What a preview may count on: the target as it will be once the run has built what is declared. Pure."""

from __future__ import annotations

from dataclasses import replace

from migration.observation import Cluster, Host, Observation, Volume
from migration.wanted import VmSpec


def as_declared(spec: VmSpec, seen: Observation, evc: frozenset[str] = frozenset()) -> Observation:
    """Return the observation with the target's declared networks, its new datastores, and the old ones mounted.

    What is there already stays as it is seen, but for the hosts of the declared cluster: they will see the declared networks
    and volumes, have the declared adapters for vMotion, and offer the modes `evc` once its EVC mode is set; none: they offer
    what they do now. Declared hosts that are not there yet have joined, and share in what HA keeps free. Where the cluster has
    no usable host all the same, one stands for those that may join.
    """
    target = seen.sites.get(spec.target)
    source = seen.sites.get(spec.source)
    if target is None or source is None:
        return seen
    names = {volume.name for volume in target.volumes}
    ids = {volume.id for volume in target.volumes}
    new = tuple(Volume(f"declared:{name}", name) for name in spec.new_volumes if name not in names)
    old = tuple(volume for volume in source.volumes if volume.name in spec.old_volumes and volume.id not in ids)
    networks = frozenset(spec.declared_networks)
    volumes = frozenset(one.id for one in new) | seen.volume_ids(spec.source, spec.old_volumes)
    there = [host for host in target.hosts if host.cluster == spec.cluster]
    usable = sum(host.usable for host in there)
    known = {host.name for host in target.hosts}
    joining = [Host(name, spec.cluster) for name in spec.declared_hosts if name not in known]
    there += joining
    if not usable and not joining:
        there.append(Host("declared", spec.cluster))
    others = [host for host in target.hosts if host.cluster != spec.cluster]
    built = [
        replace(
            one,
            networks=one.networks | networks,
            volumes=one.volumes | volumes,
            evc=evc or one.evc,
            vmotion=one.vmotion or one.name in spec.vmotion_hosts,
        )
        for one in there
    ]
    switch = spec.declared_switch or target.version
    distributed = dict.fromkeys(networks - set(spec.standard_networks), switch)
    view = replace(
        target,
        distributed={**distributed, **target.distributed},
        volumes=(*target.volumes, *new, *old),
        networks=target.networks | networks,
        hosts=(*built, *others),
        clusters=tuple(
            _shared(one, usable + len(joining)) if one.name == spec.cluster and joining else one
            for one in target.clusters
        ),
    )
    return replace(seen, sites={**seen.sites, spec.target: view})


def _shared(cluster: Cluster, hosts: int) -> Cluster:
    """Return the cluster as it is with so many usable hosts: of what HA keeps free each has a smaller part then."""
    if not cluster.spare:
        return cluster
    part = min(1.0, cluster.spare / hosts)
    return replace(cluster, memory_reserve=part, cpu_reserve=part)

"""What a preview may count on: the target as it will be once the run has built what is declared. Pure."""

from __future__ import annotations

from dataclasses import replace

from migration.model import Observation, SiteView, VmSpec, Volume


def as_declared(spec: VmSpec, seen: Observation) -> Observation:
    """Return the observation with the target's declared networks, its new datastores, and the old ones mounted.

    What is there already stays as it is seen.
    """
    target = seen.sites.get(spec.target)
    source = seen.sites.get(spec.source)
    if target is None or source is None:
        return seen
    names = {volume.name for volume in target.volumes}
    ids = {volume.id for volume in target.volumes}
    new = tuple(Volume(f"declared:{name}", name) for name in spec.new_volumes if name not in names)
    old = tuple(volume for volume in source.volumes if volume.name in spec.old_volumes and volume.id not in ids)
    built: SiteView = replace(
        target, volumes=(*target.volumes, *new, *old), networks=target.networks | set(spec.declared_networks)
    )
    return replace(seen, sites={**seen.sites, spec.target: built})

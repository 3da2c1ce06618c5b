"""Which VMs an earlier run has left on their way: asked once, before anything is declared, so that nothing else comes first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyVmomi import vim

from migration.wanted import Identity
from vsphere.machines import instance_uuid, papers
from vsphere.names import decoded
from vsphere.reading import collect
from vsphere.site import Site
from vsphere.snapshot import Record

_PATHS = ("name", "config.instanceUuid", "config.extraConfig")


def on_their_way(sites: Sequence[Site], wanted: Iterable[Identity]) -> frozenset[Identity]:
    """Return those of the wanted VMs whose papers say so, or that no site has registered; one bulk read per site.

    Raises: MigrationError.
    """
    read = (collect(site.session, "looking for VMs on their way", vim.VirtualMachine, _PATHS) for site in sites)
    records = [record for found in read for record in found]
    by_uuid = {instance_uuid(record).lower(): record for record in records}
    by_name = {decoded(str(record.get("name", ""))): record for record in records}

    def travelling(record: Record | None) -> bool:
        known = papers(record) if record else None
        return record is None or (known is not None and known.transit)

    return frozenset(
        who
        for who in wanted
        if travelling(by_uuid.get(who.instance_uuid.lower()) if who.instance_uuid else by_name.get(who.name))
    )

"""What the program must know before it declares anything: who is there, what exists, and which disks are not blank."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from components.providers import access
from components.target_site import Adoption, state_of_this_stack
from migration.errors import SettingsError
from vsphere import site_storage
from vsphere.existing import existing
from vsphere.session import close_all
from vsphere.site import Site
from vsphere.watch import News

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.settings import Settings


def look(stack: Settings) -> Adoption:
    """Verify both vCenters, log in, and return what to declare and what to adopt. Changes nothing.

    Raises: Refused, Unreachable; SettingsError where a new datastore is wanted on a disk that the source uses.
    """
    endpoints = access.endpoints(stack)
    try:
        source = Site(endpoints["source"], News(), threading.Event())
        names = sorted(existing(endpoints["source"])["datastore"])
        refuse_used_disks(stack, site_storage.old_volumes(source, names).values())
        there = existing(endpoints["target"])
    finally:
        close_all()  # a program is ended at once on Ctrl-C; no session should outlive it
    return Adoption(there, state_of_this_stack())


def refuse_used_disks(stack: Settings, used: Iterable[site_storage.OldVolume | None]) -> None:
    """Refuse a new datastore on a disk that holds a volume of the source: creating it would format the disk.

    Raises: SettingsError, naming every such disk.
    """
    holders = {device.lower(): volume.name for volume in used if volume for device in volume.devices}
    problems = [
        f"esxodus:target.datastores[{number}].disk: {datastore.disk} holds datastore {holders[datastore.disk.lower()]} of "
        f"{stack.source.vcenter}; a new datastore needs a blank disk"
        for number, datastore in enumerate(stack.target.datastores)
        if datastore.disk.lower() in holders
    ]
    if problems:
        raise SettingsError(problems)

"""Concerns that no rule finds beforehand: they are raised where a thing is done, or where the site is built.

Listed here, so that every id that an operator can ever see has its row in docs/concerns.md.
"""

from __future__ import annotations

from typing import Final

from migration import evc, new_datastores, new_site, presentation, retire, upgrade_concerns
from migration.model import Severity
from migration.rule import Kind


def _kind(identifier: str, about: str, remedy: str, source: str = "ours") -> Kind:
    return Kind(identifier, Severity.BLOCKS, about, remedy, source)


def _volume(state: str, about: str, remedy: str) -> Kind:
    return _kind(f"volume.{state}", f"An old datastore {about} on a new host.", remedy, "S35, S36, S45")


def _place(doing: str, done: str, what: str) -> Kind:
    remedy = "see whether it is there and connected, then run again"
    return _kind(f"{doing}.no-{what}", f"The {what} that the VM should be {done} is not shown.", remedy)


ELSEWHERE: Final[tuple[Kind, ...]] = (
    _kind(
        "hook.failed",
        "The command that is to run before the VM moves, or after it has arrived, failed each time or took too long.",
        "run it by hand to see why, then run again",
    ),
    _kind(
        "vm.owner-unknown",
        "The VM is registered nowhere, and a site has a VM that it cannot read, which may be the same.",
        "make that VM accessible, or remove it from the inventory, then run again",
    ),
    *(_place("register", "registered with", what) for what in ("datacenter", "cluster", "host", "volume")),
    *(_place("cross", "moved to", what) for what in ("datacenter", "cluster", "host")),
    _kind(
        "network.missing",
        "The site has no network of the name that a card should be connected to.",
        "create the network there, or correct esxodus:networkMap",
    ),
    _kind(
        "datastore.missing",
        "The site does not show the volume that the VM's files should go to.",
        "see whether the datastore is mounted there, then run again",
    ),
    _kind(
        "datastore.not-at-target",
        "The target shows none of the new datastores.",
        "see why they are missing there, then run again",
    ),
    _kind(
        "datastore.not-on-host",
        "The VM's host has mounted none of the new datastores.",
        "present and mount them there, or move the VM to a host that has them, then run again",
    ),
    _kind(
        "datastore.not-at-source",
        "The source has no datastore of the name that esxodus:oldDatastores gives.",
        "correct esxodus:oldDatastores",
    ),
    _kind(
        "datastore.name-taken",
        "The target has another datastore of the name of an old NFS datastore.",
        "rename that one: the old datastore keeps its name, by which its VMs know it",
    ),
    _kind(
        "datastore.not-mountable",
        "An old datastore is neither VMFS nor NFS, so the new hosts cannot mount it too.",
        "move its VMs to one that is, and take it out of esxodus:oldDatastores",
    ),
    _volume("unmounted", "is not mounted", "mount it on the host"),
    _volume("detached", "is on a disk that was detached", "attach its disk on the host, and mount it"),
    _volume("inaccessible", "is mounted, but cannot be reached", "see the paths to the device on the host"),
    _volume(
        "unresolved",
        "is held back as a copy",
        "present the original LUN with the same LUN id and NAA; do not resignature it: VMs run from it",
    ),
    _volume("not-scanned", "has a device, but is not opened", "see the host's log for why it does not open the volume"),
    _volume("not-presented", "has no device", "present the LUN to the host and zone it, then run again"),
    *new_site.KINDS,
    *presentation.KINDS,
    *retire.KINDS,
    *new_datastores.KINDS,
    *upgrade_concerns.KINDS,
    _kind(
        "rollback.volume-not-seen",
        "Its files belong on an old datastore that the target does not show.",
        "present and mount the old datastore on the target's hosts again",
    ),
    _kind(
        "evc.no-cluster",
        "The target has no cluster of the name whose EVC mode is to be set.",
        "correct cluster.name, or create it first",
    ),
    *evc.KINDS,
    _kind(
        "evc.refused",
        "vCenter's dry run refuses the EVC mode for some hosts.",
        "choose a mode that these hosts and their running VMs support, or auto",
        "S29, S30",
    ),
    _kind("task.cancelled", "Somebody cancelled a task of ours in vCenter.", "see why; run again to have it done"),
    _kind(
        "fault.*",
        "vCenter refused a step; the rest of the id is the fault's name.",
        "the concern itself says, for each fault",
        "API",
    ),
)

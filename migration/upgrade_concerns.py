"""What may stand against a rolling upgrade, each with its row in docs/concerns.md. Pure data."""

from __future__ import annotations

import enum
from typing import Final

from migration.model import Concern, Severity
from migration.rule import Kind

_RUN: Final = "then run again"


class Against(enum.Enum):
    """What may stand against the upgrade of a cluster, of a host, or against a VM's leaving its host."""

    CLUSTER = Kind(
        "upgrade.cluster-unknown",
        Severity.BLOCKS,
        "vCenter shows no cluster of this name, or several, in the datacenter.",
        "correct esxodus:upgrade.datacenter and esxodus:upgrade.cluster",
        "ours",
    )
    UNKNOWN = Kind(
        "upgrade.host-unknown",
        Severity.BLOCKS,
        "The cluster has no host of this name.",
        "correct esxodus:upgrade.hosts",
        "ours",
    )
    PATH = Kind(
        "upgrade.path",
        Severity.BLOCKS,
        "The host cannot be upgraded to the version in one step: the way is not supported, or leads back in time.",
        "take the version or the update that is named",
        "S16, S18, S19",
    )
    VCENTER = Kind(
        "upgrade.vcenter",
        Severity.BLOCKS,
        "The vCenter is older than what the hosts are to become, or does not manage what they are.",
        "upgrade vCenter first",
        "S16, S17",
    )
    PERMISSION = Kind(
        "upgrade.permission",
        Severity.BLOCKS,
        "Our user lacks privileges that the upgrade needs.",
        "give the user a role with these privileges there; docs/least-privilege.md has it",
        "API: NoPermission",
    )
    HOST_OUT = Kind(
        "upgrade.host-out",
        Severity.BLOCKS,
        "A host of the cluster is in maintenance mode or not connected, and not because of the upgrade.",
        "bring it back into service, or take it out of the cluster, then run again",
        "ours",
    )
    N_PLUS_ONE = Kind(
        "upgrade.not-n-plus-1",
        Severity.BLOCKS,
        "Without the host, the others have too little CPU or memory for what runs now and for what HA keeps free.",
        "shut VMs down, move them elsewhere, add memory or a host, or have HA keep less free, then run again",
        "U",
    )
    NOWHERE = Kind(
        "upgrade.vm-nowhere",
        Severity.BLOCKS,
        "No other host of the cluster can take the VM while it runs.",
        "make room or lift what the other hosts lack, or shut the VM down, then run again",
        "S58",
    )
    LOCAL = Kind(
        "upgrade.vm-local",
        Severity.BLOCKS,
        "A file of the VM, or an image in its drive, is on a datastore that no other host of the cluster reaches.",
        "move it to a shared datastore, or shut the VM down, then run again",
        "S58",
    )
    SUSPENDED = Kind(
        "upgrade.vm-suspended",
        Severity.BLOCKS,
        "The VM is suspended on a host that is to be upgraded.",
        "resume it or power it off, then run again",
        "U",
    )
    QUESTION = Kind(
        "upgrade.vm-question",
        Severity.BLOCKS,
        "The VM waits for the answer to a question, and cannot be moved before.",
        "answer it in vCenter, then run again",
        "API",
    )
    FAULT_TOLERANT = Kind(
        "upgrade.vm-fault-tolerant",
        Severity.BLOCKS,
        "Fault tolerance binds the VM, or its secondary, to its host.",
        "turn fault tolerance off for the time of the upgrade, then run again",
        "U",
    )
    DEVICE = Kind(
        "upgrade.vm-device",
        Severity.BLOCKS,
        "A device of the host's is connected to the VM: PCI, USB, a port, or the host's or a client's CD or floppy drive.",
        "disconnect or remove it, or shut the VM down, then run again",
        "S58",
    )
    PINNED = Kind(
        "upgrade.vm-pinned",
        Severity.BLOCKS,
        "The VM is bound to processors or memory of its host.",
        "take the affinity away, or shut the VM down, then run again",
        "API",
    )
    SHARED_BUS = Kind(
        "upgrade.vm-shared-bus",
        Severity.BLOCKS,
        "A disk of the VM is on a shared SCSI bus.",
        "shut this node of the cluster of guests down, then run again",
        "S58",
    )
    TOOLS_INSTALLER = Kind(
        "upgrade.vm-tools-installer",
        Severity.BLOCKS,
        "The installer of VMware Tools is mounted in the VM.",
        "end the installation or unmount the installer, then run again",
        "S53",
    )
    UNREACHABLE = Kind(
        "upgrade.vm-unreachable",
        Severity.BLOCKS,
        "vCenter shows a VM that runs as inaccessible, orphaned, invalid or disconnected.",
        "see why vCenter cannot reach it, then run again",
        "ours",
    )
    LOCKED = Kind(
        "upgrade.vm-locked",
        Severity.WARNS,
        "Somebody, such as a backup product, has disabled moving the VM.",
        "let the backup end before the host's turn comes",
        "API",
    )
    APART = Kind(
        "upgrade.rule-apart",
        Severity.BLOCKS,
        "A DRS rule keeps more VMs apart than hosts are left without the one that is upgraded.",
        "disable the rule for the time of the upgrade, then run again",
        "U",
    )
    MANUAL = Kind(
        "upgrade.drs-manual",
        Severity.WARNS,
        "DRS does not move all VMs of the cluster by itself: the others are moved one by one instead, which takes longer.",
        "nothing, or have DRS fully automated for the time of the upgrade",
        "ours",
    )
    DEPOT = Kind(
        "upgrade.depot",
        Severity.BLOCKS,
        "A host does not find the depot, or there is no such image profile in it.",
        "upload the offline bundle to a datastore that every host has mounted, and correct esxodus:upgrade.image",
        "U",
    )
    INSTALL = Kind(
        "upgrade.install-failed",
        Severity.BLOCKS,
        "The host, or the operator's command, refused to install the image. The host stays in maintenance mode, as it was.",
        "see what is said, and /var/log/esxupdate.log on the host; run again, which goes on there",
        "U",
    )
    REVERTED = Kind(
        "upgrade.reverted",
        Severity.BLOCKS,
        "The host was restarted and runs what it ran before. It stays in maintenance mode.",
        "see its /var/log/esxupdate.log and the console for why it did not boot the new image, then run again",
        "U",
    )
    OVERDUE = Kind(
        "upgrade.overdue",
        Severity.BLOCKS,
        "A host was not emptied, did not come back, or did not get back what the others have, in time.",
        "see what is said; run again, which goes on there",
        "ours",
    )

    def concern(self, subject: str, sentence: str, severity: Severity | None = None, remedy: str = "") -> Concern:
        """Return the concern that says it of a subject."""
        kind: Kind = self.value
        return Concern(kind.id, severity or kind.severity, subject, sentence, remedy or kind.remedy)

    @classmethod
    def named(cls, identifier: str) -> Against:
        """Return the one with this id."""
        return next(one for one in cls if one.value.id == identifier)


KINDS: Final[tuple[Kind, ...]] = tuple(one.value for one in Against)

"""What each vSphere fault means to the migration: what kind of error it is, and what the operator can do. Data."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


class Kind(enum.Enum):
    """Which of our errors a fault is."""

    BLOCKED = enum.auto()
    BUSY = enum.auto()
    STALE = enum.auto()
    SESSION_LOST = enum.auto()
    UNREACHABLE = enum.auto()
    REFUSED = enum.auto()


@dataclass(frozen=True, slots=True)
class Meaning:
    """What kind of error a fault is, and the way out."""

    kind: Kind
    remedy: str


def _blocked(remedy: str) -> Meaning:
    return Meaning(Kind.BLOCKED, remedy)


_BUSY: Final = Meaning(Kind.BUSY, "it is tried again")
_STALE: Final = Meaning(Kind.STALE, "it is observed again")
_SESSION_LOST: Final = Meaning(Kind.SESSION_LOST, "it logs in again")
_UNREACHABLE: Final = Meaning(Kind.UNREACHABLE, "see why it does not answer")
_HOST = "see the host's events in vCenter, or put it into maintenance mode so that another one is chosen"
_FILE = "see whether the datastore is mounted and whether another host or a backup proxy holds the file, then run again"
_CPU = "set esxodus:target.cluster.evc to a mode that its CPU features fit, or power it off, or use method reattach"
_MOVE = "correct what vCenter names, or use method reattach, then run again"

MEANINGS: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        # another operation, or a state that passes
        "TaskInProgress": _BUSY,
        "ConcurrentAccess": _BUSY,
        "ResourceInUse": _BUSY,
        "VAppTaskInProgress": _BUSY,
        "Timedout": _BUSY,
        "RequestCanceled": Meaning(Kind.BUSY, "somebody cancelled the task; it is tried again"),
        # what was acted on is gone, or is no longer as observed
        "ManagedObjectNotFound": _STALE,
        "NotFound": _STALE,
        "AlreadyExists": _STALE,
        "InvalidPowerState": _STALE,
        "InvalidCollectorVersion": _STALE,
        # session and connection
        "NotAuthenticated": _SESSION_LOST,
        "HostNotReachable": _UNREACHABLE,
        "HostCommunication": Meaning(
            Kind.UNREACHABLE, "vCenter has no connection to the host; see why it does not answer"
        ),
        "HostNotConnected": _blocked(
            "reconnect the host in vCenter, or put it into maintenance mode so that another one is chosen"
        ),
        # credentials and permission
        "InvalidLogin": Meaning(Kind.REFUSED, "correct the user name or the password"),
        "InvalidLocale": Meaning(Kind.REFUSED, "correct the locale"),
        "NoPermission": Meaning(Kind.REFUSED, "give the user the privilege there, then run again"),
        "UserNotFound": _blocked("add the identity source that knows the user or group, or do without the permission"),
        "AuthMinimumAdminPermission": _blocked("leave at least one administrator"),
        "RestrictedVersion": Meaning(Kind.REFUSED, "see whether the licence has expired or forbids the API"),
        # names and places
        "DuplicateName": _blocked("rename or move the object that already bears the name, then run again"),
        "InvalidName": _blocked("rename it: vCenter does not accept the name"),
        "InvalidFolder": _blocked("see whether the folder may hold virtual machines"),
        "InvalidDatastore": _blocked("see whether the datastore is mounted on the host"),
        "InvalidDatastorePath": _blocked("see whether the file is where its datastore shows it"),
        "InvalidState": _blocked("bring it into a state that allows this, then run again"),
        # room
        "NoDiskSpace": _blocked("free space on the datastore or name another one, then run again"),
        "InsufficientResourcesFault": _blocked(
            "free resources on the hosts, or lower the VM's reservation, then run again"
        ),
        "InsufficientFailoverResourcesFault": _blocked(
            "HA admission control refuses: add a host or relax the policy, then run again"
        ),
        # files
        "FileLocked": _blocked(
            "another host or a backup proxy holds the file: power it off there or release it, then run again"
        ),
        "FileNotFound": _blocked("see whether the file is where its datastore shows it"),
        "FileAlreadyExists": _blocked("see which VM the file belongs to; nothing here overwrites it"),
        "FileFault": _blocked(_FILE),
        "CannotAccessFile": _blocked(_FILE),
        "CannotAccessVmDisk": _blocked(_FILE),
        "CannotAccessVmConfig": _blocked(_FILE),
        "CannotAccessNetwork": _blocked("give the host that network, or correct esxodus:networkMap"),
        "CannotAccessVmDevice": _blocked("disconnect the device from the VM, then run again"),
        # guest
        "ToolsUnavailable": _blocked("start or install VMware Tools in the guest, or shut it down by hand"),
        "QuestionPending": _blocked("answer the VM's question in vCenter, then run again"),
        # configuration, compatibility
        "VmConfigFault": _blocked("correct the VM's settings in vCenter, then run again"),
        "InvalidVmConfig": _blocked("correct the VM's settings in vCenter, then run again"),
        "GenericVmConfigFault": _blocked(
            "correct what vCenter names, such as an address that another VM has, then run again"
        ),
        # moves: CPU, vMotion, networks, disks
        "CpuIncompatible": _blocked(_CPU),
        "FeatureRequirementsNotMet": _blocked(_CPU),
        "VMotionInterfaceIssue": _blocked("see to the vMotion network of the host that vCenter names, then run again"),
        "VMotionNotConfigured": _blocked(
            "enable vMotion on a VMkernel adapter of the host that vCenter names, or use method reattach"
        ),
        "VMotionNotLicensed": _blocked("license the host for vMotion, or use method reattach"),
        "VMotionNotSupported": _blocked("use method reattach: the host offers no vMotion"),
        "VMotionProtocolIncompatible": _blocked("use method reattach: the two hosts cannot talk vMotion to each other"),
        "CannotUseNetwork": _blocked(
            "map the network, in esxodus:networkMap, to one that the move may end on, or use method reattach"
        ),
        "VMOnVirtualIntranet": _blocked(
            "give the switch of that network a physical adapter on the host, or map to another one in esxodus:networkMap"
        ),
        "MigrationFeatureNotSupported": _blocked(_MOVE),
        "MigrationDisabled": _blocked("enable migration on the host that vCenter names, or use method reattach"),
        "MigrationNotReady": Meaning(Kind.BUSY, "the host is not ready for it yet; it is tried again"),
        "SuspendedRelocateNotSupported": _blocked("resume the VM or power it off, then run again"),
        "SnapshotCopyNotSupported": _blocked("remove the VM's snapshots, or use method reattach, then run again"),
        "DiskMoveTypeNotSupported": _blocked(_MOVE),
        "CannotMoveVmWithDeltaDisk": _blocked("consolidate its disks and remove its snapshots, then run again"),
        "RDMNotPreserved": _blocked("use method reattach with the raw device presented there, or detach it"),
        "RDMConversionNotSupported": _blocked("use method reattach with the raw device presented there, or detach it"),
        "ToolsInstallationInProgress": _blocked("end the installation of VMware Tools in the guest, then run again"),
        "DisallowedMigrationDeviceAttached": _blocked("disconnect the device that vCenter names, then run again"),
        "AffinityConfigured": _blocked("take away its CPU affinity, or use method reattach"),
        "UnsupportedDatastore": _blocked("name a datastore that may hold the VM's files"),
        "NotEnoughLicenses": _blocked("license the hosts and the vCenter for it, or use method reattach"),
        "MigrationFault": _blocked(_MOVE),
        "SnapshotFault": _blocked("correct or remove the VM's snapshots, then run again"),
        # EVC
        "EVCModeIllegalByVendor": _blocked(
            "set esxodus:target.cluster.evc to a mode of the hosts' CPU vendor, or to auto"
        ),
        "EVCModeUnsupportedByHosts": _blocked(
            "set esxodus:target.cluster.evc to a mode that these hosts support, or to auto; what a BIOS switches off, such as "
            "AES-NI or XD, lowers what a host supports"
        ),
        "EVCUnsupportedByHostHardware": _blocked(
            "take the host out of the cluster, or leave esxodus:target.cluster.evc out"
        ),
        "EVCUnsupportedByHostSoftware": _blocked("update ESXi on the host, or take it out of the cluster"),
        "HeterogenousHostsBlockingEVC": _blocked("hosts of two CPU vendors need two clusters"),
        "DisconnectedHostsBlockingEVC": _blocked("connect every host of the cluster, or take it out, then run again"),
        "ActiveVMsBlockingEVC": _blocked(
            "power off the VMs there that run with more than the mode has (a restart of the guest is not enough), or keep the "
            "higher mode, then run again"
        ),
        "EVCConfigFault": _blocked("choose a mode that every host of the cluster supports"),
        "EVCAdmissionFailed": _blocked(
            "lower the cluster's EVC mode (esxodus:target.cluster.evc) to one that the host supports, or leave the host out; "
            "VMs that run on it have to be powered off or moved away first"
        ),
        "HostConfigFault": _blocked(_HOST),
        "HostConnectFault": _blocked(_HOST),
        "SSLVerifyFault": Meaning(Kind.REFUSED, "correct the thumbprint"),
        "DvsFault": _blocked("correct the distributed switch, then run again"),
        "NotSupported": _blocked("vCenter does not offer this for this object in its present state or version"),
    }
)
"""By the fault's name, or by that of a fault that it extends."""

AT_THE_OTHER: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        "InvalidLogin": Meaning(Kind.REFUSED, "correct the user name or the password of that vCenter"),
        "SSLVerifyFault": Meaning(
            Kind.REFUSED,
            "it shows another certificate there than to us: see what stands between the two, or whether it was replaced",
        ),
        "NoPermission": Meaning(Kind.REFUSED, "give the users of both vCenters the privilege, then run again"),
        "NoHost": _blocked("open the way between the two vCenters, or use method reattach"),
        "HostConnectFault": _blocked("open the way between the two vCenters, or use method reattach"),
    }
)
"""The same for a task that logs in to another vCenter: what it was told there."""

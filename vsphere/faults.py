"""Where a vSphere fault, or a broken connection, becomes one of our errors. Nowhere else.

The table says for each fault by name what kind of error it is and what the operator can do. A fault that is not in it is looked
up by the faults that it extends; one that is wholly unknown becomes `Unexpected` and keeps its name.
"""

from __future__ import annotations

import enum
import http.client
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from xml.parsers.expat import ExpatError

from pyVmomi import vim, vmodl

from migration.errors import (
    Blocked,
    Busy,
    MigrationError,
    Refused,
    SessionLost,
    Stale,
    Unexpected,
    Unreachable,
)
from migration.model import Concern, Power, Severity
from vsphere.tls import Endpoint, unreachable

_UNREADABLE: Final = (KeyError, TypeError, ValueError, AttributeError)
"""What pyVmomi raises where it cannot make sense of an answer."""

TRANSPORT: Final = (OSError, http.client.HTTPException, ExpatError, vmodl.MethodFault, *_UNREADABLE)
"""What a call through pyVmomi can raise; `translated` understands it."""


class _Kind(enum.Enum):
    BLOCKED = enum.auto()
    BUSY = enum.auto()
    STALE = enum.auto()
    SESSION_LOST = enum.auto()
    UNREACHABLE = enum.auto()
    REFUSED = enum.auto()


@dataclass(frozen=True, slots=True)
class _Meaning:
    kind: _Kind
    remedy: str


def _blocked(remedy: str) -> _Meaning:
    return _Meaning(_Kind.BLOCKED, remedy)


_BUSY: Final = _Meaning(_Kind.BUSY, "it is tried again")
_STALE: Final = _Meaning(_Kind.STALE, "it is observed again")
_SESSION_LOST: Final = _Meaning(_Kind.SESSION_LOST, "it logs in again")
_UNREACHABLE: Final = _Meaning(_Kind.UNREACHABLE, "see why it does not answer")
_HOST = "see the host's events in vCenter, or put it into maintenance mode so that another one is chosen"
_FILE = "see whether the datastore is mounted and whether another host or a backup proxy holds the file, then run again"

MEANINGS: Final[Mapping[str, _Meaning]] = MappingProxyType(
    {
        # another operation, or a state that passes
        "TaskInProgress": _BUSY,
        "ConcurrentAccess": _BUSY,
        "ResourceInUse": _BUSY,
        "VAppTaskInProgress": _BUSY,
        "Timedout": _BUSY,
        "RequestCanceled": _Meaning(_Kind.BUSY, "somebody cancelled the task; it is tried again"),
        # what was acted on is gone, or is no longer as observed
        "ManagedObjectNotFound": _STALE,
        "NotFound": _STALE,
        "AlreadyExists": _STALE,
        "InvalidPowerState": _STALE,
        "InvalidCollectorVersion": _STALE,
        # session and connection
        "NotAuthenticated": _SESSION_LOST,
        "HostNotReachable": _UNREACHABLE,
        "HostCommunication": _Meaning(
            _Kind.UNREACHABLE, "vCenter has no connection to the host; see why it does not answer"
        ),
        "HostNotConnected": _blocked(
            "reconnect the host in vCenter, or put it into maintenance mode so that another one is chosen"
        ),
        # credentials and permission
        "InvalidLogin": _Meaning(_Kind.REFUSED, "correct the user name or the password"),
        "InvalidLocale": _Meaning(_Kind.REFUSED, "correct the locale"),
        "NoPermission": _Meaning(_Kind.REFUSED, "give the user the privilege there, then run again"),
        "RestrictedVersion": _Meaning(_Kind.REFUSED, "see whether the licence has expired or forbids the API"),
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
        "MigrationFault": _blocked("correct what vCenter names, then run again"),
        "SnapshotFault": _blocked("correct or remove the VM's snapshots, then run again"),
        "EVCConfigFault": _blocked("choose a mode that every host of the cluster supports"),
        "HostConfigFault": _blocked(_HOST),
        "HostConnectFault": _blocked(_HOST),
        "SSLVerifyFault": _Meaning(_Kind.REFUSED, "correct the thumbprint"),
        "DvsFault": _blocked("correct the distributed switch, then run again"),
        "NotSupported": _blocked("vCenter does not offer this for this object in its present state or version"),
    }
)


def translated(error: BaseException, endpoint: Endpoint, doing: str, subject: str = "") -> MigrationError:
    """Return the error of ours for what came out of a call.

    `doing` says what was tried ("power on app01"), `subject` is the VM or thing, for concerns.
    """
    if isinstance(error, MigrationError):
        return error
    if isinstance(error, _UNREADABLE) and not isinstance(error, OSError | vmodl.MethodFault):
        return Unexpected(f"{doing}: {endpoint} answered in a way that cannot be read: {error!r}")
    if not isinstance(error, vmodl.MethodFault):
        broken = unreachable(endpoint, error)
        return Unreachable(f"{doing}: {broken}")
    meaning = _meaning(error)
    name = fault_name(error)
    why = reasons(error)
    if meaning is None:
        return Unexpected(f"{doing}: {endpoint} answered with {name}: {why}")
    sentence = f"{doing} failed at {endpoint}: {why} ({name})"
    match meaning.kind:
        case _Kind.BLOCKED:
            where = subject or endpoint.name
            sentence = sentence.removeprefix(f"{where}: ")  # the concern names it itself
            return Blocked((Concern(f"fault.{_kebab(name)}", Severity.BLOCKS, where, sentence, meaning.remedy),))
        case _Kind.BUSY:
            return Busy(f"{sentence}; {meaning.remedy}")
        case _Kind.STALE:
            return Stale(f"{sentence}; {meaning.remedy}")
        case _Kind.SESSION_LOST:
            return SessionLost(f"{sentence}; {meaning.remedy}")
        case _Kind.UNREACHABLE:
            return Unreachable(f"{sentence}; {meaning.remedy}")
        case _Kind.REFUSED:
            return Refused(
                f"{doing} refused by {endpoint} to user {endpoint.username}: {why} ({name}); {meaning.remedy}"
            )


def already(error: BaseException | None, wanted: Power) -> bool:
    """Say whether a power operation was refused because the VM is as wanted; that is success.

    `requestedState` is not asked: the API documents it as the state that the operation needs, servers fill in the one wanted.
    """
    return isinstance(error, vim.fault.InvalidPowerState) and str(error.existingState) == wanted.value


def fault_name(fault: BaseException) -> str:
    """Return the fault's name as the API reference has it."""
    return type(fault).__name__.rpartition(".")[2]


def reasons(fault: vmodl.MethodFault) -> str:
    """Return in one line why it failed: the fault's message and what is nested in it, each sentence once."""
    found: list[str] = []
    for text in _reasons(fault):
        line = " ".join(text.split()).rstrip(".")
        if line and not any(line in other for other in found):
            found = [other for other in found if other not in line]
            found.append(line)
    return ": ".join(found) or "no reason given"


def _reasons(fault: vmodl.MethodFault) -> Iterator[str]:
    """Yield the texts in a fault, outermost first."""
    yield _text(fault, "msg")
    yield from _details(fault)
    for message in getattr(fault, "faultMessage", None) or ():
        yield _text(message, "message")
    cause = getattr(fault, "faultCause", None)
    if isinstance(cause, vmodl.MethodFault):
        yield from _reasons(cause)


def _details(fault: vmodl.MethodFault) -> Iterator[str]:
    """Yield what single kinds of fault say in fields of their own."""
    match fault:
        case vim.fault.NoPermission():
            wanted = [_text(fault, "privilegeId")]
            for entity in getattr(fault, "missingPrivileges", None) or ():
                wanted += list(entity.privilegeIds)
            yield "the privilege " + ", ".join(sorted({one for one in wanted if one})) + " is missing"
        case vim.fault.InvalidPowerState():
            yield f"it is {fault.existingState}"
        case vim.fault.DuplicateName():
            yield f"the name {fault.name!r} exists already"
        case vim.fault.AlreadyExists():
            yield f"{_text(fault, 'name') or 'it'} exists already"
        case vim.fault.NoDiskSpace():
            yield f"no space on {fault.datastore} for {fault.file}"
        case vim.fault.FileFault():
            yield f"file {fault.file}"
        case vim.fault.GenericVmConfigFault():
            yield _text(fault, "reason")
        case vim.fault.InvalidVmConfig():
            yield f"setting {_text(fault, 'property')}" if _text(fault, "property") else ""
        case vmodl.fault.InvalidArgument():
            yield f"argument {_text(fault, 'invalidProperty')}" if _text(fault, "invalidProperty") else ""
        case vmodl.fault.SystemError():
            yield _text(fault, "reason")
        case _:
            return


def _text(holder: object, field: str) -> str:
    value = getattr(holder, field, None)
    return value if isinstance(value, str) else ""


def _meaning(fault: vmodl.MethodFault) -> _Meaning | None:
    names = (cls.__name__.rpartition(".")[2] for cls in type(fault).__mro__)
    return next((MEANINGS[name] for name in names if name in MEANINGS), None)


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()

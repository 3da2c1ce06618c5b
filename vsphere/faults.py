"""Where a vSphere fault, or a broken connection, becomes one of our errors. Nowhere else.

vsphere.meanings says for each fault by name what kind of error it is and what the operator can do. A fault that is not there is
looked up by the faults that it extends; one that is wholly unknown becomes `Unexpected` and keeps its name.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Mapping
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
from vsphere.meanings import AT_THE_OTHER, MEANINGS, Kind, Meaning
from vsphere.tls import Endpoint, colons, unreachable

_UNREADABLE: Final = (KeyError, TypeError, ValueError, AttributeError)
"""What pyVmomi raises where it cannot make sense of an answer."""

TRANSPORT: Final = (OSError, http.client.HTTPException, ExpatError, vmodl.MethodFault, *_UNREADABLE)
"""What a call through pyVmomi can raise; `translated` understands it."""


_NAMELESS: Final = re.compile(r" (?:on|for|in|of|to|at|from) (?:the )?(?:\w+ )?(?:''|\"\")")
"""Where a message of vCenter's has a place for a name, and the fault has none."""


def translated(
    error: BaseException, endpoint: Endpoint, doing: str, subject: str = "", other: Endpoint | None = None
) -> MigrationError:
    """Return the error of ours for what came out of a call.

    `doing` says what was tried ("power on app01"), `subject` is the VM or thing, for concerns. `other` is the vCenter, if any,
    that `endpoint` was to log in to for it.
    """
    if isinstance(error, MigrationError):
        return error
    if isinstance(error, _UNREADABLE) and not isinstance(error, OSError | vmodl.MethodFault):
        return Unexpected(f"{doing}: {endpoint} answered in a way that cannot be read: {error!r}")
    if not isinstance(error, vmodl.MethodFault):
        broken = unreachable(endpoint, error)
        return Unreachable(f"{doing}: {broken}")
    elsewhere = _meaning(error, AT_THE_OTHER) if other else None
    meaning = elsewhere or _meaning(error, MEANINGS)
    name = fault_name(error)
    why = reasons(error)
    if meaning is None:
        return Unexpected(f"{doing}: {endpoint} answered with {name}: {why}")
    sentence = f"{doing} failed at {endpoint}: {why} ({name})"
    if elsewhere:
        assert other is not None  # noqa: S101 - else nothing was looked up
        if isinstance(error, vim.fault.SSLVerifyFault) and other.thumbprint:
            why = f"{why}, but {colons(other.thumbprint)} is pinned"
        sentence = f"{doing} failed at {endpoint}, which was to log in to {other} as {other.username}: {why} ({name})"
    match meaning.kind:
        case Kind.BLOCKED:
            where = subject or endpoint.name
            sentence = sentence.removeprefix(f"{where}: ")  # the concern names it itself
            return Blocked((Concern(f"fault.{_kebab(name)}", Severity.BLOCKS, where, sentence, meaning.remedy),))
        case Kind.BUSY:
            return Busy(f"{sentence}; {meaning.remedy}")
        case Kind.STALE:
            return Stale(f"{sentence}; {meaning.remedy}")
        case Kind.SESSION_LOST:
            return SessionLost(f"{sentence}; {meaning.remedy}")
        case Kind.UNREACHABLE:
            return Unreachable(f"{sentence}; {meaning.remedy}")
        case Kind.REFUSED if elsewhere:
            return Refused(f"{sentence}; {meaning.remedy}")
        case Kind.REFUSED:
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
        line = _NAMELESS.sub("", " ".join(text.split())).rstrip(".")
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
        case vim.fault.SSLVerifyFault():
            yield f"the certificate there has the thumbprint {_text(fault, 'thumbprint')}"
        case vim.fault.CannotAccessVmDevice() | vim.fault.CannotUseNetwork():
            yield " with ".join(filter(None, (_text(fault, "device"), _text(fault, "backing"))))
        case vim.fault.EVCModeIllegalByVendor():
            yield f"it is for {fault.modeCPUVendor or 'other'} processors, the hosts have {fault.clusterCPUVendor or 'others'}"
        case vim.fault.EVCModeUnsupportedByHosts() | vim.fault.ActiveVMsBlockingEVC():
            yield _hosts(fault)
        case vim.fault.EVCUnsupportedByHostHardware() | vim.fault.EVCUnsupportedByHostSoftware():
            yield _hosts(fault)
        case vim.fault.DuplicateName():
            yield f"the name {fault.name!r} exists already"
        case vim.fault.AlreadyExists():
            yield f"{_text(fault, 'name') or 'it'} exists already"
        case vim.fault.NoDiskSpace():
            where = _named(" on", fault, "datastore") + _named(" for", fault, "file")
            yield f"no space{where}" if where else ""
        case vim.fault.FileFault():
            yield _named("file", fault, "file")
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


def _hosts(fault: vmodl.MethodFault) -> str:
    """Return the hosts that a fault names, nothing where it names none."""
    names = ", ".join(str(one) for one in getattr(fault, "hostName", None) or ())
    return f"on {names}" if names else ""


def _text(holder: object, field: str) -> str:
    value = getattr(holder, field, None)
    return value if isinstance(value, str) else ""


def _named(words: str, fault: vmodl.MethodFault, field: str) -> str:
    """Return the words with the name in the field, nothing where there is none."""
    name = _text(fault, field)
    return f"{words} {name}" if name else ""


def _meaning(fault: vmodl.MethodFault, among: Mapping[str, Meaning]) -> Meaning | None:
    names = (cls.__name__.rpartition(".")[2] for cls in type(fault).__mro__)
    return next((among[name] for name in names if name in among), None)


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()

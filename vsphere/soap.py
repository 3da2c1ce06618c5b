"""pyVmomi's SOAP client as we use it: its peer verified, its version the best that both sides know, its writes recorded."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from pyVmomi import SoapAdapter, VmomiSupport, vim

from migration.errors import Unexpected, Unreachable
from vsphere import audit, guard, tls
from vsphere.names import decoded
from vsphere.tls import Endpoint

if TYPE_CHECKING:
    from pyVmomi.VmomiSupport import ManagedObject

_IDLE: Final = 30
"""Seconds after which an idle connection is no longer reused: the peer might be closing it just then."""
_POOL: Final = 64
"""Idle connections kept for reuse; more than that may be open at once."""
_VERSIONS: Final = re.compile(r"<version>\s*([^<\s]+)\s*</version>")


def client(endpoint: Endpoint, version: str, patience: float, name: Callable[[str], str]) -> Any:
    """Return pyVmomi's SOAP client, on connections that verify their peer; every write through it is recorded.

    `name` gives the name of an object by its id, "" where it is not known.
    """
    made: dict[str, str] = {}  # what this client has made, before the inventory shows it
    stub: Any = SoapAdapter.SoapStubAdapter(
        host=endpoint.host, port=endpoint.port, version=version, poolSize=_POOL, connectionPoolTimeout=_IDLE
    )
    context = tls.context(endpoint)
    stub.scheme = lambda **_: tls.VerifiedConnection(endpoint, context, patience)
    invoke = stub.InvokeMethod

    def recorded(thing: ManagedObject, info: Any, arguments: Any, *more: Any) -> Any:
        method = _named(str(info.wsdlName), arguments)
        guard.refuse(thing, method, arguments)
        if method in audit.READS or method in audit.UNLISTED:
            return invoke(thing, info, arguments, *more)
        subject = _subject(thing, method, arguments)
        key = subject if isinstance(subject, str) else moref(subject)
        with audit.writing(endpoint.name, method, name(key) or made.get(key, key)) as started:
            answer = invoke(thing, info, arguments, *more)
            if isinstance(answer, vim.Task):
                started(moref(answer))
            if isinstance(answer, vim.ManagedEntity):
                made[moref(answer)] = next((decoded(one) for one in arguments if isinstance(one, str)), "")
            return answer

    stub.InvokeMethod = recorded  # whatever makes a call, it comes through here
    return stub


def _named(method: str, arguments: Any) -> str:
    """Return what a call is known by: what ExecuteSoap runs says all, and may change something or not."""
    if method != "ExecuteSoap":
        return method
    _, _, command, *_ = arguments
    return f"esxcli {str(command).removeprefix('vim.EsxCLI.').replace('.', ' ')}"


def _subject(thing: ManagedObject, method: str, arguments: Any) -> ManagedObject | str:
    """Return what a call is about: what a service such as the AuthorizationManager is given, else the object called.

    A VM that is to be registered has only a name.
    """
    if method == "RegisterVM_Task":
        _, named, *_ = arguments
        return decoded(str(named))
    if isinstance(thing, vim.ManagedEntity):
        return thing
    return next((one for one in arguments if isinstance(one, vim.ManagedEntity)), thing)


def best_version(endpoint: Endpoint) -> str:
    """Return the newest API version that both pyVmomi and the vCenter know, by the list that every vCenter publishes."""
    path = "/sdk/vimServiceVersions.xml"
    peer = tls.connection(endpoint)
    try:
        peer.request("GET", path)
        answer = peer.getresponse()
        text = answer.read(1 << 20).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise tls.unreachable(endpoint, error) from error
    finally:
        peer.close()
    if answer.status >= http.client.INTERNAL_SERVER_ERROR:
        raise Unreachable(
            f"{endpoint}: {path} answered HTTP status {answer.status}; its services may still be starting"
        )
    offered = set(_VERSIONS.findall(text))
    for version in VmomiSupport.GetServiceVersions("vim25"):
        if VmomiSupport.versionIdMap[version] in offered:
            return str(version)
    raise Unexpected(f"{endpoint} does not answer as a vCenter: HTTP status {answer.status}, no known API version")


def moref(thing: ManagedObject) -> str:
    """Return the object's id; it holds within one vCenter, for as long as the object is registered there."""
    value: Any = thing._moId  # pyVmomi offers it by no other name
    return str(value)

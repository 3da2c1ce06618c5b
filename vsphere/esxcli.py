"""esxcli on a host, through vCenter: what Get-EsxCli and govc do, without a login on the host or SSH.

HostSystem.RetrieveManagedMethodExecuter and the executer's ExecuteSoap are in no public description of the API, so that pyVmomi
has no types for them; these are as govmomi (cli/esx, internal/types.go) and VMware's own older bindings have them. The commands
that may be run at all are listed in vsphere.guard.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from pyVmomi import VmomiSupport, vim

from migration.errors import Unexpected
from vsphere.session import moref
from vsphere.site import Site

_BASE: Final = "vmodl.version.version0"
_EXECUTER: Final = "vmodl.reflect.ManagedMethodExecuter"
_OPTIONAL: Final = VmomiSupport.F_OPTIONAL
_SPOKEN: Final = "urn:vim25/5.0"
"""The version in which the host is spoken to: every ESXi since 5.0 knows it."""

_SPACES: Final = re.compile(r"\s+")


def _text(name: str) -> tuple[Any, ...]:
    return (name, "string", _BASE, 0, None)


def _declare() -> tuple[Any, Any]:
    """Teach pyVmomi the types and return the infos of the two methods."""
    VmomiSupport.CreateDataType(
        f"{_EXECUTER}.SoapArgument",
        "ReflectManagedMethodExecuterSoapArgument",
        "vmodl.DynamicData",
        _BASE,
        [("name", "string", _BASE, 0), ("val", "string", _BASE, 0)],
    )
    VmomiSupport.CreateDataType(
        f"{_EXECUTER}.SoapFault",
        "ReflectManagedMethodExecuterSoapFault",
        "vmodl.DynamicData",
        _BASE,
        [("faultMsg", "string", _BASE, 0), ("faultDetail", "string", _BASE, _OPTIONAL)],
    )
    VmomiSupport.CreateDataType(
        f"{_EXECUTER}.SoapResult",
        "ReflectManagedMethodExecuterSoapResult",
        "vmodl.DynamicData",
        _BASE,
        [("response", "string", _BASE, _OPTIONAL), ("fault", f"{_EXECUTER}.SoapFault", _BASE, _OPTIONAL)],
    )
    arguments = ("argument", f"{_EXECUTER}.SoapArgument[]", _BASE, _OPTIONAL, None)
    result = f"{_EXECUTER}.SoapResult"
    execute = (
        "executeSoap",
        "ExecuteSoap",
        _BASE,
        (_text("moid"), _text("version"), _text("method"), arguments),
        (_OPTIONAL, result, result),
        None,
        None,
    )
    retrieve = (
        "retrieveManagedMethodExecuter",
        "RetrieveManagedMethodExecuter",
        _BASE,
        (),
        (_OPTIONAL, _EXECUTER, _EXECUTER),
        None,
        None,
    )
    VmomiSupport.CreateManagedType(
        _EXECUTER, "ReflectManagedMethodExecuter", "vmodl.ManagedObject", _BASE, None, [execute, retrieve]
    )
    executer = VmomiSupport.GetVmodlType(_EXECUTER)
    return executer.ExecuteSoap.info, executer.RetrieveManagedMethodExecuter.info


_EXECUTE, _RETRIEVE = _declare()


class CommandFailed(Exception):
    """The host refused the command; the message is its own, in one line."""


def run(
    site: Site, host: vim.HostSystem, name: str, command: str, arguments: Mapping[str, str | bool], *, reads: bool
) -> list[dict[str, str]]:
    """Run a command such as "software profile get" on the host and return its records. Blocks until the command has ended.

    `reads`: it changes nothing, so that it may be repeated after a lost session.

    Raises: CommandFailed with what the host says; MigrationError.
    """
    doing = f"{name}: esxcli {command}"
    session = site.session
    stub: Any = session.patient(host)
    executer: Any = session.read(doing, lambda: stub._stub.InvokeMethod(stub, _RETRIEVE, ()), name)
    if executer is None:
        raise Unexpected(f"{doing}: {site.endpoint} offers no esxcli on this host")
    session.parts[moref(executer)] = name
    words = command.split()
    kind: Any = VmomiSupport.GetVmodlType(f"{_EXECUTER}.SoapArgument")
    given = [kind(name=key, val=f"<{key}>{_written(value)}</{key}>") for key, value in arguments.items()]
    call = ("ha-cli-handler-" + "-".join(words[:-1]), _SPOKEN, "vim.EsxCLI." + ".".join(words), given)
    send = session.read if reads else session.send
    result: Any = send(doing, lambda: stub._stub.InvokeMethod(executer, _EXECUTE, call), name)
    if result is not None and result.fault is not None:
        raise CommandFailed(_said(result.fault))
    return _records(result.response) if result is not None and result.response else []


def _written(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else escape(value)


def _said(fault: Any) -> str:
    """Return the command's messages; the fault's own is but the name of its kind."""
    try:
        texts = [one.text or "" for one in _parsed(fault.faultDetail or "").iter() if _local(one) == "errMsg"]
    except ElementTree.ParseError:
        texts = []
    return _SPACES.sub(" ", " ".join(filter(None, texts)) or str(fault.faultMsg)).strip()


def _records(response: str) -> list[dict[str, str]]:
    """Return the fields of the one record, or of each in a list, by name.

    Raises: Unexpected.
    """
    try:
        root = _parsed(response)
    except ElementTree.ParseError as error:
        raise Unexpected(f"esxcli answered what is no XML: {error}") from error
    records = [one for one in root if _local(one) == "DataObject"] or ([root] if len(root) else [])
    return [{_local(field): field.text or "" for field in record} for record in records]


def _parsed(text: str) -> ElementTree.Element:
    """Return the root of what a host has written, and a vCenter that is verified has handed over."""
    return ElementTree.fromstring(text)  # noqa: S314 - and this parser opens nothing from outside


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]

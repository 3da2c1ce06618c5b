"""The problems of a stack's settings that only show when several keys are seen together.

They are looked for in the plain data, so that they are reported together with whatever else is wrong with it.
"""

from __future__ import annotations

import shutil
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from components import settings_checks_fabric, settings_checks_networks, settings_datastores
from components.settings_data import entries as _entries
from components.settings_data import keys as _keys
from components.settings_data import named as _named
from components.settings_data import names as _names
from components.settings_data import texts as _texts
from components.settings_data import twice as _twice
from components.settings_data import unknown as _unknown
from components.settings_data import verified as _verified
from migration.concerns import known_ids, only_block

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


def cross_checked(data: Mapping[str, Any]) -> list[str]:
    """Return the problems; what does not have the form that it should have is passed over here."""
    old = _names(data.get("oldDatastores"))
    target = _keys(data.get("target"))
    hosts, networks, new = (_entries(target.get(key)) for key in ("hosts", "networks", "datastores"))
    pods = _entries(target.get("datastoreClusters"))
    waves = _entries(data.get("waves"))
    vms = _vms(waves)
    return [
        *_verified("esxodus:source", data.get("source")),
        *_verified("esxodus:target", data.get("target")),
        *_twice("esxodus:target.hosts", "host", [name.lower() for name in _named(hosts)]),
        *_twice("esxodus:target.networks", "network", _named(networks)),
        *_twice("esxodus:target.datastores", "datastore", _named(new)),
        *_twice("esxodus:target.datastores", "disk", _named(new, "disk")),
        *_twice("esxodus:target.datastoreClusters", "datastore cluster", _named(pods)),
        *settings_datastores.problems("esxodus:target.datastores", new, _named(pods)),
        *settings_checks_networks.problems(target),
        *_twice("esxodus:oldDatastores", "datastore", old),
        *_old_and_new(old, _named(new)),
        *settings_checks_fabric.problems(
            _keys(data.get("fabric")), data.get("fabricPassword"), [name.lower() for name in _named(hosts)]
        ),
        *_twice("esxodus:waves", "wave", _named(waves)),
        *_twice("esxodus:waves", "VM", [f"{name} {uuid}".strip() for _, name, uuid in vms]),
        *_unclear(vms),
        *_order(waves),
        *_placed(waves, _named(hosts), _named(new)),
        *_accepted(_entries(data.get("accept")), {name for _, name, _ in vms}),
    ]


def unrunnable(data: Mapping[str, Any]) -> list[str]:
    """Return the hooks whose command is neither on PATH nor an executable file, as seen from the present folder."""
    problems = []
    for path, entry in _wave_entries(_entries(data.get("waves"))):
        hooks = _keys(entry.get("hooks"))
        for when in ("before", "after"):
            command = _texts(_keys(hooks.get(when)).get("command"))[:1]
            problems += [
                f"{path}.hooks.{when}.command: {word} is neither on PATH nor an executable file; "
                "a path is relative to the project's folder"
                for word in command
                if word and shutil.which(word) is None
            ]
    return problems


def _vms(waves: Iterable[tuple[int, Mapping[str, Any]]]) -> list[tuple[str, str, str]]:
    """Return path, name and instance UUID (or "") of each VM."""
    found = []
    for number, wave in waves:
        listed = wave.get("vms")
        for place, vm in enumerate(listed if isinstance(listed, list) else []):
            entry = {"name": vm} if isinstance(vm, str) else _keys(vm)
            name, uuid = entry.get("name"), entry.get("uuid")
            if isinstance(name, str):
                path = f"esxodus:waves[{number}].vms[{place}]"
                found.append((path, name, uuid.lower() if isinstance(uuid, str) else ""))
    return found


def _old_and_new(old: Sequence[str], new: Sequence[str]) -> list[str]:
    return [
        f"esxodus:oldDatastores[{number}]: {name} is also the name of a new datastore; the target's vCenter will show both"
        for number, name in enumerate(old)
        if name in new
    ]


def _unclear(vms: Sequence[tuple[str, str, str]]) -> list[str]:
    """VMs may share a name only where each is told apart by its UUID, and no UUID may be there twice."""
    known = {name for _, name, uuid in vms if uuid}
    first: dict[str, str] = {}
    problems = []
    for path, name, uuid in vms:
        if not uuid and name in known:
            problems.append(f"{path}: another entry names VM {name} by its uuid; add the uuid here too")
        if uuid and first.setdefault(uuid, name) != name:
            problems.append(f"{path}.uuid: {uuid} is also that of VM {first[uuid]}")
    return problems


def _wave_entries(waves: Iterable[tuple[int, Mapping[str, Any]]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each wave and each of its VMs that says something of its own, with its path."""
    for number, wave in waves:
        path = f"esxodus:waves[{number}]"
        yield path, wave
        for place, vm in _entries(wave.get("vms")):
            yield f"{path}.vms[{place}]", vm


def _placed(waves: Sequence[tuple[int, Mapping[str, Any]]], hosts: Sequence[str], new: Sequence[str]) -> list[str]:
    """A VM goes to a host and a datastore that are declared at the target."""
    problems = []
    for path, entry in _wave_entries(waves):
        placement = _keys(entry.get("placement"))
        problems += _unknown(f"{path}.placement.host", "host of esxodus:target.hosts", placement.get("host"), hosts)
        store, what = placement.get("datastore"), "datastore of esxodus:target.datastores"
        problems += _unknown(f"{path}.placement.datastore", what, store, new)
    return problems


def _accepted(accept: Sequence[tuple[int, Mapping[str, Any]]], vms: set[str]) -> list[str]:
    pairs = [f"{entry.get('concern')} of {entry.get('vm')}" for _, entry in accept]
    problems = _twice("esxodus:accept", "concern", pairs)
    for number, entry in accept:
        path, identifier = f"esxodus:accept[{number}].concern", entry.get("concern")
        problems += _unknown(path, "concern of docs/concerns.md", identifier, known_ids())
        if isinstance(identifier, str) and identifier in only_block():
            problems.append(
                f"{path}: {identifier} always blocks, so it cannot be accepted; docs/concerns.md has the remedy"
            )
        problems += _unknown(f"esxodus:accept[{number}].vm", "VM of esxodus:waves", entry.get("vm"), {*vms, "*"})
    return problems


def _order(waves: Sequence[tuple[int, Mapping[str, Any]]]) -> list[str]:
    """Return what is wrong with the order of the waves."""
    names = set(_named(waves))
    after = [(number, wave.get("name"), _texts(wave.get("after"))) for number, wave in waves]
    problems = []
    for number, _, earlier in after:
        for place, name in enumerate(earlier):
            problems += _unknown(f"esxodus:waves[{number}].after[{place}]", "wave", name, names)
    try:
        TopologicalSorter({str(name): earlier for _, name, earlier in after}).prepare()
    except CycleError as error:
        circle = " after ".join(reversed(error.args[1]))
        problems.append(f"esxodus:waves: these wait for each other: {circle}")
    return problems

"""How each new host has the old datastores: what is wrong with that, and what is mended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from components.providers import access, runtime, verdict
from migration import presentation
from migration.errors import Paused
from migration.model import Concern, Severity
from vsphere import host_storage, site_storage
from vsphere.site_storage import Mount, OldVolume, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vsphere.site import Site

RESCANS_AT_ONCE: Final = 4
"""A rescan of all adapters loads the fabric's name server; a few hosts at a time are gentle and quick enough."""


def mount(inputs: Mapping[str, Any], volumes: Sequence[OldVolume]) -> tuple[dict[str, list[str]], list[str]]:
    """See to it that every host has every datastore mounted; return which hosts lack which, and which lack paths, all the same.

    Nothing is written where it has. A host that a LUN is not presented to is warned of where others are enough.

    Raises: Blocked with each volume that cannot be used, its device and the reason; Paused; MigrationError.
    """
    call = runtime.current_call()
    site = access.site("target")
    hosts = usable(site, inputs["hosts"])
    if out := sorted(set(inputs["hosts"]) - set(hosts)):
        call.say(f"not looked at, because it is disconnected or in maintenance: {', '.join(out)}", severity="warning")
    found, behind = site_storage.mounts(site, hosts, volumes), _behind(inputs)
    unfound = _unfound(found, _expected(found, inputs, behind))
    if unseen := sorted({*_hosts(found, State.NOT_SCANNED, State.NOT_PRESENTED), *unfound}):
        call.progress(f"rescanning {', '.join(unseen)}", None)
        rescan(site, unseen)
        found = site_storage.mounts(site, hosts, volumes)
    mendable = (State.UNMOUNTED, State.DETACHED)
    for mount in found:
        if mount.state in mendable:
            call.progress(f"mounting {mount.volume.name} on {mount.host}", None)
            site_storage.mount(site, mount.host, mount.volume)
    if any(mount.state in mendable for mount in found):
        found = site_storage.mounts(site, hosts, volumes)
    expected = _expected(found, inputs, behind)
    concerns = _judged(found, expected)
    verdict.heed(call, concerns)
    lacking: dict[str, list[str]] = {}
    for mount in found:
        if mount.state is not State.MOUNTED:
            lacking.setdefault(mount.volume.name, []).append(mount.host)
    return lacking, _unfound(found, expected)


def _behind(inputs: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return behind which ports of the array the source sees each disk; nothing, and no call, where nobody will ask."""
    if not isinstance(inputs["reach"], dict) or not inputs["reach"]:  # in a preview it may not be known yet
        return {}
    ports: dict[str, frozenset[str]] = {}
    for host in host_storage.host_storage(access.site("source")).values():
        for name, disk in host.disks.items():
            ports[name] = ports.get(name, frozenset()) | disk.ports
    return ports


def _expected(
    found: Sequence[Mount], inputs: Mapping[str, Any], behind: Mapping[str, frozenset[str]]
) -> dict[tuple[str, str], int]:
    """Return how many paths each host should have to each disk; nothing where that is not known, as before the zones are made.

    A disk is behind those ports of the array at which any host of either site sees it.
    """
    reach = inputs["reach"]
    if not isinstance(reach, dict) or not reach:
        return {}
    ports = dict(behind)
    for mount in found:
        for disk in mount.disks:
            ports[disk.name] = ports.get(disk.name, frozenset()) | disk.ports
    return {
        (mount.host, disk.name): sum(int(reach.get(mount.host, {}).get(port, 0)) for port in ports[disk.name])
        for mount in found
        for disk in mount.disks
    }


def _unfound(found: Sequence[Mount], expected: Mapping[tuple[str, str], int]) -> list[str]:
    """Return the hosts that know of fewer paths to a LUN than there should be, working or dead: a rescan may find more."""
    return sorted(
        {
            mount.host
            for mount in found
            for disk in mount.disks
            if mount.state is State.MOUNTED and len(disk.paths) < expected.get((mount.host, disk.name), 0)
        }
    )


def _judged(found: Sequence[Mount], expected: Mapping[tuple[str, str], int]) -> list[Concern]:
    """Return what is wrong with how the hosts have the datastores."""
    luns = [lun for mount in found if mount.state is State.MOUNTED for lun in mount.luns()]
    concerns = list(presentation.paths(luns, expected))
    for name in dict.fromkeys(mount.volume.name for mount in found):
        mounts = [mount for mount in found if mount.volume.name == name and mount.state is not State.MOUNTED]
        has = {mount.host for mount in found if mount.volume.name == name} - {mount.host for mount in mounts}
        lacks = {mount.host for mount in mounts if mount.state is State.NOT_PRESENTED}
        partial = presentation.partial(name, has, lacks)
        concerns += [partial] if partial else []
        concerns += [mount.concern() for mount in mounts if not partial or mount.host not in lacks]
    return concerns


def foreseen(news: Mapping[str, Any], volumes: Sequence[OldVolume]) -> list[Concern]:
    """Return what can be known before anything is done: what a rescan or a mount may still mend does not block yet.

    Nothing of hosts that have not joined.
    """
    site = access.site("target")
    there = [host for host in usable(site, news["hosts"]) if host in host_storage.host_storage(site)]
    found = site_storage.mounts(site, there, volumes)
    seen = {mount.volume.name for mount in found if mount.state is State.MOUNTED}
    mended = {State.UNMOUNTED, State.DETACHED, State.NOT_SCANNED}
    known = [
        mount
        for mount in found
        if mount.state not in mended and (mount.state is not State.NOT_PRESENTED or mount.volume.name in seen)
    ]
    return [
        replace(concern, severity=Severity.WARNS) if concern.id == presentation.NOT_EVERYWHERE.id else concern
        for concern in _judged(known, _expected(known, news, _behind(news)))
    ]


def settled(volumes: Sequence[OldVolume], inputs: Mapping[str, Any], olds: Mapping[str, Any]) -> bool:
    """Say whether nothing is left to do: every host has every datastore, but for what not even a rescan had shown.

    Raises: Stale where a host is not there; MigrationError.
    """
    told = {(name, host) for name, hosts in (olds.get("lacking") or {}).items() for host in hosts}
    site = access.site("target")
    found = site_storage.mounts(site, usable(site, inputs["hosts"]), volumes)
    if set(_unfound(found, _expected(found, inputs, _behind(inputs)))) - set(olds.get("unfound") or ()):
        return False
    return all(
        mount.state is State.MOUNTED or (mount.state is State.NOT_PRESENTED and (mount.volume.name, mount.host) in told)
        for mount in found
    )


def usable(site: Site, hosts: Sequence[str]) -> list[str]:
    """Leave out the hosts that are down: a VM that is on its way must not be held up by one of several."""
    out = {host.name for host in site.inventory().view.hosts if not host.usable}
    return [host for host in hosts if host not in out] or list(hosts)


def rescan(site: Site, hosts: Sequence[str]) -> None:
    """Let the hosts look for new devices and volumes, a few at a time.

    Raises: Stale where one is not there; Paused; MigrationError.
    """

    def one(host: str) -> None:
        if runtime.stop.is_set():
            raise Paused(f"{host}: paused before its rescan; run again to go on")
        site_storage.rescan(site, host)

    with ThreadPoolExecutor(RESCANS_AT_ONCE) as pool:
        # Each thread records what it does for this resource; a context is entered by one thread at a time.
        for ended in [pool.submit(copy_context().run, one, host) for host in hosts]:
            ended.result()  # raises what it has raised


def _hosts(found: Sequence[Mount], *states: State) -> list[str]:
    return sorted({mount.host for mount in found if mount.state in states})

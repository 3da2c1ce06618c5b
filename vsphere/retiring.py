"""What stands against retiring an old datastore, looked up at every site; and the steps of retiring it.

VMs come from the inventory that is followed anyway. What no VM tells is asked when a datastore is to be retired: the files on
it, HA's heartbeats, and where hosts keep files of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from pyVmomi import vim

from migration.errors import Blocked, Busy, Stale
from migration.model import Severity, Vm
from migration.retire import SOURCE, Against, Old, OnHost, Step, Use, Verb
from vsphere import host_storage
from vsphere.host_storage import HostStorage
from vsphere.inventory import Inventory
from vsphere.names import datastore_path, decoded, split_path
from vsphere.reading import collect
from vsphere.session import moref
from vsphere.site import Site
from vsphere.site_storage import OldVolume
from vsphere.snapshot import Record
from vsphere.volumes import volume_id

_PATTERNS: Final = ("*.vmx", "*.vmtx", "*.vmdk")
_OPTIONS: Final = ("ScratchConfig.", "Syslog.global.logDir")
"""Advanced settings of a host that may name a datastore: where scratch files and logs go."""
_SHOWN: Final = 3
"""How many files are named in one sentence."""


def standing(site: Site, volume: OldVolume) -> tuple[OnHost, ...]:
    """Return how each host of the site stands to the volume; changes nothing.

    Raises: MigrationError.
    """
    return tuple(_on_host(site.name, one, volume) for one in host_storage.host_storage(site).values())


def _on_host(site: str, one: HostStorage, volume: OldVolume) -> OnHost:
    seen = [one.disks[disk] for disk in volume.devices if disk in one.disks]
    known = one.volumes.get(volume.id)
    return OnHost(
        site,
        one.host,
        one.connected,
        mounted=known is not None and known.mounted,
        attached=tuple(disk.name for disk in seen if disk.attached),
        detached=tuple(disk.name for disk in seen if not disk.attached),
    )


def looked_at(sites: Sequence[Site], volume: OldVolume, *, searched: bool) -> Old:
    """Return the datastore with everything that stands against retiring it; changes nothing.

    `searched`: its files have been looked through since retiring it began, which cannot be done again once no host has it.

    Raises: MigrationError.
    """
    hosts = tuple(one for site in sites for one in standing(site, volume))
    old = Old(volume.name, volume.kind, hosts)
    if old.retired:
        return old
    inventories = {site.name: site.inventory() for site in sites}
    uses = [use for site in sites for use in _uses(site, inventories[site.name], volume)]
    return replace(old, uses=(*uses, *_files(sites, inventories, volume, old, searched=searched)))


def perform(site: Site, step: Step, volume: OldVolume) -> None:
    """Do one step, on the host as it is now.

    Raises: Blocked where the host says that something uses it; MigrationError.
    """
    host = host_storage.host_storage(site)[step.host]
    try:
        match step.verb:
            case Verb.UNMOUNT if volume.nas:
                host_storage.unmount_nas(site, host, _datastore(site, volume), volume.name)
            case Verb.UNMOUNT:
                host_storage.unmount(site, host, volume.uuid, volume.name)
            case Verb.DETACH:
                host_storage.detach(site, host, step.disk)
    except Busy as error:
        raise Blocked((Against.IN_USE.concern(volume.name, str(error).removeprefix(f"{step.host}: ")),)) from error


def _datastore(site: Site, volume: OldVolume) -> vim.Datastore:
    """Return the datastore that shows the volume now.

    Raises: Stale where the site shows none.
    """
    for record in collect(site.session, "reading the datastores", vim.Datastore, ("name", "info")):
        if volume_id(site.name, record) == volume.id:
            return cast("vim.Datastore", record.ref)
    raise Stale(f"{volume.name}: {site.endpoint} no longer shows it")


def _uses(site: Site, inventory: Inventory, volume: OldVolume) -> Iterator[Use]:
    datastores = [one for one in inventory.snapshot.of(vim.Datastore) if inventory.volume_ids[one.moref] == volume.id]
    yield from _vms(site, inventory, volume, {one.moref for one in datastores})
    for datastore in datastores:
        pod = inventory.snapshot.record(datastore.target("parent"))
        if pod is not None and isinstance(pod.ref, vim.StoragePod):
            yield Use(Against.CLUSTER, site.name, "", f"it is in a datastore cluster of the {site.name}")
        if datastore.get("iormConfiguration.enabled", False):
            yield Use(Against.SIOC, site.name, "", f"Storage I/O Control is on for it at the {site.name}")
    shown = {one.moref for one in datastores}
    if shown:
        yield from _heartbeats(site, inventory, shown)
        yield from _host_files(site, inventory, volume, shown)


def _vms(site: Site, inventory: Inventory, volume: OldVolume, datastores: set[str]) -> Iterator[Use]:
    for record in inventory.snapshot.of(vim.VirtualMachine):
        vm = inventory.vm(record)
        what = "template" if vm.template else "VM"
        if volume.id in vm.volumes:
            yield Use(Against.REGISTERED, site.name, vm.name, f"{what} {vm.name!r} at the {site.name} has files on it")
        elif image := next((one for one in vm.devices if one.file and one.file.volume == volume.id), None):
            assert image.file is not None  # noqa: S101 - just asked
            where = f"{image.label} of {vm.name!r} at the {site.name}"
            yield Use(Against.IMAGE, site.name, vm.name, f"{where} holds {image.file.path}, which is on it")
        elif datastores & set(record.targets("datastore")):
            yield Use(Against.REGISTERED, site.name, vm.name, f"{what} {vm.name!r} at the {site.name} uses it")
        elif not vm.vmx.path:
            yield Use(Against.UNREADABLE, site.name, vm.name, f"the {site.name} cannot say which files {vm.name!r} has")
        yield from _papers(site, vm, volume)


def _papers(site: Site, vm: Vm, volume: OldVolume) -> Iterator[Use]:
    if vm.papers is None or volume.id not in vm.papers.disks.values() or volume.id in vm.volumes:
        return
    if vm.papers.transit:
        yield Use(Against.IN_TRANSIT, site.name, vm.name, f"{vm.name!r} is on its way, and has files to do with it")
    elif site.name != vm.papers.leaving:
        yield Use(Against.WAY_BACK, site.name, vm.name, f"{vm.name!r} came from it")


def _heartbeats(site: Site, inventory: Inventory, datastores: set[str]) -> Iterator[Use]:
    """Yield each cluster whose HA beats its heart there. One in which no VM runs has nothing that HA could take for failed."""
    for cluster in inventory.snapshot.of(vim.ClusterComputeResource):
        settings = cluster.get("configurationEx")
        if settings is None or not settings.dasConfig.enabled:
            continue
        ref: Any = cluster.ref
        name = inventory.name(cluster.moref)
        told = site.session.read(f"{name}: asking for HA's heartbeat datastores", ref.RetrieveDasAdvancedRuntimeInfo)
        chosen = {moref(one.datastore) for one in (told.heartbeatDatastoreInfo if told else None) or ()}
        if chosen & datastores:
            runs = _runs(inventory, cluster)
            sentence = f"HA of cluster {name!r} at the {site.name} uses it for heartbeats"
            rest = "" if runs else ", and no VM runs there"
            yield Use(Against.HEARTBEAT, site.name, name, sentence + rest, None if runs else Severity.WARNS)


def _runs(inventory: Inventory, cluster: Record) -> bool:
    """Say whether any VM runs in the cluster."""
    hosts = {one.moref for one in inventory.snapshot.of(vim.HostSystem) if one.target("parent") == cluster.moref}
    return any(
        record.target("runtime.host") in hosts and str(record.get("runtime.powerState")) == "poweredOn"
        for record in inventory.snapshot.of(vim.VirtualMachine)
    )


def _host_files(site: Site, inventory: Inventory, volume: OldVolume, datastores: set[str]) -> Iterator[Use]:
    paths = (
        "name",
        "runtime.connectionState",
        "configManager.advancedOption",
        "config.localSwapDatastore",
        "config.systemSwapConfiguration.option",
        "config.activeDiagnosticPartition",
    )
    names = {inventory.name(one) for one in datastores}
    for host in collect(site.session, "reading where hosts keep files of their own", vim.HostSystem, paths):
        if str(host.get(paths[1])) != "connected":
            continue
        for what in _kept(site, host, paths, volume, names, datastores):
            name = decoded(str(host.get("name")))
            yield Use(Against.HOST_FILES, site.name, name, f"{name} at the {site.name} has its {what} on it")


def _kept(
    site: Site, host: Record, paths: Sequence[str], volume: OldVolume, names: set[str], datastores: set[str]
) -> Iterator[str]:
    if host.target(paths[3]) in datastores:
        yield "place for VMs' swap files"
    if any(decoded(str(getattr(one, "datastore", ""))) in names for one in host.get(paths[4], ())):
        yield "system swap"
    dump = host.get(paths[5])
    if dump is not None and dump.id is not None and str(dump.id.diskName) in volume.devices:
        yield "core dumps"
    for key, value in _options(site, host, host.get(paths[2])):
        if (volume.uuid and volume.uuid in value) or any(f"[{name}]" in value for name in names):
            yield f"{'logs' if key.startswith('Syslog') else 'scratch files'} ({key} is {value})"


def _options(site: Site, host: Record, manager: Any) -> Iterator[tuple[str, str]]:
    if manager is None:
        return
    name = decoded(str(host.get("name")))
    for key in _OPTIONS:

        def ask(key: str = key) -> Any:
            try:
                return manager.QueryOptions(key)
            except vim.fault.InvalidName:  # this host has no such setting
                return ()

        for one in site.session.read(f"{name}: reading its advanced settings", ask, name) or ():
            yield str(one.key), str(one.value)


def _files(
    sites: Sequence[Site], inventories: Mapping[str, Inventory], volume: OldVolume, old: Old, *, searched: bool
) -> Iterator[Use]:
    """Yield what its files tell: VMs that are registered at no site, and disks of none."""
    for site in sites:
        inventory = inventories[site.name]
        for datastore in inventory.snapshot.of(vim.Datastore):
            if inventory.volume_ids[datastore.moref] == volume.id and datastore.get("summary.accessible", False):
                yield from _left(_search(site, datastore), inventories, volume)
                return
    if any(one.mounted for one in old.hosts):
        yield Use(Against.UNSEARCHED, "", "", "it is mounted, and no host of either site can read it")
    elif not searched and (host := to_look_from(old)):
        again = f"no host has it mounted: it is mounted on {host.host} once more, to be searched"
        yield Use(Against.UNSEARCHED, "", "", again, Severity.WARNS)
    elif not searched:
        yield Use(Against.UNSEARCHED, "", "", "no host has it mounted, and none of the source sees its disk")


def to_look_from(old: Old) -> OnHost | None:
    """Return a host of the source that could mount it once more, for a search that an interruption has made impossible."""
    return next(
        (one for one in old.hosts if one.site == SOURCE and one.connected and one.attached + one.detached), None
    )


def _left(paths: Sequence[str], inventories: Mapping[str, Inventory], volume: OldVolume) -> Iterator[Use]:
    registered = {file.path for one in inventories.values() for file in one.registered if file.volume == volume.id}
    for path in paths:
        if path.endswith((".vmx", ".vmtx")) and path not in registered:
            yield Use(Against.NOWHERE, "", path, f"{path} on it is registered at no site")
    folders = {path.rpartition("/")[0] for path in paths if path.endswith((".vmx", ".vmtx"))}
    disks = [path for path in paths if path.endswith(".vmdk") and path.rpartition("/")[0] not in folders]
    used = {
        disk.file.path
        for inventory in inventories.values()
        for record in inventory.snapshot.of(vim.VirtualMachine)
        for disk in inventory.vm(record).disks
        if disk.file.volume == volume.id
    }
    if left := [path for path in disks if path not in used]:
        more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        yield Use(Against.DISKS, "", "", f"no registered VM has {', '.join(left[:_SHOWN])}{more}")


def _search(site: Site, datastore: Record) -> list[str]:
    """Return the paths of every configuration file and disk on the datastore."""
    name = str(datastore.get("name"))
    browser: Any = datastore.get("browser")
    spec = vim.host.DatastoreBrowser.SearchSpec(matchPattern=list(_PATTERNS))
    what = f"search datastore {name} for VMs"
    found = site.run(site.name, what, lambda: browser.SearchSubFolders(datastore_path(name, "").rstrip(), spec))
    return [
        "/".join(part for part in (split_path(result.folderPath)[1].rstrip("/"), str(file.path)) if part)
        for result in found or ()
        for file in result.file or ()
    ]

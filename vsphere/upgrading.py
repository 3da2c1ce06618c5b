"""A cluster's rolling upgrade at its vCenter: the hosts and VMs as they are, read in bulk, and the steps of one host.

Implements `migration.upgrade_host.Cluster`. Nothing here stops a VM: hosts are restarted in maintenance mode only, and never by
force, so that vCenter itself refuses where anything runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final, cast

from pyVmomi import vim

from migration.errors import Blocked, Busy, OutOfTime, Stale
from migration.model import Vm
from migration.sites import Progress
from migration.upgrade import Await, Enter, Install, Leave, Mark, Move, Reboot, Reconnect, Step
from migration.upgrade_concerns import Against
from migration.upgrade_fleet import MARK, Connection, Fleet, Member
from migration.upgrade_host import Limits
from vsphere import esxcli, tasks
from vsphere.compute import reserves
from vsphere.inventory import Inventory
from vsphere.names import decoded, split_path
from vsphere.reading import collect, read_one, several
from vsphere.session import moref
from vsphere.site import Site
from vsphere.snapshot import Record

_ENTERING: Final = "HostSystem.enterMaintenanceMode"
_NEWS: Final = 10.0
"""Seconds after which a host that is waited for is looked at again, whether or not there is news of it."""
_GOING_DOWN: Final = 900.0
"""Seconds in which a host that restarts must have stopped answering."""
_DRIFT: Final = 30.0
"""Seconds by which the time of a host's last boot may move without a restart: vCenter reckons it from the host's clock."""
_LOCKED: Final = "LockingError"
"""What esxcli says where an installation is under way, such as one whose answer got lost."""
_UUID: Final = "summary.config.instanceUuid"
_USAGE: Final = "summary.quickStats.overallCpuUsage"
_MANAGED: Final = "config.managedBy"
_AGENTS: Final = "com.vmware.vim.eam"
"""ESX Agent Manager: what it has on a host, such as VMs of the cluster services, it powers off and on with the host."""


class UpgradedCluster:
    """One cluster of a site. `install` is the means that upgrades a host in maintenance mode; it may take long."""

    def __init__(self, site: Site, datacenter: str, cluster: str, install: Callable[[str], None]) -> None:
        """Remember where it is; nothing is contacted yet."""
        self._site, self._datacenter, self._cluster = site, datacenter, cluster
        self._install = install

    def look(self, name: str = "") -> Fleet:
        """See migration.upgrade_host.Cluster. Without a name no host is asked for the image that it boots next."""
        inventory = self._site.inventory("reading the cluster")
        cluster = self._record(inventory)
        config: Any = cluster.get("configurationEx")
        records = self._hosts(inventory)
        marked = self._marked(records)
        view = {host.name: host for host in inventory.view.hosts}
        members = tuple(
            self._member(inventory, record, view[host], marked=record.moref in marked, at_turn=host == name)
            for host, record in sorted(records.items())
        )
        in_service = sum(not one.out for one in members)
        fewer = in_service if any(one.out and one.ours for one in members) else in_service - 1
        drs = config.drsConfig if config and config.drsConfig and config.drsConfig.enabled else None
        usage, agents = self._asked()
        vms = tuple(self._vms(inventory, {record.moref for record in records.values()}, agents))
        return Fleet(
            cluster=self._cluster,
            vcenter=inventory.view.version,
            members=members,
            vms=vms,
            drs=str(drs.defaultVmBehavior or "") if drs else "",
            reserve=reserves(config.dasConfig if config else None, fewer),
            groups=dict(_host_groups(config, {record.moref: host for host, record in records.items()})),
            usage=usage,
            volumes={volume.id: volume.name for volume in inventory.view.volumes},
            lacking=inventory.view.lacking,
        )

    def perform(self, name: str, step: Step, limits: Limits, progress: Progress) -> None:
        """See migration.upgrade_host.Cluster."""
        ref = cast("vim.HostSystem", self._host(name).ref)
        match step:
            case Mark(on):
                self._mark(name, ref, on=on)
            case Move(vm, to):
                self._move(vm, to, progress)
            case Enter():
                self._enter(name, ref, limits, progress)
            case Install():
                self._install(name)
            case Reboot():
                self._reboot(name, ref, progress)
            case Reconnect():
                self._site.run(name, "connect it again", lambda: ref.ReconnectHost_Task(None, None), progress)
                self._site.settle(ref, lambda: self._state(name)[0] == Connection.CONNECTED)
            case Leave():
                self._site.run(name, "end its maintenance mode", lambda: ref.ExitMaintenanceMode_Task(0), progress)
                self._site.settle(ref, lambda: not self._state(name)[1])
            case Await():
                seen = self._state(name)
                tasks.until(self._site.watch, lambda: self._state(name) != seen, _NEWS, self._site.pausing(name))

    # --- what is seen ---------------------------------------------------------------------------------------------------

    def _record(self, inventory: Inventory) -> Record:
        datacenter = inventory.named(vim.Datacenter, self._datacenter)
        found = inventory.named(vim.ClusterComputeResource, self._cluster, datacenter.moref) if datacenter else None
        if found is None:
            what = f"{self._site.endpoint} has no cluster of this name in datacenter {self._datacenter!r}"
            raise Blocked((Against.CLUSTER.concern(self._cluster, what),))
        return found

    def _hosts(self, inventory: Inventory) -> dict[str, Record]:
        cluster = self._record(inventory).moref
        return {
            decoded(str(record.get("name", ""))): record
            for record in inventory.snapshot.of(vim.HostSystem)
            if record.target("parent") == cluster
        }

    def _host(self, name: str) -> Record:
        found = self._hosts(self._site.inventory()).get(name)
        if found is None:
            raise Stale(f"{name} is no longer in cluster {self._cluster}")
        return found

    def _state(self, name: str) -> tuple[str, bool, datetime | None]:
        """Return connection, maintenance mode and time of the last boot, as the watch knows them."""
        record = self._host(name)
        return (
            str(record.get("runtime.connectionState", "")),
            bool(record.get("runtime.inMaintenanceMode", False)),
            record.get("runtime.bootTime"),
        )

    def _member(self, inventory: Inventory, record: Record, host: Any, *, marked: bool, at_turn: bool) -> Member:
        connection = Connection(str(record.get("runtime.connectionState", "")))
        maintenance = bool(record.get("runtime.inMaintenanceMode", False))
        task = inventory.snapshot.task_on(record.moref)
        product: Any = record.get("summary.config.product")
        ask = at_turn and marked and maintenance and connection is Connection.CONNECTED
        return Member(
            host=host,
            build=int(str(getattr(product, "build", "") or "0")),
            connection=connection,
            maintenance=maintenance,
            ours=marked,
            next_image=self._next_image(host.name, cast("vim.HostSystem", record.ref)) if ask else "",
            entering=task is not None and str(task.get("info.descriptionId", "")) == _ENTERING,
        )

    def _next_image(self, name: str, host: vim.HostSystem) -> str:
        """Return the image that is installed beside the one that runs; "" where none is, or the host does not say."""
        try:
            found = esxcli.run(self._site, host, name, "software profile get", {"rebootingimage": True}, reads=True)
        except esxcli.CommandFailed:
            return ""  # installing it once more does no harm
        return found[0].get("Name", "") if found else ""

    def _vms(self, inventory: Inventory, hosts: set[str], but: set[str]) -> Iterator[Vm]:
        for record in inventory.snapshot.of(vim.VirtualMachine):
            if record.target("runtime.host") in hosts and record.moref not in but:
                yield inventory.vm(record)

    def _asked(self) -> tuple[dict[str, float], set[str]]:
        """Return the MHz that each VM uses, by instance UUID, and the ids of VMs that are vSphere's own.

        What they use changes all the time, so that it is not followed.
        """
        found = collect(self._site.session, "reading what VMs use", vim.VirtualMachine, (_UUID, _USAGE, _MANAGED))
        agents = {one.moref for one in found if getattr(one.get(_MANAGED), "extensionKey", "") == _AGENTS}
        return {str(one.get(_UUID)).lower(): float(one.get(_USAGE) or 0) for one in found}, agents

    def _marked(self, records: dict[str, Record]) -> set[str]:
        """Return the ids of the hosts that bear our mark; asked directly: vCenter may not report custom values."""
        key = self._field()
        if key is None:
            return set()
        refs = [record.ref for record in records.values()]
        read = several(self._site.session, "reading the marks of hosts", vim.HostSystem, refs, ("customValue",))
        return {
            one.moref
            for one in read
            if any(int(value.key) == key and value.value for value in one.get("customValue", ()))
        }

    def _field(self) -> int | None:
        manager = self._site.session.content.customFieldsManager
        found = read_one(self._site.session, manager, vim.CustomFieldsManager, ("field",)) or {}
        kinds = (None, vim.ManagedEntity, vim.HostSystem)
        return next(
            (int(one.key) for one in found.get("field", ()) if one.name == MARK and one.managedObjectType in kinds),
            None,
        )

    # --- what is done ---------------------------------------------------------------------------------------------------

    def _mark(self, name: str, ref: vim.HostSystem, *, on: bool) -> None:
        fields: Any = self._site.session.content.customFieldsManager
        if fields is None:
            raise Stale(f"{self._site.endpoint} offers no custom attributes")
        key, doing = self._field(), f"{name}: {'mark it' if on else 'take the mark away'}"
        if key is None:
            define = lambda: fields.AddFieldDefinition(MARK, vim.HostSystem, None, None)  # noqa: E731 - a call to send
            key = int(self._site.session.send(doing, define, name).key)
        value = "Esxodus takes this host out of service for its upgrade" if on else ""
        self._site.session.send(doing, lambda: fields.SetField(ref, key, value), name)

    def _move(self, vm: Vm, to: str, progress: Progress) -> None:
        record = self._site.identified(vm)
        ref, host = cast("vim.VirtualMachine", record.ref), cast("vim.HostSystem", self._host(to).ref)
        spec = vim.vm.RelocateSpec(host=host)
        self._site.run(vm.name, f"vMotion to {to}", lambda: ref.Relocate(spec, None), progress)
        self._site.settle(ref, lambda: (now := self._site.now(vm)) is not None and now.host == to)

    def _enter(self, name: str, ref: vim.HostSystem, limits: Limits, progress: Progress) -> None:
        """Put the host into maintenance mode. VMs that are off stay on it: they come back with it."""
        try:
            self._site.run(
                name,
                "put it into maintenance mode",
                lambda: ref.EnterMaintenanceMode_Task(int(limits.empty), False, None),
                progress,
            )
        except Busy as error:
            if isinstance(error.__cause__, vim.fault.Timedout):
                left = ", ".join(vm.name for vm in self.look().on(name)) or "nothing"
                why = f"after {limits.empty:.0f} s there is still on it: {left}"
                raise Blocked((Against.OVERDUE.concern(name, why),)) from error
            raise
        self._site.settle(ref, lambda: self._state(name)[1])

    def _reboot(self, name: str, ref: vim.HostSystem, progress: Progress) -> None:
        """Restart the host, which is in maintenance mode, and see it go down: until then nothing shows it."""
        before = self._state(name)[2]
        self._site.run(name, "restart it", lambda: ref.RebootHost_Task(False), progress)

        def down() -> bool:
            connection, _, boot = self._state(name)
            moved = before and boot and abs((boot - before).total_seconds()) > _DRIFT
            return connection != Connection.CONNECTED or bool(moved)

        if not tasks.until(self._site.watch, down, _GOING_DOWN, self._site.pausing(f"{name} is restarting")):
            raise OutOfTime(f"{name}: {_GOING_DOWN:.0f} s after it was to restart it still answers; see its console")


def profile_update(site: Site, name: str, depot: str, profile: str) -> None:
    """Install an image profile of a depot, written "[datastore] path", beside the image that the host runs.

    Blocks for minutes. To repeat it does no harm: what is installed already is left as it is.

    Raises: Blocked with what the host says; MigrationError.
    """
    arguments: dict[str, str | bool] = {"depot": mounted(depot), "profile": profile}
    try:
        esxcli.run(site, _named(site, name), name, "software profile update", arguments, reads=False)
    except esxcli.CommandFailed as error:
        if _LOCKED in str(error):
            raise Busy(f"{name}: another installation is under way on it: {error}") from error
        raise Blocked((Against.INSTALL.concern(name, f"esxcli software profile update: {error}"),)) from error


def profiles(site: Site, name: str, depot: str) -> tuple[str, ...]:
    """Return the image profiles that the host finds in the depot; changes nothing.

    Raises: Blocked where it does not find the depot; MigrationError.
    """
    try:
        found = esxcli.run(
            site, _named(site, name), name, "software sources profile list", {"depot": mounted(depot)}, reads=True
        )
    except esxcli.CommandFailed as error:
        raise Blocked((Against.DEPOT.concern(name, f"it cannot read {depot}: {error}"),)) from error
    return tuple(sorted(one.get("Name", "") for one in found))


def mounted(depot: str) -> str:
    """Return "[iso] esxi/depot.zip" as a host has it."""
    datastore, path = split_path(depot)
    return f"/vmfs/volumes/{datastore}/{path}"


def _named(site: Site, name: str) -> vim.HostSystem:
    found = site.inventory().named(vim.HostSystem, name)
    if found is None:
        raise Stale(f"{site.endpoint} has no host {name}")
    return cast("vim.HostSystem", found.ref)


def _host_groups(config: Any, names: dict[str, str]) -> Iterator[tuple[str, frozenset[str]]]:
    for group in (config.group if config else None) or ():
        if isinstance(group, vim.cluster.HostGroup):
            members = (names.get(moref(one), "") for one in group.host or ())
            yield str(group.name), frozenset(filter(None, members))

"""What our user must be allowed to do, and why: the table that README, preview and lab agree on.

Ids are those of the vSphere API ("Required Privileges" of each method). `System.View` and `System.Read` come with every role.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, cast

from pyVmomi import vim

from migration.errors import MigrationError, Transient
from vsphere.names import decoded
from vsphere.session import Session, moref
from vsphere.snapshot import Record, Snapshot

log = logging.getLogger(__name__)

SOURCE: Final = "source"
TARGET: Final = "target"
UPGRADED: Final = "site"
"""The one site of a rolling upgrade."""
_BOTH: Final = frozenset({SOURCE, TARGET})
_DATACENTER: Final = "datacenter"
_ROOT: Final = "root"


@dataclass(frozen=True, slots=True)
class Privilege:
    """A privilege: at which sites it is needed, on the datacenters or on the vCenter's root, and since which API version."""

    id: str
    why: str
    sites: frozenset[str] = _BOTH
    on: str = _DATACENTER
    since: tuple[int, ...] = ()


NEEDED: Final = (
    Privilege("VirtualMachine.Config.AdvancedConfig", "write a VM's papers"),
    Privilege("VirtualMachine.Config.EditDevice", "connect network cards"),
    Privilege("Network.Assign", "connect network cards"),
    Privilege("VirtualMachine.Interact.PowerOn", "power on"),
    Privilege("VirtualMachine.Interact.PowerOff", "shut down the guest, power off"),
    Privilege("VirtualMachine.Interact.AnswerQuestion", "answer that a VM was moved"),
    Privilege("VirtualMachine.Inventory.Register", "register"),
    Privilege("VirtualMachine.Inventory.Unregister", "unregister"),
    Privilege("VirtualMachine.Provisioning.MarkAsTemplate", "make a template"),
    Privilege("VirtualMachine.Provisioning.MarkAsVM", "make a VM of a template for the journey"),
    Privilege("Resource.AssignVMToPool", "register in a resource pool"),
    Privilege("Resource.CreatePool", "create a resource pool that is missing"),
    Privilege("Resource.HotMigrate", "move a VM or its files while it runs"),
    Privilege("Resource.ColdMigrate", "move a VM or its files while it is off"),
    Privilege("Datastore.Browse", "find a VM that is registered nowhere"),
    Privilege("Datastore.FileManagement", "read the .vmx of a VM that is registered nowhere"),
    Privilege("Datastore.AllocateSpace", "move files to a datastore"),
    Privilege("Folder.Create", "create a folder that is missing"),
    Privilege("Host.Inventory.EditCluster", "restore DRS rules and overrides"),
    Privilege(
        "Host.Config.Storage", "mount the old datastores on the new hosts; unmount and detach those that are retired"
    ),
    Privilege("Authorization.ModifyPermissions", "restore permissions"),
    Privilege("Global.SetCustomField", "restore custom attributes"),
    Privilege("Global.ManageCustomFields", "define custom attributes", on=_ROOT),
    Privilege("InventoryService.Tagging.AttachTag", "restore tags", on=_ROOT, since=(6, 5)),
    Privilege("InventoryService.Tagging.CreateTag", "create a tag that is missing", on=_ROOT, since=(6, 5)),
    Privilege(
        "InventoryService.Tagging.CreateCategory", "create a tag category that is missing", on=_ROOT, since=(6, 5)
    ),
)
"""Every privilege that the steps of a VM need. VMs may go back, so that both sites need nearly the same."""


_AT_TARGET: Final = frozenset({TARGET})
BUILDING: Final = (
    Privilege("Datacenter.Create", "create the datacenter", _AT_TARGET, _ROOT),
    Privilege("Host.Inventory.CreateCluster", "create the cluster", _AT_TARGET),
    Privilege("Host.Inventory.AddHostToCluster", "let the new hosts join", _AT_TARGET),
    Privilege("Host.Config.Settings", "settle the lockdown mode of a host that joins", _AT_TARGET),
    Privilege("DVSwitch.Create", "create the distributed switch", _AT_TARGET),
    Privilege("DVSwitch.HostOp", "make the hosts members of the distributed switch", _AT_TARGET),
    Privilege(
        "Host.Config.Network",
        "give network cards of the hosts to switches; make standard switches, port groups and vMotion adapters",
        _AT_TARGET,
    ),
    Privilege("DVPortgroup.Create", "create the port groups", _AT_TARGET),
)
"""What the target's user needs beside them as long as the site is being built; what NEEDED has is not repeated."""


_AT_UPGRADED: Final = frozenset({UPGRADED})
UPGRADING: Final = (
    Privilege("Host.Config.Maintenance", "put hosts into maintenance mode, restart them, use esxcli", _AT_UPGRADED),
    Privilege("Host.Config.Patch", "use esxcli, as far as is known", _AT_UPGRADED),
    Privilege("Host.Config.Connection", "connect a host again that has come back disconnected", _AT_UPGRADED),
    Privilege("Resource.HotMigrate", "move VMs that DRS leaves to people", _AT_UPGRADED),
    Privilege("Global.SetCustomField", "mark a host that is being upgraded", _AT_UPGRADED),
    Privilege("Global.ManageCustomFields", "define the custom attribute of that mark", _AT_UPGRADED, _ROOT),
)
"""All that a rolling upgrade needs."""


def needed(site: str, api: tuple[int, ...], *, building: bool = False) -> tuple[Privilege, ...]:
    """Return what is needed at the site; at one of another name than source and target, all of it."""
    if site == UPGRADED:
        return UPGRADING
    every = (*NEEDED, *(BUILDING if building else ()))
    return tuple(one for one in every if api >= one.since and (site in one.sites or site not in _BOTH))


def lacking(session: Session, site: str, snapshot: Snapshot, api: tuple[int, ...]) -> tuple[tuple[str, str], ...]:
    """Return (object, privilege) for all that our user needs at the site and has not, by one call; () where it cannot be asked.

    Asked of every datacenter and of the root; where there is no datacenter yet, of the root alone, and for what building it
    needs too.

    Raises: Transient.
    """
    content = session.content
    root = content.rootFolder
    datacenters = [cast("vim.ManagedEntity", record.ref) for record in snapshot.of(vim.Datacenter)]
    wanted = needed(site, api, building=not datacenters)
    names = {record.moref: _name(record) for record in snapshot.of(vim.Datacenter)} | {moref(root): "the root folder"}
    roots = {one.id for one in wanted if one.on == _ROOT or not datacenters}
    below = {one.id for one in wanted} - roots

    def ask() -> Sequence[vim.AuthorizationManager.EntityPrivilege]:
        authorization, sessions = content.authorizationManager, content.sessionManager
        current = sessions.currentSession if sessions else None
        if authorization is None or current is None:
            return ()
        return authorization.HasPrivilegeOnEntities([root, *datacenters], current.key, [one.id for one in wanted]) or ()

    try:
        answer = session.read("asking for our privileges", ask)
    except Transient:
        raise
    except MigrationError as error:
        log.warning("%s: it cannot be asked what our user may do: %s", session.endpoint, error)
        return ()
    return tuple(sorted(_missing(answer, moref(root), roots, below, names)))


def _missing(
    answer: Sequence[vim.AuthorizationManager.EntityPrivilege],
    root: str,
    roots: Collection[str],
    below: Collection[str],
    names: dict[str, str],
) -> set[tuple[str, str]]:
    return {
        (names[moref(one.entity)], str(found.privId))
        for one in answer
        for found in one.privAvailability or ()
        if not found.isGranted and found.privId in (roots if moref(one.entity) == root else below)
    }


def _name(record: Record) -> str:
    return decoded(str(record.get("name", "")))

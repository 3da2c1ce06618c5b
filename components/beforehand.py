"""What the program must know before it declares anything: who is there, what exists, and which disks are not blank."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from components import site_concerns
from components.adoption import Adoption, state_of_this_stack
from components.providers import access
from components.settings_networks import INSTALLED_SWITCH
from migration import new_site
from migration.errors import Blocked, SettingsError
from vsphere import site_storage
from vsphere.existing import Existing, There
from vsphere.joining import refusals
from vsphere.journeys import on_their_way
from vsphere.names import encoded
from vsphere.session import close_all, session
from vsphere.site import Site
from vsphere.watch import News

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.settings import Settings
    from components.settings_datastores import Datastore
    from migration.new_site import Stands
    from migration.wanted import Identity
    from vsphere.session import Session


def look(stack: Settings) -> tuple[Adoption, frozenset[Identity]]:
    """Verify both vCenters, log in, and return what to adopt, and which VMs are on their way. Changes nothing.

    Raises: Refused, Unreachable; Blocked where a declared host stands elsewhere or would not join; SettingsError where a new
    datastore is wanted on a disk that may hold data, where something is to be created under a name that vSphere would change,
    or where a host that is to join has no thumbprint.
    """
    endpoints = access.endpoints(stack)
    try:
        source, target = (Site(endpoints[name], News(), threading.Event()) for name in ("source", "target"))
        target_there = There(endpoints["target"])
        refuse_misplaced_hosts(stack, target_there.hosts(), There(endpoints["source"]).hosts())
        there = target_there.ids(stack.target.datacenter)
        refuse_escaped_names(stack, there)
        refuse_unknown_hosts(stack, there)
        refuse_missing_switches(stack, there)
        refuse_hosts_that_would_not_join(stack, session(endpoints["target"]), target_there)
        refuse_old_exports(stack, site_storage.exports(source))
        new = [one for one in stack.target.datastores if one.disk and one.name not in there["datastore"]]
        if new:
            hosts = [host.name for host in stack.target.hosts]
            refuse_used_disks(
                stack, new, {**site_storage.held_back(target, hosts), **site_storage.disks_in_use(source)}
            )
        travelling = on_their_way((source, target), [spec.identity for _, spec in stack.specs()])
    finally:
        close_all()  # a program is ended at once on Ctrl-C; no session should outlive it
    adoption = Adoption(there, state_of_this_stack())
    adoption.concerns = tuple(site_concerns.found(stack, adoption, target_there))
    return adoption, travelling


def refuse_misplaced_hosts(stack: Settings, here: Mapping[str, Stands], elsewhere: Mapping[str, Stands]) -> None:
    """Refuse hosts that stand elsewhere than they are declared: what exists is adopted where it is, and no host is moved.

    `here` are the target's hosts, `elsewhere` those of the source.

    Raises: Blocked, naming every such host.
    """
    target = stack.target
    hosts = [host.name for host in target.hosts]
    if found := list(new_site.misplaced(hosts, target.cluster.name, target.datacenter, here, elsewhere)):
        raise Blocked(found)


def refuse_unknown_hosts(stack: Settings, there: Existing) -> None:
    """Refuse hosts without a thumbprint that are not at the target yet: only what is there can be adopted.

    Raises: SettingsError, naming every such host.
    """
    problems = [
        f"esxodus:target.hosts[{number}].thumbprint: missing; {host.name} is not at {stack.target.vcenter} yet, "
        "and a host that joins is known by its certificate"
        for number, host in enumerate(stack.target.hosts)
        if host.thumbprint is None and host.name not in there["host"]
    ]
    if problems:
        raise SettingsError(problems)


def refuse_hosts_that_would_not_join(stack: Settings, target: Session, there: There) -> None:
    """Have the vCenter contact each host that is to join, where it has the datacenter by which it can be asked.

    Raises: Blocked, naming every host that would not join.
    """
    datacenter, known = there.datacenter(stack.target.datacenter), there.hosts()
    joining = [(host.name, host.thumbprint or "") for host in stack.target.hosts if host.name not in known]
    if datacenter is None:
        return
    password = stack.host_password.get_secret_value()
    if found := refusals(target, datacenter, joining, stack.target.host_username, password):
        raise Blocked(found)


def refuse_missing_switches(stack: Settings, there: Existing) -> None:
    """Refuse standard switches without uplinks that a host does not have; that of the installation is on each that joins.

    Raises: SettingsError, naming every such switch and host.
    """
    problems = [
        f"esxodus:target.switches[{number}].uplinks: missing, so {switch.name} is used as it is, and {host.name} has none"
        for number, switch in enumerate(stack.target.switches)
        for host in stack.target.hosts
        if not switch.uplinks
        and f"{host.name} {switch.name}" not in there["host switch"]
        and (host.name in there["host"] or switch.name != INSTALLED_SWITCH)
    ]
    if problems:
        raise SettingsError(problems)


def refuse_escaped_names(stack: Settings, there: Existing) -> None:
    """Refuse to create what has a slash, a backslash or a percent sign in its name.

    vSphere stores these as escapes, and the plugin would take what it reads again for another name.

    Raises: SettingsError, naming every such name.
    """
    target = stack.target
    declared = [
        ("datacenter", "datacenter", target.datacenter),
        ("cluster", "cluster.name", target.cluster.name),
        *([("switch", "switch.name", target.switch.name)] if target.switch else ()),
        *(
            ("network", f"networks[{number}].name", one.name)
            for number, one in enumerate(target.networks)
            if one in target.distributed
        ),
        *(("datastore", f"datastores[{number}].name", one.name) for number, one in enumerate(target.datastores)),
        *(
            ("datastore cluster", f"datastoreClusters[{number}].name", one.name)
            for number, one in enumerate(target.datastore_clusters)
        ),
    ]
    problems = [
        f"esxodus:target.{path}: {name!r} has a slash, a backslash or a percent sign, with which nothing can be created here; "
        "choose another name, or create it by hand: then it is used as it is"
        for kind, path, name in declared
        if encoded(name) != name and name not in there[kind]
    ]
    if problems:
        raise SettingsError(problems)


def refuse_old_exports(stack: Settings, old: Mapping[str, str]) -> None:
    """Refuse a new datastore on an NFS export that the source has mounted: what moved there would not have moved.

    `old` are the names of the source's NFS datastores, by the id of the file system that each is mounted from.

    Raises: SettingsError, naming every such datastore.
    """
    addresses = {address: name for one, name in old.items() for address in _addresses(one)}
    problems = [
        f"esxodus:target.datastores[{number}]: {server}:{one.path} is what datastore {known} of the source is mounted from; "
        "name another export, or list it in esxodus:oldDatastores"
        for number, one in enumerate(stack.target.datastores)
        for server in one.servers
        if (known := addresses.get(f"{server.lower()}:{(one.path or '').rstrip('/') or '/'}"))
    ]
    if problems:
        raise SettingsError(problems)


def _addresses(file_system: str) -> list[str]:
    """Return "server:path" of each address of "nfs:server,server:path"."""
    _, servers, path = file_system.split(":", 2)
    return [f"{server}:{path}" for server in servers.split(",")]


def refuse_used_disks(stack: Settings, new: Sequence[Datastore], used: Mapping[str, str]) -> None:
    """Refuse a new datastore on a disk that may hold data: creating it would format the disk.

    `new` are the datastores that do not exist yet, `used` says why a disk must not be touched, by device.

    Raises: SettingsError, naming every such disk.
    """
    reasons = {device.lower(): reason for device, reason in used.items()}
    problems = [
        f"esxodus:target.datastores[{number}].disk: {datastore.disk} {reasons[disk]}; "
        "a new datastore needs a blank disk that only the new hosts see"
        for number, datastore in enumerate(stack.target.datastores)
        if datastore in new and (disk := (datastore.disk or "").lower()) in reasons
    ]
    if problems:
        raise SettingsError(problems)

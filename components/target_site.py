"""TargetSite: the new datacenter, cluster, hosts, networks and datastores, by pulumi-vsphere.

Only properties are used that both plugins know, the released one and the one that tools/ builds (upstream 1.26.0).
Whatever is declared is kept when it is removed from the settings or by `pulumi destroy`: this product builds, and forgets.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_vsphere as vsphere

from components.new_storage import NewStorage
from components.providers.new_datastores import NewDatastores
from migration.errors import Unexpected

if TYPE_CHECKING:
    from components import settings_site
    from components.settings import Settings
    from vsphere.existing import Existing


PATIENCE: Final = 5.0
"""Seconds for which reading the stack's own state is tried again."""


class Adoption:
    """Tells what to declare from what to leave alone (docs/adr/0007-adopt-what-exists.md).

    What this stack's state holds is declared. What it does not hold and yet exists is adopted: used by its id and left as it
    is. Everything else is declared, hence created.
    """

    def __init__(self, existing: Existing, owned: frozenset[tuple[str, str]]) -> None:
        """Take what exists (kind to name to id) and what the state holds (resource type and logical name)."""
        self._existing = existing
        self._owned = owned
        self.adopted: list[str] = []

    def id_of(self, kind: str, name: str, resource: type[pulumi.CustomResource]) -> str | None:
        """Return the id of a thing to adopt, None for one to declare."""
        if (str(resource.pulumi_type), name) in self._owned:  # type: ignore[attr-defined] # set by the SDK's decorator
            return None
        found = self._existing.get(kind, {}).get(name)
        if found is not None:
            self.adopted.append(f"{kind} {name}")
        return found


def state_of_this_stack() -> frozenset[tuple[str, str]]:
    """Return type and logical name of every resource that this stack's state holds; empty where there is no state yet.

    Raises: Unexpected where the state cannot be read.
    """
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            read = pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", {"stackName": name})
            return frozenset(_type_and_name(urn) for urn in (read.value or {}).get("outputs", {}))
        except Exception as error:
            # Just now the engine writes that this run has begun. The file backend replaces the state in one step, but not
            # the small file of attributes beside it, and a reader that comes in between is answered with "EOF".
            if time.monotonic() > deadline:
                raise Unexpected(f"the state of stack {name} cannot be read: {error}") from error
            time.sleep(0.1)


def _type_and_name(urn: str) -> tuple[str, str]:
    _, _, types, name = urn.split("::", 3)
    return types.rpartition("$")[2], name


class TargetSite(pulumi.ComponentResource):
    """The site that is built. `adopted` lists what was there already and is left as it is."""

    adopted: list[str]

    def __init__(
        self,
        name: str,
        stack: Settings,
        adoption: Adoption,
        *,
        preview: int = 0,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the site that the settings describe, leaving alone what is to be adopted. `preview`: as for a VM."""
        super().__init__("esxodus:index:TargetSite", name, None, opts)
        target = stack.target
        host_password = pulumi.Output.secret(stack.host_password.get_secret_value())
        self._adoption = adoption
        self._inside = pulumi.ResourceOptions(parent=self, provider=self._plugin(name, stack), retain_on_delete=True)
        datacenter = self._datacenter(target.datacenter)
        cluster = self._cluster(target.cluster, datacenter)
        hosts = [self._host(host, target.host_username, host_password, cluster) for host in target.hosts]
        if target.switch is not None:
            switch = self._switch(target.switch, datacenter, hosts)
            for network in target.networks:
                self._network(network, switch)
        storage = NewStorage(adoption, self._inside, datacenter)
        storage.clusters(target.datastore_clusters)
        storage.datastores(target.datastores, hosts, self._blank(target, hosts, preview))
        self.adopted = adoption.adopted
        self.register_outputs({"adopted": self.adopted})

    def _plugin(self, name: str, stack: Settings) -> vsphere.Provider:
        # The plugin cannot pin a thumbprint: where one is pinned, the program has verified it before this is declared.
        return vsphere.Provider(
            name,
            vsphere_server=stack.target.vcenter,
            user=stack.target.username,
            password=pulumi.Output.secret(stack.target_password.get_secret_value()),
            allow_unverified_ssl=stack.target.thumbprint is not None,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _but(self, *ignored: str) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions.merge(self._inside, pulumi.ResourceOptions(ignore_changes=list(ignored)))

    def _datacenter(self, name: str) -> pulumi.Input[str]:
        if found := self._adoption.id_of("datacenter", name, vsphere.Datacenter):
            return found
        return vsphere.Datacenter(name, name=name, opts=self._inside).moid

    def _cluster(self, cluster: settings_site.Cluster, datacenter: pulumi.Input[str]) -> pulumi.Input[str]:
        if found := self._adoption.id_of("cluster", cluster.name, vsphere.ComputeCluster):
            return found
        return vsphere.ComputeCluster(
            cluster.name,
            name=cluster.name,
            datacenter_id=datacenter,
            host_managed=True,
            ha_enabled=cluster.ha,
            drs_enabled=cluster.drs,
            drs_automation_level="fullyAutomated",
            # EVC is set by components/providers/evc_mode.py, which knows `auto` and looks before it leaps.
            opts=self._but("evcMode"),
        ).id

    def _host(
        self, host: settings_site.NewHost, username: str, password: pulumi.Input[str], cluster: pulumi.Input[str]
    ) -> pulumi.Input[str]:
        if found := self._adoption.id_of("host", host.name, vsphere.Host):
            return found
        return vsphere.Host(
            host.name,
            hostname=host.name,
            username=username,
            password=password,
            thumbprint=host.thumbprint,
            cluster=cluster,
            # Only joining needs the password; from then on vCenter has an account of its own on the host.
            opts=self._but("username", "password", *(() if host.thumbprint else ("thumbprint",))),
        ).id

    def _switch(
        self, switch: settings_site.Switch, datacenter: pulumi.Input[str], hosts: list[pulumi.Input[str]]
    ) -> pulumi.Input[str]:
        if found := self._adoption.id_of("switch", switch.name, vsphere.DistributedVirtualSwitch):
            return found
        uplinks = [f"uplink{number}" for number in range(1, len(switch.uplinks) + 1)]
        return vsphere.DistributedVirtualSwitch(
            switch.name,
            name=switch.name,
            version=switch.version,
            datacenter_id=datacenter,
            uplinks=uplinks,
            active_uplinks=uplinks,
            standby_uplinks=[],
            hosts=[
                vsphere.DistributedVirtualSwitchHostArgs(host_system_id=host, devices=list(switch.uplinks))
                for host in hosts
            ],
            opts=self._inside,
        ).id

    def _network(self, network: settings_site.Network, switch: pulumi.Input[str]) -> None:
        if self._adoption.id_of("network", network.name, vsphere.DistributedPortGroup):
            return
        vsphere.DistributedPortGroup(
            network.name,
            name=network.name,
            distributed_virtual_switch_uuid=switch,
            vlan_id=network.vlan,
            opts=self._inside,
        )

    def _blank(self, target: settings_site.Target, hosts: list[pulumi.Input[str]], preview: int) -> NewDatastores:
        """Declare that the disks of the new datastores hold nothing, once all hosts have joined."""
        return NewDatastores(
            "new datastores",
            [one.model_dump(include={"name", "kind", "disk"}, exclude_none=True) for one in target.datastores],
            [host.name for host in target.hosts],
            joined=hosts,
            preview=preview,
            opts=pulumi.ResourceOptions(parent=self),
        )

"""TargetSite: the new datacenter, cluster, hosts, networks and datastores, by pulumi-vsphere.

Only properties are used that both plugins know, the released one and the one that tools/ builds (upstream 1.26.0).
Whatever is declared is kept when it is removed from the settings or by `pulumi destroy`: this product builds, and forgets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_vsphere as vsphere

from components import settings_networks
from components.host_networks import HostNetworks
from components.new_storage import NewStorage
from components.providers.new_datastores import NewDatastores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components import settings_site
    from components.adoption import Adoption
    from components.settings import Settings


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
        self._networks(target, datacenter, hosts)
        storage = NewStorage(adoption, self._inside, datacenter)
        storage.clusters(target.datastore_clusters)
        storage.datastores(target.datastores, hosts, self._blank(target, hosts, preview))
        self.adopted = adoption.adopted
        self.register_outputs({"adopted": self.adopted})
        for concern in adoption.concerns:
            pulumi.log.warn(str(concern), self)

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

    def _networks(
        self, target: settings_site.Target, datacenter: pulumi.Input[str], hosts: Sequence[pulumi.Input[str]]
    ) -> None:
        """Declare what is on the distributed switch, then what is each host's own."""
        port_groups: dict[str, pulumi.Input[str]] = {}
        switch: pulumi.Input[str] = ""
        vmotion = target.vmotion
        kernel = [settings_networks.Network(name=vmotion.network, vlan=vmotion.vlan)] if vmotion else []
        distributed = [*target.distributed, *(kernel if vmotion and not target.is_standard(vmotion.switch) else ())]
        if target.switch is not None:
            switch = self._switch(target.switch, datacenter, hosts)
            port_groups = {network.name: self._network(network, switch) for network in distributed}
        for host, id_ in zip(target.hosts, hosts, strict=True):
            own = HostNetworks(host, id_, self._adoption, self._inside)
            own.declare(target)
            if vmotion is not None:
                key = port_groups.get(vmotion.network)
                own.vmotion(vmotion, None if key is None else (switch, key))

    def _switch(
        self, switch: settings_networks.Switch, datacenter: pulumi.Input[str], hosts: Sequence[pulumi.Input[str]]
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
            max_mtu=switch.mtu,
            hosts=[
                vsphere.DistributedVirtualSwitchHostArgs(host_system_id=host, devices=list(switch.uplinks))
                for host in hosts
            ],
            opts=self._inside,
        ).id

    def _network(self, network: settings_networks.Network, switch: pulumi.Input[str]) -> pulumi.Input[str]:
        """Declare a distributed port group and return its key, which is its MoRef too."""
        if found := self._adoption.id_of("network", network.name, vsphere.DistributedPortGroup):
            return found
        return vsphere.DistributedPortGroup(
            network.name,
            name=network.name,
            distributed_virtual_switch_uuid=switch,
            vlan_id=network.vlan,
            opts=self._inside,
        ).key

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

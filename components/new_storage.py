"""The new datastores and datastore clusters of a TargetSite, by pulumi-vsphere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_vsphere as vsphere

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.adoption import Adoption
    from components.settings_datastores import Datastore, DatastoreCluster


class NewStorage:
    """Declares what does not exist yet; each part under its own name, below the component that `inside` says."""

    def __init__(self, adoption: Adoption, inside: pulumi.ResourceOptions, datacenter: pulumi.Input[str]) -> None:
        """Remember where to declare."""
        self._adoption = adoption
        self._inside = inside
        self._datacenter = datacenter
        self._clusters: dict[str, pulumi.Input[str]] = {}

    def clusters(self, clusters: Sequence[DatastoreCluster]) -> None:
        """Declare the datastore clusters, before the datastores that are put in them."""
        for cluster in clusters:
            self._clusters[cluster.name] = self._cluster(cluster)

    def datastores(
        self, datastores: Sequence[Datastore], hosts: Sequence[pulumi.Input[str]], blank: pulumi.Resource
    ) -> None:
        """Declare the datastores: VMFS on the first host, from which vCenter shows it to the others; NFS on each.

        Nothing is formatted before `blank` has shown that its disk holds nothing.
        """
        for one in datastores:
            if one.kind == "vmfs":
                self._vmfs(one, hosts[0], blank)
            else:
                self._nfs(one, hosts)

    def _cluster(self, cluster: DatastoreCluster) -> pulumi.Input[str]:
        if found := self._adoption.id_of("datastore cluster", cluster.name, vsphere.DatastoreCluster):
            return found
        return vsphere.DatastoreCluster(
            cluster.name,
            name=cluster.name,
            datacenter_id=self._datacenter,
            sdrs_enabled=cluster.storage_drs != "off",
            sdrs_automation_level="automated" if cluster.storage_drs == "automatic" else "manual",
            opts=self._inside,
        ).id

    def _vmfs(self, one: Datastore, host: pulumi.Input[str], blank: pulumi.Resource) -> None:
        if self._adoption.id_of("datastore", one.name, vsphere.VmfsDatastore):
            return
        after = pulumi.ResourceOptions(depends_on=[blank])
        vsphere.VmfsDatastore(
            one.name,
            name=one.name,
            host_system_id=host,
            disks=[one.disk or ""],
            datastore_cluster_id=self._of(one),
            opts=pulumi.ResourceOptions.merge(self._inside, after),
        )

    def _nfs(self, one: Datastore, hosts: Sequence[pulumi.Input[str]]) -> None:
        if self._adoption.id_of("datastore", one.name, vsphere.NasDatastore):
            return
        vsphere.NasDatastore(
            one.name,
            name=one.name,
            host_system_ids=list(hosts),
            type="NFS41" if one.version == "4.1" else "NFS",
            remote_hosts=list(one.servers),
            remote_path=one.path or "",
            security_type=(one.security or "AUTH_SYS") if one.version == "4.1" else None,
            datastore_cluster_id=self._of(one),
            opts=self._inside,
        )

    def _of(self, one: Datastore) -> pulumi.Input[str] | None:
        return self._clusters[one.cluster] if one.cluster else None

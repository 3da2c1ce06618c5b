"""Settings of the two sites: their vCenters, and what is built at the target."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from components.settings_datastores import Datastore, DatastoreCluster
from components.settings_forms import Evc, Host, HostThumbprint, Model, Name, Server, StoreName, Thumbprint
from components.settings_networks import Address, Network, StandardSwitch, Switch, Vmotion


class Vcenter(Model):
    """How a vCenter is reached. TLS is always verified: by a pinned thumbprint or by a file of CA certificates."""

    vcenter: Server
    username: Annotated[str, Field(min_length=1)]
    thumbprint: Thumbprint | None = None
    ca_file: str | None = None


class Cluster(Model):
    """The new cluster. `evc`: a mode's key, `auto` for the highest that all hosts have, absent: left as it is."""

    name: Name
    evc: Evc | None = None
    ha: bool = True
    drs: bool = True


class NewHost(Model):
    """A host of the new cluster; its certificate is pinned, by SHA-1: the only form that AddHost takes.

    One that is in the cluster already is adopted, and needs no thumbprint. `vmotion` is the address of its vMotion adapter.
    """

    name: Host
    thumbprint: HostThumbprint | None = None
    vmotion: Address | None = None


class OldDatastore(Model):
    """A datastore of the old array. `retire`: unmounted and detached on every host of both sites, once nothing uses it."""

    name: StoreName
    retire: bool = False


class Target(Vcenter):
    """The site that is built: its vCenter exists, everything else is declared here."""

    datacenter: Name
    cluster: Cluster
    hosts: Annotated[tuple[NewHost, ...], Field(min_length=1)]
    host_username: str = "root"
    switch: Switch | None = None
    switches: tuple[StandardSwitch, ...] = ()
    networks: tuple[Network, ...] = ()
    datastore_clusters: tuple[DatastoreCluster, ...] = ()
    vmotion: Vmotion | None = None
    datastores: Annotated[tuple[Datastore, ...], Field(min_length=1)]

    def is_standard(self, switch: str | None) -> bool:
        """Say whether the name is that of a standard switch."""
        return switch in {one.name for one in self.switches}

    @property
    def standard(self) -> tuple[Network, ...]:
        """The networks that are on a standard switch of each host."""
        return tuple(network for network in self.networks if self.is_standard(network.switch))

    @property
    def distributed(self) -> tuple[Network, ...]:
        """The networks that are on the distributed switch."""
        return tuple(network for network in self.networks if not self.is_standard(network.switch))

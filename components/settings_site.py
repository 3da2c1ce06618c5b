"""Settings of the two sites: their vCenters, and what is built at the target."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.settings_datastores import Datastore, DatastoreCluster
from components.settings_forms import Evc, Host, HostThumbprint, Model, Name, Server, StoreName, Thumbprint


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

    One that is in the cluster already is adopted, and needs no thumbprint.
    """

    name: Host
    thumbprint: HostThumbprint | None = None


class Switch(Model):
    """The distributed switch, and the network cards that each host gives to it.

    `version`: such as `6.6.0`; absent, the newest that vCenter knows. A VM that leaves a distributed switch of the old site
    live needs one of the same version here.
    """

    name: Name
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")] | None = None
    uplinks: Annotated[tuple[Annotated[str, Field(pattern=r"^vmnic[0-9]+$")], ...], Field(min_length=1)]


class Network(Model):
    """A distributed port group."""

    name: Name
    vlan: Annotated[int, Field(ge=0, le=4094)] = 0


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
    networks: tuple[Network, ...] = ()
    datastore_clusters: tuple[DatastoreCluster, ...] = ()
    datastores: Annotated[tuple[Datastore, ...], Field(min_length=1)]


class Fabric(Model):
    """How the old array reaches the new hosts: `manual` means that the SAN team has zoned and presented it."""

    kind: Literal["manual"] = "manual"

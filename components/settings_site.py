"""Settings of the two sites: their vCenters, and what is built at the target."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.settings_forms import (
    Adapter,
    Evc,
    FabricName,
    FabricWord,
    Host,
    HostThumbprint,
    Model,
    Name,
    PortName,
    Server,
    StoreName,
    Thumbprint,
)


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


class Datastore(Model):
    """A new VMFS datastore on a blank disk of the new array."""

    name: StoreName
    kind: Literal["vmfs"]
    disk: Annotated[str, Field(pattern=r"^(naa|eui|t10)\.\S+$")]


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
    datastores: Annotated[tuple[Datastore, ...], Field(min_length=1)]


class FabricSwitch(Model):
    """One fabric. `brocade`: its principal switch, how it is reached and verified, and the logical fabric's number (`vfid`).

    `manual`: the adapters of the hosts that are in it, the old array's ports there, and what the configuration (Fabric OS) or
    the zone set (NX-OS, with its `vsan`) is called.
    """

    name: FabricName
    switch: Server | None = None
    username: Annotated[str, Field(min_length=1)] | None = None
    thumbprint: Thumbprint | None = None
    ca_file: str | None = None
    vfid: Annotated[int, Field(ge=1, le=128)] | None = None
    hbas: Annotated[tuple[Adapter, ...], Field(min_length=1)] = ("vmhba2",)
    targets: tuple[PortName, ...] = ()
    vsan: Annotated[int, Field(ge=1, le=4093)] | None = None
    configuration: FabricName | None = None


class Fabric(Model):
    """How the old array reaches the new hosts. `manual`: people zone it; with `fabrics`, they are told what to type in.

    `brocade`: zoned by the switches' REST interface. `targets` are the old array's ports; absent: those that the old hosts use.
    """

    kind: Literal["manual", "brocade"] = "manual"
    zones: Literal["initiator", "peer"] = "initiator"
    prefix: FabricWord = "esxodus"
    targets: tuple[PortName, ...] = ()
    fabrics: tuple[FabricSwitch, ...] = ()

"""Settings of the fabrics: how the old array reaches the new hosts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.settings_forms import Adapter, FabricName, FabricWord, Model, PortName, Server, Thumbprint


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
    hbas: tuple[Adapter, ...] = ()
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

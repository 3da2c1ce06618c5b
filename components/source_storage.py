"""SourceStorage: the old array's datastores on the new hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.providers.fabric_zones import FabricZones
from components.providers.old_datastores import OldDatastores
from components.providers.removed_zones import RemovedZones
from components.providers.retired_datastores import RetiredDatastores
from migration.wanted import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.adoption import Adoption
    from components.settings import Settings


class SourceStorage(pulumi.ComponentResource):
    """The old datastores, as they are, on every new host.

    Presenting the LUNs is the SAN team's, and so is zoning, unless the settings name fabrics: these are zoned first, or it is
    said how. Then each host is made to look, and shown to see.
    """

    def __init__(
        self,
        name: str,
        stack: Settings,
        *,
        preview: int,
        adoption: Adoption | None = None,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare that the old datastores are mounted, once everything in `after` is complete. `preview`: as for a VM.

        `adoption` knows what the state says of the zones.
        """
        super().__init__("esxodus:index:SourceStorage", name, None, opts)
        self._name = name
        self._stack = stack
        self._preview = preview
        zones = adoption.told(FabricZones, f"{name} zones") if adoption else {}
        self._remembered = {"made": zones.get("made") or {}, "targets": zones.get("reached") or []}
        self._hosts = [host.name for host in stack.target.hosts]
        self._zones = self._zoned(list(after)) if stack.fabric.fabrics else None
        before = [*after, self._zones] if self._zones else list(after)
        self._mounted = OldDatastores(
            f"{name} mounted",
            datastores=[old.name for old in stack.old_datastores if not old.retire],
            retired=stack.retiring,
            hosts=self._hosts,
            preview=preview,
            reach=self._zones.reach if self._zones else {},
            opts=pulumi.ResourceOptions(parent=self, depends_on=before),
        )
        self.register_outputs({})

    def _zoned(self, after: list[pulumi.Resource]) -> FabricZones:
        return FabricZones(
            f"{self._name} zones",
            fabric=self._fabric(),
            hosts=self._hosts,
            datastores=self._stack.old_names,
            preview=self._preview,
            remembered=self._remembered,
            closing=self._stack.closing,
            opts=pulumi.ResourceOptions(parent=self, depends_on=after),
        )

    def _fabric(self) -> dict[str, object]:
        """Return the settings of the fabrics as plain data; what reaches a switch is the provider's to know."""
        fabric = self._stack.fabric
        told = {"name", "hbas", "targets", "vsan", "configuration"}
        return {
            "kind": fabric.kind,
            "zones": fabric.zones,
            "prefix": fabric.prefix,
            "targets": list(fabric.targets),
            "fabrics": [one.model_dump(mode="json", include=told) for one in fabric.fabrics],
        }

    def retire(self, after: Sequence[pulumi.Resource]) -> RetiredDatastores | None:
        """Declare that what the stack wants retired is, once everything in `after`, the waves, is complete.

        None where nothing is to be retired. Our zones go after the last detach, where every old datastore is retired.
        """
        if not self._stack.retiring:
            return None
        leaving = [spec.identity.name for _, spec in self._stack.specs() if spec.stage is Stage.MIGRATED]
        retired = RetiredDatastores(
            f"{self._name} retired",
            datastores=self._stack.retiring,
            known=self._mounted.volumes,
            leaving=leaving,
            preview=self._preview,
            # No child of this component: the waves depend on the component, hence on all of its children.
            opts=pulumi.ResourceOptions(depends_on=[self._mounted, *after]),
        )
        if self._zones and self._stack.closing:
            RemovedZones(
                f"{self._name} zones removed",
                fabric=self._fabric(),
                made=self._zones.made,
                remembered=self._remembered,
                preview=self._preview,
                opts=pulumi.ResourceOptions(depends_on=[retired]),
            )
        return retired

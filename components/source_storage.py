"""SourceStorage: the old array's datastores on the new hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.providers.old_datastores import OldDatastores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.settings import Settings


class SourceStorage(pulumi.ComponentResource):
    """The old datastores, as they are, on every new host.

    Zoning and presentation are the SAN team's (fabric kind `manual`); here each host is made to look, and shown to see.
    """

    def __init__(
        self,
        name: str,
        stack: Settings,
        *,
        preview: int,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare that the old datastores are mounted, once everything in `after` is complete. `preview`: as for a VM."""
        super().__init__("esxodus:index:SourceStorage", name, None, opts)
        OldDatastores(
            f"{name} mounted",
            datastores=stack.old_datastores,
            hosts=[host.name for host in stack.target.hosts],
            preview=preview,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        self.register_outputs({})

"""SourceStorage: the old array's datastores on the new hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.providers.old_datastores import OldDatastores
from components.providers.retired_datastores import RetiredDatastores
from migration.wanted import Stage

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
        paths: int = 0,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare that the old datastores are mounted, once everything in `after` is complete.

        `paths` is how many paths each new host should have to each LUN, where that is known. `preview`: as for a VM.
        """
        super().__init__("esxodus:index:SourceStorage", name, None, opts)
        self._name = name
        self._stack = stack
        self._preview = preview
        self._mounted = OldDatastores(
            f"{name} mounted",
            datastores=[old.name for old in stack.old_datastores if not old.retire],
            retired=stack.retiring,
            hosts=[host.name for host in stack.target.hosts],
            preview=preview,
            paths=paths,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        self.register_outputs({})

    def retire(self, after: Sequence[pulumi.Resource]) -> RetiredDatastores | None:
        """Declare that what the stack wants retired is, once everything in `after`, the waves, is complete.

        None where nothing is to be retired. What may only be taken away after the last detach depends on what is returned.
        """
        if not self._stack.retiring:
            return None
        leaving = [spec.identity.name for _, spec in self._stack.specs() if spec.stage is Stage.MIGRATED]
        return RetiredDatastores(
            f"{self._name} retired",
            datastores=self._stack.retiring,
            known=self._mounted.volumes,
            leaving=leaving,
            preview=self._preview,
            # No child of this component: the waves depend on the component, hence on all of its children.
            opts=pulumi.ResourceOptions(depends_on=[self._mounted, *after]),
        )

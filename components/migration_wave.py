"""MigrationWave: the VMs that go together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

from components import outcomes
from components.providers.migrated_vm import MigratedVm
from components.totals import brief, totals
from migration.wanted import Stage

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from components.settings import Settings
    from migration.wanted import Identity, VmSpec


class MigrationWave(pulumi.ComponentResource):
    """One MigratedVm per VM, each after everything that the wave depends on. `vms` holds them by logical name."""

    vms: dict[str, MigratedVm]
    home: list[MigratedVm]

    def __init__(
        self,
        name: str,
        specs: Sequence[VmSpec],
        *,
        preview: int,
        parts: Sequence[pulumi.Resource] = (),
        after: Sequence[MigrationWave] = (),
        travelling: Collection[Identity] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the wave's VMs.

        `after` are the waves that must be complete before any of them is touched, `parts` what the target must have for those
        that are wanted there: the way back must not depend on a new site that is broken. Who is `travelling` waits for nothing:
        a guest that an earlier run has left down must not stay so because something else is slow, or fails.
        """
        super().__init__("esxodus:index:MigrationWave", name, None, opts)
        # A child does not inherit what its parent depends on.
        home = [vm for wave in after for vm in wave.home]
        back = pulumi.ResourceOptions(parent=self, depends_on=home)
        there = pulumi.ResourceOptions(parent=self, depends_on=[*parts, *after])
        at_once = pulumi.ResourceOptions(parent=self)

        def opts_of(spec: VmSpec) -> pulumi.ResourceOptions:
            return at_once if spec.identity in travelling else back if spec.stage is Stage.SOURCE else there

        self.vms = {
            logical: MigratedVm(logical, spec, preview, opts=opts_of(spec)) for logical, spec in _named(specs).items()
        }
        self.home = [self.vms[logical] for logical, spec in _named(specs).items() if spec.stage is Stage.SOURCE]
        self.register_outputs({})


def declare_waves(
    stack: Settings, *, preview: int, parts: Sequence[pulumi.Resource], travelling: Collection[Identity] = ()
) -> dict[str, MigrationWave]:
    """Declare all waves, each after those that it names, whatever order they are written in."""
    outcomes.listen()
    declared: dict[str, MigrationWave] = {}
    specs = stack.specs()
    waiting = list(stack.waves)
    while waiting:
        ready = next(wave for wave in waiting if set(wave.after) <= declared.keys())
        waiting.remove(ready)
        declared[ready.name] = MigrationWave(
            ready.name,
            [spec for wave, spec in specs if wave is ready],
            preview=preview,
            parts=parts,
            after=[declared[name] for name in ready.after],
            travelling=travelling,
        )
    return declared


def exports(waves: Mapping[str, MigrationWave]) -> dict[str, pulumi.Output[Any]]:
    """Return what the stack exports: `vms`, a line each, and the totals of each of the `waves` and of the `site`."""
    told = {name: pulumi.Output.all(*(vm.told() for vm in wave.vms.values())) for name, wave in waves.items()}
    named = _all({name: vm.told() for wave in waves.values() for name, vm in wave.vms.items()})
    return {
        "vms": named.apply(lambda vms: {name: brief(name, vm) for name, vm in vms.items()}),
        "waves": _all({name: vms.apply(totals) for name, vms in told.items()}),
        "site": named.apply(lambda vms: totals(list(vms.values()))),
    }


def _all(outputs: Mapping[str, pulumi.Output[dict[str, Any]]]) -> pulumi.Output[dict[str, dict[str, Any]]]:
    """Return them as one; the SDK makes a list of none."""
    return pulumi.Output.all(**outputs) if outputs else pulumi.Output.from_input({})


def _named(specs: Sequence[VmSpec]) -> dict[str, VmSpec]:
    """Return the VMs by logical name: the VM's own, with the instance UUID where that is given."""
    return {" ".join(filter(None, (spec.identity.name, spec.identity.instance_uuid))): spec for spec in specs}

"""By which method a VM gets across: live where the platform allows it, else reattached, with the reasons. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from migration import live
from migration.model import Concern, Power, Vm
from migration.observation import Observation
from migration.wanted import Method, VmSpec


@dataclass(frozen=True, slots=True)
class Choice:
    """`refusals` are the platform's reasons against Advanced Cross vCenter vMotion: against the choice, or for it.

    `joined`: the hosts that it counts on can be seen, as in a preview they may not.
    """

    method: Method
    refusals: tuple[Concern, ...] = ()
    joined: bool = True

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is this method, in an operator's words."""
        if self.refusals:
            return tuple(f"{concern.sentence} [{concern.id}]" for concern in self.refusals)
        known = "" if self.joined else ", as far as can be known before the new hosts have joined"
        return (
            (f"every rule for moving between vCenters in one step holds{known}",) if self.method is Method.XVM else ()
        )


def choose(spec: VmSpec, seen: Observation, vm: Vm) -> Choice:
    """Return how the VM, which is not at the site where it is wanted, will get there.

    `auto` is live wherever every rule holds. Whatever the method, a guest that is down on its way is brought up by the shortest
    way, which never is a copy of its files: it is reattached where both sides show them.
    """
    if spec.method is Method.REATTACH or _down(spec, seen, vm):
        return Choice(Method.REATTACH)
    refusals = tuple(concern for rule in live.RULES for concern in rule(spec, seen) if vm.site != spec.home)
    if old := tuple(concern for concern in refusals if concern.id == live.version.id):
        refusals = old  # whatever else stands against it, nothing can be done about that
    if spec.method is Method.XVM or not refusals:
        there = seen.sites.get(spec.home)
        return Choice(Method.XVM, refusals, joined=bool(there and any(host.version for host in live.able(spec, there))))
    return Choice(Method.REATTACH, refusals)


def crosses(spec: VmSpec, seen: Observation, vm: Vm) -> bool:
    """Say whether the VM has to change its site, and does so in one step."""
    return vm.site != spec.home and choose(spec, seen, vm).method is Method.XVM


def reattaches(spec: VmSpec, seen: Observation, vm: Vm) -> bool:
    """Say whether the VM has to change its site, and is shut down, unregistered and registered for it."""
    return vm.site != spec.home and not crosses(spec, seen, vm)


def _down(spec: VmSpec, seen: Observation, vm: Vm) -> bool:
    """Say whether its guest is down on its way, and may be reattached: both sides show its files."""
    papers = vm.papers
    if papers is None or not papers.transit or papers.power is not Power.ON or vm.power is not Power.OFF:
        return False
    there = seen.sites.get(spec.home)
    return there is not None and vm.volumes <= {volume.id for volume in there.volumes}

"""Which EVC mode the new cluster should have, why, and what stands against it. Pure.

The modes, and which covers which, are those that the vCenter knows at run time (Capability.supportedEVCMode): they depend on
its version. A CPU needs to match only where a guest goes on running: one that is shut down, reattached and powered on takes
what CPU it finds (vsphere-facts, EVC: S29, S31, S32).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from migration.errors import Blocked
from migration.evc_modes import Mode
from migration.live import OLDEST, number
from migration.model import Concern, Power, Severity
from migration.observation import Observation
from migration.rule import Kind
from migration.wanted import Method, VmSpec

AUTO: Final = "auto"
_SHOWN: Final = 5
"""How many VMs are named where many are meant."""

DISCONNECTED: Final = Kind(
    "evc.host-disconnected",
    Severity.BLOCKS,
    "A host of the new cluster is not connected, so that no EVC mode can be set.",
    "connect the host, or take it out of the cluster, then run again",
    "S30",
)
OTHER_VENDOR: Final = Kind(
    "evc.other-vendor",
    Severity.BLOCKS,
    "The EVC mode is for processors of another vendor than a host has.",
    "set esxodus:target.cluster.evc to a mode of that vendor, or to auto; hosts of two vendors need two clusters",
    "S28, S30; API: EVCModeIllegalByVendor",
)
CANNOT: Final = Kind(
    "evc.host-cannot",
    Severity.BLOCKS,
    "The EVC mode is more than a host's processors, or its BIOS settings, support.",
    "set esxodus:target.cluster.evc to a mode that all hosts support, or to auto",
    "S28, S30; API: EVCModeUnsupportedByHosts",
)
ABOVE: Final = Kind(
    "evc.vms-above",
    Severity.BLOCKS,
    "The EVC mode is to be lowered, and VMs run, or are suspended, with more than it has.",
    "power them off until it is set (a restart of the guest is not enough), or keep the mode that is in force",
    "S29, S32; API: ActiveVMsBlockingEVC",
)
MAY_BE_ABOVE: Final = Kind(
    "evc.vms-may-be-above",
    Severity.WARNS,
    "EVC is to be switched on, and VMs run, or are suspended, on hosts that have more than its mode.",
    "pulumi up asks vCenter before the mode is set; where it refuses, power them off (vCLS VMs: by retreat mode) and run again",
    "S29, S31",
)
UNKNOWN: Final = Kind(
    "evc.unknown-mode",
    Severity.BLOCKS,
    "The target's vCenter does not know the EVC mode that is wanted.",
    "set esxodus:target.cluster.evc to auto, or to one of those that it knows",
    "API: Capability.supportedEVCMode",
)
NOTHING_IN_COMMON: Final = Kind(
    "evc.no-common-mode",
    Severity.BLOCKS,
    "The cluster's hosts have no EVC mode in common.",
    "see that all hosts are connected and of one CPU vendor, or take one out of the cluster",
    "S28, S30",
)
KINDS: Final = (DISCONNECTED, OTHER_VENDOR, CANNOT, ABOVE, MAY_BE_ABOVE, UNKNOWN, NOTHING_IN_COMMON)


@dataclass(frozen=True, slots=True)
class Server:
    """A host of the cluster; `ceiling` is the highest mode that it can have, "" where it does not report it."""

    name: str
    ceiling: str
    connected: bool = True


@dataclass(frozen=True, slots=True)
class Guest:
    """A VM of the cluster that runs or is suspended; `needs` is the least mode that it can run with, "" where not known.

    Not `sure`: it is in no EVC cluster, where vCenter does not say, and `needs` is the highest mode of its host.
    """

    name: str
    host: str
    needs: str
    suspended: bool = False
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Evc:
    """A cluster's EVC: its present mode, "" where EVC is off, its hosts and guests, and the modes that its vCenter knows."""

    cluster: str
    current: str
    hosts: tuple[Server, ...]
    modes: tuple[Mode, ...]
    guests: tuple[Guest, ...] = ()

    def mode(self, key: str) -> Mode | None:
        """Return the mode of this key, None where the vCenter does not know it."""
        return next((mode for mode in self.modes if mode.key == key), None)


@dataclass(frozen=True, slots=True)
class Traveller:
    """A VM that may go live between the sites: from the old `cluster`, whose hosts each offer the modes `offers`, and back.

    `needs` is the mode that it runs with now, "" where it does not run there or nothing is known.
    """

    name: str
    cluster: str
    offers: frozenset[str]
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A mode, and why it is that one."""

    key: str
    because: str

    def __str__(self) -> str:
        """Give both, for the operator."""
        return f"{self.key}: {self.because}"


@dataclass(frozen=True, slots=True)
class _Sites:
    """The travellers seen together: what the old clusters share, and what the VMs need."""

    travellers: tuple[Traveller, ...]
    shared: frozenset[str] = field(default_factory=frozenset)

    @property
    def clusters(self) -> str:
        """The old clusters by name."""
        names = sorted({one.cluster for one in self.travellers})
        return f"the old {'cluster' if len(names) == 1 else 'clusters'} {' and '.join(names)}"


def traveller(spec: VmSpec, seen: Observation) -> Traveller | None:
    """Return the VM as one that may go live between the sites, there or back; None where platform or method rule it out.

    What may change from day to day, such as a connected CD, is not asked: a mode that is raised meanwhile could not be lowered
    under the VMs that were powered on with it.
    """
    vm, here, there = seen.vm, seen.sites.get(spec.source), seen.sites.get(spec.target)
    if spec.method is Method.REATTACH or vm is None or vm.template or here is None or there is None:
        return None
    if any(number(view.version)[:2] < OLDEST for view in (here, there)):
        return None
    home = vm.site == spec.source
    cluster = vm.cluster if home else vm.papers.cluster if vm.papers else ""
    takes_part = [one for one in here.hosts if not one.version or number(one.version)[:2] >= OLDEST]
    offers = [one.evc for one in takes_part if one.cluster == cluster and one.evc]
    if not offers:
        return None
    needs = vm.evc if home and vm.power is Power.ON else ""
    return Traveller(spec.identity.name, cluster, frozenset.intersection(*offers), needs)


def choose(evc: Evc, setting: str, travellers: Collection[Traveller] = ()) -> Choice:
    """Return the mode that the setting asks for.

    `auto` is the highest that every host of the cluster supports and, where there are `travellers`, that the old hosts share:
    what is powered on with more could not come back live. It is no lower than what runs and is to go live needs.

    Raises: Blocked for a key that the vCenter does not know, or where the hosts have no mode in common.
    """
    if setting != AUTO:
        if evc.mode(setting) is None:
            raise Blocked((_unknown(evc, setting),))
        return Choice(setting, "as esxodus:target.cluster.evc says")
    silent = sorted(host.name for host in evc.hosts if not host.ceiling)
    if evc.current and silent:  # such as a dead host: no reason to change anything
        return Choice(evc.current, f"left as it is, because {', '.join(silent)} does not say what it supports")
    common = _common(evc)
    if not common:
        raise Blocked((_nothing_in_common(evc),))
    top = _highest(common)
    hosts = "its only host has" if len(evc.hosts) == 1 else f"all {len(evc.hosts)} new hosts have"
    if not travellers:
        return Choice(
            top.key,
            f"the highest that {hosts}; no VM may go live between the sites, and one that is reattached powers on with any CPU",
        )
    old = _Sites(tuple(travellers), frozenset.intersection(*(one.offers for one in travellers)))
    return _shared(evc, common, top, old, hosts)


def _shared(evc: Evc, common: Sequence[Mode], top: Mode, old: _Sites, hosts: str) -> Choice:
    """Choose among the modes that all new hosts have, minding the way back."""
    both = [mode for mode in common if mode.key in old.shared]
    if not both:
        return Choice(top.key, f"the highest that {hosts}; {old.clusters} has none of their modes, so no VM goes live")
    best = _highest(both)
    needed = {one.needs: one.name for one in sorted(old.travellers, key=lambda one: one.name, reverse=True)}
    above = [mode for mode in common if mode.key in needed and not best.covers(mode)]
    enough = [mode for mode in common if mode.covers(best) and all(mode.covers(one) for one in above)]
    count = f"{len(old.travellers)} VM{'s' if len(old.travellers) > 1 else ''} may go live there and back"
    if above and enough:
        least = min(enough, key=lambda mode: (mode.tier, len(mode.track)))
        which = needed[_highest(above).key]
        return Choice(
            least.key,
            f"the least that {which}, which runs with it, needs to go live; what is powered on with it comes back live only to "
            f"those hosts of {old.clusters} that have it ({best.key} is what all of them share)",
        )
    if best.key == top.key:
        return Choice(best.key, f"the highest that {hosts}, and {old.clusters} too: {count}")
    return Choice(
        best.key,
        f"the highest that the {len(evc.hosts)} new hosts and {old.clusters} share, because {count}; the new hosts alone "
        f"would have {top.key}",
    )


def against(evc: Evc, key: str) -> tuple[Concern, ...]:
    """Return what stands against setting the mode, from facts alone; vCenter's own check has the last word before it is set.

    All hosts are connected, of the mode's vendor and able (S28, S30); no VM runs or is suspended with more than it has (S29).
    """
    return tuple(_against(evc, key)) if key != evc.current else ()


def _against(evc: Evc, key: str) -> Iterator[Concern]:
    mode = evc.mode(key)
    if mode is None:
        yield _unknown(evc, key)
        return
    ceilings = {host.name: evc.mode(host.ceiling) for host in evc.hosts}
    if away := sorted(host.name for host in evc.hosts if not host.connected):
        yield _blocks(DISCONNECTED, evc, f"EVC mode {key} cannot be set while {', '.join(away)} is not connected")
    foreign = sorted(name for name, own in ceilings.items() if own and own.vendor != mode.vendor)
    if foreign:
        yield _blocks(
            OTHER_VENDOR, evc, f"EVC mode {key} is for {mode.vendor} processors, and {', '.join(foreign)} has others"
        )
    unable = [
        host
        for host in evc.hosts
        if (own := ceilings[host.name]) and own.vendor == mode.vendor and not own.covers(mode)
    ]
    if unable:
        names = ", ".join(f"{host.name} (at most {host.ceiling})" for host in sorted(unable, key=lambda one: one.name))
        yield _blocks(
            CANNOT, evc, f"EVC mode {key} is more than {names} {'supports' if len(unable) == 1 else 'support'}"
        )
    every = [guest for guest in evc.guests if (own := evc.mode(guest.needs)) and not mode.covers(own)]
    above, perhaps = ([one for one in every if one.sure is sure] for sure in (True, False))
    if perhaps:
        verb = "runs" if len(perhaps) == 1 else "run"
        yield MAY_BE_ABOVE.concern(evc.cluster, f"EVC mode {key} may be less than {_named(perhaps)} {verb} with")
    if above:
        yield _blocks(
            ABOVE,
            evc,
            f"EVC mode {key} is less than {_named(above)} {'runs' if len(above) == 1 else 'run'} with",
            f"power {'it' if len(above) == 1 else 'them'} off until it is set (a restart of the guest is not enough)"
            + (f", or keep the mode: set esxodus:target.cluster.evc to {evc.current}" if evc.current else ""),
        )


def _named(guests: Sequence[Guest]) -> str:
    some = sorted(guests, key=lambda one: one.name)
    said = [f"{one.name} ({one.needs}{', suspended' if one.suspended else ''})" for one in some[:_SHOWN]]
    return ", ".join(said) + (f" and {len(some) - _SHOWN} more" if len(some) > _SHOWN else "")


def _common(evc: Evc) -> list[Mode]:
    """Return the modes that every host covers; none where one does not report its own, or vendors are mixed."""
    ceilings = [evc.mode(host.ceiling) for host in evc.hosts]
    if not ceilings:
        return []
    return [mode for mode in evc.modes if all(own is not None and own.covers(mode) for own in ceilings)]


def _highest(modes: Sequence[Mode]) -> Mode:
    return max(modes, key=lambda mode: (mode.tier, len(mode.track)))


def _unknown(evc: Evc, key: str) -> Concern:
    return _blocks(
        UNKNOWN,
        evc,
        f"its vCenter knows no EVC mode {key!r}",
        f"set esxodus:target.cluster.evc to auto, or to one of {', '.join(mode.key for mode in evc.modes)}",
    )


def _nothing_in_common(evc: Evc) -> Concern:
    ceilings = ", ".join(
        f"{host.name}: {host.ceiling or 'not reported'}" for host in sorted(evc.hosts, key=lambda one: one.name)
    )
    return _blocks(NOTHING_IN_COMMON, evc, f"its hosts have no EVC mode in common ({ceilings or 'no hosts'})")


def _blocks(kind: Kind, evc: Evc, sentence: str, remedy: str = "") -> Concern:
    return Concern(kind.id, kind.severity, evc.cluster, sentence, remedy or kind.remedy)

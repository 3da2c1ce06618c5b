"""What an operator should know before a VM is touched: one rule per kind of concern.

A rule is a pure function of what is wanted and what is seen. Severities follow vCenter's own split: it blocks where
continuity or files are at risk, it warns where something may not reconnect. Each rule is asked in both directions, by either
method, and of a VM that is on its way: what only matters before a guest is down must not keep it down.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from migration import live
from migration.concerns import (
    belongings,
    datastores,
    devices,
    disks,
    guest,
    identity,
    landing,
    machine,
    network,
    site,
    upkeep,
    way_back,
)
from migration.concerns.elsewhere import ELSEWHERE
from migration.model import Concern, Severity
from migration.observation import Observation
from migration.rule import Kind, Rule
from migration.wanted import Method, VmSpec

EITHER_WAY: Final[tuple[Rule, ...]] = (
    identity.not_found,
    identity.ambiguous,
    identity.registered_twice,
    identity.held,
    identity.unregistered_without_papers,
    identity.unreachable,
    identity.others_unreadable,
    identity.name_taken,
    identity.bios_twin,
    machine.template_runs,
    machine.in_vapp,
    machine.fault_tolerant,
    machine.encrypted,
    machine.locked,
    machine.consolidation,
    machine.change_tracking,
    machine.hardware_too_new,
    machine.hardware_too_old,
    machine.snapshots,
    machine.snapshot_chain,
    network.unmapped,
    network.no_way_back,
    network.missing_at_target,
    network.none,
    network.to_standard,
    network.mac_taken,
    disks.not_brought_along,
    disks.raw_physical,
    disks.raw_virtual,
    disks.shared,
    disks.independent,
    disks.nonpersistent,
    disks.linked,
    disks.base_of_clone,
    datastores.nothing_to_land_on,
    datastores.too_small,
    datastores.may_fill,
    datastores.local,
    datastores.vmfs3,
    datastores.storage_drs,
    datastores.sioc,
    devices.passthrough,
    devices.sriov,
    devices.vgpu,
    devices.vtpm,
    devices.usb,
    devices.serial,
    devices.parallel,
    devices.image,
    devices.host_media,
    guest.suspended,
    guest.question_pending,
    guest.tools_absent,
    guest.tools_installer,
    guest.shutdown_overdue,
    guest.unhealthy,
    guest.fewer_features,
    guest.pinned,
    guest.latency,
    landing.no_host_able,
    landing.cpu_too_few,
    landing.cpu_reservation,
    landing.reservation_too_large,
    landing.ha_keeps_all,
    landing.memory_short,
    way_back.papers_missing,
    way_back.hardware_too_new,
    way_back.vmfs6,
    way_back.no_room,
    site.permission,
    site.clock,
    site.no_tags,
    site.window_short,
    upkeep.no_ntp,
    upkeep.clock,
    upkeep.expired,
    upkeep.ends,
    upkeep.feature,
    belongings.no_role,
    belongings.host_rule,
    belongings.members_apart,
)
"""Asked of every VM, by whatever method it goes."""

ALL: Final[tuple[Rule, ...]] = (*EITHER_WAY, *live.RULES)

KINDS: Final[tuple[Kind, ...]] = (*ALL, *ELSEWHERE)
"""Every kind of concern that an operator can ever see."""


def concerns(spec: VmSpec, seen: Observation) -> tuple[Concern, ...]:
    """Return every concern about this VM, those that block first; accepted warnings only inform, with the reason.

    Rules of live moves count where that is the method; where we choose it, they are the reasons for the choice.
    """
    asked = ALL if spec.method is Method.XVM else EITHER_WAY
    found = [_accepted(spec, concern) for rule in asked for concern in rule(spec, seen)]
    order = list(Severity)
    return tuple(sorted(found, key=lambda concern: order.index(concern.severity)))


def blocking(spec: VmSpec, seen: Observation) -> tuple[Concern, ...]:
    """Return only the concerns that must be dealt with first."""
    return tuple(concern for concern in concerns(spec, seen) if concern.severity is Severity.BLOCKS)


def known_ids() -> frozenset[str]:
    """Return every id that there is, for whoever checks the ids that an operator writes."""
    return frozenset(kind.id for kind in KINDS if not kind.id.endswith("*"))


def only_block() -> frozenset[str]:
    """Return the ids of what always blocks, as long as no guest is down for the move: accepting one would be in vain."""
    lenient = {rule.id for rule in ALL if rule.lenient}
    return frozenset(kind.id for kind in KINDS if kind.severity is Severity.BLOCKS and kind.id not in lenient)


def _accepted(spec: VmSpec, concern: Concern) -> Concern:
    """Apply the operator's reason for accepting a warning; what blocks cannot be accepted, and says so."""
    reason = spec.accepted.get(concern.id)
    if reason is None or concern.severity is Severity.INFORMS:
        return concern
    if concern.severity is Severity.BLOCKS:
        return replace(concern, sentence=f"{concern.sentence} (it blocks, so it cannot be accepted)")
    return replace(concern, severity=Severity.INFORMS, accepted=reason)

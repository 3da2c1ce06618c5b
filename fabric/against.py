"""What may stand against zoning, each with its row in docs/concerns.md."""

from __future__ import annotations

import enum
from typing import Final

from migration.model import Concern, Severity
from migration.rule import Kind


class Against(enum.Enum):
    """A kind of concern about a fabric."""

    TRANSACTION = Kind(
        "fabric.transaction-open",
        Severity.BLOCKS,
        "Somebody has a zoning transaction open. Only one can be saved, and saving ours would lose theirs.",
        "let them save it, or abort it where it is left over (`cfgtransshow`, `cfgtransabort`), then run again",
        "F1",
    )
    NONE = Kind(
        "fabric.no-configuration",
        Severity.BLOCKS,
        "No zone configuration is in effect: by the default zone everybody sees everybody, or nobody does.",
        "have the SAN team enable a configuration with what is there, then run again",
        "F1, ours",
    )
    PENDING = Kind(
        "fabric.pending-changes",
        Severity.BLOCKS,
        "Changes are saved that are not in effect yet; enabling the configuration for our zones would bring them in too.",
        "have the SAN team enable them or take them back, then run again",
        "F1",
    )
    FOREIGN = Kind(
        "fabric.zone-foreign",
        Severity.BLOCKS,
        "A name that we would give is that of an alias, of a configuration, or of a zone with members that are not known here.",
        "rename or remove that zone, or set esxodus:fabric.prefix to another word",
        "ours",
    )
    CHANGED = Kind(
        "fabric.zone-changed",
        Severity.WARNS,
        "A zone that we made has been changed by somebody; it is not taken away.",
        "see who needs it, and remove it by hand where nobody does",
        "ours",
    )
    ELSEWHERE = Kind(
        "fabric.zone-elsewhere",
        Severity.WARNS,
        "Another configuration names a zone that we made, too: it is taken out of the one in effect, and stays defined.",
        "take it out of that configuration, and delete it, once nobody needs either",
        "F1",
    )
    GONE_FROM_SETTINGS = Kind(
        "fabric.unnamed",
        Severity.BLOCKS,
        "We made zones in a fabric that the settings do not name any more, so that they cannot be taken away.",
        "name the fabric in esxodus:fabric.fabrics again, as it was called",
        "ours",
    )
    UNTOLD = Kind(
        "fabric.host-untold",
        Severity.BLOCKS,
        "A port for which we made a zone is of a host that is not connected, or not there: it may still use the old array.",
        "reconnect the host; or have the SAN team remove its zone by hand once it is gone for good",
        "S43",
    )
    LAST = Kind(
        "fabric.last-zones",
        Severity.BLOCKS,
        "The configuration in effect has no zones but ours, and cannot be without any.",
        "have the SAN team disable the configuration, or remove the zones by hand",
        "F1",
    )
    IN_USE = Kind(
        "fabric.zone-in-use",
        Severity.BLOCKS,
        "A new host still uses a disk that it reaches through zones that are to be taken away.",
        "move what is on it and detach the disk on the host, or have the array withdraw it, then run again",
        "S43, S46",
    )
    MEANWHILE = Kind(
        "fabric.changed-meanwhile",
        Severity.BLOCKS,
        "The zoning was changed by somebody after it had been read. Nothing of ours was saved.",
        "run again: what is there now is read anew",
        "F1",
    )
    NO_LOGIN = Kind(
        "fabric.port-absent",
        Severity.WARNS,
        "A Fibre Channel port of a new host is logged in to none of the fabrics.",
        "see its cable, and whether the switch port is enabled",
        "U",
    )
    NO_TARGET = Kind(
        "fabric.target-absent",
        Severity.WARNS,
        "A target port of the old array is logged in to none of the fabrics.",
        "see its cable; correct esxodus:fabric.targets",
        "U",
    )
    NO_TARGETS = Kind(
        "fabric.no-target",
        Severity.BLOCKS,
        "No target port of the old array is logged in to any of the fabrics.",
        "correct esxodus:fabric.fabrics, or esxodus:fabric.targets",
        "U",
    )
    UNCONNECTED = Kind(
        "fabric.host-unconnected",
        Severity.BLOCKS,
        "No Fibre Channel port of a new host is logged in to any of the fabrics.",
        "see its cables, and whether its switch ports are enabled",
        "U",
    )
    ONE_FABRIC = Kind(
        "fabric.one-fabric",
        Severity.WARNS,
        "A new host is in one fabric only: one switch or cable stops what runs from the old array there.",
        "connect its other port to the other fabric",
        "U",
    )
    SWITCH = Kind(
        "fabric.switch",
        Severity.BLOCKS,
        "A fabric's switch does not answer, refuses the login, or is one that its REST interface cannot zone.",
        "correct esxodus:fabric.fabrics and fabricPassword; Fabric OS 8.2.1b or later is needed",
        "F1, F2",
    )

    def concern(self, subject: str, sentence: str) -> Concern:
        """Return the concern that says it."""
        kind: Kind = self.value
        return kind.concern(subject, sentence)


KINDS: Final[tuple[Kind, ...]] = tuple(one.value for one in Against)

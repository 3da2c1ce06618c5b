"""Which run may work on a VM: the run says it in the VM itself, others see it, and take over from one that no longer lives.

A VM is leased as long as it is on its way, from the papers with which it leaves to those with which it has arrived: the lease
is written and removed with them.
A template's lease is the value of its mark. Pure; who reads and writes it: vsphere.configure.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Final

BEAT: Final = 60.0
"""Seconds after which a run renews its lease before it does anything else to the VM."""
LAPSE: Final = 180.0
"""Seconds for which the lease of another run is watched, without anything happening to the VM, before it counts for nothing.

Measured by the watcher's own monotonic clock: clocks of two machines need not agree."""
FORGOTTEN: Final = 7 * 86400.0
"""Seconds, by the clocks of both runs, after which a lease need not even be watched. Longer than any copy."""
LOOK: Final = 5.0
"""Seconds after which a waiting run asks again whether the other one lives."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Says in a VM which run works on it. `beat` counts renewals, `at` is when it was last renewed, in seconds since 1970.

    `owner` is for people. `machine` and `process` tell a run on the same machine whether the holder still lives; "" where that
    cannot be told.
    """

    run: str
    owner: str
    machine: str = ""
    process: str = ""
    beat: int = 0
    at: float = 0.0

    def dumps(self) -> str:
        """Return the one-line JSON that is stored."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=True, separators=(",", ":"))

    def voided(self, void: Lease | None) -> bool:
        """Say whether it counts for nothing because that one does: the same run wrote it, not later."""
        return void is not None and self.run == void.run and self.beat <= void.beat

    @classmethod
    def loads(cls, text: str) -> Lease | None:
        """Return the lease in `text`, or None where it does not hold one."""
        try:
            data = json.loads(text)
            words = {name: str(data[name]) for name in ("run", "owner", "machine", "process")}
            return cls(**words, beat=int(data["beat"]), at=float(data["at"]))
        except (ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class Holder:
    """This run, as it calls itself in the VMs that it works on.

    `gone` says of a lease that its holder certainly lives no more. `now` gives seconds since 1970.
    """

    lease: Lease
    gone: Callable[[Lease], bool]
    now: Callable[[], float]

    def renewed(self, beat: int) -> Lease:
        """Return the lease to write now."""
        return replace(self.lease, beat=beat, at=self.now())

    def knows_void(self, lease: Lease) -> bool:
        """Say whether a lease counts for nothing at first sight: it is our own, or its holder is gone, or forgotten."""
        return lease.run == self.lease.run or self.gone(lease) or self.now() - lease.at >= FORGOTTEN


@dataclass(frozen=True, slots=True)
class Watched:
    """A VM that another run holds: what was last seen of it, and since when, by a monotonic clock, that has not changed."""

    evidence: object
    since: float

    def seeing(self, evidence: object, now: float) -> Watched:
        """Return what is known after another look; a change of any kind shows that the holder lives."""
        return self if evidence == self.evidence else Watched(evidence, now)

    def lapsed(self, now: float) -> bool:
        """Say whether nothing has happened for so long that the holder counts as dead."""
        return now - self.since >= LAPSE

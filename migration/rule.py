"""How a concern is written: one rule for each, which knows what it is about, how grave it is, and whose rule it is.

docs/concerns.md is made from these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from migration.model import Concern, Power, Severity
from migration.observation import Observation
from migration.wanted import VmSpec


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found: the operator's sentence, and where they differ from the rule's, remedy, severity and subject.

    A thing of the site, such as a vCenter's clock, is its own subject: it is shown once, not for every VM.
    """

    sentence: str
    remedy: str = ""
    severity: Severity | None = None
    subject: str = ""


Finder = Callable[[VmSpec, Observation], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of concern. `about` is what it looks for, in one sentence; `source` says where the platform's rule is written.

    An id that ends in "*" stands for all that begin alike.
    """

    id: str
    severity: Severity
    about: str
    remedy: str
    source: str

    def concern(self, subject: str, sentence: str, severity: Severity | None = None) -> Concern:
        """Return the concern that says it of a subject, with the kind's severity unless another is given."""
        return Concern(self.id, severity or self.severity, subject, sentence, self.remedy)


@dataclass(frozen=True, slots=True)
class Rule(Kind):
    """A kind of concern that is found by looking, before anything is done.

    `halts`: it blocks a VM whose guest is down for the move too, because going on would be unsafe or impossible. Where it does
    not, going on is the safest, so that it only warns. `lenient`: where less is at stake it only warns, though it may block.
    """

    find: Finder
    halts: bool = True
    lenient: bool = False

    def __call__(self, spec: VmSpec, seen: Observation) -> Iterator[Concern]:
        """Yield the concerns of this kind."""
        for found in self.find(spec, seen):
            severity = found.severity or self.severity
            if severity is Severity.BLOCKS and not self.halts and guest_down(seen):
                severity = Severity.WARNS
            yield Concern(
                self.id,
                severity,
                found.subject or spec.identity.name,
                found.sentence,
                found.remedy or self.remedy,
            )


def rule(
    identifier: str,
    severity: Severity,
    about: str,
    *,
    remedy: str,
    source: str,
    halts: bool = True,
    lenient: bool = False,
) -> Callable[[Finder], Rule]:
    """Make a rule of a function that yields what it finds."""

    def made(find: Finder) -> Rule:
        return Rule(identifier, severity, about, remedy, source, find, halts, lenient)

    return made


def guest_down(seen: Observation) -> bool:
    """Say whether the guest is down for the move: it ran when its papers were written, and does not run yet."""
    on_its_way = [vm.papers for vm in seen.vms if vm.power is Power.OFF] + [one.papers for one in seen.adrift]
    return any(papers and papers.transit and papers.power is Power.ON for papers in on_its_way)

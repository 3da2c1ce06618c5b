"""How a concern is written: one rule for each, which knows what it is about, how grave it is, and whose rule it is.

docs/concerns.md is made from these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from migration.model import Concern, Severity
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
class Rule:
    """A kind of concern. `about` is what it looks for, in one sentence; `source` says where the platform's rule is written."""

    id: str
    severity: Severity
    about: str
    remedy: str
    source: str
    find: Finder

    def __call__(self, spec: VmSpec, seen: Observation) -> Iterator[Concern]:
        """Yield the concerns of this kind."""
        for found in self.find(spec, seen):
            yield Concern(
                self.id,
                found.severity or self.severity,
                found.subject or spec.identity.name,
                found.sentence,
                found.remedy or self.remedy,
            )


def rule(identifier: str, severity: Severity, about: str, *, remedy: str, source: str = "") -> Callable[[Finder], Rule]:
    """Make a rule of a function that yields what it finds."""

    def made(find: Finder) -> Rule:
        return Rule(identifier, severity, about, remedy, source, find)

    return made

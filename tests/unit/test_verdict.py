"""What a preview shows of concerns, and what it ends with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from components.providers import verdict
from components.providers.runtime import Call, Severity
from migration import model
from migration.errors import MigrationError
from migration.model import Concern


@dataclass(slots=True)
class Heard(Call):
    """A call that remembers what it was told to show."""

    shown: list[tuple[str, str]] = field(default_factory=list)

    def say(self, message: str, *, severity: Severity = "info", ephemeral: bool = False) -> None:
        assert not ephemeral
        self.shown.append((severity, message.partition(" [")[0]))


def concern(subject: str, severity: model.Severity = model.Severity.WARNS) -> Concern:
    return Concern("some.thing", severity, subject, "it is so", "change it")


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    verdict.forget()
    yield
    verdict.forget()


def shown(subject: str, *concerns: Concern, expected: int = 9) -> list[tuple[str, str]]:
    call = Heard(urn=subject)
    verdict.show(call, subject, concerns, expected)
    return call.shown


def test_a_vms_own_concerns_are_shown_at_it() -> None:
    assert shown("app01", concern("app01"), concern("app01")) == [("warning", "app01: it is so")]
    assert shown("app02", concern("app02")) == [("warning", "app02: it is so")]


def test_what_informs_is_not_shown() -> None:
    assert shown("app01", concern("app01", model.Severity.INFORMS)) == []


def test_what_is_accepted_is_shown_with_the_reason() -> None:
    known = replace(concern("app01", model.Severity.INFORMS), accepted="ticket 4711")
    assert shown("app01", known) == [("info", "app01: accepted: it is so (ticket 4711)")]


def test_words_about_the_sites_are_said_once() -> None:
    assert [verdict.first(words) for words in ("too old", "too old", "too new")] == [True, False, True]
    verdict.forget()
    assert verdict.first("too old")


def test_a_concern_about_a_site_is_shown_once() -> None:
    assert shown("app01", concern("vc60")) == [("warning", "vc60: it is so")]
    assert shown("app02", concern("vc60"), concern("vc70")) == [("warning", "vc70: it is so")]
    verdict.forget()
    assert shown("app01", concern("vc60")) == [("warning", "vc60: it is so")], "and in the next preview again"


def test_what_blocks_fails_the_last_check_and_names_where_it_was_shown() -> None:
    blocks = model.Severity.BLOCKS
    shown("app01", concern("vc60", blocks), expected=3)
    shown("app02", concern("vc60", blocks), expected=3)
    with pytest.raises(MigrationError, match=r"see the errors at app01, app03\."):
        shown("app03", concern("app03", blocks), expected=3)


def test_nothing_that_blocks_fails_nothing() -> None:
    assert shown("app01", concern("app01"), expected=1)

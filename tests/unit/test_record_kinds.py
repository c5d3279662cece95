"""Every kind of record: its shape is closed, its entry follows, and it says so as data."""

from typing import Any

import pytest

from carnet.core.canonical import canonical, parse_canonical
from carnet.core.errors import VerificationError
from carnet.ledger.description import describe_all
from carnet.ledger.disclosure import withhold
from carnet.ledger.kinds import ALL, KEY_EVENT, LOG_KINDS, RecordKind
from carnet.ledger.record import parse_record, verify_record
from tests.fixtures_kinds import KINDS, SUBJECTS, record_of, subject_of

BY_NAME = {kind.name: kind for kind in KINDS}
named = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def test_kinds__all_but_the_key_event_are_here() -> None:
    assert {kind.name for kind in ALL} - SUBJECTS.keys() == {KEY_EVENT.name}


@named
def test_kind__a_record_of_it_is_whole(kind: RecordKind) -> None:
    record = record_of(kind)
    verify_record(record)
    assert parse_record(record.body) == record
    assert record.kind in kind.log_kinds
    assert record.kind in LOG_KINDS
    assert record.entry.subject == kind.subject_hash(record.subject)
    kind.check_disclosed(record.subject)


@named
def test_kind__tells_every_member(kind: RecordKind) -> None:
    """The sample has all members, so that what follows goes through each of them."""
    assert subject_of(kind).keys() == {*kind.members, *kind.others} - {"_sd"}


@named
def test_kind__every_member_is_checked(kind: RecordKind) -> None:
    subject, check = subject_of(kind), kind.subject_shape()
    check(subject, "subject")
    for name in subject:
        for odd in (None, 1.5, "\u0000", {"x y": 1}, [None]):
            with pytest.raises(VerificationError, match=f"subject.{name}"):
                check({**subject, name: odd}, "subject")
    with pytest.raises(VerificationError, match="note"):
        check({**subject, "note": 1}, "subject")


@named
def test_kind__only_what_may_be_is_withheld(kind: RecordKind) -> None:
    subject = subject_of(kind)
    for name in kind.withheld:
        fields, _ = withhold(subject, [name])
        kind.subject_shape()(fields, "subject")
    for name in kind.required.keys() - {"id"}:
        fields, _ = withhold(subject, [name])
        with pytest.raises(VerificationError):
            kind.subject_shape()(fields, "subject")


@named
def test_kind__a_subject_that_is_named_by_its_members(kind: RecordKind) -> None:
    subject = subject_of(kind)
    assert kind.id_of(subject) in {None, subject["id"]}
    for name in kind.named_by:
        other = {**subject, name: f"{subject[name]}x"}
        with pytest.raises(VerificationError, match=r"credentialSubject\.id"):
            kind.check_disclosed(other)


def test_period__does_not_end_before_it_begins() -> None:
    kind = BY_NAME["data-point"]
    with pytest.raises(VerificationError, match="periodEnd"):
        record_of(kind, periodStart="2026-10-01", periodEnd="2026-09-30")
    record_of(kind, periodStart="2026-10-01", periodEnd="2026-10-01")


def _combinators(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {name for item in value.values() for name in _combinators(item)}
    if isinstance(value, list) and value and isinstance(value[0], str):
        inner = {name for item in value[1:] for name in _combinators(item)}
        return inner | {value[0]}
    return set()


def test_description__is_json_and_names_known_combinators_alone() -> None:
    described = describe_all()
    assert parse_canonical(canonical(described)) == described
    shapes = [described["entry"], described["policy"], described["credentialStatus"]]
    shapes += [kind["members"] for kind in described["kinds"]]
    found = {name for each in shapes for name in _combinators(each)}
    assert found >= {"text", "where", "integer", "choice", "exactly", "array", "object"}

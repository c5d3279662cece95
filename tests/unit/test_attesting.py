"""Attestations of decisions, on SQLite and on PostgreSQL."""

from datetime import timedelta

import pytest

from carnet.core.clock import FixedClock
from carnet.core.digests import sha256
from carnet.core.errors import InputError, NotFoundError
from carnet.core.subjects import listing_hash
from carnet.ledger.reader import LogReader
from carnet.ledger.record import verify_record
from carnet.services.appending import append_records
from carnet.services.attesting import issue_attestations
from carnet.services.workspace import Workspace
from tests.fixtures_chain import SELLER
from tests.fixtures_decisions import DAY, LISTING, decide


def test_issue__states_the_decision_and_stages_it(seller: Workspace, clock: FixedClock) -> None:
    digest = decide(seller)
    (record,) = issue_attestations(seller, [digest], clock)
    verify_record(record)
    subject = record.subject
    assert subject["decisionDigest"] == digest.hex()
    assert subject["officerConfirmed"] == ["a", "b"]
    assert subject["findings"] == [{"rule": "eu-ce-001", "severity": "minor"}]
    assert (subject["listing"], subject["seller"]) == (LISTING, SELLER)
    assert record.entry.subject == listing_hash(LISTING, SELLER)
    assert record.entry.kind == "attestation:listing:conforming"
    assert (record.entry.valid_from, record.entry.valid_until) == (20780, 20870)
    assert record.digest in LogReader(seller.engine).pending()


def test_issue__the_same_decision_again_gives_the_same_record(
    seller: Workspace, clock: FixedClock
) -> None:
    digest = decide(seller)
    first = issue_attestations(seller, [digest], clock)
    append_records(seller, clock)
    clock.advance(timedelta(days=1))
    assert issue_attestations(seller, [digest, digest], clock) == first * 2
    assert append_records(seller, clock) == []


def test_issue__replaces_the_newest_of_the_same_pack_alone(
    seller: Workspace, clock: FixedClock
) -> None:
    days = [DAY + timedelta(days=number) for number in range(3)]
    own = [decide(seller, as_of=day) for day in days]
    other = decide(seller, pack="us-fcc")
    first, second, foreign, third = issue_attestations(
        seller, [own[0], own[1], other, own[2]], clock
    )
    assert first.entry.supersedes is None
    assert second.entry.supersedes == first.digest
    assert third.entry.supersedes == second.digest
    assert foreign.entry.supersedes is None


def test_issue__what_cannot_be_attested(seller: Workspace, clock: FixedClock) -> None:
    with pytest.raises(NotFoundError, match="CRN-L-010"):
        issue_attestations(seller, [sha256(b"nothing")], clock)
    for digest in (decide(seller, case="LST-NONE"), decide(seller, case="B-1", case_type="batch")):
        with pytest.raises(InputError, match="CRN-L-011"):
            issue_attestations(seller, [digest], clock)
    assert len(LogReader(seller.engine).pending()) == 1  # the issuer's key event


def test_issue__an_older_day_does_not_replace_a_newer_one(
    seller: Workspace, clock: FixedClock
) -> None:
    older, newer = decide(seller), decide(seller, as_of=DAY + timedelta(days=1))
    issue_attestations(seller, [newer], clock)
    append_records(seller, clock)
    clock.advance(timedelta(hours=1))
    with pytest.raises(InputError, match="CRN-L-015"):
        issue_attestations(seller, [older], clock)
    assert append_records(seller, clock) == []

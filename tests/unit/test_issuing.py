"""Issuing records of any kind: once for each source, withheld members in good hands."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from carnet.core.clock import FixedClock
from carnet.core.errors import VerificationError
from carnet.ledger.disclosure import reveal
from carnet.ledger.kinds import ALL, CERTIFICATE, DEPOSIT_ADJUSTMENT, PUBLICATION
from carnet.ledger.reader import LogReader
from carnet.ledger.record import Validity, verify_record
from carnet.services.appending import append_records
from carnet.services.issuing import (
    Issued,
    Statement,
    issue,
    open_issuer,
    record_of_source,
    stage_statement,
    standing_record,
)
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import RECORD, STATUS_ENTRY

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
CLOCK = FixedClock(NOW)
CERTIFICATE_SUBJECT = {
    "id": "urn:carnet:certificate:" + "c1" * 32,
    "kind": "eu_doc",
    "act": "red",
    "issuedOn": "2026-01-05",
    "isVerified": True,
    "certificate": "CERT-1",
    "product": "P-1",
    "seller": "SELLER-1",
    "number": "DoC 12/2026",
}


def certificate(source: str = "certificate/CERT-1/1", **changes: Any) -> Statement:
    return Statement(CERTIFICATE, CERTIFICATE_SUBJECT, source, Validity(NOW), **changes)


def test_issue__withholds_all_that_may_be_and_hands_it_over(seller: Workspace) -> None:
    kept: list[Issued] = []
    issued = issue(seller, certificate(), CLOCK, keep=lambda _, given: kept.append(given))
    assert kept == [issued]
    record = issued.record
    verify_record(record)
    assert record.kind == "certificate"
    assert record.subject.keys() & CERTIFICATE.withheld.keys() == set()
    texts = [item.text for item in issued.disclosures]
    revealed = reveal(record.subject, texts)
    assert CERTIFICATE_SUBJECT.items() <= revealed.items()
    record.record_kind.check_disclosed(revealed)
    assert record.entry.subject is not None
    assert record.entry.status_ref == record.document["credentialStatus"]["id"]


def test_issue__the_subject_is_the_one_that_its_members_name(seller: Workspace) -> None:
    page = {"name": "verify.html", "sha256": "ab" * 32, "size": 7}
    record = issue(seller, Statement(PUBLICATION, page, "verify.html", Validity(NOW)), CLOCK).record
    record.record_kind.check_disclosed(record.subject)
    with pytest.raises(VerificationError, match=r"credentialSubject\.id"):
        record.record_kind.check_disclosed({**record.subject, "name": "other.html"})


def test_issue__once_for_each_source(seller: Workspace) -> None:
    first = issue(seller, certificate(withhold=()), CLOCK)
    again = issue(seller, certificate(withhold=()), CLOCK)
    other = issue(seller, certificate("certificate/CERT-1/2", withhold=()), CLOCK)
    assert (first.is_new, again.is_new, other.is_new) == (True, False, True)
    assert again.record == first.record != other.record
    assert again.disclosures == ()
    with reading(seller.engine) as connection:
        assert record_of_source(connection, CERTIFICATE, "certificate/CERT-1/1") == first.record
        assert record_of_source(connection, PUBLICATION, "certificate/CERT-1/1") is None


def test_issue__a_successor_replaces_the_standing_one(seller: Workspace) -> None:
    first = issue(seller, certificate(withhold=(), is_successor=True), CLOCK).record
    second = issue(
        seller, certificate("certificate/CERT-1/2", withhold=(), is_successor=True), CLOCK
    ).record
    assert first.entry.supersedes is None
    assert second.entry.supersedes == first.digest
    with reading(seller.engine) as connection:
        assert standing_record(connection, CERTIFICATE, first.entry.subject) == second
        assert standing_record(connection, DEPOSIT_ADJUSTMENT, first.entry.subject) is None


def test_issue__a_subject_of_another_shape_is_refused(seller: Workspace) -> None:
    odd = Statement(CERTIFICATE, {**CERTIFICATE_SUBJECT, "kind": 7}, "x", Validity(NOW), ())
    with pytest.raises(VerificationError, match=r"credentialSubject\.kind"):
        issue(seller, odd, CLOCK)
    unknown = Statement(CERTIFICATE, {**CERTIFICATE_SUBJECT, "note": 7}, "x", Validity(NOW), ())
    with pytest.raises(VerificationError, match="note"):
        issue(seller, unknown, CLOCK)


def test_issue__nothing_stays_where_the_disclosures_are_not_kept(seller: Workspace) -> None:
    def fail(_: Connection, __: Issued) -> None:
        message = "no room"
        raise OSError(message)

    with pytest.raises(OSError, match="no room"):
        issue(seller, certificate(), CLOCK, keep=fail)
    count = select(func.count()).select_from(RECORD).where(RECORD.c.kind == "certificate")
    with reading(seller.engine) as connection:
        assert connection.execute(count).scalar_one() == 0
        assert connection.execute(select(STATUS_ENTRY)).all() == []


def test_stage_statement__goes_into_the_log(seller: Workspace) -> None:
    issuer = open_issuer(seller, CLOCK)
    page = {"name": "verify.html", "sha256": "ab" * 32, "size": 7}
    with writing(seller.engine, Lock.LOG_HEAD) as connection:
        issued = stage_statement(
            connection, issuer, Statement(PUBLICATION, page, "verify.html", Validity(NOW)), CLOCK
        )
    append_records(seller, CLOCK)
    index = LogReader(seller.engine).index_of(issued.record.digest)
    assert index is not None
    assert issued.disclosures == ()


def test_status_entry__each_record_has_its_own(seller: Workspace) -> None:
    references = {
        issue(seller, certificate(f"certificate/{n}", withhold=()), CLOCK).record.status_ref
        for n in range(20)
    }
    assert len(references) == 20
    indexes = sorted(int(str(each).partition("#")[2]) for each in references)
    assert indexes != list(range(indexes[0], indexes[0] + 20))
    with reading(seller.engine) as connection:
        assert len(connection.execute(select(STATUS_ENTRY)).all()) == 20


def test_kinds__each_has_a_name_and_a_type_of_its_own() -> None:
    assert len({kind.name for kind in ALL}) == len({kind.type_name for kind in ALL}) == len(ALL)
    for kind in ALL:
        assert kind.title.en
        assert kind.title.zh
        assert not kind.withheld.keys() & {*kind.required, *kind.optional, "id", "salt", "_sd"}
        assert set(kind.named_by) <= kind.members.keys() | kind.others.keys()

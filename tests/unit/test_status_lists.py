"""Status lists: packed bits, what is published when, and what a bundle then shows."""

import gzip
import zlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from carnet.core.clock import FixedClock
from carnet.core.errors import InputError, NotFoundError, VerificationError
from carnet.ledger.bundle import Bundle, LoggedRecord
from carnet.ledger.encoding import base64url_decode, base64url_encode
from carnet.ledger.kinds import CERTIFICATE, STATUS_LIST
from carnet.ledger.kinds.status import CURRENT, REVOKED, STATUS_ENTRIES, SUPERSEDED
from carnet.ledger.reader import LogReader
from carnet.ledger.record import Record, Validity
from carnet.ledger.status_list import LIST_BYTES, decode_list, encode_list, value_at
from carnet.ledger.verify import Verification, verify_bundle
from carnet.services.appending import append_records
from carnet.services.bundling import export_bundle
from carnet.services.issuing import Statement, issue
from carnet.services.key_changing import rotate_key
from carnet.services.keys import key_events
from carnet.services.policies import make_policy
from carnet.services.status_listing import list_states, publish_lists, revoke_record
from carnet.services.workspace import Workspace
from carnet.store.engine import reading

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def packed(data: bytes) -> str:
    return "u" + base64url_encode(data)


def test_list__packs_and_unpacks_every_place() -> None:
    values = {0: 1, 1: 2, 2: 3, 3: 1, 4: 2, 77_777: 2, STATUS_ENTRIES - 1: 3}
    text = encode_list(values)
    bits = decode_list(text)
    assert {i: v for i in range(STATUS_ENTRIES) if (v := value_at(bits, i))} == values
    assert bits[0] == 0b01_10_11_01, "the first entry has the highest bits"
    assert gzip.decompress(base64url_decode(text[1:])) == bits, "any reader of GZIP unpacks it"
    assert len(text) < 200


def test_list__empty() -> None:
    assert decode_list(encode_list({})) == bytes(LIST_BYTES)


BITS = bytes(LIST_BYTES)


@pytest.mark.parametrize(
    "text",
    [
        "u",
        "u====",
        packed(b""),
        packed(BITS),
        packed(gzip.compress(BITS, mtime=1)),
        packed(gzip.compress(BITS, mtime=0)[:-1]),
        packed(gzip.compress(BITS, mtime=0) + b"\x00"),
        packed(gzip.compress(BITS, mtime=0) + gzip.compress(b"", mtime=0)),
        packed(gzip.compress(BITS[1:], mtime=0)),
        packed(gzip.compress(BITS + b"\x00", mtime=0)),
        packed(gzip.compress(bytes(50_000_000), mtime=0)),
        packed(gzip.compress(BITS, mtime=0)[:-8] + bytes(8)),
        packed(zlib.compress(BITS)),
        packed(b"\x1f\x8b\x08\x00" + bytes(6) + b"\x07" + bytes(8)),
        packed(b"\x1f\x8b\x08\x08" + bytes(6) + b"name\x00" + bytes(20)),
    ],
)
def test_list__packed_in_another_way_is_refused(text: str) -> None:
    with pytest.raises(VerificationError, match="CRN-V-050"):
        decode_list(text)


def certificate(workspace: Workspace, clock: FixedClock, version: int = 1) -> Record:
    subject = {
        "id": "urn:carnet:certificate:" + "c1" * 32,
        "kind": "eu_doc",
        "act": "red",
        "issuedOn": "2026-01-05",
        "isVerified": True,
        "certificate": "CERT-1",
        "seller": "SELLER-1",
    }
    source = f"certificate/CERT-1/{version}"
    statement = Statement(CERTIFICATE, subject, source, Validity(NOW), (), is_successor=True)
    return issue(workspace, statement, clock).record


def judged(workspace: Workspace, record: Record, **changes: Any) -> Verification:
    """Return what the bundle of a record proves under the policy of its workspace."""
    day = changes.pop("day", NOW.date())
    bundle = replace(export_bundle(workspace, record.record_id), **changes)
    return verify_bundle(bundle.to_bytes(), make_policy(workspace), today=day)


def verdicts(found: Verification) -> tuple[str, str]:
    return found.step("status").verdict, found.step("supersession").verdict


def test_status__of_a_record_whose_list_is_not_published(seller: Workspace) -> None:
    clock = FixedClock(NOW)
    record = certificate(seller, clock)
    append_records(seller, clock)
    found = judged(seller, record)
    assert verdicts(found) == ("not_checked", "not_checked")
    assert found.step("status").cause.en == "the bundle carries no status list"
    assert found.verdict == "valid", "no list is published, so the policy asks for none"


def test_status__current(seller: Workspace) -> None:
    clock = FixedClock(NOW)
    record = certificate(seller, clock)
    (listed,) = publish_lists(seller, clock)
    assert listed.kind == STATUS_LIST.name
    found = judged(seller, record)
    assert verdicts(found) == ("valid", "valid"), [str(step.cause) for step in found.steps]
    assert found.verdict == "valid"
    assert make_policy(seller).required >= {"status", "supersession"}
    assert publish_lists(seller, clock) == [], "it says the same"


def test_status__superseded_by_itself(seller: Workspace) -> None:
    clock = FixedClock(NOW)
    first = certificate(seller, clock)
    publish_lists(seller, clock)
    second = certificate(seller, clock, version=2)
    assert second.entry.supersedes == first.digest
    publish_lists(seller, clock)
    found = judged(seller, first)
    assert verdicts(found) == ("valid", "not_valid")
    assert found.verdict == "not_valid"
    assert verdicts(judged(seller, second)) == ("valid", "valid")


def test_status__revoked(seller: Workspace) -> None:
    clock = FixedClock(NOW)
    record = certificate(seller, clock)
    revoked = revoke_record(seller, record.record_id, "the body withdrew it", clock)
    assert revoked.is_new
    found = judged(seller, record)
    assert verdicts(found) == ("not_valid", "not_checked")
    late = judged(seller, record, day=date(2027, 11, 23))
    assert verdicts(late) == ("not_valid", "not_checked"), "it is revoked for ever"
    again = revoke_record(seller, record.digest.hex(), "another reason", clock)
    assert (again.is_new, again.reason) == (False, "the body withdrew it")
    other = certificate(seller, clock, version=2)
    publish_lists(seller, clock)
    assert verdicts(judged(seller, record)) == ("not_valid", "not_checked"), "revoked stands above"
    assert verdicts(judged(seller, other)) == ("valid", "valid")


def test_status__stale(seller: Workspace) -> None:
    clock = FixedClock(NOW)
    record = certificate(seller, clock)
    publish_lists(seller, clock)
    last = (NOW + timedelta(days=7)).date()
    assert verdicts(judged(seller, record, day=last)) == ("valid", "valid")
    late = judged(seller, record, day=last + timedelta(days=1))
    assert verdicts(late) == ("not_checked", "not_checked")
    assert late.verdict == "not_checked"
    assert "ask for a newer one" in late.step("status").cause.en
    clock.advance(timedelta(days=3))
    assert publish_lists(seller, clock) == []
    clock.advance(timedelta(days=1))
    assert len(publish_lists(seller, clock)) == 1, "half of its time is over"
    assert verdicts(judged(seller, record, day=last + timedelta(days=1))) == ("valid", "valid")


def test_status__a_list_before_the_record_tells_nothing(seller: Workspace) -> None:
    clock = FixedClock(NOW)
    certificate(seller, clock)
    publish_lists(seller, clock)
    second = certificate(seller, clock, version=2)
    append_records(seller, clock)
    found = judged(seller, second)
    assert verdicts(found) == ("not_checked", "not_checked")
    assert "older than the record" in found.step("status").cause.en


def test_status__goes_behind_what_was_staged_in_the_same_instant(seller: Workspace) -> None:
    clock = FixedClock(NOW)
    records = [certificate(seller, clock, version=n) for n in range(1, 9)]
    publish_lists(seller, clock)
    assert verdicts(judged(seller, records[-1])) == ("valid", "valid")
    rows = LogReader(seller.engine).records()
    assert rows[-1][1] == STATUS_LIST.name


def _listed(bundle: Bundle) -> LoggedRecord:
    assert bundle.status is not None
    return bundle.status


def key_event(workspace: Workspace) -> Record:
    """Return the record of the issuer's key, which names no list."""
    with reading(workspace.engine) as connection:
        return key_events(connection, "issuer")[0]


def test_status__another_list_is_refused(seller: Workspace) -> None:
    clock = FixedClock(NOW)
    record = certificate(seller, clock)
    publish_lists(seller, clock)
    event = key_event(seller)
    listed = _listed(export_bundle(seller, record.record_id))
    own = export_bundle(seller, event.record_id)
    for status in (own.logged, None):
        found = judged(seller, record, status=status)
        expected = "not_checked" if status is None else "not_valid"
        assert verdicts(found) == (expected, "not_checked")
    assert verdicts(judged(seller, event)) == ("not_checked", "not_checked")
    assert verdicts(judged(seller, event, status=listed)) == ("not_valid", "not_checked")


def test_status__the_proof_of_the_list_must_hold(seller: Workspace) -> None:
    clock = FixedClock(NOW)
    record = certificate(seller, clock)
    publish_lists(seller, clock)
    listed = _listed(export_bundle(seller, record.record_id))
    moved = replace(listed, index=listed.index - 1)
    bare = replace(listed, inclusion=())
    for status in (moved, bare):
        assert verdicts(judged(seller, record, status=status)) == ("not_valid", "not_checked")


def test_status__whom_the_policy_does_not_believe_about_lists(seller: Workspace) -> None:
    clock = FixedClock(NOW)
    record = certificate(seller, clock)
    publish_lists(seller, clock)
    policy = make_policy(seller)
    (issuer,) = policy.issuers
    narrow = replace(policy, issuers=(replace(issuer, kinds=frozenset({"certificate"})),))
    data = export_bundle(seller, record.record_id).to_bytes()
    found = verify_bundle(data, narrow, today=NOW.date())
    assert verdicts(found) == ("not_checked", "not_checked")
    assert found.verdict == "not_checked"


def test_status__survives_a_change_of_keys(seller: Workspace) -> None:
    clock = FixedClock(NOW)
    record = certificate(seller, clock)
    publish_lists(seller, clock)
    clock.advance(timedelta(hours=1))
    rotate_key(seller, "issuer", None, clock)
    second = certificate(seller, clock, version=2)
    publish_lists(seller, clock)
    assert second.issuer != record.issuer
    assert (
        second.document["credentialStatus"]["statusListCredential"]
        == (record.document["credentialStatus"]["statusListCredential"])
    )
    found = judged(seller, record)
    assert verdicts(found) == ("valid", "not_valid"), [str(step.cause) for step in found.steps]
    assert found.step("key").verdict == "valid"
    found = judged(seller, second)
    assert found.verdict == "valid", [str(step.cause) for step in found.steps]
    without = judged(
        seller, record, key_events=export_bundle(seller, record.record_id).key_events[:1]
    )
    assert without.step("status").verdict == "not_valid", "nothing shows that the key followed"


def test_revoke__what_cannot_be(seller: Workspace) -> None:
    clock = FixedClock(NOW)
    record = certificate(seller, clock)
    with pytest.raises(InputError, match="CRN-L-040"):
        revoke_record(seller, key_event(seller).record_id, "why", clock)
    for reason in ("", "  ", "x" * 501):
        with pytest.raises(InputError, match="CRN-L-041"):
            revoke_record(seller, record.record_id, reason, clock)
    with pytest.raises(NotFoundError):
        revoke_record(seller, "urn:uuid:none", "why", clock)
    with reading(seller.engine) as connection:
        (state,) = list_states(connection)
    assert state.values == {}


def test_states__count_what_is_not_current(seller: Workspace) -> None:
    clock = FixedClock(NOW)
    first = certificate(seller, clock)
    second = certificate(seller, clock, version=2)
    revoke_record(seller, second.record_id, "wrong", clock)
    with reading(seller.engine) as connection:
        (state,) = list_states(connection)
    assert (state.entries, state.counted(REVOKED), state.counted(SUPERSEDED)) == (2, 1, 1)
    assert state.counted(CURRENT) == 0
    assert state.index is not None
    assert not state.is_due(NOW)
    assert first.status_ref != second.status_ref

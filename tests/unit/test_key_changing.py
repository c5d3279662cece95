"""New keys, rotation and revocation: each an event of the log, and judged by its order."""

from dataclasses import replace
from datetime import timedelta

import pytest

from carnet.core.clock import FixedClock
from carnet.core.errors import ConflictError, InputError, LedgerFatalError, NotFoundError
from carnet.ledger.append import stage_records
from carnet.ledger.checkpoint import parse_checkpoint, verify_checkpoint
from carnet.ledger.keys import KeyRole
from carnet.ledger.reader import LogReader
from carnet.ledger.record import Record
from carnet.ledger.verify import verify_bundle
from carnet.services.appending import append_records
from carnet.services.bundling import export_bundle
from carnet.services.key_changing import (
    exported_key,
    list_keys,
    new_key,
    revoke_key,
    rotate_key,
)
from carnet.services.keys import ensure_key, log_keys
from carnet.services.officers import officer_key
from carnet.services.policies import make_policy
from carnet.services.workspace import Workspace
from carnet.store.engine import writing
from carnet.store.locks import Lock
from tests.fixtures_decisions import DAY, attest_and_append, decide
from tests.fixtures_ledger import attestation, failing


def attested(workspace: Workspace, clock: FixedClock, days: int = 0) -> Record:
    day = DAY + timedelta(days=days)
    (record,) = attest_and_append(workspace, clock, [decide(workspace, as_of=day)])
    return record


def test_rotation__of_the_issuer_is_followed_from_the_first_key(
    seller: Workspace, clock: FixedClock
) -> None:
    before = attested(seller, clock)
    first = make_policy(seller)
    old = ensure_key(seller, "issuer", clock).did
    line = rotate_key(seller, "issuer", None, clock)
    assert line.is_current
    assert line.did != old
    rotate_key(seller, "issuer", None, clock)
    after = attested(seller, clock, 1)
    assert (before.issuer, after.issuer) == (old, ensure_key(seller, "issuer", clock).did)
    assert make_policy(seller) == first
    for record, day, words in ((before, DAY, "ended later"), (after, DAY + timedelta(1), "added")):
        data = export_bundle(seller, record.record_id).to_bytes()
        found = verify_bundle(data, first, today=day)
        assert found.verdict == "valid", [(step.name, str(step.cause)) for step in found.steps]
        assert words in found.step("key").cause.en
    assert "which followed" in found.step("issuer").cause.en
    # A policy that names the present key alone believes what that key signed.
    (issuer,) = first.issuers
    now = replace(first, issuers=(replace(issuer, id=after.issuer),))
    assert verify_bundle(data, now, today=day).verdict == "valid"
    stranger = replace(first, issuers=(replace(issuer, id=attestation(1).issuer),))
    assert "issuer" in failing(verify_bundle(data, stranger, today=day))


def test_rotation__without_its_event_the_new_key_is_not_believed(
    seller: Workspace, clock: FixedClock
) -> None:
    attested(seller, clock)
    policy = make_policy(seller)
    rotate_key(seller, "issuer", None, clock)
    bundle = export_bundle(seller, attested(seller, clock, 1).record_id)
    for events in (bundle.key_events[:1], bundle.key_events[1:], ()):
        data = replace(bundle, key_events=events).to_bytes()
        found = verify_bundle(data, policy, today=DAY + timedelta(1))
        # Without the first event the rotation still leads from the trusted key.
        assert (found.verdict == "valid") == (events == bundle.key_events[1:])


def test_rotation__of_the_log_keeps_older_checkpoints(seller: Workspace, clock: FixedClock) -> None:
    record = attested(seller, clock)
    data, policy = export_bundle(seller, record.record_id).to_bytes(), make_policy(seller)
    old = LogReader(seller.engine).checkpoint()
    rotate_key(seller, "log", None, clock)
    keys = log_keys(seller)
    assert len(keys) == 2
    head = LogReader(seller.engine).checkpoint()
    verify_checkpoint(old, keys[0])
    verify_checkpoint(head, keys[1])
    later = make_policy(seller)
    assert later.logs == tuple(keys)
    assert verify_bundle(data, later, today=DAY).verdict == "valid"
    newer = export_bundle(seller, record.record_id).to_bytes()
    assert verify_bundle(newer, later, today=DAY).verdict == "valid"
    assert failing(verify_bundle(newer, policy, today=DAY)) == ["checkpoint", "witnesses"]
    append_records(seller, clock)
    published = (seller.path / "log" / "checkpoint").read_text(encoding="utf-8")
    assert parse_checkpoint(published) == head


def test_revocation__of_the_issuer_ends_issuing_but_not_what_stands(
    seller: Workspace, clock: FixedClock
) -> None:
    record = attested(seller, clock)
    policy = make_policy(seller)
    old = ensure_key(seller, "issuer", clock)
    line = revoke_key(seller, "issuer", None, "compromised", clock)
    assert line.ended is not None
    assert not line.is_current
    data = export_bundle(seller, record.record_id).to_bytes()
    found = verify_bundle(data, policy, today=DAY)
    assert found.verdict == "valid"
    assert f"ended later by {line.ended}" in found.step("key").cause.en
    with pytest.raises(ConflictError, match="CRN-L-022"):
        ensure_key(seller, "issuer", clock)
    with pytest.raises(ConflictError, match="CRN-L-022"):
        attested(seller, clock, 1)
    # Whoever holds the stolen key cannot get it into the log of the workspace.
    with writing(seller.engine, Lock.LOG_HEAD) as connection:
        stage_records(connection, [attestation(9, issuer=old.issuer)], clock)
    with pytest.raises(LedgerFatalError, match="CRN-L-017"):
        append_records(seller, clock)


def test_officer__rotates_and_is_revoked(seller: Workspace, clock: FixedClock) -> None:
    line = new_key(seller, "officer", "officer-1", clock)
    assert line.begun is not None
    with pytest.raises(ConflictError, match="CRN-L-027"):
        new_key(seller, "officer", "officer-1", clock)
    rotated = rotate_key(seller, "officer", "officer-1", clock)
    assert officer_key(seller, "officer-1", clock).signer.public_key == rotated.public_key
    revoke_key(seller, "officer", "officer-1", "retired", clock)
    with pytest.raises(ConflictError, match="CRN-L-024"):
        officer_key(seller, "officer-1", clock)
    with pytest.raises(NotFoundError, match="CRN-L-025"):
        exported_key(seller, "officer", "officer-1")
    states = [line.is_current for line in list_keys(seller) if line.role == "officer"]
    assert states == [False, False]


def test_witness__new_rotated_and_revoked(seller: Workspace, clock: FixedClock) -> None:
    new_key(seller, "witness", None, clock)
    record = attested(seller, clock)
    policy = make_policy(seller)
    rotate_key(seller, "witness", None, clock)
    assert make_policy(seller).witnesses != policy.witnesses
    data = export_bundle(seller, record.record_id).to_bytes()
    assert verify_bundle(data, make_policy(seller), today=DAY).verdict == "valid"
    assert failing(verify_bundle(data, policy, today=DAY)) == ["witnesses"]
    revoke_key(seller, "witness", None, "lost", clock)
    assert make_policy(seller).witnesses == ()


def test_log_key__is_not_revoked(seller: Workspace, clock: FixedClock) -> None:
    with pytest.raises(ConflictError, match="CRN-L-028"):
        revoke_key(seller, "log", None, "lost", clock)


@pytest.mark.parametrize(("role", "name"), [("officer", None), ("log", "x"), ("issuer", "x")])
def test_names__are_of_officers_alone(
    seller: Workspace, clock: FixedClock, role: KeyRole, name: str | None
) -> None:
    for change in (new_key, rotate_key):
        with pytest.raises(InputError, match="CRN-L-026"):
            change(seller, role, name, clock)


def test_rotation__ends_where_a_bundle_is_full(seller: Workspace, clock: FixedClock) -> None:
    attested(seller, clock)
    for _ in range(14):
        rotate_key(seller, "issuer", None, clock)
    with pytest.raises(ConflictError, match="CRN-L-029"):
        rotate_key(seller, "issuer", None, clock)
    record, policy = attested(seller, clock, 1), make_policy(seller)
    revoke_key(seller, "issuer", None, "retired", clock)
    bundle = export_bundle(seller, record.record_id)
    assert len(bundle.key_events) == 16
    found = verify_bundle(bundle.to_bytes(), policy, today=DAY + timedelta(1))
    assert found.verdict == "valid"

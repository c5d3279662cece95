"""Attestations, keys, bundles and policies of a workspace, on SQLite and on PostgreSQL."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from carnet.core.canonical import canonical
from carnet.core.clock import FixedClock
from carnet.core.digests import sha256
from carnet.core.envelope import seal_file
from carnet.core.errors import InputError, LedgerFatalError, NotFoundError
from carnet.core.subjects import listing_hash
from carnet.ledger.policy import parse_policy
from carnet.ledger.reader import LogReader
from carnet.ledger.record import Record, verify_record
from carnet.ledger.verify import verify_bundle
from carnet.services.appending import append_records, open_log
from carnet.services.attesting import issue_attestations
from carnet.services.bundling import export_bundle
from carnet.services.importing import import_files
from carnet.services.keys import ensure_key
from carnet.services.policies import make_policy, write_policy
from carnet.services.workspace import Workspace
from carnet.store.engine import writing
from carnet.store.tables import DECISION
from tests.fixtures_chain import FACTS, LISTINGS, SELLER
from tests.fixtures_ledger import NOW

LISTING = next(iter(LISTINGS.values()))
DAY = date(2026, 11, 23)


@pytest.fixture
def seller(workspace: Workspace, tmp_path: Path, clock: FixedClock) -> Workspace:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps({"facts": FACTS}), encoding="utf-8")
    import_files(workspace, [path], clock)
    return workspace


def decide(
    workspace: Workspace,
    *,
    case: str = LISTING,
    case_type: str = "listing",
    as_of: date = DAY,
    pack: str = "eu-ce",
    conformity: str = "conforming",
) -> bytes:
    body = {
        "case": {"type": case_type, "id": case},
        "as_of": as_of.isoformat(),
        "pack": pack,
        "conformity": conformity,
        "officer_confirmed": ["b", "a"],
        "findings": [{"rule": "eu-ce-001", "severity": "minor", "facts": []}],
        "measures": {"days_left": 12},
        "outputs": {},
    }
    digest = sha256(canonical(body))
    row = {
        "digest": digest,
        "case_type": case_type,
        "case_id": case,
        "pack": pack,
        "version": "0.1.0",
        "pack_digest": sha256(pack.encode()),
        "facts_digest": sha256(b"facts"),
        "as_of": as_of,
        "engine": "reference",
        "conformity": conformity,
        "decided_at": NOW,
        "body": canonical(body),
    }
    with writing(workspace.engine) as connection:
        connection.execute(insert(DECISION), row)
    return digest


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
    other = decide(seller, pack="eu-gpsr")
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


def test_keys__made_once_and_logged_before_what_they_sign(
    seller: Workspace, clock: FixedClock
) -> None:
    issuer = ensure_key(seller, "issuer", clock)
    assert ensure_key(seller, "issuer", clock).signer.public_key == issuer.signer.public_key
    (record,) = issue_attestations(seller, [decide(seller)], clock)
    append_records(seller, clock)
    kinds = [kind for _, kind, _, _ in LogReader(seller.engine).records()]
    assert kinds == ["key-event", "key-event", record.kind]
    names = sorted(path.name.split("-")[0] for path in seller.keys_path.glob("*-*.key"))
    assert names == ["issuer", "log"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in seller.keys_path.glob("*.key"))


def test_keys__a_file_left_by_a_crash_is_adopted(
    seller: Workspace, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(name: str) -> None:
        if name == "keys.after-file":
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("carnet.services.keys.crash_point", die)
        with pytest.raises(Killed):
            ensure_key(seller, "issuer", clock)
    (left,) = seller.keys_path.glob("issuer-*.key")
    key = ensure_key(seller, "issuer", clock)
    assert left.name == f"issuer-{key.signer.public_key.hex()[:16]}.key"
    assert len(list(seller.keys_path.glob("issuer-*.key"))) == 1
    assert len(LogReader(seller.engine).pending()) == 1


def test_keys__a_lost_file_is_said(seller: Workspace, clock: FixedClock) -> None:
    ensure_key(seller, "issuer", clock)
    (path,) = seller.keys_path.glob("issuer-*.key")
    path.unlink()
    with pytest.raises(InputError, match=path.name):
        ensure_key(seller, "issuer", clock)


@pytest.mark.parametrize("seed", [b"\x01" * 31, b"\x01" * 32])
def test_keys__a_file_of_another_key_is_refused(
    seller: Workspace, clock: FixedClock, seed: bytes
) -> None:
    ensure_key(seller, "issuer", clock)
    (path,) = seller.keys_path.glob("issuer-*.key")
    path.unlink()
    seal_file(path, seller.secret, seed, role="ledger-issuer")
    with pytest.raises(InputError, match="CRN-L-009"):
        ensure_key(seller, "issuer", clock)


def test_keys__one_role_cannot_stand_in_for_another(seller: Workspace, clock: FixedClock) -> None:
    ensure_key(seller, "log", clock)
    (issuer,) = seller.keys_path.glob("issuer-*.key")
    (log,) = seller.keys_path.glob("log-*.key")
    log.unlink()
    issuer.rename(log)
    with pytest.raises(InputError, match="ledger-issuer"):
        ensure_key(seller, "log", clock)


def _logged(workspace: Workspace, clock: FixedClock, digests: Sequence[bytes]) -> list[Record]:
    records = issue_attestations(workspace, digests, clock)
    append_records(workspace, clock)
    return records


def test_export__a_bundle_that_its_policy_verifies(
    seller: Workspace, clock: FixedClock, tmp_path: Path
) -> None:
    (record,) = _logged(seller, clock, [decide(seller)])
    data = export_bundle(seller, record.record_id).to_bytes()
    assert export_bundle(seller, record.digest.hex()).to_bytes() == data
    path = tmp_path / "policy.toml"
    policy = write_policy(seller, path)
    assert parse_policy(path.read_bytes()) == policy
    found = verify_bundle(data, policy, today=DAY)
    assert found.verdict == "valid", [(step.name, str(step.cause)) for step in found.steps]
    assert found.step("witnesses").verdict == "not_checked"
    assert found.step("anchor").verdict == "not_checked"
    needed = replace(policy, required=policy.required | {"anchor"})
    assert verify_bundle(data, needed, today=DAY).verdict == "not_checked"


def test_export__with_a_witness(seller: Workspace, clock: FixedClock) -> None:
    ensure_key(seller, "witness", clock)
    (record,) = _logged(seller, clock, [decide(seller)])
    policy = make_policy(seller)
    assert policy.quorum == 1
    assert "witnesses" in policy.required
    data = export_bundle(seller, record.record_id).to_bytes()
    found = verify_bundle(data, policy, today=DAY)
    assert found.verdict == "valid"
    assert found.step("witnesses").verdict == "valid"


def test_export__every_record_of_a_log(seller: Workspace, clock: FixedClock) -> None:
    days = [DAY + timedelta(days=number) for number in range(4)]
    records = []
    for day in days:
        records += _logged(seller, clock, [decide(seller, as_of=day)])
    policy = make_policy(seller)
    for record, day in zip(records, days, strict=True):
        data = export_bundle(seller, record.record_id).to_bytes()
        assert verify_bundle(data, policy, today=day).verdict == "valid"


def test_export__what_is_not_logged(seller: Workspace, clock: FixedClock) -> None:
    _logged(seller, clock, [decide(seller)])
    (record,) = issue_attestations(seller, [decide(seller, as_of=date(2026, 12, 1))], clock)
    with pytest.raises(NotFoundError, match="CRN-L-012"):
        export_bundle(seller, record.record_id)
    with pytest.raises(NotFoundError, match="CRN-L-005"):
        export_bundle(seller, "urn:uuid:none")


def test_policy__before_any_key(seller: Workspace) -> None:
    with pytest.raises(NotFoundError, match="CRN-L-013"):
        make_policy(seller)


def test_open_log__another_origin_is_refused(
    seller: Workspace, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _logged(seller, clock, [decide(seller)])
    monkeypatch.setenv("CARNET_LOG_ORIGIN", "other.example/log")
    with Workspace.open(seller.path) as other, pytest.raises(LedgerFatalError, match="CRN-L-004"):
        open_log(other, clock)

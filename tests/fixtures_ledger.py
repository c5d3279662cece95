"""A small real log with a bundle, its policy and a reader of the chain, made once."""

import secrets
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from carnet.core.clock import FixedClock
from carnet.core.digests import sha256
from carnet.core.subjects import listing_hash
from carnet.ledger.append import Log
from carnet.ledger.bundle import AnchorCoordinates, Bundle, Consistency, LoggedRecord
from carnet.ledger.checkpoint import Checkpoint, cosign, origin_hash, sign_checkpoint
from carnet.ledger.did import did_of_key
from carnet.ledger.disclosure import Disclosure, withhold
from carnet.ledger.entry import KEY_EVENT, KINDS
from carnet.ledger.keys import Key, key_event_record
from carnet.ledger.kinds import STATUS_LIST
from carnet.ledger.kinds.status import MESSAGES, STATUS_URN, status_entry
from carnet.ledger.merkle import append_leaves, inclusion_proof, root_hash
from carnet.ledger.note import COSIGNATURE_V1, NoteSignature, VerifierKey
from carnet.ledger.policy import STEPS_ALWAYS, Policy, TrustedAnchor, TrustedIssuer
from carnet.ledger.record import (
    ATTESTATION_TYPE,
    LISTING_URN,
    Issuer,
    Record,
    Validity,
    new_salt,
    sign_record,
    urn_of_digest,
)
from carnet.ledger.signer import Ed25519Signer
from carnet.ledger.status_list import encode_list
from carnet.ledger.verify import Verification, verify_bundle
from carnet.store.engine import open_engine

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
DAY = date(2026, 11, 23)
ORIGIN = "carnet.example/log"
CONTRACT = "0x" + "5a" * 20
CHAIN_ID = 31337
ISSUER_KEY = Key("issuer", Ed25519Signer(b"\x01" * 32))
LOG_SIGNER = Ed25519Signer(b"\x02" * 32)
WITNESS_SIGNER = Ed25519Signer(b"\x03" * 32)
STRANGER = Ed25519Signer(b"\x04" * 32)
WITNESS_NAME = "witness.example/w1"
WITNESS = VerifierKey(WITNESS_NAME, COSIGNATURE_V1, WITNESS_SIGNER.public_key)


def attestation(
    number: int,
    *,
    issuer: Issuer = ISSUER_KEY.issuer,
    status: Mapping[str, Any] | None = None,
    hidden: Sequence[str] = (),
) -> Record:
    """Return a signed attestation of a made-up listing."""
    return withholding(number, hidden, issuer=issuer, status=status)[0]


def withholding(
    number: int,
    hidden: Sequence[str],
    *,
    issuer: Issuer = ISSUER_KEY.issuer,
    status: Mapping[str, Any] | None = None,
) -> tuple[Record, list[Disclosure]]:
    """Return a signed attestation that withholds some members, and their disclosures."""
    listing, seller = f"LST-{number:03}", "SELLER-1"
    subject = listing_hash(listing, seller)
    fields, disclosures = withhold(
        {
            "id": LISTING_URN + subject.hex(),
            "listing": listing,
            "seller": seller,
            "pack": {"id": "eu-ce", "version": "2026.1", "digest": "ab" * 32},
            "asOf": DAY.isoformat(),
            "conformity": "conforming" if number % 3 else "nonconforming",
            "officerConfirmed": ["expiry_warning_days"],
            "findings": [{"rule": "eu-ce-007", "severity": "minor"}],
            "measures": {"days_to_expiry": 41},
            "outputs": {},
            "decisionDigest": f"{number:064x}",
            "salt": new_salt(),
        },
        hidden,
    )
    record = sign_record(
        ATTESTATION_TYPE,
        fields,
        record_id=urn_of_digest(sha256(b"%d" % number)),
        issuer=issuer,
        validity=Validity(
            datetime(2026, 11, 23, tzinfo=UTC), datetime(2027, 2, 21, 23, 59, 59, tzinfo=UTC)
        ),
        created=NOW,
        status=status,
    )
    return record, disclosures


LIST_URN = STATUS_URN + "5b" * 32
LIST_INDEX = 77_777


def status_list(
    values: Mapping[int, int] | None = None,
    *,
    issuer: Issuer = ISSUER_KEY.issuer,
    until: datetime | None = NOW + timedelta(days=7),
    **changes: Any,
) -> Record:
    """Return a signed status list in which some entries have values."""
    subject = {
        "id": LIST_URN,
        "type": "BitstringStatusList",
        "statusPurpose": "message",
        "statusSize": 2,
        "statusMessages": MESSAGES,
        "encodedList": encode_list(values or {}),
        "salt": new_salt(),
    }
    return sign_record(
        STATUS_LIST.type_name,
        {**subject, **changes},
        record_id=uuid.uuid4().urn,
        issuer=issuer,
        validity=Validity(NOW, until),
        created=NOW,
    )


def witness_signature(checkpoint: Checkpoint) -> NoteSignature:
    """Return the witness's cosignature."""
    return cosign(checkpoint, WITNESS_NAME, WITNESS_SIGNER, NOW)


def open_test_log(engine: Engine, folder: Path, clock: FixedClock, *, witness: bool = True) -> Log:
    """Return the log of a database with the fixed keys."""
    return Log(
        engine,
        signer=LOG_SIGNER,
        origin=ORIGIN,
        clock=clock,
        published=folder / "log" / "checkpoint",
        cosigners=[witness_signature] if witness else [],
    )


@dataclass(frozen=True)
class LedgerWorld:
    """A bundle, the policy that trusts it, and what the chain holds."""

    bundle: Bundle
    policy: Policy
    root: bytes

    @property
    def data(self) -> bytes:
        return self.bundle.to_bytes()

    def read_anchor(self, found: AnchorCoordinates) -> bytes | None:
        is_ours = found == self.bundle.anchor
        return self.root if is_ours else None


def _make_world(engine: Engine, folder: Path) -> LedgerWorld:
    clock = FixedClock(NOW)
    log = open_test_log(engine, folder, clock)
    event = key_event_record(ISSUER_KEY, "issuer", ISSUER_KEY.issuer, clock)
    log.append([event, *(attestation(number) for number in range(1, 6))])
    record = attestation(7)
    index = log.append([record])[0]
    tree = log.checkpoint()
    clock.advance(timedelta(hours=1))
    log.append([attestation(number) for number in range(8, 12)])
    head = log.checkpoint()
    size = tree.checkpoint.size

    def logged(item: Record, place: int) -> LoggedRecord:
        return LoggedRecord(item, item.entry, place, tuple(log.inclusion_proof(place, size)))

    bundle = Bundle(
        logged=logged(record, index),
        checkpoint=tree.text,
        cosigners=(WITNESS.to_text(),),
        key_events=(logged(event, 0),),
        consistency=Consistency(
            head.text, tuple(log.consistency_proof(size, head.checkpoint.size))
        ),
        anchor=AnchorCoordinates(CHAIN_ID, CONTRACT, origin_hash(ORIGIN), size),
    )
    return LedgerWorld(bundle, _policy(log), tree.checkpoint.root)


def _policy(log: Log, required: frozenset[str] = frozenset()) -> Policy:
    return Policy(
        required=frozenset({*STEPS_ALWAYS, "witnesses", "validity", "anchor", *required}),
        issuers=(
            TrustedIssuer(did_of_key(ISSUER_KEY.signer.public_key), frozenset(KINDS) - {KEY_EVENT}),
        ),
        logs=(log.verifier_key,),
        anchors=(TrustedAnchor(CHAIN_ID, CONTRACT),),
        witnesses=(WITNESS,),
        quorum=1,
    )


def _make_status_world(engine: Engine, folder: Path) -> LedgerWorld:
    """Return a bundle whose record withholds members, with a status list from the newer tree."""
    clock = FixedClock(NOW)
    log = open_test_log(engine, folder, clock)
    event = key_event_record(ISSUER_KEY, "issuer", ISSUER_KEY.issuer, clock)
    entry = status_entry(LIST_URN, LIST_INDEX)
    record, disclosures = withholding(5, ["listing", "measures", "seller"], status=entry)
    log.append([event, attestation(1), attestation(2)])
    index = log.append([record])[0]
    tree = log.checkpoint()
    clock.advance(timedelta(hours=1))
    listed = status_list({1: 1, 77_776: 2, 77_778: 1})
    place = log.append([attestation(3), listed])[1]
    head = log.checkpoint()
    size, newer = tree.checkpoint.size, head.checkpoint.size
    return LedgerWorld(
        Bundle(
            logged=LoggedRecord(
                record, record.entry, index, tuple(log.inclusion_proof(index, size))
            ),
            checkpoint=tree.text,
            disclosures=tuple(sorted(item.text for item in disclosures[:2])),
            cosigners=(WITNESS.to_text(),),
            key_events=(LoggedRecord(event, event.entry, 0, tuple(log.inclusion_proof(0, size))),),
            status=LoggedRecord(
                listed, listed.entry, place, tuple(log.inclusion_proof(place, newer))
            ),
            consistency=Consistency(head.text, tuple(log.consistency_proof(size, newer))),
            anchor=AnchorCoordinates(CHAIN_ID, CONTRACT, origin_hash(ORIGIN), newer),
        ),
        _policy(log, frozenset({"status", "supersession", "consistency"})),
        head.checkpoint.root,
    )


def failing(found: Verification) -> list[str]:
    return [step.name for step in found.steps if step.verdict == "not_valid"]


def check(ledger_world: LedgerWorld, data: bytes, **changes: Any) -> Verification:
    policy = replace(ledger_world.policy, **changes)
    return verify_bundle(data, policy, today=DAY, read_anchor=ledger_world.read_anchor)


def forge(target: Record, *others: Record, **changes: Any) -> bytes:
    """Return the bundle of the last of some records in a log that the log's own key signs."""
    records = [*others, target]
    leaves = [record.entry.leaf_hash for record in records]
    nodes = dict(append_leaves(0, leaves, {}.__getitem__))
    size = len(records)
    tree = Checkpoint(ORIGIN, size, root_hash(size, nodes.__getitem__))

    def logged(place: int) -> LoggedRecord:
        proof = inclusion_proof(place, size, nodes.__getitem__)
        return LoggedRecord(records[place], records[place].entry, place, tuple(proof))

    subject, listed = changes.pop("subject", size - 1), changes.pop("status", None)
    bundle = Bundle(
        logged=logged(subject),
        checkpoint=sign_checkpoint(tree, LOG_SIGNER).text,
        key_events=tuple(logged(place) for place in changes.pop("events", range(size - 1))),
        status=None if listed is None else logged(listed),
    )
    return replace(bundle, **changes).to_bytes()


def key_event(key: Key, issuer: Issuer) -> Record:
    return key_event_record(key, "name", issuer, FixedClock(NOW))


@pytest.fixture(scope="session")
def ledger_world(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LedgerWorld]:
    """A bundle from a real log on SQLite, made once."""
    folder = tmp_path_factory.mktemp("world")
    shutil.copy(sqlite_template, folder / "carnet.db")
    engine = open_engine(f"sqlite:///{folder / 'carnet.db'}")
    yield _make_world(engine, folder)
    engine.dispose()


@pytest.fixture(scope="session")
def status_world(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LedgerWorld]:
    """A bundle with a status list and disclosures, from a real log on SQLite, made once."""
    folder = tmp_path_factory.mktemp("world")
    shutil.copy(sqlite_template, folder / "carnet.db")
    engine = open_engine(f"sqlite:///{folder / 'carnet.db'}")
    yield _make_status_world(engine, folder)
    engine.dispose()


@pytest.fixture(autouse=True)
def _own_verifier_state(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let what one test's verifier has seen be seen by no other, nor by the user's own."""
    folder = tmp_path_factory.getbasetemp() / f"state-{secrets.token_hex(8)}"
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))

"""A subject of every kind of record, with all its members, for tests that go through the kinds."""

from typing import Any

from carnet.core.canonical import canonical
from carnet.core.digests import sha256
from carnet.core.subjects import listing_hash
from carnet.ledger.kinds import ALL, KIND_OF_TYPE, RecordKind
from carnet.ledger.kinds.attestation import ATTESTATION
from carnet.ledger.kinds.credit import PASSPORT_FIGURES
from carnet.ledger.kinds.status import MESSAGES
from carnet.ledger.record import Record, Validity, new_salt, sign_record, urn_of_digest
from carnet.ledger.status_list import encode_list
from tests.fixtures_ledger import ISSUER_KEY, NOW

DIGEST = "ab" * 32
DAY = NOW.date().isoformat()
PACK = {"id": "eu-ce", "version": "2026.1", "digest": DIGEST}
FIGURE = {"recordCount": 1, "recordsDigest": DIGEST, "records": [DIGEST], "value": 7, "causes": []}


def named(noun: str, **members: str) -> str:
    """Return the id of a subject that its members name."""
    return f"urn:carnet:{noun}:{sha256(canonical(members)).hex()}"


SUBJECTS: dict[str, dict[str, Any]] = {
    "attestation:listing": {
        "id": f"urn:carnet:listing:{listing_hash('LST-1', 'S-1').hex()}",
        "listing": "LST-1",
        "seller": "S-1",
        "pack": PACK,
        "asOf": DAY,
        "conformity": "undetermined",
        "officerConfirmed": ["a", "b"],
        "findings": [{"rule": "r-1", "severity": "major"}],
        "measures": {"days": -3},
        "outputs": {"bps": 450},
        "decisionDigest": DIGEST,
    },
    "certificate": {
        "kind": "eu_doc",
        "act": "red",
        "issuedOn": DAY,
        "isVerified": True,
        "printedValidUntil": "2030-02-28",
        "certificateStatus": "active",
        "certificateStatusOn": DAY,
        "certificate": "CRT-1",
        "product": "P-1",
        "seller": "S-1",
        "number": "Nr. 12/2026 «ß» 号",
        "certifier": "B-1",
        "bodyNumber": "0123",
        "testLab": "L-1",
        "evidenceSha256": DIGEST,
        "factDigest": DIGEST,
    },
    "trace-evidence": {
        "nodeType": "unit",
        "direction": "back",
        "asOf": DAY,
        "isComplete": False,
        "node": "U-1",
        "seller": "S-1",
        "nodes": 4,
        "links": 3,
        "chainDigest": DIGEST,
    },
    "agreement": {
        "kind": "loan",
        "signedOn": DAY,
        "endsOn": "2028-02-29",
        "currency": "USD",
        "agreement": "A-1",
        "lender": "L-1",
        "borrower": "S-1",
        "crossDefaultThresholdMinor": 100_000,
        "covenants": [
            {"measure": "dscr", "at": "least", "testedOn": DAY, "limitBps": 12_000},
            {"measure": "minimum_liquidity", "at": "least", "testedOn": DAY, "limitMinor": 5},
        ],
        "clauses": [
            {
                "kind": "ring_fence",
                "noticeDays": 10,
                "cureDays": 30,
                "effectiveFrom": DAY,
                "effectiveTo": "2028-02-29",
                "capMinor": 1,
                "periodDays": 90,
            }
        ],
        "termsDigest": DIGEST,
    },
    "deposit-adjustment": {
        "changedOn": DAY,
        "baseBps": 500,
        "currentBps": 450,
        "previousBps": 500,
        "account": "D-1",
        "seller": "S-1",
        "platform": "P-1",
        "category": "earphones",
        "balanceMinor": -1,
        "currency": "USD",
    },
    "data-point": {
        "kind": "own_site_sales",
        "unit": "minor",
        "provenance": "self_declared",
        "periodStart": "2026-07-01",
        "periodEnd": "2026-09-30",
        "observedOn": DAY,
        "dataPoint": "DP-1",
        "seller": "S-1",
        "provider": "shop 店",
        "channel": "C-1",
        "value": 12,
        "currency": "USD",
        "evidenceSha256": DIGEST,
    },
    "passport": {
        "quarter": "2026Q3",
        "asOf": DAY,
        "pack": PACK,
        "seller": "S-1",
        "officerConfirmed": [],
        **dict.fromkeys(PASSPORT_FIGURES, FIGURE),
    },
    "pack-event": {
        "id": named("pack", pack="eu-ce"),
        "pack": "eu-ce",
        "event": "activation",
        "seq": 3,
        "at": "2026-11-23T08:00:00Z",
        "actDigest": DIGEST,
        "version": "2026.1",
        "packDigest": DIGEST,
        "effectiveOn": DAY,
    },
    "receivable-event": {
        "event": "Funded",
        "chainId": 31337,
        "contract": "0x" + "5a" * 20,
        "blockNumber": 12,
        "logIndex": 0,
        "transaction": "0x" + DIGEST,
        "receivable": "RCV-1",
        "seller": "S-1",
        "values": {"advance": "100000", "day": "20780"},
    },
    "publication": {
        "id": named("publication", name="verify.html"),
        "name": "verify.html",
        "sha256": DIGEST,
        "size": 150_000,
    },
    "erasure": {
        "erasedOn": DAY,
        "reason": "subject_request",
        "facts": 3,
        "decisions": 0,
        "records": 2,
        "retained": 1,
        "proposal": DIGEST,
        "approval": DIGEST,
    },
    "status-list": {
        "type": "BitstringStatusList",
        "statusPurpose": "message",
        "statusSize": 2,
        "statusMessages": MESSAGES,
        "encodedList": encode_list({1: 1}),
    },
}
"""The subject of each kind but the key event, by the name of the kind, with nothing withheld."""

KINDS: tuple[RecordKind, ...] = tuple(kind for kind in ALL if kind.name in SUBJECTS)


def subject_of(kind: RecordKind) -> dict[str, Any]:
    """Return the subject of a kind, with id and salt."""
    pseudonym = {"id": f"{kind.urn}{'5c' * 32}"}
    return {**pseudonym, **SUBJECTS[kind.name], "salt": new_salt()}


def record_of(kind: RecordKind, **changes: Any) -> Record:
    """Return a signed record of a kind, with nothing withheld and no status."""
    assert KIND_OF_TYPE[kind.type_name] is kind
    start = NOW.replace(hour=0) if kind is ATTESTATION else NOW
    return sign_record(
        kind.type_name,
        {**subject_of(kind), **changes},
        record_id=urn_of_digest(sha256(kind.name.encode())),
        issuer=ISSUER_KEY.issuer,
        validity=Validity(start),
        created=NOW,
    )

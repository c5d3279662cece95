"""Records, proofs, identifiers, disclosures and policies: closed shapes and one spelling."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from carnet.core.canonical import canonical
from carnet.core.errors import (
    InputError,
    RecordFormatError,
    SignatureError,
    VerificationError,
)
from carnet.ledger.did import (
    did_of_key,
    is_issuer_id,
    key_multibase,
    key_of_did,
    key_of_multibase,
    split_verification_method,
    verification_method,
)
from carnet.ledger.disclosure import (
    make_disclosure,
    parse_disclosure,
    reveal,
    withhold,
)
from carnet.ledger.encoding import base64url_encode, multibase_encode
from carnet.ledger.entry import LogEntry, entry_from_json
from carnet.ledger.policy import TrustedIssuer, parse_policy
from carnet.ledger.proof import add_proof, verify_proof
from carnet.ledger.record import (
    ATTESTATION_TYPE,
    Issuer,
    Validity,
    parse_record,
    record_digest,
    record_of_document,
    sign_record,
    urn_of_digest,
    verify_record,
)
from carnet.ledger.signer import Ed25519Signer, check_public_key, verify_signature
from tests.fixtures_ledger import ISSUER_KEY, NOW, STRANGER, LedgerWorld, attestation

Json = dict[str, Any]
RECORD = attestation(1)


def changed(change: Callable[[Json], object]) -> Json:
    document: Json = json.loads(RECORD.body)
    change(document)
    return document


def test_record__to_bytes_then_back() -> None:
    again = parse_record(RECORD.body)
    assert again == RECORD
    assert record_digest(RECORD.body) == RECORD.digest == RECORD.entry.record_hash
    verify_record(again)


def test_record__entry_follows_from_it() -> None:
    entry = RECORD.entry
    assert entry_from_json(json.loads(entry.to_bytes())) == entry
    assert entry.to_bytes() == canonical(
        {
            "v": 1,
            "kind": "attestation:listing:conforming",
            "recordHash": RECORD.digest.hex(),
            "issuer": RECORD.issuer,
            "statusRef": None,
            "supersedes": None,
            "subject": RECORD.subject["id"].removeprefix("urn:carnet:listing:"),
            "validFrom": 20780,
            "validUntil": 20870,
        }
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(note="x"),
        lambda d: d.pop("id"),
        lambda d: d.update(id="urn:uuid:ABCDEF00-0000-8000-8000-000000000000"),
        lambda d: d.update(type=["VerifiableCredential"]),
        lambda d: d.update(type=["VerifiableCredential", "Other"]),
        lambda d: d.update(type="CarnetKeyEvent"),
        lambda d: d.update(type=["VerifiableCredential", ["CarnetKeyEvent"]]),
        lambda d: d.update(type=["VerifiableCredential", "CarnetKeyEvent"]),
        lambda d: d.update(issuer="https://issuer.example"),
        lambda d: d.update(validFrom="2026-11-23T00:00:00+00:00"),
        lambda d: d.update(validFrom="2026-13-23T00:00:00Z"),
        lambda d: d.update(validUntil="2026-11-22T00:00:00Z"),
        lambda d: d.update(supersedes="AB" * 32),
        lambda d: d.update(credentialSubject=[]),
        lambda d: d["credentialSubject"].update(asOf="2026-02-30"),
        lambda d: d["credentialSubject"].update(asOf="20261123"),
        lambda d: d["credentialSubject"].update(conformity="valid"),
        lambda d: d["credentialSubject"].update(officerConfirmed=["b", "a"]),
        lambda d: d["credentialSubject"].update(officerConfirmed=["a", "a"]),
        lambda d: d["credentialSubject"].update(officerConfirmed=["x"] * 300),
        lambda d: d["credentialSubject"].update(findings=[{"rule": "r", "severity": "fatal"}]),
        lambda d: d["credentialSubject"].update(measures={"a": True}),
        lambda d: d["credentialSubject"].update(measures={"a": "1"}),
        lambda d: d["credentialSubject"].update(measures={"a b": 1}),
        lambda d: d["credentialSubject"].update(measures=[1]),
        lambda d: d["credentialSubject"].update(salt="00" * 15),
        lambda d: d["proof"].update(cryptosuite="eddsa-rdfc-2022"),
        lambda d: d["proof"].update({"@context": []}),
        lambda d: d["proof"].update(proofValue="z0"),
        lambda d: d.pop("proof"),
    ],
)
def test_record__another_shape_is_refused(change: Callable[[Json], object]) -> None:
    with pytest.raises(VerificationError, match="CRN-V-007"):
        record_of_document(changed(change))


@pytest.mark.parametrize("document", [None, [], "x", 1, {}])
def test_record__no_document_at_all(document: object) -> None:
    with pytest.raises(VerificationError):
        record_of_document(document)


def test_record__another_spelling_is_refused() -> None:
    with pytest.raises(RecordFormatError):
        parse_record(RECORD.body + b"\n")


def test_shape__what_it_quotes_is_escaped_and_short() -> None:
    def colour(document: Json) -> None:
        document["credentialSubject"]["conformity"] = "\x1b[31m" + "x" * 500 + "\u202e"

    with pytest.raises(VerificationError) as caught:
        record_of_document(changed(colour))
    message = caught.value.message.en
    assert "\x1b" not in message
    assert len(message) < 250


def test_sign__a_subject_of_another_shape_is_refused() -> None:
    with pytest.raises(VerificationError):
        sign_record(
            ATTESTATION_TYPE,
            {"id": "x"},
            record_id=urn_of_digest(bytes(32)),
            issuer=ISSUER_KEY.issuer,
            validity=Validity(NOW),
            created=NOW,
        )


def test_sign__a_key_that_is_not_the_issuer_s_is_refused() -> None:
    with pytest.raises(VerificationError):
        attestation(1, issuer=Issuer(ISSUER_KEY.did, STRANGER))


def test_verify_record__a_method_of_another_issuer() -> None:
    method = verification_method(did_of_key(STRANGER.public_key), STRANGER.public_key)
    document = changed(lambda d: d["proof"].update(verificationMethod=method))
    with pytest.raises(VerificationError, match="CRN-V-012"):
        verify_record(record_of_document(document))


def test_did_web__signs_under_its_own_name() -> None:
    record = attestation(3, issuer=Issuer("did:web:seller.example:compliance", STRANGER))
    verify_record(record)
    assert record.entry.issuer == "did:web:seller.example:compliance"


PLAIN = {"@context": ["https://www.w3.org/ns/credentials/v2"], "a": 1}


def proved() -> Json:
    signer = Ed25519Signer(b"\x09" * 32)
    return copy.deepcopy(add_proof(PLAIN, "did:example:1#key", signer, NOW))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("proof"),
        lambda d: d.update(proof=[d["proof"]]),
        lambda d: d["proof"].pop("proofValue"),
        lambda d: d["proof"].update(proofValue=7),
        lambda d: d["proof"].update(proofValue="z0"),
        lambda d: d["proof"].update(proofValue="zz"),
        lambda d: d["proof"].update(type="Other"),
        lambda d: d["proof"].update(cryptosuite="eddsa-rdfc-2022"),
        lambda d: d["proof"].update({"@context": []}),
        lambda d: d["proof"].update(created="2026-11-23T08:00:01Z"),
        lambda d: d.update(a=2),
        lambda d: d.update(b=1),
        lambda d: d["@context"].append("x"),
    ],
)
def test_proof__every_change_is_noticed(change: Callable[[Json], object]) -> None:
    key = Ed25519Signer(b"\x09" * 32).public_key
    document = proved()
    verify_proof(document, key)
    change(document)
    with pytest.raises(SignatureError):
        verify_proof(document, key)


def test_proof__of_a_document_without_context() -> None:
    signer = Ed25519Signer(b"\x09" * 32)
    document = add_proof({"a": 1}, "did:example:1#key", signer, NOW)
    assert "@context" not in document["proof"]
    verify_proof(document, signer.public_key)


LOW_ORDER_KEYS = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
]


@pytest.mark.parametrize("key", [*LOW_ORDER_KEYS, "ff" * 32, "ab" * 31, "ab" * 33, ""])
def test_public_key__unsound_ones_are_refused(key: str) -> None:
    with pytest.raises(SignatureError):
        check_public_key(bytes.fromhex(key))


def test_signature__of_a_low_order_key_is_refused() -> None:
    """R of low order and S = 0 satisfy the equation of a lax verifier for any message."""
    for key in LOW_ORDER_KEYS:
        with pytest.raises(SignatureError):
            verify_signature(
                bytes.fromhex(key), b"any", bytes.fromhex(LOW_ORDER_KEYS[1]) + bytes(32)
            )


def test_did__key_then_back() -> None:
    did = did_of_key(STRANGER.public_key)
    assert did.startswith("did:key:z6Mk")
    assert key_of_did(did) == STRANGER.public_key
    method = verification_method(did, STRANGER.public_key)
    assert split_verification_method(method) == (did, STRANGER.public_key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "z",
        "m" + key_multibase(STRANGER.public_key)[1:],
        key_multibase(STRANGER.public_key) + " ",
        "z1" + key_multibase(STRANGER.public_key)[1:],
        key_multibase(STRANGER.public_key)[:-1],
        multibase_encode(b"\xec\x01" + STRANGER.public_key),
        multibase_encode(b"\xed\x01" + STRANGER.public_key + b"\x00"),
        multibase_encode(b"\xed\x01" + bytes(32)),
        "z" * 500,
        "zé",
    ],
)
def test_multikey__bad_ones_are_refused(text: str) -> None:
    with pytest.raises(VerificationError):
        key_of_multibase(text)
    assert not is_issuer_id("did:key:" + text)


@pytest.mark.parametrize(
    ("text", "is_fit"),
    [
        ("did:web:seller.example", True),
        ("did:web:seller.example:units:a", True),
        ("did:web:localhost%3A8443", True),
        ("did:web:", False),
        ("did:web:Seller.example", False),
        ("did:web:a b", False),
        ("did:web:a/b", False),
        ("did:web:" + "a" * 300, False),
        ("did:example:1", False),
        ("", False),
    ],
)
def test_issuer_id(text: str, is_fit: bool) -> None:
    assert is_issuer_id(text) is is_fit


@pytest.mark.parametrize(
    "text",
    [
        did_of_key(STRANGER.public_key),
        did_of_key(STRANGER.public_key) + "#",
        did_of_key(STRANGER.public_key) + "#" + key_multibase(ISSUER_KEY.signer.public_key),
        "did:example:1#" + key_multibase(STRANGER.public_key),
    ],
)
def test_verification_method__bad_ones_are_refused(text: str) -> None:
    with pytest.raises(VerificationError):
        split_verification_method(text)


def test_withhold__then_reveal() -> None:
    fields = {"id": "x", "a": 1, "b": "two", "c": [3]}
    shown, disclosures = withhold(fields, ["a", "c"])
    assert shown.keys() == {"id", "b", "_sd"}
    assert shown["_sd"] == sorted(shown["_sd"])
    assert reveal(shown, []) == {"id": "x", "b": "two"}
    assert reveal(shown, [disclosures[0].text]) == {"id": "x", "b": "two", "a": 1}
    assert reveal(shown, [item.text for item in disclosures]) == fields
    assert withhold(fields, []) == (fields, [])
    assert [parse_disclosure(item.text) for item in disclosures] == disclosures


def test_reveal__what_the_record_does_not_hold() -> None:
    shown, (one,) = withhold({"a": 1}, ["a"])
    salt = bytes(16)
    clash = make_disclosure("b", 2, salt)
    twice = {"b": 1, "_sd": [clash.digest]}
    for subject, texts in (
        (shown, [make_disclosure("a", 1).text]),
        (shown, [one.text, one.text]),
        (twice, [clash.text]),
        ({}, [one.text]),
    ):
        with pytest.raises(VerificationError, match="CRN-V-009"):
            reveal(subject, texts)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!!!!",
        base64url_encode(b"[1,2,3]"),
        base64url_encode(b'["s","n"]'),
        base64url_encode(b'["s", "n", 1]'),
        base64url_encode(b'{"a":1}'),
        base64url_encode(b'["s","_sd",1]'),
        base64url_encode(b'["s","n",1.5]'),
        base64url_encode(b'["s","n",1]') + "=",
        "A" * 20_000,
        "WyJzIiwibiIsMV1",
        "é",
    ],
)
def test_disclosure__bad_ones_are_refused(text: str) -> None:
    with pytest.raises(VerificationError, match="CRN-V-009"):
        parse_disclosure(text)


def test_disclosed__only_what_may_be_withheld_in_its_shape() -> None:
    fields = dict(RECORD.subject)
    check_disclosed = RECORD.record_kind.check_disclosed
    check_disclosed(fields)
    check_disclosed({name: value for name, value in fields.items() if name != "seller"})
    for more in ({"seller": "SELLER-2"}, {"measures": {"a": "1"}}, {"note": 1}, {"listing": 7}):
        with pytest.raises(VerificationError):
            check_disclosed({**fields, **more})


def test_record__with_withheld_fields_is_whole() -> None:
    shown, disclosures = withhold(dict(RECORD.subject), ["seller", "measures"])
    record = sign_record(
        ATTESTATION_TYPE,
        shown,
        record_id=RECORD.record_id,
        issuer=ISSUER_KEY.issuer,
        validity=Validity(datetime(2026, 11, 23, tzinfo=UTC)),
        created=NOW,
    )
    verify_record(record)
    assert "seller" not in record.subject
    assert record.valid_until is None
    assert record.entry.valid_until is None
    assert reveal(record.subject, [item.text for item in disclosures]) == RECORD.subject


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"kind": "other"},
        {"recordHash": "00"},
        {"statusRef": 'a"b'},
        {"statusRef": "a\\b"},
        {"statusRef": ""},
        {"statusRef": "é"},
        {"subject": "x"},
        {"validFrom": -1},
        {"validFrom": 2**32},
        {"more": 1},
    ],
)
def test_entry__another_shape_is_refused(change: Json) -> None:
    with pytest.raises(VerificationError):
        entry_from_json({**RECORD.entry.to_json(), **change})


def test_entry__with_everything() -> None:
    entry = LogEntry(
        kind="key-event",
        record_hash=RECORD.digest,
        issuer=RECORD.issuer,
        status_ref="https://s.example/1#7",
        supersedes=bytes(32),
        subject=bytes(32),
        valid_from=0,
        valid_until=2**32 - 1,
    )
    assert entry_from_json(json.loads(entry.to_bytes())) == entry


POLICY_CHANGES: list[tuple[str, str]] = [
    ("version = 1", "version = 2"),
    ("version = 1", ""),
    ('"parse", ', '"parsing", '),
    ("quorum = 1", "quorum = 2"),
    ("quorum = 1", "quorum = true"),
    ("chain_id = 31337", "chain_id = 0"),
    ('contract = "0x', 'contract = "'),
    ("[witnesses]", "[witness]"),
    ('origin = "carnet.example/log"', 'origin = "carnet.example/other"'),
    ("did:key:z6Mk", "did:key:z6Ml"),
    ("attestation:listing:conforming", "attestation:listing:*"),
    ("[witnesses]", '[validity]\nas_of = "2026-11-23"\n[witnesses]'),
    ("[witnesses]", "[validity]\nas_of = 2026-11-23T00:00:00Z\n[witnesses]"),
]


@pytest.mark.parametrize(("old", "new"), POLICY_CHANGES)
def test_policy__another_form_is_refused(ledger_world: LedgerWorld, old: str, new: str) -> None:
    text = ledger_world.policy.to_toml()
    assert old in text
    with pytest.raises(InputError, match="CRN-V-020"):
        parse_policy(text.replace(old, new, 1).encode())


def test_policy__a_did_web_needs_its_keys(ledger_world: LedgerWorld) -> None:
    issuer = TrustedIssuer("did:web:seller.example", frozenset(), (STRANGER.public_key,))
    policy = replace(ledger_world.policy, issuers=(issuer,))
    assert parse_policy(policy.to_toml().encode()) == policy
    unpinned = replace(policy, issuers=(replace(issuer, keys=()),))
    with pytest.raises(InputError, match="did:web"):
        parse_policy(unpinned.to_toml().encode())


def test_policy__key_of_the_other_type(ledger_world: LedgerWorld) -> None:
    policy = ledger_world.policy
    log, witness = policy.logs[0].to_text(), policy.witnesses[0].to_text()
    text = policy.to_toml()
    for changed_text in (text.replace(witness, log), text.replace(log, witness)):
        with pytest.raises(InputError, match="CRN-V-020"):
            parse_policy(changed_text.encode())


@pytest.mark.parametrize("data", [b"\xff", b"a", b"x = " + b"[" * 5000, b" " * 300_000])
def test_policy__no_policy_at_all(data: bytes) -> None:
    with pytest.raises(InputError, match="CRN-V-020"):
        parse_policy(data)


def test_policy__smallest() -> None:
    policy = parse_policy(b"version = 1\nrequired = []\nissuers = []\nlogs = []\n")
    assert (policy.quorum, policy.witnesses, policy.anchors, policy.as_of) == (0, (), (), None)


@pytest.mark.parametrize("missing", ["issuers", "logs"])
def test_policy__that_names_nobody_is_written_so(ledger_world: LedgerWorld, missing: str) -> None:
    policy = replace(ledger_world.policy, **{missing: ()})
    assert parse_policy(policy.to_toml().encode()) == policy


def test_policy__address_in_any_case_is_one(ledger_world: LedgerWorld) -> None:
    text = ledger_world.policy.to_toml()
    upper = text.replace("0x5a5a", "0x5A5A")
    assert upper != text
    assert parse_policy(upper.encode()) == ledger_world.policy

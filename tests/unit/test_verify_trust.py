"""What a verifier believes of keys, of their events and of a chain that cannot be read."""

from dataclasses import replace

from carnet.ledger.bundle import AnchorCoordinates
from carnet.ledger.keys import Key
from carnet.ledger.policy import TrustedIssuer
from carnet.ledger.record import Issuer
from carnet.ledger.signer import Ed25519Signer
from carnet.ledger.verify import verify_bundle
from tests.fixtures_ledger import (
    DAY,
    STRANGER,
    LedgerWorld,
    attestation,
    check,
    failing,
    forge,
    key_event,
)


def test_key__of_a_did_web_holds_for_its_kinds_alone(ledger_world: LedgerWorld) -> None:
    name = "did:web:seller.example"
    own, other = STRANGER, Ed25519Signer(b"\x0a" * 32)
    event = key_event(Key("issuer", own), Issuer(name, own))
    data = forge(attestation(1, issuer=Issuer(name, own)), event)
    issuers = tuple(
        TrustedIssuer(name, frozenset({f"attestation:listing:{kind}"}), (key.public_key,))
        for kind, key in (("conforming", other), ("nonconforming", own))
    )
    found = check(ledger_world, data, issuers=issuers)
    assert found.step("issuer").verdict == "valid"
    assert found.step("key").verdict == "not_valid"


def test_key__event_of_a_did_web_is_by_a_pinned_key(ledger_world: LedgerWorld) -> None:
    name = "did:web:seller.example"
    own, theirs = STRANGER, Ed25519Signer(b"\x0a" * 32)
    event = key_event(Key("issuer", own), Issuer(name, theirs))
    data = forge(attestation(1, issuer=Issuer(name, own)), event)
    kinds = ledger_world.policy.issuers[0].kinds
    issuer = TrustedIssuer(name, kinds, (own.public_key,))
    assert check(ledger_world, data, issuers=(issuer,)).step("key").verdict == "not_valid"
    both = replace(issuer, keys=(own.public_key, theirs.public_key))
    assert check(ledger_world, data, issuers=(both,)).step("key").verdict == "valid"


def test_schema__key_events_rise(ledger_world: LedgerWorld) -> None:
    bundle = replace(ledger_world.bundle, key_events=ledger_world.bundle.key_events * 2)
    assert failing(check(ledger_world, bundle.to_bytes())) == ["schema"]


def test_anchor__a_reader_that_fails_is_not_checked(ledger_world: LedgerWorld) -> None:
    def fail(_: AnchorCoordinates) -> bytes | None:
        raise RecursionError

    found = verify_bundle(ledger_world.data, ledger_world.policy, today=DAY, read_anchor=fail)
    assert found.step("anchor").verdict == "not_checked"
    assert "RecursionError" in found.step("anchor").cause.en

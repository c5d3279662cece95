"""What a verifier believes of keys, of their events and of a chain that cannot be read."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carnet.core.clock import FixedClock
from carnet.core.errors import VerificationError
from carnet.ledger.bundle import AnchorCoordinates
from carnet.ledger.did import did_of_key, key_multibase
from carnet.ledger.keys import Key, revocation_record, rotation_record
from carnet.ledger.keystate import KeyState, KeyStatement, key_event_id
from carnet.ledger.policy import TrustedIssuer
from carnet.ledger.record import KEY_EVENT_TYPE, Issuer, Record, Validity, sign_record
from carnet.ledger.signer import Ed25519Signer
from carnet.ledger.verify import verify_bundle
from tests.fixtures_ledger import (
    DAY,
    ISSUER_KEY,
    NOW,
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


OWN = key_event(ISSUER_KEY, ISSUER_KEY.issuer)
NEXT = Key("issuer", Ed25519Signer(b"\x0b" * 32))
CLOCK = FixedClock(NOW)
ROTATION = rotation_record(NEXT, "issuer", ISSUER_KEY.signer.public_key, ISSUER_KEY.issuer, CLOCK)
REVOCATION = revocation_record(
    "issuer", "issuer", ISSUER_KEY.signer.public_key, "compromised", ISSUER_KEY.issuer, CLOCK
)


def odd_event(**changes: Any) -> Record:
    """Return the issuer's own event of its key, signed by it, with members changed."""
    subject = {**OWN.subject, **changes.pop("subject", {})}
    arguments: dict[str, Any] = {
        "record_id": OWN.record_id,
        "issuer": ISSUER_KEY.issuer,
        "validity": Validity(NOW),
        "created": NOW,
        **changes,
    }
    return sign_record(KEY_EVENT_TYPE, subject, **arguments)


@pytest.mark.parametrize(
    "event",
    [
        odd_event(validity=Validity(NOW + timedelta(days=400))),
        odd_event(validity=Validity(NOW - timedelta(seconds=1))),
        odd_event(validity=Validity(NOW, NOW + timedelta(days=1))),
        odd_event(supersedes=bytes(32)),
        odd_event(record_id=attestation(1).record_id),
        odd_event(record_id=key_event_id("add", STRANGER.public_key, "issuer")),
        odd_event(record_id=key_event_id("add", ISSUER_KEY.signer.public_key, "log")),
        odd_event(subject={"id": did_of_key(STRANGER.public_key)}),
        odd_event(
            subject={"publicKeyMultibase": key_multibase(STRANGER.public_key)},
            record_id=key_event_id("add", STRANGER.public_key, "issuer"),
        ),
    ],
)
def test_key__an_event_that_says_it_in_another_way_counts_for_nothing(
    ledger_world: LedgerWorld, event: Record
) -> None:
    found = check(ledger_world, forge(attestation(1), event))
    assert found.step("inclusion").verdict == "valid"
    assert found.step("key").verdict == "not_valid"
    assert found.verdict == "not_valid"


def test_key__revoked_before_the_record_and_after_it(ledger_world: LedgerWorld) -> None:
    trust: dict[str, Any] = {"witnesses": (), "quorum": 0, "required": frozenset()}
    late = check(ledger_world, forge(attestation(1), OWN, REVOCATION), **trust)
    assert failing(late) == ["key"]
    assert "ended by log entry 1, the record is 2" in late.step("key").cause.en
    records = (OWN, attestation(1))
    early = check(ledger_world, forge(REVOCATION, *records, subject=1, events=[0, 2]), **trust)
    assert failing(early) == []
    assert "ended later by 2" in early.step("key").cause.en


def test_key__an_old_key_signs_nothing_after_its_rotation(ledger_world: LedgerWorld) -> None:
    trust: dict[str, Any] = {"witnesses": (), "quorum": 0, "required": frozenset()}
    new = attestation(1, issuer=NEXT.issuer)
    assert failing(check(ledger_world, forge(new, OWN, ROTATION), **trust)) == []
    assert failing(check(ledger_world, forge(attestation(1), OWN, ROTATION), **trust)) == ["key"]
    # Nor does it state keys any more.
    third = Key("issuer", STRANGER)
    again = rotation_record(third, "issuer", ISSUER_KEY.signer.public_key, ISSUER_KEY.issuer, CLOCK)
    data = forge(attestation(1, issuer=third.issuer), OWN, ROTATION, again)
    assert failing(check(ledger_world, data, **trust)) == ["key"]


def test_key__a_rotation_by_a_stranger_leads_nowhere(ledger_world: LedgerWorld) -> None:
    thief = Key("issuer", STRANGER)
    forged = rotation_record(thief, "issuer", ISSUER_KEY.signer.public_key, thief.issuer, CLOCK)
    data = forge(attestation(1, issuer=thief.issuer), OWN, forged)
    assert "issuer" in failing(check(ledger_world, data))
    handed = rotation_record(thief, "issuer", NEXT.signer.public_key, NEXT.issuer, CLOCK)
    data = forge(attestation(1, issuer=thief.issuer), OWN, handed)
    assert "issuer" in failing(check(ledger_world, data))


class PlainKeys:
    """The same meaning in plain sets; key 0 is the root."""

    def __init__(self) -> None:
        self.begun: set[int] = set()
        self.ended: set[int] = set()

    def lives(self, key: int) -> bool:
        return (key == 0 or key in self.begun) and key not in self.ended

    def begin(self, key: int) -> bool:
        is_new = key not in self.begun | self.ended
        self.begun.add(key)
        return is_new

    def apply(self, event: str, signer: int, target: int) -> bool:
        """Return whether the event may stand at all."""
        if not self.lives(signer):
            return self.begin(target) if (event, target) == ("rotate", 0) else True
        if event == "revoke":
            lived = self.lives(target)
            self.ended.add(target)
            return lived
        if event == "rotate":
            self.ended.add(signer)
        return self.begin(target)


EVENTS = st.tuples(
    st.sampled_from(["add", "rotate", "revoke"]), st.integers(0, 3), st.integers(0, 3)
)


@given(st.lists(EVENTS, max_size=12))
def test_key_state__equals_a_plain_reading(events: list[tuple[str, int, int]]) -> None:
    keys = [bytes([number]) * 32 for number in range(4)]
    state, plain = KeyState({keys[0]}), PlainKeys()
    for position, (event, signer, target) in enumerate(events):
        previous = keys[signer] if event == "rotate" else None
        said = KeyStatement(event, "issuer", "n", keys[target], previous, keys[signer])
        is_effective = plain.lives(signer)
        if not plain.apply(event, signer, target):
            with pytest.raises(VerificationError, match="CRN-V-040"):
                state.apply(position, said)
            return
        assert state.apply(position, said) == is_effective
        for number, key in enumerate(keys):
            is_begun = number in plain.begun
            assert state.is_in_force("issuer", key) == (is_begun and plain.lives(number))


def test_schema__key_events_rise(ledger_world: LedgerWorld) -> None:
    bundle = replace(ledger_world.bundle, key_events=ledger_world.bundle.key_events * 2)
    assert failing(check(ledger_world, bundle.to_bytes())) == ["schema"]


def test_anchor__a_reader_that_fails_is_not_checked(ledger_world: LedgerWorld) -> None:
    def fail(_: AnchorCoordinates) -> bytes | None:
        raise RecursionError

    found = verify_bundle(ledger_world.data, ledger_world.policy, today=DAY, read_anchor=fail)
    assert found.step("anchor").verdict == "not_checked"
    assert "RecursionError" in found.step("anchor").cause.en

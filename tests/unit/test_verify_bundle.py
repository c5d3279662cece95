"""Verification of a bundle: every step, its three verdicts, and every byte changed."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from carnet.core.canonical import canonical
from carnet.core.errors import ChainUnavailableError
from carnet.core.text import Text
from carnet.ledger.bundle import (
    AnchorCoordinates,
    bundle_of_json,
    parse_bundle,
)
from carnet.ledger.checkpoint import (
    cosign,
    parse_checkpoint,
    sign_checkpoint,
    with_signatures,
)
from carnet.ledger.disclosure import make_disclosure
from carnet.ledger.keys import Key
from carnet.ledger.merkle import root_from_inclusion
from carnet.ledger.note import COSIGNATURE_V1, VerifierKey
from carnet.ledger.policy import STEPS, Policy, TrustedAnchor, TrustedIssuer, parse_policy
from carnet.ledger.record import Issuer
from carnet.ledger.signer import Ed25519Signer
from carnet.ledger.verify import verify_bundle
from tests.fixtures_ledger import (
    DAY,
    ISSUER_KEY,
    LOG_SIGNER,
    NOW,
    STRANGER,
    WITNESS_NAME,
    WITNESS_SIGNER,
    LedgerWorld,
    attestation,
    check,
    failing,
    forge,
    key_event,
)

OPEN_STEPS = {"status", "supersession"}
"""Steps that nothing decides before there are status lists."""

Json = dict[str, Any]


def altered(ledger_world: LedgerWorld, change: Callable[[Json], None]) -> bytes:
    value = json.loads(ledger_world.data)
    change(value)
    return canonical(value)


def test_verify_bundle__valid(ledger_world: LedgerWorld) -> None:
    found = check(ledger_world, ledger_world.data)
    assert found.verdict == "valid", [(step.name, str(step.cause)) for step in found.steps]
    assert [step.name for step in found.steps] == list(STEPS)
    assert {step.name for step in found.steps if step.verdict != "valid"} == OPEN_STEPS
    assert all(step.cause.en and step.cause.zh for step in found.steps)


def test_bundle__to_bytes_then_back(ledger_world: LedgerWorld) -> None:
    assert bundle_of_json(parse_bundle(ledger_world.data).value) == ledger_world.bundle
    assert len(ledger_world.data) < 12_000


def test_verify_bundle__every_byte_changed_is_never_valid(ledger_world: LedgerWorld) -> None:
    data = ledger_world.data
    for position, byte in enumerate(data):
        for other in (byte ^ 0x01, byte ^ 0x20):
            changed = data[:position] + bytes([other]) + data[position + 1 :]
            found = check(ledger_world, changed)
            assert found.verdict == "not_valid", (
                position,
                byte,
                other,
                data[position - 40 : position + 9],
            )
            assert failing(found)


def test_verify_bundle__a_byte_lost_or_added_is_never_valid(ledger_world: LedgerWorld) -> None:
    data = ledger_world.data
    for position in range(0, len(data), 7):
        assert check(ledger_world, data[:position] + data[position + 1 :]).verdict == "not_valid"
        assert check(ledger_world, data[:position] + b" " + data[position:]).verdict == "not_valid"
    assert check(ledger_world, data + b"\n").verdict == "not_valid"


def _flip(text: str, position: int = 20) -> str:
    other = "a" if text[position] != "a" else "b"
    return text[:position] + other + text[position + 1 :]


def _proof_value(value: Json) -> None:
    value["record"]["proof"]["proofValue"] = _flip(value["record"]["proof"]["proofValue"])


def _measure(value: Json) -> None:
    value["record"]["credentialSubject"]["measures"]["days_to_expiry"] = 42


def _listing(value: Json) -> None:
    value["record"]["credentialSubject"]["listing"] = "LST-999"


def _issuer(value: Json) -> None:
    value["record"]["issuer"] = "did:web:elsewhere.example"


def _index(value: Json) -> None:
    value["index"] -= 1


def _inclusion(value: Json) -> None:
    value["inclusion"][0] = _flip(value["inclusion"][0])


def _root(value: Json) -> None:
    lines = value["checkpoint"].split("\n")
    lines[2] = _flip(lines[2], 5)
    value["checkpoint"] = "\n".join(lines)


def _log_signature(value: Json) -> None:
    lines = value["checkpoint"].split("\n")
    lines[4] = _flip(lines[4], 45)
    value["checkpoint"] = "\n".join(lines)


def _cosignature(value: Json) -> None:
    lines = value["checkpoint"].split("\n")
    lines[5] = _flip(lines[5], 60)
    value["checkpoint"] = "\n".join(lines)


def _newer(value: Json) -> None:
    value["consistency"]["proof"][0] = _flip(value["consistency"]["proof"][0])


def _disclosure(value: Json) -> None:
    value["disclosures"] = ["WyJzYWx0c2FsdHNhbHRzYWx0c2EiLCJtZWFzdXJlcyIse31d"]


def _event(value: Json) -> None:
    value["keyEvents"][0]["record"]["credentialSubject"]["role"] = "log"


def _no_event(value: Json) -> None:
    value["keyEvents"] = []


def _entry(value: Json) -> None:
    value["entry"]["validUntil"] += 1


def _chain(value: Json) -> None:
    value["anchor"]["chainId"] = 1


def _contract(value: Json) -> None:
    value["anchor"]["contract"] = "0x" + "6a" * 20


def _origin_hash(value: Json) -> None:
    value["anchor"]["originHash"] = "00" * 32


def _anchor_size(value: Json) -> None:
    value["anchor"]["size"] += 1


def _unknown(value: Json) -> None:
    value["record"]["credentialSubject"]["note"] = "x"


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        (_proof_value, {"signature", "inclusion"}),
        (_measure, {"signature", "inclusion"}),
        (_listing, {"signature", "disclosures", "inclusion"}),
        (_issuer, {"issuer", "key", "signature", "inclusion"}),
        (_index, {"inclusion"}),
        (_inclusion, {"inclusion"}),
        (_root, {"key", "inclusion", "checkpoint", "witnesses", "consistency", "anchor"}),
        (_log_signature, {"checkpoint"}),
        (_cosignature, {"witnesses"}),
        (_newer, {"consistency"}),
        (_disclosure, {"disclosures"}),
        (_event, {"key"}),
        (_entry, {"inclusion"}),
        (_chain, {"anchor"}),
        (_contract, {"anchor"}),
        (_origin_hash, {"anchor"}),
        (_anchor_size, {"anchor"}),
        (_unknown, {"schema"}),
    ],
)
def test_verify_bundle__tampering_fails_at_its_step(
    ledger_world: LedgerWorld, change: Callable[[Json], None], steps: set[str]
) -> None:
    found = check(ledger_world, altered(ledger_world, change))
    assert found.verdict == "not_valid"
    assert set(failing(found)) == steps


@pytest.mark.parametrize("change", [_chain, _contract, _origin_hash, _anchor_size])
def test_verify_bundle__wrong_coordinates_are_refused_without_the_chain(
    ledger_world: LedgerWorld, change: Callable[[Json], None]
) -> None:
    data = altered(ledger_world, change)
    for read in (None, lambda _: ledger_world.root):
        found = verify_bundle(data, ledger_world.policy, today=DAY, read_anchor=read)
        assert failing(found) == ["anchor"]


@pytest.mark.slow
def test_verify_bundle__many_values_of_every_byte_is_never_valid(ledger_world: LedgerWorld) -> None:
    data = ledger_world.data
    for position in range(len(data)):
        for other in range(position % 16, 256, 16):
            if other != data[position]:
                changed = data[:position] + bytes([other]) + data[position + 1 :]
                assert check(ledger_world, changed).verdict == "not_valid", (position, other)


def test_verify_bundle__another_spelling_fails_at_canonical_alone(
    ledger_world: LedgerWorld,
) -> None:
    spaced = json.dumps(json.loads(ledger_world.data), sort_keys=True, ensure_ascii=False).encode()
    assert failing(check(ledger_world, spaced)) == ["canonical"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"v":1,"v":1}',
        b'{"v":1e999}',
        b'{"v":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 5_000,
    ],
)
def test_verify_bundle__no_bundle_at_all(ledger_world: LedgerWorld, data: bytes) -> None:
    found = check(ledger_world, data)
    assert not found.is_bundle
    assert failing(found) == ["parse"]
    assert all(step.verdict == "not_checked" for step in found.steps[1:])


def test_verify_bundle__offline_is_not_checked(ledger_world: LedgerWorld) -> None:
    found = verify_bundle(ledger_world.data, ledger_world.policy, today=DAY)
    assert found.verdict == "not_checked"
    assert found.step("anchor").verdict == "not_checked"
    relaxed = replace(ledger_world.policy, required=ledger_world.policy.required - {"anchor"})
    assert verify_bundle(ledger_world.data, relaxed, today=DAY).verdict == "valid"


def test_verify_bundle__dead_node_is_not_checked(ledger_world: LedgerWorld) -> None:
    def dead(_: AnchorCoordinates) -> bytes | None:
        raise ChainUnavailableError("CRN-H-002", Text("No answer.", "无应答。"))

    found = verify_bundle(ledger_world.data, ledger_world.policy, today=DAY, read_anchor=dead)
    assert found.verdict == "not_checked"
    assert found.step("anchor").cause.en == "No answer"


@pytest.mark.parametrize("held", [None, bytes(32), b"\x01" * 32])
def test_verify_bundle__another_root_on_the_chain(
    ledger_world: LedgerWorld, held: bytes | None
) -> None:
    found = verify_bundle(
        ledger_world.data, ledger_world.policy, today=DAY, read_anchor=lambda _: held
    )
    assert failing(found) == ["anchor"]


def test_verify_bundle__anchor_left_out_is_not_checked(ledger_world: LedgerWorld) -> None:
    data = replace(ledger_world.bundle, anchor=None).to_bytes()
    assert check(ledger_world, data).verdict == "not_checked"


def test_verify_bundle__no_key_event_is_not_checked(ledger_world: LedgerWorld) -> None:
    assert check(ledger_world, altered(ledger_world, _no_event)).verdict == "not_checked"


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"issuers": ()}, "issuer"),
        ({"logs": ()}, "checkpoint"),
        ({"anchors": ()}, "anchor"),
        ({"anchors": (TrustedAnchor(1, "0x" + "5a" * 20),)}, "anchor"),
        ({"as_of": date(2026, 11, 22)}, "validity"),
        ({"as_of": date(2027, 2, 22)}, "validity"),
    ],
)
def test_verify_bundle__policy_trusts_something_else(
    ledger_world: LedgerWorld, changes: dict[str, Any], step: str
) -> None:
    assert step in failing(check(ledger_world, ledger_world.data, **changes))


def test_verify_bundle__first_and_last_day_are_valid(ledger_world: LedgerWorld) -> None:
    for day in (date(2026, 11, 23), date(2027, 2, 21)):
        assert check(ledger_world, ledger_world.data, as_of=day).verdict == "valid"


def test_verify_bundle__issuer_of_another_kind(ledger_world: LedgerWorld) -> None:
    issuer = replace(ledger_world.policy.issuers[0], kinds=frozenset({"key-event"}))
    assert failing(check(ledger_world, ledger_world.data, issuers=(issuer,))) == ["issuer"]


def test_verify_bundle__log_key_of_a_stranger(ledger_world: LedgerWorld) -> None:
    key = VerifierKey("carnet.example/log", 1, STRANGER.public_key)
    assert "checkpoint" in failing(check(ledger_world, ledger_world.data, logs=(key,)))


def test_verify_bundle__quorum_not_reached(ledger_world: LedgerWorld) -> None:
    other = VerifierKey("witness.example/w2", COSIGNATURE_V1, STRANGER.public_key)
    found = check(
        ledger_world, ledger_world.data, witnesses=(*ledger_world.policy.witnesses, other), quorum=2
    )
    assert failing(found) == ["witnesses"]


def test_verify_bundle__unknown_witness_counts_for_nothing(ledger_world: LedgerWorld) -> None:
    found = check(ledger_world, ledger_world.data, witnesses=(), quorum=0)
    assert found.step("witnesses").verdict == "not_checked"
    assert found.verdict == "not_checked"


def test_verify_bundle__signature_of_nobody_known(ledger_world: LedgerWorld) -> None:
    tree = parse_checkpoint(ledger_world.bundle.checkpoint)
    extra = cosign(tree.checkpoint, "witness.example/x", STRANGER, NOW)
    data = replace(ledger_world.bundle, checkpoint=with_signatures(tree, (extra,)).text).to_bytes()
    assert failing(check(ledger_world, data)) == ["witnesses"]


def test_verify_bundle__a_stranger_signs_the_same_statement(ledger_world: LedgerWorld) -> None:
    forged = attestation(7, issuer=replace(ISSUER_KEY, signer=STRANGER).issuer)
    logged = replace(ledger_world.bundle.logged, record=forged, entry=forged.entry)
    found = check(ledger_world, replace(ledger_world.bundle, logged=logged).to_bytes())
    assert set(failing(found)) == {"issuer", "key", "inclusion"}


def test_verify_bundle__a_fork_is_caught_by_witness_and_anchor(ledger_world: LedgerWorld) -> None:
    """The log itself signs another root of the same size: only others can notice."""
    tree = parse_checkpoint(ledger_world.bundle.checkpoint).checkpoint
    forged = attestation(7)
    place = ledger_world.bundle.logged
    root = root_from_inclusion(forged.entry.leaf_hash, place.index, tree.size, place.inclusion)
    note = sign_checkpoint(replace(tree, root=root), LOG_SIGNER)
    fork = replace(
        ledger_world.bundle,
        logged=replace(place, record=forged, entry=forged.entry),
        checkpoint=note.text,
        cosigners=(),
        consistency=None,
    )
    found = check(ledger_world, fork.to_bytes())
    assert {"witnesses", "anchor"} <= set(failing(found))
    assert found.step("inclusion").verdict == "valid"
    assert found.step("checkpoint").verdict == "valid"


def test_verify_bundle__a_cosignature_of_another_name(ledger_world: LedgerWorld) -> None:
    tree = parse_checkpoint(ledger_world.bundle.checkpoint)
    alone = sign_checkpoint(tree.checkpoint, LOG_SIGNER)
    other = cosign(tree.checkpoint, WITNESS_NAME + "x", WITNESS_SIGNER, NOW)
    data = replace(
        ledger_world.bundle, checkpoint=with_signatures(alone, (other,)).text, consistency=None
    )
    assert failing(check(ledger_world, data.to_bytes())) == ["witnesses"]


OWN = key_event(ISSUER_KEY, ISSUER_KEY.issuer)
OF_THE_LOG = key_event(Key("log", LOG_SIGNER), ISSUER_KEY.issuer)
OF_A_STRANGER = key_event(Key("issuer", STRANGER), Key("issuer", STRANGER).issuer)


@pytest.mark.parametrize(
    ("data", "is_valid"),
    [
        (forge(attestation(1), OWN), True),
        (forge(attestation(1), OWN, OF_THE_LOG), True),
        (forge(attestation(1), OF_THE_LOG), False),
        (forge(attestation(1), attestation(2)), False),
        (forge(attestation(1), OF_A_STRANGER), False),
        (forge(OWN, attestation(1), subject=0, events=[1]), False),
        (forge(OWN, OF_THE_LOG, subject=1, events=[1]), False),
    ],
)
def test_key__must_be_added_before_by_its_issuer(
    ledger_world: LedgerWorld, data: bytes, is_valid: bool
) -> None:
    found = check(ledger_world, data)
    assert found.step("key").verdict == ("valid" if is_valid else "not_valid")
    assert found.step("inclusion").verdict == "valid"


def test_key__of_a_did_web_must_be_pinned(ledger_world: LedgerWorld) -> None:
    """Whoever can write to a log could state a key of their own for somebody's name."""
    name = "did:web:seller.example"
    own, theirs = Ed25519Signer(b"\x0a" * 32), STRANGER
    event = key_event(Key("issuer", theirs), Issuer(name, theirs))
    data = forge(attestation(1, issuer=Issuer(name, theirs)), event)
    kinds = ledger_world.policy.issuers[0].kinds
    for keys, verdict in (((own.public_key,), "not_valid"), ((theirs.public_key,), "valid")):
        found = check(ledger_world, data, issuers=(TrustedIssuer(name, kinds, keys),))
        assert found.step("issuer").verdict == "valid"
        assert found.step("key").verdict == verdict


def test_disclosures__of_a_key_event_are_refused(ledger_world: LedgerWorld) -> None:
    issuer = replace(ledger_world.policy.issuers[0], kinds=frozenset({"key-event"}))
    trusting: dict[str, Any] = {"issuers": (issuer,), "witnesses": (), "quorum": 0}
    assert failing(check(ledger_world, forge(OF_THE_LOG, OWN), **trusting)) == []
    revealed = forge(OF_THE_LOG, OWN, disclosures=(make_disclosure("a", 1).text,))
    assert failing(check(ledger_world, revealed, **trusting)) == ["disclosures"]


def test_status__a_list_that_the_bundle_does_not_hold(ledger_world: LedgerWorld) -> None:
    def name_list(value: Json) -> None:
        value["entry"]["statusRef"] = "https://status.example/1#7"

    assert failing(check(ledger_world, altered(ledger_world, name_list))) == ["inclusion"]


def test_witnesses__a_named_cosigner_that_did_not_sign(ledger_world: LedgerWorld) -> None:
    other = VerifierKey("witness.example/w2", COSIGNATURE_V1, STRANGER.public_key)
    cosigners = tuple(sorted([*ledger_world.bundle.cosigners, other.to_text()]))
    data = replace(ledger_world.bundle, cosigners=cosigners).to_bytes()
    assert failing(check(ledger_world, data)) == ["witnesses"]


def test_policy__to_toml_then_back(ledger_world: LedgerWorld) -> None:
    policy: Policy = replace(ledger_world.policy, as_of=DAY)
    assert parse_policy(policy.to_toml().encode()) == policy

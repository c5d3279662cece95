"""The compliance gate: only what is in the trusted log, in force, recent and not revoked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from eth_utils.crypto import keccak

from tests.contract_merkle import inclusion_proof, leaf_hash, tree_hash
from tests.fixtures_contracts import (
    ISSUER,
    ORIGIN_HASH,
    Chain,
    Contract,
    RevertedError,
    World,
    make_world,
    refused,
    signer,
    struct,
)

LISTING = keccak(text="listing")
FIELDS = ("recordHash", "listingHash", "validFrom", "validUntil", "supersedes", "statusRef")


@dataclass(slots=True)
class Log:
    """An anchored log and a gate that trusts it."""

    world: World
    registry: Contract
    gate: Contract
    size: int = 0

    @property
    def chain(self) -> Chain:
        return self.world.chain

    def attestation(self, **changes: Any) -> dict[str, Any]:
        values: dict[str, Any] = {
            "recordHash": keccak(text="record"),
            "listingHash": LISTING,
            "validFrom": self.chain.today,
            "validUntil": self.chain.today + 90,
            "supersedes": bytes(32),
            "statusRef": "",
        }
        return values | changes

    def anchor(self, entries: list[bytes]) -> list[bytes]:
        """Anchor a tree of these entries, padded so that the log grows, and return its leaves."""
        leaves = [leaf_hash(entry) for entry in entries]
        while len(leaves) <= self.size:
            leaves.append(leaf_hash(b"padding %d" % len(leaves)))
        self.size = len(leaves)
        self.registry.send(signer("log"), "anchor", ORIGIN_HASH, self.size, tree_hash(leaves))
        return leaves

    def arguments(self, values: Mapping[str, Any], **entry: Any) -> tuple[Any, ...]:
        """Anchor the entry of an attestation and return the arguments that prove it."""
        leaves = self.anchor([b"first", entry_bytes(values, **entry), b"third"])
        fields = tuple(values[name] for name in FIELDS)
        return ORIGIN_HASH, self.size, fields, 1, inclusion_proof(leaves, 1)

    def prove(self, **changes: Any) -> dict[str, Any]:
        receipt = self.gate.send(
            signer("stranger"), "prove", *self.arguments(self.attestation(**changes))
        )
        return receipt.event("Proved")

    def is_eligible(self, max_age: int = 30) -> bool:
        answer: bool = self.gate.read("isEligible", LISTING, max_age)
        return answer

    def revoke(self, listing: bytes = LISTING, who: str = "compliance", **changes: Any) -> Any:
        values = self.world.finding(listing, **changes)
        signature = self.world.sign(who, "Finding", values, self.gate)
        return self.gate.send(
            signer("stranger"), "revoke", LISTING, struct("Finding", values), signature
        )


def entry_bytes(values: Mapping[str, Any], **changes: Any) -> bytes:
    """Return the canonical entry as the ledger writes it: sorted keys, no spaces."""
    supersedes = values["supersedes"]
    entry = {
        "v": 1,
        "kind": "attestation:listing:conforming",
        "recordHash": values["recordHash"].hex(),
        "issuer": ISSUER,
        "statusRef": values["statusRef"] or None,
        "supersedes": supersedes.hex() if any(supersedes) else None,
        "subject": values["listingHash"].hex(),
        "validFrom": values["validFrom"],
        "validUntil": values["validUntil"],
    } | changes
    return orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)


@pytest.fixture
def log() -> Log:
    world = make_world()
    admin = signer("admin").address
    registry = world.chain.deploy("AnchorRegistry", sender=admin)
    registry.send(signer("log"), "claim", ORIGIN_HASH)
    gate = deploy_gate(world, registry)
    gate.send(admin, "grantRole", gate.read("COMPLIANCE_ROLE"), signer("compliance").address)
    return Log(world, registry, gate)


def deploy_gate(world: World, registry: Contract, **changes: Any) -> Contract:
    values = {"owner": signer("log").address, "issuer": ISSUER} | changes
    return world.chain.deploy(
        "ComplianceGate",
        registry.address,
        ORIGIN_HASH,
        values["owner"],
        values["issuer"],
        signer("admin").address,
        0,
        sender=signer("admin").address,
    )


# --- deployment ----------------------------------------------------------------------------------


def test_deploy__squatted_origin_is_refused(log: Log) -> None:
    with pytest.raises(RevertedError, match="OriginOwnerUnexpected"):
        deploy_gate(log.world, log.registry, owner=signer("someone else").address)


def test_deploy__unclaimed_origin_is_refused() -> None:
    world = make_world()
    registry = world.chain.deploy("AnchorRegistry", sender=signer("admin").address)
    with pytest.raises(RevertedError, match="OriginOwnerUnexpected"):
        deploy_gate(world, registry, owner="0x" + "00" * 20)


@pytest.mark.parametrize("issuer", ["", 'did:web:a"b', "did:web:a\\b", "did:web:é", "x" * 257])
def test_deploy__issuer_that_json_would_escape(log: Log, issuer: str) -> None:
    with pytest.raises(RevertedError, match="TextMalformed"):
        deploy_gate(log.world, log.registry, issuer=issuer)


# --- prove ---------------------------------------------------------------------------------------


def test_prove__another_origin(log: Log) -> None:
    arguments = (bytes(32), *log.arguments(log.attestation())[1:])
    refused("OriginNotTrusted", log.gate, "stranger", "prove", *arguments)


@pytest.mark.parametrize("changes", [{"validFrom": 1}, {"validUntil": -1}])
def test_prove__validity_reversed_or_in_the_future(log: Log, changes: dict[str, int]) -> None:
    shifted = {name: log.chain.today + days for name, days in changes.items()}
    arguments = log.arguments(log.attestation(**shifted))
    refused("ValidityInvalid", log.gate, "stranger", "prove", *arguments)


@pytest.mark.parametrize("reference", ['a"b', "a\\b", "a\nb", "é", "x" * 257])
def test_prove__status_reference_that_json_would_escape(log: Log, reference: str) -> None:
    arguments = log.arguments(log.attestation(statusRef=reference))
    refused("TextMalformed", log.gate, "stranger", "prove", *arguments)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "attestation:listing:nonconforming"},
        {"kind": "attestation:listing:undetermined"},
        {"issuer": "did:web:thief.example"},
        {"v": 2},
        {"extra": None},
    ],
)
def test_prove__entry_of_another_kind_issuer_or_shape(log: Log, changes: dict[str, Any]) -> None:
    arguments = log.arguments(log.attestation(), **changes)
    refused("NotIncluded", log.gate, "stranger", "prove", *arguments)


@pytest.mark.parametrize("field", FIELDS)
def test_prove__each_field_is_bound(log: Log, field: str) -> None:
    values = log.attestation()
    origin, size, fields, index, proof = log.arguments(values)
    changed: dict[str, Any] = {
        "recordHash": keccak(text="other"),
        "listingHash": keccak(text="other"),
        "validFrom": values["validFrom"] - 1,
        "validUntil": values["validUntil"] + 1,
        "supersedes": keccak(text="other"),
        "statusRef": "other",
    }
    position = FIELDS.index(field)
    forged = (*fields[:position], changed[field], *fields[position + 1 :])
    refused("NotIncluded", log.gate, "stranger", "prove", origin, size, forged, index, proof)


def test_prove__same_or_older_day(log: Log) -> None:
    log.prove()
    for days in (0, 1):
        older = log.attestation(validFrom=log.chain.today - days)
        refused("AttestationNotNewer", log.gate, "stranger", "prove", *log.arguments(older))


def test_prove__same_day_with_a_later_end(log: Log) -> None:
    today = log.chain.today
    log.prove(validUntil=today + 5)
    log.prove(validUntil=today + 6)
    assert log.gate.read("attestationOf", LISTING) == (today, today + 6, 0)
    for days in (6, 5):
        shorter = log.arguments(log.attestation(validUntil=today + days))
        refused("AttestationNotNewer", log.gate, "stranger", "prove", *shorter)


def test_prove__same_day_with_a_later_end_but_revoked(log: Log) -> None:
    today = log.chain.today
    log.prove(validUntil=today + 5)
    log.revoke()
    longer = log.arguments(log.attestation(validUntil=today + 6))
    refused("AttestationNotNewer", log.gate, "stranger", "prove", *longer)


@pytest.mark.parametrize(
    "changes",
    [{}, {"statusRef": "https://carnet.example/status/1#7"}, {"supersedes": keccak(text="old")}],
)
def test_prove__makes_a_listing_eligible(log: Log, changes: dict[str, Any]) -> None:
    assert not log.is_eligible()
    event = log.prove(**changes)
    assert event["listingHash"] == LISTING
    assert log.is_eligible()
    today = log.chain.today
    assert log.gate.read("attestationOf", LISTING) == (today, today + 90, 0)


def test_entry_bytes__are_those_of_the_ledger(log: Log) -> None:
    values = log.attestation(statusRef="s/1", supersedes=keccak(text="old"))
    fields = tuple(values[name] for name in FIELDS)
    assert log.gate.read("entryBytes", fields) == entry_bytes(values)


# --- eligibility ---------------------------------------------------------------------------------


def test_is_eligible__age_at_its_limit(log: Log) -> None:
    log.prove()
    proved = log.chain.today
    log.chain.set_day(proved + 30, second=86_399)
    assert log.is_eligible(30)
    log.chain.set_day(proved + 31, second=0)
    assert not log.is_eligible(30)


def test_is_eligible__last_day_of_validity(log: Log) -> None:
    log.prove(validUntil=log.chain.today + 5)
    proved = log.chain.today
    log.chain.set_day(proved + 5)
    assert log.is_eligible()
    log.chain.set_day(proved + 6)
    assert not log.is_eligible()


def test_is_eligible__listing_nobody_knows(log: Log) -> None:
    assert not log.gate.read("isEligible", keccak(text="unknown"), 2**32 - 1)


# --- revoke --------------------------------------------------------------------------------------


def test_revoke__subject_and_code(log: Log) -> None:
    with pytest.raises(RevertedError, match="FindingCodeInvalid"):
        log.revoke(keccak(text="another"))
    with pytest.raises(RevertedError, match="FindingCodeInvalid"):
        log.revoke(code=0)


def test_revoke__only_compliance(log: Log) -> None:
    with pytest.raises(RevertedError, match="NotCompliance"):
        log.revoke(who="platform")


def test_revoke__finding_of_the_book_is_not_one_of_the_gate(log: Log) -> None:
    values = log.world.finding(LISTING)
    signature = log.world.sign("compliance", "Finding", values)
    refused(
        "NotCompliance",
        log.gate,
        "stranger",
        "revoke",
        LISTING,
        struct("Finding", values),
        signature,
    )


def test_revoke__stops_eligibility_until_a_newer_attestation(log: Log) -> None:
    log.prove()
    event = log.revoke().event("Revoked")
    assert event["throughDay"] == log.chain.today
    assert not log.is_eligible()
    log.chain.set_day(log.chain.today + 1)
    assert not log.is_eligible()
    log.prove()
    assert log.is_eligible()


def test_revoke__older_finding_after_a_newer_one(log: Log) -> None:
    now = log.chain.now
    log.revoke(issuedAt=now)
    with pytest.raises(RevertedError, match="FindingNotCurrent"):
        log.revoke(issuedAt=now - 1)

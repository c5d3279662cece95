"""The anchor registry: who may anchor, what can never change, and RFC 9162 inclusion."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract_merkle import inclusion_proof, leaf_hash, tree_hash
from tests.fixtures_contracts import ORIGIN_HASH, Chain, Contract, refused, signer

SIZES = range(1, 34)


@pytest.fixture
def registry() -> Contract:
    return Chain().deploy("AnchorRegistry", sender=signer("admin").address)


def some_leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"entry %d" % i) for i in range(count)]


# --- anchoring -----------------------------------------------------------------------------------


def test_anchor__only_the_owner(registry: Contract) -> None:
    registry.send(signer("log"), "anchor", ORIGIN_HASH, 1, b"\x01" * 32)
    refused("NotOriginOwner", registry, "thief", "anchor", ORIGIN_HASH, 2, b"\x02" * 32)


@pytest.mark.parametrize("size", [0, 4, 5])
def test_anchor__size_must_grow(registry: Contract, size: int) -> None:
    registry.send(signer("log"), "anchor", ORIGIN_HASH, 5, b"\x01" * 32)
    refused("SizeNotIncreasing", registry, "log", "anchor", ORIGIN_HASH, size, b"\x02" * 32)
    assert registry.read("head", ORIGIN_HASH) == (5, b"\x01" * 32)


def test_anchor__first_size_is_not_zero(registry: Contract) -> None:
    refused("SizeNotIncreasing", registry, "log", "anchor", ORIGIN_HASH, 0, b"\x02" * 32)


def test_anchor__root_is_not_zero(registry: Contract) -> None:
    refused("RootIsZero", registry, "log", "anchor", ORIGIN_HASH, 1, b"\x00" * 32)


def test_anchor__size_beyond_its_field(registry: Contract) -> None:
    refused(
        "SafeCastOverflowedUintDowncast",
        registry,
        "log",
        "anchor",
        ORIGIN_HASH,
        2**48,
        b"\x01" * 32,
    )


def test_anchor__writes_event_and_state(registry: Contract) -> None:
    receipt = registry.send(signer("log"), "anchor", ORIGIN_HASH, 3, b"\x03" * 32)
    now = registry.chain.now
    assert receipt.event("Anchored") == {
        "originHash": ORIGIN_HASH,
        "size": 3,
        "root": b"\x03" * 32,
        "anchoredAt": now,
    }
    assert receipt.event("OriginOwned")["owner"] == signer("log").address.lower()
    assert registry.read("rootAt", ORIGIN_HASH, 3) == b"\x03" * 32
    assert registry.read("rootAt", ORIGIN_HASH, 2) == bytes(32)
    assert registry.read("head", ORIGIN_HASH) == (3, b"\x03" * 32)
    assert registry.read("anchoredAt", ORIGIN_HASH) == now


def test_anchor__earlier_roots_stay(registry: Contract) -> None:
    registry.send(signer("log"), "anchor", ORIGIN_HASH, 1, b"\x01" * 32)
    registry.send(signer("log"), "anchor", ORIGIN_HASH, 9, b"\x09" * 32)
    assert registry.read("rootAt", ORIGIN_HASH, 1) == b"\x01" * 32


def test_attack__anchor_rollback(registry: Contract) -> None:
    registry.send(signer("log"), "anchor", ORIGIN_HASH, 8, b"\x08" * 32)
    for size in (8, 7, 1):
        refused("SizeNotIncreasing", registry, "log", "anchor", ORIGIN_HASH, size, b"\x66" * 32)
    assert registry.read("rootAt", ORIGIN_HASH, 8) == b"\x08" * 32


def test_head__nothing_anchored(registry: Contract) -> None:
    assert registry.read("head", ORIGIN_HASH) == (0, bytes(32))
    assert registry.read("anchoredAt", ORIGIN_HASH) == 0


# --- ownership -----------------------------------------------------------------------------------


def test_claim__taken(registry: Contract) -> None:
    registry.send(signer("log"), "claim", ORIGIN_HASH)
    refused("OriginTaken", registry, "thief", "claim", ORIGIN_HASH)
    refused("NotOriginOwner", registry, "thief", "anchor", ORIGIN_HASH, 1, b"\x01" * 32)


def test_offer__only_the_owner(registry: Contract) -> None:
    registry.send(signer("log"), "claim", ORIGIN_HASH)
    thief = signer("thief").address
    refused("NotOriginOwner", registry, "thief", "offerOrigin", ORIGIN_HASH, thief)


def test_accept__only_the_one_it_was_offered_to(registry: Contract) -> None:
    registry.send(signer("log"), "claim", ORIGIN_HASH)
    refused("NotPendingOwner", registry, "heir", "acceptOrigin", ORIGIN_HASH)
    registry.send(signer("log"), "offerOrigin", ORIGIN_HASH, signer("heir").address)
    refused("NotPendingOwner", registry, "thief", "acceptOrigin", ORIGIN_HASH)


def test_hand_over__takes_two_steps(registry: Contract) -> None:
    registry.send(signer("log"), "anchor", ORIGIN_HASH, 1, b"\x01" * 32)
    registry.send(signer("log"), "offerOrigin", ORIGIN_HASH, signer("heir").address)
    assert registry.read("ownerOf", ORIGIN_HASH) == signer("log").address.lower()
    registry.send(signer("heir"), "acceptOrigin", ORIGIN_HASH)
    assert registry.read("ownerOf", ORIGIN_HASH) == signer("heir").address.lower()
    assert registry.read("pendingOwnerOf", ORIGIN_HASH) == "0x" + "00" * 20
    refused("NotOriginOwner", registry, "log", "anchor", ORIGIN_HASH, 2, b"\x02" * 32)
    registry.send(signer("heir"), "anchor", ORIGIN_HASH, 2, b"\x02" * 32)
    refused("NotPendingOwner", registry, "heir", "acceptOrigin", ORIGIN_HASH)


def test_hand_over__can_be_withdrawn(registry: Contract) -> None:
    registry.send(signer("log"), "claim", ORIGIN_HASH)
    registry.send(signer("log"), "offerOrigin", ORIGIN_HASH, signer("heir").address)
    registry.send(signer("log"), "offerOrigin", ORIGIN_HASH, "0x" + "00" * 20)
    refused("NotPendingOwner", registry, "heir", "acceptOrigin", ORIGIN_HASH)


def test_attack__origin_squatting_is_seen_and_stays_apart(registry: Contract) -> None:
    registry.send(signer("squatter"), "claim", ORIGIN_HASH)
    assert registry.read("ownerOf", ORIGIN_HASH) == signer("squatter").address.lower()
    other = hashlib.sha256(b"another origin").digest()
    registry.send(signer("log"), "anchor", other, 1, b"\x01" * 32)
    assert registry.read("rootAt", ORIGIN_HASH, 1) == bytes(32)


# --- inclusion -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_verify_inclusion__every_leaf(registry: Contract, size: int) -> None:
    leaves = some_leaves(size)
    registry.send(signer("log"), "anchor", ORIGIN_HASH, size, tree_hash(leaves))
    for index, leaf in enumerate(leaves):
        proof = inclusion_proof(leaves, index)

        def verify(at: int, hashed: bytes, path: list[bytes]) -> bool:
            answer: bool = registry.read("verifyInclusion", ORIGIN_HASH, size, hashed, at, path)
            return answer

        assert verify(index, leaf, proof)
        assert not verify(index, leaf_hash(b"other"), proof)
        assert not verify((index + 1) % size, leaf, proof) or size == 1
        assert not verify(index + size, leaf, proof)
        assert not verify(index, leaf, [*proof, b"\x00" * 32])
        if proof:
            assert not verify(index, leaf, proof[:-1])
            assert not verify(index, leaf, [*proof[:-1], b"\x00" * 32])
            assert not verify(index, leaf, proof[1:])


def test_verify_inclusion__size_that_was_not_anchored(registry: Contract) -> None:
    leaves = some_leaves(4)
    registry.send(signer("log"), "anchor", ORIGIN_HASH, 4, tree_hash(leaves))
    assert not registry.read("verifyInclusion", ORIGIN_HASH, 1, leaves[0], 0, [])
    assert not registry.read("verifyInclusion", bytes(32), 4, leaves[0], 0, [])


def test_verify_inclusion__zero_root_is_never_a_match(registry: Contract) -> None:
    assert not registry.read("verifyInclusion", ORIGIN_HASH, 1, bytes(32), 0, [])


def test_verify_inclusion__proof_of_65_hashes(registry: Contract) -> None:
    leaves = some_leaves(2)
    registry.send(signer("log"), "anchor", ORIGIN_HASH, 2, tree_hash(leaves))
    long = [bytes(32)] * 65
    assert not registry.read("verifyInclusion", ORIGIN_HASH, 2, leaves[0], 0, long)


def test_verify_inclusion__inner_node_is_not_a_leaf(registry: Contract) -> None:
    leaves = some_leaves(4)
    registry.send(signer("log"), "anchor", ORIGIN_HASH, 4, tree_hash(leaves))
    left, right = tree_hash(leaves[:2]), tree_hash(leaves[2:])
    assert not registry.read("verifyInclusion", ORIGIN_HASH, 4, left, 0, [right])


def test_is_included__proof_longer_than_the_tree_is_high() -> None:
    leaf, sibling = some_leaves(2)
    libraries = Chain().deploy("Libraries", sender=signer("admin").address)
    for root in (tree_hash([sibling, leaf]), tree_hash([leaf, sibling])):
        assert not libraries.read("isIncluded", root, 1, leaf, 0, [sibling])


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_is_included__agrees_on_any_proof(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, size + 2))
    leaves = some_leaves(size)
    proof = inclusion_proof(leaves, index % size)
    if data.draw(st.booleans()) and proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        proof[at] = data.draw(st.binary(min_size=32, max_size=32))
    leaf = leaves[index % size]
    root = tree_hash(leaves)
    expected = index < size and proof == inclusion_proof(leaves, index)
    chain = Chain()
    libraries = chain.deploy("Libraries", sender=signer("admin").address)
    assert libraries.read("isIncluded", root, size, leaf, index, proof) == expected

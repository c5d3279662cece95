"""A log that shows two histories, caught in each of the three ways that there are.

The attacks: a *fork* is another tree of a size that was shown; a *rollback* goes back behind what
was shown and grows anew; a *split view* shows one history to one lender and another to the next.
Whoever holds the log's key can sign all of them. They are caught by a witness that remembers, by a
lender who remembers (or is told what another has seen), and by the anchor that everybody reads.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from carnet.core.clock import FixedClock
from carnet.core.envelope import Secret
from carnet.core.errors import VerificationError
from carnet.ledger.bundle import AnchorCoordinates, Consistency
from carnet.ledger.checkpoint import SignedCheckpoint, origin_hash, parse_checkpoint
from carnet.ledger.keys import key_event_record
from carnet.ledger.merkle import append_leaves, consistency_proof
from carnet.ledger.note import NoteSignature
from carnet.ledger.policy import Policy
from carnet.ledger.record import Record
from carnet.ledger.seen import ConsistencyProof
from carnet.ledger.verify import Verification, verify_bundle
from carnet.services.witnessing import new_witness, sign_as_witness
from tests.fixtures_histories import KEY, Tree
from tests.fixtures_ledger import (
    CHAIN_ID,
    CONTRACT,
    DAY,
    ISSUER_KEY,
    NOW,
    ORIGIN,
    LedgerWorld,
    attestation,
    failing,
    forge,
)

CLOCK = FixedClock(datetime(2026, 11, 23, 8, tzinfo=UTC))
SECRET = Secret("key_file", b"\x07" * 32)
SIZE_SHOWN = 5
SIZE_LATER = 7


class History:
    """A log of real records, of which those from a place on may be another history's."""

    def __init__(self, fork_at: int = SIZE_LATER) -> None:
        event = key_event_record(ISSUER_KEY, "issuer", ISSUER_KEY.issuer, FixedClock(NOW))
        numbers = range(1, SIZE_LATER)
        self.records = [event, *(RECORDS[n if n < fork_at else n + 10] for n in numbers)]
        leaves = [record.entry.leaf_hash for record in self.records]
        self._nodes = dict(append_leaves(0, leaves, {}.__getitem__))

    def bundle(self, size: int, **changes: Any) -> bytes:
        """Return the bundle of the last record of a size, under the tree of that size."""
        *others, target = self.records[:size]
        return forge(target, *others, events=(0,), **changes)

    def checkpoint(self, size: int) -> SignedCheckpoint:
        return parse_checkpoint(json.loads(self.bundle(size))["checkpoint"])

    def proof(self, first: int, second: int) -> ConsistencyProof:
        hashes = consistency_proof(first, second, self._nodes.__getitem__)
        return ConsistencyProof(first, second, tuple(hashes))

    def anchored(self, size: int, at: int) -> bytes:
        coordinates = AnchorCoordinates(CHAIN_ID, CONTRACT, origin_hash(ORIGIN), at)
        return self.bundle(size, anchor=coordinates)


RECORDS: dict[int, Record] = {number: attestation(number) for number in range(1, 20)}
HONEST = History()
FORKED = History(fork_at=3)


@pytest.fixture
def policy(ledger_world: LedgerWorld) -> Policy:
    """What the lender requires: consistency with what was seen, and the anchor."""
    required = frozenset({"parse", "signature", "inclusion", "checkpoint", "consistency"})
    return replace(ledger_world.policy, required=required, witnesses=(), quorum=0)


def verify(
    data: bytes, policy: Policy, seen: SignedCheckpoint | None, *proofs: ConsistencyProof
) -> Verification:
    return verify_bundle(data, policy, today=DAY, read_seen=lambda _: seen, proofs=proofs)


# --- by the lender's memory -----------------------------------------------------------------


def test_consistency__shows_a_fork(policy: Policy) -> None:
    seen = HONEST.checkpoint(SIZE_SHOWN)
    assert verify(HONEST.bundle(SIZE_SHOWN), policy, seen).verdict == "valid"
    found = verify(FORKED.bundle(SIZE_SHOWN), policy, seen)
    assert failing(found) == ["consistency"]
    assert "Fork" in found.step("consistency").cause.en


def test_consistency__shows_a_rollback(policy: Policy) -> None:
    seen = HONEST.checkpoint(SIZE_LATER)
    proof = HONEST.proof(SIZE_SHOWN, SIZE_LATER)
    assert verify(HONEST.bundle(SIZE_SHOWN), policy, seen, proof).verdict == "valid"
    rolled_back = FORKED.bundle(SIZE_SHOWN)
    assert verify(rolled_back, policy, seen).verdict == "not_checked"
    for offered in (proof, FORKED.proof(SIZE_SHOWN, SIZE_LATER)):
        assert failing(verify(rolled_back, policy, seen, offered)) == ["consistency"]


def test_consistency__shows_a_split_view(policy: Policy) -> None:
    """The second lender is told what the first has seen."""
    seen_by_another = HONEST.checkpoint(SIZE_SHOWN)
    shown = FORKED.bundle(SIZE_LATER)
    assert verify(shown, policy, None).verdict == "not_checked"
    assert verify(shown, policy, seen_by_another).verdict == "not_checked"
    for offered in (FORKED, HONEST):
        proof = offered.proof(SIZE_SHOWN, SIZE_LATER)
        assert failing(verify(shown, policy, seen_by_another, proof)) == ["consistency"]
    both = FORKED.bundle(
        SIZE_SHOWN,
        consistency=Consistency(
            FORKED.checkpoint(SIZE_LATER).text, FORKED.proof(SIZE_SHOWN, SIZE_LATER).hashes
        ),
    )
    assert failing(verify(both, policy, seen_by_another)) == ["consistency"]


# --- by the anchor --------------------------------------------------------------------------


def by_anchor(data: bytes, policy: Policy, *anchored: int) -> Verification:
    """Verify with a chain that holds the roots of some sizes of the honest history."""
    roots = {size: HONEST.checkpoint(size).checkpoint.root for size in anchored}
    required = policy.required - {"consistency"} | {"anchor"}
    return verify_bundle(
        data,
        replace(policy, required=required),
        today=DAY,
        read_anchor=lambda found: roots.get(found.size),
    )


def test_anchor__shows_a_fork(policy: Policy) -> None:
    assert by_anchor(HONEST.anchored(5, 5), policy, 5).verdict == "valid"
    found = by_anchor(FORKED.anchored(5, 5), policy, 5)
    assert failing(found) == ["anchor"]
    assert "another root" in found.step("anchor").cause.en


def test_anchor__shows_a_rollback(policy: Policy) -> None:
    """Grown anew to the anchored size it has another root; below it there is no anchor at all."""
    assert failing(by_anchor(FORKED.anchored(7, 7), policy, 7)) == ["anchor"]
    found = by_anchor(FORKED.anchored(5, 5), policy, 7)
    assert failing(found) == ["anchor"]
    assert "no root of size 5" in found.step("anchor").cause.en


def test_anchor__shows_a_split_view(policy: Policy) -> None:
    assert by_anchor(HONEST.anchored(7, 7), policy, 5, 7).verdict == "valid"
    assert failing(by_anchor(FORKED.anchored(7, 7), policy, 5, 7)) == ["anchor"]
    # The other history cannot borrow an anchor of the first, nor go without one.
    assert failing(by_anchor(FORKED.anchored(7, 5), policy, 5, 7)) == ["anchor"]
    assert by_anchor(FORKED.bundle(7), policy, 5, 7).verdict == "not_checked"


# --- by a witness ---------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path) -> Path:
    new_witness(tmp_path / "w1", "witness.example/w1", SECRET)
    return tmp_path / "w1"


def cosign(state: Path, tree: Tree, size: int, *proofs: ConsistencyProof) -> NoteSignature:
    signed = tree.signed(size)
    return sign_as_witness(signed.text, [KEY], proofs, state=state, secret=SECRET, clock=CLOCK)


def refused(state: Path, tree: Tree, size: int, *proofs: ConsistencyProof) -> None:
    with pytest.raises(VerificationError):
        cosign(state, tree, size, *proofs)


def test_witness__refuses_a_fork(state: Path) -> None:
    cosign(state, Tree(12), 12)
    refused(state, Tree(12, fork_at=3), 12)
    refused(state, Tree(12, fork_at=11), 12)
    cosign(state, Tree(12), 12)


def test_witness__refuses_a_rollback(state: Path) -> None:
    honest, grown_anew = Tree(20), Tree(20, fork_at=9)
    cosign(state, honest, 12)
    refused(state, honest, 9, honest.proof(9, 12))
    refused(state, grown_anew, 12)
    refused(state, grown_anew, 20, grown_anew.proof(12, 20))
    refused(state, grown_anew, 20, honest.proof(12, 20))
    cosign(state, honest, 20, honest.proof(12, 20))


def test_witness__cosigns_one_side_of_a_split_view(state: Path, ledger_world: LedgerWorld) -> None:
    one, other = Tree(20), Tree(20, fork_at=5)
    cosign(state, one, 10)
    for size in (6, 10, 14, 20):
        proofs = [side.proof(10, size) for side in (one, other) if size > 10]
        refused(state, other, size, *proofs)
    # So the other side comes without a cosignature, and a lender's quorum shows it.
    found = verify_bundle(FORKED.bundle(7), ledger_world.policy, today=DAY)
    assert "witnesses" in failing(found)

"""Comparing a bundle's trees with the newest checkpoint that a verifier has seen of the same log.

A signature shows what a log said, not that it says the same to everybody. Who remembers what they
saw notices a log that shows two histories: two roots of one size are a fork, and a tree that cannot
be proved to contain the one seen, or to be contained in it, stays unproven.

Source: docs/spec/record-and-log.md, clauses RL-8.5 to RL-8.7; RFC 9162, section 2.1.4.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from carnet.core.canonical import parse_strict
from carnet.core.digests import digest_from_hex
from carnet.core.errors import ConsistencyProofError
from carnet.core.text import Text
from carnet.ledger import shape
from carnet.ledger.checkpoint import Checkpoint, SignedCheckpoint
from carnet.ledger.merkle import PROOF_LENGTH_MAX, SIZE_MAX, verify_consistency

SeenReader = Callable[[str], SignedCheckpoint | None]
"""Returns the newest checkpoint that was seen of the log of an origin, None where none was."""

_PROOF = shape.obj(
    {
        "first": shape.integer(0, SIZE_MAX),
        "second": shape.integer(0, SIZE_MAX),
        "proof": shape.array(shape.digest, PROOF_LENGTH_MAX),
    }
)


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """The hashes that shall show that the tree of one size is a prefix of that of another."""

    first: int
    second: int
    hashes: tuple[bytes, ...]


class UnprovenError(Exception):
    """Nothing shows how two trees belong together."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} {second}")
        self.cause = Text(
            f"no proof leads from size {first} to size {second}; one of the two was seen before: "
            f"ask for `carnet log consistency {first} {second}`",
            f"没有从大小 {first} 到 {second} 的证明，其中之一是此前见过的检查点：请索取 "
            f"`carnet log consistency {first} {second}` 的输出",
        )


def parse_consistency(data: bytes) -> ConsistencyProof:
    """Return the proof that ``carnet log consistency`` printed.

    Raises:
        RecordFormatError: It is not JSON of the canonical profile.
        VerificationError: It does not have the shape of such a proof.
    """
    value = parse_strict(data)
    _PROOF(value, "")
    hashes = tuple(digest_from_hex(item) for item in value["proof"])
    return ConsistencyProof(value["first"], value["second"], hashes)


def _fork(size: int) -> ConsistencyProofError:
    return ConsistencyProofError(
        "CRN-V-041",
        Text(
            f"Fork: this log showed another root of size {size} before.",
            f"分叉：本日志此前对大小 {size} 给出过不同的根。",
        ),
    )


def prove_prefix(old: Checkpoint, new: Checkpoint, proofs: Sequence[ConsistencyProof]) -> None:
    """Check that one tree is a prefix of another, by whichever proof is of their sizes.

    Raises:
        ConsistencyProofError: They are of one size with different roots, or the proof fails.
        UnprovenError: No proof is of their sizes.
    """
    assert old.size <= new.size, "the older tree comes first"
    if old.size == new.size:
        if old.root != new.root:
            raise _fork(old.size)
        return
    for item in proofs:
        if (item.first, item.second) == (old.size, new.size):
            verify_consistency(old.size, new.size, item.hashes, old.root, new.root)
            return
    raise UnprovenError(old.size, new.size)


def compare_with_seen(
    seen: Checkpoint, trees: Sequence[Checkpoint], proofs: Sequence[ConsistencyProof]
) -> Text:
    """Check that the trees of a bundle and the one seen are of one history, and say how.

    Args:
        seen: The newest checkpoint seen of this log.
        trees: Those of the bundle, oldest first, each proved to be a prefix of the next.
        proofs: What else can be used.

    Raises:
        ConsistencyProofError: They are of two histories, or a proof fails.
        UnprovenError: Nothing shows how they belong together.
    """
    newest = trees[-1]
    for tree in trees:
        if tree.size == seen.size:
            prove_prefix(tree, seen, ())
            return _said(seen.size, newest.size)
    if seen.size > newest.size:
        prove_prefix(newest, seen, proofs)
        return _said(seen.size, newest.size)
    given = {item.second for item in proofs if item.first == seen.size}
    later = [tree for tree in trees if tree.size > seen.size]
    target = next((tree for tree in later if tree.size in given), later[0])
    prove_prefix(seen, target, proofs)
    return _said(seen.size, newest.size)


def _said(seen: int, newest: int) -> Text:
    old, new = sorted((seen, newest))
    return Text(
        f"size {old} within {new}, size {seen} was seen before",
        f"大小 {old} 是 {new} 的前缀，此前见过大小 {seen}",
    )

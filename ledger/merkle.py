"""The Merkle tree of RFC 9162: hashing, appending, and both proofs, as pure functions.

A tree of any size is held as its complete subtrees: the node ``(level, number)`` covers the
leaves ``number * 2**level`` up to ``(number + 1) * 2**level``, and never changes once it exists.
Level 0 is the leaves. Every root and every proof is a short list of such nodes and of folds of
them, so the functions here say which nodes they need and a caller may read those few from where
they are kept.

Verification raises only VerificationErrors and returns None.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from carnet.core.digests import DIGEST_SIZE, LeafHash, NodeHash, RootHash
from carnet.core.errors import ConsistencyProofError, InclusionProofError
from carnet.core.text import Text

SIZE_MAX = 2**53 - 1
"""Leaves of one tree: the largest integer of the canonical profile."""

PROOF_LENGTH_MAX = 64
EMPTY_ROOT = RootHash(hashlib.sha256(b"").digest())
"""The root of the tree without leaves (RFC 9162, section 2.1.1)."""


class NodeId(NamedTuple):
    """The place of a complete subtree."""

    level: int
    number: int


class Span(NamedTuple):
    """The leaves from `start` up to, not including, `end`."""

    start: int
    end: int


NodeReader = Callable[[NodeId], bytes]


def leaf_hash(entry: bytes) -> LeafHash:
    """Return the hash of a leaf. Source: RFC 9162, section 2.1.1."""
    return LeafHash(hashlib.sha256(b"\x00" + entry).digest())


def node_hash(left: bytes, right: bytes) -> NodeHash:
    """Return the hash of two children. Source: RFC 9162, section 2.1.1."""
    return NodeHash(hashlib.sha256(b"\x01" + left + right).digest())


def _split(count: int) -> int:
    """Return the largest power of two smaller than a count of at least two."""
    return 1 << ((count - 1).bit_length() - 1)


def span_nodes(span: Span) -> list[NodeId]:
    """Return the complete subtrees that make up a span, from left to right.

    The span starts at a multiple of the power of two that its length needs, as every subtree of an
    RFC 9162 tree does.
    """
    nodes = []
    position, rest = span
    while position < rest:
        level = (rest - position).bit_length() - 1
        assert position % (1 << level) == 0, "a subtree starts at a multiple of its width"
        nodes.append(NodeId(level, position >> level))
        position += 1 << level
    return nodes


def span_hash(span: Span, read: NodeReader) -> bytes:
    """Return the hash of the subtree over a span.

    Args:
        span: The leaves; not empty.
        read: Gives the hash of each complete subtree of the span.
    """
    return fold([read(node) for node in span_nodes(span)])


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the hash of the subtree that complete subtrees make up, given from left to right."""
    assert hashes, "a subtree has at least one leaf"
    result = hashes[-1]
    for digest in hashes[-2::-1]:
        result = node_hash(digest, result)
    return result


def root_nodes(size: int) -> list[NodeId]:
    """Return the complete subtrees of which the root of a tree of this size is folded."""
    return span_nodes(Span(0, size))


def root_hash(size: int, read: NodeReader) -> RootHash:
    """Return the root of a tree. Source: RFC 9162, section 2.1.1."""
    assert 0 <= size <= SIZE_MAX, "the size of a tree is bounded"
    return EMPTY_ROOT if size == 0 else RootHash(span_hash(Span(0, size), read))


def append_leaves(
    size: int, leaves: Iterable[bytes], read: NodeReader
) -> Iterator[tuple[NodeId, bytes]]:
    """Yield the complete subtrees that new leaves bring about, each after its children.

    Args:
        size: The size of the tree before.
        leaves: The hashes of the new leaves in order.
        read: Gives the hash of a complete subtree of the tree before.
    """
    pending = {node.level: read(node) for node in root_nodes(size)}
    for offset, leaf in enumerate(leaves):
        position = size + offset
        assert position < SIZE_MAX, "the size of a tree is bounded"
        level, digest = 0, leaf
        yield NodeId(0, position), digest
        while position >> level & 1:
            digest = node_hash(pending.pop(level), digest)
            level += 1
            yield NodeId(level, position >> level), digest
        pending[level] = digest


def inclusion_spans(index: int, size: int) -> list[Span]:
    """Return the subtrees whose hashes prove a leaf, from the leaf to the root.

    Source: RFC 9162, section 2.1.3.1.
    """
    assert 0 <= index < size <= SIZE_MAX, "the leaf lies in the tree"
    spans: list[Span] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(first: int, second: int) -> list[Span]:
    """Return the subtrees whose hashes prove that one tree is a prefix of another.

    Source: RFC 9162, section 2.1.4.1.
    """
    assert 0 < first <= second <= SIZE_MAX, "a prefix is not empty and not longer than the tree"
    spans: list[Span] = []
    start, end = 0, second
    is_whole = True
    while first < end:
        middle = start + _split(end - start)
        if first <= middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(start, middle))
            start, is_whole = middle, False
    if not is_whole:
        spans.append(Span(start, end))
    return spans[::-1]


def inclusion_proof(index: int, size: int, read: NodeReader) -> list[bytes]:
    """Return the proof that the leaf at an index is in the tree of a size."""
    return [span_hash(span, read) for span in inclusion_spans(index, size)]


def consistency_proof(first: int, second: int, read: NodeReader) -> list[bytes]:
    """Return the proof that the tree of one size is a prefix of the tree of another."""
    return [span_hash(span, read) for span in consistency_spans(first, second)]


def _inclusion_error(en: str, zh: str) -> InclusionProofError:
    return InclusionProofError(
        "CRN-V-010",
        Text(f"The inclusion proof is not valid: {en}.", f"包含证明无效：{zh}。"),
    )


def _consistency_error(en: str, zh: str) -> ConsistencyProofError:
    return ConsistencyProofError(
        "CRN-V-011",
        Text(f"The consistency proof is not valid: {en}.", f"一致性证明无效：{zh}。"),
    )


def _is_proof(proof: Sequence[bytes]) -> bool:
    return len(proof) <= PROOF_LENGTH_MAX and {DIGEST_SIZE}.issuperset(map(len, proof))


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> RootHash:
    """Return the root that a leaf and its proof lead to.

    Raises:
        InclusionProofError: The proof does not fit a leaf at that index in a tree of that size.

    Source: RFC 9162, section 2.1.3.2, steps 1 to 4.
    """
    if not 0 <= index < size <= SIZE_MAX:
        raise _inclusion_error(
            f"no leaf {index} in a tree of {size}", f"大小为 {size} 的树没有第 {index} 个叶子"
        )
    if not _is_proof(proof):
        raise _inclusion_error("it is not a list of 32-byte hashes", "不是 32 字节哈希的列表")
    node, last, digest = index, size - 1, leaf
    for item in proof:
        if last == 0:
            raise _inclusion_error(f"{len(proof)} hashes are too many", f"{len(proof)} 个哈希过多")
        if node & 1 or node == last:
            digest = node_hash(item, digest)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            digest = node_hash(digest, item)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise _inclusion_error(f"{len(proof)} hashes are too few", f"{len(proof)} 个哈希过少")
    return RootHash(digest)


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that a leaf stands at an index of the tree with a root.

    Raises:
        InclusionProofError: It is not shown to.

    Source: RFC 9162, section 2.1.3.2.
    """
    if root_from_inclusion(leaf, index, size, proof) != root:
        raise _inclusion_error("it leads to another root", "它导出的根不同")


def _verify_trivial(first: int, second: int, proof: Sequence[bytes], *, is_equal: bool) -> bool:
    if not 0 <= first <= second <= SIZE_MAX:
        raise _consistency_error(
            f"a tree of {first} is no prefix of one of {second}",
            f"大小 {first} 的树不是大小 {second} 的树的前缀",
        )
    if not _is_proof(proof):
        raise _consistency_error("it is not a list of 32-byte hashes", "不是 32 字节哈希的列表")
    if first not in {0, second}:
        return False
    if proof or (first == second and not is_equal):
        raise _consistency_error("equal trees need no hash", "相同的树不需要哈希")
    return True


def verify_consistency(
    first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes
) -> None:
    """Check that the first tree is a prefix of the second.

    Raises:
        ConsistencyProofError: It is not shown to be.

    Source: RFC 9162, section 2.1.4.2; the empty tree is a prefix of every tree.
    """
    if first == 0 and first_root != EMPTY_ROOT:
        raise _consistency_error("the empty tree has another root", "空树的根不同")
    if _verify_trivial(first, second, proof, is_equal=first_root == second_root):
        return
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        raise _consistency_error("it is empty", "证明为空")
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for item in path[1:]:
        if last == 0:
            raise _consistency_error(f"{len(proof)} hashes are too many", "哈希过多")
        if node & 1 or node == last:
            old, new = node_hash(item, old), node_hash(item, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, item)
        node, last = node >> 1, last >> 1
    if last != 0 or old != first_root or new != second_root:
        raise _consistency_error("it leads to other roots", "它导出的根不同")

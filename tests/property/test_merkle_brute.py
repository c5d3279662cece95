"""Trees by brute force: the definitions of RFC 9162, for every size to 300 and every proof.

Larger trees, of random sizes to 100,000, are compared with another algorithm: roots by a stack of
subtrees, and proofs folded by the recursion that defines them instead of by the verifier's loop.
"""

import hashlib
import random
from collections.abc import Sequence
from functools import cache

import pytest

from carnet.core.errors import ConsistencyProofError, InclusionProofError
from carnet.ledger import merkle
from carnet.ledger.merkle import NodeId

SIZE_ALL = 300
SIZE_LARGE = 100_000
SEED = 9162


def leaf(number: int) -> bytes:
    return hashlib.sha256(b"\x00" + b"%d" % number).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(count: int) -> int:
    """Return the largest power of two below a count, as section 2.1.1 names it k."""
    k = 1
    while 2 * k < count:
        k *= 2
    return k


@cache
def mth(start: int, end: int) -> bytes:
    """MTH(D[start:end]) of section 2.1.1."""
    if end - start == 0:
        return hashlib.sha256(b"").digest()
    if end - start == 1:
        return leaf(start)
    k = split(end - start)
    return node(mth(start, start + k), mth(start + k, end))


def path(m: int, start: int, end: int) -> list[bytes]:
    """PATH(m, D[start:end]) of section 2.1.3.1."""
    if end - start == 1:
        return []
    k = split(end - start)
    if m < k:
        return [*path(m, start, start + k), mth(start + k, end)]
    return [*path(m - k, start + k, end), mth(start, start + k)]


def subproof(m: int, start: int, end: int, *, is_whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[start:end], b) of section 2.1.4.1."""
    if m == end - start:
        return [] if is_whole else [mth(start, end)]
    k = split(end - start)
    if m <= k:
        return [*subproof(m, start, start + k, is_whole=is_whole), mth(start + k, end)]
    return [*subproof(m - k, start + k, end, is_whole=False), mth(start, start + k)]


def grown(count: int) -> dict[NodeId, bytes]:
    return dict(merkle.append_leaves(0, [leaf(number) for number in range(count)], {}.__getitem__))


@pytest.fixture(scope="module")
def small() -> dict[NodeId, bytes]:
    return grown(SIZE_ALL)


def test_roots__equal_the_definition_for_every_size(small: dict[NodeId, bytes]) -> None:
    for size in range(SIZE_ALL + 1):
        assert merkle.root_hash(size, small.__getitem__) == mth(0, size), size


def test_inclusion__equals_the_definition_for_every_leaf_of_every_size(
    small: dict[NodeId, bytes],
) -> None:
    count = 0
    for size in range(1, SIZE_ALL + 1):
        root = mth(0, size)
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, small.__getitem__)
            assert proof == path(index, 0, size), (index, size)
            merkle.verify_inclusion(leaf(index), index, size, proof, root)
            count += 1
    assert count == SIZE_ALL * (SIZE_ALL + 1) // 2


def test_consistency__equals_the_definition_for_every_pair_of_sizes(
    small: dict[NodeId, bytes],
) -> None:
    count = 0
    for second in range(1, SIZE_ALL + 1):
        for first in range(1, second + 1):
            proof = merkle.consistency_proof(first, second, small.__getitem__)
            assert proof == subproof(first, 0, second, is_whole=True), (first, second)
            merkle.verify_consistency(first, second, proof, mth(0, first), mth(0, second))
            count += 1
    assert count == SIZE_ALL * (SIZE_ALL + 1) // 2


def roots_of(sizes: Sequence[int]) -> dict[int, bytes]:
    """Return the roots of some sizes, by a stack of subtrees that are merged when two are equal."""
    wanted, stack, found = set(sizes), [], {}
    for number in range(max(sizes)):
        level, digest = 0, leaf(number)
        while stack and stack[-1][0] == level:
            digest = node(stack.pop()[1], digest)
            level += 1
        stack.append((level, digest))
        if number + 1 in wanted:
            root = stack[-1][1]
            for _, left in reversed(stack[:-1]):
                root = node(left, root)
            found[number + 1] = root
    return found


def folded(m: int, count: int, digest: bytes, proof: list[bytes]) -> bytes:
    """Return the root that PATH(m, D[count]) leads to, by the recursion that defines it."""
    if count == 1:
        assert not proof
        return digest
    k, last = split(count), proof.pop()
    if m < k:
        return node(folded(m, k, digest, proof), last)
    return node(last, folded(m - k, count - k, digest, proof))


def large_sizes(chooser: random.Random) -> list[int]:
    around = [2**power + offset for power in range(1, 17) for offset in (-1, 0, 1)]
    return sorted({SIZE_LARGE, *around, *(chooser.randint(1, SIZE_LARGE) for _ in range(150))})


def test_random_trees__agree_with_another_algorithm() -> None:
    chooser = random.Random(SEED)
    sizes = large_sizes(chooser)
    nodes, roots = grown(SIZE_LARGE), roots_of(sizes)
    for size in sizes:
        assert merkle.root_hash(size, nodes.__getitem__) == roots[size], size
        for index in {0, size - 1, *(chooser.randrange(size) for _ in range(6))}:
            proof = merkle.inclusion_proof(index, size, nodes.__getitem__)
            assert len(proof) <= (size - 1).bit_length()
            assert folded(index, size, leaf(index), list(proof)) == roots[size], (index, size)
            merkle.verify_inclusion(leaf(index), index, size, proof, roots[size])
    for _ in range(600):
        first, second = sorted(chooser.sample(sizes, 2))
        proof = merkle.consistency_proof(first, second, nodes.__getitem__)
        assert len(proof) <= second.bit_length() + 1
        merkle.verify_consistency(first, second, proof, roots[first], roots[second])


def test_random_trees__altered_proofs_are_refused() -> None:
    chooser = random.Random(SEED + 1)
    sizes = large_sizes(chooser)
    nodes, roots = grown(SIZE_LARGE), roots_of(sizes)
    for size in sizes[40:]:
        index = chooser.randrange(size)
        proof = merkle.inclusion_proof(index, size, nodes.__getitem__)
        spoilt = bytearray(b"".join(proof))
        spoilt[chooser.randrange(len(spoilt))] ^= 1 << chooser.randrange(8)
        other = [bytes(spoilt[at : at + 32]) for at in range(0, len(spoilt), 32)]
        for wrong in (other, proof[:-1], [*proof, proof[-1]], proof[1:]):
            with pytest.raises(InclusionProofError):
                merkle.verify_inclusion(leaf(index), index, size, wrong, roots[size])
        with pytest.raises(InclusionProofError):
            merkle.verify_inclusion(leaf(index + 1), index, size, proof, roots[size])
        first = chooser.choice([item for item in sizes if item < size])
        consistency = merkle.consistency_proof(first, size, nodes.__getitem__)
        for wrong in ([*consistency[:-1], bytes(32)], consistency[:-1], [*consistency, bytes(32)]):
            with pytest.raises(ConsistencyProofError):
                merkle.verify_consistency(first, size, wrong, roots[first], roots[size])
        with pytest.raises(ConsistencyProofError):
            merkle.verify_consistency(first, size, consistency, roots[size], roots[size])

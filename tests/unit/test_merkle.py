"""The Merkle tree: published vectors, and the recursion of RFC 9162 itself for every size."""

import hashlib
from collections.abc import Sequence

import pytest

from carnet.core.errors import ConsistencyProofError, InclusionProofError
from carnet.ledger import merkle
from carnet.ledger.merkle import NodeId, Span

LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""Of the first 1 to 8 leaves, as published with Certificate Transparency."""

PATH_0_OF_8 = (
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
)
CONSISTENCY_6_TO_8 = (
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
)
SIZE_ALL = 64


class Tree:
    """A tree in memory, grown by the code under test."""

    def __init__(self) -> None:
        self.nodes: dict[NodeId, bytes] = {}
        self.size = 0

    def append(self, leaves: Sequence[bytes]) -> None:
        new = dict(merkle.append_leaves(self.size, leaves, self.nodes.__getitem__))
        assert not new.keys() & self.nodes.keys()
        self.nodes |= new
        self.size += len(leaves)

    def read(self, node: NodeId) -> bytes:
        return self.nodes[node]


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162, section 2.1.1, as it is written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:k]) + tree_hash(leaves[k:])).digest()


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 9162, section 2.1.3.1, as it is written there."""
    if len(leaves) == 1:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if m < k:
        return [*path(m, leaves[:k]), tree_hash(leaves[k:])]
    return [*path(m - k, leaves[k:]), tree_hash(leaves[:k])]


def subproof(m: int, leaves: Sequence[bytes], *, is_complete: bool) -> list[bytes]:
    """SUBPROOF of RFC 9162, section 2.1.4.1, as it is written there."""
    if m == len(leaves):
        return [] if is_complete else [tree_hash(leaves)]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if m <= k:
        return [*subproof(m, leaves[:k], is_complete=is_complete), tree_hash(leaves[k:])]
    return [*subproof(m - k, leaves[k:], is_complete=False), tree_hash(leaves[:k])]


def leaves_of(count: int) -> list[bytes]:
    return [merkle.leaf_hash(number.to_bytes(8, "big")) for number in range(count)]


@pytest.fixture(scope="module")
def published() -> Tree:
    tree = Tree()
    tree.append([merkle.leaf_hash(entry) for entry in LEAVES])
    return tree


@pytest.mark.parametrize("size", range(1, 9))
def test_root_hash__published(published: Tree, size: int) -> None:
    assert merkle.root_hash(size, published.read).hex() == ROOTS[size - 1]


def test_root_hash__of_the_empty_tree() -> None:
    assert merkle.root_hash(0, {}.__getitem__).hex() == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


def test_inclusion_proof__published(published: Tree) -> None:
    proof = merkle.inclusion_proof(0, 8, published.read)
    assert tuple(item.hex() for item in proof) == PATH_0_OF_8


def test_consistency_proof__published(published: Tree) -> None:
    proof = merkle.consistency_proof(6, 8, published.read)
    assert tuple(item.hex() for item in proof) == CONSISTENCY_6_TO_8


def test_append_leaves__one_by_one_or_at_once() -> None:
    leaves = leaves_of(SIZE_ALL)
    at_once, one_by_one = Tree(), Tree()
    at_once.append(leaves)
    for leaf in leaves:
        one_by_one.append([leaf])
    assert at_once.nodes == one_by_one.nodes


def test_root_hash__equals_the_definition_for_every_size() -> None:
    leaves, tree = leaves_of(SIZE_ALL), Tree()
    tree.append(leaves)
    for size in range(SIZE_ALL + 1):
        assert merkle.root_hash(size, tree.read) == tree_hash(leaves[:size])


def test_inclusion_proof__equals_the_definition_and_verifies_for_every_leaf() -> None:
    leaves, tree = leaves_of(SIZE_ALL), Tree()
    tree.append(leaves)
    for size in range(1, SIZE_ALL + 1):
        root = merkle.root_hash(size, tree.read)
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, tree.read)
            assert proof == path(index, leaves[:size])
            merkle.verify_inclusion(leaves[index], index, size, proof, root)


def test_consistency_proof__equals_the_definition_and_verifies_for_every_pair() -> None:
    leaves, tree = leaves_of(SIZE_ALL), Tree()
    tree.append(leaves)
    roots = [merkle.root_hash(size, tree.read) for size in range(SIZE_ALL + 1)]
    for second in range(1, SIZE_ALL + 1):
        for first in range(1, second + 1):
            proof = merkle.consistency_proof(first, second, tree.read)
            assert proof == subproof(first, leaves[:second], is_complete=True)
            merkle.verify_consistency(first, second, proof, roots[first], roots[second])


def test_verify_inclusion__any_other_place_or_proof_is_refused() -> None:
    size = 13
    leaves, tree = leaves_of(size), Tree()
    tree.append(leaves)
    root = merkle.root_hash(size, tree.read)
    for index in range(size):
        proof = merkle.inclusion_proof(index, size, tree.read)
        wrong: list[tuple[bytes, int, int, list[bytes], bytes]] = [
            (leaves[index], other, size, proof, root)
            for other in range(-1, size + 2)
            if other != index
        ]
        wrong += [(leaves[index], index, size, proof[:-1], root)]
        wrong += [(leaves[index], index, size, [*proof, bytes(32)], root)]
        wrong += [(leaves[index], index, size, [*proof[:-1], bytes(32)], root)]
        wrong += [(leaves[index], index, size, [*proof[:-1], b"short"], root)]
        wrong += [
            (bytes(32), index, size, proof, root),
            (leaves[index], index, size, proof, bytes(32)),
        ]
        for attempt in wrong:
            with pytest.raises(InclusionProofError):
                merkle.verify_inclusion(*attempt)


def test_verify_inclusion__of_an_oversized_tree_is_refused() -> None:
    with pytest.raises(InclusionProofError):
        merkle.verify_inclusion(bytes(32), 0, 2**60, [], bytes(32))
    with pytest.raises(InclusionProofError):
        merkle.verify_inclusion(bytes(32), 0, 2**53 - 1, [bytes(32)] * 65, bytes(32))


def test_verify_consistency__any_other_tree_or_proof_is_refused() -> None:
    leaves, tree = leaves_of(20), Tree()
    tree.append(leaves)
    roots = [merkle.root_hash(size, tree.read) for size in range(21)]
    for first, second in ((1, 2), (3, 7), (4, 8), (6, 8), (7, 20), (16, 20)):
        proof = merkle.consistency_proof(first, second, tree.read)
        wrong: list[tuple[int, int, list[bytes], bytes, bytes]] = [
            (first, second, proof, bytes(32), roots[second]),
            (first, second, proof, roots[first], bytes(32)),
            (first, second, proof[:-1], roots[first], roots[second]),
            (first, second, [*proof, bytes(32)], roots[first], roots[second]),
            (first, second, [], roots[first], roots[second]),
            (second, first, proof, roots[second], roots[first]),
            (first, second, [*proof[:-1], b""], roots[first], roots[second]),
            (first, 2**60, proof, roots[first], roots[second]),
        ]
        for attempt in wrong:
            with pytest.raises(ConsistencyProofError):
                merkle.verify_consistency(*attempt)


def test_verify_consistency__equal_and_empty_trees() -> None:
    root = merkle.leaf_hash(b"x")
    merkle.verify_consistency(1, 1, [], root, root)
    merkle.verify_consistency(0, 1, [], merkle.EMPTY_ROOT, root)
    for attempt in (
        (1, 1, [], root, bytes(32)),
        (1, 1, [bytes(32)], root, root),
        (0, 1, [], root, root),
        (0, 1, [bytes(32)], merkle.EMPTY_ROOT, root),
    ):
        with pytest.raises(ConsistencyProofError):
            merkle.verify_consistency(*attempt)  # type: ignore[arg-type]  # a tuple of mixed lists


def test_span_nodes__covers_its_leaves_once() -> None:
    for start, end in ((0, 1), (0, 7), (8, 13), (64, 127)):
        covered = [
            leaf
            for node in merkle.span_nodes(Span(start, end))
            for leaf in range(node.number << node.level, (node.number + 1) << node.level)
        ]
        assert covered == list(range(start, end))

"""Random trees: every root, both proofs, and appends in groups of any size."""

import itertools
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from carnet.ledger import merkle
from carnet.ledger.merkle import NodeId

SIZE_ALL = 300
SIZE_MAX = 100_000


def _grown(sizes: Sequence[int]) -> tuple[dict[NodeId, bytes], list[bytes]]:
    nodes: dict[NodeId, bytes] = {}
    leaves: list[bytes] = []
    for count in sizes:
        new = [merkle.leaf_hash(str(len(leaves) + n).encode()) for n in range(count)]
        nodes |= dict(merkle.append_leaves(len(leaves), new, nodes.__getitem__))
        leaves += new
    return nodes, leaves


NODES, LEAVES = _grown([SIZE_ALL])


def test_proofs__verify_for_every_size_to_300() -> None:
    roots = [merkle.root_hash(size, NODES.__getitem__) for size in range(SIZE_ALL + 1)]
    for size in range(1, SIZE_ALL + 1):
        for index in {0, size // 3, size // 2, size - 1}:
            proof = merkle.inclusion_proof(index, size, NODES.__getitem__)
            merkle.verify_inclusion(LEAVES[index], index, size, proof, roots[size])
            proof = merkle.consistency_proof(index + 1, size, NODES.__getitem__)
            merkle.verify_consistency(index + 1, size, proof, roots[index + 1], roots[size])
    assert len(set(roots)) == SIZE_ALL + 1


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_append_leaves__groups_make_no_difference(sizes: list[int]) -> None:
    grouped, _ = _grown(sizes)
    at_once, _ = _grown([sum(sizes)])
    assert grouped == at_once


@given(st.integers(1, SIZE_MAX), st.data())
@settings(max_examples=200, deadline=None)
def test_proof_spans__name_disjoint_parts_of_the_tree(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    spans = sorted([*merkle.inclusion_spans(index, size), merkle.Span(index, index + 1)])
    assert spans[0].start == 0
    assert spans[-1].end == size
    assert all(left.end == right.start for left, right in itertools.pairwise(spans))
    assert len(spans) - 1 <= merkle.PROOF_LENGTH_MAX


@given(st.integers(1, SIZE_ALL), st.data())
@settings(max_examples=100, deadline=None)
def test_verify_inclusion__no_leaf_stands_at_two_places(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(index, size, NODES.__getitem__)
    try:
        root = merkle.root_from_inclusion(LEAVES[index], other, size, proof)
    except merkle.InclusionProofError:
        return
    assert (root == merkle.root_hash(size, NODES.__getitem__)) == (other == index)

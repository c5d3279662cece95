"""The search in breadth finds the ways that a matrix of distances finds, on any graph."""

from itertools import product
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from carnet.rules.reachability import Pair, shortest_ways

NODES = "abcdefg"
_PAIRS = st.tuples(st.sampled_from(NODES), st.sampled_from(NODES))
FAR = 1_000


def _distances(links: set[Pair]) -> dict[Pair, int]:
    """Return the fewest links between any two nodes, by Floyd's and Warshall's algorithm.

    The distance from a node to itself is that of its shortest circle, so it begins as far as any.
    """
    known = {pair: 1 if pair in links else FAR for pair in product(NODES, NODES)}
    for middle, start, end in product(NODES, NODES, NODES):
        through = known[start, middle] + known[middle, end]
        known[start, end] = min(known[start, end], through)
    return {pair: length for pair, length in known.items() if length < FAR}


@settings(max_examples=300, deadline=None)
@given(links=st.sets(_PAIRS, max_size=24), depth_max=st.integers(1, 8))
@example(links={("a", "a")}, depth_max=1)
@example(links={("a", "b"), ("b", "a"), ("b", "b")}, depth_max=2)
@example(links={("a", "b"), ("b", "c"), ("c", "d")}, depth_max=2)
def test_ways__are_those_of_a_matrix(links: set[Pair], depth_max: int) -> None:
    expected = _distances(links)
    ways = shortest_ways(links, depth_max)
    assert ways.depths == {pair: length for pair, length in expected.items() if length <= depth_max}
    beyond = sorted(pair for pair, length in expected.items() if length == depth_max + 1)
    assert ways.beyond == (beyond[0] if beyond else None)


@settings(max_examples=100, deadline=None)
@given(links=st.lists(_PAIRS, max_size=24), order=st.randoms(use_true_random=False))
def test_ways__do_not_depend_on_the_order_of_the_links(links: list[Pair], order: Random) -> None:
    shuffled = sorted(links, key=lambda _: order.random())
    assert shortest_ways(shuffled, 3) == shortest_ways(links, 3)

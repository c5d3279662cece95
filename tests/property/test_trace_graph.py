"""Traces against a brute-force closure, on random graphs with cycles and diamonds."""

from hypothesis import given
from hypothesis import strategies as st

from carnet.trace.graph import Direction, Link, trace

NODES = st.sampled_from("abcdefgh")
GRAPHS = st.lists(st.tuples(NODES, NODES), max_size=20).map(
    lambda pairs: [Link(f"L{i}", source, target) for i, (source, target) in enumerate(pairs)]
)


def closure(pairs: set[tuple[str, str]], start: str) -> set[str]:
    """Return what is reachable, by adding pairs until nothing is new."""
    while True:
        joined = pairs | {(a, d) for a, b in pairs for c, d in pairs if b == c}
        if joined == pairs:
            return {target for source, target in pairs if source == start} - {start}
        pairs = joined


@given(GRAPHS, NODES, st.sampled_from(["back", "forward"]))
def test_trace__equals_the_closure(links: list[Link], start: str, direction: Direction) -> None:
    pairs = {(link.source, link.target) for link in links}
    if direction == "back":
        pairs = {(target, source) for source, target in pairs}
    found = trace(links, start, direction)
    assert {node.id for node in found.reached} == closure(pairs, start)
    assert len(found.reached) == len({node.id for node in found.reached})
    assert found.is_complete


@given(GRAPHS, NODES)
def test_trace__gives_the_least_depth_and_its_evidence(links: list[Link], start: str) -> None:
    found = trace(links, start, "forward")
    depths = {start: 0} | {node.id: node.depth for node in found.reached}
    by_id = {link.id: link for link in links}
    for node in found.reached:
        assert node.evidence
        for name in node.evidence:
            assert by_id[name].target == node.id
            assert depths[by_id[name].source] == node.depth - 1
        nearer = [
            depths[link.source]
            for link in links
            if link.target == node.id and link.source in depths
        ]
        assert min(nearer) == node.depth - 1


def test_trace__says_when_the_depth_bound_ended_it() -> None:
    links = [Link("1", "a", "b"), Link("2", "b", "c"), Link("3", "c", "a")]
    short = trace(links, "a", "forward", depth_max=1)
    assert ([node.id for node in short.reached], short.is_complete) == (["b"], False)
    exact = trace(links, "a", "forward", depth_max=2)
    assert ([node.id for node in exact.reached], exact.is_complete) == (["b", "c"], True)

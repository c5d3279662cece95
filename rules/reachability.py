"""Closures: which facts of a case can be reached from which, over facts that link two of them.

The reference way: a search in breadth from every start, over links merged into one graph. A link
that cannot be judged is tried both ways; where that makes a difference, the pairs cannot be told.

Source: docs/spec/pack-format.md, PF-37 and PF-38.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import Closure
from carnet.rules.case import Case, ComputedFacts, ComputedType
from carnet.rules.parameters import Unknown
from carnet.rules.unverified import NOTHING, rests_lines
from carnet.rules.values import holds, value_of

PAIRS_MAX = 100_000
"""Pairs of one closure in one case."""

Pair = tuple[str, str]


class TooManyPairsError(Exception):
    """There are more than PAIRS_MAX pairs."""


@dataclass(frozen=True, slots=True)
class Ways:
    """The fewest links between the ends of each pair.

    Args:
        depths: Of the pairs that at most `depth_max` links join.
        beyond: The least pair that needs one link more, if there is one.
    """

    depths: Mapping[Pair, int]
    beyond: Pair | None


def _targets_by_depth(
    start: str, targets: Mapping[str, set[str]], depth_max: int
) -> Iterable[tuple[int, set[str]]]:
    """Yield what is first reached from a start by 1, 2, ... links; the start itself by a circle."""
    seen: set[str] = set()
    frontier = {start}
    for depth in range(1, depth_max + 1):
        empty: set[str] = set()
        frontier = empty.union(*(targets.get(node, empty) for node in frontier)) - seen
        if not frontier:
            return
        seen |= frontier
        yield depth, frontier


def shortest_ways(links: Iterable[Pair], depth_max: int) -> Ways:
    """Return how many links join the ends of each pair that some links join, at the fewest.

    >>> shortest_ways([("a", "b"), ("b", "c"), ("c", "a")], 2)
    Ways(depths={('a', 'b'): 1, ('a', 'c'): 2, ('b', 'c'): 1, ('b', 'a'): 2, ('c', 'a'): 1, \
('c', 'b'): 2}, beyond=('a', 'a'))

    Raises:
        TooManyPairsError: There are more than PAIRS_MAX.
    """
    targets: defaultdict[str, set[str]] = defaultdict(set)
    for start, end in links:
        targets[start].add(end)
    depths: dict[Pair, int] = {}
    beyond: Pair | None = None
    for start in sorted(targets):
        for depth, ends in _targets_by_depth(start, targets, depth_max + 1):
            if depth > depth_max:
                beyond = beyond or (start, min(ends))
                continue
            depths.update(((start, end), depth) for end in sorted(ends))
            if len(depths) > PAIRS_MAX:
                raise TooManyPairsError
    return Ways(depths, beyond)


@dataclass(slots=True)
class _Links:
    """The links of a case: those that count for certain, and those that may.

    Args:
        sure: Ends of links that count.
        possible: Ends of links that count or may count.
        doubt: Why the first link that may count cannot be judged.
        has_open_end: Whether a link that may count has an end that is not known.
    """

    sure: set[Pair] = field(default_factory=set)
    possible: set[Pair] = field(default_factory=set)
    doubt: Unknown | None = None
    has_open_end: bool = False

    def add(self, closure: Closure, link: Fact, case: Case) -> None:
        """Add a link unless it does not count."""
        bindings = {**case.named, closure.alias: link}
        verdict = holds(closure.when, bindings, case)
        if verdict is False:
            return
        start = value_of(closure.start, bindings, case)
        end = value_of(closure.end, bindings, case)
        unknown = [one for one in (verdict, start, end) if isinstance(one, Unknown)]
        if unknown and self.doubt is None:
            self.doubt = Unknown(unknown[0].cause)
        if isinstance(start, Unknown) or isinstance(end, Unknown):
            self.has_open_end = True
            return
        pair = (str(start), str(end))
        self.possible.add(pair)
        if not unknown:
            self.sure.add(pair)


def too_many(closure: Closure) -> Unknown:
    """Return that a case has too many pairs."""
    name = closure.name
    return Unknown(
        Text(
            f"The closure {name} has more than {PAIRS_MAX} pairs in one case.",
            f"闭包 {name} 在一个案件中超过 {PAIRS_MAX} 对。",
        )
    )


def _too_far(closure: Closure, pair: Pair) -> Unknown:
    name, depth_max = closure.name, closure.depth_max
    return Unknown(
        Text(
            f"The closure {name} follows at most {depth_max} links, but the way from {pair[0]} to"
            f" {pair[1]} has more.",
            f"闭包 {name} 最多沿 {depth_max} 个链接，但从 {pair[0]} 到 {pair[1]} 需要更多。",
        )
    )


def _pair_fact(closure: Closure, pair: Pair, depth: int) -> Fact:
    start, end = pair
    return Fact(closure.name, f"{start}>{end}", {"from_id": start, "to_id": end, "depth": depth})


def compute_closure(closure: Closure, case: Case) -> ComputedFacts | Unknown:
    """Return the pairs of a closure in a case as facts, or why they cannot be told."""
    untold = case.unknown_of(closure.fact_type)
    if untold is not None:
        return Unknown(untold.cause)
    links = _Links()
    for link in case.facts_of(closure.fact_type):
        links.add(closure, link, case)
    try:
        ways = shortest_ways(links.possible, closure.depth_max)
    except TooManyPairsError:
        return too_many(closure)
    if ways.beyond is not None:
        return _too_far(closure, ways.beyond)
    if links.doubt is not None and (
        links.has_open_end or shortest_ways(links.sure, closure.depth_max).depths != ways.depths
    ):
        return links.doubt
    facts = (_pair_fact(closure, pair, depth) for pair, depth in ways.depths.items())
    return ComputedFacts(tuple(sorted(facts, key=lambda fact: fact.id)))


def _rests(closure: Closure, case: Case) -> frozenset[str]:
    links = case.facts_of(closure.fact_type)
    bound = ({**case.named, closure.alias: link} for link in links)
    return NOTHING.union(*(rests_lines(closure.when, bindings, case) for bindings in bound))


def closure_type(closure: Closure) -> ComputedType:
    """Return how the pairs of a closure become facts of a case."""
    return ComputedType(
        closure.name,
        lambda case: compute_closure(closure, case),
        lambda case: _rests(closure, case),
    )

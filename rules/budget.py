"""How many combinations of facts a rule may try in one case.

The work of a rule is the product of the numbers of facts that its aliases may bind, so a few lines
that look innocent could keep an engine busy for years. What a rule would try is counted before any
engine sees it, in one way for all of them.

Source: docs/spec/pack-format.md, PF-18.
"""

from bisect import bisect_right
from collections.abc import Iterable

from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import Lines, Rule, Without
from carnet.rules.case import Case
from carnet.rules.values import Verdict, both, holds

COMBINATIONS_MAX = 100_000
"""Combinations of facts that one rule may try in one case."""

Candidate = tuple[Fact, Verdict]
"""A fact that an alias may bind, with the verdict of the lines that read this alias alone."""


def _candidates(alias: str, fact_type: str, lines: Lines, case: Case) -> list[Candidate]:
    own = tuple(line for line in lines if line.aliases == {alias})
    judged = (
        (fact, both(case.presence_of(fact), holds(own, {alias: fact}, case)))
        for fact in case.facts_of(fact_type)
    )
    return [(fact, verdict) for fact, verdict in judged if verdict is not False]


def match_candidates(rule: Rule, case: Case) -> list[list[Candidate]]:
    """Return for each alias of `match` the facts that its own lines do not exclude."""
    return [_candidates(alias, kind, rule.when, case) for alias, kind in rule.match]


def block_candidates(block: Without, case: Case) -> list[Candidate]:
    """Return the facts that the own lines of a `without` block do not exclude."""
    return _candidates(block.alias, block.fact_type, block.when, case)


def lines_of_case(rule: Rule) -> Lines:
    """Return the lines of `when` that read no matched alias."""
    matched = {alias for alias, _ in rule.match}
    return tuple(line for line in rule.when if not line.aliases & matched)


def combinations(matched: Iterable[int], blocks: Iterable[int]) -> int:
    """Return how many combinations some numbers of candidates make.

    The aliases are bound in their order, so a last one without candidates saves nothing of the
    work before it; the blocks are asked one after another for each complete choice.

    >>> combinations([41, 41, 0], [])
    1681
    >>> combinations([40, 10], [5, 6])
    4400
    """
    most = whole = 1
    for count in matched:
        whole *= count
        most = max(most, whole)
    return max(most, whole * sum(blocks))


def small_enough(matched: int, blocks: int) -> int:
    """Return how many facts of each type leave a rule within its budget, whatever they are.

    >>> small_enough(matched=1, blocks=0), small_enough(matched=1, blocks=1)
    (100000, 316)
    >>> combinations([316], [316]) <= COMBINATIONS_MAX < combinations([317], [317])
    True
    """
    sizes = range(1, COMBINATIONS_MAX + 1)
    return bisect_right(
        sizes, COMBINATIONS_MAX, key=lambda size: combinations([size] * matched, [size] * blocks)
    )


def over_budget(rule: Rule, case: Case) -> Text | None:
    """Return that a rule has too many combinations to try in a case, None where it has not."""
    everything = (
        [len(case.facts_of(kind)) for _, kind in rule.match],
        [len(case.facts_of(block.fact_type)) for block in rule.without],
    )
    # Lines are only asked where the facts alone do not settle it: most cases are small.
    if combinations(*everything) <= COMBINATIONS_MAX:
        return None
    if holds(lines_of_case(rule), case.named, case) is False:
        return None
    matched = [len(some) for some in match_candidates(rule, case)]
    blocks = [len(block_candidates(block, case)) for block in rule.without]
    count = combinations(matched, blocks)
    if count <= COMBINATIONS_MAX:
        return None
    names = [alias for alias, _ in rule.aliases]
    shown = [f"{name}: {n}" for name, n in zip(names, [*matched, *blocks], strict=True)]
    return Text(
        f"The rule {rule.id} has {count} combinations of facts to try ({', '.join(shown)}); "
        f"at most {COMBINATIONS_MAX} are tried in one case.",
        f"规则 {rule.id} 需尝试 {count} 种事实组合（{'，'.join(shown)}）；"
        f"每个案件最多尝试 {COMBINATIONS_MAX} 种。",
    )

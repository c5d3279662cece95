"""The reference evaluator: what a rule means, in plain Python.

For each applicable rule it tries every choice of distinct facts for the aliases of `match` that the
lines about one alias alone do not exclude, leaves a choice as soon as a line is false, and asks
each `without` block whether a further fact makes all of its lines true. The other engines are
implementations of this file and are tested against it.

Source: docs/spec/pack-format.md, PF-10 and PF-12.
"""

from collections.abc import Iterator, Sequence

from carnet.facts.fact import Fact
from carnet.rules.ast import Rule, Without
from carnet.rules.budget import (
    Candidate,
    block_candidates,
    lines_of_case,
    match_candidates,
)
from carnet.rules.case import Bindings, Case
from carnet.rules.finding import Choice, Matches
from carnet.rules.parameters import Unknown
from carnet.rules.values import Verdict, both, holds


def _none_holds(
    block: Without,
    candidates: Sequence[Candidate],
    bindings: Bindings,
    taken: Choice,
    case: Case,
) -> Verdict:
    """Return whether no further fact makes all lines of a block true."""
    rest = tuple(line for line in block.when if line.aliases != {block.alias})
    result: Verdict = True
    for fact, own in candidates:
        if fact in taken:
            continue
        verdict = both(own, holds(rest, {**bindings, block.alias: fact}, case))
        if verdict is True:
            return False
        if isinstance(verdict, Unknown):
            result = verdict
    return result


def _choices(
    rule: Rule,
    candidates: Sequence[Sequence[Candidate]],
    case: Case,
    taken: Choice,
    so_far: Verdict,
) -> Iterator[tuple[Choice, Verdict]]:
    """Yield every choice of facts for the aliases still open, with the verdict of its lines."""
    if len(taken) == len(rule.match):
        yield taken, so_far
        return
    alias, _ = rule.match[len(taken)]
    bindings = _bound(rule, taken, case)
    bound = {*bindings, alias}
    newly = tuple(
        line
        for line in rule.when
        if alias in line.aliases and line.aliases <= bound and line.aliases != {alias}
    )
    for fact, own in candidates[len(taken)]:
        if fact in taken:
            continue
        verdict = both(so_far, both(own, holds(newly, {**bindings, alias: fact}, case)))
        if verdict is not False:
            yield from _choices(rule, candidates, case, (*taken, fact), verdict)


def evaluate_rule(rule: Rule, case: Case) -> Matches:
    """Return the choices of facts that satisfy a rule, and those that might."""
    matches = Matches()
    start = holds(lines_of_case(rule), case.named, case)
    if start is False:
        return matches
    candidates = match_candidates(rule, case)
    blocks = [(block, block_candidates(block, case)) for block in rule.without]
    for choice, verdict in _choices(rule, candidates, case, (), start):
        bindings = _bound(rule, choice, case)
        result = verdict
        for block, further in blocks:
            result = both(result, _none_holds(block, further, bindings, choice, case))
        if result is True:
            matches.sure.append(choice)
        elif isinstance(result, Unknown):
            matches.unsure.append(choice)
    return matches


def _bound(rule: Rule, choice: Choice, case: Case) -> dict[str, Fact]:
    aliases = (alias for alias, _ in rule.match)
    return {**case.named, **dict(zip(aliases, choice, strict=False))}

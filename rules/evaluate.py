"""The reference evaluator: what a rule means, in plain Python.

For each applicable rule it tries every choice of distinct facts for the aliases of `match`, leaves
a choice as soon as a line is false, and asks each `without` block whether a further fact makes all
of its lines true. The other engines are implementations of this file and are tested against it.

Source: docs/spec/pack-format.md, PF-10 and PF-12.
"""

from collections.abc import Iterator

from carnet.facts.fact import Fact
from carnet.rules.ast import Rule, Without
from carnet.rules.case import Bindings, Case
from carnet.rules.finding import Choice, Matches
from carnet.rules.parameters import Unknown
from carnet.rules.values import Verdict, holds, line_holds


def _and(first: Verdict, second: Verdict) -> Verdict:
    """Return Kleene's conjunction: false wins over unknown, unknown over true."""
    if first is False or second is False:
        return False
    return first if isinstance(first, Unknown) else second


def _none_holds(block: Without, bindings: Bindings, taken: Choice, case: Case) -> Verdict:
    """Return whether no further fact makes all lines of a block true."""
    result: Verdict = True
    for fact in case.facts_of(block.fact_type):
        if fact in taken:
            continue
        verdict = holds(block.when, {**bindings, block.alias: fact}, case)
        if verdict is True:
            return False
        if isinstance(verdict, Unknown):
            result = verdict
    return result


def _choices(
    rule: Rule, case: Case, bindings: Bindings, taken: Choice, so_far: Verdict
) -> Iterator[tuple[Choice, Verdict]]:
    """Yield every choice of facts for the aliases still open, with the verdict of its lines."""
    if len(taken) == len(rule.match):
        yield taken, so_far
        return
    alias, fact_type = rule.match[len(taken)]
    bound = {*bindings, alias}
    newly = [line for line in rule.when if alias in line.aliases and line.aliases <= bound]
    for fact in case.facts_of(fact_type):
        if fact in taken:
            continue
        inner = {**bindings, alias: fact}
        verdict = so_far
        for line in newly:
            verdict = _and(verdict, line_holds(line, inner, case))
            if verdict is False:
                break
        if verdict is not False:
            yield from _choices(rule, case, inner, (*taken, fact), verdict)


def evaluate_rule(rule: Rule, case: Case) -> Matches:
    """Return the choices of facts that satisfy a rule, and those that might."""
    matches = Matches()
    matched = {alias for alias, _ in rule.match}
    of_the_case = tuple(line for line in rule.when if not line.aliases & matched)
    start = holds(of_the_case, case.named, case)
    if start is False:
        return matches
    for choice, verdict in _choices(rule, case, case.named, (), start):
        bindings = {**case.named, **_bound(rule, choice)}
        result = verdict
        for block in rule.without:
            result = _and(result, _none_holds(block, bindings, choice, case))
        if result is True:
            matches.sure.append(choice)
        elif isinstance(result, Unknown):
            matches.unsure.append(choice)
    return matches


def _bound(rule: Rule, choice: Choice) -> dict[str, Fact]:
    return {alias: fact for (alias, _), fact in zip(rule.match, choice, strict=True)}

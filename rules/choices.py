"""Every choice of facts that a rule may try in a case, in the order of the reference evaluator."""

from collections import Counter
from collections.abc import Iterator

from carnet.rules.ast import Rule
from carnet.rules.case import Case
from carnet.rules.finding import Choice


def _extended(rule: Rule, case: Case, taken: Choice) -> Iterator[Choice]:
    if len(taken) == len(rule.match):
        yield taken
        return
    _, fact_type = rule.match[len(taken)]
    for fact in case.facts_of(fact_type):
        if fact not in taken:
            yield from _extended(rule, case, (*taken, fact))


def choices_of(rule: Rule, case: Case) -> Iterator[Choice]:
    """Yield choices of distinct facts, one for each alias of `match`."""
    needed = Counter(fact_type for _, fact_type in rule.match)
    # With enough facts of each type every choice begun can be ended, so none is sought for long.
    if all(len(case.facts_of(fact_type)) >= count for fact_type, count in needed.items()):
        yield from _extended(rule, case, ())

"""Why a case was decided as it was: each rule, each choice of facts, each line with its values.

Told by the reference evaluator, whichever engine decided: they agree.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from carnet.facts.fact import Fact
from carnet.rules.ast import Line, Pack, Rule, parts_of, values_of
from carnet.rules.case import Bindings, Case, assemble
from carnet.rules.decision import NOTHING_EARLIER, Earlier
from carnet.rules.evaluate import evaluate_rule
from carnet.rules.finding import Choice, bind, evidence, prepare
from carnet.rules.parameters import Unknown
from carnet.rules.run import start_run
from carnet.rules.values import Verdict, holds, line_holds

CHOICES_MAX = 100
"""Choices of facts shown for one rule of one case."""


def _verdict_name(verdict: Verdict) -> str:
    return "unknown" if isinstance(verdict, Unknown) else "true" if verdict else "false"


def _line(line: Line, bindings: Bindings, case: Case) -> dict[str, Any]:
    verdict = line_holds(line, bindings, case)
    read = (
        part
        for condition in line.conditions
        for value in values_of(condition)
        for part in parts_of(value)
    )
    return {
        "text": line.text,
        "verdict": _verdict_name(verdict),
        "values": evidence(read, bindings, case),
        "decides": False,
        "cause": verdict.cause.to_json() if isinstance(verdict, Unknown) else None,
    }


def _mark(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mark the line that decided: the first false one, else the first unknown one."""
    for verdict in ("false", "unknown"):
        for line in lines:
            if line["verdict"] == verdict:
                line["decides"] = True
                return lines
    return lines


def _extended(rule: Rule, case: Case, taken: Choice) -> Iterator[Choice]:
    if len(taken) == len(rule.match):
        yield taken
        return
    _, fact_type = rule.match[len(taken)]
    for fact in case.facts_of(fact_type):
        if fact not in taken:
            yield from _extended(rule, case, (*taken, fact))


def _choices(rule: Rule, case: Case) -> Iterator[Choice]:
    """Yield choices of distinct facts, in the order of the reference evaluator."""
    needed = Counter(fact_type for _, fact_type in rule.match)
    # With enough facts of each type every choice begun can be ended, so none is sought for long.
    if all(len(case.facts_of(fact_type)) >= count for fact_type, count in needed.items()):
        yield from _extended(rule, case, ())


def _without(rule: Rule, choice: Choice, case: Case) -> Iterator[dict[str, Any]]:
    bindings = bind(rule, choice, case)
    for block in rule.without:
        for fact in case.facts_of(block.fact_type):
            if fact in choice:
                continue
            inner = {**bindings, block.alias: fact}
            verdict = holds(block.when, inner, case)
            for line in block.when:
                shown = _line(line, inner, case)
                shown["text"] = f"without {block.alias} = {fact.type}/{fact.id}: {line.text}"
                yield shown
            if verdict is True:
                return


def _choice(rule: Rule, choice: Choice, case: Case) -> dict[str, Any]:
    bindings = bind(rule, choice, case)
    return {
        "facts": [{"type": fact.type, "id": fact.id} for fact in choice],
        "lines": _mark([_line(line, bindings, case) for line in rule.when]),
        "without": list(_without(rule, choice, case)),
    }


def _rule(rule: Rule, case: Case, outcome: str) -> dict[str, Any]:
    scope = _mark([_line(one.line, case.named, case) for one in rule.scope])
    shown: list[dict[str, Any]] = []
    if outcome != "not_applicable":
        for choice in _choices(rule, case):
            if len(shown) == CHOICES_MAX:
                break
            shown.append(_choice(rule, choice, case))
    return {"rule": rule.id, "outcome": outcome, "scope": scope, "choices": shown}


def _outcomes(case: Case) -> Iterator[tuple[Rule, str]]:
    prepared = prepare(case)
    if prepared is None or case.broken:
        return
    skipped = {one.rule for one in prepared.not_applicable}
    for index, rule in enumerate(case.run.pack.rules):
        if rule.id in skipped:
            yield rule, "not_applicable"
        elif index not in prepared.rules:
            yield rule, "undetermined"
        else:
            found = evaluate_rule(rule, case)
            outcome = "finding" if found.sure else "undetermined" if found.unsure else "clear"
            yield rule, outcome


def explain_cases(
    pack: Pack,
    facts: Iterable[Fact],
    as_of: date,
    confirmed: frozenset[str] = frozenset(),
    *,
    earlier: Earlier = NOTHING_EARLIER,
    only_failed: bool = False,
) -> list[dict[str, Any]]:
    """Return for each case and rule the lines, the values they read and which one decided.

    Args:
        pack: A checked pack.
        facts: The facts, in any order.
        as_of: The date that decides.
        confirmed: The U parameters that officers have confirmed.
        earlier: What the packs that it comes after decided.
        only_failed: Whether rules that are clear or not applicable are left out.
    """
    cases, _ = assemble(start_run(pack, as_of, confirmed), facts, earlier.facts)
    result = []
    for case in cases:
        told = [
            _rule(rule, case, outcome)
            for rule, outcome in _outcomes(case)
            if not only_failed or outcome in {"finding", "undetermined"}
        ]
        if told:
            anchor = {"type": case.anchor.type, "id": case.anchor.id}
            result.append({"case": anchor, "rules": told})
    return result

"""Why a case was decided as it was: each rule, each choice of facts, each line with its values.

Told by the reference evaluator, whichever engine decided: they agree.

Source: docs/spec/pack-format.md, PF-59.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import (
    Condition,
    Constant,
    FieldRef,
    Line,
    Pack,
    Rule,
    Value,
    Without,
    parts_of,
    values_of,
)
from carnet.rules.case import Bindings, Case, assemble
from carnet.rules.choices import choices_of
from carnet.rules.decision import NOTHING_EARLIER, Earlier
from carnet.rules.evaluate import evaluate_rule
from carnet.rules.explain_parameters import explain_parameters, parameters_read
from carnet.rules.explain_rows import explain_rows
from carnet.rules.finding import Choice, Prepared, bind, evidence, make_finding, prepare
from carnet.rules.parameters import Unknown
from carnet.rules.run import start_run
from carnet.rules.values import Verdict, both, holds, line_holds, reason_of, verdict_of

CHOICES_MAX = 100
"""Choices of facts shown for one rule of one case."""
FACTS_MAX = 100
"""Facts shown for one block of one choice."""
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_NAMES = {True: "true", False: "false"}


def _verdict_name(verdict: Verdict) -> str:
    return "unknown" if isinstance(verdict, Unknown) else _NAMES[verdict]


def _cause(verdict: Verdict) -> dict[str, str] | None:
    return verdict.cause.to_json() if isinstance(verdict, Unknown) else None


def spellings(line: Line) -> list[str]:
    """Return how each alternative of a line is spelled."""
    hidden = _STRING.sub(lambda found: "x" * len(found[0]), line.text)
    parts, start = [], 0
    for piece in hidden.split("||"):
        parts.append(line.text[start : start + len(piece)].strip())
        start += len(piece) + len("||")
    return parts if len(parts) == len(line.conditions) else [line.text] * len(line.conditions)


def _read(condition: Condition) -> Iterator[Value]:
    for value in values_of(condition):
        for part in parts_of(value):
            if not isinstance(part, Constant):
                yield part


def _reasons(parts: Iterable[Value], bindings: Bindings, case: Case) -> dict[str, dict[str, str]]:
    """Return why derived fields are what they are, for those whose candidates say so."""
    result: dict[str, dict[str, str]] = {}
    for part in parts:
        if not isinstance(part, FieldRef) or not part.is_derived:
            continue
        definition = case.run.pack.derived.get((part.owner, part.name))
        candidates = getattr(getattr(definition, "body", None), "candidates", ())
        if any(one.reason is not None for one in candidates):
            reason = reason_of(part, bindings, case)
            if reason is not None:
                result[part.text] = reason.text.to_json()
    return result


def _condition(text: str, condition: Condition, bindings: Bindings, case: Case) -> dict[str, Any]:
    verdict = verdict_of(condition, bindings, case)
    parts = list(_read(condition))
    return {
        "text": text,
        "verdict": _verdict_name(verdict),
        "values": evidence(parts, bindings, case),
        "reasons": _reasons(parts, bindings, case),
        "rows": explain_rows(parts, bindings, case),
        "decides": False,
        "cause": _cause(verdict),
    }


def _mark(told: list[dict[str, Any]], order: Sequence[str]) -> list[dict[str, Any]]:
    """Mark what decided: the first of the first verdict that occurs, in an order of verdicts."""
    for verdict in order:
        for one in told:
            if one["verdict"] == verdict:
                one["decides"] = True
                return told
    return told


def _line(line: Line, bindings: Bindings, case: Case) -> dict[str, Any]:
    verdict = line_holds(line, bindings, case)
    conditions = [
        _condition(text, condition, bindings, case)
        for text, condition in zip(spellings(line), line.conditions, strict=True)
    ]
    # A line holds by its first alternative that does; it is told by the first that cannot be.
    _mark(conditions, ("true", "unknown"))
    if verdict is False:
        for one in conditions:
            one["decides"] = True
    read = [part for condition in line.conditions for part in _read(condition)]
    return {
        "text": line.text,
        "verdict": _verdict_name(verdict),
        "values": evidence(read, bindings, case),
        "reasons": _reasons(read, bindings, case),
        "rows": explain_rows(read, bindings, case),
        "decides": False,
        "cause": _cause(verdict),
        "conditions": conditions,
    }


def _lines(lines: Iterable[Line], bindings: Bindings, case: Case) -> list[dict[str, Any]]:
    return _mark([_line(line, bindings, case) for line in lines], ("false", "unknown"))


# --- choices ----------------------------------------------------------------------------------


def _key(fact: Fact) -> dict[str, str]:
    return {"type": fact.type, "id": fact.id}


def _presence(alias: str, fact: Fact, case: Case) -> list[dict[str, Any]]:
    """Return a line for a computed fact of which it cannot be told whether it is there."""
    presence = case.presence_of(fact)
    if not isinstance(presence, Unknown):
        return []
    return [
        {
            "text": f"{alias}: {fact.type}/{fact.id}",
            "verdict": _verdict_name(presence),
            "values": {},
            "reasons": {},
            "rows": [],
            "decides": False,
            "cause": _cause(presence),
            "conditions": [],
        }
    ]


def _block(block: Without, choice: Choice, bindings: Bindings, case: Case) -> dict[str, Any]:
    """Return a block with every fact that it might find; one that satisfies it ends the list."""
    result: Verdict = True
    told: list[dict[str, Any]] = []
    for fact in case.facts_of(block.fact_type):
        if fact in choice:
            continue
        inner = {**bindings, block.alias: fact}
        verdict = both(case.presence_of(fact), holds(block.when, inner, case))
        if len(told) < FACTS_MAX or verdict is True:
            told.append(
                {
                    "fact": _key(fact),
                    "verdict": _verdict_name(verdict),
                    "lines": [
                        *_presence(block.alias, fact, case),
                        *_lines(block.when, inner, case),
                    ],
                }
            )
        if verdict is True:
            result = False
            break
        if isinstance(verdict, Unknown) and result is True:
            result = verdict
    return {
        "alias": block.alias,
        "type": block.fact_type,
        "verdict": _verdict_name(result),
        "decides": False,
        "cause": _cause(result),
        "facts": told,
    }


def _outcome_of(told: Sequence[dict[str, Any]]) -> str:
    verdicts = {one["verdict"] for one in told}
    if "false" in verdicts:
        return "clear"
    return "undetermined" if "unknown" in verdicts else "finding"


def _choice(rule: Rule, choice: Choice, case: Case) -> dict[str, Any]:
    bindings = bind(rule, choice, case)
    lines = _lines(rule.when, bindings, case)
    for (alias, _), fact in reversed(list(zip(rule.match, choice, strict=True))):
        lines[:0] = _presence(alias, fact, case)
    blocks = [_block(block, choice, bindings, case) for block in rule.without]
    if not any(one["decides"] for one in lines if one["verdict"] == "false"):
        for one in lines:
            one["decides"] = False
        _mark([*lines, *blocks], ("false", "unknown"))
    outcome = _outcome_of([*lines, *blocks])
    told: dict[str, Any] = {
        "aliases": [alias for alias, _ in rule.match],
        "facts": [_key(fact) for fact in choice],
        "outcome": outcome,
        "lines": lines,
        "without": blocks,
    }
    if outcome == "finding" and rule.message is not None:
        told["message"] = make_finding(rule, choice, case).message.to_json()
    return told


# --- rules ------------------------------------------------------------------------------------


def _rule(rule: Rule, case: Case, outcome: str, causes: Sequence[Text]) -> dict[str, Any]:
    shown: list[dict[str, Any]] = []
    count = 0
    if outcome != "not_applicable":
        for choice in choices_of(rule, case):
            count += 1
            if len(shown) < CHOICES_MAX:
                shown.append(_choice(rule, choice, case))
            elif count > CHOICES_MAX:
                break
    return {
        "rule": rule.id,
        "title": rule.title.to_json(),
        "citation": list(rule.citation),
        "outcome": outcome,
        "causes": [cause.to_json() for cause in causes],
        "parameters": parameters_read(rule, case.run.pack),
        "scope": _scope(rule, case),
        "choices": shown,
        "has_more_choices": count > len(shown),
    }


def _scope(rule: Rule, case: Case) -> list[dict[str, Any]]:
    told = _lines((one.line for one in rule.scope), case.named, case)
    for one, scope in zip(told, rule.scope, strict=True):
        one["reason"] = scope.reason.to_json()
    return told


def _outcomes(case: Case, prepared: Prepared) -> Iterator[tuple[Rule, str]]:
    skipped = {one.rule for one in prepared.not_applicable}
    asked = frozenset(prepared.rules)
    for index, rule in enumerate(case.run.pack.rules):
        if rule.id in skipped:
            yield rule, "not_applicable"
        elif index not in asked:
            yield rule, "undetermined"
        else:
            found = evaluate_rule(rule, case)
            outcome = "finding" if found.sure else "undetermined" if found.unsure else "clear"
            yield rule, outcome


def _case(case: Case, *, only_failed: bool, only_rule: str | None) -> dict[str, Any] | None:
    prepared = prepare(case)
    if prepared is None:
        return None
    anchor = _key(case.anchor)
    if case.broken:
        broken = [cause.to_json() for cause in case.broken]
        return {"case": anchor, "causes": broken, "rules": [], "parameters": []}
    told = []
    for rule, outcome in _outcomes(case, prepared):
        is_wanted = only_rule in {None, rule.id}
        if is_wanted and (not only_failed or outcome in {"finding", "undetermined"}):
            causes = [one.cause for one in prepared.errors if one.rule == rule.id]
            told.append(_rule(rule, case, outcome, causes))
    if not told:
        return None
    names = {name for rule in told for name in rule["parameters"]}
    parameters = explain_parameters(names, case.run)
    return {"case": anchor, "causes": [], "rules": told, "parameters": parameters}


def explain_cases(
    pack: Pack,
    facts: Iterable[Fact],
    as_of: date,
    confirmed: frozenset[str] = frozenset(),
    *,
    earlier: Earlier = NOTHING_EARLIER,
    only_failed: bool = False,
    only_case: str | None = None,
    only_rule: str | None = None,
) -> list[dict[str, Any]]:
    """Return for each case and rule the lines, the values they read and which one decided.

    Args:
        pack: A checked pack.
        facts: The facts, in any order.
        as_of: The date that decides.
        confirmed: The U parameters that officers have confirmed.
        earlier: What the packs that it comes after decided.
        only_failed: Whether rules that are clear or not applicable are left out.
        only_case: The id of the one case to explain; None for all.
        only_rule: The one rule to explain; None for all.
    """
    cases, _ = assemble(start_run(pack, as_of, confirmed), facts, earlier.facts)
    wanted = (case for case in cases if only_case in {None, case.anchor.id})
    told = (_case(case, only_failed=only_failed, only_rule=only_rule) for case in wanted)
    return [one for one in told if one is not None]

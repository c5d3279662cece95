"""What a value is worth in a case, and whether a condition holds: true, false or unknown.

Unknown is Kleene's third value: a list of lines is false if one line is false, whatever else is
unknown. So an absent field can make a case undetermined but never clean, and never guilty.

Source: docs/spec/pack-format.md, PF-7, PF-12, PF-14, PF-15.
"""

import operator
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any, TypeGuard, cast

from carnet.core.clock import format_instant
from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import (
    Aggregation,
    AsOf,
    Call,
    Candidate,
    Choice,
    Comparison,
    Condition,
    Constant,
    Definition,
    FieldRef,
    Line,
    Lines,
    Lookup,
    MeasureRef,
    ParameterRef,
    Presence,
    Reason,
    Truth,
    Value,
)
from carnet.rules.case import Bindings, Case, field_of
from carnet.rules.functions import apply
from carnet.rules.parameters import Known, Unknown

Verdict = bool | Unknown
Result = Known | Unknown
_COMPARE: dict[str, Callable[[object, object], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": cast("Callable[[object, object], bool]", operator.lt),
    "<=": cast("Callable[[object, object], bool]", operator.le),
    ">": cast("Callable[[object, object], bool]", operator.gt),
    ">=": cast("Callable[[object, object], bool]", operator.ge),
}


def _named(fact: Fact, name: str) -> str:
    return f"{fact.type}/{fact.id}.{name}"


def _absent(fact: Fact, name: str) -> Unknown:
    shown = _named(fact, name)
    return Unknown(Text(f"{shown} is absent.", f"{shown} 未填写。"), is_absent=True)


# --- values -----------------------------------------------------------------------------------


def value_of(value: Value, bindings: Bindings, case: Case) -> Result:
    """Return what a value is worth for some bound facts."""
    match value:
        case FieldRef():
            return _field(value, bindings, case)
        case Constant():
            return value.value
        case AsOf():
            return case.run.as_of
        case ParameterRef():
            return case.run.parameters[value.id]
        case MeasureRef():
            return computed(case.run.pack.measures[value.name], None, case)
        case Call():
            return _call(value, bindings, case)
        case Lookup():
            table = case.run.tables[value.table]
            return table.lookup(value.position, arguments_of(value, bindings, case))


def arguments_of(lookup: Lookup, bindings: Bindings, case: Case) -> tuple[Result, ...]:
    """Return what the inputs of a table hold for a lookup; the row decides which it needs."""
    return tuple(value_of(argument, bindings, case) for argument in lookup.arguments)


def _call(call: Call, bindings: Bindings, case: Case) -> Result:
    arguments = []
    for argument in call.arguments:
        found = value_of(argument, bindings, case)
        if isinstance(found, Unknown):
            return Unknown(found.cause)
        arguments.append(found)
    result = apply(call.function, tuple(arguments))
    if result is not None:
        return result
    shown = ", ".join(str(argument) for argument in arguments)
    return Unknown(
        Text(
            f"{call.function}({shown}) has no value within the allowed range.",
            f"{call.function}({shown}) 在允许范围内没有值。",
        ),
        is_absent=True,
    )


def holder_of(field: FieldRef, bindings: Bindings, case: Case) -> Fact | Unknown:
    """Return the fact that holds a field, following its references inside the case."""
    fact = bindings[field.alias]
    for name, target in field.references:
        value = field_of(fact, name)
        if value is None:
            return _absent(fact, name)
        found = case.by_key.get((target, str(value)))
        if found is None:
            shown = _named(fact, name)
            return Unknown(
                Text(
                    f"{shown} names {target}/{value}, which is not in the case.",
                    f"{shown} 指向 {target}/{value}，但案件中没有该事实。",
                )
            )
        fact = found
    return fact


def is_stored(value: Value) -> TypeGuard[FieldRef]:
    """Return whether a value is a field that the fact bound to its alias holds itself."""
    return isinstance(value, FieldRef) and not value.references and not value.is_derived


def _field(field: FieldRef, bindings: Bindings, case: Case) -> Result:
    if not field.references and not field.is_derived:
        own = bindings[field.alias]
        found: Any = own.id if field.name == "id" else own.fields.get(field.name)
        return _absent(own, field.name) if found is None else found
    fact = holder_of(field, bindings, case)
    if isinstance(fact, Unknown):
        return fact
    if field.is_derived:
        return computed(case.run.pack.derived[field.owner, field.name], fact, case)
    value: Any = field_of(fact, field.name)
    return _absent(fact, field.name) if value is None else value


# --- derived fields and measures --------------------------------------------------------------


def computed(definition: Definition, fact: Fact | None, case: Case) -> Result:
    """Return a derived field of a fact, or a measure of the case; each is computed once."""
    key = (fact.type, fact.id, definition.name) if fact else ("", "", definition.name)
    if key not in case.computed:
        case.computed[key] = _compute(definition, bindings_of(fact, case), case)
    return cast("Result", case.computed[key])


def bindings_of(fact: Fact | None, case: Case) -> Bindings:
    """Return what a definition may name: the case's facts and, under its type, its own fact."""
    return {**case.named, fact.type: fact} if fact else case.named


def _compute(definition: Definition, bindings: Bindings, case: Case) -> Result:
    body = definition.body
    if isinstance(body, Aggregation):
        return _aggregate(definition, body, bindings, case)
    if isinstance(body, Choice):
        decided = decide(definition, body, bindings, case)
        return decided if isinstance(decided, Unknown) else decided[1]
    return value_of(body, bindings, case)


def _applicable(
    candidates: Iterable[Candidate], bindings: Bindings, case: Case
) -> list[tuple[Candidate, Verdict]]:
    judged = ((one, holds(one.when, bindings, case)) for one in candidates)
    return [(candidate, verdict) for candidate, verdict in judged if verdict is not False]


def decide(
    definition: Definition, choice: Choice, bindings: Bindings, case: Case
) -> tuple[Candidate, Known] | Unknown:
    """Return the candidate that decides a definition, with its value."""
    found: list[tuple[Candidate, Known]] = []
    for candidate, verdict in _applicable(choice.candidates, bindings, case):
        if isinstance(verdict, Unknown):
            return Unknown(verdict.cause)
        result = value_of(candidate.value, bindings, case)
        if isinstance(result, Unknown):
            return Unknown(result.cause)
        found.append((candidate, result))
        if choice.choose == "first":
            break
    if not found:
        fact = bindings.get(definition.fact_type or "")
        shown = _named(fact, definition.name) if fact else f"measure.{definition.name}"
        return Unknown(Text(f"{shown} is absent.", f"{shown} 没有值。"), is_absent=True)
    if choice.choose == "max":
        # The first of several that tie decides, as with min.
        return max(found, key=lambda pair: cast("int", pair[1]))
    return min(found, key=lambda pair: cast("int", pair[1])) if choice.choose == "min" else found[0]


def reason_of(field: FieldRef, bindings: Bindings, case: Case) -> Reason | None:
    """Return the reason that decided a derived field, None where it has none."""
    fact = holder_of(field, bindings, case)
    if isinstance(fact, Unknown):
        return None
    definition = case.run.pack.derived[field.owner, field.name.removesuffix("_reason")]
    assert isinstance(definition.body, Choice), "only choices have reasons"
    decided = decide(definition, definition.body, bindings_of(fact, case), case)
    return None if isinstance(decided, Unknown) else decided[0].reason


def _aggregate(definition: Definition, body: Aggregation, bindings: Bindings, case: Case) -> Result:
    values: list[Known] = []
    unknown = case.unknown_of(body.fact_type)
    if unknown is not None:
        return Unknown(unknown.cause)
    for fact in case.facts_of(body.fact_type):
        inner = {**bindings, body.alias: fact}
        verdict = both(case.presence_of(fact), holds(body.when, inner, case))
        if verdict is False:
            continue
        if isinstance(verdict, Unknown):
            return Unknown(verdict.cause)
        result = fact.id if body.of is None else value_of(body.of, inner, case)
        if isinstance(result, Unknown):
            return Unknown(result.cause)
        values.append(result)
    return _fold(definition, body, values)


def _fold(definition: Definition, body: Aggregation, values: list[Known]) -> Result:
    if body.function == "count":
        return len(values)
    if body.function == "count_distinct":
        return len(set(values))
    if body.function == "sum":
        total = apply("+", (sum(cast("list[int]", values)), 0))
        shown = definition.name
        return (
            Unknown(Text(f"The sum {shown} is beyond 2^53 - 1.", f"合计 {shown} 超出 2^53-1。"))
            if total is None
            else total
        )
    if not values:
        return Unknown(
            Text(
                f"{definition.name} of no facts is absent.", f"没有事实，{definition.name} 无值。"
            ),
            is_absent=True,
        )
    ordered = cast("list[int]", values)
    return min(ordered) if body.function == "min" else max(ordered)


# --- conditions -------------------------------------------------------------------------------


def verdict_of(condition: Condition, bindings: Bindings, case: Case) -> Verdict:
    """Return whether a condition holds."""
    if isinstance(condition, Comparison):
        return _compare(condition, bindings, case)
    if isinstance(condition, Presence):
        return _presence(condition, bindings, case)
    found = value_of(condition.value, bindings, case)
    if isinstance(found, Unknown):
        return found
    if isinstance(condition, Truth):
        return bool(found) != condition.is_negated
    items = condition.items
    if not isinstance(items, tuple):
        listed = value_of(items, bindings, case)
        if isinstance(listed, Unknown):
            return listed
        return (found in cast("tuple[str, ...]", listed)) != condition.is_negated
    return (found in items) != condition.is_negated


def _compare(condition: Comparison, bindings: Bindings, case: Case) -> Verdict:
    left = value_of(condition.left, bindings, case)
    if isinstance(left, Unknown):
        return left
    right = value_of(condition.right, bindings, case)
    if isinstance(right, Unknown):
        return right
    return _COMPARE[condition.operator](left, right)


def _presence(condition: Presence, bindings: Bindings, case: Case) -> Verdict:
    if is_stored(condition.field):
        # Asked for most often, and no reason why it is absent is wanted.
        is_there = field_of(bindings[condition.field.alias], condition.field.name) is not None
        return is_there != condition.is_negated
    found = value_of(condition.field, bindings, case)
    if isinstance(found, Unknown) and not found.is_absent:
        return found
    return isinstance(found, Unknown) == condition.is_negated


def both(first: Verdict, second: Verdict) -> Verdict:
    """Return Kleene's conjunction: false wins over unknown, unknown over true."""
    if first is False or second is False:
        return False
    return first if isinstance(first, Unknown) else second


def line_holds(line: Line, bindings: Bindings, case: Case) -> Verdict:
    """Return whether one of a line's conditions holds."""
    if len(line.conditions) == 1:
        return verdict_of(line.conditions[0], bindings, case)
    unknown: Unknown | None = None
    for condition in line.conditions:
        verdict = verdict_of(condition, bindings, case)
        if verdict is True:
            return True
        if isinstance(verdict, Unknown):
            unknown = unknown or verdict
    return unknown or False


def holds(lines: Lines, bindings: Bindings, case: Case) -> Verdict:
    """Return whether all lines hold."""
    unknown: Unknown | None = None
    for line in lines:
        verdict = line_holds(line, bindings, case)
        if verdict is False:
            return False
        if isinstance(verdict, Unknown):
            unknown = unknown or verdict
    return unknown or True


def day_or_value(value: Known) -> str | int | bool:
    """Return a value as JSON spells it."""
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, date):
        return value.isoformat()
    return ", ".join(map(str, value)) if isinstance(value, tuple) else value

"""Values and conditions of a pack as SQL over the tables of a frame.

Source: docs/spec/pack-format.md, PF-7, PF-12, PF-14; `rules/values.py` is the meaning.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from carnet.core.text import Text
from carnet.rules.ast import (
    AsOf,
    Call,
    Comparison,
    Condition,
    Constant,
    FieldRef,
    Line,
    Lines,
    Lookup,
    MeasureRef,
    Membership,
    ParameterRef,
    Presence,
    Scalar,
    Truth,
    Value,
    ValueKind,
)
from carnet.rules.bulk.arithmetic import FUNCTIONS
from carnet.rules.bulk.frame import Bound, Frame
from carnet.rules.bulk.plan import Computed, key_of
from carnet.rules.bulk.sql import (
    FALSE,
    TRUE,
    Pair,
    Sql,
    among,
    as_text,
    both,
    case,
    compared,
    constant,
    either,
    is_known,
    is_null,
    joined_text,
    negated,
    not_false,
    pair,
    text,
    typed_null,
)
from carnet.rules.bulk.tables import in_list, lookup_worth
from carnet.rules.bulk.worth import Verdict, Worth, first_cause
from carnet.rules.parameters import Known, Unknown

Guards = frozenset[FieldRef]
"""Fields that lines beside show to be present, so that their absence settles nothing anew."""
NO_GUARDS: Guards = frozenset()


def _no_cause() -> Pair:
    return text(""), text("")


def _about(parts: Sequence[Sql | str], en: str, zh: str) -> Pair:
    """Return a text in both languages that begins with the same parts."""
    spelled = [text(part) if isinstance(part, str) else part for part in parts]
    return joined_text([*spelled, text(en)]), joined_text([*spelled, text(zh)])


# --- constants --------------------------------------------------------------------------------


def _fixed(value: Scalar) -> Worth:
    return Worth(constant(value), is_certain=True, absent=FALSE, cause=_no_cause)


def _unknown(kind: ValueKind, found: Unknown) -> Worth:
    absent: Sql = TRUE if found.is_absent else FALSE
    return Worth(typed_null(kind), is_certain=False, absent=absent, cause=lambda: pair(found.cause))


def _parameter(found: Known | Unknown, kind: ValueKind) -> Worth:
    if isinstance(found, Unknown):
        return _unknown(kind, found)
    return _fixed(", ".join(found) if isinstance(found, tuple) else found)


# --- fields -----------------------------------------------------------------------------------


def absence_of(fact_type: str, holder: Bound, name: str) -> Pair:
    """Return that a field of a fact is absent."""
    return _about([f"{fact_type}/", holder.column("id"), f".{name}"], " is absent.", " 未填写。")


def _dangling(fact_type: str, holder: Bound, name: str, target: str) -> Pair:
    shown = [text(f"{fact_type}/"), holder.column("id"), text(f".{name}")]
    led = [text(f"{target}/"), holder.column(name)]
    return (
        joined_text([*shown, text(" names "), *led, text(", which is not in the case.")]),
        joined_text([*shown, text(" 指向 "), *led, text("，但案件中没有该事实。")]),
    )


def _computed(frame: Frame, info: Computed, field: FieldRef, holder: Bound) -> Worth:
    """Return a derived field of a fact that is there."""
    return _from_columns(info, holder if info.is_local else frame.computed_of(info, field))


def _from_columns(info: Computed, source: Bound) -> Worth:
    absent: Sql = TRUE if info.is_absent_only else FALSE
    value = source.column(info.column())
    if not (info.is_absent_only or info.never_absent or info.is_certain):
        absent = source.column(info.column("absent"))
    if info.is_certain:
        # What always has a value has no columns that say why it has none.
        return Worth(value, is_certain=True, absent=FALSE, cause=_no_cause)
    return Worth(
        value,
        is_certain=False,
        absent=absent,
        cause=lambda: (source.column(info.column("en")), source.column(info.column("zh"))),
    )


def _measure(frame: Frame, info: Computed) -> Worth:
    return _from_columns(info, frame.measure_of(info))


def _own(frame: Frame, field: FieldRef, owner: str, holder: Bound) -> Worth:
    """Return a field of the fact that holds it."""
    key = key_of(field)
    if key is not None:
        return _computed(frame, frame.plan.computed[key], field, holder)
    value = holder.column(field.name)
    certain = frame.plan.is_required(owner, field.name)
    return Worth(value, certain, TRUE, lambda: absence_of(owner, holder, field.name))


def _is_inside(frame: Frame, field: FieldRef, depth: int, holder_type: str) -> bool:
    """Return whether a step of a field's references always leads to a fact of the case."""
    name, target = field.references[depth]
    named = {(ref.alias, ref.name) for _, ref, _ in frame.plan.pack.case.named}
    _, _, bound = frame.holder(field.alias)
    is_case = type(bound).__name__ == "CaseFact"
    if depth == 0 and is_case and (field.alias, name) in named:
        return True
    return frame.plan.is_inside(holder_type, name, target)


def _field(frame: Frame, field: FieldRef) -> Worth:
    _, holder_type, holder = frame.holder(field.alias)
    steps: list[tuple[Sql, Sql, Callable[[], Pair]]] = []
    for depth, (name, target) in enumerate(field.references):
        near, near_type = holder, holder_type
        inside = _is_inside(frame, field, depth, near_type)
        prefix = FieldRef(field.alias, field.references[: depth + 1], target, "id", "string")
        holder_type, holder = frame.referred(prefix)
        if not frame.plan.is_required(near_type, name):
            steps.append((is_null(near.column(name)), TRUE, _absent_step(near_type, near, name)))
        if not inside:
            found = is_null(holder.column("id"))
            steps.append((found, FALSE, _dangling_step(near_type, near, name, target)))
    own = _own(frame, field, holder_type, holder)
    return _after_steps(own, steps) if steps else own


def _absent_step(near_type: str, near: Bound, name: str) -> Callable[[], Pair]:
    return lambda: absence_of(near_type, near, name)


def _dangling_step(near_type: str, near: Bound, name: str, target: str) -> Callable[[], Pair]:
    return lambda: _dangling(near_type, near, name, target)


def _after_steps(own: Worth, steps: list[tuple[Sql, Sql, Callable[[], Pair]]]) -> Worth:
    """Return a field that is there only if its references lead somewhere."""
    absent = own.absent
    if any(step_absent != absent for _, step_absent, _ in steps):
        absent = case([(test, value) for test, value, _ in steps], own.absent)

    def cause() -> Pair:
        told = [(test, build()) for test, _, build in steps]
        last = own.cause()
        return (
            case([(test, texts[0]) for test, texts in told], last[0]),
            case([(test, texts[1]) for test, texts in told], last[1]),
        )

    return Worth(own.sql, is_certain=False, absent=absent, cause=cause)


# --- calls ------------------------------------------------------------------------------------


def _call(frame: Frame, call: Call, guards: Guards) -> Worth:
    arguments = [worth_of(frame, one, guards) for one in call.arguments]
    result = FUNCTIONS[call.function](*(one.sql for one in arguments))
    has_value = call.function in {"days_between", "date_of"}
    known = both(*(is_known(one.sql) for one in arguments if not one.is_certain))

    def cause() -> Pair:
        return _call_cause(call, arguments, result)

    return Worth(
        result,
        is_certain=all(one.is_certain for one in arguments) and has_value,
        absent=known,
        cause=cause,
    )


def _call_cause(call: Call, arguments: list[Worth], result: Sql) -> Pair:
    shown: list[Sql] = [text(f"{call.function}(")]
    for index, one in enumerate(arguments):
        shown += [text(", "), as_text(one.sql)] if index else [as_text(one.sql)]
    out_of_range = _about(
        [*shown, ")"], " has no value within the allowed range.", " 在允许范围内没有值。"
    )
    unknown = [(one.sql, one.cause) for one in arguments if not one.is_certain]
    return first_cause([*unknown, (result, lambda: out_of_range)])


# --- values -----------------------------------------------------------------------------------


def worth_of(frame: Frame, value: Value, guards: Guards = NO_GUARDS) -> Worth:
    """Return what a value is worth in a frame.

    Args:
        frame: The query.
        value: The value.
        guards: Fields whose absence makes a line beside false, or another side of an `||` true.
    """
    if isinstance(value, FieldRef):
        found = _field(frame, value)
        if value in guards and found.absent == TRUE:
            return Worth(found.sql, is_certain=True, absent=TRUE, cause=found.cause)
        return found
    if isinstance(value, Constant):
        return _fixed(value.value)
    if isinstance(value, AsOf):
        return _fixed(frame.plan.as_of)
    if isinstance(value, ParameterRef):
        return _parameter(frame.plan.parameters[value.id], value.kind)
    if isinstance(value, MeasureRef):
        return _measure(frame, frame.plan.computed["", value.name])
    if isinstance(value, Lookup):
        arguments = [worth_of(frame, one, guards) for one in value.arguments]
        return lookup_worth(frame.plan, value, arguments)
    return _call(frame, value, guards)


# --- conditions -------------------------------------------------------------------------------


def _over(worths: Sequence[Worth], sql: Sql) -> Verdict:
    """Return a condition that is unknown where one of some values is."""
    unknown = [(one.sql, one.cause) for one in worths if not one.is_certain]
    cause = (lambda: first_cause(unknown)) if unknown else _no_cause
    return Verdict(sql, not unknown, cause)


def _strict(worths: Sequence[Worth], sql: Sql) -> Verdict:
    """Return a condition that is unknown exactly where one of some values is."""
    opened = either(*(is_null(one.sql) for one in worths if not one.is_certain))
    return replace(_over(worths, sql), open=opened)


def _membership(frame: Frame, condition: Membership, guards: Guards) -> Verdict:
    value = worth_of(frame, condition.value, guards)
    items = condition.items
    worths = [value]
    if isinstance(items, Lookup):
        arguments = [worth_of(frame, one, guards) for one in items.arguments]
        worths.append(lookup_worth(frame.plan, items, arguments))
        sql = in_list(frame.plan, value, items, arguments)
        return _over(worths, negated(sql) if condition.is_negated else sql)
    if isinstance(items, ParameterRef):
        found = frame.plan.parameters[items.id]
        if isinstance(found, Unknown):
            listed = _unknown("boolean", found)
            return _over([value, listed], listed.sql)
        items = found if isinstance(found, tuple) else (found,)
    sql = among(value.sql, [constant(item) for item in items]) if items else FALSE
    return _over(worths, negated(sql) if condition.is_negated else sql)


def verdict_of(frame: Frame, condition: Condition, guards: Guards = NO_GUARDS) -> Verdict:
    """Return whether a condition holds in a frame."""
    if isinstance(condition, Comparison):
        left = worth_of(frame, condition.left, guards)
        right = worth_of(frame, condition.right, guards)
        return _strict([left, right], compared(left.sql, condition.operator, right.sql))
    if isinstance(condition, Presence):
        found = worth_of(frame, condition.field)
        sql = negated(found.presence) if condition.is_negated else found.presence
        return Verdict(sql, found.is_certain or found.absent == TRUE, found.cause)
    if isinstance(condition, Truth):
        value = worth_of(frame, condition.value, guards)
        return _strict([value], negated(value.sql) if condition.is_negated else value.sql)
    return _membership(frame, condition, guards)


def line_verdict(frame: Frame, line: Line, guards: Guards = NO_GUARDS) -> Verdict:
    """Return whether one of a line's conditions holds in a frame."""
    inside = guards | {
        one.field for one in line.conditions if isinstance(one, Presence) and one.is_negated
    }
    found = [verdict_of(frame, one, inside) for one in line.conditions]
    if len(found) == 1:
        return found[0]
    unknown = [one for one in found if not one.is_certain]
    cause = (
        (lambda: first_cause([(one.sql, one.cause) for one in unknown])) if unknown else _no_cause
    )
    return Verdict(either(*(one.sql for one in found)), not unknown, cause)


def guards_of(lines: Lines) -> Guards:
    """Return the fields whose absence makes some lines false."""
    return frozenset(
        line.conditions[0].field
        for line in lines
        if len(line.conditions) == 1
        and isinstance(line.conditions[0], Presence)
        and not line.conditions[0].is_negated
    )


def line_verdicts(frame: Frame, lines: Lines, guards: Guards = NO_GUARDS) -> list[Verdict]:
    """Return whether each of some lines holds, where all of them are asked together."""
    inside = guards | guards_of(lines)
    return [line_verdict(frame, line, inside) for line in lines]


def all_hold(verdicts: Sequence[Verdict]) -> Verdict:
    """Return whether all lines hold."""
    unknown = [(one.sql, one.cause) for one in verdicts if not one.is_certain]
    cause = (lambda: first_cause(unknown)) if unknown else _no_cause
    return Verdict(both(*(one.sql for one in verdicts)), not unknown, cause)


def any_open(verdicts: Sequence[Verdict]) -> Sql:
    """Return whether a line is unknown; where none is false, they are unknown together."""
    return either(*(one.is_open for one in verdicts if not one.is_certain))


def may_hold(verdicts: Sequence[Verdict]) -> Sql:
    """Return whether no line is false, each on its own so that the engine can use it early."""
    return both(*(one.sql if one.is_certain else not_false(one.sql) for one in verdicts))


def yes_or_no(value: Sql, known: Text) -> Sql:
    """Return how a boolean is spelled in a text."""
    return case([(value, text(known.en))], text(known.zh))

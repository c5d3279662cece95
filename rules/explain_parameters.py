"""Which value of a parameter was in force, and why this one of its dated values.

Source: docs/spec/pack-format.md, PF-6 and PF-59.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from carnet.core.text import Text
from carnet.rules.ast import (
    DatedValue,
    Definition,
    FieldRef,
    MeasureRef,
    Pack,
    Parameter,
    ParameterRef,
    Rule,
    Value,
    conditions_of,
    parts_of,
    said_by,
    values_of,
    values_of_definition,
)
from carnet.rules.case import Run
from carnet.rules.parameters import Known, value_in_force
from carnet.rules.values import day_or_value


def _why_not(value: DatedValue, best: DatedValue | None, as_of: date) -> Text:
    """Return why a dated value does not count on a day."""
    if value.known_from > as_of:
        return Text(
            f"published only on {value.known_from}", f"{value.known_from} 才公布，当时尚不可知"
        )
    if value.valid_from > as_of:
        return Text(f"begins only on {value.valid_from}", f"自 {value.valid_from} 起才适用")
    if value.valid_to is not None and value.valid_to < as_of:
        return Text(f"ended on {value.valid_to}", f"已于 {value.valid_to} 终止")
    assert best is not None, "a value that applies is never without one that wins"
    if value.known_from < best.known_from:
        return Text(
            f"replaced by what was published on {best.known_from}",
            f"已由 {best.known_from} 公布的取值取代",
        )
    return Text(
        f"replaced by the value that begins on {best.valid_from}",
        f"已由自 {best.valid_from} 起适用的取值取代",
    )


def _applies(value: DatedValue, as_of: date) -> bool:
    until = value.valid_to or date.max
    return value.valid_from <= as_of <= until and value.known_from <= as_of


def _why(best: DatedValue, applying: Sequence[DatedValue], as_of: date) -> Text:
    until = Text(f" to {best.valid_to}", f" 至 {best.valid_to}") if best.valid_to else Text("", "")
    start = Text(
        f"applies from {best.valid_from}{until.en}, published on {best.known_from}",
        f"自 {best.valid_from}{until.zh} 适用，{best.known_from} 公布",
    )
    count = len(applying)
    if count == 1:
        return Text(
            f"{start.en}: the only value for {as_of}", f"{start.zh}：{as_of} 唯一适用的取值"
        )
    if sum(one.known_from == best.known_from for one in applying) > 1:
        return Text(
            f"{start.en}: of {count} for {as_of} the one published last that begins last",
            f"{start.zh}：{as_of} 适用的 {count} 个取值中最后公布且最晚起算者",
        )
    return Text(
        f"{start.en}: of {count} for {as_of} the one published last",
        f"{start.zh}：{as_of} 适用的 {count} 个取值中最后公布者",
    )


def _spelled(value: Known) -> Any:
    return list(value) if isinstance(value, tuple) else day_or_value(value)


def _dated(value: DatedValue, reason: Text, *, is_in_force: bool) -> dict[str, Any]:
    return {
        "value": _spelled(value.value),
        "valid_from": value.valid_from.isoformat(),
        "valid_to": value.valid_to.isoformat() if value.valid_to else None,
        "known_from": value.known_from.isoformat(),
        "is_in_force": is_in_force,
        "reason": reason.to_json(),
    }


def explain_parameter(parameter: Parameter, run: Run) -> dict[str, Any]:
    """Return a parameter with its law, the value in force and why no other one is."""
    best = value_in_force(parameter, run.as_of)
    values = []
    applying = [one for one in parameter.values if _applies(one, run.as_of)]
    for one in parameter.values:
        if one is best:
            values.append(_dated(one, _why(one, applying, run.as_of), is_in_force=True))
        else:
            values.append(_dated(one, _why_not(one, best, run.as_of), is_in_force=False))
    cited = parameter.citation
    return {
        "id": parameter.id,
        "title": parameter.title.to_json(),
        "unit": parameter.unit,
        "status": parameter.status,
        "is_confirmed": parameter.id in run.confirmed,
        "value": None if best is None else _spelled(best.value),
        "citation": {
            "fact": cited.fact,
            "title": cited.title,
            "article": cited.article,
            "link": cited.link,
        },
        "values": values,
        "corrigenda": [one.to_json() for one in parameter.corrigenda],
    }


# --- which parameters a rule reads ------------------------------------------------------------


def _values_of_rule(rule: Rule) -> Iterator[Value]:
    lines = [*(one.line for one in rule.scope), *rule.when]
    lines += [line for block in rule.without for line in block.when]
    for condition in conditions_of(tuple(lines)):
        yield from values_of(condition)
    yield from said_by(rule)


def _definition(part: Value, pack: Pack) -> Definition | None:
    if isinstance(part, MeasureRef):
        return pack.measures[part.name]
    if isinstance(part, FieldRef) and part.is_derived:
        name = part.name.removesuffix("_reason") if part.is_reason else part.name
        return pack.derived.get((part.owner, name))
    return None


def parameters_read(rule: Rule, pack: Pack) -> list[str]:
    """Return the parameters that a rule may read, itself or through definitions, sorted."""
    found: set[str] = set()
    seen: set[int] = set()
    waiting = list(_values_of_rule(rule))
    while waiting:
        for part in parts_of(waiting.pop()):
            if isinstance(part, ParameterRef):
                found.add(part.id)
            definition = _definition(part, pack)
            if definition is not None and id(definition) not in seen:
                seen.add(id(definition))
                waiting += values_of_definition(definition)
    return sorted(found)


def explain_parameters(names: Iterable[str], run: Run) -> list[dict[str, Any]]:
    """Return what is to be said about some parameters, sorted by id."""
    known: Mapping[str, Parameter] = run.pack.parameters
    return [explain_parameter(known[name], run) for name in sorted(set(names))]

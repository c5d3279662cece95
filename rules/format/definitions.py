"""From the YAML of `rules/*.yaml` to derived fields and measures.

Source: docs/spec/pack-format.md, 4.3 and 4.4.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Literal, cast

from carnet.core.text import Text
from carnet.facts.schema import RULE_TYPES
from carnet.rules.ast import (
    Aggregate,
    Aggregation,
    Candidate,
    Choice,
    Constant,
    Definition,
    FieldRef,
    MeasureRef,
    Reason,
    Value,
    ValueKind,
    parts_of,
    values_of_definition,
)
from carnet.rules.format.build import Defects, check_alias, check_fact_type, read_lines
from carnet.rules.format.expression import parse_value
from carnet.rules.format.names import Names
from carnet.rules.format.raw import RawRules
from carnet.rules.format.section import NAME, Section
from carnet.rules.reads import DefinitionKey

CANDIDATES_MAX = 16
COMPUTED = "()"
"""The owner of a type of computed facts among the keys of definitions."""
FUNCTIONS = ("count", "sum", "min", "max", "count_distinct")
DERIVED_KINDS = ("integer", "date", "string", "boolean")


def declare(
    raw: RawRules, names: Names, defects: Defects
) -> tuple[Names, dict[DefinitionKey, Section]]:
    """Return the names with every derived field and measure, before any is typed."""
    kinds: dict[tuple[str, str], ValueKind] = {}
    reasons: set[tuple[str, str]] = set()
    sections: dict[DefinitionKey, Section] = {}
    for section in raw.derived:
        with defects.collect():
            key = _declare_derived(section, kinds)
            kinds[key] = cast("ValueKind", section.one_of("kind", DERIVED_KINDS))
            sections[key] = section
            if _has_reasons(section):
                reasons.add(key)
    for section in raw.measures:
        with defects.collect():
            name = section.matching("name", NAME)
            if ("", name) in sections:
                raise section.fault(
                    Text(f"The measure {name} stands twice.", f"指标 {name} 重复。")
                )
            sections["", name] = section
    measures = frozenset(name for owner, name in sections if not owner)
    declared = replace(names, derived=kinds, reasons=frozenset(reasons), measures=measures)
    return declared, sections


def _declare_derived(
    section: Section, kinds: Mapping[tuple[str, str], ValueKind]
) -> tuple[str, str]:
    owner = check_fact_type(section.string("fact"), section, section.line_of("fact"))
    name = section.matching("name", NAME)
    if (owner, name) in kinds or name in RULE_TYPES[owner].columns:
        raise section.fault(
            Text(f"{owner} already has a field {name}.", f"{owner} 已有字段 {name}。"),
            line=section.line_of("name"),
        )
    return owner, name


def _has_reasons(section: Section) -> bool:
    candidates = section.data.get("candidates")
    return isinstance(candidates, list) and any(
        isinstance(candidate, dict) and "reason" in candidate for candidate in candidates
    )


# --- definitions ------------------------------------------------------------------------------


def _value(section: Section, key: str, names: Names) -> Value:
    raw = section.any(key)
    if isinstance(raw, date):
        return Constant(raw, "date")
    if isinstance(raw, bool):
        return Constant(raw, "boolean")
    return parse_value(str(raw), replace(names, divisions=True))


def _candidate(section: Section, names: Names, defects: Defects) -> Candidate:
    reason = None
    if section.has("reason"):
        inner = section.section("reason")
        reason = Reason(inner.matching("id", NAME), Text(inner.string("en"), inner.string("zh")))
        inner.close()
    result = Candidate(
        _value(section, "value", names), read_lines(section, "when", names, defects), reason
    )
    section.close()
    return result


def _choice(section: Section, names: Names, defects: Defects) -> Choice:
    choose = section.one_of("choose", ("min", "max", "first"))
    candidates = []
    for raw, line in section.items("candidates", CANDIDATES_MAX):
        with defects.collect(section.file, line):
            candidates.append(
                _candidate(Section(raw, section.file, line, "a candidate"), names, defects)
            )
    if candidates and len({candidate.reason is None for candidate in candidates}) > 1:
        raise section.fault(
            Text(
                "Either all candidates have a reason or none.", "候选项须全部带 reason 或全部不带。"
            )
        )
    if not candidates:
        raise section.fault(Text("There is no candidate.", "没有候选项。"))
    return Choice(cast("Literal['min', 'max', 'first']", choose), tuple(candidates))


def _aggregation(section: Section, names: Names, defects: Defects) -> Aggregation:
    function = cast("Aggregate", section.one_of("function", FUNCTIONS))
    inner = section.section("over")
    if len(inner.data) != 1:
        raise inner.fault(Text("'over' names one alias.", "over 须恰有一个别名。"))
    ((alias, _),) = inner.data.items()
    line = inner.line_of(alias)
    check_alias(alias, inner, line, names.aliases)
    fact_type = check_matched(inner.string(alias), names, inner, line)
    reach = names.with_aliases({alias: fact_type})
    when = read_lines(section, "when", reach, defects)
    of = None if function == "count" else _value(section, "of", reach)
    return Aggregation(function, alias, fact_type, when, of)


def check_matched(fact_type: str, names: Names, section: Section, line: int) -> str:
    """Return the name of a type whose facts a case may have, computed ones included.

    Raises:
        RulePackError: There is no such type, or no path puts it into a case.
    """
    if fact_type in names.computed:
        return fact_type
    check_fact_type(fact_type, section, line)
    check_in_case(fact_type, names, section, line)
    return fact_type


def check_in_case(fact_type: str, names: Names, section: Section, line: int) -> None:
    """Refuse a fact type that no path puts into a case.

    Raises:
        RulePackError: It has no path.
    """
    if fact_type not in names.types:
        raise section.fault(
            Text(f"{fact_type} has no path to the case.", f"{fact_type} 没有到达案件的路径。"),
            Text("Add its path to pack.yaml.", "请在 pack.yaml 中添加其路径。"),
            line=line,
        )


def _result_kind(body: Value | Choice | Aggregation) -> set[ValueKind]:
    if isinstance(body, Choice):
        return {candidate.value.kind for candidate in body.candidates}
    if isinstance(body, Aggregation):
        counted = body.of is None or body.function == "count_distinct"
        return {"integer" if counted or body.of is None else body.of.kind}
    return {body.kind}


def read_definition(
    key: DefinitionKey, section: Section, names: Names, defects: Defects
) -> Definition:
    """Return a derived field or a measure.

    Raises:
        RulePackError: It is not well formed or its values are not of its kind.
    """
    owner, name = key
    kind: ValueKind = names.derived[key] if owner else "integer"
    if owner:
        section.string("fact"), section.string("kind")
        others = {a: t for a, t in names.aliases.items() if a != owner}
        names = replace(names, aliases={**others, owner: owner}, matched=frozenset({owner}))
    section.string("name")
    body: Value | Choice | Aggregation
    if section.has("choose"):
        body = _choice(section, names, defects)
    elif section.has("function"):
        body = _aggregation(section, names, defects)
    else:
        body = _value(section, "value", names)
    result = Definition(name, section.text("title"), kind, body, owner or None)
    section.close()
    _check_kinds(section, result)
    return result


def _check_kinds(section: Section, definition: Definition) -> None:
    body = definition.body
    kinds = _result_kind(body)
    needs_order = (isinstance(body, Choice) and body.choose != "first") or (
        isinstance(body, Aggregation) and body.function in {"min", "max"}
    )
    sums_integers = not (isinstance(body, Aggregation) and body.function == "sum") or kinds == {
        "integer"
    }
    if kinds != {definition.kind} or not sums_integers:
        found = ", ".join(sorted(kinds))
        raise section.fault(
            Text(
                f"{definition.name} is {definition.kind}, but a value of it is {found}.",
                f"{definition.name} 的类型为 {definition.kind}，但其值类型为 {found}。",
            )
        )
    if needs_order and definition.kind not in {"integer", "date"}:
        raise section.fault(
            Text("min and max need integers or dates.", "min 和 max 只能用于整数或日期。")
        )


def _keys_read(definition: Definition) -> Iterator[DefinitionKey]:
    if isinstance(definition.body, Aggregation):
        yield COMPUTED, definition.body.fact_type
    yield from _keys_of(values_of_definition(definition))


def _keys_of(values: Iterable[Value]) -> Iterator[DefinitionKey]:
    for value in values:
        for part in parts_of(value):
            if isinstance(part, MeasureRef):
                yield "", part.name
            elif isinstance(part, FieldRef) and part.is_derived:
                yield part.owner, part.name


def find_circle(
    definitions: Mapping[DefinitionKey, Definition],
    types: Mapping[str, Sequence[Value]] | None = None,
) -> DefinitionKey | None:
    """Return a definition or a type of computed facts that rests on itself, if there is one.

    Args:
        definitions: Derived fields and measures.
        types: What the facts of each computed type read; such a type has the owner `COMPUTED`.
    """
    typed = {(COMPUTED, name): values for name, values in (types or {}).items()}
    reads = {key: set(_keys_read(definition)) for key, definition in definitions.items()}
    reads |= {key: set(_keys_of(values)) for key, values in typed.items()}
    open_keys = {key: found & reads.keys() for key, found in reads.items()}
    while True:
        ready = [key for key, reads in open_keys.items() if not reads & open_keys.keys()]
        if not ready:
            return min(open_keys, default=None)
        for key in ready:
            del open_keys[key]

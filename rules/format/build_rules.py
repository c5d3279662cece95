"""From the YAML of `rules/*.yaml` to derived fields, measures and rules.

Source: docs/spec/pack-format.md, section 4.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal, cast

from carnet.core.errors import RulePackError
from carnet.core.text import Text
from carnet.facts.schema import FACT_TYPES
from carnet.rules.ast import (
    Aggregate,
    Aggregation,
    Candidate,
    Choice,
    Constant,
    Definition,
    FieldRef,
    Lines,
    MeasureRef,
    Reason,
    Rule,
    ScopeLine,
    Severity,
    Template,
    Value,
    ValueKind,
    Without,
    conditions_of,
    parts_of,
    texts_of,
    values_of,
    values_of_definition,
)
from carnet.rules.format.build import Defects, check_alias, check_fact_type, read_lines
from carnet.rules.format.expression import parse_line, parse_value
from carnet.rules.format.grammar import ExpressionError
from carnet.rules.format.names import Names
from carnet.rules.format.section import IDENTIFIER, NAME, Section, read_text
from carnet.rules.format.template import parse_template
from carnet.rules.reads import DefinitionKey, Reads

RULES_MAX = 2_000
RULE_LINES_MAX = 20_000
"""Lines of all rules of a pack; what reading a pack takes grows with them."""
DEFINITIONS_MAX = 500
CANDIDATES_MAX = 16
MATCH_MAX = 8
WITHOUT_MAX = 8
SCOPE_MAX = 16
CITATIONS_MAX = 16
_FUNCTIONS = ("count", "sum", "min", "max", "count_distinct")
_DERIVED_KINDS = ("integer", "date", "string", "boolean")


@dataclass(frozen=True, slots=True)
class RawRules:
    """The mappings of all rule files, not yet typed."""

    derived: list[Section]
    measures: list[Section]
    rules: list[Section]


def collect_raw(roots: Iterable[Section], defects: Defects) -> RawRules:
    """Return the elements of all rule files in order.

    Raises:
        RulePackError: The pack has more than RULES_MAX rules or RULE_LINES_MAX lines in them.
    """
    result = RawRules([], [], [])
    for root in roots:
        for key, target, most in (
            ("derived", result.derived, DEFINITIONS_MAX),
            ("measures", result.measures, DEFINITIONS_MAX),
            ("rules", result.rules, RULES_MAX),
        ):
            for raw, line in root.items(key, most):
                with defects.collect():
                    target.append(Section(raw, root.file, line, f"an element of {key!r}"))
        with defects.collect():
            root.close()
    _check_size(result)
    return result


def _check_size(raw: RawRules) -> None:
    lines = sum(_line_count(rule.data) for rule in raw.rules)
    for count, most, en, zh in (
        (len(raw.rules), RULES_MAX, "rules", "条规则"),
        (lines, RULE_LINES_MAX, "lines in its rules", "行规则条件"),
    ):
        if count > most:
            raise RulePackError(
                "CRN-R-003",
                Text(
                    f"The pack has {count} {en}; at most {most} are allowed.",
                    f"规则包有 {count} {zh}；最多 {most} {zh[0]}。",
                ),
                Text("Divide it into several packs.", "请将其拆分为多个规则包。"),
            )


def _line_count(rule: Mapping[str, object]) -> int:
    """Return how many lines a rule has, which may still be of any shape."""
    blocks = rule.get("without")
    listed_blocks = blocks if isinstance(blocks, list) else []
    holders = [block for block in listed_blocks if isinstance(block, dict)]
    listed = [rule.get("scope"), rule.get("when"), *(block.get("when") for block in holders)]
    return sum(len(lines) for lines in listed if isinstance(lines, list))


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
            kinds[key] = cast("ValueKind", section.one_of("kind", _DERIVED_KINDS))
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
    if (owner, name) in kinds or name in FACT_TYPES[owner].columns:
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
    function = cast("Aggregate", section.one_of("function", _FUNCTIONS))
    inner = section.section("over")
    if len(inner.data) != 1:
        raise inner.fault(Text("'over' names one alias.", "over 须恰有一个别名。"))
    ((alias, _),) = inner.data.items()
    line = inner.line_of(alias)
    check_alias(alias, inner, line, names.aliases)
    fact_type = check_fact_type(inner.string(alias), inner, line)
    check_in_case(fact_type, names, inner, line)
    reach = names.with_aliases({alias: fact_type})
    when = read_lines(section, "when", reach, defects)
    of = None if function == "count" else _value(section, "of", reach)
    return Aggregation(function, alias, fact_type, when, of)


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
    for value in values_of_definition(definition):
        for part in parts_of(value):
            if isinstance(part, MeasureRef):
                yield "", part.name
            elif isinstance(part, FieldRef) and part.is_derived:
                yield part.owner, part.name


def find_circle(definitions: Mapping[DefinitionKey, Definition]) -> DefinitionKey | None:
    """Return a definition that rests on itself, if there is one."""
    open_keys = {
        key: set(_keys_read(definition)) & definitions.keys()
        for key, definition in definitions.items()
    }
    while True:
        ready = [key for key, reads in open_keys.items() if not reads & open_keys.keys()]
        if not ready:
            return min(open_keys, default=None)
        for key in ready:
            del open_keys[key]


# --- rules ------------------------------------------------------------------------------------


def _pairs(section: Section, key: str, most: int, names: Names) -> tuple[tuple[str, str], ...]:
    taken = dict(names.aliases)
    result = []
    for raw, line in section.items(key, most):
        item = Section(raw, section.file, line, f"an item of {key!r}")
        if len(item.data) != 1:
            raise item.fault(
                Text("Write one `alias: fact type` per item.", "每项须写作一个 `别名: 事实类型`。")
            )
        ((alias, _),) = item.data.items()
        check_alias(alias, item, line, taken)
        fact_type = check_fact_type(item.string(alias), item, line)
        check_in_case(fact_type, names, item, line)
        taken[alias] = fact_type
        result.append((alias, fact_type))
    return tuple(result)


def _scope(section: Section, names: Names, defects: Defects) -> Iterator[ScopeLine]:
    for raw, line in section.items("scope", SCOPE_MAX):
        item = Section(raw, section.file, line, "a scope line")
        text, reason = item.string("when"), item.text("reason")
        item.close()
        with defects.collect(section.file, item.line_of("when")):
            yield ScopeLine(parse_line(text, names, item.line_of("when")), reason)


def _without(section: Section, names: Names, defects: Defects) -> Iterator[Without]:
    for raw, line in section.items("without", WITHOUT_MAX):
        item = Section(raw, section.file, line, "a block of 'without'")
        others = [key for key in item.data if key != "when"]
        if len(others) != 1:
            raise item.fault(
                Text(
                    "A block names one `alias: fact type` beside 'when'.",
                    "每个块除 when 外须恰有一个 `别名: 事实类型`。",
                )
            )
        (alias,) = others
        check_alias(alias, item, line, names.aliases)
        fact_type = check_fact_type(item.string(alias), item, line)
        check_in_case(fact_type, names, item, line)
        reach = names.with_aliases({alias: fact_type})
        when = read_lines(item, "when", reach, defects)
        item.close()
        yield Without(alias, fact_type, when)


def _template(section: Section, key: str, names: Names) -> Template:
    inner = section.section(key)
    try:
        return parse_template(read_text(inner), names)
    except ExpressionError as fault:
        raise section.fault(fault.message, fault.hint, line=inner.line) from fault


def _values_of_rule(rule: Rule) -> Iterator[Value]:
    blocks: tuple[Lines, ...] = (rule.when, *(block.when for block in rule.without))
    for lines in blocks:
        for condition in conditions_of(lines):
            yield from values_of(condition)
    yield from texts_of(rule)


def read_rule(
    section: Section, names: Names, reads: Reads, cited: frozenset[str], defects: Defects
) -> Rule:
    """Return a rule.

    Raises:
        RulePackError: It is not well formed.
    """
    citation = section.strings("citation", CITATIONS_MAX)
    _check_citation(section, citation, cited)
    match = _pairs(section, "match", MATCH_MAX, names)
    reach = names.with_aliases(dict(match))
    finding = section.section("finding")
    rule = Rule(
        id=section.matching("id", IDENTIFIER),
        title=section.text("title"),
        citation=tuple(sorted(set(citation))),
        severity=cast(
            "Severity", section.one_of("severity", ("blocking", "major", "minor", "info"))
        ),
        scope=tuple(_scope(section, names, defects)),
        match=match,
        when=read_lines(section, "when", reach, defects),
        without=tuple(_without(section, reach, defects)),
        message=_template(finding, "message", reach),
        remedy=_template(finding, "remedy", reach),
        file=section.file,
        number=section.line,
    )
    finding.close()
    section.close()
    _check_says_something(section, rule)
    values = list(_values_of_rule(rule))
    scope = conditions_of(tuple(one.line for one in rule.scope))
    return replace(
        rule,
        unverified=reads.of_values(values),
        direct=reads.direct(values),
        scope_unverified=reads.of_values(value for one in scope for value in values_of(one)),
    )


def _check_citation(section: Section, citation: tuple[str, ...], cited: frozenset[str]) -> None:
    missing = [fact for fact in citation if fact not in cited]
    if not citation or missing:
        shown = ", ".join(missing) or "-"
        raise section.fault(
            Text(
                f"The rule cites law facts that the pack does not define: {shown}.",
                f"规则引用了规则包未定义的法规条目：{shown}。",
            ),
            Text(
                "Define them in law.yaml or in a parameter's citation.",
                "请在 law.yaml 或参数的 citation 中定义。",
            ),
            line=section.line_of("citation"),
        )


def _check_says_something(section: Section, rule: Rule) -> None:
    """Refuse a rule that asks nothing: it would find fault with every case.

    A lone negation with no line is the classic one: it fires wherever nothing was imported.
    """
    asks = [section.data.get(key) for key in ("match", "when", "scope")]
    asks += [block.when for block in rule.without]
    if not any(asks):
        raise section.fault(
            Text(
                f"The rule {rule.id} has no condition and would find fault with every case.",
                f"规则 {rule.id} 没有任何条件，会对每个案件报告问题。",
            ),
            Text(
                "Add a line to scope, when or without.", "请在 scope、when 或 without 中添加条件。"
            ),
        )

"""From the YAML of `rules/*.yaml` to rules.

Source: docs/spec/pack-format.md, 4.2.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from carnet.core.text import Text
from carnet.rules.ast import (
    Lines,
    Output,
    Rule,
    ScopeLine,
    Value,
    Without,
    conditions_of,
    said_by,
    values_of,
)
from carnet.rules.format.build import Defects, check_alias, read_lines
from carnet.rules.format.definitions import check_matched
from carnet.rules.format.expression import parse_line
from carnet.rules.format.names import Names
from carnet.rules.format.outcome import read_outcome
from carnet.rules.format.section import IDENTIFIER, Section
from carnet.rules.reads import Reads

MATCH_MAX = 8
WITHOUT_MAX = 8
SCOPE_MAX = 16
CITATIONS_MAX = 16


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
        fact_type = check_matched(item.string(alias), names, item, line)
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
        fact_type = check_matched(item.string(alias), names, item, line)
        reach = names.with_aliases({alias: fact_type})
        when = read_lines(item, "when", reach, defects)
        item.close()
        yield Without(alias, fact_type, when)


def _values_of_rule(rule: Rule) -> Iterator[Value]:
    blocks: tuple[Lines, ...] = (rule.when, *(block.when for block in rule.without))
    for lines in blocks:
        for condition in conditions_of(lines):
            yield from values_of(condition)
    yield from said_by(rule)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the rules of a pack may name beside the names of their lines."""

    reads: Reads
    cited: frozenset[str]
    outputs: Mapping[str, Output]


def read_rule(section: Section, names: Names, vocabulary: Vocabulary, defects: Defects) -> Rule:
    """Return a rule.

    Raises:
        RulePackError: It is not well formed.
    """
    citation = section.strings("citation", CITATIONS_MAX)
    _check_citation(section, citation, vocabulary.cited)
    match = _pairs(section, "match", MATCH_MAX, names)
    reach = names.with_aliases(dict(match))
    outcome = read_outcome(section, reach, vocabulary.outputs)
    rule = Rule(
        id=section.matching("id", IDENTIFIER),
        title=section.text("title"),
        citation=tuple(sorted(set(citation))),
        severity=outcome.severity,
        scope=tuple(_scope(section, names, defects)),
        match=match,
        when=read_lines(section, "when", reach, defects),
        without=tuple(_without(section, reach, defects)),
        message=outcome.message,
        remedy=outcome.remedy,
        settings=outcome.settings,
        action=outcome.action,
        file=section.file,
        number=section.line,
    )
    section.close()
    _check_says_something(section, rule)
    values = list(_values_of_rule(rule))
    scope = conditions_of(tuple(one.line for one in rule.scope))
    return replace(
        rule,
        unverified=vocabulary.reads.of_values(values).union(
            *(vocabulary.reads.of_type(kind) for _, kind in rule.aliases)
        ),
        direct=vocabulary.reads.direct(values),
        scope_unverified=vocabulary.reads.of_values(
            value for one in scope for value in values_of(one)
        ),
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
        raise section.refusal(
            Text(
                f"The rule {rule.id} has no condition and would find fault with every case.",
                f"规则 {rule.id} 没有任何条件，会对每个案件报告问题。",
            ),
            Text(
                "Add a line to scope, when or without.", "请在 scope、when 或 without 中添加条件。"
            ),
        )

"""What a case must have on file, and which of its documents are there: read off the rules.

A rule asks for a document where it matches one row of a decision table and raises its finding
unless some document meets a `without` block. What meets that block is the evidence, and nothing
here knows of any law.

Source: docs/spec/pack-format.md, PF-71.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import Rule
from carnet.rules.case import Bindings, Case
from carnet.rules.finding import Prepared, prepare
from carnet.rules.given import FactKey
from carnet.rules.parameters import Unknown
from carnet.rules.values import Verdict, both, holds

DOCUMENT_TYPES: Final[Mapping[str, str]] = {
    "certificate": "id",
    "certificate_act": "certificate_id",
    "ip_search": "id",
}
"""Types of facts that are documents or parts of one, with the field that names the document."""

State = Literal["met", "missing", "undetermined"]


@dataclass(frozen=True, slots=True)
class Requirement:
    """A document that a rule asks for because a row of a decision table hits.

    Args:
        rule: The rule.
        table: The decision table.
        row: Its row.
        name: What is asked for.
        act: The act of the row, where the row names one.
        state: Whether it is there.
        documents: The documents that meet it.
        cause: Why it cannot be told, if so.
    """

    rule: str
    table: str
    row: str
    name: Text
    act: str | None
    state: State
    documents: tuple[FactKey, ...] = ()
    cause: Text | None = None


def requirements_of(case: Case) -> list[Requirement]:
    """Return the documents that the rules of a pack ask for, in the order of the rules and rows."""
    prepared = prepare(case)
    if prepared is None or case.broken:
        return []
    skipped = {one.rule for one in prepared.not_applicable}
    return [
        one
        for rule in case.run.pack.rules
        if _asks_for_document(rule, case) and rule.id not in skipped
        for one in _of_rule(rule, prepared)
    ]


def _asks_for_document(rule: Rule, case: Case) -> bool:
    return (
        len(rule.match) == 1
        and rule.match[0][1] in case.run.tables
        and bool(rule.without)
        and all(block.fact_type in DOCUMENT_TYPES for block in rule.without)
    )


def _of_rule(rule: Rule, prepared: Prepared) -> Iterator[Requirement]:
    case = prepared.case
    cause = next((one.cause for one in prepared.errors if one.rule == rule.id), None)
    alias, table = rule.match[0]
    for row in case.facts_of(table):
        bindings = {**case.named, alias: row}
        asked = both(case.presence_of(row), holds(rule.when, bindings, case))
        if asked is not False:
            yield _requirement(rule, row, asked, cause, bindings, case)


def _requirement(
    rule: Rule, row: Fact, asked: Verdict, cause: Text | None, bindings: Bindings, case: Case
) -> Requirement:
    met: dict[FactKey, None] = {}
    unsure = cause or (asked.cause if isinstance(asked, Unknown) else None)
    for block in rule.without:
        for fact in case.facts_of(block.fact_type):
            inner = {**bindings, block.alias: fact}
            verdict = both(case.presence_of(fact), holds(block.when, inner, case))
            if verdict is True:
                met[_document(fact)] = None
            elif isinstance(verdict, Unknown):
                unsure = unsure or verdict.cause
    state: State = "undetermined" if unsure else "missing"
    act = row.fields.get("act")
    return Requirement(
        rule.id,
        row.type,
        row.id,
        _name(rule, row),
        act if isinstance(act, str) else None,
        "met" if met else state,
        tuple(met),
        None if met else unsure,
    )


def _document(fact: Fact) -> FactKey:
    name = DOCUMENT_TYPES[fact.type]
    if name == "id":
        return fact.type, fact.id
    return name.removesuffix("_id"), str(fact.fields[name])


def _name(rule: Rule, row: Fact) -> Text:
    """Return what a row is called in both languages, else the title of its rule."""
    en, zh = row.fields.get("name_en"), row.fields.get("name_zh")
    return Text(en, zh) if isinstance(en, str) and isinstance(zh, str) else rule.title

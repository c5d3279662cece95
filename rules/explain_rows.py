"""Which rows of decision tables a line rests on, and the law that they cite.

Source: docs/spec/pack-format.md, PF-44 and PF-59.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from carnet.rules.ast import (
    Aggregation,
    Choice,
    Lookup,
    MeasureRef,
    Pack,
    Value,
    parts_of,
)
from carnet.rules.case import Bindings, Case
from carnet.rules.values import arguments_of

ROWS_MAX: Final = 20
"""Rows shown for one line."""


def _lookups(
    parts: Iterable[Value], bindings: Bindings, case: Case
) -> Iterator[tuple[Lookup, Bindings]]:
    """Yield the lookups of some values, those within measures among them."""
    for part in parts:
        if isinstance(part, Lookup):
            yield part, bindings
        elif isinstance(part, MeasureRef):
            body = case.run.pack.measures[part.name].body
            if not isinstance(body, Aggregation | Choice):
                yield from _lookups(parts_of(body), case.named, case)


def _law(pack: Pack, facts: Iterable[str]) -> list[dict[str, str]]:
    cited = [pack.law[fact] for fact in facts if fact in pack.law]
    return [{"fact": one.fact, "title": one.title, "article": one.article} for one in cited]


def explain_rows(parts: Iterable[Value], bindings: Bindings, case: Case) -> list[dict[str, Any]]:
    """Return the rows that hit, or may, for what some values look up, each once."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for lookup, bound in _lookups(parts, bindings, case):
        table = case.run.tables[lookup.table]
        for one, unknown in table.considered(arguments_of(lookup, bound, case)):
            found[lookup.table, one.row.id] = {
                "table": lookup.table,
                "row": one.row.id,
                "status": one.row.status,
                "is_sure": unknown is None,
                "citation": _law(case.run.pack, one.row.citation),
            }
    return list(found.values())[:ROWS_MAX]

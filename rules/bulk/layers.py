"""Definitions that read more than their own fact: tables by case and fact, or by case.

What can stand in one row together shares a table, because each table more is joined wherever
several definitions are read: aggregations of one type are one table, and so are the values and
choices that rest on them.
"""

from sqlglot import exp

from carnet.rules.ast import (
    Aggregation,
    Definition,
    FieldRef,
    parts_of,
    values_of_definition,
)
from carnet.rules.bulk.aggregates import add_aggregations, over_type
from carnet.rules.bulk.definitions import columns_of, computed, definition_of
from carnet.rules.bulk.frame import Columns, Frame, Row
from carnet.rules.bulk.hits import add_hits
from carnet.rules.bulk.plan import ALL_TYPES, Plan, key_of, keys_read, table_of
from carnet.rules.bulk.sql import Sql, aliased, equal, name_of
from carnet.rules.reads import DefinitionKey


def add_tables(plan: Plan, keys: list[DefinitionKey]) -> None:
    """Add the tables of definitions that read more than their own fact.

    Those of one fact type that can be worked out together share a table: each table more is joined
    wherever several are read.

    Args:
        plan: The compilation.
        keys: The definitions, each after those it reads.
    """
    waiting = [*keys]
    while waiting:
        ready = [key for key in waiting if _unread(plan, key) == set()]
        grouped = [key for key in ready if isinstance(definition_of(plan, key).body, Aggregation)]
        for key in grouped:
            add_hits(plan, over_type(plan, key))
        for owner in dict.fromkeys(owner for owner, _ in grouped or ready):
            some = [key for key in grouped if key[0] == owner]
            if some:
                plan.computed |= add_aggregations(plan, some)
            else:
                _add_layer(plan, _layer(plan, owner, waiting))
        waiting = [key for key in waiting if key not in plan.computed]


def _unread(plan: Plan, key: DefinitionKey) -> set[DefinitionKey]:
    """Return the definitions that one reads and that are not compiled yet."""
    return keys_read(plan.pack, definition_of(plan, key)) - plan.computed.keys()


def _layer(plan: Plan, owner: str, waiting: list[DefinitionKey]) -> list[DefinitionKey]:
    """Return the definitions of a type, or the measures, that can stand in one row together."""
    taken: list[DefinitionKey] = []
    for key in waiting:
        definition = definition_of(plan, key)
        if key[0] != owner or isinstance(definition.body, Aggregation):
            continue
        if _unread(plan, key) <= {*taken} and _reads_own_row(definition, taken):
            taken.append(key)
    return taken


def _reads_own_row(definition: Definition, taken: list[DefinitionKey]) -> bool:
    """Return whether what a definition reads of some others belongs to the same fact."""
    return not any(
        isinstance(part, FieldRef) and (part.references or part.alias != definition.fact_type)
        for value in values_of_definition(definition)
        for part in parts_of(value)
        if key_of(part) in taken
    )


def _add_layer(plan: Plan, keys: list[DefinitionKey]) -> None:
    """Add a table of definitions of one type, or of measures: a row for each fact of each case."""
    owner, relation = keys[0][0], table_of(keys[0])
    read = {one for key in keys for one in keys_read(plan.pack, definition_of(plan, key))}
    tables = {plan.computed[one].relation for one in read - {*keys} if one[0] == owner} - {""}
    query, case_id = _rows_of(plan, owner, sorted(tables))
    inside, has_cases = frozenset({relation, *tables}), case_id == "case_id"
    for key in keys:
        frame = Frame(plan, query, case_id=case_id, inside=inside, has_cases=has_cases)
        if owner:
            frame.bind(owner, owner, Row(frame.table))
        frame.bind_case()
        plan.computed[key], query = computed(frame, key, relation)
    row = Row((last := Frame(plan, query)).table)
    columns = [("case_id", row.column(case_id)), *([("id", row.column("id"))] if owner else [])]
    told = [one for key in keys for one in columns_of(plan.computed[key])]
    plan.add(relation, last.select([*columns, *((one, row.column(one)) for one in told)]))


def _rows_of(plan: Plan, owner: str, relations: list[str]) -> tuple[exp.Query, str]:
    """Return the facts of a type in every case, or the cases, and the column of the case's id.

    The fields of the cases stand in the same rows, unless a name would stand twice, and so do the
    columns of earlier tables of the same rows.
    """
    frame = Frame(plan, plan.cases, case_id="case_id")
    tables = [frame.table]
    listed: list[Sql] = []
    own: Row | None = None
    if owner:
        own = frame.join_members(owner)
        tables.append(own.table)
        aliases = {plan.pack.case.alias, *(alias for alias, _, _ in plan.pack.case.named)}
        derived = {name for kind, name in plan.computed if kind == owner}
        if aliases & derived or "case_id" in ALL_TYPES[owner].columns:
            listed = [aliased(frame.case_id, "$for")]
            del tables[0]

    def same(one: Columns) -> list[Sql]:
        keys = [equal(one("case_id"), frame.case_id)]
        return keys if own is None else [*keys, equal(one("id"), own.column("id"))]

    for name in relations:
        row = Row(frame.join(name, "LEFT", same))
        names = [
            label
            for one in plan.computed.values()
            if one.relation == name
            for label in columns_of(one)
        ]
        listed += [aliased(row.column(label), label) for label in names]
    query = frame.select([])
    stars = [exp.Column(this=exp.Star(), table=name_of(table)) for table in tables]
    query.set("expressions", [*listed, *stars])
    return query, "case_id" if frame.table in tables else "$for"

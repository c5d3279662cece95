"""Decision tables in SQL: each row in force is one condition in Kleene's logic.

Which rows count follows from the hit policy alone, so a lookup is one expression over the
conditions of the rows: NULL where it is undetermined, or where there is no value.

Source: OMG DMN 1.5, 8.2.8; docs/spec/pack-format.md, PF-43 to PF-46; `rules/tables.py` is the
meaning.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlglot import exp

from carnet.rules.ast import Cell, Interval, Lookup, Scalar, Table, TableRow, row_key
from carnet.rules.bulk.arithmetic import wide, within
from carnet.rules.bulk.plan import Plan
from carnet.rules.bulk.sql import (
    FALSE,
    NULL,
    TRUE,
    Pair,
    Sql,
    among,
    as_text,
    both,
    case,
    cast,
    coalesced,
    compared,
    constant,
    either,
    equal,
    is_null,
    is_true,
    joined_text,
    negated,
    not_false,
    number,
    pair,
    text,
    typed_null,
)
from carnet.rules.bulk.worth import Worth
from carnet.rules.tables import CompiledTable, is_in_force, rank_of

_IN_ORDER = frozenset({"F", "P"})


# --- cells ------------------------------------------------------------------------------------


def _interval(value: Sql, one: Interval) -> Sql:
    if one.low is not None and one.low == one.high and one.includes_low:
        return equal(value, constant(one.low))
    ends: list[Sql] = []
    if one.low is not None:
        ends.append(compared(value, ">=" if one.includes_low else ">", constant(one.low)))
    if one.high is not None:
        ends.append(compared(value, "<=" if one.includes_high else "<", constant(one.high)))
    return both(*ends)


def _listed(cell: Cell) -> list[Scalar] | None:
    found = [one.low for one in cell.intervals if one.low is not None and one.low == one.high]
    return found if len(found) == len(cell.intervals) else None


def _cell(value: Sql, cell: Cell) -> Sql:
    """Return whether a value fits a cell; NULL where it is unknown."""
    listed = _listed(cell)
    if listed is not None and len(listed) > 1:
        fits = among(value, [constant(item) for item in listed])
    else:
        fits = either(*(_interval(value, one) for one in cell.intervals))
    return negated(fits) if cell.is_negated else fits


# --- rows -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RowTest:
    """A row in force over some arguments.

    Args:
        row: The row.
        sql: Whether it hits; NULL where that cannot be told.
        is_certain: Whether it is never NULL.
        cause: Builds why it cannot be told.
    """

    row: TableRow
    sql: Sql
    is_certain: bool
    cause: Callable[[], Pair]


def row_tests(plan: Plan, table: Table, arguments: Sequence[Worth]) -> list[RowTest]:
    """Return the rows in force in the order in which the hit policy looks at them."""
    rows = [row for row in table.rows if is_in_force(row, plan.as_of)]
    if table.hit_policy in {"P", "O"}:
        rows.sort(key=partial(rank_of, table))
    return [_row_test(plan, table, row, arguments) for row in rows]


def _row_test(plan: Plan, table: Table, row: TableRow, arguments: Sequence[Worth]) -> RowTest:
    tested = [(arguments[at], cell) for at, cell in enumerate(row.cells) if cell.intervals]
    tests = [_cell(worth.sql, cell) for worth, cell in tested]
    unknown = [worth for worth, _ in tested if not worth.is_certain]
    is_open = row.status == "U" and row_key(table.id, row.id) not in plan.confirmed
    if is_open:
        tests.append(cast(NULL, "BOOLEAN"))

    def cause() -> Pair:
        told = [(is_null(one.sql), one.cause()) for one in unknown]
        last = row_cause(plan, table, row.id) if is_open else (text(""), text(""))
        return (
            case([(test, texts[0]) for test, texts in told], last[0]),
            case([(test, texts[1]) for test, texts in told], last[1]),
        )

    return RowTest(row, both(*tests), not (unknown or is_open), cause)


def row_cause(plan: Plan, table: Table, row: str) -> Pair:
    """Return why a row of status U does not count yet."""
    return pair(CompiledTable(table, plan.as_of, frozenset()).unconfirmed_of(row).cause)


def row_rests(table: Table, tests: Sequence[RowTest], row: str) -> Sql:
    """Return whether a row of status U is among those that the hit policy looks at."""
    earlier: list[Sql] = []
    for one in tests:
        if one.row.id == row:
            return both(not_false(one.sql), *(negated(is_true(other)) for other in earlier))
        if table.hit_policy in _IN_ORDER:
            earlier.append(one.sql)
    return FALSE


# --- the hit policy ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hits:
    """The rows of a table over some arguments, and what its hit policy makes of them."""

    table: Table
    tests: list[RowTest]

    @property
    def undetermined(self) -> Sql:
        """Whether it cannot be told which rows hit."""
        if self.table.hit_policy in _IN_ORDER:
            branches = []
            for one in self.tests:
                if not one.is_certain:
                    branches.append((is_null(one.sql), TRUE))
                branches.append((one.sql, FALSE))
            return case(branches, FALSE) if any(not one.is_certain for one in self.tests) else FALSE
        return either(
            self.conflict, *(is_null(one.sql) for one in self.tests if not one.is_certain)
        )

    def _groups(self) -> list[list[RowTest]]:
        """Return the rows in groups of which two may not hit together."""
        if self.table.hit_policy == "U":
            return [[one] for one in self.tests]
        groups: dict[tuple[Scalar | None, ...], list[RowTest]] = {}
        for one in self.tests:
            groups.setdefault(one.row.outputs, []).append(one)
        return list(groups.values())

    @property
    def conflict(self) -> Sql:
        """Whether rows hit that may not hit together."""
        if self.table.hit_policy not in {"U", "A"} or len(self.tests) < 2:  # noqa: PLR2004 (two rows)
            return FALSE
        groups = self._groups()
        if len(groups) == 1:
            return FALSE
        count = _sum_of(
            [
                case([(either(*(one.sql for one in group)), number(1))], number(0))
                for group in groups
            ]
        )
        return compared(count, ">=", number(2))

    def picked(self, of: Callable[[TableRow], Sql]) -> Sql:
        """Return what the first row that hits has."""
        return case((one.sql, of(one.row)) for one in self.tests)

    def _second(self) -> Sql:
        """Return the id of the first row that hits beside the first one and may not."""
        branches: list[tuple[Sql, Sql]] = []
        by_row = {one.row.id: group for group in self._groups() for one in group}
        for place, one in enumerate(self.tests):
            own = {id(other) for other in by_row[one.row.id]}
            before = [other.sql for other in self.tests[:place] if id(other) not in own]
            if before:
                branches.append((both(one.sql, either(*before)), text(one.row.id)))
        return case(branches, text(""))

    def cause(self) -> Pair:
        """Return why it cannot be told which rows hit."""
        told = [(is_null(one.sql), one.cause()) for one in self.tests if not one.is_certain]
        branches = [(test, texts[0]) for test, texts in told], [(t, p[1]) for t, p in told]
        if self.conflict != FALSE:
            en, zh = self._conflict_text()
            branches[0].insert(0, (self.conflict, en))
            branches[1].insert(0, (self.conflict, zh))
        return case(branches[0], text("")), case(branches[1], text(""))

    def _conflict_text(self) -> Pair:
        name, policy = self.table.id, self.table.hit_policy
        first, second = self.picked(lambda row: text(row.id)), self._second()
        why = ("they differ", "但两行的输出不同")
        if policy == "U":
            why = ("only one may", "但只允许一行命中")
        en = [text("The rows "), first, text(" and "), second]
        en.append(text(f" of the table {name} (hit policy {policy}) both hit, but {why[0]}."))
        zh = [text(f"决策表 {name}（命中策略 {policy}）的行 "), first, text(" 与 "), second]
        zh.append(text(f" 同时命中，{why[1]}。"))
        return joined_text(en), joined_text(zh)


def _sum_of(values: Sequence[Sql]) -> Sql:
    if len(values) == 1:
        return values[0]
    middle = len(values) // 2
    left, right = _sum_of(values[:middle]), _sum_of(values[middle:])
    return exp.Paren(this=exp.Add(this=left, expression=right))


# --- lookups ----------------------------------------------------------------------------------


def lookup_worth(plan: Plan, lookup: Lookup, arguments: Sequence[Worth]) -> Worth:
    """Return what a lookup is worth; a list is worth its text."""
    table = plan.pack.tables[lookup.table]
    hits = Hits(table, row_tests(plan, table, arguments))
    undetermined = hits.undetermined
    value = _value(hits, lookup)
    if undetermined != FALSE:
        value = case([(undetermined, typed_null(lookup.kind))], value)
    overflows = _overflow(hits, lookup) if table.collection == "sum" else FALSE
    absent = negated(either(undetermined, overflows))

    def cause() -> Pair:
        return _cause(hits, lookup, arguments, undetermined, overflows)

    counts = table.collection == "count" or table.gives_list
    return Worth(value, counts and undetermined == FALSE, absent, cause)


def _outputs(hits: Hits, lookup: Lookup) -> list[tuple[Sql, Scalar]]:
    """Return the outputs of the rows that have one, with the conditions of the rows."""
    found = ((one.sql, one.row.outputs[lookup.position]) for one in hits.tests)
    return [(test, output) for test, output in found if output is not None]


def _value(hits: Hits, lookup: Lookup) -> Sql:
    table, outputs = hits.table, _outputs(hits, lookup)
    if table.gives_list:
        shown = [case([(test, text(f", {output}"))], text("")) for test, output in outputs]
        return exp.Substring(this=joined_text(shown), start=number(3))
    if table.collection == "count":
        ones = [case([(test, number(1))], number(0)) for test, _ in outputs]
        return cast(_sum_of(ones) if ones else number(0), "BIGINT")
    if table.collection is not None:
        return _collected(table, outputs)
    # The first row that hits decides, also where it has no such output.
    return case(
        [
            (one.sql, typed_null(lookup.kind) if output is None else constant(output))
            for one in hits.tests
            for output in [one.row.outputs[lookup.position]]
        ],
        typed_null(lookup.kind),
    )


def _collected(table: Table, outputs: list[tuple[Sql, Scalar]]) -> Sql:
    if not outputs:
        return typed_null("integer")
    if table.collection == "sum":
        return case([(either(*(test for test, _ in outputs)), within(_total(outputs)))])
    taken = [case([(test, constant(output))]) for test, output in outputs]
    if len(taken) == 1:
        return taken[0]
    kind = exp.Least if table.collection == "min" else exp.Greatest
    return kind(this=taken[0], expressions=taken[1:], ignore_nulls=True)


def _total(outputs: list[tuple[Sql, Scalar]]) -> Sql:
    return _sum_of([case([(test, wide(constant(one)))], wide(number(0))) for test, one in outputs])


def _overflow(hits: Hits, lookup: Lookup) -> Sql:
    outputs = _outputs(hits, lookup)
    return is_null(within(_total(outputs))) if outputs else FALSE


def _cause(
    hits: Hits, lookup: Lookup, arguments: Sequence[Worth], undetermined: Sql, overflows: Sql
) -> Pair:
    name, table = lookup.table, hits.table
    branches: list[tuple[Sql, Pair]] = []
    if undetermined != FALSE:
        branches.append((undetermined, hits.cause()))
    if overflows != FALSE:
        en = f"The sum of the table {name} is beyond 2^53 - 1."
        branches.append((overflows, (text(en), text(f"决策表 {name} 的合计超出 2^53-1。"))))
    if table.collection is None:
        row, output = hits.picked(lambda one: text(one.id)), table.outputs[lookup.position].name
        en_parts = [text("The row "), row, text(f" of the table {name} has no {output}.")]
        zh_parts = [text(f"决策表 {name} 的行 "), row, text(f" 没有 {output}。")]
        hit = either(*(one.sql for one in hits.tests))
        branches.append((hit, (joined_text(en_parts), joined_text(zh_parts))))
    nothing = _nothing(table, arguments)
    return (
        case([(test, texts[0]) for test, texts in branches], nothing[0]),
        case([(test, texts[1]) for test, texts in branches], nothing[1]),
    )


def _nothing(table: Table, arguments: Sequence[Worth]) -> Pair:
    shown: list[Sql] = []
    for place, (column, worth) in enumerate(zip(table.inputs, arguments, strict=True)):
        spelled = as_text(worth.sql)
        if column.kind == "boolean":
            spelled = case([(worth.sql, text("true")), (negated(worth.sql), text("false"))])
        shown += [text(f"{', ' if place else ''}{column.name} = "), coalesced(spelled, text("?"))]
    return (
        joined_text([text(f"No row of the table {table.id} holds for "), *shown, text(".")]),
        joined_text([text(f"决策表 {table.id} 没有适用于 "), *shown, text(" 的行。")]),
    )


def in_list(plan: Plan, value: Worth, lookup: Lookup, arguments: Sequence[Worth]) -> Sql:
    """Return whether a value is in the list that a lookup gives; NULL where one is unknown."""
    table = plan.pack.tables[lookup.table]
    hits = Hits(table, row_tests(plan, table, arguments))
    found = either(
        *(both(test, equal(value.sql, constant(output))) for test, output in _outputs(hits, lookup))
    )
    unknown = either(hits.undetermined, FALSE if value.is_certain else is_null(value.sql))
    inside = coalesced(found, FALSE)
    return inside if unknown == FALSE else case([(unknown, cast(NULL, "BOOLEAN"))], inside)

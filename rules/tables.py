"""Evaluating decision tables: which rows hit for some inputs, and what follows from them.

A table is compiled once for a run: the rows in force on its date, each with tests for the inputs it
says something about, found by the first input that most rows compare with listed values.

Three kinds of rows come out of that: those that hit, those that cannot be told because an input is
unknown or the row is unverified, and those that do not hit. The *considered* rows are the first two
kinds as far as the hit policy looks at them: the policies F and P stop at the first row that hits
for certain. Nothing here knows of cases; that is `hits.py`.

Source: OMG DMN 1.5, 8.2.8 (hit policies); docs/spec/pack-format.md, PF-43 to PF-46.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

from carnet.core.canonical import INTEGER_MAX
from carnet.core.text import Text
from carnet.rules.ast import Cell, Interval, Scalar, Table, TableRow, row_key
from carnet.rules.parameters import Known, Unknown

MEMORY_MAX = 8_192
"""Inputs for which a run remembers the considered rows."""

Arguments = tuple[Known | Unknown, ...]
Test = Callable[[Known], bool]


# --- cells ------------------------------------------------------------------------------------


def listed_values(cell: Cell) -> frozenset[Scalar] | None:
    """Return the values that a cell lists; None where it also has intervals or is anything."""
    values = [one.low for one in cell.intervals if one.low is not None and one.low == one.high]
    return frozenset(values) if values and len(values) == len(cell.intervals) else None


def _within(one: Interval) -> Test:
    low, high, with_low, with_high = one.low, one.high, one.includes_low, one.includes_high

    def test(value: Known) -> bool:
        # Both ends are of the type of the column, which the format has checked.
        if low is not None and not (value >= low if with_low else value > low):  # type: ignore[operator]  # as above
            return False
        return high is None or bool(value <= high if with_high else value < high)  # type: ignore[operator]  # as above

    return test


def test_of(cell: Cell) -> Test | None:
    """Return whether a value fits a cell; None where every value does."""
    if not cell.intervals:
        return None
    listed = listed_values(cell)
    if listed is not None:
        if cell.is_negated:
            return lambda value: value not in listed
        return lambda value: value in listed
    tests = tuple(_within(one) for one in cell.intervals)
    if cell.is_negated:
        return lambda value: not any(test(value) for test in tests)
    if len(tests) == 1:
        return tests[0]
    return lambda value: any(test(value) for test in tests)


# --- rows -------------------------------------------------------------------------------------


def is_in_force(row: TableRow, as_of: date) -> bool:
    """Return whether a row counts on a day, as known on that day."""
    return (
        (row.valid_from is None or row.valid_from <= as_of)
        and (row.valid_to is None or as_of <= row.valid_to)
        and (row.known_from is None or row.known_from <= as_of)
    )


@dataclass(frozen=True, slots=True)
class CompiledRow:
    """A row in force.

    Args:
        row: The row.
        tests: The inputs it says something about, by position, with their tests.
        unconfirmed: Why it does not count yet, if so.
    """

    row: TableRow
    tests: tuple[tuple[int, Test], ...]
    unconfirmed: Unknown | None

    def verdict(self, arguments: Arguments) -> bool | Unknown:
        """Return whether the row hits: false if one input is, whatever else is unknown."""
        unknown: Unknown | None = None
        for position, test in self.tests:
            value = arguments[position]
            if isinstance(value, Unknown):
                unknown = unknown or value
            elif not test(value):
                return False
        if unknown is not None:
            return Unknown(unknown.cause)
        return self.unconfirmed or True


Considered = tuple[tuple[CompiledRow, Unknown | None], ...]
"""Rows with why it cannot be told whether they hit; None where they do."""


def _unconfirmed(table: Table, row: TableRow) -> Unknown:
    cited = f"; {', '.join(row.citation)}" if row.citation else ""
    zh_cited = f"；{'、'.join(row.citation)}" if row.citation else ""
    return Unknown(
        Text(
            f"The row {row.id} of the table {table.id} ({table.title.en}{cited}) is unverified (U)"
            " and not confirmed by officers.",
            f"决策表 {table.id} 的行 {row.id}（{table.title.zh}{zh_cited}）未经核实（U），"
            "且未经合规专员确认。",
        )
    )


def rank_of(table: Table, row: TableRow) -> tuple[int, ...]:
    """Return the rank of a row's outputs by the columns that have an order, the least first."""
    return tuple(
        column.order.index(value) if value in column.order else len(column.order)
        for column, value in zip(table.outputs, row.outputs, strict=True)
        if column.order
    )


def _as_value(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else str(value)


class CompiledTable:
    """A table on a date, with the rows of status U that officers have confirmed."""

    def __init__(self, table: Table, as_of: date, confirmed: frozenset[str]) -> None:
        self.table = table
        rows = [row for row in table.rows if is_in_force(row, as_of)]
        if table.hit_policy in {"P", "O"}:
            rows.sort(key=lambda row: rank_of(table, row))
        self._unconfirmed = {
            row.id: _unconfirmed(table, row) for row in table.rows if row.status == "U"
        }
        self._citations = {row.id: row.citation for row in table.rows}
        self._tests: dict[Cell, Test | None] = {}
        self._rows = tuple(self._compiled(row, confirmed) for row in rows)
        self._fields: dict[str, Mapping[str, Scalar]] = {}
        self._index_column, self._by_value, self._others = self._index()
        self._memory: dict[Arguments, Considered] = {}

    def _compiled(self, row: TableRow, confirmed: frozenset[str]) -> CompiledRow:
        tests = tuple(
            (position, test)
            for position, cell in enumerate(row.cells)
            if cell.intervals and (test := self._test(cell)) is not None
        )
        is_open = row.status == "U" and row_key(self.table.id, row.id) not in confirmed
        return CompiledRow(row, tests, self._unconfirmed[row.id] if is_open else None)

    def _test(self, cell: Cell) -> Test | None:
        """Return the test of a cell; cells that say the same share one."""
        if cell not in self._tests:
            self._tests[cell] = test_of(cell)
        return self._tests[cell]

    # -- finding rows --

    def _index(self) -> tuple[int, dict[Known, tuple[CompiledRow, ...]], tuple[CompiledRow, ...]]:
        """Return the column that most rows compare with listed values, and the rows by them."""

        def listed(one: CompiledRow, column: int) -> frozenset[Scalar] | None:
            cell = one.row.cells[column]
            return None if cell.is_negated else listed_values(cell)

        columns = range(len(self.table.inputs))
        counts = [sum(listed(one, n) is not None for one in self._rows) for n in columns]
        column = counts.index(max(counts)) if counts else 0
        found = [(one, listed(one, column)) for one in self._rows] if counts else []
        by_value: dict[Known, tuple[CompiledRow, ...]] = {}
        for value in {value for _, values in found for value in values or ()}:
            # A row that lists nothing for this column may hit for every value.
            by_value[value] = tuple(one for one, v in found if v is None or value in v)
        return column, by_value, tuple(one for one, values in found if values is None)

    def _candidates(self, arguments: Arguments) -> Sequence[CompiledRow]:
        if not arguments:
            return self._rows
        value = arguments[self._index_column]
        if isinstance(value, Unknown):
            return self._rows
        return self._by_value.get(value, self._others)

    def considered(self, arguments: Arguments) -> Considered:
        """Return the rows that hit or might, as far as the hit policy looks at them."""
        known = self._memory.get(arguments)
        if known is not None:
            return known
        result: list[tuple[CompiledRow, Unknown | None]] = []
        stops = self.table.hit_policy in {"F", "P"}
        for one in self._candidates(arguments):
            verdict = one.verdict(arguments)
            if verdict is False:
                continue
            unknown = verdict if isinstance(verdict, Unknown) else None
            result.append((one, unknown))
            if stops and unknown is None:
                break
        if len(self._memory) < MEMORY_MAX:
            self._memory[arguments] = tuple(result)
        return tuple(result)

    def rows_hit(self) -> frozenset[str]:
        """Return the rows that hit for the inputs asked so far, as far as they are remembered."""
        known = (pair for considered in self._memory.values() for pair in considered)
        return frozenset(one.row.id for one, unknown in known if unknown is None)

    def unverified(self, arguments: Arguments) -> frozenset[str]:
        """Return the rows of status U that a result rests on, as officers confirm them."""
        table = self.table.id
        return frozenset(
            row_key(table, one.row.id)
            for one, _ in self.considered(arguments)
            if one.row.status == "U"
        )

    # -- what follows --

    def conflict(self, arguments: Arguments) -> Unknown | None:
        """Return that rows hit which may not hit together; None where none do."""
        policy = self.table.hit_policy
        if policy not in {"U", "A"}:
            return None
        sure = [one.row for one, unknown in self.considered(arguments) if unknown is None]
        others = sure[1:]
        if policy == "A":
            others = [row for row in others if row.outputs != sure[0].outputs]
        if not others:
            return None
        name, first, second = self.table.id, sure[0].id, others[0].id
        why = Text("only one may", "但只允许一行命中")
        if policy == "A":
            why = Text("they differ", "但两行的输出不同")
        return Unknown(
            Text(
                f"The rows {first} and {second} of the table {name} (hit policy {policy}) both hit,"
                f" but {why.en}.",
                f"决策表 {name}（命中策略 {policy}）的行 {first} 与 {second} 同时命中，{why.zh}。",
            )
        )

    def hits(self, arguments: Arguments) -> list[TableRow] | Unknown:
        """Return the rows that the hit policy takes, in its order, or why they cannot be told."""
        conflict = self.conflict(arguments)
        if conflict is not None:
            return conflict
        considered = self.considered(arguments)
        unknown = next((why for _, why in considered if why is not None), None)
        if unknown is not None:
            return unknown
        rows = [one.row for one, _ in considered]
        return rows[:1] if self.table.hit_policy == "A" else rows

    def lookup(self, column: int, arguments: Arguments) -> Known | Unknown:
        """Return an output for some inputs: one value, or a list where the policy gives one."""
        rows = self.hits(arguments)
        if isinstance(rows, Unknown):
            return rows
        values = [value for row in rows if (value := row.outputs[column]) is not None]
        if self.table.gives_list:
            return cast("Known", tuple(values))
        if self.table.collection is not None:
            return self._collected(values, arguments)
        if values:
            return values[0]
        return self._absent(column, rows, arguments)

    def _collected(self, values: list[Scalar], arguments: Arguments) -> Known | Unknown:
        collection = self.table.collection
        if collection == "count":
            return len(values)
        if not values:
            return self._nothing(arguments)
        ordered = cast("list[int]", values)
        if collection != "sum":
            return min(ordered) if collection == "min" else max(ordered)
        total = sum(ordered)
        if abs(total) <= INTEGER_MAX:
            return total
        name = self.table.id
        return Unknown(
            Text(
                f"The sum of the table {name} is beyond 2^53 - 1.",
                f"决策表 {name} 的合计超出 2^53-1。",
            )
        )

    def _absent(self, column: int, rows: list[TableRow], arguments: Arguments) -> Unknown:
        if not rows:
            return self._nothing(arguments)
        row, output = rows[0].id, self.table.outputs[column].name
        return Unknown(
            Text(
                f"The row {row} of the table {self.table.id} has no {output}.",
                f"决策表 {self.table.id} 的行 {row} 没有 {output}。",
            ),
            is_absent=True,
        )

    def _nothing(self, arguments: Arguments) -> Unknown:
        shown = ", ".join(
            f"{column.name} = {'?' if isinstance(value, Unknown | tuple) else _as_value(value)}"
            for column, value in zip(self.table.inputs, arguments, strict=True)
        )
        return Unknown(
            Text(
                f"No row of the table {self.table.id} holds for {shown}.",
                f"决策表 {self.table.id} 没有适用于 {shown} 的行。",
            ),
            is_absent=True,
        )

    # -- rows as facts --

    def fields_of(self, row: TableRow) -> Mapping[str, Scalar]:
        """Return the outputs of a row by name, as the fields of a fact; absent ones are absent."""
        known = self._fields.get(row.id)
        if known is None:
            known = {
                column.name: value
                for column, value in zip(self.table.outputs, row.outputs, strict=True)
                if value is not None
            }
            self._fields[row.id] = known
        return known

    def is_unverified(self, row_id: str) -> bool:
        """Return whether officers must confirm a row."""
        return row_id in self._unconfirmed

    def unconfirmed_of(self, row_id: str) -> Unknown:
        """Return why a row of status U does not count before officers confirm it."""
        return self._unconfirmed[row_id]

    def citation_of(self, row_id: str) -> tuple[str, ...]:
        """Return the law facts that a row cites."""
        return self._citations.get(row_id, ())


def compile_tables(
    tables: Mapping[str, Table], as_of: date, confirmed: frozenset[str]
) -> dict[str, CompiledTable]:
    """Return the tables of a pack on a date."""
    return {name: CompiledTable(table, as_of, confirmed) for name, table in tables.items()}


def unverified_rows(tables: Mapping[str, Table]) -> frozenset[str]:
    """Return every row of status U, as officers confirm them."""
    return frozenset(
        row_key(name, row.id)
        for name, table in tables.items()
        for row in table.rows
        if row.status == "U"
    )

"""From the rows of a table file to a typed decision table.

Reading has three steps, because tables, measures and rules may name each other: the header and the
outputs of every table first, which tell what a line may name; then what its inputs hold, in the
language of conditions, when it is first asked for; then the cells, which only now can be checked
against the values that an input may have.

Source: OMG DMN 1.5, 8.2; docs/spec/pack-format.md, PF-40 to PF-44.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import PurePosixPath
from typing import Any, cast

from carnet.core.text import Text
from carnet.facts.schema import RULE_TYPES
from carnet.rules.ast import (
    Cell,
    FieldRef,
    RowStatus,
    Scalar,
    Table,
    TableInput,
    TableOutput,
    TableRow,
    Value,
    ValueKind,
)
from carnet.rules.format.build import Defects
from carnet.rules.format.cells import cell_of, constant, output_of, spell_cell
from carnet.rules.format.expression import RESERVED, parse_value
from carnet.rules.format.grammar import ExpressionError
from carnet.rules.format.grid import CODE, Grid, GridRow, cell_text
from carnet.rules.format.names import ComputedField, LookupColumn, Names, TableNames
from carnet.rules.format.section import NAME, defect
from carnet.rules.format.table_header import ROW_ID, Column, Header, read_header

CITATIONS_MAX = 16
_STATUS = ("V", "S", "U")


def table_id(file: str) -> str:
    """Return the name of the table in a file.

    >>> table_id("tables/deposit_steps.csv")
    'deposit_steps'
    """
    return PurePosixPath(file).stem


@dataclass(frozen=True, slots=True)
class _Side:
    """What stands in a row beside inputs and outputs."""

    status: RowStatus
    citation: tuple[str, ...]
    valid_from: date | None
    valid_to: date | None
    known_from: date | None
    note: str


class Draft:
    """A table whose inputs are not typed yet."""

    def __init__(self, grid: Grid, cited: frozenset[str], defects: Defects) -> None:
        self.id = table_id(grid.file)
        self.file = grid.file
        self.header: Header
        self.header, body = read_header(grid)
        self._cited = cited
        self._defects = defects
        self._rows: dict[str, tuple[GridRow, tuple[Scalar | None, ...], _Side]] = {}
        for row in body:
            with defects.collect(grid.file, row.number):
                self._add(row)
        if not self._rows and not defects.found:
            raise defect(CODE, grid.file, 0, Text("The table has no row.", "决策表没有任何行。"))

    def _cell(self, row: GridRow, column: Column) -> Scalar:
        return row.cells[column.position] if column.position < len(row.cells) else ""

    def _fault(self, row: GridRow, column: Column, fault: ExpressionError) -> ExpressionError:
        name = column.name or column.role
        return ExpressionError(
            Text(
                f"Row {cell_text(row.cells[0])}, column {name}: {fault.message.en}",
                f"行 {cell_text(row.cells[0])}、列 {name}：{fault.message.zh}",
            ),
            fault.hint,
            code=CODE,
        )

    def _add(self, row: GridRow) -> None:
        name = cell_text(row.cells[0])
        if not ROW_ID.fullmatch(name):
            raise ExpressionError(
                Text(
                    f"The row id {name!r:.80} is not of the form {ROW_ID.pattern}.",
                    f"行标识 {name!r:.80} 不符合 {ROW_ID.pattern}。",
                ),
                Text("Give every row an id in the first column.", "请在第一列为每行填写标识。"),
                code=CODE,
            )
        if name in self._rows:
            first = self._rows[name][0].number
            raise ExpressionError(
                Text(
                    f"The row id {name} stands twice (first in row {first}).",
                    f"行标识 {name} 重复（首次出现在第 {first} 行）。",
                ),
                code=CODE,
            )
        if len(row.cells) > self.header.width:
            raise ExpressionError(
                Text(
                    f"The row {name} has {len(row.cells)} cells; the table has"
                    f" {self.header.width} columns.",
                    f"行 {name} 有 {len(row.cells)} 个单元格；决策表只有 {self.header.width} 列。",
                ),
                Text("Put a cell with commas in double quotes.", "含逗号的单元格请加双引号。"),
                code=CODE,
            )
        outputs = tuple(self._output(row, column) for column in self.header.outputs)
        if all(value is None for value in outputs):
            raise ExpressionError(
                Text(f"The row {name} has no output.", f"行 {name} 没有输出。"), code=CODE
            )
        self._rows[name] = (row, outputs, self._side(row))

    def _output(self, row: GridRow, column: Column) -> Scalar | None:
        try:
            value = output_of(self._cell(row, column), column.kind)
        except ExpressionError as fault:
            raise self._fault(row, column, fault) from None
        if column.order and value not in column.order:
            listed = ", ".join(map(str, column.order))
            misplaced = ExpressionError(
                Text(
                    f"{value!r} is not in the order of the column ({listed}).",
                    f"{value!r} 不在该列的排序（{listed}）中。",
                )
            )
            raise self._fault(row, column, misplaced)
        return value

    # -- beside inputs and outputs --

    def _side(self, row: GridRow) -> _Side:
        side = _Side(
            status=cast("RowStatus", self._choice(row, "status", _STATUS, "S")),
            citation=self._citation(row),
            valid_from=self._day(row, "valid_from"),
            valid_to=self._day(row, "valid_to"),
            known_from=self._day(row, "known_from"),
            note=cell_text(self._side_cell(row, "note")),
        )
        if side.valid_from and side.valid_to and side.valid_to < side.valid_from:
            raise ExpressionError(
                Text(
                    f"Row {cell_text(row.cells[0])}: valid_to is before valid_from.",
                    f"行 {cell_text(row.cells[0])}：valid_to 早于 valid_from。",
                ),
                code=CODE,
            )
        return side

    def _side_cell(self, row: GridRow, role: str) -> Scalar:
        column = self.header.side.get(role)
        return "" if column is None else self._cell(row, column)

    def _choice(self, row: GridRow, role: str, choices: Sequence[str], usual: str) -> str:
        text = cell_text(self._side_cell(row, role)) or usual
        if text not in choices:
            fault = ExpressionError(
                Text(
                    f"{text!r:.40} is not one of {', '.join(choices)}.",
                    f"{text!r:.40} 不是 {'、'.join(choices)} 之一。",
                )
            )
            raise self._fault(row, self.header.side[role], fault)
        return text

    def _day(self, row: GridRow, role: str) -> date | None:
        text = cell_text(self._side_cell(row, role))
        if not text:
            return None
        try:
            return cast("date", constant(text, "date"))
        except ExpressionError as fault:
            raise self._fault(row, self.header.side[role], fault) from None

    def _citation(self, row: GridRow) -> tuple[str, ...]:
        text = cell_text(self._side_cell(row, "citation"))
        listed = tuple(part.strip() for part in text.split(",")) if text else ()
        missing = [fact for fact in listed if fact not in self._cited]
        if missing or len(listed) > CITATIONS_MAX:
            fault = ExpressionError(
                Text(
                    f"The pack does not define the law facts {', '.join(missing)!s:.200}.",
                    f"规则包未定义法规条目 {'、'.join(missing)!s:.200}。",
                ),
                Text(
                    "Define them in law.yaml or in a parameter's citation;"
                    f" at most {CITATIONS_MAX} in a row.",
                    f"请在 law.yaml 或参数的 citation 中定义；每行最多 {CITATIONS_MAX} 条。",
                ),
            )
            raise self._fault(row, self.header.side["citation"], fault)
        return listed

    # -- what others may name --

    @property
    def has_hits(self) -> bool:
        """Whether the rows that hit will be facts of a case."""
        return all(column.value for column in self.header.inputs)

    def _choices(self, position: int) -> tuple[str, ...]:
        values = {outputs[position] for _, outputs, _ in self._rows.values()}
        return tuple(sorted(value for value in values if isinstance(value, str)))

    def fields(self) -> dict[str, ComputedField]:
        """Return the fields of the rows as facts."""
        result = {}
        for position, column in enumerate(self.header.outputs):
            always = all(outputs[position] is not None for _, outputs, _ in self._rows.values())
            result[column.name] = ComputedField(column.kind, always, self._choices(position))
        return result

    def lookup_columns(self) -> dict[str, LookupColumn]:
        """Return what a lookup may ask for."""
        header = self.header
        result = {}
        for position, column in enumerate(header.outputs):
            if header.collection in {"sum", "min", "max"} and not collects(header, column):
                continue
            kind: ValueKind = "integer" if header.collection == "count" else column.kind
            choices = () if header.collection == "count" else self._choices(position)
            result[column.name] = LookupColumn(kind, position, choices)
        return result

    # -- the end --

    def table(self, values: Sequence[Value | None]) -> Table:
        """Return the table, given what its inputs hold."""
        header = self.header
        inputs = tuple(
            TableInput(column.name, column.title, column.kind, value, _choices_of(value))
            for column, value in zip(header.inputs, values, strict=True)
        )
        rows = []
        for name, (row, outputs, side) in self._rows.items():
            with self._defects.collect(self.file, row.number):
                cells = tuple(self._tests(row, inputs))
                rows.append(
                    TableRow(
                        id=name,
                        cells=cells,
                        outputs=outputs,
                        valid_from=side.valid_from,
                        valid_to=side.valid_to,
                        known_from=side.known_from,
                        status=side.status,
                        citation=side.citation,
                        number=row.number,
                        note=side.note,
                    )
                )
        return Table(
            id=self.id,
            title=header.title,
            hit_policy=header.hit_policy,
            collection=header.collection,
            inputs=inputs,
            outputs=tuple(
                TableOutput(column.name, column.title, column.kind, column.order)
                for column in header.outputs
            ),
            rows=tuple(rows),
            is_complete=header.is_complete,
            file=self.file,
        )

    def _tests(self, row: GridRow, inputs: Sequence[TableInput]) -> Iterator[Cell]:
        for column, typed in zip(self.header.inputs, inputs, strict=True):
            try:
                yield cell_of(self._cell(row, column), column.kind, typed.choices)
            except ExpressionError as fault:
                raise self._fault(row, column, fault) from None


def collects(header: Header, column: Column) -> bool:
    """Return whether the aggregator of a table makes one value of a column."""
    ordered = {"integer"} if header.collection == "sum" else {"integer", "date"}
    return column.kind in ordered


def _choices_of(value: Value | None) -> tuple[str, ...]:
    return value.choices if isinstance(value, FieldRef) else ()


# --- all tables of a pack ---------------------------------------------------------------------


class Drafts:
    """The tables of a pack while it is read."""

    def __init__(self, grids: Sequence[Grid], cited: frozenset[str], defects: Defects) -> None:
        self._defects = defects
        self._names: Names | None = None
        self._open: list[str] = []
        self._values: dict[str, tuple[Value | None, ...]] = {}
        self._drafts: dict[str, Draft] = {}
        for grid in grids:
            with defects.collect(grid.file):
                name = self._free_name(grid.file)
                self._drafts[name] = Draft(grid, cited, defects)

    def _free_name(self, file: str) -> str:
        name = table_id(file)
        if not NAME.fullmatch(name) or name in RESERVED:
            problem = Text(
                f"A table is named in the form {NAME.pattern}, and not by a word of the language.",
                f"决策表名称须符合 {NAME.pattern}，且不能是保留字。",
            )
        elif name in RULE_TYPES:
            problem = Text(
                f"{name} is a fact type, so no table may have this name.",
                f"{name} 是事实类型，决策表不能使用该名称。",
            )
        elif name in self._drafts:
            problem = Text(
                f"The table {name} stands in two files.", f"决策表 {name} 存在于两个文件中。"
            )
        else:
            return name
        raise defect(CODE, file, 0, problem, Text("Rename the file.", "请重命名该文件。"))

    def declare(self, names: Names) -> Names:
        """Return names with what the tables add to them."""
        self._names = replace(
            names,
            computed={
                **names.computed,
                **{name: one.fields() for name, one in self._drafts.items() if one.has_hits},
            },
            tables={name: self._signature(one) for name, one in self._drafts.items()},
        )
        return self._names

    def _signature(self, draft: Draft) -> TableNames:
        header = draft.header
        return TableNames(
            inputs=tuple((column.name, column.kind) for column in header.inputs),
            columns=draft.lookup_columns(),
            gives_list=header.hit_policy in {"R", "O", "C"} and header.collection is None,
            own_values=lambda: self.own_values(draft.id),
        )

    def own_values(self, name: str) -> tuple[Value | None, ...]:
        """Return what the inputs of a table hold, typed when first asked for.

        Raises:
            ExpressionError: A value is not understood, or rests on the table itself.
        """
        if name in self._open:
            raise ExpressionError(
                Text(f"The table {name} rests on itself.", f"决策表 {name} 循环依赖自身。"),
                code="CRN-R-004",
            )
        if name not in self._values:
            self._open.append(name)
            try:
                columns = self._drafts[name].header.inputs
                self._values[name] = tuple(self._value(column) for column in columns)
            finally:
                self._open.pop()
        return self._values[name]

    def _value(self, column: Column) -> Value | None:
        if not column.value:
            return None
        assert self._names is not None, "tables are declared before lines are typed"
        value = parse_value(column.value, replace(self._names, divisions=True))
        if value.kind != column.kind:
            raise ExpressionError(
                Text(
                    f"The input {column.name} is {column.kind}, but {column.value} is"
                    f" {value.kind}.",
                    f"输入列 {column.name} 的类型为 {column.kind}，但 {column.value} 的类型为"
                    f" {value.kind}。",
                )
            )
        return value

    def tables(self) -> dict[str, Table]:
        """Return the tables, noting what cannot be used."""
        result = {}
        for name, draft in self._drafts.items():
            # A table whose values cannot be read is kept without them, so that what names it can
            # still be looked at; its pack is refused anyway.
            values: tuple[Value | None, ...] = (None,) * len(draft.header.inputs)
            with self._defects.collect(draft.file, draft.header.value_line):
                values = self.own_values(name)
            result[name] = draft.table(values)
        return result

    def contents(self, tables: Mapping[str, Table]) -> dict[str, Any]:
        """Return the canonical content of each table by its name in the digest.

        The format of the file and the layout of its cells do not count; every value does.
        """
        return {
            f"tables/{name}": _content(table, self._drafts[name].header)
            for name, table in tables.items()
        }


def _column_content(column: Column) -> dict[str, Any]:
    return {
        "kind": column.role,
        "name": column.name,
        "type": column.kind,
        "title": column.title.to_json(),
        "value": column.value,
        "order": list(column.order),
    }


def _row_content(row: TableRow, table: Table) -> dict[str, Any]:
    days = {"valid_from": row.valid_from, "valid_to": row.valid_to, "known_from": row.known_from}
    outputs = zip(table.outputs, row.outputs, strict=True)
    return {
        "id": row.id,
        "cells": [spell_cell(cell) for cell in row.cells],
        "outputs": {column.name: value for column, value in outputs if value is not None},
        "status": row.status,
        "citation": list(row.citation),
        "note": row.note,
        **{name: day for name, day in days.items() if day is not None},
    }


def _content(table: Table, header: Header) -> dict[str, Any]:
    return {
        "hit_policy": table.policy,
        "title": table.title.to_json(),
        "complete": table.is_complete,
        "columns": [_column_content(one) for one in (*header.inputs, *header.outputs)],
        "rows": [_row_content(row, table) for row in table.rows],
    }

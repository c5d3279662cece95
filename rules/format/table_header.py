"""The header of a decision table: its hit policy, its columns and what they mean.

Source: docs/spec/pack-format.md, PF-41.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from carnet.core.text import Text
from carnet.rules.ast import Collection, HitPolicy, Scalar, ValueKind
from carnet.rules.format.cells import constant
from carnet.rules.format.grammar import ExpressionError
from carnet.rules.format.grid import CODE, COLUMNS_MAX, Grid, GridRow, cell_text
from carnet.rules.format.section import NAME, defect

ROW_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_POLICIES: Mapping[str, tuple[HitPolicy, Collection | None]] = {
    "U": ("U", None),
    "A": ("A", None),
    "P": ("P", None),
    "F": ("F", None),
    "R": ("R", None),
    "O": ("O", None),
    "C": ("C", None),
    "C+": ("C", "sum"),
    "C<": ("C", "min"),
    "C>": ("C", "max"),
    "C#": ("C", "count"),
}
_SIDES = ("citation", "status", "valid_from", "valid_to", "known_from", "note")
_KINDS: dict[str, ValueKind] = {
    "string": "string",
    "integer": "integer",
    "boolean": "boolean",
    "date": "date",
}
_OF_TABLE = ("hit_policy", "title_en", "title_zh", "complete")
_OF_COLUMNS = ("title_en", "title_zh", "value", "order")
RESERVED_IDS = frozenset((*_OF_TABLE, *_OF_COLUMNS, "kind", "name", "type"))
"""First cells that tell what a row means, so that no row of the table may have them as its id."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Args:
        position: Where it stands, the first column of the file being 0.
        role: `in`, `out` or what stands beside them.
        name: Its name; empty for what stands beside.
        kind: The kind of its values.
        title: Its heading.
        value: What an input holds for a case, as written; empty where only a lookup gives it.
        order: The ranking of an output's values, the first highest.
    """

    position: int
    role: str
    name: str
    kind: ValueKind
    title: Text
    value: str = ""
    order: tuple[Scalar, ...] = ()


@dataclass(frozen=True, slots=True)
class Header:
    """What a table says about itself and its columns."""

    title: Text
    hit_policy: HitPolicy
    collection: Collection | None
    is_complete: bool
    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]
    side: Mapping[str, Column]
    width: int
    value_line: int


def _fail(file: str, line: int, en: str, zh: str, hint: Text | None = None) -> NoReturn:
    raise defect(CODE, file, line, Text(en, zh), hint)


def _marked(
    file: str, rows: list[GridRow], allowed: tuple[str, ...]
) -> tuple[dict[str, GridRow], list[GridRow]]:
    """Return the leading rows whose first cell is a known mark, and the rest."""
    found: dict[str, GridRow] = {}
    for count, row in enumerate(rows):
        mark = cell_text(row.cells[0])
        if mark not in allowed:
            return found, rows[count:]
        if mark in found:
            _fail(file, row.number, f"{mark} stands twice.", f"{mark} 重复。")
        found[mark] = row
    return found, []


def _next(file: str, rows: list[GridRow], mark: str) -> GridRow:
    if not rows or cell_text(rows[0].cells[0]) != mark:
        line = rows[0].number if rows else 0
        found = cell_text(rows[0].cells[0]) if rows else "the end of the file"
        _fail(
            file,
            line,
            f"Expected the row {mark!r} here, found {found!r:.60}.",
            f"此处应为 {mark!r} 行，实际为 {found!r:.60}。",
            Text(
                "A table begins with hit_policy, title_en, title_zh, then kind, name, type.",
                "决策表以 hit_policy、title_en、title_zh 开头，其后为 kind、name、type。",
            ),
        )
    return rows.pop(0)


def _single(file: str, found: Mapping[str, GridRow], mark: str) -> str:
    row = found.get(mark)
    if row is None:
        _fail(file, 1, f"The table lacks the row {mark!r}.", f"决策表缺少 {mark!r} 行。")
    if len(row.cells) != 2:  # noqa: PLR2004 (the mark and its value)
        _fail(
            file,
            row.number,
            f"The row {mark!r} has one value.",
            f"{mark!r} 行须恰有一个值。",
        )
    return cell_text(row.cells[1])


class _Reader:
    """Reads the columns of one table."""

    def __init__(self, file: str, kind: GridRow, name: GridRow, kind_of: GridRow) -> None:
        self.file = file
        self.kind, self.name, self.type = kind, name, kind_of
        self.width = len(kind.cells)
        self.found: dict[str, GridRow] = {}

    def cell(self, row: GridRow | None, position: int) -> str:
        if row is None or position >= len(row.cells):
            return ""
        return cell_text(row.cells[position])

    def columns(self, order_allowed: bool) -> Iterator[Column]:  # noqa: FBT001 (of the table)
        for row in (self.name, self.type, *self.found.values()):
            if len(row.cells) > self.width:
                _fail(
                    self.file,
                    row.number,
                    f"The row has {len(row.cells)} cells; {self.width} columns have a kind.",
                    f"该行有 {len(row.cells)} 个单元格；只有 {self.width} 列写了 kind。",
                )
        taken: set[str] = set()
        for position in range(1, self.width):
            role = self.cell(self.kind, position)
            if role in _SIDES:
                self._check_bare(position, role, taken)
                yield Column(position, role, "", "string", Text(role, role))
            elif role in {"in", "out"}:
                yield self._column(position, role, taken, order_allowed=order_allowed)
            else:
                _fail(
                    self.file,
                    self.kind.number,
                    f"Column {position + 1} has the kind {role!r:.40}; expected in, out,"
                    f" {', '.join(_SIDES)}.",
                    f"第 {position + 1} 列的 kind 为 {role!r:.40}；应为 in、out、"
                    f"{'、'.join(_SIDES)} 之一。",
                )

    def _check_bare(self, position: int, role: str, taken: set[str]) -> None:
        others = [self.cell(row, position) for row in (self.name, self.type, *self.found.values())]
        if role in taken or any(text not in {"", role} for text in others):
            _fail(
                self.file,
                self.kind.number,
                f"The column {role} stands twice, or has more than its kind.",
                f"列 {role} 重复，或除 kind 外还写了其他内容。",
            )
        taken.add(role)

    def _column(self, position: int, role: str, taken: set[str], *, order_allowed: bool) -> Column:
        name, kind = self.cell(self.name, position), self.cell(self.type, position)
        if not NAME.fullmatch(name) or name in taken or (name == "id" and role == "out"):
            _fail(
                self.file,
                self.name.number,
                f"The column name {name!r:.80} is taken, reserved or not of the form"
                f" {NAME.pattern}.",
                f"列名 {name!r:.80} 重复、为保留字或不符合 {NAME.pattern}。",
            )
        taken.add(name)
        typed = _KINDS.get(kind)
        if typed is None:
            _fail(
                self.file,
                self.type.number,
                f"The column {name} is of type {kind!r:.40}; expected {', '.join(_KINDS)}.",
                f"列 {name} 的类型为 {kind!r:.40}；应为 {'、'.join(_KINDS)} 之一。",
            )
        value = self.cell(self.found.get("value"), position)
        order = self._order(position, typed)
        if (value and role == "out") or (order and (role == "in" or not order_allowed)):
            _fail(
                self.file,
                self.found["value" if value else "order"].number,
                f"The column {name} takes no {'value' if value else 'order'}: inputs have values,"
                " outputs of the policies P and O have an order.",
                f"列 {name} 不应有 {'value' if value else 'order'}：value 只用于输入列，"
                "order 只用于命中策略 P 与 O 的输出列。",
            )
        return Column(position, role, name, typed, self._title(position, name), value, order)

    def _title(self, position: int, name: str) -> Text:
        en = self.cell(self.found.get("title_en"), position)
        zh = self.cell(self.found.get("title_zh"), position)
        return Text(en or name, zh or name)

    def _order(self, position: int, kind: ValueKind) -> tuple[Scalar, ...]:
        text = self.cell(self.found.get("order"), position)
        if not text:
            return ()
        row = self.found["order"]
        try:
            values = tuple(constant(part.strip(), kind) for part in text.split(","))
        except ExpressionError as fault:
            raise defect(CODE, self.file, row.number, fault.message, fault.hint) from None
        if len(set(values)) != len(values):
            _fail(
                self.file,
                row.number,
                f"The order {text:.80} names a value twice.",
                f"排序 {text:.80} 中有重复的值。",
            )
        return values


def read_header(grid: Grid) -> tuple[Header, list[GridRow]]:
    """Return the header of a table and the rows below it.

    Raises:
        RulePackError: It is not well formed.
    """
    file = grid.file
    rows = [row for row in grid.rows if row.cells]
    found, rest = _marked(file, rows, _OF_TABLE)
    policy = _single(file, found, "hit_policy")
    if policy not in _POLICIES:
        _fail(
            file,
            found["hit_policy"].number,
            f"There is no hit policy {policy!r:.40}; expected {' '.join(_POLICIES)}.",
            f"没有命中策略 {policy!r:.40}；应为 {' '.join(_POLICIES)} 之一。",
        )
    hit_policy, collection = _POLICIES[policy]
    reader = _Reader(
        file, _next(file, rest, "kind"), _next(file, rest, "name"), _next(file, rest, "type")
    )
    reader.found, body = _marked(file, rest, _OF_COLUMNS)
    columns = list(reader.columns(hit_policy in {"P", "O"}))
    value_row = reader.found.get("value")
    header = Header(
        title=Text(_single(file, found, "title_en"), _single(file, found, "title_zh")),
        hit_policy=hit_policy,
        collection=collection,
        is_complete=_is_complete(file, found),
        inputs=tuple(column for column in columns if column.role == "in"),
        outputs=tuple(column for column in columns if column.role == "out"),
        side={column.role: column for column in columns if column.role in _SIDES},
        width=reader.width,
        value_line=(value_row or reader.name).number,
    )
    _check(file, reader.kind.number, header, policy)
    for row in body:
        if cell_text(row.cells[0]) in RESERVED_IDS:
            mark = cell_text(row.cells[0])
            _fail(
                file,
                row.number,
                f"The row {mark!r} does not belong here.",
                f"{mark!r} 行不应出现在此处。",
            )
    return header, body


def _is_complete(file: str, found: Mapping[str, GridRow]) -> bool:
    if "complete" not in found:
        return False
    text = _single(file, found, "complete")
    if text not in {"true", "false"}:
        _fail(
            file,
            found["complete"].number,
            f"complete is {text!r:.40}; expected true or false.",
            f"complete 为 {text!r:.40}；应为 true 或 false。",
        )
    return text == "true"


def _problem(header: Header, policy: str) -> Text | None:
    """Return what the columns of a table lack, None where they lack nothing."""
    if not header.inputs or not header.outputs:
        return Text("A table has an input and an output.", "决策表须有输入列和输出列。")
    if len(header.inputs) + len(header.outputs) > COLUMNS_MAX:
        return Text(
            f"The table has more than {COLUMNS_MAX} columns.", f"决策表超过 {COLUMNS_MAX} 列。"
        )
    if header.hit_policy in {"P", "O"} and not any(one.order for one in header.outputs):
        return Text(
            f"The hit policy {policy} needs the row 'order' for an output.",
            f"命中策略 {policy} 需要为输出列写出 order 行。",
        )
    kinds = {column.kind for column in header.outputs}
    wanted = {"integer"} if header.collection == "sum" else {"integer", "date"}
    if header.collection in {"sum", "min", "max"} and not kinds & wanted:
        return Text(
            f"The hit policy {policy} needs an output of type {' or '.join(sorted(wanted))}.",
            f"命中策略 {policy} 需要类型为 {' 或 '.join(sorted(wanted))} 的输出列。",
        )
    return None


def _check(file: str, line: int, header: Header, policy: str) -> None:
    problem = _problem(header, policy)
    if problem is not None:
        _fail(file, line, problem.en, problem.zh)

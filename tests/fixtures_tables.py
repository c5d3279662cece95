"""Decision tables of the rules tests: written as text, read as the program reads them."""

import csv
import io
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl

from carnet.core.errors import RulePackError
from carnet.rules.ast import Pack, Table
from carnet.rules.format.build import Defects
from carnet.rules.format.grid import read_grid
from carnet.rules.format.names import Names
from carnet.rules.format.tables import Drafts
from carnet.rules.pack import check_pack
from carnet.rules.parameters import Known, Unknown
from carnet.rules.tables import CompiledTable
from tests.fixtures_rules import AS_OF, write_pack

CITED = frozenset({"LAW-1", "LAW-2"})
NAMES = Names({}, frozenset(), {}, frozenset(), {}, frozenset(), frozenset())


def header(policy: str, columns: str, *extra: str) -> list[str]:
    """Return the header rows for columns such as `in n integer, out grade string, status`."""
    parts = [column.split() for column in columns.split(",")]
    kinds = [part[0] for part in parts]
    names = [part[1] if len(part) > 1 else "" for part in parts]
    types = [part[2] if len(part) > 1 else "" for part in parts]
    return [
        f"hit_policy,{policy}",
        "title_en,Sample table",
        "title_zh,示例表",
        ",".join(["kind", *kinds]),
        ",".join(["name", *names]),
        ",".join(["type", *types]),
        *extra,
    ]


def table_text(policy: str, columns: str, *rows: str, extra: tuple[str, ...] = ()) -> str:
    """Return the CSV of a table."""
    return "\n".join([*header(policy, columns, *extra), *rows]) + "\n"


def read_tables(text: str | bytes, file: str = "tables/sample.csv") -> tuple[Table | None, Any]:
    """Return the table of a file, None where it has none, and the defects."""
    data = text if isinstance(text, bytes) else text.encode()
    defects = Defects()
    drafts = Drafts([read_grid(data, file)], CITED, defects)
    drafts.declare(NAMES)
    tables = drafts.tables()
    return next(iter(tables.values()), None), defects.found


def read_table(text: str) -> Table:
    """Return a table without defects."""
    table, found = read_tables(text)
    assert not found, [error.message.en for error in found]
    assert table is not None
    return table


def compiled(text: str, as_of: date = AS_OF, *confirmed: str) -> CompiledTable:
    """Return a table as a run uses it."""
    return CompiledTable(read_table(text), as_of, frozenset(confirmed))


def looked_up(text: str, *arguments: Known | Unknown, column: int = 0) -> Known | Unknown:
    """Return what a lookup gives."""
    return compiled(text).lookup(column, arguments)


def problems(text: str | bytes, file: str = "tables/sample.csv") -> list[RulePackError]:
    """Return the defects of a table file, one that refuses it included."""
    try:
        return list(read_tables(text, file)[1])
    except RulePackError as error:
        return [error]


def write_tables(folder: Path, tables: dict[str, str]) -> None:
    """Write tables of a pack by file name."""
    (folder / "tables").mkdir(exist_ok=True)
    for name, text in tables.items():
        (folder / "tables" / name).write_text(text, encoding="utf-8")


def to_xlsx(text: str, path: Path) -> None:
    """Write the cells of a CSV table as a workbook, numbers, dates and booleans as such."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row, cells in enumerate(csv.reader(io.StringIO(text)), start=1):
        for column, cell in enumerate(cells, start=1):
            sheet.cell(row, column).value = _typed(cell) or None
    book.save(path)


def _typed(cell: str) -> Any:
    if cell in {"true", "false"}:
        return cell == "true" or cell
    if cell.lstrip("-").isdigit() and not (cell[0] == "0" and len(cell) > 1):
        return int(cell) or "0"
    try:
        return date.fromisoformat(cell)
    except ValueError:
        return cell


def table_pack(folder: Path, tables: dict[str, str], *rules: Any, **changes: Any) -> Pack:
    """Return a checked pack with tables."""
    write_pack(folder, *rules, **changes)
    write_tables(folder, tables)
    pack, found = check_pack(folder)
    assert not found, [error.message.en for error in found]
    assert pack is not None
    return pack

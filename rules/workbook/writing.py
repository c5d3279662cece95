"""A pack as an XLSX workbook: text is written as text, never as a formula.

Source: docs/spec/pack-format.md, PF-60 to PF-62; ECMA-376.
"""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from carnet.rules.format.grid import Grid, grid_text
from carnet.rules.pack import read_documents
from carnet.rules.workbook.cells import CELL_SIZE_MAX, is_risky, value_to_cell
from carnet.rules.workbook.layout import (
    FILES_SHEET,
    NOTES_COLUMNS,
    NOTES_SHEET,
    Sheet,
    lay_out,
)

CONTINUED: Final = "~"
"""Between the name of a column and the number of its continuation, where one cell is too small."""

TABLE_SHEET: Final = "table "
NOTE_FILES: Final = ("README.md", "CHANGELOG.md")
_SHEET_NAME_MAX: Final = 31
_WIDE: Final = re.compile(r"\.(?:en|zh)\Z|\A(?:when|scope|without|facts|expect|value|text)\Z")
_WIDTHS: Final = (18, 48)


def _pieces(value: Any) -> list[Any]:
    """Return the cells that hold a value: several where it is longer than a cell can be."""
    cell = value_to_cell(value)
    if not isinstance(cell, str):
        return [cell]
    pieces = []
    while len(cell) > CELL_SIZE_MAX:
        # A piece neither begins nor ends with white space, which programs take away.
        places = range(CELL_SIZE_MAX, 0, -1)
        at = next(n for n in places if not cell[n - 1].isspace() and not cell[n].isspace())
        pieces.append(cell[:at])
        cell = cell[at:]
    return [*pieces, cell]


def _spread(sheet: Sheet) -> tuple[list[str], list[dict[str, Any]]]:
    """Return columns and rows of cells, with further columns for what is too long for one."""
    counts = dict.fromkeys(sheet.columns, 1)
    rows = []
    for row in sheet.rows:
        cells: dict[str, Any] = {}
        for name, value in row.items():
            pieces = _pieces(value)
            counts[name] = max(counts[name], len(pieces))
            for number, piece in enumerate(pieces, start=1):
                cells[_column(name, number)] = piece
        rows.append(cells)
    columns = [
        _column(name, number) for name, count in counts.items() for number in range(1, count + 1)
    ]
    return columns, rows


def _column(name: str, number: int) -> str:
    return name if number == 1 else f"{name}{CONTINUED}{number}"


def _fill(cell: Cell, value: Any) -> None:
    cell.value = value
    if isinstance(value, str):
        # As text outright: openpyxl takes what begins with "=" for a formula.
        cell.data_type = "s"
        cell.number_format = "@"
        cell.quotePrefix = is_risky(value)
    elif isinstance(value, date):
        cell.number_format = "yyyy-mm-dd"
    cell.alignment = Alignment(vertical="top", wrap_text=True)


def _write_sheet(
    workbook: Workbook, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    sheet = workbook.create_sheet(name)
    for index, column in enumerate(columns, start=1):
        is_wide = _WIDE.search(column) is not None
        sheet.column_dimensions[get_column_letter(index)].width = _WIDTHS[is_wide]
    for number, row in enumerate([columns, *rows] if columns else rows, start=1):
        for index, value in enumerate(row, start=1):
            if value is not None:
                cell = sheet.cell(number, index)
                assert isinstance(cell, Cell), "no cells are merged"
                _fill(cell, value)
    if columns:
        sheet.freeze_panes = "A2"
        for cell in sheet[1]:
            cell.font = Font(bold=True)


def _table_name(number: int, file: str, taken: set[str]) -> str:
    name = f"{TABLE_SHEET}{Path(file).stem}"
    if len(name) > _SHEET_NAME_MAX or name.lower() in taken:
        name = f"{TABLE_SHEET}{number}"
    taken.add(name.lower())
    return name


def _notes(folder: Path) -> Sheet:
    sheet = Sheet(NOTES_SHEET, list(NOTES_COLUMNS))
    for name in NOTE_FILES:
        path = folder / name
        if path.is_file() and not path.is_symlink():
            for line in path.read_text("utf-8", errors="replace").splitlines():
                sheet.add({"file": name, "text": line})
    return sheet


def write_workbook(folder: Path) -> bytes:
    """Return a pack as a workbook.

    Args:
        folder: Of a pack without defect.

    Raises:
        RulePackError: The folder cannot be read safely.
    """
    documents = read_documents(folder)
    tables = {name: one for name, one in documents.items() if isinstance(one, Grid)}
    sheets = lay_out({name: one for name, one in documents.items() if name not in tables})
    names = _list_tables(next(each for each in sheets if each.name == FILES_SHEET), tables)
    notes = _notes(folder)
    workbook = Workbook()
    workbook.remove(workbook.worksheets[0])
    for sheet in [*sheets, *([notes] if notes.rows else [])]:
        columns, rows = _spread(sheet)
        _write_sheet(
            workbook, sheet.name, columns, ([row.get(name) for name in columns] for row in rows)
        )
    for file, name in names.items():
        _write_sheet(workbook, name, (), _grid_rows(tables[file]))
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()


def _list_tables(files: Sheet, tables: Mapping[str, Grid]) -> dict[str, str]:
    """Name the sheet of each table in the sheet of files, and return the names."""
    taken: set[str] = set()
    names = {}
    for number, file in enumerate(sorted(tables), start=1):
        names[file] = _table_name(number, file, taken)
        files.add({"file": file, "sheet": names[file]})
    return names


def _grid_rows(grid: Grid) -> list[list[str | None]]:
    # Tables keep their own spelling of values: theirs is text already.
    return [[cell or None for cell in row] for row in grid_text(grid)]

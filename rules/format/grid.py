"""Files of decision tables as rows of cells, whatever their format.

A CSV file and an XLSX file with the same cells give the same grid. Hostile files are refused before
anything is made of them: a workbook is measured, and read by a process with bounded memory and
time; a formula is a fault, because its value is not what the officer wrote.

Source: docs/spec/pack-format.md, PF-40; RFC 4180; ECMA-376.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from carnet.core.errors import RulePackError
from carnet.core.text import Text
from carnet.facts.intake.limits import MEBIBYTE, IntakeLimits
from carnet.facts.intake.opening import FileRefusedError, check_utf8
from carnet.facts.intake.xlsx_file import check_archive, workbook_lines
from carnet.rules.ast import Scalar
from carnet.rules.format.section import STRING_SIZE_MAX, defect
from carnet.rules.format.yaml_strict import FILE_SIZE_MAX

ROWS_MAX = 2_000
HEADER_ROWS_MAX = 16
LINES_MAX = 10_000
"""Rows of a file, the empty ones counted."""
COLUMNS_MAX = 32
SIDE_COLUMNS_MAX = 8
"""Columns beside inputs and outputs: ids, citation, status, dates, note."""
CODE = "CRN-R-013"
_LIMITS = IntakeLimits(
    file_size_max=FILE_SIZE_MAX,
    unpacked_size_max=64 * MEBIBYTE,
    workbook_memory_max=1024 * MEBIBYTE,
    workbook_seconds_max=5,
)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_TAKE_NO_FORMULA = Text(
    "Replace formulas by their values, and write fractions as whole numbers: basis points, minor"
    " units.",
    "请以数值代替公式；小数请以整数书写：基点、最小货币单位。",
)


@dataclass(frozen=True, slots=True)
class GridRow:
    """One row: its number in the file and its cells, the empty ones at its end left out."""

    number: int
    cells: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """The rows of a table file that hold anything."""

    file: str
    rows: tuple[GridRow, ...]


def cell_text(cell: Scalar) -> str:
    """Return a cell as CSV spells it.

    >>> cell_text(True), cell_text(12), cell_text(date(2026, 1, 31))
    ('true', '12', '2026-01-31')
    """
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return cell.isoformat() if isinstance(cell, date) else str(cell)


def grid_text(grid: Grid) -> list[list[str]]:
    """Return all cells as text."""
    return [[cell_text(cell) for cell in row.cells] for row in grid.rows]


def _refused(file: str, error: FileRefusedError) -> RulePackError:
    found, expected = error.problem.found, error.problem.expected
    return RulePackError(
        "CRN-R-002",
        Text(
            f"{file}: found {found}; expected {expected.en}.",
            f"{file}：实际为{found.zh if isinstance(found, Text) else found}；应为{expected.zh}。",
        ),
        error.problem.remedy,
        path=file,
    )


def _row(file: str, number: int, cells: list[Scalar]) -> GridRow:
    """Return a row without the empty cells at its end.

    Raises:
        RulePackError: A cell holds what no cell may.
    """
    while cells and cells[-1] == "":
        cells.pop()
    for position, cell in enumerate(cells, start=1):
        if isinstance(cell, str) and cell and not cell.isprintable():
            raise defect(
                "CRN-R-013",
                file,
                number,
                Text(
                    f"Cell {position} holds a line break or a control character.",
                    f"第 {position} 个单元格含换行或控制字符。",
                ),
                Text("Write every cell in one line.", "请将每个单元格写在一行内。"),
            )
        if isinstance(cell, str) and len(cell.encode()) > STRING_SIZE_MAX:
            raise _too_large(file, number, f"Cell {position}", f"第 {position} 个单元格")
    if len(cells) > COLUMNS_MAX + SIDE_COLUMNS_MAX:
        most = COLUMNS_MAX + SIDE_COLUMNS_MAX
        raise defect(
            "CRN-R-003",
            file,
            number,
            Text(
                f"The row has {len(cells)} cells; at most {most} are allowed.",
                f"该行有 {len(cells)} 个单元格；最多 {most} 个。",
            ),
        )
    return GridRow(number, tuple(cells))


def _too_large(file: str, number: int, en: str, zh: str) -> RulePackError:
    return defect(
        "CRN-R-003",
        file,
        number,
        Text(f"{en} is longer than {STRING_SIZE_MAX} bytes.", f"{zh}超过 {STRING_SIZE_MAX} 字节。"),
    )


# --- CSV --------------------------------------------------------------------------------------


def _csv_rows(data: bytes, file: str) -> Iterator[tuple[int, list[Scalar]]]:
    if data.startswith(_UTF16_MARKS):
        raise RulePackError(
            "CRN-R-002",
            Text(f"{file} is UTF-16; expected UTF-8.", f"{file} 为 UTF-16；应为 UTF-8。"),
            Text("Save the file as 'CSV UTF-8'.", "请另存为“CSV UTF-8”。"),
            path=file,
        )
    text = check_utf8(data).decode()
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise defect(
                "CRN-R-002",
                file,
                number,
                Text(f"The file is not CSV: {error}.", f"文件不是有效的 CSV：{error}。"),
                Text(
                    "Close every double quote and double those inside a cell.",
                    "请闭合每个双引号，单元格内的双引号写两次。",
                ),
            ) from None
        if cells is None:
            return
        yield number, [cell.strip() for cell in cells]
        number = reader.line_num + 1


# --- XLSX -------------------------------------------------------------------------------------


def _xlsx_cell(cell: Any, file: str, number: int) -> Scalar:
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, bool | int):
        return cell
    ((kind, found),) = cell.items()
    if kind == "date":
        return date.fromisoformat(found)
    raise defect(
        "CRN-R-013",
        file,
        number,
        Text(
            f"A cell holds {found!r:.60} ({kind}), which no table takes.",
            f"单元格为 {found!r:.60}（{kind}），决策表不接受。",
        ),
        _TAKE_NO_FORMULA,
    )


def _xlsx_rows(data: bytes, file: str) -> Iterator[tuple[int, list[Scalar]]]:
    check_archive(data, _LIMITS)
    sheets = number = 0
    for line in workbook_lines(data, _LIMITS, refuses_formulas=True):
        if isinstance(line, dict):
            sheets, number = sheets + 1, 0
            continue
        number += 1
        if sheets == 1:
            yield number, [_xlsx_cell(cell, file, number) for cell in line]
        elif any(cell != "" for cell in line):
            raise defect(
                "CRN-R-013",
                file,
                0,
                Text(
                    "The workbook has a second sheet with values.",
                    "工作簿的第二个工作表中也有内容。",
                ),
                Text(
                    "Keep one table in one file, on its only sheet.",
                    "每个文件只放一张决策表，且只用一个工作表。",
                ),
            )


def read_grid(data: bytes, file: str) -> Grid:
    """Return the rows of a table file.

    Raises:
        RulePackError: It cannot be read, or not safely.
    """
    if len(data) > FILE_SIZE_MAX:
        raise RulePackError(
            "CRN-R-003",
            Text(
                f"{file} has {len(data)} bytes; at most {FILE_SIZE_MAX} are read.",
                f"{file} 有 {len(data)} 字节；上限为 {FILE_SIZE_MAX}。",
            ),
            path=file,
        )
    read = _xlsx_rows if file.endswith(".xlsx") else _csv_rows
    rows: list[GridRow] = []
    try:
        for number, cells in read(data, file):
            row = _row(file, number, cells)
            if row.cells:
                rows.append(row)
            if len(rows) > ROWS_MAX + HEADER_ROWS_MAX or number > LINES_MAX:
                raise defect(
                    "CRN-R-003",
                    file,
                    number,
                    Text(
                        f"The table has more than {ROWS_MAX} rows.", f"决策表超过 {ROWS_MAX} 行。"
                    ),
                    Text("Divide it into several tables.", "请将其拆分为多个决策表。"),
                )
    except FileRefusedError as error:
        raise _refused(file, error) from None
    return Grid(file, tuple(rows))

"""The files of a pack from an XLSX workbook: values only, within bounds, nothing passed over.

The workbook is measured before it is unpacked and read by a process of its own; a formula is a
fault of its cell. Every fault names the sheet and the row.

Source: docs/spec/pack-format.md, PF-60 to PF-63; ECMA-376.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from carnet.core.errors import RulePackError
from carnet.core.text import Text
from carnet.facts.intake.limits import MEBIBYTE, IntakeLimits
from carnet.facts.intake.opening import FileRefusedError, open_regular, read_bounded
from carnet.facts.intake.xlsx_file import check_archive, workbook_lines
from carnet.rules.format.emit import emit_yaml
from carnet.rules.format.grid import cell_text
from carnet.rules.workbook.cells import CellError, cell_to_value
from carnet.rules.workbook.layout import (
    FILES_COLUMNS,
    FILES_SHEET,
    HEADER_COLUMNS,
    HEADER_SHEET,
    NOTES_COLUMNS,
    NOTES_SHEET,
    LayoutError,
    Sheet,
    put_together,
)
from carnet.rules.workbook.origins import KeyPath, Origin, Origins, origins_of, row_origins
from carnet.rules.workbook.writing import CONTINUED, NOTE_FILES, TABLE_SHEET

SIZE_MAX: Final = 16 * MEBIBYTE
ROWS_MAX: Final = 50_000
COLUMNS_MAX: Final = 400
FAULTS_MAX: Final = 100
LIMITS: Final = IntakeLimits(
    file_size_max=SIZE_MAX,
    unpacked_size_max=128 * MEBIBYTE,
    workbook_memory_max=2048 * MEBIBYTE,
    workbook_seconds_max=60,
)
CODE: Final = "CRN-R-150"
REFUSED: Final = "CRN-R-151"

_COLUMN = re.compile(rf"([A-Za-z_][A-Za-z0-9_.-]*?)(?:{CONTINUED}([2-9]|[1-9][0-9]))?")
_FILE = re.compile(r"(?:law|parameters|(?:rules|tests)/[A-Za-z0-9][A-Za-z0-9._-]{0,99})\.yaml")
_TABLE = re.compile(r"tables/[a-z][a-z0-9_]{0,63}\.(?:csv|xlsx)")
_EXPECTED: Final = {
    HEADER_SHEET: HEADER_COLUMNS,
    FILES_SHEET: FILES_COLUMNS,
    NOTES_SHEET: NOTES_COLUMNS,
}


@dataclass(frozen=True, slots=True)
class PackFiles:
    """The files of a pack by their names, ready to be written into a folder.

    Args:
        files: Their content.
        origins: Where what they hold stands in the workbook.
    """

    files: Mapping[str, bytes]
    origins: Origins = field(default_factory=dict)


class _Faults:
    """What is wrong, each with its sheet and row; reading goes on to find the others."""

    def __init__(self) -> None:
        self.found: list[RulePackError] = []

    def add(self, sheet: str, row: int, message: Text, hint: Text | None = None) -> None:
        place = Text(f"Sheet {sheet}, row {row}: ", f"工作表 {sheet} 第 {row} 行：")
        error = RulePackError(
            CODE,
            Text(place.en + message.en, place.zh + message.zh),
            hint or Text("", ""),
            path=sheet,
            line=row,
        )
        self.found.append(error)
        if len(self.found) >= FAULTS_MAX:
            self.stop()

    def stop(self) -> None:
        """Raise all faults as one error at the place of the first, if there is any."""
        if not self.found:
            return
        first = self.found[0]
        raise RulePackError(
            first.code,
            Text(
                "\n".join(each.message.en for each in self.found),
                "\n".join(each.message.zh for each in self.found),
            ),
            first.hint,
            path=first.path,
            line=first.line,
        )


def _refuse(en: str, zh: str, hint: Text) -> RulePackError:
    return RulePackError(REFUSED, Text(en, zh), hint)


_WRITE_ONE: Final = Text(
    "`carnet pack export` writes a workbook of the expected form.",
    "`carnet pack export` 可写出所需格式的工作簿。",
)


# --- cells ------------------------------------------------------------------------------------


def _raw_sheets(data: bytes) -> dict[str, list[list[Any]]]:
    """Return the cells of every sheet, with the empty ones at the ends of rows left out."""
    try:
        check_archive(data, LIMITS)
        sheets: dict[str, list[list[Any]]] = {}
        rows: list[list[Any]] = []
        total = 0
        for line in workbook_lines(data, LIMITS, refuses_formulas=True):
            if isinstance(line, dict):
                rows = sheets.setdefault(line["sheet"], [])
                continue
            while line and line[-1] == "":
                line.pop()
            rows.append(line)
            total += 1
            if total > ROWS_MAX or len(line) > COLUMNS_MAX:
                raise _refuse(
                    f"The workbook has more than {ROWS_MAX} rows or {COLUMNS_MAX} columns.",
                    f"工作簿超过 {ROWS_MAX} 行或 {COLUMNS_MAX} 列。",
                    Text("Delete what does not belong to the pack.", "请删除不属于规则包的内容。"),
                )
    except FileRefusedError as error:
        raise _not_read(error) from None
    return sheets


def _not_read(error: FileRefusedError) -> RulePackError:
    found, expected = error.problem.found, error.problem.expected
    return _refuse(
        f"The workbook: found {found}; expected {expected.en}.",
        f"工作簿：实际为{found.zh if isinstance(found, Text) else found}；应为{expected.zh}。",
        error.problem.remedy,
    )


def _heading(name: str, cells: list[Any], faults: _Faults) -> list[tuple[str, int]]:
    """Return the name of each column and the number of the piece that it holds."""
    columns: list[tuple[str, int]] = []
    for cell in cells:
        found = _COLUMN.fullmatch(cell) if isinstance(cell, str) else None
        column = (found[1], int(found[2] or 1)) if found else ("", 0)
        if not found or column in columns:
            faults.add(
                name,
                1,
                Text(
                    f"{cell!r:.60} is not the name of a column, or stands twice",
                    f"{cell!r:.60} 不是列名，或重复出现",
                ),
                _WRITE_ONE,
            )
        columns.append(column)
    expected = _EXPECTED.get(name)
    if expected is not None and {column for column, _ in columns} - set(expected):
        faults.add(
            name,
            1,
            Text(f"expected the columns {', '.join(expected)}", f"应有列 {'、'.join(expected)}"),
            _WRITE_ONE,
        )
    return columns


def _joined(cells: list[Any], columns: list[tuple[str, int]]) -> dict[str, Any]:
    """Return the filled cells of a row by column; pieces of one cell are put together."""
    if len(cells) > len(columns):
        raise CellError(Text("a cell has no column", "有单元格不属于任何列"))
    result: dict[str, Any] = {}
    for (column, piece), cell in zip(columns, cells, strict=False):
        if cell == "":
            continue
        if piece > 1 and isinstance(cell, str) and isinstance(result.get(column), str):
            result[column] += cell
        elif piece > 1:
            raise CellError(
                Text(
                    f"{column}{CONTINUED}{piece} continues nothing",
                    f"{column}{CONTINUED}{piece} 没有可续接的内容",
                )
            )
        else:
            result[column] = cell
    return result


def _read_sheet(name: str, rows: list[list[Any]], faults: _Faults) -> Sheet:
    columns = _heading(name, rows[0] if rows else [], faults)
    sheet = Sheet(name, [column for column, _ in columns])
    for number, cells in enumerate(rows[1:], start=2):
        if not cells:
            continue
        try:
            row = _joined(cells, columns)
        except CellError as error:
            faults.add(name, number, error.message)
            continue
        sheet.rows.append(_values(name, number, row, faults))
        sheet.numbers.append(number)
    return sheet


def _values(name: str, number: int, cells: Mapping[str, Any], faults: _Faults) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column, cell in cells.items():
        try:
            row[column] = cell_to_value(cell)
        except CellError as error:
            told = error.message
            faults.add(name, number, Text(f"{column}: {told.en}", f"{column}：{told.zh}"))
    return row


# --- files ------------------------------------------------------------------------------------


def _table_csv(name: str, rows: list[list[Any]], faults: _Faults) -> tuple[bytes, list[int]]:
    """Return the rows of a table's sheet as CSV, and their numbers."""
    numbers: list[int] = []
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    for number, cells in enumerate(rows, start=1):
        texts = []
        for cell in cells:
            try:
                value = cell if isinstance(cell, str) else cell_to_value(cell)
            except CellError as error:
                faults.add(name, number, error.message)
                continue
            texts.append(cell_text(value))
        if texts:
            writer.writerow(texts)
            numbers.append(number)
    return stream.getvalue().encode("utf-8"), numbers


def _tables(
    files: Sheet, raw: Mapping[str, list[list[Any]]], faults: _Faults
) -> Iterator[tuple[str, bytes, Mapping[KeyPath, Origin]]]:
    """Yield the tables that the sheet of files names, and take their rows out of it."""
    kept: list[tuple[int, dict[str, Any]]] = []
    unnamed = {name for name in raw if name.startswith(TABLE_SHEET)}
    for number, row in zip(files.numbers, files.rows, strict=True):
        file, sheet = row.get("file"), row.get("sheet")
        if not (isinstance(file, str) and file.startswith("tables/")):
            kept.append((number, row))
        elif not _TABLE.fullmatch(file) or not isinstance(sheet, str) or sheet not in raw:
            faults.add(
                FILES_SHEET,
                number,
                Text(
                    f"{file:.60} has no sheet {sheet!r:.60}", f"{file:.60} 没有工作表 {sheet!r:.60}"
                ),
            )
        else:
            unnamed.discard(sheet)
            name = str(PurePosixPath(file).with_suffix(".csv"))
            data, numbers = _table_csv(sheet, raw[sheet], faults)
            yield name, data, row_origins(name, sheet, numbers)
    for sheet in sorted(unnamed):
        message = Text(
            f"no row of the sheet {FILES_SHEET} names this sheet",
            f"工作表 {FILES_SHEET} 中没有指向本表的行",
        )
        faults.add(
            sheet, 1, message, Text("Name it and its file there.", "请在其中列出本表及其文件。")
        )
    files.numbers = [number for number, _ in kept]
    files.rows = [row for _, row in kept]


def _notes(sheet: Sheet | None, faults: _Faults) -> dict[str, bytes]:
    lines: dict[str, list[str]] = {}
    for number, row in zip(sheet.numbers, sheet.rows, strict=True) if sheet else ():
        file, text = row.get("file"), row.get("text", "")
        if file not in NOTE_FILES:
            faults.add(
                NOTES_SHEET,
                number,
                Text(
                    f"expected the file {' or '.join(NOTE_FILES)}",
                    f"文件应为 {' 或 '.join(NOTE_FILES)}",
                ),
            )
            continue
        line = text if isinstance(text, str) else cell_text(text)
        lines.setdefault(str(file), []).append(line)
    return {file: ("\n".join(listed) + "\n").encode("utf-8") for file, listed in lines.items()}


def _documents(sheets: Mapping[str, Sheet], faults: _Faults) -> dict[str, dict[str, Any]]:
    try:
        documents = put_together(sheets)
    except LayoutError as error:
        faults.add(error.sheet, error.row, Text(error.en, error.zh))
        faults.stop()
        raise AssertionError from error
    for name in documents:
        if name != "pack.yaml" and not _FILE.fullmatch(name):
            faults.add(
                FILES_SHEET,
                1,
                Text(f"a pack has no file {name!r:.80}", f"规则包没有文件 {name!r:.80}"),
                Text(
                    "Files are parameters.yaml, law.yaml, rules/*.yaml and tests/*.yaml.",
                    "文件应为 parameters.yaml、law.yaml、rules/*.yaml 或 tests/*.yaml。",
                ),
            )
    return documents


def read_file(path: Path) -> PackFiles:
    """Return the files of a pack from the file of a workbook.

    Raises:
        RulePackError: As for `read_workbook`; or it is missing, too large, or not a regular file.
    """
    try:
        with open_regular(path, LIMITS) as stream:
            data = read_bounded(stream, LIMITS)
    except FileRefusedError as error:
        raise _not_read(error) from None
    return read_workbook(data)


def read_workbook(data: bytes) -> PackFiles:
    """Return the files of a pack from a workbook.

    Whether they are a pack without defect is for `carnet.rules.check.inspect` to tell.

    Raises:
        RulePackError: It cannot be read safely, or is not such a workbook; the message names the
            sheet and the row.
    """
    raw = _raw_sheets(data)
    missing = [name for name in (HEADER_SHEET, FILES_SHEET) if name not in raw]
    if missing:
        raise _refuse(
            f"The workbook has no sheet {missing[0]}.",
            f"工作簿没有工作表 {missing[0]}。",
            _WRITE_ONE,
        )
    faults = _Faults()
    named = {name for name in raw if not name.startswith(TABLE_SHEET)}
    sheets = {name: _read_sheet(name, raw[name], faults) for name in raw if name in named}
    tables = list(_tables(sheets[FILES_SHEET], raw, faults))
    notes = _notes(sheets.pop(NOTES_SHEET, None), faults)
    documents = _documents(sheets, faults)
    faults.stop()
    files = {name: emit_yaml(value).encode("utf-8") for name, value in documents.items()}
    files |= {name: data for name, data, _ in tables} | notes
    origins = origins_of(sheets)
    for _, _, rows in tables:
        origins |= rows
    return PackFiles(files, origins)

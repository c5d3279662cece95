"""XLSX: one sheet a fact type, the same columns as CSV; typed cells are taken as what they are.

The archive is measured before anything is unpacked, and a process of its own with bounded memory
and time unpacks and reads it: see `workbook`.

Source: ECMA-376.
"""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from carnet.core.text import Text
from carnet.facts.intake import workbook
from carnet.facts.intake.collector import Collector
from carnet.facts.intake.limits import IntakeLimits
from carnet.facts.intake.opening import FileRefusedError, display_name, refuse
from carnet.facts.intake.tables import CellConverter, Table, read_header, type_of_name
from carnet.facts.issue import Problem, Source
from carnet.facts.parse import (
    Unusable,
    fraction,
    text_to_boolean,
    text_to_date,
    text_to_instant,
    text_to_integer,
)
from carnet.facts.schema import Kind

_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
PARTS_MAX = 4096
_CELLS = {"date": "日期", "datetime": "日期时间", "other": "其他类型"}
"""The kinds of cells that `workbook` tells, for a message in Chinese."""

_ENCRYPTED_FLAG = 1
_XLSX = Text("an XLSX workbook", "XLSX 工作簿")
_SAVE_AGAIN = Text(
    "Open the file in a spreadsheet program and save it again as .xlsx.",
    "请用电子表格软件打开后重新保存为 .xlsx。",
)


def _special(cell: dict[str, str]) -> Unusable:
    """Return what no field takes: an error, a fraction, a date where none belongs."""
    ((kind, found),) = cell.items()
    if kind == "fraction":
        return fraction(found)
    if kind == "error":
        return Unusable(
            found,
            Text(
                "Correct the formula, or replace it by its value, and save the workbook again.",
                "请更正公式，或以数值代替公式，并重新保存工作簿。",
            ),
        )
    return Unusable(
        Text(f"a {kind} cell: {found}", f"{_CELLS.get(kind, kind)}单元格：{found}"),
        Text(
            "Format the column as text and enter the value again as it is expected.",
            "请将该列设为文本格式，并按要求重新填写。",
        ),
    )


def _string(cell: Any) -> Any:
    return _special(cell) if isinstance(cell, dict) else cell


def _date(cell: Any) -> Any:
    if isinstance(cell, dict):
        return date.fromisoformat(cell["date"]) if "date" in cell else _special(cell)
    return text_to_date(cell) if isinstance(cell, str) else cell


def _converter(of_text: CellConverter) -> CellConverter:
    def convert(cell: Any) -> Any:
        return of_text(cell) if isinstance(cell, str) else _string(cell)

    return convert


_CONVERTERS: dict[Kind, CellConverter] = {
    "string": _string,
    "integer": _converter(text_to_integer),
    "boolean": _converter(text_to_boolean),
    "instant": _converter(text_to_instant),
    "date": _date,
}


def read_xlsx(data: bytes, file: str, collector: Collector) -> None:
    """Read every sheet of a workbook.

    Raises:
        FileRefusedError: It is not a workbook that can be read within the limits.
    """
    check_archive(data, collector.limits)
    sheet: _Sheet | None = None
    for line in workbook_lines(data, collector.limits):
        if isinstance(line, dict):
            sheet = _Sheet(line["sheet"], f"{file}#{display_name(line['sheet'])}")
        else:
            assert sheet is not None, "a sheet line comes first"
            sheet.add_row(line, collector)


class _Sheet:
    """Reads the rows of one sheet; a sheet without any value is no matter what its name is."""

    def __init__(self, name: str, file: str) -> None:
        self.name = name
        self.file = file
        self.row = 0
        self.table: Table | None = None
        self.is_refused = False
        self.width = 0

    def add_row(self, cells: list[Any], collector: Collector) -> None:
        """Take the next row: the header first, then facts."""
        self.row += 1
        if self.is_refused:
            return
        if self.table is not None:
            excess = cells[self.width :]
            kept = cells[: self.width] if all(cell == "" for cell in excess) else cells
            self.table.add_row(self.row, kept, collector)
        elif any(cell != "" for cell in cells):
            self._read_header(cells, collector)

    def _read_header(self, cells: list[Any], collector: Collector) -> None:
        fact_type = type_of_name(self.name)
        if isinstance(fact_type, Problem):
            self._refuse([fact_type], None, collector)
            return
        if self.row != 1:
            self._refuse([_header_not_first(self.row)], 1, collector)
            return
        while cells[-1] == "":
            cells.pop()
        header = read_header(fact_type, self.file, cells, _CONVERTERS)
        if isinstance(header, Table):
            self.table = header
            self.width = len(cells)
        else:
            self._refuse(header, 1, collector)

    def _refuse(self, problems: list[Problem], row: int | None, collector: Collector) -> None:
        self.is_refused = True
        collector.log.extend(Source(self.file, row), problems)


def _header_not_first(row: int) -> Problem:
    return Problem(
        None,
        Text(f"the first values in row {row}", f"首行内容位于第 {row} 行"),
        Text("the names of the columns in row 1", "列名位于第 1 行"),
        Text("Delete the rows above the header.", "请删除表头上方的行。"),
    )


def check_archive(data: bytes, limits: IntakeLimits) -> None:
    """Measure a workbook's archive without unpacking it.

    Raises:
        FileRefusedError: It is not an archive, encrypted, or larger unpacked than the limit.
    """
    if data.startswith(_OLE_MAGIC):
        raise _encrypted()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
    except Exception as error:  # noqa: BLE001 (zipfile lets many kinds of error out)
        raise _unreadable(str(error)) from None
    if any(part.flag_bits & _ENCRYPTED_FLAG for part in parts):
        raise _encrypted()
    size = sum(part.file_size for part in parts)
    if size > limits.unpacked_size_max or len(parts) > PARTS_MAX:
        raise refuse(
            Text(
                f"{len(parts)} parts of {size} bytes after unpacking",
                f"解压后 {len(parts)} 个部件、{size} 字节",
            ),
            Text(
                f"at most {PARTS_MAX} parts of {limits.unpacked_size_max} bytes",
                f"解压后不超过 {PARTS_MAX} 个部件、{limits.unpacked_size_max} 字节",
            ),
            Text(
                "Split the workbook, or save the sheets as CSV.",
                "请拆分工作簿，或将各表另存为 CSV。",
            ),
        )


def workbook_lines(
    data: bytes, limits: IntakeLimits, *, refuses_formulas: bool = False
) -> Iterator[Any]:
    """Yield the sheets of a workbook and their rows, as `workbook` writes them.

    The reading process reads all of its input before it writes.

    Args:
        data: The workbook, whose archive `check_archive` has measured.
        limits: What reading may take.
        refuses_formulas: Whether a formula with a value is a fault of its cell.

    Raises:
        FileRefusedError: It cannot be read, or not within the limits.
    """
    command = [
        sys.executable,
        "-I",
        str(Path(workbook.__file__)),
        str(limits.workbook_memory_max),
        str(limits.workbook_seconds_max),
        *([workbook.VALUES_ONLY] if refuses_formulas else []),
    ]
    with subprocess.Popen(  # noqa: S603 (our own module, no argument of the user's)
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None, "asked for above"
        assert process.stdout is not None, "asked for above"
        try:
            _feed(process.stdin, data)
            for line in process.stdout:
                if line.endswith(b"\n"):
                    yield _without_failure(json.loads(line))
        except BaseException:
            process.kill()
            raise
        if process.wait() != 0:
            raise _too_costly()


def _without_failure(line: Any) -> Any:
    if isinstance(line, dict) and "failure" in line:
        raise _unreadable(line["failure"])
    return line


def _feed(stream: Any, data: bytes) -> None:
    try:
        stream.write(data)
        stream.close()
    except BrokenPipeError:
        # The process ended before it had read everything; its exit status tells.
        return


def _encrypted() -> FileRefusedError:
    return refuse(
        Text("an encrypted or an old .xls workbook", "加密的或旧式 .xls 工作簿"),
        _XLSX,
        Text("Remove the password and save the file as .xlsx.", "请移除密码并另存为 .xlsx。"),
    )


def _unreadable(reason: str) -> FileRefusedError:
    if reason == "encrypted":
        return _encrypted()
    found = Text(
        f"a damaged or truncated file ({reason[:120]})", f"损坏或不完整的文件（{reason[:120]}）"
    )
    return refuse(found, _XLSX, _SAVE_AGAIN)


def _too_costly() -> FileRefusedError:
    return refuse(
        Text("a workbook that takes too much memory or time", "占用内存或时间过多的工作簿"),
        Text("a workbook that can be read within the limits", "可在限制内读取的工作簿"),
        Text(
            "Delete unused cells and sheets, or save the sheets as CSV.",
            "请删除不用的单元格和工作表，或将各表另存为 CSV。",
        ),
    )

"""Files of facts, read in batches whatever their size: CSV, NDJSON and Parquet.

Rows and lines are counted as the importer counts them, and texts are decoded as it decodes them.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet

from carnet.core.text import Text
from carnet.facts.intake.csv_file import UTF16_MARKS, bad_quoting, utf16
from carnet.facts.intake.json_file import long_line, read_line
from carnet.facts.intake.limits import IntakeLimits
from carnet.facts.intake.opening import MARK, check_utf8, empty, refuse
from carnet.facts.intake.tables import Table, read_header
from carnet.facts.issue import Problem, Source, shown
from carnet.facts.parse import TEXT_CONVERTERS
from carnet.facts.schema import FactType, Kind
from carnet.rules.bulk.loading import BATCH_ROWS, Loader, Row

LINE_SIZE_MAX = IntakeLimits().line_size_max
_BATCH_SIZE_MAX = 64 * 1024 * 1024
"""Bytes of lines that are held together."""


def numbered_lines(stream: BinaryIO, file: str, loader: Loader) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file with their numbers, up to one that is too long.

    Raises:
        FileRefusedError: The file is empty.
        TooManyProblemsError: So much is wrong that reading stops.
    """
    number = 0
    while line := stream.readline(LINE_SIZE_MAX + 1):
        number += 1
        if len(line) > LINE_SIZE_MAX:
            loader.collector.log.add(Source(file, number), long_line(LINE_SIZE_MAX))
            return
        yield number, line.removeprefix(MARK) if number == 1 else line
    if number == 0:
        raise empty()


# --- NDJSON -----------------------------------------------------------------------------------


def _batched_lines(
    lines: Iterable[tuple[int, bytes]],
) -> Iterator[tuple[list[int], list[bytes]]]:
    numbers: list[int] = []
    bodies: list[bytes] = []
    size = 0
    for number, line in lines:
        if not line.strip():
            continue
        numbers.append(number)
        bodies.append(line)
        size += len(line)
        if len(bodies) >= BATCH_ROWS or size >= _BATCH_SIZE_MAX:
            yield numbers, bodies
            numbers, bodies, size = [], [], 0
    if bodies:
        yield numbers, bodies


def _is_text(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def load_ndjson(stream: BinaryIO, file: str, loader: Loader) -> None:
    """Load one fact a line.

    Raises:
        FileRefusedError: The file is empty.
        TooManyProblemsError: So much is wrong that reading stops.
    """

    def reread(row: Row) -> None:
        read_line(row["body"].encode(), Source(file, row["_row"]), loader.collector)

    for numbers, bodies in _batched_lines(numbered_lines(stream, file, loader)):
        texts = bodies
        if not _is_text(b"".join(bodies)):
            for number, body in zip(numbers, bodies, strict=True):
                if not _is_text(body):
                    read_line(body, Source(file, number), loader.collector)
            # The import is refused; what else is wrong with the texts is told all the same.
            texts = [body if _is_text(body) else b"{}" for body in bodies]
        rows = {
            "_row": pa.array(numbers, pa.int64()),
            "body": pa.array(texts, pa.binary()).cast(pa.string()),
        }
        loader.add_lines(pa.table(rows), loader.number_of(file), reread)


# --- CSV --------------------------------------------------------------------------------------


def _texts(stream: BinaryIO, file: str, loader: Loader) -> Iterator[str]:
    for number, line in numbered_lines(stream, file, loader):
        if number == 1 and line.startswith(UTF16_MARKS):
            raise utf16()
        if b"\0" in line or not _is_text(line):
            # Line feeds stand for the lines before, so that the message tells the right one.
            check_utf8(b"\n" * (number - 1) + line)
        # A carriage return alone ends a line, too.
        yield from io.StringIO(line.decode(), newline="")


def load_csv(stream: BinaryIO, fact_type: FactType, file: str, loader: Loader) -> None:
    """Load the rows of a CSV file.

    Raises:
        FileRefusedError: It is empty or not text in UTF-8.
        TooManyProblemsError: So much is wrong that reading stops.
    """
    reader = csv.reader(_texts(stream, file, loader), strict=True)
    row, failure = 1, None
    table: Table | None = None
    rows: list[list[str]] = []
    try:
        header = read_header(fact_type, file, next(reader, []), TEXT_CONVERTERS)
        if not isinstance(header, Table):
            loader.collector.log.extend(Source(file, 1), header)
            return
        table = header
        for row, cells in enumerate(reader, start=2):
            rows.append(cells)
            if len(rows) == BATCH_ROWS:
                _add_cells(table, row - len(rows) + 1, rows, loader)
                rows = []
    except csv.Error as error:
        failure = bad_quoting(str(error))
    if table is not None and rows:
        _add_cells(table, row - len(rows) + 1, rows, loader)
    if failure is not None:
        loader.collector.log.add(Source(file, row + 1), failure)


def _add_cells(table: Table, first: int, rows: list[list[str]], loader: Loader) -> None:
    width = len(table.names)
    fitting = [(row, cells) for row, cells in enumerate(rows, first) if len(cells) == width]
    if len(fitting) < len(rows):
        for row, cells in enumerate(rows, first):
            if len(cells) != width:
                table.add_row(row, cells, loader.collector)
    if not fitting:
        return
    columns = {"_row": pa.array([row for row, _ in fitting], pa.int64())}
    for name, column in zip(
        table.names, zip(*(cells for _, cells in fitting), strict=True), strict=True
    ):
        columns[name] = pa.array(column, pa.string())

    def reread(row: Row) -> None:
        table.add_row(row["_row"], [row[name] for name in table.names], loader.collector)

    number = loader.number_of(table.file)
    loader.add_rows(table.fact_type, pa.table(columns), "cells", number, reread)


# --- Parquet ----------------------------------------------------------------------------------


def _is_text_type(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or (pa.types.is_dictionary(kind) and _is_text_type(kind.value_type))
    )


def _is_utc(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind)) and kind.tz is not None


def _column_of_kind(kind: pa.DataType, wanted: Kind) -> bool:
    """Return whether a column of Parquet can hold the values of a field."""
    if pa.types.is_null(kind):
        return True
    if wanted == "integer":
        return bool(pa.types.is_integer(kind))
    if wanted == "boolean":
        return bool(pa.types.is_boolean(kind))
    if wanted == "date":
        return bool(pa.types.is_date32(kind))
    return _is_utc(kind) if wanted == "instant" else _is_text_type(kind)


_EXPECTED: Mapping[Kind, Text] = {
    "string": Text("a column of strings", "字符串列"),
    "integer": Text("a column of whole numbers", "整数列"),
    "boolean": Text("a column of booleans", "布尔列"),
    "date": Text("a column of dates", "日期列"),
    "instant": Text("a column of timestamps in UTC", "协调世界时（UTC）时间戳列"),
}


def _wrong_columns(fact_type: FactType, schema: pa.Schema) -> Iterator[Problem]:
    for field in schema:
        expected = fact_type.column(field.name).kind
        if not _column_of_kind(field.type, expected):
            yield Problem(
                field.name,
                f"a column of {field.type}",
                _EXPECTED[expected],
                Text(
                    "Write the column again with this type.",
                    "请按此类型重新写出该列。",
                ),
            )


def load_parquet(path: Path, fact_type: FactType, file: str, loader: Loader) -> None:
    """Load the rows of a Parquet file; the first one is row 1.

    Raises:
        FileRefusedError: It is no Parquet file.
        TooManyProblemsError: So much is wrong that reading stops.
    """
    try:
        with parquet.ParquetFile(path, memory_map=False) as source:
            _load_parquet(source, fact_type, file, loader)
    except pa.ArrowException as error:
        raise refuse(
            shown(str(error)),
            Text("a Parquet file", "Parquet 文件"),
            Text("Write the file again.", "请重新写出该文件。"),
        ) from None


def _load_parquet(
    source: parquet.ParquetFile, fact_type: FactType, file: str, loader: Loader
) -> None:
    schema = source.schema_arrow
    header = read_header(fact_type, file, schema.names, {})
    problems = [] if isinstance(header, Table) else header
    problems = problems or list(_wrong_columns(fact_type, schema))
    if problems:
        loader.collector.log.extend(Source(file), problems)
        return

    def reread(row: Row) -> None:
        values: dict[str, Any] = {name: row[name] for name in schema.names}
        given = {name: value for name, value in values.items() if value is not None}
        loader.collector.add_values(fact_type, given, Source(file, row["_row"]))

    row = 1
    for batch in source.iter_batches(BATCH_ROWS):
        numbers = pa.array(range(row, row + batch.num_rows), pa.int64())
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        rows = pa.table({"_row": numbers, **columns})
        loader.add_rows(fact_type, rows, "typed", loader.number_of(file), reread)
        row += batch.num_rows

"""CSV: UTF-8, commas, a header, one fact a row. Cells are data; nothing in them is evaluated.

Source: RFC 4180.
"""

import csv
import io

from carnet.core.text import Text
from carnet.facts.intake.collector import Collector
from carnet.facts.intake.opening import FileRefusedError, check_utf8, refuse
from carnet.facts.intake.tables import Table, read_header
from carnet.facts.issue import Problem, Source, shown
from carnet.facts.parse import TEXT_CONVERTERS
from carnet.facts.schema import FactType

UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_csv(data: bytes, fact_type: FactType, file: str, collector: Collector) -> None:
    """Read the rows of a CSV file.

    Args:
        data: The content of the file.
        fact_type: The type that the file is named after.
        file: How messages name the file.
        collector: Takes the facts and the problems.

    Raises:
        FileRefusedError: It is not text in UTF-8.
    """
    if data.startswith(UTF16_MARKS):
        raise utf16()
    reader = csv.reader(io.StringIO(check_utf8(data).decode(), newline=""), strict=True)
    row = 1
    try:
        table = _table(next(reader, []), fact_type, file, collector)
        if table is None:
            return
        for row, cells in enumerate(reader, start=2):
            table.add_row(row, cells, collector)
    except csv.Error as error:
        collector.log.add(Source(file, row + 1), bad_quoting(str(error)))


def _table(cells: list[str], fact_type: FactType, file: str, collector: Collector) -> Table | None:
    header = read_header(fact_type, file, cells, TEXT_CONVERTERS)
    if isinstance(header, Table):
        return header
    collector.log.extend(Source(file, 1), header)
    return None


def utf16() -> FileRefusedError:
    """Return the refusal of a file in UTF-16."""
    return refuse(
        "UTF-16",
        Text("text in UTF-8", "UTF-8 编码的文本"),
        Text("Save the file as 'CSV UTF-8'.", "请另存为“CSV UTF-8”。"),
    )


def bad_quoting(reason: str) -> Problem:
    """Return the problem of cells that are not quoted as they should be."""
    return Problem(
        None,
        shown(reason),
        Text("CSV as in RFC 4180", "符合 RFC 4180 的 CSV"),
        Text(
            "Close every double quote, double those inside a quoted cell, and put nothing after"
            " the closing one. The rest of the file was not read.",
            "请闭合每个双引号，引号内的双引号写两次，闭合后不得再有字符。文件其余部分未读取。",
        ),
    )

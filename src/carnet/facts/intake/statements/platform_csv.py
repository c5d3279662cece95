"""A platform's settlement export in CSV, in the platform's own columns.

Source: RFC 4180; docs/adr/0017-credit-data-points.md.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from carnet.core.text import Text
from carnet.facts.intake.collector import Collector
from carnet.facts.intake.csv_file import UTF16_MARKS, bad_quoting, utf16
from carnet.facts.intake.opening import check_utf8
from carnet.facts.intake.statements.amounts import (
    ValueRefusedError,
    read_currency,
    read_day,
    read_minor,
)
from carnet.facts.intake.statements.bookings import Booking, Period, add_lines, add_points
from carnet.facts.intake.statements.mapping import CsvMap, Meaning, StatementMap
from carnet.facts.intake.statements.xml_tree import StatementError
from carnet.facts.issue import Problem, Source, shown
from carnet.facts.types.settlement import FAVOURABLE

ACCOUNT: Final = "export"
"""What stands for the account in the ids of an export, which names none."""


class _Row:
    """One row of the export, by column."""

    def __init__(self, names: Sequence[str], cells: Sequence[str], number: int) -> None:
        self.number = number
        self._cells = dict(zip(names, cells, strict=True))

    def text(self, column: str) -> str:
        """Return the text of a cell that must not be empty."""
        found = self._cells[column]
        if not found:
            raise self.refuse(
                column,
                ValueRefusedError(
                    "",
                    Text("a value", "一个值"),
                    Text("Fill it in.", "请填写。"),
                ),
            )
        return found

    def optional(self, column: str | None) -> str | None:
        """Return the text of a cell, None where it is empty or there is no such column."""
        return (self._cells[column] or None) if column is not None else None

    def refuse(self, column: str, refusal: ValueRefusedError) -> StatementError:
        """Return the refusal of a cell."""
        problem = Problem(column, refusal.found, refusal.expected, refusal.remedy)
        return StatementError(problem, self.number)

    def currency(self, column: str) -> str:
        """Return the currency of a cell."""
        try:
            return read_currency(self.text(column))
        except ValueRefusedError as refusal:
            raise self.refuse(column, refusal) from None

    def day(self, column: str) -> date:
        """Return the day of a cell."""
        try:
            return read_day(self.text(column))
        except ValueRefusedError as refusal:
            raise self.refuse(column, refusal) from None

    def minor(self, column: str, currency: str) -> int:
        """Return the amount of a cell."""
        try:
            return read_minor(self.text(column), currency, is_signed=True)
        except ValueRefusedError as refusal:
            raise self.refuse(column, refusal) from None


def read_platform_csv(
    data: bytes, evidence: str, found: StatementMap, file: str, collector: Collector
) -> None:
    """Read an export: its lines, and a data point for what it settles.

    Args:
        data: The content of the file.
        evidence: The SHA-256 of that content, in hex.
        found: The statement map, which has a part for CSV.
        file: How messages name the file.
        collector: Takes the facts and the problems.

    Raises:
        FileRefusedError: It is not text in UTF-8.
    """
    assert found.csv is not None, "the caller checked the map"
    if data.startswith(UTF16_MARKS):
        raise utf16()
    reader = csv.reader(io.StringIO(check_utf8(data).decode(), newline=""), strict=True)
    number = 1
    bookings: list[Booking] = []
    try:
        names = next(reader, [])
        wrong = list(_header_problems(names, found.csv))
        if wrong:
            collector.log.extend(Source(file, 1), wrong)
            return
        for number, cells in enumerate(reader, start=2):
            bookings += _checked_row(names, cells, number, found.csv, file, collector)
    except csv.Error as error:
        collector.log.add(Source(file, number + 1), bad_quoting(str(error)))
        return
    if not bookings or collector.log.issues:
        return
    days = [booking.day for booking in bookings]
    add_lines(bookings, found, file, collector)
    period = Period(ACCOUNT, min(days), max(days), max(days), 1)
    add_points(bookings, period, "platform", evidence, found, file, collector)


def _header_problems(names: Sequence[str], found: CsvMap) -> Iterator[Problem]:
    known = {*found.required, *found.ignored}
    listed = ", ".join(found.required)
    for name in [name for name in found.required if name not in names]:
        yield Problem(
            name,
            Text("no such column", "没有该列"),
            Text(f"the columns {listed}", f"列 {listed}"),
            Text(
                "Export all columns, or correct the statement map.",
                "请导出所有列，或更正对账单映射。",
            ),
        )
    for place, name in enumerate(names):
        if name not in known or name in names[:place]:
            yield Problem(
                shown(name).strip("'"),
                shown(name),
                Text(
                    "a column that the statement map names, once",
                    "对账单映射中列出且只出现一次的列",
                ),
                Text(
                    "Add it to the map: to its amounts, or to `ignore` if it is of no matter.",
                    "请加入映射：作为金额列，或在无关时列入 ignore。",
                ),
            )


def _checked_row(
    names: Sequence[str],
    cells: Sequence[str],
    number: int,
    found: CsvMap,
    file: str,
    collector: Collector,
) -> list[Booking]:
    if not any(cells):
        return []
    try:
        if len(cells) != len(names):
            raise _wrong_width(len(cells), len(names), number)
        return _bookings(_Row(names, cells, number), found)
    except StatementError as refusal:
        collector.log.add(Source(file, refusal.row), refusal.problem)
        return []


def _wrong_width(width: int, wanted: int, number: int) -> StatementError:
    problem = Problem(
        None,
        Text(f"{width} cells", f"{width} 个单元格"),
        Text(f"{wanted} cells, as the header has", f"{wanted} 个单元格，与表头一致"),
        Text("Put a text that holds a comma in double quotes.", "含逗号的文本请加双引号。"),
    )
    return StatementError(problem, number)


def _amounts(row: _Row, found: CsvMap, currency: str) -> Iterator[tuple[str, Meaning, int]]:
    """Yield column, meaning and signed figure of each amount in a row."""
    if found.code is not None and found.amount is not None:
        yield found.amount, _meaning(row, found), row.minor(found.amount, currency)
        return
    for column, meaning in found.amounts.items():
        if row.optional(column) is not None:
            yield column, meaning, row.minor(column, currency)


def _meaning(row: _Row, found: CsvMap) -> Meaning:
    assert found.code is not None, "the caller asked"
    code = row.text(found.code)
    meaning = found.codes.get(code)
    if meaning is not None:
        return meaning
    if found.unknown == "other_fee":
        return Meaning("other_fee", -1)
    raise row.refuse(
        found.code,
        ValueRefusedError(
            shown(code),
            Text("a code that the statement map names", "对账单映射中列出的代码"),
            Text(
                "Ask what the code stands for and add it to [[csv.codes]] of the map.",
                "请核实该代码的含义，并加入映射的 [[csv.codes]]。",
            ),
        ),
    )


def _bookings(row: _Row, found: CsvMap) -> list[Booking]:
    currency, day = row.currency(found.currency), row.day(found.date)
    reference = row.text(found.reference)
    payment = row.optional(found.payment_reference)
    result = []
    net = 0
    for column, meaning, figure in _amounts(row, found, currency):
        amount = figure * meaning.sign
        net += amount if meaning.kind in FAVOURABLE else -amount
        if figure:
            result.append(
                Booking(
                    kind=meaning.kind,
                    amount=amount,
                    currency=currency,
                    day=day,
                    key=(ACCOUNT, reference, column),
                    row=row.number,
                    payment_reference=payment,
                    bank_reference=reference,
                )
            )
    if found.net is not None and row.minor(found.net, currency) != net:
        raise row.refuse(found.net, _wrong_net(row.text(found.net), net))
    return result


def _wrong_net(told: str, net: int) -> ValueRefusedError:
    return ValueRefusedError(
        shown(told),
        Text(
            f"{net} minor units, as the amounts of the row come to",
            f"{net}（最小货币单位），即该行各金额的合计",
        ),
        Text(
            "Compare the row with the platform's page, and the signs with the statement map.",
            "请将该行与平台页面核对，并核对映射中的正负号。",
        ),
    )

"""Quarters of the calendar."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from carnet.core.errors import InputError
from carnet.core.text import Text

_SHAPE: Final = re.compile(r"([0-9]{4})Q([1-4])", re.ASCII)
_MONTHS: Final = 3
_YEARS: Final = range(1900, 2200)


@dataclass(frozen=True, slots=True, order=True)
class Quarter:
    """Three months of a year, counted from 1.

    >>> quarter = Quarter(2026, 4)
    >>> str(quarter), str(quarter.start), str(quarter.end)
    ('2026Q4', '2026-10-01', '2026-12-31')
    """

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year:04}Q{self.number}"

    @property
    def start(self) -> date:
        """Its first day."""
        return date(self.year, _MONTHS * self.number - 2, 1)

    @property
    def end(self) -> date:
        """Its last day."""
        after = Quarter(self.year + self.number // 4, self.number % 4 + 1)
        return after.start - timedelta(days=1)


def quarter_of(day: date) -> Quarter:
    """Return the quarter that a day lies in."""
    return Quarter(day.year, (day.month + 2) // _MONTHS)


def parse_quarter(text: str) -> Quarter:
    """Return the quarter of ``2026Q3``.

    Raises:
        InputError: It is none.
    """
    match = _SHAPE.fullmatch(text)
    if match is None or int(match[1]) not in _YEARS:
        raise InputError(
            "CRN-L-072",
            Text(
                f"{text!r} is not a quarter; expected a year, Q and 1 to 4.",
                f"{text!r} 不是季度；应为年份、Q 和 1 至 4。",
            ),
            Text("Write for example 2026Q3.", "例如 2026Q3。"),
        )
    return Quarter(int(match[1]), int(match[2]))

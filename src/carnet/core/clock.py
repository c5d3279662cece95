"""Time: aware UTC instants, UTC day numbers and calendar arithmetic.

A Clock is passed in and read once per operation, so that an operation has one "now" and a test or
a replay can choose it.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Protocol

SECONDS_PER_DAY = 86_400
INSTANTS_CACHED = 4096
_EPOCH = date(1970, 1, 1)
_EPOCH_INSTANT = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_INSTANT = re.compile(r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


class Clock(Protocol):
    """A source of the present instant."""

    def now(self) -> datetime:
        """Return the present instant, aware and in UTC, to the second."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's present instant in UTC, to the second."""
        return datetime.now(UTC).replace(microsecond=0)


@dataclass(slots=True)
class FixedClock:
    """A clock that stands still until it is moved."""

    instant: datetime

    def __post_init__(self) -> None:
        assert self.instant.tzinfo is not None, "an instant is always aware"

    def now(self) -> datetime:
        """Return the instant the clock stands at."""
        return self.instant

    def advance(self, step: timedelta) -> None:
        """Move the clock forward."""
        assert step >= timedelta(0), "time never goes back"
        self.instant += step


def day_number(day: date) -> int:
    """Return the days since 1970-01-01.

    >>> day_number(date(1970, 1, 2))
    1
    """
    return (day - _EPOCH).days


def second_number(instant: datetime) -> int:
    """Return the whole seconds since 1970-01-01T00:00:00Z.

    >>> second_number(datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC))
    -1
    """
    return (instant - _EPOCH_INSTANT) // _SECOND


def date_of_day_number(number: int) -> date:
    """Return the date of a day number.

    >>> date_of_day_number(1)
    datetime.date(1970, 1, 2)
    """
    return _EPOCH + timedelta(days=number)


def add_months(day: date, months: int) -> date:
    """Return the same day some calendar months later, clamped to the end of the month.

    >>> add_months(date(2024, 1, 31), 1)
    datetime.date(2024, 2, 29)
    """
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def add_years(day: date, years: int) -> date:
    """Return the same day some calendar years later, clamped to the end of the month.

    >>> add_years(date(2024, 2, 29), 5)
    datetime.date(2029, 2, 28)
    """
    return add_months(day, 12 * years)


@lru_cache(maxsize=INSTANTS_CACHED)
def format_instant(instant: datetime) -> str:
    """Return an instant as RFC 3339 in UTC with the suffix Z, to the second.

    >>> format_instant(datetime(2026, 11, 23, 8, 0, tzinfo=UTC))
    '2026-11-23T08:00:00Z'
    """
    assert instant.tzinfo is not None, "an instant is always aware"
    there = instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    return there.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


@lru_cache(maxsize=INSTANTS_CACHED)
def parse_instant(text: str) -> datetime:
    """Return the instant of the one spelling that `format_instant` writes.

    Raises:
        ValueError: The text is not of that form.
    """
    if not _INSTANT.fullmatch(text):
        message = f"expected an instant like 2026-11-23T08:00:00Z, found {text[:80]!r}"
        raise ValueError(message)
    return datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)

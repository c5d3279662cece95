"""Dates on the command line."""

from datetime import date

from carnet.core.errors import InputError
from carnet.core.text import Text


def parse_day(text: str) -> date:
    """Return the date of an option.

    Raises:
        InputError: It is not a date in its one spelling.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise InputError(
            "CRN-C-070",
            Text(f"{text[:40]!r} is not a date.", f"{text[:40]!r} 不是日期。"),
            Text("Write it like 2026-11-23.", "请写成 2026-11-23 的形式。"),
        )
    return day


def parse_as_of(text: str | None) -> date:
    """Return the date of ``--as-of``, today in UTC where it is not given.

    Raises:
        InputError: It is not a date in its one spelling.
    """
    from carnet.core.clock import SystemClock

    return SystemClock().now().date() if text is None else parse_day(text)

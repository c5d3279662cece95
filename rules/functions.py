"""The named functions of values: integer arithmetic, divisions that name their rounding, dates.

Every function returns None where it has no value: a division by zero, a result beyond the safe
integers, a date outside the calendar.

Source: docs/spec/pack-format.md, PF-8 and PF-15.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from math import isqrt
from typing import Any

from carnet.core.canonical import INTEGER_MAX
from carnet.core.clock import add_months as months_later
from carnet.core.clock import add_years as years_later
from carnet.core.money import BPS_ONE

_Z_NUMERATOR, _Z_DENOMINATOR = 49, 25


def div_down(numerator: int, denominator: int) -> int | None:
    """Return the quotient rounded down, None for a division by zero."""
    return numerator // denominator if denominator else None


def div_up(numerator: int, denominator: int) -> int | None:
    """Return the quotient rounded up, None for a division by zero."""
    return -(-numerator // denominator) if denominator else None


def ratio_bps_down(part: int, whole: int) -> int | None:
    """Return a part of a whole in basis points, rounded down."""
    return div_down(part * BPS_ONE, whole)


def ratio_bps_up(part: int, whole: int) -> int | None:
    """Return a part of a whole in basis points, rounded up."""
    return div_up(part * BPS_ONE, whole)


def _root_up(number: int) -> int:
    """Return the square root rounded up."""
    root = isqrt(number)
    return root if root * root == number else root + 1


def wilson_lower_bps(successes: int, trials: int) -> int | None:
    """Return the lower bound of the Wilson interval (z = 49/25) in basis points, rounded down.

    With s successes of n and z = a/b the bound is (A - sqrt(D)) / B for the integers below. The
    factor 10,000 goes under the root before it is rounded up, so that the result is the exact
    bound rounded down, with one rounding.

    >>> wilson_lower_bps(95, 100), wilson_lower_bps(0, 10), wilson_lower_bps(1, 0)
    (8882, 0, None)
    """
    if trials <= 0 or not 0 <= successes <= trials:
        return None
    a2, b2 = _Z_NUMERATOR**2, _Z_DENOMINATOR**2
    a_term = 2 * b2 * successes * trials + a2 * trials
    d_term = a2 * (a2 * trials * trials + 4 * b2 * successes * trials * (trials - successes))
    b_term = 2 * trials * (b2 * trials + a2)
    return (a_term * BPS_ONE - _root_up(d_term * BPS_ONE**2)) // b_term


def _date_of(instant: datetime) -> date:
    """Return the day of an instant in UTC, which is how facts hold instants."""
    return instant.date()


def _days_between(start: date, end: date) -> int:
    return (end - start).days


def _add_days(day: date, days: int) -> date:
    return day + timedelta(days=days)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "div_down": div_down,
    "div_up": div_up,
    "ratio_bps_down": ratio_bps_down,
    "ratio_bps_up": ratio_bps_up,
    "wilson_lower_bps": wilson_lower_bps,
    "date_of": _date_of,
    "days_between": _days_between,
    "add_days": _add_days,
    "add_months": months_later,
    "add_years": years_later,
}


def apply(function: str, arguments: tuple[Any, ...]) -> int | date | None:
    """Return the value of a function, None where it has none."""
    try:
        result: int | date | None = FUNCTIONS[function](*arguments)
    except (OverflowError, ValueError):
        return None
    if isinstance(result, int) and abs(result) > INTEGER_MAX:
        return None
    return result

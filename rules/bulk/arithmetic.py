"""The named functions of values in SQL, exact and without floats in what they return.

Each takes known integers or dates and gives NULL where the function has no value: a division by
zero, a result beyond 2^53 - 1, a date outside the calendar. Nothing here may overflow: products
and sums of two 53-bit integers are formed in 128 bits, and what would not fit is excluded first.

Source: docs/spec/pack-format.md, PF-8 and PF-15; `functions.py` is the meaning.
"""

from collections.abc import Callable

from sqlglot import exp

from carnet.core.canonical import INTEGER_MAX
from carnet.core.clock import SECONDS_PER_DAY
from carnet.core.money import BPS_ONE
from carnet.rules.bulk.sql import (
    FALSE,
    TRUE,
    Sql,
    as_text,
    both,
    case,
    cast,
    compared,
    joined_text,
    number,
    text,
)

WIDE = "INT128"
"""128 bits; `dialect.py` spells it for engines that have decimals instead."""
_DAY_MIN, _DAY_MAX = -719_162, 2_932_896
"""0001-01-01 and 9999-12-31 as days since 1970."""
_MONTH_MIN, _MONTH_MAX = 12, 12 * 10_000 - 1
_A2, _B2 = 49**2, 25**2
_ROOT_MAX = 10**16


def wide(value: Sql) -> Sql:
    """Return an integer in 128 bits."""
    return cast(value, WIDE)


def _plain(kind: type[exp.Binary], left: Sql, right: Sql) -> Sql:
    return exp.Paren(this=kind(this=left, expression=right))


def add(left: Sql, right: Sql) -> Sql:
    """Return a sum that is known to fit."""
    return _plain(exp.Add, left, right)


def subtract(left: Sql, right: Sql) -> Sql:
    """Return a difference that is known to fit."""
    return _plain(exp.Sub, left, right)


def times(left: Sql, right: Sql) -> Sql:
    """Return a product that is known to fit."""
    return _plain(exp.Mul, left, right)


def within(value: Sql) -> Sql:
    """Return an integer, NULL where it is beyond the safe integers."""
    low, high = number(-INTEGER_MAX), number(INTEGER_MAX)
    inside = exp.Between(this=exp.Paren(this=value), low=low, high=high)
    return case([(inside, cast(value, "BIGINT"))])


def _sum(left: Sql, right: Sql) -> Sql:
    return within(add(left, right))


def _difference(left: Sql, right: Sql) -> Sql:
    return within(subtract(left, right))


def _product(left: Sql, right: Sql) -> Sql:
    return within(times(wide(left), wide(right)))


# --- division ---------------------------------------------------------------------------------


def _quotient(value: Sql, by: Sql) -> Sql:
    """Return the quotient rounded towards zero."""
    return cast(_plain(exp.IntDiv, value, by), "BIGINT")


def _rest(value: Sql, by: Sql) -> Sql:
    return _plain(exp.Mod, value, by)


def _floor(value: Sql, by: Sql) -> Sql:
    """Return the quotient rounded down, for a positive divisor."""
    is_below = compared(_rest(value, by), "<", number(0))
    return subtract(_quotient(value, by), case([(is_below, number(1))], number(0)))


def _modulus(value: Sql, by: Sql) -> Sql:
    """Return what rounding down leaves, never negative, for a positive divisor."""
    rest = _rest(value, by)
    return case([(compared(rest, "<", number(0)), add(rest, by))], rest)


def _negative(value: Sql) -> Sql:
    return subtract(number(0), value)


def _by_sign(divide: Callable[[Sql, Sql], Sql], value: Sql, by: Sql) -> Sql:
    """Return a division by either sign from one by a positive divisor; NULL by zero."""
    return case(
        [
            (compared(by, ">", number(0)), divide(value, by)),
            (compared(by, "<", number(0)), divide(_negative(value), _negative(by))),
        ]
    )


def _div_down(value: Sql, by: Sql) -> Sql:
    return _by_sign(_floor, value, by)


def _div_up(value: Sql, by: Sql) -> Sql:
    return _negative(_div_down(_negative(value), by))


def _ratio(part: Sql, whole: Sql) -> Sql:
    """Return 10,000 parts of a positive whole, rounded down.

    Long division by hundreds: every intermediate is at most 100 times a rest, which fits 64 bits,
    and the leading quotient is looked at before it is multiplied.
    """
    leading, rest = _floor(part, whole), _modulus(part, whole)
    second = times(rest, number(100))
    third = times(_rest(second, whole), number(100))
    fraction = add(times(_quotient(second, whole), number(100)), _quotient(third, whole))
    most = number(INTEGER_MAX // BPS_ONE + 1)
    fits = exp.Between(this=leading, low=_negative(most), high=most)
    return case([(fits, add(times(leading, number(BPS_ONE)), fraction))])


def _ratio_down(part: Sql, whole: Sql) -> Sql:
    return within(_by_sign(_ratio, part, whole))


def _ratio_up(part: Sql, whole: Sql) -> Sql:
    return within(_negative(_by_sign(_ratio, _negative(part), whole)))


# --- the Wilson bound -------------------------------------------------------------------------


def _reaches(bound: Sql, successes: Sql, trials: Sql) -> Sql:
    """Return whether the exact Wilson bound is at least some basis points.

    With the terms of `functions.wilson_lower_bps` divided by the number of trials n, the bound r
    is reached when Y >= 0 and C * T / n <= Y^2, where

        Y = 10^4 (2 b^2 s + a^2) - 2 r (b^2 n + a^2),  C = 10^8 a^2,
        T = a^2 n + 4 b^2 s (n - s).

    Both sides being integers, the left one may be rounded up; divided before it is multiplied, it
    stays below 2^101. Its root is below 10^16, so a greater Y needs no square.
    """
    head = times(number(BPS_ONE), add(times(number(2 * _B2), successes), number(_A2)))
    tail = times(times(number(2), bound), add(times(number(_B2), trials), number(_A2)))
    y = subtract(head, tail)
    spread = times(times(number(4 * _B2), successes), subtract(trials, successes))
    t, c = add(times(number(_A2), trials), spread), number(BPS_ONE**2 * _A2)
    rest = times(c, _rest(t, trials))
    up = case([(compared(_rest(rest, trials), ">", number(0)), number(1))], number(0))
    left = add(times(c, wide(_quotient(t, trials))), add(_quotient(rest, trials), up))
    is_below = compared(y, "<", number(0))
    is_far = compared(y, ">", number(_ROOT_MAX))
    return case([(is_below, FALSE), (is_far, TRUE)], compared(left, "<=", times(y, y)))


def _estimate(successes: Sql, trials: Sql) -> Sql:
    """Return the bound to the nearest floats; only a starting point, at most one off."""
    s, n = cast(successes, "DOUBLE"), cast(trials, "DOUBLE")
    head = add(times(number(2 * _B2), s), number(_A2))
    spread = times(times(number(4 * _B2), s), subtract(n, s))
    under = _plain(exp.Div, add(times(number(_A2), n), spread), n)
    top = subtract(head, exp.Sqrt(this=times(cast(number(_A2), "DOUBLE"), under)))
    bottom = times(number(2), add(times(number(_B2), n), number(_A2)))
    scaled = times(number(BPS_ONE), _plain(exp.Div, top, bottom))
    return cast(exp.Floor(this=scaled), "BIGINT")


def _wilson(successes: Sql, trials: Sql) -> Sql:
    estimate = _estimate(successes, trials)
    wide_s, wide_n = wide(successes), wide(trials)

    def reached(offset: int) -> tuple[Sql, Sql]:
        bound = add(estimate, number(offset))
        return _reaches(wide(bound), wide_s, wide_n), bound

    valid = both(
        compared(trials, ">", number(0)),
        exp.Between(this=successes, low=number(0), high=trials),
    )
    return case([(valid, case([reached(1), reached(0), reached(-1)]))])


# --- dates ------------------------------------------------------------------------------------


def days_between(start: Sql, end: Sql) -> Sql:
    """Return the days from one date to another."""
    days = exp.DateDiff(this=end, expression=start, unit=exp.var("DAY"))
    return cast(days, "BIGINT")


def _add_days(day: Sql, days: Sql) -> Sql:
    epoch = cast(exp.Literal.string("1970-01-01"), "DATE")
    at = add(days_between(epoch, day), days)
    inside = exp.Between(this=at, low=number(_DAY_MIN), high=number(_DAY_MAX))
    return case([(inside, add(epoch, cast(at, "INT")))])


def _part(name: str, day: Sql) -> Sql:
    return cast(exp.Extract(this=exp.var(name), expression=day), "BIGINT")


def _date(year: Sql, month: Sql, day: Sql) -> Sql:
    parts = {"year": year, "month": month, "day": day}
    return exp.DateFromParts(**{name: cast(value, "INT") for name, value in parts.items()})


def _add_months(day: Sql, months: Sql) -> Sql:
    first = subtract(add(times(_part("YEAR", day), number(12)), _part("MONTH", day)), number(1))
    at = add(first, months)
    inside = exp.Between(this=at, low=number(_MONTH_MIN), high=number(_MONTH_MAX))
    year, month = _quotient(at, number(12)), add(_rest(at, number(12)), number(1))
    last = _part("DAY", exp.LastDay(this=_date(year, month, number(1))))
    clamped = exp.Least(this=_part("DAY", day), expressions=[last])
    return case([(inside, _date(year, month, clamped))])


def _add_years(day: Sql, years: Sql) -> Sql:
    # Twelve times 2^53 fits 64 bits.
    return _add_months(day, times(years, number(12)))


def _date_of(instant: Sql) -> Sql:
    """Return the day in UTC of an instant, which is a number of seconds since 1970."""
    epoch = cast(exp.Literal.string("1970-01-01"), "DATE")
    return add(epoch, cast(_floor(instant, number(SECONDS_PER_DAY)), "INT"))


def instant_text(instant: Sql) -> Sql:
    """Return an instant as `core.clock.format_instant` writes it."""
    day = number(SECONDS_PER_DAY)
    second = subtract(instant, times(_floor(instant, day), day))
    minute = _quotient(second, number(60))
    parts = (_quotient(minute, number(60)), _rest(minute, number(60)), _rest(second, number(60)))
    shown = [as_text(_date_of(instant))]
    for mark, part in zip("T::", parts, strict=True):
        digits = joined_text([text("0"), as_text(part)])
        shown += [text(mark), exp.Right(this=digits, expression=number(2))]
    return joined_text([*shown, text("Z")])


FUNCTIONS: dict[str, Callable[..., Sql]] = {
    "+": _sum,
    "-": _difference,
    "*": _product,
    "div_down": _div_down,
    "div_up": _div_up,
    "ratio_bps_down": _ratio_down,
    "ratio_bps_up": _ratio_up,
    "wilson_lower_bps": _wilson,
    "date_of": _date_of,
    "days_between": days_between,
    "add_days": _add_days,
    "add_months": _add_months,
    "add_years": _add_years,
}

"""Amounts and days as statements write them, taken exactly: no binary fraction is ever made."""

import re
from datetime import date
from typing import Final

from carnet.core.canonical import INTEGER_MAX
from carnet.core.text import Text
from carnet.facts.codes import CURRENCIES, minor_digits_of
from carnet.facts.issue import Found, shown

DIGITS_MAX: Final = 18
_DECIMAL: Final = re.compile(r"(-?)([0-9]{1,18})(?:\.([0-9]{1,18}))?", re.ASCII)
_DAY: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII)
_INSTANT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})?",
    re.ASCII,
)


class ValueRefusedError(Exception):
    """A text is not a value of the kind that was asked for."""

    def __init__(self, found: Found, expected: Text, remedy: Text) -> None:
        super().__init__(str(found))
        self.found = found
        self.expected = expected
        self.remedy = remedy


def read_currency(text: str) -> str:
    """Return a currency code.

    Raises:
        ValueRefusedError: It is none of ISO 4217.
    """
    if text in CURRENCIES:
        return text
    raise ValueRefusedError(
        shown(text),
        Text("a currency code of ISO 4217", "ISO 4217 货币代码"),
        Text("Write three capitals, for example CNY.", "请填写三个大写字母，例如 CNY。"),
    )


def read_minor(text: str, currency: str, *, is_signed: bool = False) -> int:
    """Return an amount in minor units, exactly as it is written.

    >>> read_minor("1234.5", "CNY"), read_minor("12.00", "JPY"), read_minor("-0.07", "USD",
    ...     is_signed=True)
    (123450, 12, -7)

    Args:
        text: Decimal digits with at most one point; digits beyond the minor unit must be zeros.
        currency: A currency code.
        is_signed: Whether a minus sign may stand before it.

    Raises:
        ValueRefusedError: It is no such amount.
    """
    digits = minor_digits_of(currency)
    match = _DECIMAL.fullmatch(text)
    whole, fraction = (match[2], match[3] or "") if match else ("", "")
    minor = int(whole + fraction[:digits].ljust(digits, "0")) if match else 0
    is_exact = not fraction[digits:].strip("0")
    if not match or (match[1] and not is_signed) or not is_exact or minor > INTEGER_MAX:
        raise ValueRefusedError(
            shown(text),
            Text(
                f"an amount of {currency}: digits, a point and at most {digits} digits after it",
                f"{currency} 金额：数字，小数点后最多 {digits} 位",
            ),
            Text(
                "Write it plainly: 1234.50, without blanks, thousands separators or a sign"
                " that the column does not have.",
                "请直接书写：1234.50，不带空格、千位分隔符，也不带该列所没有的正负号。",
            ),
        )
    return -minor if match[1] else minor


def read_day(text: str, *, is_instant: bool = False) -> date:
    """Return the day of a date, or of an instant, as its writer counted it.

    Args:
        text: ``YYYY-MM-DD``, or with `is_instant` also a time; a zone may follow.
        is_instant: Which of the two it is.

    Raises:
        ValueRefusedError: It is neither, or the calendar has no such day.
    """
    match = (_INSTANT if is_instant else _DAY).fullmatch(text)
    try:
        if match is not None:
            return date.fromisoformat(match[1])
    except ValueError:
        pass
    what = Text("a date and time", "日期时间") if is_instant else Text("a date", "日期")
    raise ValueRefusedError(
        shown(text),
        Text(
            f"{what.en} of the calendar such as 2026-09-30", f"日历中存在的{what.zh}，如 2026-09-30"
        ),
        Text("Compare with the document.", "请对照原始文件核对。"),
    )

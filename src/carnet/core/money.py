"""Money as integers of minor units, rates as basis points, divisions that name their rounding.

No float and no Decimal takes part in a decision: Decimal appears only in `format_digits`.
"""

from dataclasses import dataclass
from decimal import Decimal

from carnet.core.errors import AmountError
from carnet.core.text import Text

BPS_ONE = 10_000
"""One whole, in basis points."""

TOKEN_AMOUNT_MAX = 2**256 - 1

MINOR_DIGITS = {
    "AUD": 2,
    "CNY": 2,
    "EUR": 2,
    "GBP": 2,
    "HKD": 2,
    "JPY": 0,
    "KRW": 0,
    "SGD": 2,
    "USD": 2,
}
"""Minor unit digits of the currencies that sellers of the covered markets settle in (ISO 4217)."""


def minor_digits(currency: str) -> int:
    """Return how many digits an amount of a currency has after the point.

    Raises:
        AmountError: The currency is none of those that are covered.
    """
    digits = MINOR_DIGITS.get(currency)
    if digits is None:
        raise AmountError(
            "CRN-C-001",
            Text(f"The currency {currency!r} is not supported.", f"不支持货币 {currency!r}。"),
            Text(f"Use one of {', '.join(MINOR_DIGITS)}.", f"请使用：{'、'.join(MINOR_DIGITS)}。"),
        )
    return digits


def div_down(numerator: int, denominator: int) -> int:
    """Return the quotient rounded toward minus infinity."""
    return numerator // denominator


def div_up(numerator: int, denominator: int) -> int:
    """Return the quotient rounded toward plus infinity."""
    return -(-numerator // denominator)


def mul_bps_down(minor: int, rate_bps: int) -> int:
    """Return a part of an amount given in basis points, rounded down."""
    return div_down(minor * rate_bps, BPS_ONE)


def mul_bps_up(minor: int, rate_bps: int) -> int:
    """Return a part of an amount given in basis points, rounded up."""
    return div_up(minor * rate_bps, BPS_ONE)


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount of one currency in integer minor units.

    Raises:
        AmountError: The currency has no minor unit here, or two currencies were mixed.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        minor_digits(self.currency)

    def _same(self, other: "Money") -> int:
        if self.currency != other.currency:
            raise AmountError(
                "CRN-C-002",
                Text(
                    f"{self.currency} and {other.currency} cannot be combined.",
                    f"{self.currency} 与 {other.currency} 不能合并计算。",
                ),
            )
        return other.minor

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def __str__(self) -> str:
        return format_minor(self.minor, self.currency)


def format_digits(minor: int, digits: int) -> str:
    """Return an amount for people without its currency, with that many digits after the point.

    >>> format_digits(123456, 2)
    '1,234.56'
    """
    return f"{Decimal(minor).scaleb(-digits):,.{digits}f}"


def format_minor(minor: int, currency: str) -> str:
    """Return an amount for people, such as ``1,234.56 USD``.

    >>> format_minor(123456, "USD")
    '1,234.56 USD'
    >>> format_minor(-5, "JPY")
    '-5 JPY'

    Raises:
        AmountError: The currency is none of those that are covered.
    """
    return f"{format_digits(minor, minor_digits(currency))} {currency}"


@dataclass(frozen=True, slots=True)
class TokenAmount:
    """An amount of a token on the chain, in its smallest unit (0 to 2**256-1)."""

    units: int

    def __post_init__(self) -> None:
        if not 0 <= self.units <= TOKEN_AMOUNT_MAX:
            raise AmountError(
                "CRN-C-003",
                Text(
                    f"The token amount {self.units} is outside 0 to 2**256-1.",
                    f"代币数量 {self.units} 超出 0 至 2**256-1 的范围。",
                ),
            )

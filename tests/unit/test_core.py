"""Money, time, digests and ids."""

from datetime import UTC, date, datetime, timedelta

import pytest

from carnet.core import clock, digests, ids, money
from carnet.core.errors import AmountError, CarnetError, ChainUnavailableError
from carnet.core.text import Text


def test_money__adds_and_subtracts_one_currency() -> None:
    ten, four = money.Money(1000, "USD"), money.Money(400, "USD")
    assert ten + four == money.Money(1400, "USD")
    assert ten - four == money.Money(600, "USD")
    assert str(ten) == "10.00 USD"


def test_money__refuses_two_currencies() -> None:
    with pytest.raises(AmountError, match="USD and EUR"):
        money.Money(1, "USD") + money.Money(1, "EUR")


def test_money__refuses_an_unknown_currency() -> None:
    with pytest.raises(AmountError, match="XAU"):
        money.Money(1, "XAU")


def test_format_minor__refuses_a_currency_without_minor_digits_and_names_the_others() -> None:
    with pytest.raises(AmountError, match="'BRL'") as caught:
        money.format_minor(123, "BRL")
    assert caught.value.code == "CRN-C-001"
    assert caught.value.hint.en.startswith("Use one of AUD, CNY, EUR")
    assert "不支持货币 'BRL'" in caught.value.message.zh


@pytest.mark.parametrize(("minor", "bps", "down", "up"), [(1, 1, 0, 1), (10_001, 5000, 5000, 5001)])
def test_mul_bps__rounds_as_named(minor: int, bps: int, down: int, up: int) -> None:
    assert (money.mul_bps_down(minor, bps), money.mul_bps_up(minor, bps)) == (down, up)


@pytest.mark.parametrize("units", [-1, 2**256])
def test_token_amount__refuses_what_a_word_cannot_hold(units: int) -> None:
    with pytest.raises(AmountError):
        money.TokenAmount(units)


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2026, 12, 31), 2, date(2027, 2, 28)),
        (date(2026, 3, 31), -1, date(2026, 2, 28)),
        (date(2026, 11, 23), -12, date(2025, 11, 23)),
    ],
)
def test_add_months__clamps_to_the_end_of_the_month(day: date, months: int, expected: date) -> None:
    assert clock.add_months(day, months) == expected


def test_day_number__is_the_unix_day() -> None:
    instant = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)
    assert clock.day_number(instant.date()) == int(instant.timestamp()) // clock.SECONDS_PER_DAY
    assert clock.date_of_day_number(clock.day_number(date(2026, 11, 23))) == date(2026, 11, 23)


def test_instant__has_one_spelling() -> None:
    instant = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
    assert clock.parse_instant(clock.format_instant(instant)) == instant
    for other in ("2026-11-23T01:02:03+00:00", "2026-11-23 01:02:03Z", "2026-11-23T01:02:03.0Z"):
        with pytest.raises(ValueError, match=r"expected an instant"):
            clock.parse_instant(other)


def test_fixed_clock__moves_forward_only() -> None:
    fixed = clock.FixedClock(datetime(2026, 11, 23, tzinfo=UTC))
    fixed.advance(timedelta(days=1))
    assert fixed.now().date() == date(2026, 11, 24)
    with pytest.raises(AssertionError):
        fixed.advance(timedelta(seconds=-1))


def test_system_clock__is_aware_and_whole_seconds() -> None:
    now = clock.SystemClock().now()
    assert now.tzinfo is UTC
    assert now.microsecond == 0


@pytest.mark.parametrize("text", ["", "A" * 64, "0x" + "0" * 62, "0" * 63, "0" * 64 + "\n"])
def test_digest__has_one_spelling(text: str) -> None:
    with pytest.raises(ValueError, match="64 lower-case"):
        digests.digest_from_hex(text)


@pytest.mark.parametrize("text", ["4006381333931", "96385074", "00012345600012", "614141007349"])
def test_gtin__accepts_right_check_digits(text: str) -> None:
    assert ids.is_gtin(text)
    assert not ids.is_gtin(text[:-1] + str((int(text[-1]) + 1) % 10))


@pytest.mark.parametrize("text", ["", "a b", "a" * 65, "ä", "a\n"])
def test_fact_id__refuses(text: str) -> None:
    assert not ids.is_fact_id(text)


def test_error__reads_as_a_sentence_in_both_languages() -> None:
    error = CarnetError("CRN-C-999", Text("It failed.", "失败。"), Text("Try again.", "请重试。"))
    assert str(error) == "CRN-C-999: It failed. Try again."
    assert error.message.in_language("zh") == "失败。"
    assert not error.is_retryable
    assert ChainUnavailableError("CRN-H-999", Text("", "")).is_retryable

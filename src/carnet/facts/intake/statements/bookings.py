"""Bookings of a statement, as facts: one line each, and one data point for what the whole settles.

Ids follow from what is booked, so that reading a statement again, or another one that holds the
same booking under the same reference, gives the same facts.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from carnet.core.canonical import INTEGER_MAX, canonical
from carnet.core.digests import sha256
from carnet.core.text import Text
from carnet.facts.intake.collector import Collector
from carnet.facts.intake.statements.mapping import StatementMap
from carnet.facts.issue import Problem, Source
from carnet.facts.schema import FACT_TYPES
from carnet.facts.types.credit import Provenance
from carnet.facts.types.settlement import FAVOURABLE, StatementKind

_ID_DIGITS: Final = 40
_LINE: Final = FACT_TYPES["statement_line"]
_POINT: Final = FACT_TYPES["data_point"]


@dataclass(frozen=True, slots=True)
class Booking:
    """One line of a statement that was understood.

    Args:
        kind: What it is.
        amount: Minor units; negative where it reverses lines of its kind.
        currency: The currency.
        day: The day it was booked.
        key: What its id follows from.
        row: The line of the file.
        payment_reference: The payer's reference.
        bank_reference: The reference of whoever keeps the account.
    """

    kind: StatementKind
    amount: int
    currency: str
    day: date
    key: tuple[str | int, ...]
    row: int
    payment_reference: str | None = None
    bank_reference: str | None = None

    @property
    def settled(self) -> int:
        """What it adds to what the platform settles; a withdrawal only moves money."""
        if self.kind == "withdrawal":
            return 0
        return self.amount if self.kind in FAVOURABLE else -self.amount


@dataclass(frozen=True, slots=True)
class Period:
    """What a statement covers.

    Args:
        account: The account, or the name of the export.
        start: The first day.
        end: The last day.
        observed_on: The day it was made.
        row: The line of the file where it begins.
    """

    account: str
    start: date
    end: date
    observed_on: date
    row: int


def _id(prefix: str, *parts: str | int) -> str:
    return f"{prefix}-{sha256(canonical(list(parts))).hex()[:_ID_DIGITS]}"


def add_lines(
    bookings: Sequence[Booking], found: StatementMap, file: str, collector: Collector
) -> None:
    """Add the lines of a statement as facts."""
    for booking in bookings:
        values: dict[str, Any] = {
            "id": _id("STL", found.seller_id, found.platform_id, *booking.key),
            "seller_id": found.seller_id,
            "platform_id": found.platform_id,
            "kind": booking.kind,
            "amount_minor": booking.amount,
            "currency": booking.currency,
            "booked_on": booking.day,
            "payment_reference": booking.payment_reference,
            "bank_reference": booking.bank_reference,
        }
        present = {name: value for name, value in values.items() if value is not None}
        collector.add_values(_LINE, present, Source(file, booking.row))


def add_points(
    bookings: Sequence[Booking],
    period: Period,
    provenance: Provenance,
    evidence: str,
    found: StatementMap,
    file: str,
    collector: Collector,
) -> None:
    """Add one data point for each currency: what the platform settled in the period."""
    sums: defaultdict[str, int] = defaultdict(int)
    for booking in bookings:
        sums[booking.currency] += booking.settled
    for currency, value in sorted(sums.items()):
        source = Source(file, period.row)
        days = period.start.isoformat(), period.end.isoformat()
        if abs(value) > INTEGER_MAX:
            collector.log.add(source, _too_large(value))
            continue
        name = (found.seller_id, found.platform_id, period.account, currency, *days)
        values: dict[str, Any] = {
            "id": _id("DPS", *name),
            "seller_id": found.seller_id,
            "kind": "platform_settlement",
            "provider": found.provider,
            "provenance": provenance,
            "channel_id": found.channel_id,
            "period_start": period.start,
            "period_end": period.end,
            "value": value,
            "unit": "minor",
            "currency": currency,
            "observed_on": period.observed_on,
            "evidence_sha256": evidence,
        }
        present = {name: value for name, value in values.items() if value is not None}
        collector.add_values(_POINT, present, source)


def _too_large(value: int) -> Problem:
    return Problem(
        "value",
        str(value),
        Text("a sum within +-(2^53 - 1)", "绝对值不超过 2^53-1 的合计"),
        Text("Split the statement by days.", "请按日拆分对账单。"),
    )

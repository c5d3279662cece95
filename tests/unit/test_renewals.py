"""What to start this month, state by state."""

from datetime import date

import pytest

from carnet.services.certificates import CertificateLine
from carnet.services.renewals import end_of_month, renewals_of
from tests.fixtures_calendars import END, NOT_TOLD, WINDOW, line, plan
from tests.fixtures_rules import AS_OF


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (line(plan("2027-01-02"), **WINDOW), ("due", "2026-11-26", True)),
        (line(plan("2027-01-10"), **WINDOW), ("due", "2026-11-26", True)),
        (line(plan("2027-01-11"), **WINDOW), ("due", "2026-11-26", False)),
        (line(plan("2026-07-09"), **WINDOW), ("due", "2026-11-26", False)),
        (line(plan("2027-01-02", 48), **WINDOW), ("due", "2026-11-23", True)),
        (line(plan("2027-01-02", 49), **WINDOW), ("late", "2026-11-22", True)),
        (line(plan("2027-01-02", 41), **WINDOW), ("due", "2026-11-30", True)),
        (line(plan("2026-12-15", 40), **WINDOW), ("planned", "2026-12-01", True)),
        (line(plan("2027-01-10", 40), **WINDOW), None),
        (line(plan("2027-01-02", 45, "2026-11-01"), **WINDOW), None),
        (line(**WINDOW), ("unplanned", "2027-01-10", None)),
        (line(**{**WINDOW, "window": "applied"}), None),
        (line(successor_count=1, **WINDOW), None),
        (line(status="revoked", **WINDOW), None),
        (line(status="not_applicable", **WINDOW), None),
        (line(effective_end=date(2026, 11, 22)), ("lapsed", "2026-11-22", None)),
        (line(effective_end=AS_OF), ("due", "2026-11-23", None)),
        (line(effective_end=date(2027, 5, 23)), ("unplanned", "2027-05-23", None)),
        (line(effective_end=date(2027, 5, 24)), None),
        (line(), None),
        (line(effective_end=END, window_closes=NOT_TOLD), ("undetermined", None, None)),
        (line(effective_end=NOT_TOLD), ("undetermined", None, None)),
    ],
)
def test_renewals__has_what_starts_this_month(
    found: CertificateLine, expected: tuple[str, str | None, bool | None] | None
) -> None:
    told = [
        (one.state, one.start_by and str(one.start_by), one.is_plan_in_time)
        for one in renewals_of([found], AS_OF)
    ]
    assert told == ([expected] if expected else [])


def test_renewals__has_reviews_of_their_own() -> None:
    (found,) = renewals_of([line(review_due=date(2026, 11, 30))], AS_OF)
    assert (found.action, found.state, found.start_by) == ("review", "due", date(2026, 11, 30))


def test_renewals__looks_further_ahead_and_puts_the_unknown_last() -> None:
    later = line(plan("2027-01-10", 40), **WINDOW)
    unknown = line(effective_end=NOT_TOLD)
    found = renewals_of([unknown, later], AS_OF, months=2)
    assert [one.state for one in found] == ["due", "undetermined"]
    assert found[0].start_by == date(2026, 12, 1)


@pytest.mark.parametrize(
    ("day", "months", "last"),
    [
        ("2026-11-30", 1, "2026-11-30"),
        ("2026-12-01", 1, "2026-12-31"),
        ("2028-01-31", 2, "2028-02-29"),
    ],
)
def test_end_of_month__is_its_last_day(day: str, months: int, last: str) -> None:
    assert str(end_of_month(date.fromisoformat(day), months)) == last

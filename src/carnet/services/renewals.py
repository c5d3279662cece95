"""What to start this month so that no certificate ends without its successor.

The last day for an application and the day on which a review is due are what the packs derive; the
plan on record gives the time that the laboratory needs. What remains here is to compare days.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal

from carnet.core.clock import add_months
from carnet.rules.derivation import Derived
from carnet.services.certificates import CertificateLine, plan_json

Action = Literal["renew", "review"]
State = Literal["lapsed", "late", "due", "planned", "unplanned", "undetermined"]
TO_START: Final[tuple[State, ...]] = ("lapsed", "late", "due", "planned", "unplanned")

PLAN_AHEAD_MONTHS: Final = 6
"""How long before the last day a plan is asked for where no law opens a window.

The laws that set a window close it this long before the end.
"""


@dataclass(frozen=True, slots=True)
class Renewal:
    """Something to start, or what keeps that from being told.

    Args:
        line: The certificate.
        action: A new or renewed document, or a review of the one there is.
        state: `lapsed`: no day works any more; `late`: a day works, but not the time that the
            laboratory needs; `due`: the latest start falls in the period; `planned`: the plan
            begins in it; `unplanned`: there is no plan yet, and it is time for one;
            `undetermined`: the last day cannot be told.
        last_day: The last day that still works.
        is_plan_in_time: Whether the plan on record applies within the time that the law gives.
    """

    line: CertificateLine
    action: Action
    state: State
    last_day: Derived
    is_plan_in_time: bool | None = None

    @property
    def start_by(self) -> date | None:
        """The latest start; without a plan the last day, as the laboratory's time is not known."""
        latest = self.line.latest_start if self.action == "renew" else None
        last = self.last_day.value
        return latest or (last if isinstance(last, date) else None)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        line = self.line.to_json()
        names = ("certificate", "kind", "act", "number", "product", "pack", "version", "status")
        plan = self.line.plan if self.action == "renew" else None
        return {
            "state": self.state,
            "action": self.action,
            "start_by": self.start_by and self.start_by.isoformat(),
            "last_day": self.last_day.to_json(),
            **{name: line[name] for name in names},
            "effective_end": line["effective_end"],
            "window_opens": line["window_opens"],
            "plan": plan_json(plan),
            "is_plan_in_time": self.is_plan_in_time,
            "listings": line["listings"],
            "officer_confirmed": line["officer_confirmed"],
        }


def end_of_month(day: date, months: int = 1) -> date:
    """Return the last day of the month of a day, or of one of the months that follow.

    >>> str(end_of_month(date(2026, 11, 23))), str(end_of_month(date(2026, 11, 23), 4))
    ('2026-11-30', '2027-02-28')
    """
    return add_months(day.replace(day=1), months) - timedelta(days=1)


def renewals_of(lines: Iterable[CertificateLine], as_of: date, months: int = 1) -> list[Renewal]:
    """Return what to start until the end of the month of a day, or some months later.

    What a later certificate replaced, what was applied for and what was withdrawn needs no start.
    They are ordered by the latest start; what cannot be told stands last.
    """
    until = end_of_month(as_of, months)
    found = [one for line in lines for one in _of_line(line, as_of, until)]
    return sorted(found, key=_place)


def _place(found: Renewal) -> tuple[date, str, str]:
    return found.start_by or date.max, found.line.certificate.id, found.action


def _of_line(line: CertificateLine, as_of: date, until: date) -> Iterator[Renewal]:
    if not line.is_applicable or line.is_replaced or line.status == "revoked":
        return
    due = line.derived("review_due")
    state = _without_plan(due, line, as_of, until)
    if state is not None:
        yield Renewal(line, "review", state, due)
    if not _is_applied(line):
        last = line.last_day
        state = _state(last, line, as_of, until)
        if state is not None:
            yield Renewal(line, "renew", state, last, _is_in_time(line))


def _is_applied(line: CertificateLine) -> bool:
    plan = line.plan
    applied = plan.fields.get("applied_on") if plan is not None else None
    return line.derived("window").value == "applied" or (
        isinstance(applied, date) and applied <= line.as_of
    )


def _is_in_time(line: CertificateLine) -> bool | None:
    """Return whether the plan applies between the first and the last day; None without a plan."""
    plan, last, opens = line.plan, line.last_day.value, line.day("window_opens")
    planned = plan.fields["planned_application_on"] if plan is not None else None
    if not isinstance(planned, date) or not isinstance(last, date):
        return None
    return planned <= last and (opens is None or opens <= planned)


def _state(last: Derived, line: CertificateLine, as_of: date, until: date) -> State | None:
    latest = line.latest_start
    if latest is None or not isinstance(last.value, date) or last.value < as_of:
        return _without_plan(last, line, as_of, until)
    if latest < as_of:
        return "late"
    if latest <= until:
        return "due"
    plan = line.plan
    assert plan is not None, "without a plan there is no latest start"
    # The laboratory works before the application, whenever that is planned.
    lead = last.value - latest
    planned = plan.fields["planned_application_on"]
    assert isinstance(planned, date), "the schema says so"
    return "planned" if planned - lead <= until else None


def _without_plan(last: Derived, line: CertificateLine, as_of: date, until: date) -> State | None:
    if not last.is_told:
        return "undetermined"
    if not isinstance(last.value, date):
        return None
    if last.value < as_of:
        return "lapsed"
    if last.value <= until:
        return "due"
    is_open = line.derived("window").value in {"open", "closing"}
    is_near = last.value <= add_months(as_of, PLAN_AHEAD_MONTHS)
    return "unplanned" if is_open or is_near else None

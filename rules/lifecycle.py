"""The life of a finding: what evaluations and officers did to it, and where that leaves it.

Nothing here is stored. The state on a day is folded out of two things that are: the decisions of
one pack on one case, and the signed acts of officers. The same steps give the same life.

- A finding stands from the evaluation that raises it until a later one no longer does. An
  evaluation in which its rule could not be evaluated says nothing, so the finding goes on standing.
- A waiver counts from the approval by a second officer to its last day, and for no graver a
  severity than it was given for. Blocking findings are never waived. It leaves the decision as it
  is.
- When a finding is raised again after it was resolved, when its waiver has expired, or when it has
  become graver, it is open again, and what officers did before no longer counts.

An act that does not count is kept in the history and changes nothing.

Source: docs/spec/officer-acts.md, OA-10 to OA-12; docs/adr/0010-findings-are-read-off.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final, Literal

from carnet.rules.ast import Severity

State = Literal["open", "acknowledged", "waived", "resolved"]
Seen = Literal["raised", "absent", "untold"]
"""What an evaluation says of a finding; ``untold`` where its rule could not be evaluated."""

Happening = Literal[
    "raised",
    "reopened",
    "graver",
    "untold",
    "resolved",
    "acknowledged",
    "waiver_proposed",
    "waiver_approved",
    "waiver_withdrawn",
    "waiver_expired",
]
WAIVABLE: Final[frozenset[Severity]] = frozenset({"major", "minor", "info"})
WAIVER_DAYS_MAX: Final = 366
_GRAVITY: Final[dict[Severity, int]] = {"info": 0, "minor": 1, "major": 2, "blocking": 3}


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation of the case, and what it says of the finding."""

    on: date
    ref: str
    seen: Seen
    severity: Severity | None = None
    """How grave it is, where it is raised."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An officer took note of the finding, with or without a day by which it is put right."""

    on: date
    ref: str
    officer: str
    note: str
    due: date | None = None


@dataclass(frozen=True, slots=True)
class WaiverProposed:
    """A first officer asks that the finding be waived to a last day."""

    on: date
    ref: str
    officer: str
    until: date
    reason: str


@dataclass(frozen=True, slots=True)
class WaiverApproved:
    """A second officer agrees to a waiver, named by the ref of its proposal."""

    on: date
    ref: str
    officer: str
    waiver: str


@dataclass(frozen=True, slots=True)
class WaiverWithdrawn:
    """An officer takes a waiver back, approved or not."""

    on: date
    ref: str
    officer: str
    waiver: str
    reason: str


Act = Acknowledged | WaiverProposed | WaiverApproved | WaiverWithdrawn
Step = Evaluated | Act


@dataclass(frozen=True, slots=True)
class Waiver:
    """A waiver, proposed or approved."""

    ref: str
    until: date
    reason: str
    severity: Severity
    proposed_by: str
    proposed_on: date
    approved_by: str | None = None
    approved_on: date | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history of a finding.

    Args:
        on: The day.
        what: What happened.
        ref: The decision or the act, by its digest.
        officer: Who acted; empty for an evaluation or an expiry.
        text: What the officer wrote.
        until: The last day of a waiver, or the day by which the finding is put right.
        counts: Whether it changed anything; an act out of turn does not.
        state: Where it left the finding.
    """

    on: date
    what: Happening
    ref: str
    officer: str
    text: str
    until: date | None
    counts: bool
    state: State


@dataclass(frozen=True, slots=True)
class Life:
    """Where a finding stands on a day, and how it came there."""

    state: State
    severity: Severity
    opened_on: date
    resolved_on: date | None
    raised_in: str
    """The newest decision that raises it."""
    is_told: bool
    """False while its rule cannot be evaluated: it stands because nothing says otherwise."""
    acknowledgement: Acknowledged | None
    waiver: Waiver | None
    proposal: Waiver | None
    is_overdue: bool
    """Whether the day by which it was to be put right, or its waiver, has passed."""
    reopened: int
    history: tuple[Entry, ...]


@dataclass(slots=True)
class _Course:
    """A life while it is being followed."""

    severity: Severity = "info"
    opened_on: date | None = None
    resolved_on: date | None = None
    raised_in: str = ""
    is_told: bool = True
    acknowledgement: Acknowledged | None = None
    waiver: Waiver | None = None
    proposal: Waiver | None = None
    has_expired: bool = False
    reopened: int = 0
    history: list[Entry] = field(default_factory=list)

    @property
    def stands(self) -> bool:
        return self.opened_on is not None and self.resolved_on is None

    @property
    def state(self) -> State:
        if not self.stands:
            return "resolved"
        if self.waiver is not None:
            return "waived"
        return "open" if self.acknowledgement is None else "acknowledged"

    def note(
        self,
        on: date,
        what: Happening,
        ref: str,
        act: Act | None = None,
        *,
        until: date | None = None,
        counts: bool = True,
    ) -> None:
        text = ""
        if isinstance(act, Acknowledged):
            text = act.note
        elif isinstance(act, WaiverProposed | WaiverWithdrawn):
            text = act.reason
        officer = act.officer if act else ""
        self.history.append(Entry(on, what, ref, officer, text, until, counts, self.state))

    def forget_acts(self) -> None:
        self.acknowledgement = self.waiver = self.proposal = None
        self.has_expired = False

    def pass_days(self, day: date) -> None:
        """Let expire what has a last day before a day."""
        if self.proposal is not None and self.proposal.until < day:
            self.proposal = None
        ended = self.waiver
        if ended is not None and ended.until < day:
            self.waiver, self.acknowledgement = None, None
            self.has_expired = True
            self.reopened += 1
            after = ended.until + timedelta(days=1)
            self.note(after, "waiver_expired", ended.ref, until=ended.until)

    # --- evaluations --------------------------------------------------------------------------

    def evaluated(self, step: Evaluated) -> None:
        if step.seen == "raised":
            self._raised(step)
        elif self.stands and step.seen == "absent":
            self.forget_acts()
            self.resolved_on, self.is_told = step.on, True
            self.note(step.on, "resolved", step.ref)
        elif self.stands and self.is_told:
            self.is_told = False
            self.note(step.on, "untold", step.ref)

    def _raised(self, step: Evaluated) -> None:
        assert step.severity is not None, "what is raised has a severity"
        had_stood, was = self.stands, self.severity
        self.severity, self.raised_in, self.is_told = step.severity, step.ref, True
        if self.opened_on is None:
            self.opened_on = step.on
            self.note(step.on, "raised", step.ref)
        elif not had_stood:
            self.resolved_on = None
            self.reopened += 1
            self.note(step.on, "reopened", step.ref)
        elif _GRAVITY[step.severity] > _GRAVITY[was]:
            self._graver(step)

    def _graver(self, step: Evaluated) -> None:
        gravity = _GRAVITY[self.severity]
        if self.proposal is not None and gravity > _GRAVITY[self.proposal.severity]:
            self.proposal = None
        if self.waiver is not None and gravity > _GRAVITY[self.waiver.severity]:
            self.waiver = None
            self.reopened += 1
        self.acknowledgement = None
        self.note(step.on, "graver", step.ref)

    # --- acts ---------------------------------------------------------------------------------

    def acknowledged(self, act: Acknowledged) -> None:
        counts = self.stands
        if counts:
            self.acknowledgement, self.has_expired = act, False
        self.note(act.on, "acknowledged", act.ref, act, until=act.due, counts=counts)

    def proposed(self, act: WaiverProposed) -> None:
        counts = (
            self.stands
            and self.severity in WAIVABLE
            and act.on <= act.until <= act.on + timedelta(days=WAIVER_DAYS_MAX)
        )
        if counts:
            self.proposal = Waiver(
                act.ref, act.until, act.reason, self.severity, act.officer, act.on
            )
        self.note(act.on, "waiver_proposed", act.ref, act, until=act.until, counts=counts)

    def approved(self, act: WaiverApproved) -> None:
        asked = self.proposal
        counts = asked is not None and (
            asked.ref == act.waiver and asked.proposed_by != act.officer
        )
        if counts and asked is not None:
            self.waiver = replace(asked, approved_by=act.officer, approved_on=act.on)
            self.proposal, self.has_expired = None, False
        until = self.waiver.until if counts and self.waiver else None
        self.note(act.on, "waiver_approved", act.ref, act, until=until, counts=counts)

    def withdrawn(self, act: WaiverWithdrawn) -> None:
        held = [each.ref for each in (self.waiver, self.proposal) if each]
        counts = act.waiver in held
        if self.proposal is not None and self.proposal.ref == act.waiver:
            self.proposal = None
        elif counts:
            self.waiver = None
            self.reopened += 1
        self.note(act.on, "waiver_withdrawn", act.ref, act, counts=counts)

    def is_overdue(self, day: date) -> bool:
        if not self.stands or self.waiver is not None:
            return False
        due = self.acknowledgement.due if self.acknowledgement else None
        return self.has_expired or (due is not None and due < day)

    def life(self, day: date) -> Life | None:
        if self.opened_on is None:
            return None
        return Life(
            state=self.state,
            severity=self.severity,
            opened_on=self.opened_on,
            resolved_on=self.resolved_on,
            raised_in=self.raised_in,
            is_told=self.is_told,
            acknowledgement=self.acknowledgement,
            waiver=self.waiver,
            proposal=self.proposal,
            is_overdue=self.is_overdue(day),
            reopened=self.reopened,
            history=tuple(self.history),
        )


def _take(course: _Course, step: Step) -> None:
    match step:
        case Evaluated():
            course.evaluated(step)
        case Acknowledged():
            course.acknowledged(step)
        case WaiverProposed():
            course.proposed(step)
        case WaiverApproved():
            course.approved(step)
        case WaiverWithdrawn():
            course.withdrawn(step)


def follow(steps: Iterable[Step], day: date) -> Life | None:
    """Return the life of a finding as it stands on a day, None if it was never raised.

    Args:
        steps: What happened, in order; nothing after the day.
        day: The day.
    """
    course, last = _Course(), date.min
    for step in steps:
        assert last <= step.on <= day, "steps are in order of their days and not after the last"
        last = step.on
        course.pass_days(step.on)
        _take(course, step)
    course.pass_days(day)
    return course.life(day)

"""The life of a finding: the machine that follows steps agrees with rules that look at them whole.

The oracle below states, with no running state, when a finding stands, when it is acknowledged and
when a waiver counts. Steps are drawn freely, acts out of turn included.
"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from itertools import accumulate

from hypothesis import example, given, settings
from hypothesis import strategies as st

from carnet.rules.ast import Severity
from carnet.rules.lifecycle import (
    WAIVER_DAYS_MAX,
    Acknowledged,
    Evaluated,
    Life,
    State,
    Step,
    WaiverApproved,
    WaiverProposed,
    WaiverWithdrawn,
    follow,
)

START = date(2026, 1, 1)
OFFICERS = ("officer-1", "officer-2", "officer-3")
GRAVITY = {"info": 0, "minor": 1, "major": 2, "blocking": 3}
Make = Callable[[date, str, Sequence[str]], Step]

officers = st.sampled_from(OFFICERS)
terms = st.sampled_from([3, 5, 8, 0, 1, 2, 20, -1, WAIVER_DAYS_MAX, WAIVER_DAYS_MAX + 1])


@st.composite
def evaluations(draw: st.DrawFn) -> Make:
    seen = draw(st.sampled_from(["raised", "raised", "raised", "absent", "untold"]))
    severities: list[Severity] = ["minor", "major", "info", "blocking"]
    severity = draw(st.sampled_from(severities)) if seen == "raised" else None
    return lambda on, ref, _: Evaluated(on, ref, seen, severity)  # type: ignore[arg-type]


@st.composite
def acts(draw: st.DrawFn) -> Make:
    kinds = ["propose", "approve", "propose", "approve", "approve", "withdraw", "acknowledge"]
    kind = draw(st.sampled_from(kinds))
    officer, place, term = draw(officers), draw(st.sampled_from([0, 0, 0, 1, 9])), draw(terms)

    def named(waivers: Sequence[str]) -> str:
        """Name one of the newest waivers, or one that there never was."""
        return waivers[-1 - place] if place < len(waivers) else "none"

    def make(on: date, ref: str, waivers: Sequence[str]) -> Step:
        if kind == "acknowledge":
            due = on + timedelta(days=term) if term >= 0 else None
            return Acknowledged(on, ref, officer, "seen", due)
        if kind == "propose":
            return WaiverProposed(on, ref, officer, on + timedelta(days=term), "why")
        if kind == "approve":
            return WaiverApproved(on, ref, officer, named(waivers))
        return WaiverWithdrawn(on, ref, officer, named(waivers), "no more")

    return make


@st.composite
def courses(draw: st.DrawFn) -> tuple[list[Step], date]:
    drawn = st.one_of(acts(), acts(), acts(), evaluations())
    makers = [draw(evaluations()), *draw(st.lists(drawn, min_size=3, max_size=12))]
    gap = st.sampled_from([0, 1, 0, 2, 4])
    gaps = draw(st.lists(gap, min_size=len(makers) + 1, max_size=len(makers) + 1))
    days = [START + timedelta(days=number) for number in accumulate(gaps)]
    steps: list[Step] = []
    waivers: list[str] = []
    for number, make in enumerate(makers):
        step = make(days[number], f"ref-{number}", waivers)
        if isinstance(step, WaiverProposed):
            waivers.append(step.ref)
        steps.append(step)
    return steps, days[-1]


# --- the oracle ---------------------------------------------------------------------------------


def began(steps: Sequence[Step]) -> int | None:
    """Return where the present standing began, None where the finding does not stand."""
    told = [
        (place, step.seen)
        for place, step in enumerate(steps)
        if isinstance(step, Evaluated) and step.seen != "untold"
    ]
    if not told or told[-1][1] == "absent":
        return None
    after = max((number for number, (_, seen) in enumerate(told) if seen == "absent"), default=-1)
    return told[after + 1][0]


def severities(steps: Sequence[Step], start: int) -> list[Severity]:
    return [
        step.severity
        for step in steps[start:]
        if isinstance(step, Evaluated) and step.severity is not None
    ]


def is_sound(steps: Sequence[Step], place: int) -> bool:
    """Return whether a proposal counted when it was made."""
    step, start = steps[place], began(steps[:place])
    assert isinstance(step, WaiverProposed)
    if start is None or severities(steps[:place], start)[-1] == "blocking":
        return False
    return step.on <= step.until <= step.on + timedelta(days=WAIVER_DAYS_MAX)


def is_held(steps: Sequence[Step], place: int, day: date) -> bool:
    """Return whether a sound proposal was neither lost nor taken back from then to a day."""
    step, later = steps[place], steps[place + 1 :]
    assert isinstance(step, WaiverProposed)
    start = began(steps)
    if start is None or start > place or step.until < day:
        return False
    given_for = severities(steps[:place], start)[-1]
    return not any(
        (
            isinstance(each, Evaluated)
            and each.severity
            and GRAVITY[each.severity] > GRAVITY[given_for]
        )
        or (isinstance(each, WaiverWithdrawn) and each.waiver == step.ref)
        for each in later
    )


def is_approved(steps: Sequence[Step], place: int, by: int) -> bool:
    """Return whether one step approves the proposal at a place."""
    asked, answer = steps[place], steps[by]
    assert isinstance(asked, WaiverProposed)
    if not isinstance(answer, WaiverApproved) or answer.waiver != asked.ref or by < place:
        return False
    superseded = any(
        isinstance(steps[number], WaiverProposed) and is_sound(steps, number)
        for number in range(place + 1, by)
    )
    earlier = any(is_approved(steps, place, number) for number in range(place + 1, by))
    return (
        answer.officer != asked.officer
        and is_sound(steps, place)
        and is_held(steps[:by], place, answer.on)
        and not superseded
        and not earlier
    )


def waiver_of(steps: Sequence[Step], day: date) -> str | None:
    """Return the waiver that counts: the one approved last, if it is still held."""
    approved = [
        (by, place)
        for place, step in enumerate(steps)
        if isinstance(step, WaiverProposed)
        for by in range(len(steps))
        if is_approved(steps, place, by)
    ]
    if not approved:
        return None
    _, place = max(approved)
    return steps[place].ref if is_held(steps, place, day) else None


def state_of(steps: Sequence[Step], day: date) -> State | None:
    if not any(isinstance(step, Evaluated) and step.seen == "raised" for step in steps):
        return None
    start = began(steps)
    if start is None:
        return "resolved"
    return "waived" if waiver_of(steps, day) else "open"


def without_acknowledgement(state: State) -> State:
    return "open" if state == "acknowledged" else state


def lived(steps: Sequence[Step], day: date) -> Life:
    life = follow(steps, day)
    assert life is not None
    return life


def is_raised(steps: Sequence[Step]) -> bool:
    return state_of(steps, START) is not None


# --- properties ---------------------------------------------------------------------------------


@settings(max_examples=600)
@given(courses())
def test_state__is_what_the_rules_say(course: tuple[list[Step], date]) -> None:
    steps, day = course
    life = follow(steps, day)
    assert (life and without_acknowledgement(life.state)) == state_of(steps, day)
    if life is not None:
        assert (life.waiver and life.waiver.ref) == waiver_of(steps, day)


@given(courses())
def test_waiver__is_by_two_officers_in_its_term_and_never_of_what_blocks(
    course: tuple[list[Step], date],
) -> None:
    steps, day = course
    life = follow(steps, day)
    if life is None or life.waiver is None:
        return
    assert life.state == "waived"
    assert life.severity != "blocking"
    assert life.waiver.approved_by not in {None, life.waiver.proposed_by}
    assert life.waiver.proposed_on <= day <= life.waiver.until
    assert life.waiver.until <= life.waiver.proposed_on + timedelta(days=WAIVER_DAYS_MAX)


@given(courses(), st.integers(0, 14))
def test_history__only_grows(course: tuple[list[Step], date], count: int) -> None:
    steps, day = course
    some = steps[:count]
    if not some or not is_raised(some):
        return
    before = lived(some, some[-1].on).history
    assert lived(steps, day).history[: len(before)] == before


@settings(max_examples=300)
@given(courses())
def test_acts_that_do_not_count__change_nothing(course: tuple[list[Step], date]) -> None:
    steps, day = course
    if not is_raised(steps):
        return
    life = lived(steps, day)
    void = {entry.ref for entry in life.history if not entry.counts}
    kept = lived([step for step in steps if step.ref not in void], day)
    assert (kept.state, kept.waiver, kept.proposal, kept.acknowledgement, kept.is_overdue) == (
        life.state,
        life.waiver,
        life.proposal,
        life.acknowledgement,
        life.is_overdue,
    )


@given(courses())
def test_evaluations_that_tell_nothing__change_no_state(course: tuple[list[Step], date]) -> None:
    steps, day = course
    if not is_raised(steps):
        return
    told = [step for step in steps if not (isinstance(step, Evaluated) and step.seen == "untold")]
    assert lived(told, day).state == lived(steps, day).state


@given(courses())
@example(
    (
        [
            Evaluated(START, "e", "raised", "minor"),
            WaiverProposed(START, "w", "officer-1", START, "why"),
            WaiverApproved(START, "a", "officer-2", "w"),
        ],
        START,
    )
)
def test_every_waiver_ends(course: tuple[list[Step], date]) -> None:
    steps, day = course
    if is_raised(steps):
        later = day + timedelta(days=WAIVER_DAYS_MAX + 1)
        assert lived(steps, later).state in {"open", "acknowledged", "resolved"}

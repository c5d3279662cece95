"""The life of a finding, step by step: the edges that random courses seldom meet."""

from datetime import date, timedelta

import pytest

from carnet.rules.ast import Severity
from carnet.rules.lifecycle import (
    Acknowledged,
    Evaluated,
    Life,
    Step,
    WaiverApproved,
    WaiverProposed,
    WaiverWithdrawn,
    follow,
)

DAY = date(2026, 11, 23)


def day(count: int) -> date:
    return DAY + timedelta(days=count)


def raised(on: int, severity: Severity = "major") -> Evaluated:
    return Evaluated(day(on), f"raised-{on}", "raised", severity)


def proposed(on: int, until: int = 30, ref: str = "w") -> WaiverProposed:
    return WaiverProposed(day(on), ref, "officer-1", day(until), "why")


def approved(on: int, ref: str = "w") -> WaiverApproved:
    return WaiverApproved(day(on), f"approval-{on}", "officer-2", ref)


def lived(on: int, *steps: Step) -> Life:
    life = follow(steps, day(on))
    assert life is not None
    return life


def test_follow__of_nothing_is_no_life() -> None:
    assert follow([], DAY) is None
    assert follow([Evaluated(DAY, "e", "absent"), proposed(0)], DAY) is None


def test_follow__refuses_steps_out_of_order() -> None:
    with pytest.raises(AssertionError, match="in order"):
        follow([raised(1), raised(0)], day(2))
    with pytest.raises(AssertionError, match="in order"):
        follow([raised(3)], day(2))


def test_waiver__holds_to_the_end_of_its_last_day() -> None:
    steps = (raised(0), proposed(0, until=3), approved(1))
    assert lived(3, *steps).state == "waived"
    assert lived(4, *steps).state == "open"
    assert lived(4, *steps, raised(4)).reopened == 1


def test_waiver__is_approved_on_its_last_day_and_not_after() -> None:
    assert lived(3, raised(0), proposed(0, until=3), approved(3)).state == "waived"
    late = lived(4, raised(0), proposed(0, until=3), approved(4))
    assert (late.state, late.history[-1].counts) == ("open", False)


def test_waiver__holds_when_a_finding_comes_back_to_the_severity_it_was_given_for() -> None:
    steps = (raised(0, "major"), proposed(0), approved(0), raised(1, "minor"), raised(2, "major"))
    assert lived(2, *steps).state == "waived"
    assert lived(3, *steps, raised(3, "blocking")).state == "open"


def test_waiver__a_proposal_for_a_lesser_finding_falls_when_it_becomes_graver() -> None:
    steps = (raised(0, "minor"), proposed(0), raised(1, "major"), approved(1))
    life = lived(1, *steps)
    assert (life.state, life.proposal, life.history[-1].counts) == ("open", None, False)


def test_waiver__is_approved_once() -> None:
    life = lived(1, raised(0), proposed(0), approved(0), approved(1))
    assert [entry.counts for entry in life.history] == [True, True, True, False]


def test_acknowledgement__falls_when_the_finding_becomes_graver_or_comes_back() -> None:
    seen = Acknowledged(DAY, "a", "officer-1", "seen", day(9))
    assert lived(1, raised(0, "minor"), seen, raised(1, "minor")).state == "acknowledged"
    assert lived(1, raised(0, "minor"), seen, raised(1, "major")).state == "open"
    gone = Evaluated(day(1), "e", "absent")
    assert lived(2, raised(0), seen, gone, raised(2)).acknowledgement is None


def test_acknowledgement__stands_again_when_a_waiver_is_taken_back() -> None:
    seen = Acknowledged(DAY, "a", "officer-1", "seen")
    steps = (raised(0), seen, proposed(0), approved(0))
    back = WaiverWithdrawn(day(1), "b", "officer-3", "w", "no")
    assert lived(1, *steps, back).state == "acknowledged"


def test_overdue__after_an_expiry_until_an_officer_acts() -> None:
    steps = (raised(0), proposed(0, until=3), approved(0))
    assert lived(4, *steps).is_overdue
    seen = Acknowledged(day(5), "a", "officer-1", "seen")
    assert not lived(5, *steps, seen).is_overdue
    again = (proposed(5, until=9, ref="v"), approved(5, ref="v"))
    assert not lived(5, *steps, *again).is_overdue
    assert not lived(5, *steps, Evaluated(day(5), "e", "absent")).is_overdue


def test_overdue__on_the_day_after_the_one_it_was_due() -> None:
    steps = (raised(0), Acknowledged(DAY, "a", "officer-1", "seen", day(3)))
    assert not lived(3, *steps).is_overdue
    assert lived(4, *steps).is_overdue


def test_history__says_when_a_rule_stopped_and_went_on_telling() -> None:
    untold = Evaluated(day(1), "e", "untold")
    life = lived(3, raised(0), untold, Evaluated(day(2), "f", "untold"), raised(3))
    assert [entry.what for entry in life.history] == ["raised", "untold"]
    assert life.is_told

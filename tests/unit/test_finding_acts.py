"""What officers do about findings: two for a waiver, never of what blocks, and for how long."""

from datetime import date

import pytest

from carnet.core.errors import InputError
from carnet.services import finding_acts
from carnet.services.officer_events import read_events
from carnet.services.officers import officer_keys
from carnet.services.workspace import Workspace
from carnet.store.engine import reading
from tests.fixtures_findings import DAY, Decided, by, days, finding, only, told, waive


def test_acknowledgement__has_a_note_and_a_day_that_can_pass(
    workspace: Workspace, decide: Decided
) -> None:
    decide(DAY, finding())
    name = only(workspace).id
    due = days(10)
    found = finding_acts.acknowledge(workspace, name, by("officer-1"), note="Booked.", due=due)
    assert (found.life.state, found.life.is_overdue) == ("acknowledged", False)
    assert found.life.history[-1].text == "Booked."
    assert not only(workspace, due).life.is_overdue
    assert only(workspace, days(11)).life.is_overdue
    decide(days(12))
    assert not only(workspace, days(12)).life.is_overdue


def test_waiver__counts_with_the_second_officer_and_ends_after_its_last_day(
    workspace: Workspace, decide: Decided
) -> None:
    digest = decide(DAY, finding())
    name = only(workspace).id
    signing = by("officer-1")
    asked = finding_acts.propose_waiver(workspace, name, signing, until=days(30), reason="Due.")
    assert (asked.life.state, asked.life.waiver) == ("open", None)
    found = finding_acts.approve_waiver(workspace, name, by("officer-2"))
    waiver = found.life.waiver
    assert waiver is not None
    assert (waiver.proposed_by, waiver.approved_by) == ("officer-1", "officer-2")
    assert only(workspace, days(30)).life.state == "waived"
    later = only(workspace, days(31))
    assert (later.life.state, later.life.is_overdue) == ("open", True)
    assert later.life.history[-1].on == days(31)
    assert told(later)[-1] == "waiver_expired"
    assert found.decision.content["conformity"] == "nonconforming"
    assert found.decision.digest.hex() == digest


def test_waiver__is_signed_with_two_keys(workspace: Workspace, decide: Decided) -> None:
    decide(DAY, finding())
    waive(workspace, only(workspace).id)
    with reading(workspace.engine) as connection:
        officers = [each.officer for each in read_events(connection)]
        keys = officer_keys(connection)
    assert officers == ["officer-1", "officer-2"]
    assert len({keys[each] for each in officers}) == 2


def test_waiver__the_officer_who_asked_cannot_approve(
    workspace: Workspace, decide: Decided
) -> None:
    decide(DAY, finding())
    name = only(workspace).id
    signing = by("officer-1")
    finding_acts.propose_waiver(workspace, name, signing, until=days(30), reason="Due.")
    with pytest.raises(InputError, match="CRN-R-124"):
        finding_acts.approve_waiver(workspace, name, signing)


def test_waiver__never_of_a_blocking_finding(workspace: Workspace, decide: Decided) -> None:
    decide(DAY, finding(severity="blocking"))
    name = only(workspace).id
    with pytest.raises(InputError, match="CRN-R-123"):
        waive(workspace, name)


@pytest.mark.parametrize("severity", ["major", "minor", "info"])
def test_waiver__of_every_lesser_finding(
    workspace: Workspace, decide: Decided, severity: str
) -> None:
    decide(DAY, finding(severity=severity))
    assert waive(workspace, only(workspace).id).life.state == "waived"


def test_waiver__ends_when_the_finding_becomes_graver(
    workspace: Workspace, decide: Decided
) -> None:
    decide(DAY, finding(severity="minor"))
    waive(workspace, only(workspace).id)
    decide(days(1), finding(severity="minor"))
    assert only(workspace, days(1)).life.state == "waived"
    decide(days(2), finding(severity="blocking"))
    assert only(workspace, days(2)).life.state == "open"


def test_waiver__does_not_outlast_a_resolution(workspace: Workspace, decide: Decided) -> None:
    decide(DAY, finding())
    waive(workspace, only(workspace).id)
    decide(days(1))
    decide(days(2), finding())
    assert only(workspace, days(2)).life.state == "open"


def test_waiver__on_one_day_stands_where_it_was_signed(
    workspace: Workspace, decide: Decided
) -> None:
    decide(DAY, finding())
    waive(workspace, only(workspace).id)
    decide(DAY)
    decide(DAY, finding() | {"values": {"another": 1}})
    assert told(only(workspace)) == [
        *("raised", "waiver_proposed", "waiver_approved", "resolved", "reopened")
    ]


def test_waiver__before_the_first_decision_of_its_day_stands_before_it(
    workspace: Workspace, decide: Decided
) -> None:
    decide(DAY, finding())
    waive(workspace, only(workspace).id, days(1))
    decide(days(1))
    assert only(workspace, days(1)).life.state == "resolved"


def test_waiver__can_be_taken_back_by_one_officer(workspace: Workspace, decide: Decided) -> None:
    decide(DAY, finding())
    name = only(workspace).id
    waive(workspace, name)
    found = finding_acts.withdraw_waiver(workspace, name, by("officer-3"), reason="Failed.")
    assert (found.life.state, found.life.waiver) == ("open", None)
    with pytest.raises(InputError, match="CRN-R-126"):
        finding_acts.withdraw_waiver(workspace, name, by("officer-3"), reason="Failed.")


def test_waiver__a_proposal_is_taken_back_before_the_one_in_force(
    workspace: Workspace, decide: Decided
) -> None:
    decide(DAY, finding())
    name = only(workspace).id
    waive(workspace, name, until=days(10))
    signing = by("officer-1")
    finding_acts.propose_waiver(workspace, name, signing, until=days(90), reason="Longer.")
    found = finding_acts.withdraw_waiver(workspace, name, by("officer-2"), reason="No.")
    assert found.life.proposal is None
    assert found.life.waiver is not None
    assert found.life.waiver.until == days(10)


def test_waiver__a_longer_one_takes_the_place_of_the_first(
    workspace: Workspace, decide: Decided
) -> None:
    decide(DAY, finding())
    name = only(workspace).id
    waive(workspace, name, until=days(10))
    assert waive(workspace, name, days(5), until=days(60)).life.state == "waived"
    assert only(workspace, days(40)).life.state == "waived"


@pytest.mark.parametrize("until", [days(-1), days(367)])
def test_waiver__ends_within_a_year_and_not_in_the_past(
    workspace: Workspace, decide: Decided, until: date
) -> None:
    decide(DAY, finding())
    with pytest.raises(InputError, match="CRN-R-122"):
        waive(workspace, only(workspace).id, until=until)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001, "a\nb", "\u202eabc"])
def test_waiver__needs_a_reason_that_can_be_read(
    workspace: Workspace, decide: Decided, reason: str
) -> None:
    decide(DAY, finding())
    with pytest.raises(InputError, match="CRN-R-125"):
        finding_acts.propose_waiver(
            workspace, only(workspace).id, by("officer-1"), until=days(3), reason=reason
        )


def test_act__on_what_is_resolved_is_refused(workspace: Workspace, decide: Decided) -> None:
    decide(DAY, finding())
    decide(days(1))
    name = only(workspace, days(1)).id
    with pytest.raises(InputError, match="it is resolved since 2026-11-24"):
        waive(workspace, name, days(1))
    with pytest.raises(InputError, match="it is resolved since 2026-11-24"):
        finding_acts.acknowledge(workspace, name, by("officer-1", days(1)), note="Seen.")


def test_act__with_a_day_that_is_over_is_refused(workspace: Workspace, decide: Decided) -> None:
    decide(DAY, finding())
    name = only(workspace).id
    with pytest.raises(InputError, match="is over"):
        finding_acts.acknowledge(workspace, name, by("officer-1"), note="Seen.", due=days(-1))


def test_act__for_a_day_before_the_last_act_is_refused(
    workspace: Workspace, decide: Decided
) -> None:
    decide(DAY, finding())
    name = only(workspace).id
    finding_acts.acknowledge(workspace, name, by("officer-1", days(5)), note="Seen.")
    with pytest.raises(InputError, match="it was acted on for 2026-11-28"):
        finding_acts.acknowledge(workspace, name, by("officer-1", days(4)), note="Seen.")


def test_act__that_is_refused_makes_no_key(workspace: Workspace, decide: Decided) -> None:
    decide(DAY, finding(severity="blocking"))
    with pytest.raises(InputError):
        waive(workspace, only(workspace).id)
    with reading(workspace.engine) as connection:
        assert officer_keys(connection) == {}


def test_act__approval_without_a_proposal_is_refused(workspace: Workspace, decide: Decided) -> None:
    decide(DAY, finding())
    with pytest.raises(InputError, match="CRN-R-126"):
        finding_acts.approve_waiver(workspace, only(workspace).id, by("officer-2"))

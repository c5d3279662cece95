"""Findings across stored decisions and signed acts: what is the same one, and where it stands."""

import functools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text, update

from carnet.core.canonical import canonical
from carnet.core.clock import FixedClock
from carnet.core.digests import sha256
from carnet.core.errors import InputError, LedgerFatalError, NotFoundError
from carnet.services import finding_acts
from carnet.services.finding_acts import Signing
from carnet.services.findings import (
    TrackedFinding,
    Wanted,
    find_finding,
    law_of_finding,
    list_findings,
    pick,
)
from carnet.services.officer_events import append_event, read_events
from carnet.services.officers import officer_key, officer_keys
from carnet.services.reviewing import newest_packs
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import DECISION, OFFICER_EVENT

DAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


def days(count: int) -> date:
    return DAY + timedelta(days=count)


def finding(rule: str = "r-1", severity: str = "major", fact: str = "CRT-1") -> dict[str, Any]:
    return {
        "rule": rule,
        "severity": severity,
        "facts": [{"type": "certificate", "id": fact}, {"type": "listing", "id": "L-1"}],
        "message": {"en": f"{rule} on {fact}", "zh": f"{fact} 的 {rule}"},
        "remedy": {"en": "Renew it.", "zh": "请换证。"},
        "citation": ["EU-RED-MODULES-HS"],
        "values": {"c.id": fact},
    }


packs = functools.cache(newest_packs)


class Decided:
    """Stores decisions on one listing as a review would, each behind the one before it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.heads: dict[date, str] = {}

    def __call__(
        self,
        as_of: date,
        *findings: dict[str, Any],
        errors: Sequence[str] = (),
        pack: str = "eu-ce",
    ) -> str:
        rules = packs()[pack]
        body = canonical(
            {
                "case": {"type": "listing", "id": "L-1"},
                "pack": pack,
                "version": rules.version,
                "pack_digest": rules.digest.hex(),
                "facts_digest": sha256(b"facts").hex(),
                "follows": self.heads.get(as_of),
                "as_of": as_of.isoformat(),
                "conformity": "nonconforming" if findings else "conforming",
                "findings": list(findings),
                "errors": [{"rule": rule, "cause": {"en": "?", "zh": "?"}} for rule in errors],
            }
        )
        row = {
            "digest": sha256(body),
            "case_type": "listing",
            "case_id": "L-1",
            "pack": pack,
            "version": rules.version,
            "pack_digest": rules.digest,
            "facts_digest": sha256(b"facts"),
            "as_of": as_of,
            "engine": "reference",
            "conformity": "nonconforming" if findings else "conforming",
            "decided_at": NOW,
            "body": body,
        }
        with writing(self.engine) as connection:
            connection.execute(insert(DECISION), row)
        self.heads[as_of] = sha256(body).hex()
        return self.heads[as_of]


@pytest.fixture
def decide(workspace: Workspace) -> Decided:
    return Decided(workspace.engine)


def by(officer: str, day: date = DAY) -> Signing:
    return Signing(officer, day, FixedClock(NOW))


def waive(
    workspace: Workspace, name: str, day: date = DAY, until: date | None = None
) -> TrackedFinding:
    term = until or day + timedelta(days=30)
    finding_acts.propose_waiver(workspace, name, by("officer-1", day), until=term, reason="Due.")
    return finding_acts.approve_waiver(workspace, name, by("officer-2", day))


def only(workspace: Workspace, day: date = DAY) -> TrackedFinding:
    (found,) = list_findings(workspace, day)
    return found


def told(found: TrackedFinding) -> list[str]:
    return [entry.what for entry in found.life.history]


# --- which there are ------------------------------------------------------------------------------


def test_finding__is_the_same_one_whatever_its_words_and_severity(
    workspace: Workspace, decide: Decided
) -> None:
    first = finding(severity="minor")
    decide(DAY, first)
    before = only(workspace)
    decide(days(1), first | {"severity": "major", "message": {"en": "Other.", "zh": "另述。"}})
    after = only(workspace, days(1))
    assert before.id == after.id
    assert after.raised["message"]["en"] == "Other."
    assert told(after) == ["raised", "graver"]


@pytest.mark.parametrize(
    "other", [finding(rule="r-2"), finding(fact="CRT-2")], ids=["rule", "facts"]
)
def test_finding__of_another_rule_or_other_facts_is_another_one(
    workspace: Workspace, decide: Decided, other: dict[str, Any]
) -> None:
    decide(DAY, finding())
    decide(days(1), other)
    found = list_findings(workspace, days(1))
    assert sorted(each.life.state for each in found) == ["open", "resolved"]
    assert len({each.key.digest for each in found}) == 2


def test_finding__of_another_pack_is_another_one(workspace: Workspace, decide: Decided) -> None:
    decide(DAY, finding())
    decide.heads.clear()
    decide(DAY, finding(), pack="us-fcc")
    assert [each.key.pack for each in list_findings(workspace, DAY)] == ["eu-ce", "us-fcc"]


def test_finding__said_twice_of_the_same_facts_is_one(
    workspace: Workspace, decide: Decided
) -> None:
    decide(DAY, finding(), finding() | {"message": {"en": "Twice.", "zh": "重复。"}})
    assert only(workspace).raised["message"]["en"] == "r-1 on CRT-1"


# --- raised, resolved, reopened -------------------------------------------------------------------


def test_finding__is_resolved_by_a_later_decision_and_open_when_raised_again(
    workspace: Workspace, decide: Decided
) -> None:
    decide(DAY, finding())
    decide(days(1))
    decide(days(2), finding())
    assert only(workspace, days(1)).life.state == "resolved"
    found = only(workspace, days(2))
    assert (found.life.state, found.life.reopened) == ("open", 1)
    assert told(found) == ["raised", "resolved", "reopened"]


def test_finding__of_one_day_goes_by_the_order_of_its_decisions(
    workspace: Workspace, decide: Decided
) -> None:
    decide(DAY, finding())
    decide(DAY)
    assert only(workspace).life.state == "resolved"
    decide(DAY, finding() | {"values": {"another": 1}})
    assert told(only(workspace)) == ["raised", "resolved", "reopened"]


def test_finding__is_not_resolved_by_a_decision_for_an_earlier_day_made_later(
    workspace: Workspace, decide: Decided
) -> None:
    decide(DAY, finding())
    decide(days(-5))
    assert only(workspace).life.state == "open"
    assert list_findings(workspace, days(-1)) == []


def test_finding__stands_while_its_rule_cannot_be_evaluated(
    workspace: Workspace, decide: Decided
) -> None:
    decide(DAY, finding())
    decide(days(1), errors=["r-1"])
    decide(days(2), errors=["case"])
    found = only(workspace, days(2))
    assert (found.life.state, found.life.is_told) == ("open", False)
    assert told(found) == ["raised", "untold"]
    decide(days(3), errors=["r-2"])
    assert only(workspace, days(3)).life.state == "resolved"


def test_findings__as_they_stood_on_an_earlier_day(workspace: Workspace, decide: Decided) -> None:
    decide(DAY, finding())
    waive(workspace, only(workspace).id, days(2))
    assert only(workspace, days(1)).life.state == "open"
    assert only(workspace, days(2)).life.state == "waived"


# --- acts -----------------------------------------------------------------------------------------


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


# --- what is asked for ----------------------------------------------------------------------------


def test_list__takes_states_rules_cases_and_what_is_overdue(
    workspace: Workspace, decide: Decided
) -> None:
    decide(DAY, finding("r-1"), finding("r-2"))
    decide(days(1), finding("r-2"))

    def rules(**wanted: Any) -> list[str]:
        found = list_findings(workspace, days(9), Wanted(**wanted))
        return [each.key.rule for each in found]

    assert rules() == ["r-1", "r-2"]
    assert rules(states=("open",)) == ["r-2"]
    assert rules(states=("resolved",)) == ["r-1"]
    assert rules(rules=("r-1",)) == ["r-1"]
    assert rules(cases=("L-1",)) == ["r-1", "r-2"]
    assert rules(cases=("L-2",)) == []
    assert rules(is_overdue=True) == []


def test_pick__by_the_beginning_of_an_id(workspace: Workspace, decide: Decided) -> None:
    decide(DAY, *(finding(f"r-{number}") for number in range(40)))
    found = list_findings(workspace, DAY)
    assert pick(found, found[3].id[:9].upper()) == found[3]
    assert pick(found, found[3].key.digest) == found[3]
    with pytest.raises(NotFoundError, match="CRN-R-120"):
        pick(found, found[3].id[:3])
    with pytest.raises(NotFoundError, match="CRN-R-120"):
        pick(found, "xxxx")


def test_pick__refuses_a_beginning_that_fits_several() -> None:
    class Same:
        key = type("Key", (), {"digest": "abcdef" + "0" * 58})

    with pytest.raises(InputError, match="CRN-R-121"):
        pick([Same(), Same()], "abcd")  # type: ignore[list-item]


def test_law__is_read_from_the_pack_that_decided(workspace: Workspace, decide: Decided) -> None:
    decide(DAY, finding())
    (law,) = law_of_finding(workspace, only(workspace))
    assert law.title == "Directive 2014/53/EU"
    assert law.link.startswith("https://eur-lex.europa.eu/")


# --- what was tampered with -----------------------------------------------------------------------


def test_findings__of_a_damaged_decision_are_not_told(
    workspace: Workspace, decide: Decided
) -> None:
    decide(DAY, finding())
    decide(DAY)
    with writing(workspace.engine) as connection:
        _unprotect(connection.dialect.name, connection, "decision")
        connection.execute(text("DELETE FROM decision WHERE conformity = 'nonconforming'"))
    with pytest.raises(LedgerFatalError, match="CRN-R-098"):
        list_findings(workspace, DAY)


def test_findings__with_an_act_that_was_changed_are_not_told(
    workspace: Workspace, decide: Decided
) -> None:
    decide(DAY, finding())
    waive(workspace, only(workspace).id)
    with writing(workspace.engine) as connection:
        _unprotect(connection.dialect.name, connection, "officer_event")
        connection.execute(
            update(OFFICER_EVENT).where(OFFICER_EVENT.c.seq == 1).values(officer="officer-2")
        )
    with pytest.raises(LedgerFatalError, match="CRN-R-110"):
        find_finding(workspace, "abcd", DAY)


def _unprotect(dialect: str, connection: Any, table: str) -> None:
    names = ["no_update", "no_delete"] if dialect == "sqlite" else ["no_change"]
    for name in names:
        suffix = "" if dialect == "sqlite" else f" ON {table}"
        connection.execute(text(f"DROP TRIGGER {table}_{name}{suffix}"))


def sign(workspace: Workspace, officer: str, kind: str, subject: str, content: Any) -> None:
    """Sign an act past the checks, as an officer with the database and their key could."""
    key = officer_key(workspace, officer, FixedClock(NOW))
    with writing(workspace.engine, Lock.OFFICER_EVENT) as connection:
        append_event(
            connection, kind, subject, content, officer=officer, key=key, clock=FixedClock(NOW)
        )


def test_act__that_was_signed_past_the_checks_does_not_count(
    workspace: Workspace, decide: Decided
) -> None:
    digest = decide(DAY, finding(severity="blocking"))
    subject = only(workspace).key.digest
    common = {"asOf": DAY.isoformat(), "decision": digest}
    sign(
        workspace,
        "officer-1",
        "finding-waiver",
        subject,
        common | {"until": days(3).isoformat(), "reason": "Mine.", "severity": "major"},
    )
    with reading(workspace.engine) as connection:
        (proposal,) = read_events(connection)
    approval = common | {"waiver": proposal.digest.hex()}
    sign(workspace, "officer-2", "finding-waiver-approval", subject, approval)
    found = only(workspace)
    assert found.life.state == "open"
    assert [entry.counts for entry in found.life.history] == [True, False, False]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("finding-waiver", {"asOf": "2026-11-23"}),
        ("finding-acknowledgement", {"asOf": "soon", "note": "x"}),
        ("finding-waiver-approval", {"asOf": "2026-11-23"}),
        ("finding-waiver-withdrawal", {"asOf": "2026-11-23", "waiver": "x"}),
    ],
)
def test_act__of_an_unknown_content_stops_the_reading(
    workspace: Workspace, decide: Decided, kind: str, content: Any
) -> None:
    decide(DAY, finding())
    sign(workspace, "officer-1", kind, only(workspace).key.digest, content)
    with pytest.raises(LedgerFatalError, match="CRN-R-111"):
        list_findings(workspace, DAY)

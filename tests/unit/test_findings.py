"""Findings across stored decisions and signed acts: what is the same one, and where it stands."""

import json
from datetime import date
from typing import Any

import pytest
from sqlalchemy import text, update
from typer.testing import CliRunner

from carnet.cli.main import app
from carnet.core.clock import FixedClock
from carnet.core.errors import InputError, LedgerFatalError, NotFoundError
from carnet.services.decisions import decision_history
from carnet.services.findings import (
    Wanted,
    count_states,
    find_finding,
    law_of_finding,
    list_findings,
    pick,
)
from carnet.services.officer_events import append_event, read_events
from carnet.services.officers import officer_key
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import OFFICER_EVENT
from tests.fixtures_findings import DAY, NOW, Decided, days, finding, only, told, waive

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


def test_status__counts_findings_by_where_they_stand_today(
    workspace: Workspace, decide: Decided
) -> None:
    decide(DAY, finding(), finding(rule="r-2"), finding(rule="r-3", severity="minor"))
    decide(days(1), finding(), finding(rule="r-3", severity="minor"))
    assert count_states(list_findings(workspace, days(1))) == {
        "open": 2, "acknowledged": 0, "waived": 0, "resolved": 1, "overdue": 0,
    }  # fmt: skip
    status = ["status", "-w", str(workspace.path)]
    shown = CliRunner().invoke(app, [*status, "--format", "json"], catch_exceptions=False)
    counts = json.loads(shown.stdout)["findings"]
    today = date.fromisoformat(counts.pop("as_of"))
    assert counts == count_states(list_findings(workspace, today))
    chinese = CliRunner().invoke(app, status, env={"CARNET_LANG": "zh"}, catch_exceptions=False)
    assert f"{counts['open']} 待处理" in chinese.stdout


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


def test_history__goes_by_the_days_whenever_they_were_decided(
    workspace: Workspace, decide: Decided
) -> None:
    counts = [5, 1, 8, 0, 3, 9, 2]
    digests = {days(count): decide(days(count), finding()) for count in counts}
    with reading(workspace.engine) as connection:
        (course,) = decision_history(connection, days(8)).values()
    assert [each.digest.hex() for each in course] == [
        digests[days(count)] for count in sorted(counts) if count <= 8
    ]


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

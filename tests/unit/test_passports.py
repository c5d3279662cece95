"""Data points and passports: desensitised, traceable, one after another, never a silent zero."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from carnet.core.canonical import canonical
from carnet.core.clock import FixedClock
from carnet.core.digests import sha256
from carnet.core.errors import CarnetError, ConflictError, InputError, NotFoundError
from carnet.core.quarters import Quarter, parse_quarter, quarter_of
from carnet.facts.schema import FACT_TYPES
from carnet.ledger.kinds.credit import DATA_POINT_KINDS, PROVENANCES, UNITS
from carnet.ledger.reader import LogReader
from carnet.ledger.verify import verify_bundle
from carnet.services.appending import append_records
from carnet.services.attesting import issue_attestations
from carnet.services.data_points import OPEN_MEMBERS, list_data_points, record_data_points
from carnet.services.erasing import Act, approve_erasure, propose_erasure
from carnet.services.passport_views import (
    MEMBERS,
    newest_passport,
    passports,
    present_passport,
    revoke_passport,
)
from carnet.services.passports import FIGURES, issue_passport
from carnet.services.policies import make_policy
from carnet.services.reviewing import review
from carnet.services.status_listing import publish_lists
from carnet.services.workspace import Workspace
from tests.fixtures_decisions import DAY
from tests.fixtures_passport import (
    PACK,
    SELLER,
    attest,
    confirm,
    fill_pool,
    import_facts,
    sound_facts,
)
from tests.fixtures_store import Fill

QUARTER = "2026Q4"


def fill_recorded(workspace: Workspace, folder: Path, clock: FixedClock) -> None:
    fill_pool(workspace, folder, clock)
    record_data_points(workspace, clock)
    append_records(workspace, clock)


@pytest.fixture
def pool(filled_copy: Callable[[Fill], Workspace]) -> Workspace:
    """Return a workspace where everything for a passport is there, and nothing recorded."""
    return filled_copy(fill_pool)


@pytest.fixture
def recorded(filled_copy: Callable[[Fill], Workspace]) -> Workspace:
    """Return a workspace whose data points are recorded."""
    return filled_copy(fill_recorded)


def refused(code: str, run: Any) -> CarnetError:
    with pytest.raises(CarnetError) as caught:
        run()
    assert caught.value.code == code
    assert caught.value.hint.zh
    return caught.value


# --- data points ------------------------------------------------------------------------------


def test_record__shows_what_the_allow_list_names_and_nothing_else(
    pool: Workspace, clock: FixedClock
) -> None:
    record_data_points(pool, clock)
    for point in list_data_points(pool, SELLER):
        assert point.record is not None
        subject = dict(point.record.subject)
        kind = subject["kind"]
        assert subject.keys() == OPEN_MEMBERS[kind] | {"salt", "_sd"}
        fields = point.fact.to_json()
        assert ("value" in subject) == (kind == "social")
        body = point.record.body.decode()
        for name in ("provider", "seller_id", "id"):
            assert f'"{fields[name]}"' not in body


def test_record__is_made_once_for_each_version(
    pool: Workspace, tmp_path: Path, clock: FixedClock
) -> None:
    first = record_data_points(pool, clock)
    assert first.new_count == len(first.issued) == 13
    assert record_data_points(pool, clock).new_count == 0
    changed = [{**fact, "value": 8500} for fact in sound_facts() if fact["id"] == "cap-2"]
    import_facts(pool, changed, tmp_path, clock)
    again = record_data_points(pool, clock, ids=["cap-2"])
    assert again.new_count == 1
    old = {point.version.fact_id: point for point in list_data_points(pool)}["cap-2"]
    assert old.version.version == 2
    replaced = again.issued[0].record.document["supersedes"]
    assert replaced in {each.record.digest.hex() for each in first.issued}


def test_record__unknown_names_are_refused(pool: Workspace, clock: FixedClock) -> None:
    refused("CRN-L-070", lambda: record_data_points(pool, clock, seller="NOBODY"))
    refused("CRN-L-071", lambda: record_data_points(pool, clock, ids=["none"]))
    refused("CRN-L-070", lambda: list_data_points(pool, "NOBODY"))


def test_record__kinds_units_and_provenances_are_those_of_facts() -> None:
    fields = FACT_TYPES["data_point"].fields
    assert set(fields["kind"].choices) == set(DATA_POINT_KINDS) == OPEN_MEMBERS.keys()
    assert set(fields["provenance"].choices) == set(PROVENANCES)
    assert set(fields["unit"].choices) == set(UNITS)


# --- issuing ----------------------------------------------------------------------------------


def test_passport__carries_each_figure_with_the_records_behind_it(
    recorded: Workspace, clock: FixedClock
) -> None:
    issued = issue_passport(recorded, SELLER, QUARTER, clock)
    assert issued.is_new
    passport = newest_passport(recorded, SELLER, clock)
    members = passport.members
    values = {figure.member: members[figure.member]["value"] for figure in FIGURES}
    assert values == {
        "tier": 1,
        "overallIndex": 9500,
        "multiChannelSalesHealth": 10000,
        "userQualityIndex": 9000,
        "supplyChainStability": 9000,
        "complianceStanding": 10000,
    }
    hashes = {
        point.record.digest.hex(): point.fact.fields["kind"]
        for point in list_data_points(recorded, SELLER)
        if point.record is not None
    }
    sales = members["multiChannelSalesHealth"]
    kinds = sorted(str(hashes[each]) for each in sales["records"])
    assert kinds == ["own_site_sales"] * 2 + ["platform_settlement"] * 2
    assert sales["recordsDigest"] == sha256(canonical(sales["records"])).hex()
    log = LogReader(recorded.engine)
    said = [log.record(each).subject for each in members["complianceStanding"]["records"]]
    assert {each["pack"]["id"] for each in said} == {"us-fcc", "us-cpsc", "ip-clearance"}
    assert {each["conformity"] for each in said} == {"conforming"}
    assert members["tier"]["recordCount"] == 16
    assert passport.valid_until == date(2027, 3, 31)
    assert passport.state == "current"
    assert set(members["officerConfirmed"]) <= PACK.parameters.keys() | {"tiers.first"}


def test_passport__its_record_says_neither_who_nor_how_much(
    recorded: Workspace, clock: FixedClock
) -> None:
    record = issue_passport(recorded, SELLER, QUARTER, clock).record
    assert record.subject.keys() == {"id", "quarter", "asOf", "pack", "salt", "_sd"}
    assert len(record.subject["_sd"]) == len(MEMBERS)
    assert f'"{SELLER}"' not in record.body.decode()


def test_passport__the_same_again_is_the_same_record(
    recorded: Workspace, clock: FixedClock
) -> None:
    first = issue_passport(recorded, SELLER, QUARTER, clock)
    again = issue_passport(recorded, SELLER, QUARTER, clock)
    assert not again.is_new
    assert again.record.digest == first.record.digest


def test_passport__a_new_one_replaces_the_one_before(
    recorded: Workspace, tmp_path: Path, clock: FixedClock
) -> None:
    first = issue_passport(recorded, SELLER, QUARTER, clock)
    append_records(recorded, clock)
    changed = [{**fact, "value": 600} for fact in sound_facts() if fact["id"] == "rep-2"]
    import_facts(recorded, changed, tmp_path, clock)
    refused("CRN-L-075", lambda: issue_passport(recorded, SELLER, QUARTER, clock))
    record_data_points(recorded, clock)
    second = issue_passport(recorded, SELLER, QUARTER, clock)
    assert second.record.document["supersedes"] == first.record.digest.hex()
    states = [each.state for each in passports(recorded, SELLER, clock)]
    assert states == ["superseded", "current"]
    refused("CRN-L-077", lambda: issue_passport(recorded, SELLER, "2026Q3", clock))


def test_passport__what_cannot_be_told_has_no_value_and_names_the_rules(
    workspace: Workspace, tmp_path: Path, clock: FixedClock
) -> None:
    facts = [fact for fact in sound_facts() if fact.get("kind") != "social"]
    import_facts(workspace, facts, tmp_path, clock)
    confirm(workspace, clock)
    attest(workspace, clock)
    record_data_points(workspace, clock)
    issued = issue_passport(workspace, SELLER, QUARTER, clock)
    members = newest_passport(workspace, SELLER, clock).members
    for name in ("tier", "overallIndex", "userQualityIndex"):
        assert "value" not in members[name]
    assert members["userQualityIndex"]["causes"] == ["user-quality-sound", "user-quality-weak"]
    assert members["tier"]["causes"] == ["tier", "tier-lowest"]
    assert members["supplyChainStability"]["value"] == 9000
    assert {error.rule for error in issued.decision.errors} >= {"user-quality-sound", "tier"}


def test_passport__needs_a_confirmed_term_recorded_points_and_attested_listings(
    workspace: Workspace, tmp_path: Path, clock: FixedClock
) -> None:
    import_facts(workspace, sound_facts(), tmp_path, clock)
    confirm(workspace, clock, without={"grace_days"})
    refused("CRN-L-073", lambda: issue_passport(workspace, SELLER, QUARTER, clock))
    confirm(workspace, clock)
    refused("CRN-L-075", lambda: issue_passport(workspace, SELLER, QUARTER, clock))
    record_data_points(workspace, clock)
    found = refused("CRN-L-078", lambda: issue_passport(workspace, SELLER, QUARTER, clock))
    assert "L1" in found.message.en
    attest(workspace, clock)
    assert issue_passport(workspace, SELLER, QUARTER, clock).is_new


def test_passport__an_attestation_that_says_something_else_does_not_do(
    recorded: Workspace, tmp_path: Path, clock: FixedClock
) -> None:
    product = [{**fact, "is_radio": True} for fact in sound_facts() if fact["type"] == "product"]
    import_facts(recorded, product, tmp_path, clock)
    refused("CRN-L-078", lambda: issue_passport(recorded, SELLER, QUARTER, clock))


def test_passport__an_attestation_that_has_ended_does_not_do(
    workspace: Workspace, tmp_path: Path, clock: FixedClock
) -> None:
    import_facts(workspace, sound_facts(), tmp_path, clock)
    confirm(workspace, clock)
    decided = review(workspace, as_of=DAY, clock=clock).reviewed
    issue_attestations(workspace, [each.digest for each in decided], clock, valid_days=1)
    record_data_points(workspace, clock)
    clock.advance(timedelta(days=1))
    assert issue_passport(workspace, SELLER, QUARTER, clock).is_new
    clock.advance(timedelta(days=1))
    refused("CRN-L-078", lambda: issue_passport(workspace, SELLER, QUARTER, clock))


@pytest.mark.parametrize(
    ("quarter", "as_of", "code"),
    [
        ("2027Q1", None, "CRN-L-074"),
        (QUARTER, date(2026, 11, 24), "CRN-L-074"),
        (QUARTER, date(2026, 9, 30), "CRN-L-074"),
        ("2026Q3", date(2026, 10, 16), "CRN-L-074"),
        ("2025Q3", None, "CRN-L-076"),
        ("2026-Q4", None, "CRN-L-072"),
        ("2026Q5", None, "CRN-L-072"),
        ("1899Q4", None, "CRN-L-072"),
    ],
)
def test_passport__a_day_outside_its_quarter_is_refused(
    recorded: Workspace, clock: FixedClock, quarter: str, as_of: date | None, code: str
) -> None:
    refused(code, lambda: issue_passport(recorded, SELLER, quarter, clock, as_of=as_of))


def test_passport__unknown_sellers_and_absent_passports_are_named(
    recorded: Workspace, clock: FixedClock
) -> None:
    refused("CRN-L-070", lambda: issue_passport(recorded, "NOBODY", QUARTER, clock))
    with pytest.raises(NotFoundError) as caught:
        newest_passport(recorded, SELLER, clock)
    assert caught.value.code == "CRN-L-080"


# --- presenting -------------------------------------------------------------------------------


def presented(
    workspace: Workspace, clock: FixedClock, *names: str, today: date = DAY
) -> tuple[str, dict[str, str]]:
    """Return the verdict on what is presented, and the verdict of each step."""
    _, bundle = present_passport(workspace, SELLER, names, clock)
    found = verify_bundle(bundle.to_bytes(), make_policy(workspace), today=today)
    return found.verdict, {step.name: step.verdict for step in found.steps}


def test_present__discloses_the_chosen_members_alone(
    recorded: Workspace, clock: FixedClock
) -> None:
    issue_passport(recorded, SELLER, QUARTER, clock)
    append_records(recorded, clock)
    publish_lists(recorded, clock)
    shown, bundle = present_passport(recorded, SELLER, ["tier", "tier", "overallIndex"], clock)
    assert {each.name for each in shown.disclosures} == {"tier", "overallIndex"}
    assert len(bundle.disclosures) == 2
    assert "seller" not in shown.members
    assert "userQualityIndex" not in shown.members
    assert f'"{SELLER}"' not in bundle.to_bytes().decode()
    verdict, steps = presented(recorded, clock, "tier", "overallIndex")
    assert verdict == "valid", steps
    assert presented(recorded, clock)[0] == "valid"
    refused("CRN-L-079", lambda: present_passport(recorded, SELLER, ["name"], clock))


def test_present__a_bundle_with_another_figure_is_not_valid(
    recorded: Workspace, clock: FixedClock
) -> None:
    issue_passport(recorded, SELLER, QUARTER, clock)
    append_records(recorded, clock)
    publish_lists(recorded, clock)
    _, bundle = present_passport(recorded, SELLER, ["tier"], clock)
    document = json.loads(bundle.to_bytes())
    from carnet.ledger.disclosure import make_disclosure

    forged = make_disclosure("tier", {"recordCount": 0, "recordsDigest": "0" * 64, "value": 1})
    document["disclosures"] = [forged.text]
    found = verify_bundle(canonical(document), make_policy(recorded), today=DAY)
    assert {step.name: step.verdict for step in found.steps}["disclosures"] == "not_valid"


def test_present__revoked_is_not_valid_and_stale_is_not_valid(
    recorded: Workspace, clock: FixedClock
) -> None:
    issue_passport(recorded, SELLER, QUARTER, clock)
    append_records(recorded, clock)
    publish_lists(recorded, clock)
    late = date(2027, 4, 1)
    verdict, steps = presented(recorded, clock, "tier", today=late)
    assert (verdict, steps["validity"]) == ("not_valid", "not_valid")
    assert revoke_passport(recorded, SELLER, "figures withdrawn", clock).is_new
    verdict, steps = presented(recorded, clock, "tier")
    assert (verdict, steps["status"]) == ("not_valid", "not_valid")
    assert newest_passport(recorded, SELLER, clock).state == "revoked"
    again = issue_passport(recorded, SELLER, QUARTER, clock)
    assert again.is_new
    assert newest_passport(recorded, SELLER, clock).state == "current"


def test_show__stale_after_the_quarter_and_its_grace(
    recorded: Workspace, clock: FixedClock
) -> None:
    issue_passport(recorded, SELLER, QUARTER, clock)
    clock.advance(timedelta(days=(date(2027, 3, 31) - DAY).days))
    assert newest_passport(recorded, SELLER, clock).state == "current"
    clock.advance(timedelta(days=1))
    assert newest_passport(recorded, SELLER, clock).state == "stale"


def test_erased__nothing_is_disclosed_or_recorded_any_more(
    recorded: Workspace, clock: FixedClock
) -> None:
    issue_passport(recorded, SELLER, QUARTER, clock)
    append_records(recorded, clock)
    propose_erasure(recorded, Act(SELLER, "officer-1", clock), "subject_request")
    approve_erasure(recorded, Act(SELLER, "officer-2", clock))
    with pytest.raises((NotFoundError, ConflictError)):
        present_passport(recorded, SELLER, ["tier"], clock)
    assert list_data_points(recorded) == []


# --- quarters ---------------------------------------------------------------------------------


def test_quarter__begins_and_ends_with_its_months() -> None:
    assert [str(Quarter(2027, number).end) for number in (1, 2, 3, 4)] == [
        *("2027-03-31", "2027-06-30", "2027-09-30", "2027-12-31"),
    ]
    for day in (date(2026, 1, 1), date(2026, 3, 31), date(2026, 12, 31), date(2028, 2, 29)):
        found = quarter_of(day)
        assert found.start <= day <= found.end
        assert parse_quarter(str(found)) == found
    with pytest.raises(InputError):
        parse_quarter("2026q3")

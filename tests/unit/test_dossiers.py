"""What stands behind a review: documents asked for and there, certificates over twelve months."""

from dataclasses import replace
from datetime import date

import pytest

from carnet.rules.ast import Pack
from carnet.rules.case import Case, CaseFinder, Run, on_other_day, types_read
from carnet.rules.evidence import Requirement, requirements_of
from carnet.rules.run import start_run
from carnet.services.dossiers import Cell, Dossiers, Strip, document_status, dossiers_of, packs_of
from carnet.services.overviews import overview_among
from carnet.services.reviewing import newest_packs
from tests.fixtures_review import (
    AS_OF,
    NOT_REVIEWED,
    confirm_all,
    confirm_none,
    sample,
    sample_overview,
)


@pytest.fixture(scope="module")
def dossiers() -> Dossiers:
    return sample_overview().dossiers


@pytest.fixture(scope="module")
def eu_ce() -> Pack:
    return newest_packs()["eu-ce"]


def cell_of(dossiers: Dossiers, listing: str, row: str) -> Cell:
    (found,) = [one for one in dossiers.cells[listing] if one.requirement.row == row]
    return found


def strip_of(dossiers: Dossiers, certificate: str) -> Strip:
    (found,) = [one for one in dossiers.strips if one.certificate.id == certificate]
    return found


def cases_of(run: Run, ids: list[str]) -> list[Case]:
    return CaseFinder([run.pack], sample().facts).cases(run, ids)


def requirements(pack: Pack, listing: str, *, is_confirmed: bool) -> dict[str, Requirement]:
    confirmed = confirm_all(pack) if is_confirmed else frozenset()
    (case,) = cases_of(start_run(pack, AS_OF, confirmed), [listing])
    return {one.row: one for one in requirements_of(case)}


def test_requirements__are_missing_where_the_rule_finds_them_missing(dossiers: Dossiers) -> None:
    for listing, cells in dossiers.cells.items():
        found = {
            (one.pack.id, finding.rule, fact)
            for one in sample().judged[listing]
            for finding in one.decision.findings
            for fact in finding.facts
        }
        for one in cells:
            told = one.requirement
            is_found = (one.pack.id, told.rule, (told.table, told.row)) in found
            assert is_found == (told.state == "missing"), (listing, told)
    emc = cell_of(dossiers, "LST-CHG-02-EU-L", "emc")
    assert emc.requirement.state == "missing"
    assert emc.requirement.name.en == "Directive 2014/30/EU (electromagnetic compatibility)"
    assert emc.documents == ()


def test_requirements__name_the_documents_that_meet_them_and_others_under_the_act(
    dossiers: Dossiers,
) -> None:
    ppe = cell_of(dossiers, "LST-HEL-02-EU", "ppe")
    assert ppe.requirement.documents == (("certificate", "CRT-012"),)
    statuses = {one.key[1]: one.status for one in ppe.documents}
    assert statuses == {"CRT-012": "valid", "CRT-025": "expired", "CRT-113": "valid"}
    search = cell_of(dossiers, "LST-HEL-02-EU", "patent")
    assert [one.status for one in search.documents] == ["on_file"]


def test_requirements__rest_on_rows_that_officers_have_not_confirmed(eu_ce: Pack) -> None:
    confirmed = requirements(eu_ce, "LST-CHG-02-EU-L", is_confirmed=True)
    open_ones = requirements(eu_ce, "LST-CHG-02-EU-L", is_confirmed=False)
    assert {name: one.state for name, one in confirmed.items()}["emc"] == "missing"
    assert open_ones["emc"].state == "undetermined"
    assert open_ones["emc"].cause is not None
    assert "not confirmed by officers" in open_ones["emc"].cause.en


def test_requirements__are_none_of_a_rule_that_does_not_apply(eu_ce: Pack) -> None:
    rules = {one.id: one for one in eu_ce.rules}
    asking, for_toys = rules["document-missing"], rules["toy-review-overdue"].scope
    limited = replace(asking, scope=for_toys)
    pack = replace(eu_ce, rules=tuple(limited if one is asking else one for one in eu_ce.rules))
    assert "tech_file" in requirements(eu_ce, "LST-CHG-02-EU-L", is_confirmed=True)
    assert "tech_file" not in requirements(pack, "LST-CHG-02-EU-L", is_confirmed=True)


def test_document__of_a_type_without_a_status_is_told_by_the_findings_that_name_it() -> None:
    (judged,) = [one for one in sample().judged["LST-EAR-01-EU"] if one.pack.id == "ip-clearance"]
    (case,) = cases_of(start_run(judged.pack, AS_OF, confirm_all(judged.pack)), ["LST-EAR-01-EU"])
    search = case.facts_of("ip_search")[0]
    assert document_status(search, case, judged.decision).status == "on_file"
    finding = sample().judged["LST-CHG-02-EU-L"][0].decision.findings[0]
    named = replace(finding, facts=((search.type, search.id),))
    for severity, status in (("blocking", "found"), ("minor", "on_file")):
        findings = (replace(named, severity=severity),)  # type: ignore[arg-type]  # both are ones
        decision = replace(judged.decision, findings=findings)
        assert document_status(search, case, decision).status == status


def test_document__that_is_valid_is_not_told_so_where_a_grave_finding_names_it() -> None:
    (judged,) = [one for one in sample().judged["LST-EAR-01-EU"] if one.pack.id == "eu-ce"]
    (case,) = cases_of(start_run(judged.pack, AS_OF, confirm_all(judged.pack)), ["LST-EAR-01-EU"])
    finding = sample().judged["LST-CHG-02-EU-L"][0].decision.findings[0]
    keys = (("certificate", "CRT-001"), ("certificate", "CRT-041"))
    decision = replace(judged.decision, findings=(replace(finding, facts=keys[:1]),))
    statuses = [document_status(case.by_key[key], case, decision).status for key in keys]
    assert statuses == ["found", "valid"]


def test_requirements__of_a_listing_that_is_no_case_are_none(eu_ce: Pack) -> None:
    run = start_run(eu_ce, AS_OF, confirm_all(eu_ce))
    (case,) = cases_of(run, ["LST-LED-01-US-L"])
    assert requirements_of(case) == []


def test_strip__tells_the_window_and_the_end_month_by_month(dossiers: Dossiers) -> None:
    strip = strip_of(dossiers, "CRT-026")
    assert (strip.opens.value, strip.closes.value) == (date(2026, 7, 10), date(2027, 1, 10))
    assert strip.ends.value == date(2027, 7, 10)
    assert strip.ends.reason is not None
    assert strip.ends.reason.text.en == "date printed on it"
    assert strip.now.status == "window_open"
    assert [one.last for one in strip.months][::11] == [date(2026, 11, 30), date(2027, 10, 31)]
    assert [one.status for one in strip.months] == [
        *("window_open", "window_closing"),
        *(["window_missed"] * 6),
        *(["expired"] * 4),
    ]


def test_strip__follows_the_law_that_applies_then(dossiers: Dossiers) -> None:
    # The Machinery Directive is replaced on 20 January 2027; the declaration names it alone.
    months = strip_of(dossiers, "CRT-023").months
    assert [one.status for one in months[:3]] == ["valid", "valid", "not_applicable"]


def test_strip__is_drawn_for_what_ends_and_the_others_are_counted(dossiers: Dossiers) -> None:
    ends = [one.ends.value or date.max for one in dossiers.strips]
    assert ends == sorted(ends)  # type: ignore[type-var]  # all of them are dates
    drawn = {one.certificate.id for one in dossiers.strips}
    assert "CRT-001" not in drawn
    assert dossiers.steady > len(drawn)
    found = sample()
    fewer = dossiers_of(found.judged, found.facts, confirm_all, AS_OF, strips_max=2)
    assert [one.certificate.id for one in fewer.strips] == [
        one.certificate.id for one in dossiers.strips[:2]
    ]
    assert fewer.further == len(dossiers.strips) - 2


def test_strip__cannot_be_told_where_officers_have_not_confirmed() -> None:
    found = sample(is_confirmed=False)
    dossiers = dossiers_of(found.judged, found.facts, confirm_none, AS_OF)
    statuses = {one.now.status for one in dossiers.strips}
    assert "undetermined" in statuses
    causes = [one.now.cause for one in dossiers.strips if one.now.status == "undetermined"]
    assert all(cause is not None for cause in causes)


def test_case_on_another_day__is_the_case_that_would_be_assembled(eu_ce: Pack) -> None:
    confirmed = confirm_all(eu_ce)
    today, later = (start_run(eu_ce, day, confirmed) for day in (AS_OF, date(2027, 8, 1)))
    (case,) = cases_of(today, ["LST-HEL-03-EU-L"])
    (other,) = cases_of(later, ["LST-HEL-03-EU-L"])
    moved = on_other_day(case, later)
    certificate = case.by_key["certificate", "CRT-026"]
    assert document_status(certificate, case).status == "window_open"
    assert document_status(certificate, moved) == document_status(certificate, other)
    assert document_status(certificate, moved).status == "expired"
    assert moved.by_key == other.by_key
    assert moved.named == other.named


def test_overview__counts_every_listing_and_shows_the_worst_first() -> None:
    overview = sample_overview()
    assert overview.counts == {"nonconforming": 4, "undetermined": 0, "conforming": 4}
    assert overview.not_reviewed == 1
    verdicts = [each.verdict for each in overview.shown]
    assert verdicts == ["nonconforming"] * 4 + [None] + ["conforming"] * 4
    held = overview.shown[4]
    assert (held.listing_id, held.reason, held.market) == ("LST-JP", NOT_REVIEWED.reason, "")
    assert (overview.shown[0].market, overview.shown[0].model) == ("EU", "EH-C20 charger 20 W")
    found = sample()
    fewer = overview_among(found.facts, found.judged, [NOT_REVIEWED], AS_OF, confirm_all, 2)
    assert fewer.total == 9
    assert fewer.counts == overview.counts
    assert fewer.severities == overview.severities
    assert [each.listing_id for each in fewer.shown] == ["LST-CHG-02-EU-L", "LST-HEL-02-EU"]
    assert set(fewer.dossiers.cells) == {"LST-CHG-02-EU-L", "LST-HEL-02-EU"}


def test_overview__rests_on_the_types_that_the_packs_read_and_no_others() -> None:
    found, types = sample(), types_read(packs_of(sample().judged))
    fewer = [one for one in found.facts if one.type in types]
    assert {"sales", "receivable", "unit"} & {one.type for one in found.facts} - types
    overview = overview_among(fewer, found.judged, [NOT_REVIEWED], AS_OF, confirm_all)
    assert overview == sample_overview()

"""The sample seller is complete, well formed and coherent with the day of its review."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from carnet.core.ids import is_gtin
from carnet.facts.codes import split_fcc_id
from carnet.facts.fact import Fact
from carnet.facts.intake import check_references, read_files
from carnet.facts.schema import FACT_TYPES

EXAMPLES = Path(__file__).parents[2] / "examples"
REVIEW_DAY = date(2026, 11, 23)
EXPIRY_CLASSES = {
    "fixed_cap_5y",
    "review_5y",
    "as_printed",
    "law_sunset",
    "periodic_test",
    "exemption_end",
    "standard_superseded",
    "no_expiry_keep",
    "status_revoked",
}
EXAMINATION_CLASSES = {
    "ppe": "fixed_cap_5y",
    "toys_dir": "review_5y",
    "machinery_dir": "review_5y",
    "red": "as_printed",
    "emc": "as_printed",
    "red_cyber": "law_sunset",
}
PLANNED_FIELDS = {"planned_application_on", "due_on", "ends_on", "tested_on"}


@pytest.fixture(scope="module")
def facts() -> dict[str, list[Fact]]:
    batch = read_files(sorted((EXAMPLES / "seller").iterdir()))
    check_references(batch, lambda _type, _ids: frozenset())
    by_type: dict[str, list[Fact]] = {}
    for fact in batch.facts:
        by_type.setdefault(fact.type, []).append(fact)
    return by_type


def of_field(facts: Iterable[Fact], name: str) -> list[Any]:
    return [fact.fields[name] for fact in facts if name in fact.fields]


def load(name: str) -> Any:
    return json.loads((EXAMPLES / name).read_text(encoding="utf-8"))


def expiry_class(certificate: Fact, superseded: set[str]) -> str:
    """Return the class of domain rule 'earliest end that applies' that decides first."""
    fields = certificate.fields
    if fields.get("status", "active") != "active":
        return "status_revoked"
    if certificate.id in superseded:
        return "standard_superseded"
    if fields["kind"] == "rohs_exemption_use":
        return "exemption_end"
    if fields["kind"] == "cpc" or (fields["kind"] == "qa_cert" and fields["act"] == "ppe"):
        return "periodic_test"
    if fields["kind"] == "eu_type_exam_cert":
        return EXAMINATION_CLASSES[str(fields["act"])]
    return "as_printed" if "printed_valid_until" in fields else "no_expiry_keep"


def test_example__every_fact_type_is_present(facts: dict[str, list[Fact]]) -> None:
    figures = {fact.type for fact in read_files([EXAMPLES / "credit" / "data_point.csv"]).facts}
    assert set(facts) | figures | {"certificate_credential"} == set(FACT_TYPES)


def test_example__every_format_but_ndjson_is_shown() -> None:
    suffixes = {path.suffix for path in (EXAMPLES / "seller").iterdir()}
    assert suffixes == {".csv", ".json", ".xlsx"}


def test_example__is_as_large_as_promised(facts: dict[str, list[Fact]]) -> None:
    assert len(facts["listing"]) >= 30
    assert len(facts["certificate"]) >= 80
    assert len(facts["receivable"]) == 10
    assert len(facts["agreement"]) == 2
    platforms = {fact.fields.get("platform_id") for fact in facts["channel"]} - {None}
    assert {fact.fields["debtor_id"] for fact in facts["receivable"]} == platforms
    assert len(platforms) == 2


def test_example__both_markets_and_all_promised_categories(facts: dict[str, list[Fact]]) -> None:
    assert Counter(of_field(facts["listing"], "market")).keys() == {"EU", "US"}
    assert set(of_field(facts["product"], "category")) >= {
        "earphones",
        "power_bank",
        "led_lamp",
        "toy",
        "helmet",
        "charger",
        "wifi_camera",
        "router",
    }


def test_example__gtins_and_fcc_ids_are_well_formed_and_unique(
    facts: dict[str, list[Fact]],
) -> None:
    gtins = of_field(facts["product"], "gtin")
    assert len(set(gtins)) == len(facts["product"])
    assert all(is_gtin(gtin) for gtin in gtins)
    fcc_ids = of_field(facts["product"], "fcc_id")
    assert len(set(fcc_ids)) == len(fcc_ids) >= 5
    grantees = {split_fcc_id(fcc_id) for fcc_id in fcc_ids}
    assert None not in grantees
    assert {len(parts[0]) for parts in grantees if parts} == {3, 5}


def test_example__each_of_the_nine_expiry_classes_occurs(facts: dict[str, list[Fact]]) -> None:
    superseded = {
        str(fact.fields["certificate_id"])
        for fact in facts["certificate_standard"]
        if "presumption_until" in fact.fields
    }
    classes = Counter(expiry_class(fact, superseded) for fact in facts["certificate"])
    assert classes.keys() == EXPIRY_CLASSES
    assert sum(classes.values()) == len(facts["certificate"])


def test_example__nothing_recorded_lies_after_the_day_of_review(
    facts: dict[str, list[Fact]],
) -> None:
    late = [
        (fact.type, fact.id, name)
        for fact in (fact for of_type in facts.values() for fact in of_type)
        for name, value in fact.fields.items()
        if name.endswith(("_on", "_at"))
        and name not in PLANNED_FIELDS
        and (value.date() if isinstance(value, datetime) else value) > REVIEW_DAY  # type: ignore[operator]
    ]
    assert late == []


def test_example__people_are_roles_and_companies_are_fictitious(
    facts: dict[str, list[Fact]],
) -> None:
    named = facts["party"] + facts["test_lab"] + facts["responsible_person"]
    assert all("(fictitious)" in str(fact.fields["name"]) for fact in named)
    inspectors = of_field(facts["batch"] + facts["inspection"], "inspector_id")
    assert all(str(inspector).startswith("QC-") for inspector in inspectors)
    emails = of_field(facts["responsible_person"], "email")
    assert all(str(email).endswith(".example") for email in emails)


def test_example__every_unit_leads_to_a_batch_a_supplier_and_an_inspector(
    facts: dict[str, list[Fact]],
) -> None:
    sources: dict[str, set[str]] = {}
    for link in facts["trace_link"]:
        sources.setdefault(str(link.fields["to_id"]), set()).add(str(link.fields["from_id"]))
    lots = {fact.id for fact in facts["material_lot"]}
    inspected = {str(fact.fields["batch_id"]) for fact in facts["inspection"]}
    for unit in facts["unit"]:
        batch = str(unit.fields["batch_id"])
        assert sources[unit.id] == {batch}
        assert sources[batch] & lots
        assert batch in inspected


def test_example__no_material_lot_is_used_beyond_its_quantity(
    facts: dict[str, list[Fact]],
) -> None:
    used: Counter[str] = Counter()
    for link in facts["trace_link"]:
        used[str(link.fields["from_id"])] += int(str(link.fields["quantity"]))
    for lot in facts["material_lot"]:
        assert used[lot.id] <= int(str(lot.fields["quantity"]))


def test_example__receivables_are_in_dollars_and_of_listings_of_their_platform(
    facts: dict[str, list[Fact]],
) -> None:
    channels = {fact.id: fact.fields.get("platform_id") for fact in facts["channel"]}
    listings = {fact.id: channels[str(fact.fields["channel_id"])] for fact in facts["listing"]}
    for receivable in facts["receivable"]:
        assert receivable.fields["currency"] == "USD"
        assert listings[str(receivable.fields["listing_id"])] == receivable.fields["debtor_id"]


def test_expected_findings__name_listings_and_severities_that_exist(
    facts: dict[str, list[Fact]],
) -> None:
    expected = load("expected-findings.json")
    listings = {fact.id: fact for fact in facts["listing"]}
    packs = {
        "EU": {"eu-ce", "eu-gpsr", "ip-clearance"},
        "US": {"us-fcc", "us-cpsc", "ip-clearance"},
    }
    for listing, findings in expected.items():
        assert findings, f"{listing} is named without a finding"
        for finding in findings:
            assert finding.keys() == {"pack", "rule", "severity"}
            assert finding["pack"] in packs[str(listings[listing].fields["market"])]
            assert finding["severity"] in {"blocking", "major", "minor", "info"}
    assert sum(map(len, expected.values())) >= 15


def test_approvals__carry_a_reason_in_both_languages_and_two_officers() -> None:
    approvals = load("approvals.json")
    assert len({(item["pack"], item["parameter"]) for item in approvals}) == len(approvals)
    for item in approvals:
        assert item.keys() == {"pack", "parameter", "source", "reason", "officers", "approved_on"}
        assert item["reason"].keys() == {"en", "zh"}
        assert all(item["reason"].values())
        assert len(set(item["officers"])) == 2
        assert date.fromisoformat(item["approved_on"]) <= REVIEW_DAY

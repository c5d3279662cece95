"""What each form of field takes and refuses, and how it is put into words."""

import json
import os
import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from carnet.facts.codes import COUNTRIES, CURRENCIES, is_lei, split_fcc_id
from carnet.facts.fact import Fact, fact_from_json, parse_fact
from carnet.facts.issue import IntakeError, Issue
from carnet.facts.types.trading import Incident
from tests.fixtures_facts import certificate, lei_with_check_digits

PARTY = {"type": "party", "id": "S-1", "name": "Example Co", "country": "CN"}
RECEIVABLE = {
    "type": "receivable",
    "id": "R-1",
    "seller_id": "S-1",
    "debtor_id": "P-1",
    "document_sha256": "0" * 64,
    "face_minor": 1,
    "currency": "USD",
    "delivered_on": "2026-10-01",
    "due_on": "2026-11-30",
}
STATEMENT_LINE = {
    "type": "statement_line",
    "id": "L-1",
    "seller_id": "S-1",
    "platform_id": "P-1",
    "kind": "income",
    "amount_minor": 1,
    "currency": "USD",
    "booked_on": "2026-10-01",
}
BATCH = {
    "type": "batch",
    "id": "B-1",
    "product_id": "P-1",
    "lot": "LOT1",
    "produced_on": "2026-01-01",
    "quantity": 1,
    "uom": "C62",
}
INCIDENT = {
    "type": "incident",
    "id": "I-1",
    "seller_id": "S-1",
    "kind": "listing removed",
    "level": 1,
    "opened_at": "2026-11-23T08:00:00Z",
}
DEPOSIT = {
    "type": "deposit_account",
    "id": "D-1",
    "seller_id": "S-1",
    "platform_id": "P-1",
    "category": "charger",
    "base_bps": 500,
    "current_bps": 500,
    "balance_minor": 0,
    "currency": "USD",
    "changed_on": "2026-01-01",
}
COVENANT = {
    "type": "covenant",
    "id": "V-1",
    "agreement_id": "A-1",
    "measure": "leverage",
    "at": "most",
    "limit_bps": 35_000,
    "tested_on": "2026-12-31",
}

TAKEN: list[tuple[dict[str, Any], str, Any]] = [
    (PARTY, "lei", "5493001KJTIIGC8Y1R12"),
    (PARTY, "country", "GR"),
    (PARTY, "name", "张三（示例）有限公司"),
    (PARTY, "name", "=1+1"),
    (PARTY, "name", "x" * 1024),
    (PARTY, "id", "a" * 64),
    (PARTY, "is_large_enterprise", False),
    (RECEIVABLE, "face_minor", 0),
    (RECEIVABLE, "face_minor", 2**53 - 1),
    (RECEIVABLE, "currency", "CNY"),
    (STATEMENT_LINE, "amount_minor", -(2**53 - 1)),
    (BATCH, "quantity", 2**53 - 1),
    (BATCH, "placed_on", "2026-01-01"),
    (BATCH, "produced_on", "1900-01-01"),
    (BATCH, "placed_on", "2199-12-31"),
    (INCIDENT, "level", 3),
    (INCIDENT, "closed_at", "2026-11-23T08:00:00Z"),
    (DEPOSIT, "base_bps", 10_000),
    (certificate(), "body_number", "0001"),
    (certificate(), "language", "zh-Hans"),
]

REFUSED: list[tuple[dict[str, Any], str, Any]] = [
    (PARTY, "lei", "5493001KJTIIGC8Y1R13"),
    (PARTY, "lei", "5493001kjtiigc8y1r12"),
    (PARTY, "country", "UK"),
    (PARTY, "country", "cn"),
    (PARTY, "country", "XX"),
    (PARTY, "name", ""),
    (PARTY, "name", " a"),
    (PARTY, "name", "a\u3000"),
    (PARTY, "name", "a\nb"),
    (PARTY, "name", "a\x00b"),
    (PARTY, "name", "a\x85b"),
    (PARTY, "name", "a\u2028b"),
    (PARTY, "name", "a\u202eb"),
    (PARTY, "name", "\ufeffa"),
    (PARTY, "name", "\ud800"),
    (PARTY, "name", "e\u0301"),
    (PARTY, "name", "x" * 1025),
    (PARTY, "name", "汉" * 342),
    (PARTY, "name", 5),
    (PARTY, "name", None),
    (PARTY, "id", "a" * 65),
    (PARTY, "id", "a b"),
    (PARTY, "id", "é"),
    (PARTY, "id", "a\n"),
    (PARTY, "is_large_enterprise", 1),
    (PARTY, "is_large_enterprise", "true"),
    (RECEIVABLE, "face_minor", -1),
    (RECEIVABLE, "face_minor", 2**53),
    (RECEIVABLE, "face_minor", 1.0),
    (RECEIVABLE, "face_minor", "1"),
    (RECEIVABLE, "face_minor", True),
    (RECEIVABLE, "face_minor", float("nan")),
    (RECEIVABLE, "currency", "RMB"),
    (RECEIVABLE, "currency", "XAU"),
    (RECEIVABLE, "document_sha256", "A" * 64),
    (RECEIVABLE, "document_sha256", "0" * 63),
    (RECEIVABLE, "due_on", "2026-09-30"),
    (STATEMENT_LINE, "amount_minor", -(2**53)),
    (STATEMENT_LINE, "kind", "Income"),
    (BATCH, "quantity", 0),
    (BATCH, "produced_on", "2026-02-29"),
    (BATCH, "produced_on", "31/02/2026"),
    (BATCH, "produced_on", "2026-1-1"),
    (BATCH, "produced_on", "20260101"),
    (BATCH, "produced_on", "2026-W01-1"),
    (BATCH, "produced_on", "1899-12-31"),
    (BATCH, "produced_on", "2200-01-01"),
    (BATCH, "produced_on", "２０２６-01-01"),
    (BATCH, "produced_on", "2026-01-01T00:00:00Z"),
    (BATCH, "placed_on", "2025-12-31"),
    (INCIDENT, "level", 0),
    (INCIDENT, "level", 4),
    (INCIDENT, "opened_at", "2026-11-23T08:00:00+08:00"),
    (INCIDENT, "opened_at", "2026-11-23T08:00:00"),
    (INCIDENT, "opened_at", "2026-11-23T08:00:00.5Z"),
    (INCIDENT, "opened_at", "2026-11-23T24:00:01Z"),
    (INCIDENT, "opened_at", "2026-11-23"),
    (INCIDENT, "closed_at", "2026-11-23T07:59:59Z"),
    (DEPOSIT, "base_bps", 10_001),
    (DEPOSIT, "base_bps", -1),
    (certificate(), "body_number", "598"),
    (certificate(), "body_number", 598),
    (certificate(), "body_number", "٠٥٩٨"),
    (certificate(), "printed_valid_until", "2026-01-01"),
    (certificate(), "nmber", "x"),
]


def issues_of(raw: dict[str, Any]) -> tuple[Issue, ...]:
    with pytest.raises(IntakeError) as caught:
        fact_from_json(raw)
    assert caught.value.code == "CRN-F-003"
    return caught.value.issues


@pytest.mark.parametrize(("raw", "name", "value"), TAKEN)
def test_form__takes(raw: dict[str, Any], name: str, value: Any) -> None:
    changed = raw | {name: value}
    assert fact_from_json(changed).to_json() == changed


@pytest.mark.parametrize(("raw", "name", "value"), REFUSED)
def test_form__refuses(raw: dict[str, Any], name: str, value: Any) -> None:
    assert [issue.column for issue in issues_of(raw | {name: value})] == [name]


def test_fact__holds_typed_values_that_cannot_be_changed() -> None:
    fact = parse_fact(INCIDENT | {"recorded_on": "2026-11-24"})
    assert fact.fields["opened_at"] == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert fact.fields["recorded_on"] == date(2026, 11, 24)
    assert "reported_at" not in fact.fields
    with pytest.raises(TypeError):
        fact.fields["level"] = 2  # type: ignore[index]


def test_fact__travels_between_processes() -> None:
    fact = parse_fact(INCIDENT)
    copied = pickle.loads(pickle.dumps(fact))
    assert copied == fact
    with pytest.raises(TypeError):
        copied.fields["level"] = 2


def test_fact__without_fields_it_must_have() -> None:
    found = issues_of({"type": "recall_item", "id": "X"})
    assert [issue.column for issue in found] == ["recall_id", "batch_id"]
    assert all("is required" in issue.remedy.en for issue in found)
    assert found[0].file == "recall_item/X"


def test_fact__all_checks_between_fields_are_told_at_once() -> None:
    found = issues_of(
        certificate(
            valid_from="2026-03-01", printed_valid_until="2025-01-01", status_on="2024-01-01"
        )
    )
    assert [issue.expected.en for issue in found] == [
        "printed_valid_until not before issued_on",
        "printed_valid_until not before valid_from",
        "status_on not before issued_on",
    ]


def test_fact__a_covenant_needs_one_limit() -> None:
    raw = {name: value for name, value in COVENANT.items() if name != "limit_bps"}
    for wrong in (raw, COVENANT | {"limit_minor": 5}):
        (issue,) = issues_of(wrong)
        assert issue.expected.en == "either limit_bps or limit_minor, not both"
    assert fact_from_json(raw | {"limit_minor": 5}).fields["limit_minor"] == 5


def test_fact__a_trace_link_leads_elsewhere() -> None:
    link = {"type": "trace_link", "id": "T", "from_id": "B", "to_id": "B", "kind": "shipped"}
    (issue,) = issues_of(link | {"occurred_at": "2026-01-01T00:00:00Z"})
    assert issue.column == "to_id"


@pytest.mark.parametrize("raw", [{}, {"type": None}, {"type": "certificat"}, {"type": ["party"]}])
def test_fact__of_no_type(raw: dict[str, Any]) -> None:
    (issue,) = issues_of(raw)
    assert issue.column == "type"
    if raw.get("type") == "certificat":
        assert issue.remedy.en == "Did you mean certificate?"


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("kind", "EU_DOC", "Did you mean eu_doc?"),
        ("kind", "test_raport", "Did you mean test_report?"),
        ("number", " x", "Remove the blanks before and after the value."),
        ("number", "", "Leave the field out where there is no value."),
        ("number", None, "Leave the field out where there is no value."),
        ("id", None, "id is required: fill it in."),
        ("body_number", 598, "This is text: put it in quotes"),
        ("issued_on", "2026-02-30", "The calendar has no such day"),
        ("issued_on", "30.02.2026", "Write year, month and day with hyphens"),
        ("is_verified", "TRUE", "Write true or false, in lower case."),
    ],
)
def test_remedy__says_what_to_do(name: str, value: Any, remedy: str) -> None:
    issues = issues_of(certificate() | {name: value})
    assert [issue.remedy.en[: len(remedy)] for issue in issues] == [remedy]


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        (-5, "Write it without the minus sign"),
        (1.5, "Numbers are whole"),
        ("1.50", "Write a whole number of minor units"),
        ("five", "face_minor is a number"),
        (2**53, "Write a whole number of minor units"),
    ],
)
def test_remedy__of_an_amount(value: Any, remedy: str) -> None:
    (issue,) = issues_of(RECEIVABLE | {"face_minor": value})
    assert issue.remedy.en.startswith(remedy)


def test_issue__is_told_in_both_languages_and_as_json() -> None:
    with pytest.raises(IntakeError) as caught:
        fact_from_json(RECEIVABLE | {"face_minor": -5})
    error = caught.value
    assert error.message.en.splitlines() == [
        "This is not a fact. 1 problem:",
        (
            "receivable/R-1, column face_minor: found -5; expected a whole number of minor units"
            " from 0 to 2^53 - 1. Write it without the minus sign: the fact itself tells the"
            " direction."
        ),
    ]
    assert "列 face_minor：实际为 -5；应为：以最小货币单位计的整数" in error.message.zh
    (issue,) = error.to_json()["issues"]
    assert (issue["column"], issue["found"], issue["row"]) == ("face_minor", "-5", None)
    assert set(issue["expected"]) == set(issue["remedy"]) == {"en", "zh"}


FCC_IDS: list[tuple[str, tuple[str, str] | None]] = [
    ("2A3ULM5AEBT", ("2A3UL", "M5AEBT")),
    ("2ACARVOS5GC", ("2ACAR", "VOS5GC")),
    ("GKRRXMG1", ("GKR", "RXMG1")),
    ("DZL201945", ("DZL", "201945")),
    ("2ANDR-ABC123", ("2ANDR", "-ABC123")),
    ("2AGNT", None),
    ("SS3", None),
    ("ABC12345678901234", ("ABC", "12345678901234")),
    ("ABC123456789012345", None),
    ("abcXYZ1", None),
    ("FCC ID: 2ANDR-ABC123", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "parts"), FCC_IDS)
def test_fcc_id__is_split_by_the_length_of_the_grantee_code(
    text: str, parts: tuple[str, str] | None
) -> None:
    assert split_fcc_id(text) == parts


def test_fcc_id__agrees_with_the_vectors() -> None:
    folder = os.environ.get("CARNET_DATA")
    vectors = (
        json.loads((Path(folder) / "fcc" / "fcc_id_vectors.json").read_text(encoding="utf-8"))
        if folder
        else [
            {"raw": text, "grantee": parts and parts[0], "product": parts and parts[1]}
            for text, parts in FCC_IDS
        ]
    )
    for vector in vectors:
        expected = (
            (vector["grantee"], vector["product"])
            if vector.get("product") and "expect" not in vector
            else None
        )
        text = vector["raw"].removeprefix("FCC ID: ") if expected else vector["raw"]
        assert split_fcc_id(text) == expected, vector


def test_lei__check_digits() -> None:
    made = lei_with_check_digits("AAAA00EXAMPLECORP0")
    assert is_lei(made)
    swapped = made[:5] + made[6] + made[5] + made[7:]
    assert not is_lei(swapped)
    assert not is_lei(made + "0")
    endings = [number for number in range(100) if is_lei(f"{made[:-2]}{number:02d}")]
    assert {number % 97 for number in endings} == {int(made[-2:]) % 97}


def test_code_lists__have_the_sizes_of_the_standards() -> None:
    assert len(COUNTRIES) == 249
    assert {"CN", "DE", "US", "GB", "KR", "JP", "AU", "TW", "HK", "MO"} <= COUNTRIES
    assert not {"EU", "UK", "XK", "AN", "YU"} & COUNTRIES
    assert {"CNY", "USD", "EUR", "GBP", "KRW", "JPY", "AUD", "HKD", "KWD"} <= CURRENCIES
    assert not {"XAU", "XXX", "XTS", "RMB", "DEM"} & CURRENCIES


def test_scalars__are_the_only_values() -> None:
    fact = fact_from_json(certificate())
    assert isinstance(fact, Fact)
    assert {type(value) for value in fact.fields.values()} <= {str, int, bool, date, datetime}


@pytest.mark.parametrize(
    "instant",
    [
        datetime(2026, 1, 1),  # noqa: DTZ001
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=8))),
        datetime(2026, 1, 1, microsecond=1, tzinfo=UTC),
        datetime(1899, 12, 31, tzinfo=UTC),
        date(2026, 1, 1),
    ],
)
def test_model__takes_instants_in_utc_alone(instant: Any) -> None:
    values = INCIDENT | {"opened_at": instant}
    values.pop("type")
    with pytest.raises(ValidationError):
        Incident.model_validate(values)
    assert Incident.model_validate(values | {"opened_at": datetime(2026, 1, 1, tzinfo=UTC)})

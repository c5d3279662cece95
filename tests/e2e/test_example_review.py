"""The sample seller's planted problems are all found, and nothing else is raised."""

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from carnet.facts.fact import Fact
from carnet.facts.intake import read_files
from carnet.rules.ast import Pack
from carnet.rules.decision import EvaluationResult
from carnet.rules.engine import ENGINES, evaluate
from carnet.rules.pack import load_pack
from carnet.rules.shelf import SHELF
from carnet.rules.testing import PackTest, read_tests, run_tests

EXAMPLES = Path(__file__).parents[2] / "examples"
REVIEW_DAY = date(2026, 11, 23)
VERSIONS = {
    "eu-ce": "0.2.0",
    "eu-gpsr": "0.1.0",
    "us-fcc": "0.2.0",
    "us-cpsc": "0.1.0",
    "ip-clearance": "0.1.0",
}
PACK_IDS = tuple(VERSIONS)
PACKS_OF = {
    "EU": {"eu-ce", "eu-gpsr", "ip-clearance"},
    "US": {"us-fcc", "us-cpsc", "ip-clearance"},
}
SOUND = {
    "eu-ce": "LST-EAR-01-EU",
    "us-fcc": "LST-EAR-01-US",
    "us-cpsc": "LST-TOY-01-US-L",
}


def load(name: str) -> Any:
    return json.loads((EXAMPLES / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def facts() -> tuple[Fact, ...]:
    return read_files(sorted((EXAMPLES / "seller").iterdir())).facts


@pytest.fixture(scope="module")
def packs() -> dict[str, Pack]:
    return {pack_id: load_pack(SHELF / pack_id / version) for pack_id, version in VERSIONS.items()}


def approved(pack_id: str) -> frozenset[str]:
    return frozenset(
        item["parameter"] for item in load("approvals.json") if item["pack"] == pack_id
    )


def review(
    packs: dict[str, Pack], facts: tuple[Fact, ...], engine: str
) -> Iterator[EvaluationResult]:
    for pack_id, pack in packs.items():
        yield evaluate(pack, facts, REVIEW_DAY, engine, approved(pack_id))


# Spark is compared with the others in a module of its own, which shares one session.
@pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine != "spark"])
def test_review__finds_the_planted_problems_and_nothing_else(
    packs: dict[str, Pack], facts: tuple[Fact, ...], engine: str
) -> None:
    found: dict[str, list[dict[str, str]]] = {}
    for result in review(packs, facts, engine):
        for decision in result.to_json()["decisions"]:
            assert decision["errors"] == []
            for finding in decision["findings"]:
                item = {"pack": result.pack, "rule": finding["rule"]}
                item["severity"] = finding["severity"]
                found.setdefault(decision["case"]["id"], []).append(item)
    for of_listing in found.values():
        of_listing.sort(key=lambda item: (item["rule"], item["pack"]))
    assert found == load("expected-findings.json")


def test_review__decides_every_listing_by_every_pack_of_its_market(
    packs: dict[str, Pack], facts: tuple[Fact, ...]
) -> None:
    decided = [
        (decision["case"]["id"], result.pack)
        for result in review(packs, facts, "reference")
        for decision in result.to_json()["decisions"]
    ]
    listed = [
        (fact.id, pack_id)
        for fact in facts
        if fact.type == "listing" and fact.fields["status"] != "withdrawn"
        for pack_id in PACKS_OF[str(fact.fields["market"])]
    ]
    assert sorted(decided) == sorted(listed)


def test_review__rests_on_every_approval_of_the_example(
    packs: dict[str, Pack], facts: tuple[Fact, ...]
) -> None:
    for result in review(packs, facts, "reference"):
        rested = {
            parameter
            for decision in result.to_json()["decisions"]
            for parameter in decision["officer_confirmed"]
        }
        assert rested == approved(result.pack)


@pytest.mark.parametrize("pack_id", SOUND)
def test_review__is_undetermined_where_officers_have_not_confirmed(
    packs: dict[str, Pack], facts: tuple[Fact, ...], pack_id: str
) -> None:
    result = evaluate(packs[pack_id], facts, REVIEW_DAY, "reference").to_json()
    for decision in result["decisions"]:
        assert decision["officer_confirmed"] == []
    unconfirmed = {d["case"]["id"]: d["conformity"] for d in result["decisions"]}
    assert unconfirmed[SOUND[pack_id]] == "undetermined"


def test_review__says_everything_in_both_languages_with_values(
    packs: dict[str, Pack], facts: tuple[Fact, ...]
) -> None:
    for result in review(packs, facts, "reference"):
        for decision in result.to_json()["decisions"]:
            for finding in decision["findings"]:
                texts = [finding["message"], finding["remedy"]]
                assert all(text["en"] and text["zh"] for text in texts)
                assert not any("not recorded" in text["en"] for text in texts)
                assert not any("{" in text["en"] + text["zh"] for text in texts)
                assert finding["citation"]


# A run in bulk is planned anew for each test; the differential tests compare it on these packs.
@pytest.mark.parametrize("engine", ["reference", "live"])
@pytest.mark.parametrize("pack_id", PACK_IDS)
def test_pack__passes_its_own_tests(packs: dict[str, Pack], pack_id: str, engine: str) -> None:
    results = run_tests(packs[pack_id], engine)
    failed = [(result.id, result.differences, result.error) for result in results]
    assert len(results) > 30
    assert [
        item for item, result in zip(failed, results, strict=True) if not result.is_passed
    ] == []


NAME_MISSING = re.compile(r"(The|been|for|when) not recorded\b")


@pytest.mark.parametrize("pack_id", PACK_IDS)
def test_pack__has_a_name_for_every_code_that_its_messages_show(
    packs: dict[str, Pack], pack_id: str
) -> None:
    shown = [
        finding["message"]["en"]
        for test in read_tests(packs[pack_id])
        if isinstance(test, PackTest)
        for decision in evaluate(
            packs[pack_id], test.facts, test.as_of, "reference", test.confirmed
        ).to_json()["decisions"]
        for finding in decision["findings"]
    ]
    assert [message for message in shown if NAME_MISSING.search(message)] == []
    for name in ("suspended", "withdrawn", "revoked", "surrendered", "terminated"):
        if pack_id == "eu-ce":
            assert any(f" is {name} (status date: " in message for message in shown), name

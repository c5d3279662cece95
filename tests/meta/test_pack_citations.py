"""Every law that a pack cites has a well-formed id, one tag, and dates that agree with the record.

The record of law facts is not part of the repository: where the environment variable
CARNET_DOMAIN_FACTS names one, each citation is compared with it.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

PACKS = Path(__file__).parents[2] / "rules" / "packs"
PACK_FOLDERS = sorted(path.parent for path in PACKS.glob("*/*/pack.yaml"))
CITATION = re.compile(r"(EU|US|UK|KR|JP|AU|CN|INT|IFRS)-[A-Z0-9]+(-[A-Z0-9]+)*")
TAGS = {"verified_primary": "V", "secondary_source": "S", "unverified": "U"}
FACTS_PATH = os.environ.get("CARNET_DOMAIN_FACTS")


@dataclass(frozen=True)
class Cited:
    """One law fact as a pack states it."""

    pack: str
    place: str
    fact: str
    tag: str
    dates: frozenset[date]


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def cited_by(folder: Path) -> Iterator[Cited]:
    pack = f"{folder.parent.name} {folder.name}"
    for item in load(folder / "parameters.yaml")["parameters"]:
        value = item["values"][-1]
        day = value["value"] if item["kind"] == "date" else value["valid_from"]
        yield Cited(pack, item["id"], item["citation"]["fact"], item["status"], frozenset({day}))
    for item in load(folder / "law.yaml").get("law", []):
        yield Cited(pack, "law.yaml", item["id"], item["status"], frozenset())


CITED = [cited for folder in PACK_FOLDERS for cited in cited_by(folder)]


def of_record() -> dict[str, dict[str, Any]]:
    if FACTS_PATH is None:
        return {}
    record = json.loads(Path(FACTS_PATH).read_text(encoding="utf-8"))
    return {fact["id"]: fact for fact in record["facts"]}


def disagreement(cited: Cited, record: dict[str, dict[str, Any]]) -> str | None:
    """Return how a citation differs from the record of law facts, or None."""
    fact = record.get(cited.fact)
    if fact is None:
        return None if cited.tag == "U" else "not in the record, so it must be tagged U"
    if TAGS[fact["status"]] != cited.tag:
        return f"tagged {cited.tag}, the record says {TAGS[fact['status']]}"
    known = {date.fromisoformat(fact[k]) for k in ("effective_from", "effective_to") if fact[k]}
    if cited.dates and known and not cited.dates & known:
        return f"dated {sorted(map(str, cited.dates))}, the record says {sorted(map(str, known))}"
    return None


def test_packs__are_found() -> None:
    assert {folder.parent.name for folder in PACK_FOLDERS} >= {"eu-ce", "us-fcc"}
    assert len(CITED) > 30


@pytest.mark.parametrize("cited", CITED, ids=lambda cited: f"{cited.pack} {cited.place}")
def test_citation__has_a_well_formed_id(cited: Cited) -> None:
    assert CITATION.fullmatch(cited.fact), cited.fact


@pytest.mark.parametrize("folder", PACK_FOLDERS, ids=lambda folder: folder.parent.name)
def test_rule__cites_law_that_its_pack_states(folder: Path) -> None:
    stated = {cited.fact for cited in cited_by(folder)}
    for path in sorted((folder / "rules").glob("*.yaml")):
        for rule in load(path)["rules"]:
            assert rule["citation"], rule["id"]
            assert set(rule["citation"]) <= stated, rule["id"]


@pytest.mark.parametrize("folder", PACK_FOLDERS, ids=lambda folder: folder.parent.name)
def test_rule__has_a_test_that_raises_it_and_one_that_does_not(folder: Path) -> None:
    expected = [
        {f if isinstance(f, str) else f["rule"] for f in case["findings"]}
        for path in sorted((folder / "tests").glob("*.yaml"))
        for test in load(path)["tests"]
        for case in test["expect"]
    ]
    for path in sorted((folder / "rules").glob("*.yaml")):
        # What rules set and ask for is compared whole by the tests that name outputs and actions.
        for rule in [rule for rule in load(path)["rules"] if "finding" in rule]:
            raised = [rule["id"] in findings for findings in expected]
            assert any(raised), f"no test raises {rule['id']}"
            assert not all(raised), f"every test raises {rule['id']}"


def test_machinery__applies_from_the_corrected_date() -> None:
    parameters = load(PACKS / "eu-ce" / "0.1.0" / "parameters.yaml")["parameters"]
    values = next(p for p in parameters if p["id"] == "machinery_regulation_from")["values"]
    latest = max(values, key=lambda value: value["known_from"])
    assert latest["value"] == date(2027, 1, 20)
    assert min(values, key=lambda value: value["known_from"])["value"] == date(2027, 1, 14)


def test_record__agrees_with_every_citation() -> None:
    record = of_record()
    problems = {(c.pack, c.place, c.fact): disagreement(c, record) for c in CITED if record}
    assert {key: problem for key, problem in problems.items() if problem} == {}


@pytest.mark.parametrize(
    ("tag", "day", "expected"),
    [
        ("V", date(2026, 8, 1), None),
        ("S", date(2026, 8, 1), "tagged S"),
        ("V", date(2026, 8, 2), "dated"),
    ],
)
def test_disagreement__names_the_tag_and_the_date(tag: str, day: date, expected: str) -> None:
    record = {
        "EU-X": {
            "status": "verified_primary",
            "effective_from": "2026-08-01",
            "effective_to": None,
        }
    }
    found = disagreement(Cited("p", "q", "EU-X", tag, frozenset({day})), record)
    assert found is None if expected is None else str(found).startswith(expected)


def test_disagreement__refuses_a_law_of_our_own_that_is_not_tagged_unverified() -> None:
    own = Cited("p", "q", "EU-OWN", "S", frozenset())
    assert disagreement(own, {"EU-X": {}}) == "not in the record, so it must be tagged U"

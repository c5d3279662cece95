"""Every law that a pack cites has a well-formed id, one tag, and dates that agree with the record.

The record of law facts is not part of the repository: where the environment variable
CARNET_DOMAIN_FACTS names one, each statement of the newest packs is compared with it.
"""

import importlib.util
import os
import re
import sys
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKS = ROOT / "rules" / "packs"
CITATION = re.compile(r"(EU|US|UK|KR|JP|AU|CN|INT|IFRS)-[A-Z0-9]+(-[A-Z0-9]+)*")
FACTS_PATH = os.environ.get("CARNET_DOMAIN_FACTS")


def load_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("law_record", ROOT / "tools" / "law_record.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


law_record = load_tool()
load = law_record.load
Statement = law_record.Statement
PACK_FOLDERS = sorted(path.parent for path in PACKS.glob("*/*/pack.yaml"))
NEWEST = law_record.newest_folders(PACKS)
SAID = [said for folder in PACK_FOLDERS for said in law_record.statements(folder)]


def folder_name(folder: Path) -> str:
    return f"{folder.parent.name} {folder.name}"


def rules_of(folder: Path) -> list[dict[str, Any]]:
    files = sorted((folder / "rules").glob("*.yaml"))
    return [rule for path in files for rule in load(path).get("rules", [])]


def test_packs__are_found() -> None:
    assert {folder.parent.name for folder in PACK_FOLDERS} >= {
        *("eu-ce", "eu-gpsr", "us-fcc", "us-cpsc", "ip-clearance"),
    }
    assert len(SAID) > 200


def test_newest__is_by_number_and_one_a_pack() -> None:
    assert len({folder.parent for folder in NEWEST}) == len(NEWEST)
    assert PACKS / "eu-ce" / "0.1.0" not in NEWEST


@pytest.mark.parametrize("said", SAID, ids=lambda said: f"{said.pack} {said.place}")
def test_citation__has_a_well_formed_id(said: Any) -> None:
    assert said.facts
    assert all(CITATION.fullmatch(fact) for fact in said.facts), said.facts


@pytest.mark.parametrize("folder", PACK_FOLDERS, ids=folder_name)
def test_rule__cites_law_that_its_pack_states(folder: Path) -> None:
    stated = {fact for said in law_record.statements(folder) for fact in said.facts}
    for rule in rules_of(folder):
        assert rule["citation"], rule["id"]
        assert set(rule["citation"]) <= stated, rule["id"]


@pytest.mark.parametrize("folder", PACK_FOLDERS, ids=folder_name)
def test_rule__has_a_test_that_raises_it_and_one_that_does_not(folder: Path) -> None:
    expected = [
        {f if isinstance(f, str) else f["rule"] for f in case["findings"]}
        for path in sorted((folder / "tests").glob("*.yaml"))
        for test in load(path)["tests"]
        for case in test["expect"]
    ]
    for rule in rules_of(folder):
        if "finding" in rule:
            raised = [rule["id"] in findings for findings in expected]
            assert any(raised), f"no test raises {rule['id']}"
            assert not all(raised), f"every test raises {rule['id']}"


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_machinery__applies_from_the_corrected_date(version: str) -> None:
    parameters = load(PACKS / "eu-ce" / version / "parameters.yaml")["parameters"]
    values = next(p for p in parameters if p["id"] == "machinery_regulation_from")["values"]
    latest = max(values, key=lambda value: value["known_from"])
    assert latest["value"] == date(2027, 1, 20)
    assert min(values, key=lambda value: value["known_from"])["value"] == date(2027, 1, 14)


def test_record__agrees_with_every_statement_of_the_newest_packs() -> None:
    if FACTS_PATH is None:
        return
    record = law_record.read_record(Path(FACTS_PATH))
    found = {
        (said.pack, said.place): list(law_record.problems(said, record))
        for folder in NEWEST
        for said in law_record.statements(folder)
    }
    assert {key: problems for key, problems in found.items() if problems} == {}


RECORD = {
    "EU-X": {
        "status": "verified_primary",
        "effective_from": "2026-08-01",
        "effective_to": None,
        "citation": "Reg (EU) 2016/425 Annex V pt 6",
        "rule": "",
        "note": "",
    },
    "EU-Y": {
        "status": "secondary_source",
        "effective_from": None,
        "effective_to": "2027-06-30",
        "citation": "Dir (EU) 2022/2380",
        "rule": "",
        "note": "",
    },
}


@pytest.mark.parametrize(
    ("facts", "tag", "day", "text", "expected"),
    [
        (("EU-X",), "V", date(2026, 8, 1), "Regulation (EU) 2016/425 Annex V, point 6", []),
        (("EU-X",), "S", date(2026, 8, 1), "", ["tagged S, the record says V"]),
        (("EU-X", "EU-Y"), "S", date(2027, 6, 30), "", []),
        (("EU-X", "EU-Y"), "V", date(2027, 6, 30), "", ["tagged V, the record says S"]),
        (("EU-X",), "V", date(2026, 8, 2), "", ["dated 2026-08-02, the record says 2026-08-01"]),
        (
            ("EU-X",),
            "V",
            None,
            "Regulation (EU) 2016/426",
            ["names 426, which the record does not"],
        ),
        (("EU-X",), "V", None, "Article 7", ["names 7, which the record does not"]),
        (("EU-X",), "V", None, "Annex X", ["names Annex X, which the record does not"]),
        (("EU-OWN",), "S", None, "", ["not in the record, so it must be tagged U: EU-OWN"]),
        (("EU-OWN",), "U", date(2001, 1, 1), "Article 99", []),
    ],
)
def test_problems__name_what_differs(
    facts: tuple[str, ...], tag: str, day: date | None, text: str, expected: list[str]
) -> None:
    days = frozenset() if day is None else frozenset({day})
    found = list(law_record.problems(Statement("p", "q", facts, tag, days, text), RECORD))
    assert len(found) == len(expected)
    assert all(each.startswith(start) for each, start in zip(found, expected, strict=True)), found


def test_rows_of_tables__are_read_with_their_days() -> None:
    folder = PACKS / "eu-ce" / "0.2.0"
    rows = {said.place: said for said in law_record.of_tables(folder)}
    assert rows["requirements.toys_dir"].dates == {date(2011, 7, 20), date(2030, 7, 31)}
    assert rows["requirements.lvd"].tag == "U"
    assert date(2026, 12, 11) in rows["exemptions.6a"].dates
    assert len(rows["modules.red_b"].facts) == 3

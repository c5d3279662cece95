"""The sieve of bulk runs takes what the importer takes, and refuses what it refuses."""

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carnet.facts.fact import fact_from_json
from carnet.facts.intake import IntakeError, read_files
from carnet.facts.intake.limits import IntakeLimits
from carnet.facts.issue import Issue
from carnet.rules.bulk.duck import BulkDatabase, BulkLimits
from carnet.rules.bulk.loading import Loader
from carnet.rules.bulk.sources import FactFiles, facts_in
from tests.fixtures_facts import csv_text, json_facts

SMALL = BulkLimits(memory_max=256 * 1024 * 1024, threads=1)
FEW = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
MANY = IntakeLimits(issues_max=10_000)
TRICKY: list[Any] = [
    "", " ", "a ", "\u00a0a", "a\u0085b", "e\u0301", "é", "a\u200bb", "\ufeffa", "a\tb", "x" * 1025,
    "é" * 513,
    "灯", "\\", '"', "'", "a,b", ",]", "true", "false", "TRUE", "0", "-0", "00", "1", "-1",
    "+1", "1.0", "1e3", "9007199254740991", "9007199254740992", "2026-02-29", "2024-02-29",
    "2026-2-1", "1899-12-31", "2199-12-31", "2200-01-01", "2026-01-01T23:59:59Z",
    "2026-01-01T23:59:60Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00+00:00", "EU", "DE", "XX",
    "USD", "red", "de", "zh-Hans", "0598", "598", "4006381333931", "4006381333932", "40063813",
    "00000000", "5493001KJTIIGC8Y1R12", "2ANDR-ABC123", "ABC1", "ABC", "f" * 64, "F" * 64,
    "ni:///sha-256;" + "0" * 64 + "?ver=CBV2.0", "a" * 64, "a" * 65, "a/b:c-d_e.f", "None", "NULL",
    "nan", 0, 1, -1, 2**53 - 1, 2**53, 2**64, -(2**53), 36_525, 36_526, True, False, None,
    1.5, [], {},
]  # fmt: skip


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Facts of all types; some of their fields hold what is tricky, or are left out."""
    found = draw(st.lists(json_facts(), min_size=1, max_size=12))
    for place, fact in enumerate(found):
        fact["id"] = f"{place}"
        for name in draw(st.sets(st.sampled_from(sorted(fact)), max_size=2)) - {"type"}:
            fact[name] = draw(st.sampled_from(TRICKY))
        if draw(st.integers(0, 9)) == 0:
            fact.pop(draw(st.sampled_from(sorted(fact))))
    return found


def told(issues: tuple[Issue, ...]) -> list[Any]:
    return sorted(json.dumps(issue.to_json(), ensure_ascii=False) for issue in issues)


def by_importer(path: Path) -> Any:
    try:
        batch = read_files([path], MANY)
    except IntakeError as error:
        return told(error.issues)
    facts = (fact.to_json() for fact in batch.facts)
    return sorted(facts, key=lambda fact: (fact["type"], fact["id"]))


def in_bulk(path: Path) -> Any:
    with BulkDatabase(SMALL, is_small=True) as database:
        try:
            FactFiles(path).load(Loader(database))
        except IntakeError as error:
            return told(error.issues)
        return [fact.to_json() for fact in facts_in(database)]


@FEW
@given(rows())
def test_ndjson__is_taken_or_refused_as_by_the_importer(facts: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "facts.ndjson"
        lines = (json.dumps(fact, ensure_ascii=False) + "\n" for fact in facts)
        path.write_text("".join(lines), encoding="utf-8")
        assert in_bulk(path) == by_importer(path)


@FEW
@given(json_facts(), st.data())
def test_csv__is_taken_or_refused_as_by_the_importer(
    fact: dict[str, Any], data: st.DataObject
) -> None:
    header, row = csv_text([fact_from_json(fact)]).splitlines()[:2]
    cells = row.split(",")
    texts = [value for value in TRICKY if isinstance(value, str)]
    lines = [header]
    for place in range(6):
        changed = [*cells]
        at = data.draw(st.integers(0, len(cells) - 1))
        changed[at] = '"' + data.draw(st.sampled_from(texts)).replace('"', '""') + '"'
        lines.append(",".join(changed).replace(cells[0], f"{place}", 1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{fact['type']}.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        assert in_bulk(path) == by_importer(path)

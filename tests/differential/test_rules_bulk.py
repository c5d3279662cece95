"""The bulk engine decides what the reference decides, to the byte, on packs of all shapes."""

import json
import os
import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from carnet.facts.fact import Fact, fact_from_json
from carnet.facts.intake import read_files
from carnet.rules.ast import Pack
from carnet.rules.bulk import batches, running
from carnet.rules.bulk.run import open_run
from carnet.rules.bulk.sources import GivenFacts
from carnet.rules.decision import NOTHING_EARLIER, Earlier
from carnet.rules.engine import evaluate
from carnet.rules.pack import load_pack, load_shipped
from carnet.rules.shelf import SHELF, shelved_packs
from carnet.rules.testing import PackTest, read_tests, stages_of
from tests.fixtures_rules import (
    AS_OF,
    TEXT,
    certificate,
    listing,
    make_pack,
    parameter,
    product,
    rule,
)

EXAMPLES = int(os.environ.get("CARNET_DIFFERENTIAL_EXAMPLES", "60"))
BEYOND_LIVE = {"CRN-R-003", "CRN-R-012"}
VECTORS = Path(__file__).parent / "vectors"
SELLER = Path(__file__).parent.parent.parent / "examples" / "seller"
LONG = pytest.mark.timeout(300 + 6 * EXAMPLES)
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)


def published(
    pack: Pack,
    facts: list[Fact],
    engine: str,
    confirmed: frozenset[str],
    as_of: date = AS_OF,
    earlier: Earlier = NOTHING_EARLIER,
) -> str:
    document = evaluate(pack, facts, as_of, engine, confirmed, earlier).to_json()
    assert document.pop("engine") == engine
    return json.dumps(document, ensure_ascii=False, indent=1)


def assert_same(
    pack: Pack,
    facts: list[Fact],
    confirmed: frozenset[str] = frozenset(),
    as_of: date = AS_OF,
    earlier: Earlier = NOTHING_EARLIER,
) -> dict[str, Any]:
    reference = published(pack, facts, "reference", confirmed, as_of, earlier)
    assert published(pack, facts, "bulk", confirmed, as_of, earlier) == reference
    result: dict[str, Any] = json.loads(reference)
    return result


# --- shipped packs ----------------------------------------------------------------------------


def _shipped_tests() -> Iterator[tuple[str, Pack, PackTest]]:
    for shelved in shelved_packs(SHELF):
        pack = load_pack(shelved.folder)
        for test in read_tests(pack):
            assert isinstance(test, PackTest), test
            yield shelved.id, pack, test


def _staged(pack: Pack, test: PackTest, engine: str) -> str:
    document = stages_of(pack, test, engine, load_shipped).result(pack).to_json()
    assert document.pop("engine") == engine
    return json.dumps(document, ensure_ascii=False, indent=1)


def test_bulk__shipped_packs_decide_their_tests_as_the_reference() -> None:
    listed = list(_shipped_tests())
    seed = int(os.environ.get("CARNET_DIFFERENTIAL_SEED", "20261123"))
    count = min(len(listed), int(os.environ.get("CARNET_PACK_TESTS", "30")))
    print(f"seed {seed}: {count} of {len(listed)} tests of shipped packs")
    for _, pack, test in random.Random(seed).sample(listed, count):
        earlier = stages_of(pack, test, "reference", load_shipped).earlier(pack)
        assert_same(pack, list(test.facts), frozenset(test.confirmed), test.as_of, earlier)


def test_bulk__batches_of_cases_decide_what_all_cases_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "FEW", -1)
    monkeypatch.setattr(batches, "BATCH_CASES", 7)
    files = sorted(path for path in SELLER.iterdir() if path.suffix == ".csv")
    facts = list(read_files(files).facts)
    for name in ("eu-ce", "ip-clearance"):
        document = assert_same(load_shipped(name), facts)
        assert len(document["decisions"]) > 3 * batches.BATCH_CASES, "some batches are whole"


# --- what a generator hardly meets ------------------------------------------------------------


def test_bulk__too_many_combinations_are_left_to_the_reference(tmp_path: Path) -> None:
    wide = rule("wide", match=[{"a": "certificate"}, {"b": "certificate"}],
                when=["a.issued_on < b.issued_on", 'a.act == "ppe"'])  # fmt: skip
    narrow = rule("narrow", match=[{"a": "certificate"}], when=['a.kind == "test_report"'])
    pack = make_pack(tmp_path, wide, narrow)
    many = [certificate(f"K{n}", act="ppe" if n < 300 else "red") for n in range(420)]
    facts = [listing(), product(), *many]
    facts += [listing("L2", product_id="P2"), product("P2"), certificate("Z", product_id="P2")]
    document = assert_same(pack, facts)
    causes = [one["cause"]["en"] for one in document["decisions"][0]["errors"]]
    assert any("combinations of facts to try" in one for one in causes)


def test_bulk__arithmetic_beyond_the_safe_integers_is_absent(tmp_path: Path) -> None:
    measures = [
        {"name": "big", "title": TEXT, "value": "product.min_age_months * 90071992547409"},
        {"name": "sum", "title": TEXT, "function": "sum", "over": {"c": "certificate"},
         "of": "measure.big * 1"},
    ]  # fmt: skip
    rules = [rule("one", when=["measure.big > 0"]), rule("two", when=["measure.sum > 0"])]
    pack = make_pack(tmp_path, *rules, measures=measures)
    for months in (1, 99, 100, 168):
        facts = [listing(), product(min_age_months=months), certificate(), certificate("K2")]
        assert_same(pack, facts)


@pytest.mark.parametrize("confirmed", [frozenset[str](), frozenset({"days"})])
def test_bulk__a_false_line_settles_what_a_parameter_would(
    tmp_path: Path, confirmed: frozenset[str]
) -> None:
    reads = "certificate.issued_on > add_days(as_of, param.days)"
    derived = [
        {
            "fact": "certificate", "name": "late", "kind": "boolean", "title": TEXT,
            "choose": "first",
            "candidates": [
                {"value": "true", "when": ['certificate.act == "ppe"', reads]},
                {"value": "false", "when": ['certificate.act != "ppe"']},
            ],
        },
    ]  # fmt: skip
    measures = [{"name": "late", "title": TEXT, "function": "count", "over": {"c": "certificate"},
                 "when": ["c.is_verified", "c.late"]}]  # fmt: skip
    scope = [{"when": line, "reason": TEXT} for line in
             ("product.is_radio", "product.min_age_months < param.days")]  # fmt: skip
    rules = [
        rule("scoped", scope=scope, when=["product.is_toy"]),
        rule("late", match=[{"c": "certificate"}], when=["c.late"]),
        rule("counted", when=["measure.late > 0"]),
        rule("none", without=[{"c": "certificate", "when": ["c.is_verified", "c.late"]}]),
    ]
    pack = make_pack(
        tmp_path, *rules, derived=derived, measures=measures,
        parameters=[parameter("days", "integer", 30, status="U")],
    )  # fmt: skip
    for radio in (True, False):
        for act in ("ppe", "red"):
            for verified in (True, False):
                one = certificate(act=act, is_verified=verified)
                assert_same(pack, [listing(), product(is_radio=radio), one], confirmed)


@pytest.mark.parametrize("choose", ["min", "max", "first"])
def test_bulk__the_reason_is_that_of_the_first_candidate_that_decides(
    tmp_path: Path, choose: str
) -> None:
    def candidate(name: str, *when: str) -> dict[str, Any]:
        reason = {"id": name, "en": f"by {name}", "zh": f"依 {name}"}
        return {"value": f"certificate.{name}", "when": list(when), "reason": reason}

    derived = [
        {
            "fact": "certificate", "name": "day", "kind": "date", "title": TEXT, "choose": choose,
            "candidates": [
                candidate("last_tested_on", "has(certificate.last_tested_on)"),
                candidate("issued_on"),
                candidate("printed_valid_until", "has(certificate.printed_valid_until)"),
            ],
        },
    ]  # fmt: skip
    message = {"en": "{c.day} {c.day_reason}", "zh": "{c.day_reason}"}
    told = rule("told", match=[{"c": "certificate"}], when=["has(c.day)", "c.day != as_of"],
                finding={"message": message, "remedy": TEXT})  # fmt: skip
    pack = make_pack(tmp_path, told, derived=derived)
    days = [
        {},
        {"last_tested_on": "2024-01-01"},
        {"last_tested_on": "2025-01-01"},
        {"printed_valid_until": "2024-01-01"},
        {"printed_valid_until": "2026-01-01"},
    ]
    held = [certificate(f"K{n}", **one) for n, one in enumerate(days)]
    assert len(assert_same(pack, [listing(), product(), *held])["decisions"][0]["findings"]) == 5


def test_bulk__quotes_and_backslashes_survive_texts_and_values(tmp_path: Path) -> None:
    message = {"en": 'It\'s "{product.model}" \\ {product.brand}', "zh": "“{product.model}”"}
    told = rule("told", when=["has(product.brand)"], finding={"message": message, "remedy": TEXT})
    pack = make_pack(tmp_path, told)
    facts = [listing(), product(model="a\"b\\c'd%{x}", brand="引号“”")]
    document = assert_same(pack, facts)
    assert document["decisions"][0]["findings"][0]["values"]["product.model"] == "a\"b\\c'd%{x}"


def test_bulk__names_that_are_words_of_sql_are_names(tmp_path: Path) -> None:
    select = rule("select", match=[{"order": "certificate"}, {"table": "certificate"}],
                  when=["order.id != table.id", "order.kind == table.kind"])  # fmt: skip
    pack = make_pack(tmp_path, select, parameters=[parameter("group", "integer", 1)])
    document = assert_same(pack, [listing(), product(), certificate(), certificate("K2")])
    assert len(document["decisions"][0]["findings"]) == 2


def test_bulk__a_case_without_its_named_fact_is_told(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, rule(when=["product.is_radio"]))
    document = assert_same(pack, [listing(), listing("L2", product_id="P2"), product("P2")])
    assert [one["conformity"] for one in document["decisions"]] == ["undetermined", "conforming"]


def test_bulk__nothing_decides_nothing(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, rule(when=["product.is_radio"]))
    assert assert_same(pack, [])["decisions"] == []
    assert assert_same(pack, [product()])["unreached"] == [{"type": "product", "id": "P1"}]


@pytest.mark.parametrize("few", [-1, running.FEW])
def test_bulk__matches_are_what_findings_are_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(running, "FEW", few)
    both = [{"a": "certificate"}, {"b": "certificate"}]
    two = rule("two", match=both, when=["a.kind == b.kind", "a.id != b.id"])
    none = rule("none", without=[{"c": "certificate", "when": ["c.is_verified"]}])
    pack = make_pack(tmp_path, two, none)
    facts = [listing(), product(), certificate(), certificate("K2"), listing("L2"), listing("L3")]
    expected = {
        (decision.case[1], finding.rule, finding.facts)
        for decision in evaluate(pack, facts, AS_OF, "reference").decisions
        for finding in decision.findings
    }
    with open_run(pack, GivenFacts(tuple(facts)), AS_OF) as results:
        rows = results.matches().to_pylist()
    found = [
        (row["case_id"], row["rule"], tuple((one["type"], one["id"]) for one in row["facts"]))
        for row in rows
    ]
    assert set(rows[0]) == {"case_id", "rule", "facts"}, "no texts"
    assert set(found) == expected
    assert {rule for _, rule, _ in found} >= {"two"}


# --- what was once wrong ----------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(VECTORS.glob("bulk-*.json")), ids=lambda path: path.stem)
def test_bulk__what_once_differed_agrees(path: Path, tmp_path: Path) -> None:
    vector = json.loads(path.read_text(encoding="utf-8"))
    pack = make_pack(tmp_path, *vector["rules"], **vector["pack"])
    facts = [fact_from_json(one) for one in vector["facts"]]
    assert_same(pack, facts, frozenset(vector["confirmed"]))

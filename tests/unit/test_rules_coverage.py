"""Tests that packs carry: what they may expect, and what coverage says they leave untried."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from carnet.cli.main import app
from carnet.rules.check.places import Material
from carnet.rules.coverage import Coverage, coverage_of
from carnet.rules.pack import load_pack, read_documents
from carnet.rules.shelf import SHELF, shelved_packs
from carnet.rules.testing import run_tests
from tests.fixtures_rules import (
    AS_OF,
    certificate,
    listing,
    parameter,
    product,
    rule,
    spell,
    write_pack,
)

SAID = {
    "message": {"en": "{c.id} has {c.number}", "zh": "{c.id} 编号 {c.number}"},
    "remedy": {"en": "remedy", "zh": "处理"},
}
RULE = rule(match=[{"c": "certificate"}], when=['c.kind == "eu_doc"'], finding=SAID)


def _test(*facts: Any, name: str = "test", **expect: Any) -> dict[str, Any]:
    given = [listing().to_json(), product().to_json(), *(fact.to_json() for fact in facts)]
    expected = {"case": "L1", "conformity": "conforming"} | expect
    return {"id": name, "as_of": AS_OF, "facts": given, "expect": [expected]}


def _write(folder: Path, rules: list[dict[str, Any]], *tests: dict[str, Any], **more: Any) -> Path:
    write_pack(folder, *rules, **more)
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / "all.yaml").write_text(spell({"tests": list(tests)}), encoding="utf-8")
    return folder


def _differences(folder: Path) -> list[tuple[str, str, str]]:
    (result,) = run_tests(load_pack(folder))
    assert result.error is None, result.error
    return [(one.what, one.expected, one.actual) for one in result.differences]


def _coverage(folder: Path) -> Coverage:
    return coverage_of(Material(load_pack(folder), read_documents(folder)))


def _missing(folder: Path) -> list[str]:
    return [one.what.en for one in _coverage(folder).missing]


# --- expectations ----------------------------------------------------------------------------

FOUND = certificate(number="7")


def _expecting(**finding: Any) -> dict[str, Any]:
    wanted = {"rule": "rule-1", **finding}
    return _test(FOUND, conformity="nonconforming", findings=[wanted])


@pytest.mark.parametrize(
    ("finding", "difference"),
    [
        ({"message": {"en": "K1 has 7", "zh": "K1 编号 7"}}, None),
        ({"message": {"zh": "K1 编号 7"}}, None),
        ({"message": {"en": "K1 has 8"}}, ("message of rule-1 (en)", "K1 has 8", "K1 has 7")),
        ({"values": {"c.number": "7", "c.kind": "eu_doc"}}, None),
        ({"values": {"c.number": 7}}, ("c.number of rule-1", "7", "'7'")),
        ({"values": {"c.act": "red"}}, ("c.act of rule-1", "'red'", "None")),
        ({"facts": ["certificate/K2"]},
         ("findings", "rule-1 (certificate/K2)", "rule-1 (certificate/K1, listing/L1)")),
    ],
)  # fmt: skip
def test_expectation__finding_says_and_holds(
    tmp_path: Path, finding: dict[str, Any], difference: tuple[str, str, str] | None
) -> None:
    folder = _write(tmp_path, [RULE], _expecting(**finding))
    assert _differences(folder) == ([difference] if difference else [])


def test_expectation__true_is_not_one(tmp_path: Path) -> None:
    verified = RULE | {"when": ["c.is_verified"]}
    wanted = {"rule": "rule-1", "values": {"c.is_verified": 1}}
    test = _test(FOUND, conformity="nonconforming", findings=[wanted])
    folder = _write(tmp_path, [verified], test)
    assert _differences(folder) == [("c.is_verified of rule-1", "1", "True")]


def test_expectation__what_asks_most_takes_its_finding_first(tmp_path: Path) -> None:
    facts = (certificate("K1", number="1"), certificate("K2", number="2"))
    findings = ["rule-1", {"rule": "rule-1", "message": {"en": "K1 has 1"}}]
    test = _test(*facts, conformity="nonconforming", findings=findings)
    assert _differences(_write(tmp_path, [RULE], test)) == []


def test_expectation__measures_outputs_and_actions(tmp_path: Path) -> None:
    title = {"en": "title", "zh": "标题"}
    acting = rule("acts", when=["!product.is_radio"], action="hold_listing")
    setting = rule("sets", when=["!product.is_radio"], set={"step": 5})
    for one in (acting, setting):
        del one["finding"], one["severity"]
    measures = [{"name": "held", "title": title, "function": "count", "over": {"c": "certificate"}}]
    outputs = [{"name": "step", "title": title, "combination": "unique"}]
    more = {"measures": measures, "outputs": outputs}
    right = {"measures": {"held": 1}, "outputs": {"step": 5}, "actions": ["hold_listing"]}
    wrong = {"measures": {"held": 2}, "outputs": {},
             "actions": [{"rule": "other", "action": "hold_listing"}]}  # fmt: skip
    named: dict[str, Any] = {"actions": [{"rule": "acts", "action": "hold_listing"}]}
    missed = [
        ("measures", "held: 2", "held: 1"),
        ("outputs", "-", "step: 5"),
        ("actions", "other: hold_listing", "acts: hold_listing"),
    ]
    cases: list[tuple[dict[str, Any], list[tuple[str, str, str]]]] = [
        (right, []),
        (named, []),
        (wrong, missed),
    ]
    for expect, differences in cases:
        folder = _write(tmp_path, [acting, setting], _test(certificate(), **expect), **more)
        assert _differences(folder) == differences


# --- coverage --------------------------------------------------------------------------------


def test_coverage__nothing_tested_is_nothing_covered(tmp_path: Path) -> None:
    found = _coverage(write_pack(tmp_path, RULE))
    assert (found.rules, found.rules_all, found.conditions) == (0, 1, 0)
    assert found.conditions_all == 2
    assert not found.reaches(1)


def test_coverage__rule_must_raise_and_be_clear(tmp_path: Path) -> None:
    raised = _test(FOUND, conformity="nonconforming", findings=["rule-1"])
    assert _missing(_write(tmp_path / "a", [RULE], raised)) == [
        "rule-1 is never clear",
        'rule-1: c.kind == "eu_doc" is never false',
    ]
    other = _test(certificate(kind="qa_cert"), name="other")
    both = _coverage(_write(tmp_path / "b", [RULE], raised, other))
    assert (both.rules_bps, both.conditions_bps, both.missing) == (10_000, 10_000, ())


def test_coverage__scope_counts_as_not_applicable(tmp_path: Path) -> None:
    reason = {"en": "no radio", "zh": "无"}
    scoped = RULE | {"scope": [{"when": "product.is_radio", "reason": reason}]}
    missing = _missing(_write(tmp_path, [scoped], _test(FOUND)))
    assert "rule-1 is never clear" not in missing
    assert "rule-1: product.is_radio is never true" in missing
    assert "rule-1: product.is_radio is never false" not in missing
    assert 'rule-1: c.kind == "eu_doc" is never true' in missing, "lines behind are not asked"


def test_coverage__lines_behind_a_false_one_are_not_tried(tmp_path: Path) -> None:
    lines = ['c.kind == "eu_doc"', 'c.number == "7"']
    other = _test(certificate(kind="qa_cert", number="7"))
    missing = _missing(_write(tmp_path, [RULE | {"when": lines}], other))
    assert 'rule-1: c.number == "7" is never true' in missing


def test_coverage__each_alternative_counts(tmp_path: Path) -> None:
    line = 'c.number == "7" || c.kind == "eu_doc"'
    raised = _test(FOUND, conformity="nonconforming", findings=["rule-1"])
    missing = _missing(_write(tmp_path, [RULE | {"when": [line]}], raised))
    assert [one for one in missing if "[" in one] == [
        f"rule-1: {line} [1] is never false",
        f"rule-1: {line} [2] is never false",
    ]


def test_coverage__block_must_find_and_miss(tmp_path: Path) -> None:
    block = {"n": "certificate", "when": ['n.kind == "qa_cert"']}
    with_block = RULE | {"without": [block]}
    raised = _test(FOUND, conformity="nonconforming", findings=["rule-1"])
    missing = _missing(_write(tmp_path / "a", [with_block], raised))
    assert "rule-1: without n: certificate never finds a fact" in missing
    held = _test(FOUND, certificate("K2", kind="qa_cert"), name="held")
    assert not [
        one for one in _missing(_write(tmp_path / "b", [with_block], raised, held)) if "n:" in one
    ]


def test_coverage__candidate_must_decide(tmp_path: Path) -> None:
    field = {"fact": "certificate", "name": "rank", "kind": "integer",
             "title": {"en": "rank", "zh": "级"}}  # fmt: skip
    candidates = [{"value": "1", "when": ["certificate.is_verified"]}, {"value": "2"}]
    derived = [{**field, "choose": "first", "candidates": candidates}]
    ranked = rule(match=[{"c": "certificate"}], when=["c.rank > 1"])
    missing = _missing(_write(tmp_path, [ranked], _test(certificate()), derived=derived))
    assert "rank: candidate 2 never decides" in missing
    assert "rank: candidate 1 never decides" not in missing


def test_coverage__what_no_day_of_the_window_allows_is_not_asked(tmp_path: Path) -> None:
    first = parameter("first", "date", AS_OF.replace(year=2001))
    dated = RULE | {"when": ["as_of >= param.first", 'c.kind == "eu_doc"']}
    raised = _test(FOUND, conformity="nonconforming", findings=["rule-1"])
    missing = _missing(_write(tmp_path, [dated], raised, parameters=[first]))
    assert not [one for one in missing if "as_of" in one]


def test_coverage__row_of_a_table_must_hit(tmp_path: Path) -> None:
    rows = (
        "hit_policy,U\ntitle_en,Tier\ntitle_zh,档位\nkind,in,out\nname,kind,step\n"
        "type,string,integer\nvalue,product.category,\nr1,earphones,1\nr2,toy,2\n"
    )
    looked = rule("looks", when=["lookup(tier.step) > 1"])
    folder = _write(tmp_path, [looked], _test())
    (folder / "tables").mkdir()
    (folder / "tables" / "tier.csv").write_text(rows, encoding="utf-8")
    missing = _missing(folder)
    assert "tier: r2 never hits" in missing
    assert "tier: r1 never hits" not in missing


# --- the command -----------------------------------------------------------------------------


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["pack", "test", *arguments])
    return result.exit_code, result.stdout


def test_command__fails_under_what_is_asked(tmp_path: Path) -> None:
    raised = _test(FOUND, conformity="nonconforming", findings=["rule-1"])
    folder = str(_write(tmp_path, [RULE], raised))
    assert _run(folder)[0] == 0
    assert _run(folder, "--coverage")[0] == 0
    code, output = _run(folder, "--coverage", "--fail-under", "51")
    assert code == 1
    assert "conditions 1 of 2 (50.00 %)" in output
    assert "rules/all.yaml:1  rule-1 is never clear" in output
    document = json.loads(_run(folder, "--coverage", "--format", "json")[1])
    assert document["packs"][0]["coverage"]["conditions"] == {"covered": 1, "all": 2, "bps": 5000}


def test_command__junit_holds_expected_beside_actual(tmp_path: Path) -> None:
    wrong = _test(FOUND, name="wrong", conformity="conforming", findings=[])
    right = _test(name="right")
    code, output = _run(str(_write(tmp_path, [RULE], wrong, right)), "--format", "junit")
    suite = ET.fromstring(output).find("testsuite")
    assert code == 1
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    told = suite.find("testcase/failure")
    assert told is not None
    assert "expected  conforming" in str(told.text)
    assert "actual    nonconforming" in str(told.text)


def test_shipped__packs_are_covered() -> None:
    for pack in shelved_packs(SHELF):
        assert _coverage(pack.folder).reaches(100), pack.folder

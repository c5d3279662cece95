"""Decision tables in packs: lookups, rows as facts, what is unknown and who confirms it."""

from pathlib import Path
from typing import Any

from carnet.rules.engine import evaluate
from carnet.rules.explain import explain_cases
from tests.fixtures_rules import AS_OF, TEXT, certificate, listing, parameter, product, rule
from tests.fixtures_tables import table_pack, table_text

_GRADES = table_text(
    "U",
    "in months integer,in category string,out grade string,out step integer,citation,status",
    "r1,[0..36),toy,A,5,LAW-2,V",
    'r2,>= 36,"toy, helmet",B,,,V',
    "r3,-,charger,B,7,,U",
    extra=("value,product.min_age_months,product.category",),
)
_NEEDS = table_text(
    "C",
    "in category string,in radio boolean,in months integer,out kind string,citation,status",
    "doc,toy,-,-,eu_doc,LAW-2,V",
    "radio,-,true,-,test_report,,V",
    "age,toy,-,>= 36,instructions,,V",
    "open,helmet,-,-,cpc,,U",
    extra=("value,product.category,product.is_radio,product.min_age_months",),
)
_MISSING = rule(
    "missing",
    match=[{"n": "needs"}],
    when=['n.kind != "cpc" || as_of > date("2000-01-01")'],
    without=[{"c": "certificate", "when": ["c.kind == n.kind"]}],
    finding={"message": {"en": "{n.kind} lacks", "zh": "缺少 {n.kind}"}, "remedy": TEXT},
)


def _decide(folder: Path, facts: list[Any], *rules: Any, **changes: Any) -> Any:
    confirmed = frozenset(changes.pop("confirmed", ()))
    changes.setdefault("parameters", [parameter("p", "integer", 1)])
    tables = {"grades.csv": _GRADES, "needs.csv": _NEEDS} | changes.pop("tables", {})
    pack = table_pack(folder, tables, *rules, **changes)
    documents = [
        evaluate(pack, facts, AS_OF, engine, confirmed).to_json()
        for engine in ("reference", "live")
    ]
    assert documents[0]["decisions"] == documents[1]["decisions"]
    return documents[0]["decisions"][0]


def _rules_of(decision: Any) -> list[tuple[str, list[str]]]:
    return [
        (one["rule"], [f"{fact['type']}/{fact['id']}" for fact in one["facts"]])
        for one in decision["findings"]
    ]


def test_match__takes_the_rows_that_hit_as_facts_and_cites_them(tmp_path: Path) -> None:
    facts = [listing(), product(category="toy", is_radio=True, min_age_months=3), certificate()]
    decision = _decide(tmp_path, facts, _MISSING)
    assert _rules_of(decision) == [("missing", ["listing/L1", "needs/radio"])]
    assert decision["findings"][0]["message"]["en"] == "test_report lacks"
    facts[1] = product(category="toy", min_age_months=3)
    decision = _decide(tmp_path, facts[:2], _MISSING)
    assert _rules_of(decision) == [("missing", ["listing/L1", "needs/doc"])]
    assert decision["findings"][0]["citation"] == ["LAW-1", "LAW-2"]


def test_match__row_that_may_hit_hides_no_finding_of_those_that_do(tmp_path: Path) -> None:
    facts = [listing(), product(category="toy")]
    decision = _decide(tmp_path, facts, _MISSING)
    assert _rules_of(decision) == [("missing", ["listing/L1", "needs/doc"])]
    assert [error["cause"]["en"] for error in decision["errors"]] == [
        "product/P1.min_age_months is absent."
    ]
    assert decision["conformity"] == "nonconforming"


def test_explanation__shows_a_row_that_may_hit_as_what_decides(tmp_path: Path) -> None:
    tables = {"grades.csv": _GRADES, "needs.csv": _NEEDS}
    other = rule("none", without=[{"n": "needs", "when": ['n.kind == "instructions"']}])
    pack = table_pack(tmp_path, tables, _MISSING, other, parameters=[parameter("p", "integer", 1)])
    (told,) = explain_cases(pack, [listing(), product(category="toy")], AS_OF)
    missing, none = told["rules"]
    outcomes = {one["facts"][0]["id"]: one["outcome"] for one in missing["choices"]}
    assert outcomes == {"age": "undetermined", "doc": "finding"}
    line = missing["choices"][0]["lines"][0]
    assert (line["text"], line["decides"]) == ("n: needs/age", True)
    assert line["cause"]["en"] == "product/P1.min_age_months is absent."
    assert none["choices"][0]["outcome"] == "undetermined"
    assert none["choices"][0]["without"][0]["facts"][0]["lines"][0]["text"] == "n: needs/age"


def test_match__unverified_row_leaves_the_case_undetermined_until_confirmed(tmp_path: Path) -> None:
    facts = [listing(), product(category="helmet", min_age_months=1)]
    decision = _decide(tmp_path, facts, _MISSING)
    assert decision["conformity"] == "undetermined"
    assert "row open" in decision["errors"][0]["cause"]["en"]
    decision = _decide(tmp_path, facts, _MISSING, confirmed=["needs.open"])
    assert _rules_of(decision) == [("missing", ["listing/L1", "needs/open"])]
    assert decision["officer_confirmed"] == ["needs.open"]
    facts[1] = product(category="charger", min_age_months=1)
    assert _decide(tmp_path, facts, _MISSING, confirmed=["needs.open"])["officer_confirmed"] == []


def test_match__row_that_other_lines_exclude_is_not_rested_on(tmp_path: Path) -> None:
    facts = [listing(), product(category="helmet", min_age_months=1)]
    one = rule("other", match=[{"n": "needs"}], when=['n.kind != "cpc"'])
    decision = _decide(tmp_path, facts, one, confirmed=["needs.open"])
    assert (decision["conformity"], decision["officer_confirmed"]) == ("conforming", [])
    assert _decide(tmp_path, facts, one)["errors"] == []


def test_match__conflict_of_rows_makes_every_rule_that_reads_them_undetermined(
    tmp_path: Path,
) -> None:
    double = _GRADES.replace('r2,>= 36,"toy, helmet"', 'r2,>= 0,"toy, helmet"')
    rules = [
        rule("matches", match=[{"g": "grades"}], when=['g.grade == "A"']),
        rule("lacks", without=[{"g": "grades", "when": ['g.grade == "A"']}]),
        rule("counts", when=["measure.hits > 5"]),
        rule("other", when=["product.is_toy"]),
    ]
    measure = {"name": "hits", "title": TEXT, "function": "count", "over": {"g": "grades"}}
    facts = [listing(), product(category="toy", min_age_months=3)]
    decision = _decide(tmp_path, facts, *rules, measures=[measure], tables={"grades.csv": double})
    assert [error["rule"] for error in decision["errors"]] == ["counts", "lacks", "matches"]
    assert {error["cause"]["en"] for error in decision["errors"]} == {
        "The rows r1 and r2 of the table grades (hit policy U) both hit, but only one may."
    }
    assert decision["measures"] == {}


def test_lookup__in_lines_measures_scope_and_lists(tmp_path: Path) -> None:
    rules = [
        rule("own", when=["lookup(grades.step) == 5"]),
        rule("given", match=[{"c": "certificate"}],
             when=['"B" == lookup(grades.grade, 40, product.category)',
                   "c.kind in lookup(needs.kind)"]),
        rule("none", when=['lookup(grades.grade, 40, "x") == "A"']),
        rule("scoped", scope=[{"when": 'lookup(grades.grade) == "A"', "reason": TEXT}],
             when=["measure.step > 9"]),
        rule("skipped", scope=[{"when": 'lookup(grades.grade) == "B"', "reason": TEXT}],
             when=["measure.step > 9"]),
    ]  # fmt: skip
    measure = {"name": "step", "title": TEXT, "value": "lookup(grades.step) * 2"}
    facts = [listing(), product(category="toy", min_age_months=3), certificate()]
    decision = _decide(tmp_path, facts, *rules, measures=[measure])
    assert [name for name, _ in _rules_of(decision)] == ["given", "own", "scoped"]
    assert decision["measures"] == {"step": 10}
    assert [one["rule"] for one in decision["not_applicable"]] == ["skipped"]
    assert decision["errors"] == [
        {
            "rule": "none",
            "cause": {
                "en": "No row of the table grades holds for months = 40, category = x.",
                "zh": "决策表 grades 没有适用于 months = 40, category = x 的行。",
            },
        }
    ]
    values = {one["rule"]: one["values"] for one in decision["findings"]}
    assert values["given"] == {
        "c.kind": "eu_doc",
        "lookup(grades.grade, 40, product.category)": "B",
        "lookup(needs.kind, product.category, product.is_radio, product.min_age_months)": "eu_doc",
        "product.category": "toy",
        "product.is_radio": False,
        "product.min_age_months": 3,
    }


def test_lookup__of_an_unverified_row_is_confirmed_by_its_name(tmp_path: Path) -> None:
    one = rule("charged", when=["lookup(grades.step) == 7"])
    facts = [listing(), product(category="charger", min_age_months=3)]
    decision = _decide(tmp_path, facts, one)
    assert decision["conformity"] == "undetermined"
    decision = _decide(tmp_path, facts, one, confirmed=["grades.r3"])
    assert [name for name, _ in _rules_of(decision)] == ["charged"]
    assert decision["officer_confirmed"] == ["grades.r3"]
    facts[1] = product(category="toy", min_age_months=3)
    assert _decide(tmp_path, facts, one, confirmed=["grades.r3"])["officer_confirmed"] == []


def test_aggregation__over_rows_that_hit(tmp_path: Path) -> None:
    measure = {
        "name": "docs", "title": TEXT, "function": "count", "over": {"n": "needs"},
        "when": ['n.kind != "test_report"'],
    }  # fmt: skip
    one = rule("many", when=["measure.docs >= 2"])
    facts = [listing(), product(category="toy", is_radio=True, min_age_months=36)]
    decision = _decide(tmp_path, facts, one, measures=[measure])
    assert decision["measures"] == {"docs": 2}
    decision = _decide(tmp_path, [listing(), product(category="toy")], one, measures=[measure])
    assert decision["measures"] == {}
    assert decision["conformity"] == "undetermined"


def test_table__reads_measures_parameters_and_other_tables(tmp_path: Path) -> None:
    outer = table_text(
        "F",
        "in step integer,in day date,in n integer,out verdict string",
        "late,-,>= 2026-11-01,-,late",
        "high,>= 5,-,> 1,high",
        "rest,-,-,-,rest",
        extra=("value,lookup(grades.step),as_of,measure.n + param.p",),
    )
    measure = {"name": "n", "title": TEXT, "function": "count", "over": {"c": "certificate"}}
    one = rule("late", match=[{"o": "outer"}], when=['o.verdict == "late"'])
    facts = [listing(), product(category="toy", min_age_months=3)]
    decision = _decide(
        tmp_path, facts, one, measures=[measure], parameters=[parameter("p", "integer", 1)],
        tables={"outer.csv": outer},
    )  # fmt: skip
    assert _rules_of(decision) == [("late", ["listing/L1", "outer/late"])]

"""What rules mean, in both engines."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from carnet.core.errors import InputError
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.decision import Decision, EvaluationResult
from carnet.rules.engine import evaluate
from carnet.rules.explain import explain_cases
from carnet.rules.functions import apply
from carnet.rules.pack import load_pack
from tests.fixtures_rules import AS_OF, certificate, listing, make_pack, parameter, product, rule

CERTIFICATES = [{"c": "certificate"}]
ENDED = ["c.printed_valid_until < as_of"]


def _both(pack: Pack, facts: list[Fact], confirmed: set[str] = set()) -> EvaluationResult:  # noqa: B006  # never changed
    given = frozenset(confirmed)
    reference = evaluate(pack, facts, AS_OF, "reference", given)
    live = evaluate(pack, facts, AS_OF, "live", given)
    assert live.to_json() | {"engine": "reference"} == reference.to_json()
    return reference


def _one(pack: Pack, facts: list[Fact], confirmed: set[str] = set()) -> Decision:  # noqa: B006  # never changed
    (decision,) = _both(pack, facts, confirmed).decisions
    return decision


def _rules(decision: Decision) -> list[str]:
    return [finding.rule for finding in decision.findings]


# --- absent is not false ----------------------------------------------------------------------


def test_absent__makes_the_case_undetermined_with_its_cause(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, rule(match=CERTIFICATES, when=ENDED))
    decision = _one(pack, [listing(), product(), certificate()])
    assert decision.conformity == "undetermined"
    assert "certificate/K1.printed_valid_until is absent" in decision.errors[0].cause.en


def test_absent__guarded_by_has_is_clear(tmp_path: Path) -> None:
    lines = ["has(c.printed_valid_until)", *ENDED]
    pack = make_pack(tmp_path, rule(match=CERTIFICATES, when=lines))
    assert _one(pack, [listing(), product(), certificate()]).conformity == "conforming"


def test_absent__does_not_matter_where_another_line_is_false(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, rule(match=CERTIFICATES, when=[*ENDED, 'c.kind == "test_report"']))
    assert _one(pack, [listing(), product(), certificate()]).conformity == "conforming"


@pytest.mark.parametrize("line", ["< 0", "<= 0", "> 500", ">= 500", "== 7", "!= 0"])
@pytest.mark.parametrize("side", ["own", "joined"])
def test_absent__could_be_any_value(tmp_path: Path, line: str, side: str) -> None:
    operator, number = line.split()
    counted = {
        "name": "number", "title": {"en": "a", "zh": "甲"}, "function": "count",
        "over": {"c": "certificate"}, "when": ["c.is_verified"],
    }  # fmt: skip
    other = number if side == "own" else f"measure.number + {number}"
    pack = make_pack(
        tmp_path,
        rule(when=[f"product.min_age_months {operator} {other}"]),
        rule(
            "rule-2", match=CERTIFICATES,
            when=[f"c.product.min_age_months {operator} {other}"],
        ),
        measures=[counted],
    )  # fmt: skip
    decision = _one(pack, [listing(), product(), certificate(is_verified=False)])
    assert [error.rule for error in decision.errors] == ["rule-1", "rule-2"]


@pytest.mark.parametrize("tested", ["2026-01-01", "2026-01-02", "2026-01-03"])
def test_block__forbids_what_differs_either_way(tmp_path: Path, tested: str) -> None:
    block = {"c": "certificate", "when": ["c.last_tested_on != listing.placed_on"]}
    pack = make_pack(tmp_path, rule(without=[block]))
    facts = [listing(placed_on="2026-01-02"), product(), certificate(last_tested_on=tested)]
    assert bool(_one(pack, facts).findings) == (tested == "2026-01-02")


def test_absent__in_a_block_is_undetermined_unless_another_fact_decides(tmp_path: Path) -> None:
    block = {"c": "certificate", "when": ["c.printed_valid_until >= as_of"]}
    pack = make_pack(tmp_path, rule(scope=[], without=[block]))
    without_date = certificate("K1")
    current = certificate("K2", printed_valid_until="2027-01-01")
    assert _one(pack, [listing(), product(), without_date]).conformity == "undetermined"
    assert _one(pack, [listing(), product(), without_date, current]).conformity == "conforming"
    assert _one(pack, [listing(), product()]).conformity == "nonconforming"


def test_absent__in_the_scope_is_undetermined(tmp_path: Path) -> None:
    scope = [{"when": "listing.has_picture", "reason": {"en": "no", "zh": "否"}}]
    pack = make_pack(tmp_path, rule(scope=scope, when=["product.is_radio"]))
    assert _one(pack, [listing(), product()]).conformity == "undetermined"
    decision = _one(pack, [listing(has_picture=False), product()])
    assert [one.rule for one in decision.not_applicable] == ["rule-1"]
    assert decision.conformity == "conforming"


def test_finding__outweighs_what_is_undetermined(tmp_path: Path) -> None:
    sure = rule("sure", when=["!product.is_radio"])
    pack = make_pack(tmp_path, sure, rule("open", match=CERTIFICATES, when=ENDED))
    decision = _one(pack, [listing(), product(), certificate()])
    assert (decision.conformity, len(decision.errors)) == ("nonconforming", 1)


@pytest.mark.parametrize(
    ("severity", "conformity"),
    [
        ("blocking", "nonconforming"),
        ("major", "nonconforming"),
        ("minor", "conforming"),
        ("info", "conforming"),
    ],
)
def test_severity__decides_what_a_finding_costs(
    tmp_path: Path, severity: str, conformity: str
) -> None:
    pack = make_pack(tmp_path, rule(severity=severity, when=["!product.is_radio"]))
    decision = _one(pack, [listing(), product()])
    assert (decision.conformity, _rules(decision)) == (conformity, ["rule-1"])


# --- facts and cases --------------------------------------------------------------------------


def test_case__unreached_facts_are_named(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, rule(when=["product.is_radio"]))
    stray = certificate("K9", product_id="P9")
    result = _both(pack, [listing(), product(), stray, product("P2")])
    assert result.unreached == (("certificate", "K9"), ("product", "P2"))


def test_case__dangling_name_is_undetermined_as_a_whole(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, rule(when=["product.is_radio"]))
    decision = _one(pack, [listing()])
    assert decision.conformity == "undetermined"
    assert "product/P1" in decision.errors[0].cause.en


def test_case__excluded_by_the_pack_is_unreached(tmp_path: Path) -> None:
    case = {
        "type": "listing", "alias": "listing", "when": ['listing.market == "EU"'],
        "with": {"product": "listing.product_id"},
    }  # fmt: skip
    pack = make_pack(tmp_path, rule(when=["product.is_radio"]), case=case)
    result = _both(pack, [listing("L1", market="US"), product()])
    assert not result.decisions
    assert result.unreached == (("listing", "L1"), ("product", "P1"))


def test_match__never_binds_one_fact_twice(tmp_path: Path) -> None:
    pair = rule(match=[{"a": "certificate"}, {"b": "certificate"}], when=["a.act == b.act"])
    pack = make_pack(tmp_path, pair)
    assert not _one(pack, [listing(), product(), certificate()]).findings
    two = [listing(), product(), certificate("K1"), certificate("K2")]
    assert len(_one(pack, two).findings) == 2


def test_block__looks_for_a_further_fact(tmp_path: Path) -> None:
    newer = {"d": "certificate", "when": ["d.issued_on >= c.issued_on"]}
    pack = make_pack(tmp_path, rule(match=CERTIFICATES, without=[newer]))
    facts = [listing(), product(), certificate("K1"), certificate("K2", issued_on="2025-01-01")]
    (finding,) = _one(pack, facts).findings
    assert ("certificate", "K2") in finding.facts


# --- parameters -------------------------------------------------------------------------------


def test_unverified__holds_back_until_confirmed(tmp_path: Path) -> None:
    cap = parameter("cap", "integer", 1, status="U")
    lines = ["add_years(c.issued_on, param.cap) < as_of"]
    pack = make_pack(tmp_path, rule(match=CERTIFICATES, when=lines), parameters=[cap])
    facts = [listing(), product(), certificate()]
    decision = _one(pack, facts)
    assert (decision.conformity, decision.officer_confirmed) == ("undetermined", ())
    assert "cap" in decision.errors[0].cause.en
    confirmed = _one(pack, facts, {"cap"})
    assert (confirmed.conformity, confirmed.officer_confirmed) == ("nonconforming", ("cap",))


def test_unverified__touches_only_what_rests_on_it(tmp_path: Path) -> None:
    cap = parameter("cap", "integer", 1, status="U")
    ends = {
        "fact": "certificate", "name": "ends", "kind": "date",
        "title": {"en": "a", "zh": "甲"}, "choose": "min",
        "candidates": [
            {"value": "add_years(c, param.cap)".replace("(c,", "(certificate.issued_on,"),
             "when": ['certificate.act == "ppe"']},
        ],
    }  # fmt: skip
    pack = make_pack(
        tmp_path,
        rule(match=CERTIFICATES, when=["has(c.ends)", "c.ends < as_of"]),
        parameters=[cap],
        derived=[ends],
    )
    assert _one(pack, [listing(), product(), certificate()]).conformity == "conforming"
    decision = _one(pack, [listing(), product(), certificate(act="ppe")])
    assert decision.conformity == "undetermined"


def test_unverified__blocks_that_share_an_alias_are_kept_apart(tmp_path: Path) -> None:
    ends = {
        "fact": "certificate", "name": "ends", "kind": "date",
        "title": {"en": "a", "zh": "甲"},
        "value": "add_years(certificate.issued_on, param.cap)",
    }  # fmt: skip
    blocks = [
        {"n": "certificate", "when": ["n.ends > as_of"]},
        {"n": "product", "when": ["n.is_radio"]},
    ]
    cap = parameter("cap", "integer", 1, status="U")
    pack = make_pack(tmp_path, rule(without=blocks), parameters=[cap], derived=[ends])
    facts = [listing(), product(), certificate()]
    assert _one(pack, facts).conformity == "undetermined"
    assert _one(pack, facts, {"cap"}).conformity == "nonconforming"


@pytest.mark.parametrize(
    ("as_of", "value"),
    [
        (date(2025, 12, 31), None),
        (date(2026, 1, 1), 14),
        (date(2026, 6, 30), 14),
        (date(2026, 7, 1), 20),
        (date(2027, 12, 31), 20),
        (date(2028, 1, 1), None),
    ],
)
def test_parameter__is_known_only_from_its_publication(
    tmp_path: Path, as_of: date, value: int | None
) -> None:
    dated = parameter("day", "integer", 14)
    law = {"valid_from": date(2026, 1, 1), "valid_to": date(2027, 12, 31)}
    dated["values"] = [
        {"value": 14, **law, "known_from": date(2023, 6, 1)},
        {"value": 20, **law, "known_from": date(2026, 7, 1)},
    ]
    measure = {"name": "day", "title": {"en": "a", "zh": "甲"}, "value": "param.day"}
    pack = make_pack(
        tmp_path, rule(when=["measure.day > 100"]), parameters=[dated], measures=[measure]
    )
    (decision,) = evaluate(pack, [listing(), product()], as_of, "live").decisions
    assert decision.measures.get("day") == value
    assert decision.conformity == ("undetermined" if value is None else "conforming")


# --- arithmetic -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        ("div_down", (-7, 2), -4),
        ("div_up", (-7, 2), -3),
        ("div_up", (7, 2), 4),
        ("div_down", (1, 0), None),
        ("ratio_bps_down", (1, 3), 3333),
        ("ratio_bps_up", (1, 3), 3334),
        ("wilson_lower_bps", (95, 100), 8882),
        ("wilson_lower_bps", (0, 10), 0),
        ("wilson_lower_bps", (1, 0), None),
        ("wilson_lower_bps", (11, 10), None),
        ("*", (2**52, 4), None),
        ("+", (2**53 - 1, 1), None),
        ("-", (5, 7), -2),
        ("add_years", (date(2024, 2, 29), 5), date(2029, 2, 28)),
        ("add_months", (date(2026, 8, 31), -6), date(2026, 2, 28)),
        ("add_years", (date(9999, 1, 1), 5), None),
        ("add_days", (date(2026, 1, 1), 10**12), None),
        ("days_between", (date(2026, 1, 2), date(2026, 1, 1)), -1),
    ],
)
def test_function__value(function: str, arguments: tuple[Any, ...], expected: object) -> None:
    assert apply(function, arguments) == expected


def test_measure__divided_by_zero_is_undetermined(tmp_path: Path) -> None:
    texts = {"en": "a", "zh": "甲"}
    measures = [
        {"name": "n", "title": texts, "function": "count", "over": {"c": "certificate"}},
        {"name": "share", "title": texts, "value": "div_down(1, measure.n)"},
    ]
    pack = make_pack(tmp_path, rule(when=["measure.share < 1"]), measures=measures)
    decision = _one(pack, [listing(), product()])
    assert (decision.conformity, decision.measures) == ("undetermined", {"n": 0})


# --- what is refused --------------------------------------------------------------------------


def _with(fact: Fact, name: str, value: Any) -> Fact:
    return Fact(fact.type, fact.id, {**fact.fields, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_age_months", 1.5),
        ("min_age_months", float("nan")),
        ("min_age_months", 2**53),
        ("min_age_months", True),
        ("is_radio", 1),
        ("brand", "x" * 1025),
        ("brand", ["a"]),
        ("brand", None),
        ("nonsense", "a"),
    ],
)
@pytest.mark.parametrize("engine", ["reference", "live"])
def test_facts__unsafe_value_is_refused(
    tmp_path: Path, name: str, value: object, engine: str
) -> None:
    pack = make_pack(tmp_path, rule(when=["product.is_radio"]))
    with pytest.raises(InputError, match="product/P1"):
        evaluate(pack, [listing(), _with(product(), name, value)], AS_OF, engine)


BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "packs" / "certificates" / "1.0.0"
"""A pack whose case is a product, with certificates that belong to one product each."""


def _many_cases() -> list[Fact]:
    products = [product(f"P{n:03d}") for n in range(250)]
    certificates = [certificate(f"K{n:03d}", product_id=f"P{n:03d}") for n in range(250)]
    return [*products, *certificates]


@pytest.mark.parametrize("engine", ["reference", "live"])
@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (249, {"brand": 1.5}),
        (499, {"number": 5}),
        (499, {"product_id": "P-of-nobody", "is_verified": 1}),
        (499, {"product_id": ["P001"]}),
        (499, {"product_id": None}),
    ],
)
def test_facts__unsafe_value_is_refused_wherever_it_stands(
    engine: str, place: int, wrong: dict[str, Any]
) -> None:
    """Facts are checked as their cases come, and what no case has is checked as well."""
    facts = _many_cases()
    for name, value in wrong.items():
        facts[place] = _with(facts[place], name, value)
    with pytest.raises(InputError, match=f"{facts[place].type}/{facts[place].id} cannot be used"):
        evaluate(load_pack(BENCHMARK), facts, AS_OF, engine)


def test_facts__the_first_one_given_is_named() -> None:
    facts = [_with(fact, "is_radio", 1) for fact in _many_cases() if fact.type == "product"]
    with pytest.raises(InputError, match="product/P249"):
        evaluate(load_pack(BENCHMARK), facts[::-1], AS_OF, "live")


def test_facts__missing_required_field_is_refused(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, rule(when=["product.is_radio"]))
    bare = Fact("product", "P1", {"seller_id": "S1"})
    with pytest.raises(InputError, match="is missing"):
        evaluate(pack, [listing(), bare], AS_OF, "live")


def test_facts__duplicate_is_refused(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, rule(when=["product.is_radio"]))
    with pytest.raises(InputError, match="stands twice"):
        evaluate(pack, [product(), product()], AS_OF, "reference")


def test_engine__unknown_is_refused(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, rule(when=["product.is_radio"]))
    with pytest.raises(InputError, match="no engine 'drools'"):
        evaluate(pack, [], AS_OF, "drools")


def test_date__outside_the_window_is_refused(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, rule(when=["product.is_radio"]))
    with pytest.raises(InputError, match="effective from 2020-01-01"):
        evaluate(pack, [], date(2019, 12, 31), "reference")


# --- explanation ------------------------------------------------------------------------------


def test_explanation__names_the_line_that_decided(tmp_path: Path) -> None:
    lines = ['c.kind == "eu_doc"', 'c.act == "ppe"', "c.is_verified"]
    pack = make_pack(tmp_path, rule(match=CERTIFICATES, when=lines))
    (told,) = explain_cases(pack, [listing(), product(), certificate()], AS_OF)
    (one,) = told["rules"]
    (choice,) = one["choices"]
    assert one["outcome"] == "clear"
    assert [line["decides"] for line in choice["lines"]] == [False, True, False]
    assert choice["lines"][1]["values"] == {"c.act": "red"}

"""Rules that set outputs and ask for actions, in both engines."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from carnet.cli.main import app
from carnet.core.canonical import INTEGER_MAX
from carnet.core.errors import RulePackError
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.decision import Decision
from carnet.rules.engine import evaluate
from carnet.rules.pack import check_pack
from tests.fixtures_rules import (
    AS_OF,
    TEXT,
    certificate,
    listing,
    make_pack,
    outcome_rule,
    output,
    parameter,
    product,
    rule,
    write_pack,
)

CERTIFICATES = [{"c": "certificate"}]
IS_RADIO = ["product.is_radio"]


def _decide(pack: Pack, facts: list[Fact], confirmed: frozenset[str] = frozenset()) -> Decision:
    reference = evaluate(pack, facts, AS_OF, "reference", confirmed)
    live = evaluate(pack, facts, AS_OF, "live", confirmed)
    assert live.to_json() | {"engine": "reference"} == reference.to_json()
    (decision,) = reference.decisions
    return decision


def _one(folder: Path, combination: str, *settings: tuple[str, Any]) -> Decision:
    rules = [
        outcome_rule(name, when=["product.is_radio"], set={"fee": value})
        for name, value in settings
    ]
    pack = make_pack(folder, *rules, outputs=[output("fee", combination)])
    return _decide(pack, [listing(), product(is_radio=True)])


# --- outputs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("combination", "expected"), [("sum", 7), ("min", -5), ("max", 12)])
def test_outputs__of_several_rules_are_combined(
    tmp_path: Path, combination: str, expected: int
) -> None:
    decision = _one(tmp_path, combination, ("rule-a", 12), ("rule-b", -5))
    assert decision.outputs == {"fee": expected}
    assert decision.conformity == "conforming"
    assert decision.findings == ()


def test_outputs__set_once_for_each_choice_of_facts(tmp_path: Path) -> None:
    pack = make_pack(
        tmp_path,
        outcome_rule(match=CERTIFICATES, when=["c.is_verified"], set={"fee": "3"}),
        outputs=[output("fee", "sum")],
    )
    facts = [listing(), product(), certificate("K1"), certificate("K2")]
    assert _decide(pack, facts).outputs == {"fee": 6}


def test_unique__of_one_value_from_several_rules(tmp_path: Path) -> None:
    decision = _one(tmp_path, "unique", ("rule-a", 4), ("rule-b", "2 + 2"))
    assert decision.outputs == {"fee": 4}
    assert decision.conformity == "conforming"


def test_unique__of_different_values_is_an_error_that_names_the_rules(tmp_path: Path) -> None:
    decision = _one(tmp_path, "unique", ("rule-a", 4), ("rule-c", 9), ("rule-b", 4))
    assert decision.outputs == {}
    assert decision.conformity == "undetermined"
    (error,) = decision.errors
    assert error.rule == "case"
    assert error.cause.en == "The output fee is set to 4 by rule-a and to 9 by rule-c."
    assert "rule-a" in error.cause.zh


def test_sum__beyond_the_safe_integers_is_an_error(tmp_path: Path) -> None:
    decision = _one(tmp_path, "sum", ("rule-a", INTEGER_MAX), ("rule-b", 1))
    assert decision.outputs == {}
    assert "beyond 2^53 - 1" in decision.errors[0].cause.en


def test_output__that_nobody_sets_is_absent(tmp_path: Path) -> None:
    pack = make_pack(
        tmp_path, outcome_rule(when=IS_RADIO, set={"fee": 1}), outputs=[output("fee", "sum")]
    )
    decision = _decide(pack, [listing(), product()])
    assert decision.outputs == {}
    assert decision.conformity == "conforming"


def test_output__of_an_undetermined_rule_is_absent(tmp_path: Path) -> None:
    pack = make_pack(
        tmp_path,
        outcome_rule("sure", when=["!product.is_radio"], set={"fee": 1, "other": 2}),
        outcome_rule("open", when=["product.min_age_months > 3"], set={"fee": 10}),
        outputs=[output("fee", "sum"), output("other")],
    )
    decision = _decide(pack, [listing(), product()])
    assert decision.outputs == {"other": 2}
    assert [error.rule for error in decision.errors] == ["open"]
    assert decision.conformity == "undetermined"


def test_output__whose_value_is_absent_makes_its_rule_undetermined(tmp_path: Path) -> None:
    pack = make_pack(
        tmp_path,
        outcome_rule(when=["!product.is_radio"], set={"fee": "product.min_age_months"}),
        outputs=[output("fee")],
    )
    decision = _decide(pack, [listing(), product()])
    assert decision.outputs == {}
    assert decision.conformity == "undetermined"
    assert "product/P1.min_age_months is absent" in decision.errors[0].cause.en


def test_output__rests_on_the_unverified_parameters_it_is_computed_from(tmp_path: Path) -> None:
    pack = make_pack(
        tmp_path,
        outcome_rule(when=["!product.is_radio"], set={"fee": "param.step * 2"}),
        parameters=[parameter("step", "integer", 4, "U")],
        outputs=[output("fee")],
    )
    facts = [listing(), product()]
    held = _decide(pack, facts)
    assert held.outputs == {}
    assert "parameter step" in held.errors[0].cause.en
    free = _decide(pack, facts, frozenset({"step"}))
    assert free.outputs == {"fee": 8}
    assert free.officer_confirmed == ("step",)


def test_output__of_a_matched_fact_rests_on_its_own_values(tmp_path: Path) -> None:
    pack = make_pack(
        tmp_path,
        outcome_rule(match=CERTIFICATES, when=["c.is_verified"], set={"fee": "c.weight"}),
        derived=[
            {
                "fact": "certificate", "name": "weight", "kind": "integer", "title": TEXT,
                "choose": "first",
                "candidates": [
                    {"value": "param.step", "when": ['certificate.act == "ppe"']},
                    {"value": 1},
                ],
            }
        ],
        parameters=[parameter("step", "integer", 4, "U")],
        outputs=[output("fee", "sum")],
    )  # fmt: skip
    assert _decide(pack, [listing(), product(), certificate()]).outputs == {"fee": 1}
    held = _decide(pack, [listing(), product(), certificate(act="ppe")])
    assert (held.outputs, held.conformity) == ({}, "undetermined")
    step = frozenset({"step"})
    free = _decide(pack, [listing(), product(), certificate(act="ppe")], step)
    assert (free.outputs, free.officer_confirmed) == ({"fee": 4}, ("step",))
    # The certificate that takes the other candidate rests on nothing.
    assert _decide(pack, [listing(), product(), certificate()], step).officer_confirmed == ()


# --- actions ----------------------------------------------------------------------------------


def test_action__is_listed_with_the_facts_of_its_choice(tmp_path: Path) -> None:
    pack = make_pack(
        tmp_path,
        rule("found", match=CERTIFICATES, when=["c.is_verified"], action="withdraw_listing"),
        outcome_rule("asked", when=["!product.is_radio"], action="tell_seller"),
    )
    document = _decide(pack, [listing(), product(), certificate()]).to_json()
    assert document["actions"] == [
        {"rule": "asked", "action": "tell_seller", "facts": [{"type": "listing", "id": "L1"}]},
        {
            "rule": "found",
            "action": "withdraw_listing",
            "facts": [{"type": "certificate", "id": "K1"}, {"type": "listing", "id": "L1"}],
        },
    ]
    assert [finding["rule"] for finding in document["findings"]] == ["found"]


def test_action__is_no_key_of_a_decision_without_any(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, outcome_rule(when=IS_RADIO, action="tell_seller"))
    assert "actions" not in _decide(pack, [listing(), product()]).to_json()


# --- reading ----------------------------------------------------------------------------------


def _defects(folder: Path, *rules: dict[str, Any], **changes: Any) -> str:
    _, found = check_pack(write_pack(folder, *rules, **changes))
    return "\n".join(str(error) for error in found)


def test_rule__from_which_nothing_follows_is_refused(tmp_path: Path) -> None:
    found = _defects(tmp_path, outcome_rule(when=IS_RADIO))
    assert "rules/all.yaml:1: Nothing follows from the rule." in found


def test_rule__with_a_severity_but_no_finding_is_refused(tmp_path: Path) -> None:
    found = _defects(tmp_path, outcome_rule(when=IS_RADIO, action="go", severity="major"))
    assert "A severity belongs to a finding" in found


def test_rule__with_a_finding_but_no_severity_is_refused(tmp_path: Path) -> None:
    text = {"en": "text", "zh": "文本"}
    found = _defects(
        tmp_path, outcome_rule(when=IS_RADIO, finding={"message": text, "remedy": text})
    )
    assert "lacks the key 'severity'" in found


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"fees": 1}, "There is no output 'fees'."),
        ({"fee": "product.brand"}, "The output fee is an integer"),
        ({"fee": True}, "The output fee is an integer"),
        ({"fee": "div_down(4, 2)"}, "There is no function div_down here."),
        ({}, "'set' names 1 to 16 outputs, not 0."),
    ],
)
def test_setting__that_is_none_is_refused(
    tmp_path: Path, settings: dict[str, Any], expected: str
) -> None:
    found = _defects(tmp_path, outcome_rule(when=IS_RADIO, set=settings), outputs=[output("fee")])
    assert expected in found


def test_setting__that_is_misspelt_is_told_the_name(tmp_path: Path) -> None:
    _, (error,) = check_pack(
        write_pack(tmp_path, outcome_rule(when=IS_RADIO, set={"fees": 1}), outputs=[output("fee")])
    )
    assert isinstance(error, RulePackError)
    assert "fee" in error.hint.en


def test_output__that_stands_twice_is_refused(tmp_path: Path) -> None:
    found = _defects(tmp_path, rule(when=IS_RADIO), outputs=[output("fee"), output("fee", "sum")])
    assert "The output fee stands twice." in found


def test_output__combined_in_no_known_way_is_refused(tmp_path: Path) -> None:
    found = _defects(tmp_path, rule(when=IS_RADIO), outputs=[output("fee", "average")])
    assert "expected one of unique, sum, min, max" in found


def test_measure__cannot_read_an_output(tmp_path: Path) -> None:
    found = _defects(
        tmp_path,
        outcome_rule(when=IS_RADIO, set={"fee": "measure.fee"}),
        outputs=[output("fee")],
    )
    assert "measure.fee is not known here" in found


def test_outputs__of_a_case_that_is_broken_are_none(tmp_path: Path) -> None:
    pack = make_pack(
        tmp_path,
        outcome_rule(when=['listing.market == "EU"'], set={"fee": 1}),
        outputs=[output("fee")],
    )
    decision = _decide(pack, [listing()])
    assert (decision.outputs, decision.conformity) == ({}, "undetermined")


def test_eval__shows_outputs_and_actions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"fee": 3}
    folder = write_pack(
        tmp_path / "pack",
        outcome_rule(when=["!product.is_radio"], set=settings, action="tell_seller"),
        outputs=[output("fee")],
    )
    facts = tmp_path / "facts.json"
    given = [fact.to_json() for fact in (listing(), product())]
    facts.write_text(json.dumps({"facts": given}), encoding="utf-8")
    arguments = ["eval", str(folder), "--facts", str(facts), "--as-of", "2026-11-23"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert "output fee = 3 (text)" in result.stdout
    assert "action tell_seller [rule-1] listing/L1" in result.stdout
    monkeypatch.setenv("CARNET_LANG", "zh")
    chinese = CliRunner().invoke(app, arguments)
    assert "输出项 fee = 3 (文本)" in chinese.stdout
    assert "动作 tell_seller" in chinese.stdout

"""The pack of the credit passport: one meaning in three engines, and what it must never say."""

import json
import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carnet.facts.fact import Fact, fact_from_json
from carnet.rules.check.places import Material
from carnet.rules.coverage import coverage_of
from carnet.rules.decision import Decision
from carnet.rules.engine import evaluate
from carnet.rules.pack import load_pack, load_shipped, read_documents
from carnet.rules.shelf import SHELF
from carnet.rules.testing import PackTest, read_tests, stages_of

FOLDER = SHELF / "credit-passport" / "0.2.0"
PACK = load_pack(FOLDER)
TESTS = {test.id: test for test in read_tests(PACK) if isinstance(test, PackTest)}
SOUND = TESTS["sound-in-everything"]
INDICES = ("sales_health_bps", "user_quality_bps", "supply_stability_bps", "compliance_bps")
UNIT = {"own_site_sales": "minor", "social": "count"}


def published(test: PackTest, engine: str) -> str:
    earlier = stages_of(PACK, test, "reference", load_shipped).earlier(PACK)
    confirmed = frozenset(test.confirmed)
    document = evaluate(PACK, test.facts, test.as_of, engine, confirmed, earlier).to_json()
    assert document.pop("engine") == engine
    return json.dumps(document, ensure_ascii=False)


def decide(facts: list[Fact], days: int = 0) -> Decision:
    earlier = stages_of(PACK, SOUND, "reference", load_shipped).earlier(PACK)
    as_of = SOUND.as_of + timedelta(days=days)
    (decision,) = evaluate(
        PACK, facts, as_of, "reference", frozenset(SOUND.confirmed), earlier
    ).decisions
    return decision


def changed(**values: dict[str, Any]) -> list[Fact]:
    """Return the facts of the sound example with fields of some data points changed."""
    found = []
    for fact in SOUND.facts:
        raw = fact.to_json() | values.get(fact.id.replace("-", "_"), {})
        found.append(fact_from_json(raw))
    return found


@pytest.mark.parametrize("name", sorted(TESTS))
def test_pack__live_decides_as_the_reference(name: str) -> None:
    assert published(TESTS[name], "live") == published(TESTS[name], "reference")


def test_pack__bulk_decides_as_the_reference() -> None:
    for name in ["sound-in-everything", *random.Random(4).sample(sorted(TESTS), 3)]:
        assert published(TESTS[name], "bulk") == published(TESTS[name], "reference")


def test_pack__its_own_tests_cover_it_wholly() -> None:
    found = coverage_of(Material(PACK, read_documents(FOLDER)))
    assert found.reaches(100)


def test_pack__every_figure_that_sources_leave_open_is_a_parameter_to_confirm() -> None:
    assert {parameter.status for parameter in PACK.parameters.values()} == {"U"}
    assert {row.status for row in PACK.tables["tiers"].rows} == {"U"}


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([fact.id for fact in SOUND.facts if fact.type == "data_point"]))
def test_pack__without_a_figure_no_index_falls_to_zero(missing: str) -> None:
    decision = decide([fact for fact in SOUND.facts if fact.id != missing])
    assert all(decision.outputs[name] > 0 for name in INDICES if name in decision.outputs)
    if missing not in {"own-1", "own-2", "set-1", "set-2"}:
        assert decision.conformity == "undetermined"
        assert "tier" not in decision.outputs


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_pack__more_of_what_counts_never_lowers_the_index(first: int, more: int) -> None:
    low = decide(changed(soc_2={"value": first}))
    high = decide(changed(soc_2={"value": first + more}))
    assert low.outputs["user_quality_bps"] <= high.outputs["user_quality_bps"] <= 10_000
    assert low.outputs["tier"] >= high.outputs["tier"]


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_pack__a_larger_share_of_fully_managed_sales_never_raises_it(
    own: int, settled: int
) -> None:
    before = {"own_1": {"value": 1}, "set_1": {"value": 1}}
    less = decide(changed(own_2={"value": own + 1}, set_2={"value": settled}, **before))
    more = decide(changed(own_2={"value": own}, set_2={"value": settled + 1}, **before))
    assert more.outputs["sales_health_bps"] <= less.outputs["sales_health_bps"]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 500))
def test_pack__age_takes_indices_away_and_never_changes_their_values(days: int) -> None:
    now, later = decide(list(SOUND.facts)), decide(list(SOUND.facts), days)
    assert later.outputs.get("compliance_bps") == now.outputs["compliance_bps"]
    if days > 8:
        assert "user_quality_bps" not in later.outputs or days <= 44
    if days > 44:
        assert "tier" not in later.outputs


def test_pack__each_point_that_counts_is_named_by_an_action() -> None:
    decision = decide(list(SOUND.facts))
    named = {fact for action in decision.actions for fact in action.facts}
    points = {("data_point", fact.id) for fact in SOUND.facts if fact.type == "data_point"}
    assert points <= named
    assert ("decision", "us-fcc/listing/L1") in named

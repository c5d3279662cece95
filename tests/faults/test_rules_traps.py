"""Limits and faults of durable-rules that a pack can come near to: what is guarded, and how."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from carnet.core.errors import RulePackError
from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.case import assemble
from carnet.rules.decision import Decision
from carnet.rules.engine import evaluate
from carnet.rules.finding import prepare
from carnet.rules.live.compile import Plan, compile_plan
from carnet.rules.live.pool import Pool, Task, decide_live
from carnet.rules.pack import check_pack
from carnet.rules.run import start_run
from tests.fixtures_rules import AS_OF, certificate, listing, make_pack, product, rule, write_pack

MATCH = [{"c": "certificate"}]


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(size=1, deadline_s=60.0)
    yield made
    made.close()


def _plan(pack: Pack) -> Plan:
    return compile_plan(start_run(pack, AS_OF, frozenset()))


def _agree(pack: Pack, facts: list[Fact], pool: Pool) -> list[Decision]:
    cases, _ = assemble(start_run(pack, AS_OF, frozenset()), facts)
    ready = [prepared for prepared in map(prepare, cases) if prepared is not None]
    decided = list(decide_live(ready, pool))
    assert decided == list(evaluate(pack, facts, AS_OF, "reference").decisions)
    assert pool.replaced == 0
    return decided


def _messages(plan: Plan) -> Iterator[list[dict[str, Any]]]:
    """Yield the tests of every message of every rule, as the engine reads them."""
    for ruleset in plan.rulesets:
        for name, content in json.loads(ruleset).items():
            if name[0] in "sm" and not name.startswith("seen"):
                for message in content["all"]:
                    ((_, conjunction),) = message.items()
                    yield conjunction["$and"]


def test_trap__more_cases_than_the_engine_has_states(tmp_path: Path, pool: Pool) -> None:
    """The engine breaks at the 1,025th state that lives: each is deleted after its case."""
    pack = make_pack(tmp_path, rule(match=MATCH, when=["c.is_verified"]))
    facts: list[Fact] = []
    for n in range(1_100):
        facts += [listing(f"L{n}", product_id=f"P{n}"), product(f"P{n}")]
        facts.append(certificate(f"K{n}", product_id=f"P{n}"))
    assert sum(len(one.findings) for one in _agree(pack, facts, pool)) == 1_100


def test_trap__false_inequality_of_a_join_stands_last(tmp_path: Path, pool: Pool) -> None:
    """Issue 381 of durable-rules: something true stands behind it."""
    match = [{"c": "certificate"}, {"d": "certificate"}]
    blocks = [{"e": "certificate", "when": ["e.number != c.number"]}]
    pack = make_pack(tmp_path, rule(match=match, when=["c.number != d.number"], without=blocks))
    messages = [tests for tests in _messages(_plan(pack)) if {"t": 0} not in tests]
    assert messages
    assert all(tests[-1] == {"k": {"case": "k"}} for tests in messages)
    same = [certificate(f"K{n}", number="x") for n in range(4)]
    (decision,) = _agree(pack, [listing(), product(), *same], pool)
    assert decision.findings == ()


def test_trap__inequality_of_a_join_behind_a_list(tmp_path: Path, pool: Pool) -> None:
    """The engine leaves it out where an item of the list was found: lists stand behind joins."""
    match = [{"c": "certificate"}, {"d": "certificate"}]
    lists = ['d.kind in ["eu_doc", "test_report"]', 'd.act in ["red", "emc"]']
    joins = ["d.issued_on > c.issued_on"]
    blocks = [{"e": "certificate", "when": ['e.kind in ["eu_doc"]', "e.issued_on > d.issued_on"]}]
    pack = make_pack(tmp_path, rule(match=match, when=[*lists, *joins], without=blocks))
    for tests in _messages(_plan(pack)):
        placed = ["$or" in one for one in tests if one != {"k": {"case": "k"}}]
        assert placed == sorted(placed)
    days = [date(2026, 1, day) for day in (1, 2, 3)]
    facts = [
        certificate(f"K{n}", kind="eu_doc", act="red", issued_on=d) for n, d in enumerate(days)
    ]
    (decision,) = _agree(pack, [listing(), product(), *facts], pool)
    pairs = {
        tuple(name for kind, name in one.facts if kind == "certificate")
        for one in decision.findings
    }
    assert pairs == {("K0", "K2"), ("K1", "K2")}


def test_trap__every_tested_property_is_asked_for(tmp_path: Path) -> None:
    lines = ["c.is_verified", "c.issued_on < as_of", 'c.kind == "eu_doc"']
    pack = make_pack(tmp_path, rule(match=MATCH, when=lines))
    for tests in _messages(_plan(pack)):
        asked = {name for test in tests if "$ex" in test for name in test["$ex"]}
        tested = {
            name
            for test in tests
            for name in (
                test if not next(iter(test)).startswith("$") else next(iter(test.values()))
            )
        }
        assert {name for name in tested if name.startswith("p")} <= asked


@pytest.mark.parametrize("harm", ['[{"id":tru}]', '[{"id":"1","sid":"1","t":', "{}", "[1]"])
def test_trap__what_the_engine_cannot_read_ends_the_worker(
    tmp_path: Path, pool: Pool, harm: str
) -> None:
    """Codes of 101 and more: the memory of the process is not to be trusted afterwards."""
    plan = _plan(make_pack(tmp_path, rule(match=MATCH, when=["c.is_verified"])))
    ((_, answer),) = list(pool.run(plan, [Task([0], [f"0{harm}"])]))
    assert isinstance(answer, Text)
    assert pool.replaced == 2


def test_trap__aliases_and_negations_at_their_limits(tmp_path: Path, pool: Pool) -> None:
    """Eight matched facts and eight blocks: beyond are errors of the check."""
    match = [{f"c{n}": "certificate"} for n in range(8)]
    when = [f'c{n}.number == "{n}"' for n in range(8)]
    blocks = [
        {f"w{n}": "certificate", "when": [f'w{n}.number == "x{n}"', f"w{n}.act == c0.act"]}
        for n in range(8)
    ]
    pack = make_pack(tmp_path, rule(match=match, when=when, without=blocks))
    facts = [listing(), product(), *(certificate(f"K{n}", number=str(n)) for n in range(8))]
    (decision,) = _agree(pack, facts, pool)
    assert len(decision.findings) == 1
    (decision,) = _agree(pack, [*facts, certificate("K9", number="x7")], pool)
    assert decision.findings == ()


@pytest.mark.parametrize("key", ["match", "without"])
def test_trap__more_aliases_are_refused(tmp_path: Path, key: str) -> None:
    listed = [{f"c{n}": "certificate"} for n in range(9)]
    folder = write_pack(tmp_path, rule(when=["product.is_radio"]) | {key: listed})
    assert "has 9 items; at most 8" in _first(folder)


def test_trap__negations_with_many_alternatives_are_refused(tmp_path: Path) -> None:
    wide = " || ".join(f"w.{name} == c.{name}" for name in ("act", "kind", "status", "number"))
    blocks = [{"w": "certificate", "when": [wide, wide.replace("act", "body_number")]}] * 2
    folder = write_pack(tmp_path, rule(match=MATCH, when=["c.is_verified"], without=blocks))
    assert "alternatives in 'without'" in _first(folder)


def test_trap__joins_at_their_limit_are_decided_and_beyond_refused(
    tmp_path: Path, pool: Pool
) -> None:
    match = [{"c": "certificate"}, {"d": "certificate"}]
    names = ("act", "kind", "status", "issued_on", "is_verified", "product_id")
    operators = ("==", "<=", ">=")
    lines = [f"c.{name} == d.{name}" for name in names]
    lines += [f"c.issued_on {one} d.issued_on" for one in operators[1:]]
    lines += [f"add_days(c.issued_on, {n}) < add_days(d.issued_on, {n + 1})" for n in range(7)]
    pack = make_pack(tmp_path / "within", rule(match=match, when=lines))
    facts = [listing(), product(), certificate(), certificate("K2")]
    (decision,) = _agree(pack, facts, pool)
    assert len(decision.findings) == 2
    more = [f"add_days(c.issued_on, {n}) <= add_days(d.issued_on, {n})" for n in range(8, 17)]
    beyond = write_pack(tmp_path / "beyond", rule(match=match, when=[*lines, *more]))
    assert "joins one fact by more than" in _first(beyond)


def test_trap__comparisons_with_constants_are_no_joins(tmp_path: Path, pool: Pool) -> None:
    lines = [f"add_days(c.issued_on, {n}) < as_of" for n in range(24)]
    pack = make_pack(tmp_path, rule(match=MATCH, when=lines))
    (decision,) = _agree(pack, [listing(), product(), certificate()], pool)
    assert len(decision.findings) == 1


def test_trap__many_conditions_on_one_fact(tmp_path: Path, pool: Pool) -> None:
    """Siblings hang the engine at 512: a rule has 24 lines, with at most 64 alternatives."""
    lines = [f"add_days(c.issued_on, {n}) < as_of" for n in range(20)]
    lines += [f"has(c.{name})" for name in ("number", "body_number", "last_tested_on")]
    lines += ["c.is_verified"]
    pack = make_pack(tmp_path / "within", rule(match=MATCH, when=lines))
    assert max(map(len, _messages(_plan(pack)))) < 128
    full = certificate(number="1", body_number="0598", last_tested_on="2026-01-01")
    (decision,) = _agree(pack, [listing(), product(), full], pool)
    assert len(decision.findings) == 1
    beyond = write_pack(tmp_path / "beyond", rule(match=MATCH, when=[*lines, "c.is_verified"]))
    assert "at most 24" in _first(beyond)


def test_trap__nothing_is_left_to_the_counting_of_the_engine(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, rule(match=MATCH, when=["c.is_verified"]))
    for ruleset in _plan(pack).rulesets:
        for content in json.loads(ruleset).values():
            assert set(content) == {"all"}


def _first(folder: Path) -> str:
    try:
        found = check_pack(folder)[1]
    except RulePackError as error:
        return error.message.en
    return found[0].message.en

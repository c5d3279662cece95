"""A rule that would try too many combinations of facts is an error of the case, in both engines."""

import time
from pathlib import Path
from typing import Any

import pytest

from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.budget import COMBINATIONS_MAX
from carnet.rules.decision import Decision
from carnet.rules.engine import evaluate
from carnet.rules.explain import explain_cases
from tests.fixtures_rules import AS_OF, certificate, listing, make_pack, product, rule

FEW, MANY = 316, 317
"""Certificates of which pairs are just within the budget, and just beyond it."""


def _facts(count: int) -> list[Fact]:
    certificates = [certificate(f"K{n:03}", number=str(n)) for n in range(count)]
    return [listing(), product(), *certificates]


def _pack(folder: Path, aliases: int, *when: str, **content: Any) -> Pack:
    match = [{f"c{n}": "certificate"} for n in range(aliases)]
    other = rule("other", when=["!product.is_radio"])
    return make_pack(folder, rule("wide", match=match, when=list(when), **content), other)


def _both(pack: Pack, facts: list[Fact]) -> Decision:
    reference = evaluate(pack, facts, AS_OF, "reference")
    live = evaluate(pack, facts, AS_OF, "live")
    assert live.to_json() | {"engine": "reference"} == reference.to_json()
    (decision,) = reference.decisions
    return decision


def _found(decision: Decision) -> int:
    return sum(finding.rule == "wide" for finding in decision.findings)


def _chain(aliases: int) -> list[str]:
    return [f"c{n}.issued_on == c{n + 1}.issued_on" for n in range(aliases - 1)]


def test_budget__ends_what_would_never_end(tmp_path: Path) -> None:
    pack = _pack(tmp_path, 8, *_chain(8), "c7.issued_on < c0.issued_on")
    start = time.monotonic()
    decision = _both(pack, _facts(41))
    assert time.monotonic() - start < 2.0
    (error,) = decision.errors
    assert error.rule == "wide"
    for part in ("wide", str(41**8), "c0: 41", "c7: 41", str(COMBINATIONS_MAX)):
        assert part in error.cause.en
        assert part in error.cause.zh
    assert [finding.rule for finding in decision.findings] == ["other"]


def test_budget__makes_the_case_undetermined(tmp_path: Path) -> None:
    content = rule(
        "wide", match=[{"a": "certificate"}, {"b": "certificate"}], when=["a.id != b.id"]
    )
    assert _both(make_pack(tmp_path, content), _facts(MANY)).conformity == "undetermined"


def test_budget__is_a_sharp_bound(tmp_path: Path) -> None:
    pack = _pack(tmp_path, 2, "c0.issued_on < c1.issued_on")
    early = certificate("K000", issued_on="2023-01-01")
    decision = _both(pack, [*_facts(FEW)[:2], early, *_facts(FEW)[3:]])
    assert not decision.errors
    assert _found(decision) == FEW - 1
    assert [error.rule for error in _both(pack, _facts(MANY)).errors] == ["wide"]


def test_budget__lets_all_combinations_within_it_match(tmp_path: Path) -> None:
    decision = _both(_pack(tmp_path, 2, "c0.issued_on == c1.issued_on"), _facts(150))
    assert not decision.errors
    assert _found(decision) == 150 * 149


@pytest.mark.parametrize("line", ['c1.number == "7"', 'c1.number == "7" || c1.kind == "fcc_grant"'])
def test_budget__counts_what_own_lines_leave(tmp_path: Path, line: str) -> None:
    decision = _both(_pack(tmp_path, 2, line, "c0.issued_on == c1.issued_on"), _facts(MANY))
    assert not decision.errors
    assert _found(decision) == MANY - 1


def test_budget__counts_what_might_hold(tmp_path: Path) -> None:
    """An absent field leaves a fact among the candidates: it could be anything."""
    pack = _pack(tmp_path, 2, 'c1.body_number == "0598"')
    assert [error.rule for error in _both(pack, _facts(MANY)).errors] == ["wide"]


def test_budget__counts_the_aliases_before_an_empty_one(tmp_path: Path) -> None:
    match = [*({f"c{n}": "certificate"} for n in range(7)), {"p": "renewal_plan"}]
    content = rule("wide", match=match, when=["p.applied_on > c0.issued_on"])
    (error,) = _both(make_pack(tmp_path, content), _facts(41)).errors
    assert "p: 0" in error.cause.en


def test_budget__blocks_multiply(tmp_path: Path) -> None:
    block = {"w": "certificate", "when": ["w.issued_on > c0.issued_on"]}
    pack = _pack(tmp_path, 2, "c0.issued_on != c1.issued_on", without=[block, {**block}])
    assert not _both(pack, _facts(36)).errors
    (error,) = _both(pack, _facts(37)).errors
    assert str(37 * 37 * 74) in error.cause.en


def test_budget__own_lines_of_a_block_narrow_it(tmp_path: Path) -> None:
    block = {"w": "certificate", "when": ['w.number == "5"', "w.issued_on >= c0.issued_on"]}
    pack = _pack(tmp_path, 2, "c0.id != c1.id", 'c1.number == "5"', without=[block])
    decision = _both(pack, _facts(MANY))
    assert not decision.errors
    # Number 5 itself is matched, so there is no further fact that the block could find.
    assert _found(decision) == MANY - 1


def test_budget__line_about_the_case_settles_it(tmp_path: Path) -> None:
    pack = _pack(tmp_path, 8, "product.is_radio", *_chain(8))
    assert not _both(pack, _facts(41)).errors


@pytest.mark.parametrize("last", ["certificate", "renewal_plan"])
def test_explanation__of_a_rule_over_budget_ends(tmp_path: Path, last: str) -> None:
    match = [*({f"c{n}": "certificate"} for n in range(7)), {"last": last}]
    pack = make_pack(tmp_path, rule("wide", match=match, when=_chain(7)))
    start = time.monotonic()
    (told,) = explain_cases(pack, _facts(41), AS_OF)
    assert time.monotonic() - start < 2.0
    assert told["rules"][0]["outcome"] == "undetermined"
    assert len(told["rules"][0]["choices"]) == (100 if last == "certificate" else 0)

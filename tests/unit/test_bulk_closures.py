"""Closures in SQL: pairs, and what cannot be told of them, are the reference's, and not by it."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from carnet.facts.fact import Fact, fact_from_json
from carnet.rules.ast import Pack
from carnet.rules.bulk import run
from carnet.rules.engine import evaluate
from tests.fixtures_rules import AS_OF, PATHS, TEXT, listing, make_pack, parameter, product, rule

FAR = rule("far", match=[{"u": "reach"}], when=["u.depth > 1"])
CHAIN = rule("chain", match=[{"u": "reach"}, {"v": "reach"}], when=["u.to_id == v.from_id"])
PAIRS = {"name": "pairs", "title": TEXT, "function": "count", "over": {"u": "reach"}}


def link(number: int, start: str, end: str, **fields: Any) -> Fact:
    base = {"type": "trace_link", "id": f"T{number}", "occurred_at": "2026-01-01T00:00:00Z"}
    return fact_from_json({**base, "kind": "transformed", "from_id": start, "to_id": end, **fields})


def chained(ends: str, **fields: Any) -> list[Fact]:
    pairs = pairwise(ends)
    return [listing(), product(), *(link(n, *pair, **fields) for n, pair in enumerate(pairs))]


def closing(folder: Path, *rules: Any, lines: list[str], depth: int = 5, **changes: Any) -> Pack:
    closure = {
        "name": "reach", "title": TEXT, "over": {"l": "trace_link"}, "from": "l.from_id",
        "to": "l.to_id", "when": lines, "depth": depth,
    }  # fmt: skip
    content = {"measures": [PAIRS], "paths": {**PATHS, "trace_link": "*"}, **changes}
    return make_pack(folder, *(rules or (FAR,)), closures=[closure], **content)


def decided(
    pack: Pack,
    facts: list[Fact],
    monkeypatch: pytest.MonkeyPatch,
    confirmed: frozenset[str] = frozenset(),
) -> tuple[Any, list[str]]:
    """Return the first decision, equal in both engines, and the cases left to the reference."""
    left: list[str] = []
    own = run._by_reference

    def noted(one: Any, database: Any, case_ids: Any) -> Any:
        left.extend(case_ids)
        return own(one, database, case_ids)

    monkeypatch.setattr(run, "_by_reference", noted)
    documents = [
        evaluate(pack, facts, AS_OF, engine, confirmed).to_json()
        for engine in ("reference", "bulk")
    ]
    assert [one.pop("engine") for one in documents] == ["reference", "bulk"]
    assert documents[0] == documents[1]
    return documents[0]["decisions"][0], left


def causes(decision: Any) -> list[str]:
    return [one["cause"]["en"] for one in decision["errors"]]


def test_pairs__are_found_with_the_fewest_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = [*chained("ABCDA"), link(8, "A", "C")]
    decision, left = decided(closing(tmp_path, FAR, CHAIN, lines=[]), facts, monkeypatch)
    assert decision["measures"]["pairs"] == 16
    assert not left
    assert {one["values"]["u.depth"] for one in decision["findings"] if one["rule"] == "far"} == {
        2, 3, 4,
    }  # fmt: skip


@pytest.mark.parametrize(("depth", "is_told"), [(4, True), (3, False), (1, False)])
def test_way__longer_than_allowed_is_told_by_its_least_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: int, is_told: bool
) -> None:
    facts = [*chained("EDCBA")]
    decision, left = decided(closing(tmp_path, lines=[], depth=depth), facts, monkeypatch)
    assert not left
    assert is_told != any("follows at most" in one for one in causes(decision))


@pytest.mark.parametrize("quantity", [{}, {"quantity": 3}, {"quantity": 9}])
def test_link__that_cannot_be_judged_matters_where_it_makes_a_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quantity: dict[str, int]
) -> None:
    pack = closing(tmp_path, FAR, CHAIN, lines=["l.quantity > 5"])
    sure = chained("ABC", quantity=9)
    for number, (ends, is_open) in enumerate([("AB", False), ("BA", True), ("AC", True)]):
        facts = [*sure, link(10 + number, *ends, **quantity)]
        decision, left = decided(pack, facts, monkeypatch)
        assert not left
        assert bool(decision["errors"]) == (is_open and not quantity)


def test_too_many_pairs__are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = [listing(), product()]
    facts += [link(n, f"S{n}", "HUB") for n in range(320)]
    facts += [link(500 + n, "HUB", f"E{n}") for n in range(320)]
    decision, left = decided(closing(tmp_path, lines=[]), facts, monkeypatch)
    assert not left
    assert any("more than 100000 pairs" in one for one in causes(decision))


def test_too_many_links_or_combinations__are_left_to_the_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = [listing(), product(), *(link(n, f"S{n}", f"E{n}") for n in range(400))]
    decision, left = decided(closing(tmp_path, CHAIN, lines=[]), facts, monkeypatch)
    assert left == ["L1"]
    assert any("combinations of facts to try" in one for one in causes(decision))
    facts += [link(n, f"S{n}", f"E{n}") for n in range(400, 1001)]
    _, left = decided(closing(tmp_path, FAR, lines=[]), facts, monkeypatch)
    assert "L1" in left


@pytest.mark.parametrize("confirmed", [frozenset[str](), frozenset({"least"})])
@pytest.mark.parametrize("kind", ["transformed", "shipped"])
def test_parameter__that_a_line_of_links_reads_is_what_pairs_rest_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, confirmed: frozenset[str], kind: str
) -> None:
    pack = closing(
        tmp_path, FAR, rule("many", when=["measure.pairs > 0"]),
        lines=['l.kind == "transformed"', "l.quantity > param.least"],
        parameters=[parameter("least", "integer", 5, status="U")],
    )  # fmt: skip
    decision, left = decided(pack, chained("ABC", quantity=9, kind=kind), monkeypatch, confirmed)
    assert not left
    is_read = kind == "transformed"
    assert bool(decision["errors"]) == (is_read and not confirmed)
    assert decision["officer_confirmed"] == (["least"] if is_read and confirmed else [])


def test_line__may_read_a_measure_which_is_worked_out_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = {"name": "sold", "title": TEXT, "function": "count", "over": {"l": "trace_link"}}
    case = {"type": "listing", "alias": "listing", "with": {"product": "listing.product_id"}}
    case |= {"when": ["product.min_age_months < 20"]}
    pack = closing(tmp_path, lines=["measure.sold >= 3"], measures=[PAIRS, counted], case=case)
    known, unknown = product(min_age_months=2), product()
    for ends, one, measures in (
        ("ABCD", known, {"pairs": 6, "sold": 3}),
        ("ABC", known, {"pairs": 0, "sold": 2}),
        ("ABCD", unknown, {}),
    ):
        facts = [fact for fact in chained(ends) if fact.type != "product"]
        decision, left = decided(pack, [*facts, one], monkeypatch)
        assert (decision["measures"], left) == (measures, [])

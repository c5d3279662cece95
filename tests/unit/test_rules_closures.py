"""Closures: what can be reached over links, in both engines."""

from pathlib import Path
from typing import Any

import pytest

from carnet.core.errors import RulePackError
from carnet.facts.fact import Fact, fact_from_json
from carnet.rules import reachability
from carnet.rules.ast import Pack
from carnet.rules.decision import Decision
from carnet.rules.engine import evaluate
from carnet.rules.pack import check_pack
from carnet.rules.reachability import shortest_ways
from tests.fixtures_rules import (
    AS_OF,
    TEXT,
    listing,
    make_pack,
    parameter,
    product,
    rule,
    write_pack,
)

PATHS = {
    "product": "product <- listing.product_id",
    "batch": "batch.product_id -> product",
    "trace_link": "*",
    "debt": "*",
    "agreement": "agreement <- debt.agreement_id",
}
UPSTREAM: dict[str, Any] = {
    "name": "upstream",
    "title": TEXT,
    "over": {"l": "trace_link"},
    "from": "l.from_id",
    "to": "l.to_id",
    "when": ['l.kind == "transformed"'],
    "depth": 8,
}


def closure(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in (UPSTREAM | changes).items() if value is not None}


def link(start: str, end: str, **fields: Any) -> Fact:
    base = {
        "type": "trace_link", "id": f"T-{start}-{end}", "from_id": start, "to_id": end,
        "kind": "transformed", "occurred_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    return fact_from_json(base | fields)


def links(*names: str) -> list[Fact]:
    return [link(name[0], name[1]) for name in names]


def debt(borrower: str, agreement: str) -> Fact:
    return fact_from_json(
        {
            "type": "debt", "id": f"D-{borrower}-{agreement}", "party_id": borrower,
            "agreement_id": agreement, "principal_minor": 1, "interest_due_minor": 0,
            "principal_due_minor": 0, "currency": "EUR", "is_in_default": False,
        }
    )  # fmt: skip


def agreement(name: str, lender: str) -> Fact:
    return fact_from_json(
        {
            "type": "agreement", "id": name, "lender_id": lender, "borrower_id": "X",
            "kind": "loan", "signed_on": "2020-01-01", "ends_on": "2030-01-01", "currency": "EUR",
        }
    )  # fmt: skip


def _decide(pack: Pack, facts: list[Fact], confirmed: frozenset[str] = frozenset()) -> Decision:
    given = [listing(), product(), *facts]
    reference = evaluate(pack, given, AS_OF, "reference", confirmed)
    live = evaluate(pack, given, AS_OF, "live", confirmed)
    assert live.to_json() | {"engine": "reference"} == reference.to_json()
    (decision,) = reference.decisions
    return decision


SHOWN = rule(
    match=[{"u": "upstream"}],
    when=["u.depth >= 1"],
    finding={"message": {"en": "{u.from_id} {u.to_id} {u.depth}", "zh": "text"}, "remedy": TEXT},
)


def _pairs(folder: Path, facts: list[Fact], **changes: Any) -> list[str]:
    pack = make_pack(folder, SHOWN, paths=PATHS, closures=[closure(**changes)])
    decision = _decide(pack, facts)
    assert not decision.errors
    return sorted(finding.message.en for finding in decision.findings)


# --- meaning ----------------------------------------------------------------------------------


def test_closure__joins_whatever_links_join_by_the_fewest(tmp_path: Path) -> None:
    pairs = _pairs(tmp_path, links("AB", "BC", "CD", "AC"))
    assert pairs == ["A B 1", "A C 1", "A D 2", "B C 1", "B D 2", "C D 1"]


def test_closure__of_a_circle_joins_each_with_itself(tmp_path: Path) -> None:
    pairs = _pairs(tmp_path, links("AB", "BC", "CA"))
    assert [pair for pair in pairs if pair[0] == pair[2]] == ["A A 3", "B B 3", "C C 3"]
    assert len(pairs) == 9


def test_closure__follows_only_the_links_that_count(tmp_path: Path) -> None:
    facts = [link("A", "B"), link("B", "C", kind="shipped")]
    assert _pairs(tmp_path, facts) == ["A B 1"]


def test_closure__merges_links_of_the_same_ends(tmp_path: Path) -> None:
    facts = [link("A", "B"), link("A", "B", id="T-again")]
    assert _pairs(tmp_path, facts) == ["A B 1"]


def test_closure__follows_references_to_its_ends(tmp_path: Path) -> None:
    facts = [debt("P", "G"), debt("Q", "H"), agreement("G", "Q"), agreement("H", "R")]
    pairs = _pairs(
        tmp_path,
        facts,
        over={"d": "debt"},
        **{"from": "d.party_id", "to": "d.agreement.lender_id"},
        when=None,
    )
    assert pairs == ["P Q 1", "P R 2", "Q R 1"]


def test_closure__pairs_are_facts_of_findings(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, SHOWN, paths=PATHS, closures=[closure()])
    decision = _decide(pack, links("AB"))
    assert decision.findings[0].facts == (("listing", "L1"), ("upstream", "A>B"))


def test_closure__is_counted_and_excluded_like_any_facts(tmp_path: Path) -> None:
    pack = make_pack(
        tmp_path,
        rule("counted", when=["measure.pairs == 3"]),
        rule("unreached", without=[{"u": "upstream", "when": ['u.to_id == "D"']}]),
        paths=PATHS,
        closures=[closure()],
        measures=[{"name": "pairs", "title": TEXT, "function": "count", "over": {"u": "upstream"}}],
    )
    decision = _decide(pack, links("AB", "BC"))
    assert [finding.rule for finding in decision.findings] == ["counted", "unreached"]
    assert decision.measures == {"pairs": 3}


def test_closure__computed_facts_are_neither_facts_of_the_case_nor_unreached(
    tmp_path: Path,
) -> None:
    pack = make_pack(tmp_path, SHOWN, paths=PATHS, closures=[closure()])
    given = [listing(), product(), *links("AB")]
    assert evaluate(pack, given, AS_OF, "reference").unreached == ()


# --- what cannot be told ----------------------------------------------------------------------


def test_depth__that_a_way_exceeds_makes_its_readers_undetermined(tmp_path: Path) -> None:
    pack = make_pack(
        tmp_path,
        SHOWN,
        rule("other", when=["product.is_radio"]),
        paths=PATHS,
        closures=[closure(depth=2)],
    )
    assert len(_decide(pack, links("AB", "BC")).findings) == 3
    decision = _decide(pack, links("AB", "BC", "CD"))
    (error,) = decision.errors
    assert error.rule == "rule-1"
    assert error.cause.en == (
        "The closure upstream follows at most 2 links, but the way from A to D has more."
    )
    assert decision.findings == ()


def test_depth__is_not_exceeded_by_a_detour(tmp_path: Path) -> None:
    assert len(_pairs(tmp_path, links("AB", "BC", "CD", "AD"), depth=2)) == 6


@pytest.mark.parametrize(
    ("facts", "is_told"),
    [
        # The unknown link joins what nothing else joins.
        ([link("A", "B"), link("B", "C", uom="KGM")], False),
        # It makes a way shorter.
        ([*links("AB", "BC"), link("A", "C", uom="KGM")], False),
        # It joins what other links join as well.
        ([*links("AB"), link("A", "B", id="T-again", uom="KGM")], True),
        # It certainly does not count.
        ([*links("AB"), link("B", "C", uom="KGM", kind="shipped")], True),
    ],
)
def test_link__that_cannot_be_judged_matters_only_where_it_makes_a_difference(
    tmp_path: Path, facts: list[Fact], *, is_told: bool
) -> None:
    lines = ['l.kind == "transformed"', "!has(l.uom) || l.quantity > 5"]
    pack = make_pack(tmp_path, SHOWN, paths=PATHS, closures=[closure(when=lines)])
    decision = _decide(pack, facts)
    assert (decision.errors == ()) == is_told
    if not is_told:
        assert "quantity is absent" in decision.errors[0].cause.en


def test_link__with_an_end_that_is_not_known_leaves_everything_open(tmp_path: Path) -> None:
    ends = {"from": "d.party_id", "to": "d.agreement.lender_id"}
    pack = make_pack(
        tmp_path, SHOWN, paths=PATHS, closures=[closure(over={"d": "debt"}, when=None, **ends)]
    )
    decision = _decide(pack, [debt("P", "G"), debt("Q", "H"), agreement("G", "Q")])
    assert decision.findings == ()
    assert "names agreement/H, which is not in the case" in decision.errors[0].cause.en


def test_pairs__are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachability, "PAIRS_MAX", 5)
    pack = make_pack(tmp_path, SHOWN, paths=PATHS, closures=[closure()])
    assert _decide(pack, links("AB", "BC")).errors == ()
    decision = _decide(pack, links("AB", "BC", "CD"))
    assert decision.errors[0].cause.en == "The closure upstream has more than 5 pairs in one case."


def test_closure__rests_on_the_parameters_of_its_lines(tmp_path: Path) -> None:
    pack = make_pack(
        tmp_path,
        SHOWN,
        paths=PATHS,
        closures=[closure(when=["l.kind == param.kind"])],
        parameters=[parameter("kind", "string", "transformed", "U")],
    )
    held = _decide(pack, links("AB"))
    assert "parameter kind" in held.errors[0].cause.en
    free = _decide(pack, links("AB"), frozenset({"kind"}))
    assert len(free.findings) == 1
    assert free.officer_confirmed == ("kind",)


def test_search__of_a_dense_graph_ends_soon() -> None:
    nodes = [str(number) for number in range(300)]
    ways = shortest_ways([(a, b) for a in nodes for b in nodes], 64)
    assert len(ways.depths) == 90_000
    with pytest.raises(reachability.TooManyPairsError):
        shortest_ways([(str(n), str(n + 1)) for n in range(10_000)], 64)


# --- reading ----------------------------------------------------------------------------------


def _defects(folder: Path, *, measures: list[dict[str, Any]] | None = None, **changes: Any) -> str:
    _, found = check_pack(
        write_pack(folder, SHOWN, paths=PATHS, closures=[closure(**changes)], measures=measures)
    )
    assert all(isinstance(error, RulePackError) for error in found)
    return "\n".join(str(error) for error in found)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "batch"}, "The name batch of the closure is taken."),
        ({"from": "l.kind"}, "'from' must be a field of l that holds the id of a fact"),
        ({"to": "product.id"}, "'to' must be a field of l"),
        ({"to": "as_of"}, "'to' must be a field of l"),
        ({"from": "l.frm_id"}, "trace_link.frm_id is not known here"),
        ({"depth": 65}, "'depth' is not in 1 to 64."),
        ({"depth": 0}, "'depth' is not in 1 to 64."),
        ({"over": {"l": "recall"}}, "recall has no path to the case."),
        ({"over": {"l": "upstream"}}, "There is no fact type 'upstream'."),
        ({"over": {"l": "trace_link", "m": "trace_link"}}, "'over' names one alias."),
        ({"when": ["l.kind == 5"]}, "compares text with an integer"),
        ({"extra": 1}, "unknown key 'extra'"),
    ],
)
def test_check__refuses_a_closure_that_is_none(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    assert expected in _defects(tmp_path, **changes)


def test_check__refuses_two_closures_of_one_name(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, SHOWN, paths=PATHS, closures=[closure(), closure()])
    _, (error,) = check_pack(folder)
    assert "The name upstream of the closure is taken." in str(error)


def test_check__refuses_a_closure_that_rests_on_its_own_pairs(tmp_path: Path) -> None:
    measure = {"name": "pairs", "title": TEXT, "function": "count", "over": {"u": "upstream"}}
    found = _defects(tmp_path, measures=[measure], when=["measure.pairs > 1"])
    assert "rests on itself" in found


def test_check__refuses_fields_that_pairs_do_not_have(tmp_path: Path) -> None:
    reads = rule(match=[{"u": "upstream"}], when=["u.from.lot == u.to_id"])
    _, found = check_pack(write_pack(tmp_path, reads, paths=PATHS, closures=[closure()]))
    assert "u.from.lot is not known here" in str(found[0])

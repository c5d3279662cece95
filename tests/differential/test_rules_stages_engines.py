"""The engines agree on packs that set, ask, come after others and follow links."""

import os
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carnet.facts.fact import Fact, fact_from_json
from carnet.rules.ast import Pack
from carnet.rules.pack import check_pack, load_earlier
from carnet.rules.stages import Stages
from tests.fixtures_rules import (
    AS_OF,
    CONFIRMABLE,
    DERIVED,
    MEASURES,
    PARAMETERS,
    PATHS,
    TEXT,
    listing,
    outcome_rule,
    output,
    product,
    random_facts,
    random_packs,
    rule,
    write_pack,
)

EXAMPLES = int(os.environ.get("CARNET_DIFFERENTIAL_EXAMPLES", "60"))
OTHERS = ("live", "bulk")
BEYOND_LIVE = {"CRN-R-003", "CRN-R-012"}
"""What lies beyond the live engine is refused by one of these."""
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)
OUTPUTS = [output("tier"), output("fee", "sum"), output("low", "min"), output("high", "max")]
_VALUES = [
    "1", "-3", "param.number", f"param.{CONFIRMABLE}", "measure.count_all", "measure.ratio",
    "product.min_age_months", "measure.count_all * 2 + 1",
]  # fmt: skip


@st.composite
def with_outcomes(draw: st.DrawFn) -> dict[str, Any]:
    """Packs of which some rules set outputs and ask for actions, beside a finding or without."""
    content: dict[str, Any] = draw(random_packs())
    for one in content["rules"]:
        sets = draw(
            st.lists(st.sampled_from([o["name"] for o in OUTPUTS]), unique=True, max_size=2)
        )
        if sets:
            one["set"] = {name: draw(st.sampled_from(_VALUES)) for name in sets}
        if draw(st.booleans()):
            one["action"] = draw(st.sampled_from(["withdraw", "tell_seller"]))
        if (sets or "action" in one) and draw(st.booleans()):
            del one["finding"], one["severity"]
    return content


# --- later packs ------------------------------------------------------------------------------

STAGE_PATHS = {
    **PATHS,
    "decision": "decision.case_id == listing.id",
    "finding": "finding.decision_id -> decision",
    "finding_fact": "finding_fact.finding_id -> finding",
    "decision_value": "decision_value.decision_id -> decision",
}
_FOUND = {"f": "finding"}
LATER = [
    rule("open", match=[{"d": "decision"}], when=['d.conformity == "undetermined"']),
    rule("gap", match=[{"d": "decision"}], when=["!d.is_complete"], severity="minor"),
    rule("found", match=[_FOUND], when=['f.severity in ["blocking", "major"]']),
    rule("two", match=[_FOUND, {"g": "finding"}], when=["f.rule == g.rule"], severity="info"),
    rule("none", without=[{**_FOUND, "when": ['f.rule == "rule-0"']}]),
    rule(
        "certificate",
        match=[{"c": "certificate"}, {"n": "finding_fact"}],
        when=['n.fact_type == "certificate"', "n.fact_id == c.id", 'c.status == "active"'],
        severity="minor",
    ),
    rule("paid", match=[{"v": "decision_value"}], when=['v.name == "fee"', "v.value > 0"]),
    rule("dear", when=["measure.paid >= param.number"], without=[{**_FOUND, "when": []}]),
    outcome_rule("again", match=[{"v": "decision_value"}], when=['v.kind == "output"'],
                 set={"fee": "v.value", "tier": "v.value"}),
    outcome_rule("ask", match=[_FOUND], when=['f.decision.conformity != "conforming"'],
                 action="withdraw"),
]  # fmt: skip
LATER_MEASURES = [
    *MEASURES,
    {
        "name": "paid", "title": TEXT, "function": "sum", "over": {"v": "decision_value"},
        "when": ['v.name == "fee"'], "of": "v.value",
    },
]  # fmt: skip


def _checked(folder: Path) -> Pack | None:
    pack, found = check_pack(folder)
    for error in found:
        assert error.code in BEYOND_LIVE, error
    return None if found else pack


def _published(
    pack: Pack, folder: Path, facts: list[Fact], engine: str, confirmed: frozenset[str]
) -> Any:
    stages = Stages(facts, AS_OF, engine, lambda _: confirmed, load_earlier(folder))
    document = stages.result(pack).to_json()
    assert document.pop("engine") == engine
    return document


def _compare(pack: Pack, folder: Path, facts: list[Fact], confirmed: frozenset[str]) -> Any:
    reference = _published(pack, folder, facts, "reference", confirmed)
    for engine in OTHERS:
        assert _published(pack, folder, facts, engine, confirmed) == reference
        assert _published(pack, folder, facts[::-1], engine, confirmed) == reference
    return reference


@SETTINGS
@given(content=with_outcomes(), facts=random_facts(), is_confirmed=st.booleans())
def test_engines__agree_on_outputs_and_actions(
    content: dict[str, Any], facts: list[Fact], *, is_confirmed: bool
) -> None:
    common: dict[str, Any] = {"parameters": PARAMETERS, "derived": DERIVED, "outputs": OUTPUTS}
    with tempfile.TemporaryDirectory() as name:
        folder = write_pack(Path(name), *content["rules"], measures=MEASURES, **common)
        pack = _checked(folder)
        if pack is not None:
            _compare(pack, folder, facts, frozenset({CONFIRMABLE} if is_confirmed else ()))


@SETTINGS
@given(
    content=with_outcomes(),
    later=st.lists(st.sampled_from(LATER), min_size=1, max_size=5, unique_by=lambda r: r["id"]),
    facts=random_facts(),
    is_confirmed=st.booleans(),
)
def test_engines__agree_on_packs_of_two_stages(
    content: dict[str, Any], later: list[dict[str, Any]], facts: list[Fact], *, is_confirmed: bool
) -> None:
    common: dict[str, Any] = {"parameters": PARAMETERS, "derived": DERIVED, "outputs": OUTPUTS}
    with tempfile.TemporaryDirectory() as name:
        first = write_pack(
            Path(name, "sample", "1"), *content["rules"], measures=MEASURES, **common
        )
        second = write_pack(
            Path(name, "later", "1"), *later, id="later", stage=20, after=["sample"],
            paths=STAGE_PATHS, measures=LATER_MEASURES, **common,
        )  # fmt: skip
        if _checked(first) is None:
            return
        pack = _checked(second)
        assert pack is not None, "the rules of the later pack are within every engine"
        _compare(pack, second, facts, frozenset({CONFIRMABLE} if is_confirmed else ()))


# --- closures ---------------------------------------------------------------------------------

_LINES = [
    [],
    ['l.kind == "transformed"'],
    ['l.kind == "transformed"', "l.quantity > 5"],
    ["!has(l.quantity) || l.quantity > 5"],
    ["l.kind in param.words"],
]
_REACH = [
    rule("far", match=[{"u": "reach"}], when=["u.depth > 1"]),
    rule("circle", match=[{"u": "reach"}], when=["u.from_id == u.to_id"], severity="minor"),
    rule("chain", match=[{"u": "reach"}, {"v": "reach"}], when=["u.to_id == v.from_id"],
         severity="info"),
    rule("none", without=[{"u": "reach", "when": ['u.to_id == "A"']}]),
    rule("from-link", match=[{"l": "trace_link"}, {"u": "reach"}],
         when=["l.from_id == u.from_id", "u.depth == 2"]),
    rule("many", when=["measure.pairs > 3"]),
    outcome_rule("depth", match=[{"u": "reach"}], when=[], scope=[
        {"when": "product.is_radio || !product.is_radio", "reason": TEXT}],
        set={"high": "u.depth", "fee": "1"}),
]  # fmt: skip
_PAIRS = {"name": "pairs", "title": TEXT, "function": "count", "over": {"u": "reach"}}


@st.composite
def random_links(draw: st.DrawFn) -> list[Fact]:
    facts = [listing(), product()]
    for number in range(draw(st.integers(0, 8))):
        ends = draw(st.lists(st.sampled_from("ABCDE"), min_size=2, max_size=2, unique=True))
        quantity = draw(st.sampled_from([{}, {"quantity": 3}, {"quantity": 9}]))
        kind = draw(st.sampled_from(["transformed", "transformed", "shipped"]))
        base = {"type": "trace_link", "id": f"T{number}", "occurred_at": "2026-01-01T00:00:00Z"}
        ends_of = {"from_id": ends[0], "to_id": ends[1]}
        facts.append(fact_from_json({**base, **ends_of, "kind": kind, **quantity}))
    return facts


@SETTINGS
@given(
    lines=st.sampled_from(_LINES),
    depth=st.integers(1, 5),
    rules=st.lists(st.sampled_from(_REACH), min_size=1, max_size=4, unique_by=lambda r: r["id"]),
    facts=random_links(),
)
def test_engines__agree_on_closures(
    lines: list[str], depth: int, rules: list[dict[str, Any]], facts: list[Fact]
) -> None:
    closure = {
        "name": "reach", "title": TEXT, "over": {"l": "trace_link"}, "from": "l.from_id",
        "to": "l.to_id", "when": lines, "depth": depth,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = write_pack(
            Path(name), *rules, paths={**PATHS, "trace_link": "*"}, closures=[closure],
            measures=[_PAIRS], outputs=OUTPUTS, parameters=PARAMETERS,
        )  # fmt: skip
        pack = _checked(folder)
        assert pack is not None, "every one of these rules is within every engine"
        _compare(pack, folder, facts, frozenset())

"""Everything that the engines are compared on: one strategy of vectors for each kind of pack."""

from typing import Any

from hypothesis import strategies as st

from carnet.facts.fact import Fact, fact_from_json
from tests.fixtures_rules import (
    AS_OF,
    CONFIRMABLE,
    DERIVED,
    MEASURES,
    PARAMETERS,
    PATHS,
    TEXT,
    certificate,
    listing,
    outcome_rule,
    output,
    pack_texts,
    product,
    random_facts,
    random_packs,
    rule,
)
from tests.fixtures_shapes import random_shapes
from tests.fixtures_table_packs import GRADES_UNVERIFIED, random_table_packs
from tests.fixtures_vectors import Vector, as_json

COMMON: dict[str, Any] = {"parameters": PARAMETERS, "derived": DERIVED, "measures": MEASURES}
_CONFIRMED = st.sampled_from([(), (CONFIRMABLE,)])
_DATES = st.sampled_from([AS_OF.isoformat(), AS_OF.isoformat(), "2026-11-22", "2026-11-24"])


@st.composite
def plain_vectors(draw: st.DrawFn) -> Vector:
    """Rules with joins, negations, scopes, derived fields and measures."""
    files = pack_texts(*draw(random_packs())["rules"], **COMMON)
    facts = as_json(draw(random_facts()))
    return Vector({"sample/1": files}, facts, draw(_CONFIRMED), draw(_DATES))


@st.composite
def table_vectors(draw: st.DrawFn) -> Vector:
    """Packs with decision tables of every hit policy."""
    content = draw(random_table_packs())
    files = pack_texts(*content.rules, parameters=PARAMETERS, measures=content.measures)
    files |= {f"tables/{name}": text for name, text in content.tables.items()}
    confirmed = draw(st.sampled_from([(), tuple(sorted(GRADES_UNVERIFIED))]))
    return Vector({"sample/1": files}, as_json(draw(random_facts())), confirmed, draw(_DATES))


@st.composite
def shape_vectors(draw: st.DrawFn) -> Vector:
    """Packs of many shapes, and facts of which some are missing."""
    content = draw(random_shapes())
    files = pack_texts(*content.pop("rules"), **content)
    facts = draw(random_facts())
    if draw(st.booleans()):
        facts = [fact for fact in facts if draw(st.integers(0, 4)) or fact.type == "listing"]
    return Vector({"sample/1": files}, as_json(facts), draw(_CONFIRMED), draw(_DATES))


# --- outputs, actions and later packs ---------------------------------------------------------

OUTPUTS = [output("tier"), output("fee", "sum"), output("low", "min"), output("high", "max")]
_VALUES = [
    "1", "-3", "param.number", f"param.{CONFIRMABLE}", "measure.count_all", "measure.ratio",
    "product.min_age_months", "measure.count_all * 2 + 1",
]  # fmt: skip


@st.composite
def _with_outcomes(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rules of which some set outputs and ask for actions, beside a finding or without."""
    rules: list[dict[str, Any]] = draw(random_packs())["rules"]
    for one in rules:
        sets = draw(
            st.lists(st.sampled_from([o["name"] for o in OUTPUTS]), unique=True, max_size=2)
        )
        if sets:
            one["set"] = {name: draw(st.sampled_from(_VALUES)) for name in sets}
        if draw(st.booleans()):
            one["action"] = draw(st.sampled_from(["withdraw", "tell_seller"]))
        if (sets or "action" in one) and draw(st.booleans()):
            del one["finding"], one["severity"]
    return rules


@st.composite
def outcome_vectors(draw: st.DrawFn) -> Vector:
    """Packs that set outputs and ask for actions."""
    files = pack_texts(*draw(_with_outcomes()), outputs=OUTPUTS, **COMMON)
    facts = as_json(draw(random_facts()))
    return Vector({"sample/1": files}, facts, draw(_CONFIRMED), draw(_DATES))


_STAGE_PATHS = {
    **PATHS,
    "decision": "decision.case_id == listing.id",
    "finding": "finding.decision_id -> decision",
    "finding_fact": "finding_fact.finding_id -> finding",
    "decision_value": "decision_value.decision_id -> decision",
}
_FOUND = {"f": "finding"}
_LATER = [
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
_LATER_MEASURES = [
    *MEASURES,
    {
        "name": "paid", "title": TEXT, "function": "sum", "over": {"v": "decision_value"},
        "when": ['v.name == "fee"'], "of": "v.value",
    },
]  # fmt: skip


@st.composite
def stage_vectors(draw: st.DrawFn) -> Vector:
    """Packs of two stages."""
    later = draw(
        st.lists(st.sampled_from(_LATER), min_size=1, max_size=5, unique_by=lambda r: r["id"])
    )
    first = pack_texts(*draw(_with_outcomes()), outputs=OUTPUTS, **COMMON)
    common = {**COMMON, "measures": _LATER_MEASURES, "outputs": OUTPUTS}
    second = pack_texts(
        *later, id="later", stage=20, after=["sample"], paths=_STAGE_PATHS, **common
    )
    packs = {"sample/1": first, "later/1": second}
    return Vector(packs, as_json(draw(random_facts())), draw(_CONFIRMED), draw(_DATES))


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
def _links(draw: st.DrawFn) -> list[Fact]:
    facts = [listing(), product()]
    for number in range(draw(st.integers(0, 8))):
        ends = draw(st.lists(st.sampled_from("ABCDE"), min_size=2, max_size=2, unique=True))
        quantity = draw(st.sampled_from([{}, {"quantity": 3}, {"quantity": 9}]))
        kind = draw(st.sampled_from(["transformed", "transformed", "shipped"]))
        base = {"type": "trace_link", "id": f"T{number}", "occurred_at": "2026-01-01T00:00:00Z"}
        ends_of = {"from_id": ends[0], "to_id": ends[1]}
        facts.append(fact_from_json({**base, **ends_of, "kind": kind, **quantity}))
    return facts


@st.composite
def closure_vectors(draw: st.DrawFn) -> Vector:
    """Packs that follow links."""
    rules = draw(
        st.lists(st.sampled_from(_REACH), min_size=1, max_size=4, unique_by=lambda r: r["id"])
    )
    closure = {
        "name": "reach", "title": TEXT, "over": {"l": "trace_link"}, "from": "l.from_id",
        "to": "l.to_id", "when": draw(st.sampled_from(_LINES)), "depth": draw(st.integers(1, 5)),
    }  # fmt: skip
    files = pack_texts(
        *rules, paths={**PATHS, "trace_link": "*"}, closures=[closure], measures=[_PAIRS],
        outputs=OUTPUTS, parameters=PARAMETERS,
    )  # fmt: skip
    return Vector({"sample/1": files}, as_json(draw(_links())))


# --- instants ---------------------------------------------------------------------------------

_MOMENTS = ("2026-11-22T23:59:59Z", "2026-11-23T00:00:00Z", "2026-11-23T23:59:59Z",
            "2026-11-24T00:00:00Z")  # fmt: skip
_MARKS = ("opened_at", "reported_at", "decided_at", "closed_at")
_OPERATORS = ("==", "!=", "<", "<=", ">", ">=")


@st.composite
def _instant_line(draw: st.DrawFn, alias: str, others: list[str]) -> str:
    own, mark = f"{alias}.{draw(st.sampled_from(_MARKS))}", draw(st.sampled_from(_MARKS))
    other = f"{draw(st.sampled_from(others))}.{mark}"
    operator = draw(st.sampled_from(_OPERATORS))
    if own == other:
        return f"has({own})"
    return draw(
        st.sampled_from(
            [
                f"{own} {operator} {other}",
                f"date_of({own}) {operator} as_of",
                f"date_of({own}) {operator} date_of({other})",
                f"days_between(date_of({own}), as_of) {operator} param.number",
                f"!has({own}) || {own} {operator} {other}",
                f"{alias}.level {operator} measure.count_all",
            ]
        )
    )


@st.composite
def _instant_rule(draw: st.DrawFn, name: str) -> dict[str, Any]:
    aliases = draw(st.sampled_from([["i"], ["i", "j"]]))
    lines = [draw(_instant_line(one, aliases)) for one in aliases]
    shown = "{i.opened_at} {i.closed_at}"
    result = rule(
        name,
        match=[{alias: "incident"} for alias in aliases],
        when=lines,
        finding={"message": {"en": shown, "zh": shown}, "remedy": TEXT},
    )
    if draw(st.booleans()):
        inner = draw(st.lists(_instant_line("w", [*aliases, "w"]), max_size=2, unique=True))
        result["without"] = [{"w": "incident", "when": inner}]
    return result


@st.composite
def _incidents(draw: st.DrawFn) -> list[Fact]:
    facts = [listing(), product()]
    for number in range(draw(st.integers(0, 4))):
        opened, *later = sorted(draw(st.lists(st.sampled_from(_MOMENTS), min_size=1, max_size=4)))
        times = dict(zip(draw(st.permutations(_MARKS[1:])), later, strict=False))
        base = {"type": "incident", "id": f"I{number}", "seller_id": "S1", "kind": "late"}
        level = draw(st.integers(1, 3))
        facts.append(fact_from_json({**base, "level": level, "opened_at": opened, **times}))
    return facts


@st.composite
def instant_vectors(draw: st.DrawFn) -> Vector:
    """Rules about moments."""
    rules = [draw(_instant_rule(f"rule-{n}")) for n in range(draw(st.integers(1, 3)))]
    count = {"name": "count_all", "title": TEXT, "function": "count", "over": {"c": "incident"}}
    files = pack_texts(
        *rules, paths={**PATHS, "incident": "*"}, parameters=PARAMETERS, measures=[count]
    )
    return Vector({"sample/1": files}, as_json(draw(_incidents())), (), draw(_DATES))


# --- lists beside joins -----------------------------------------------------------------------

_LISTS = (
    '{a}.kind in ["eu_doc", "test_report"]', '{a}.act in ["red", "emc"]',
    '{a}.status in ["active", "suspended"]', '!({a}.act in ["emc", "lvd"])',
)  # fmt: skip
_JOINED = (
    "{a}.issued_on {op} {b}.issued_on", "{a}.kind {eq} {b}.kind", "{a}.act {eq} {b}.act",
    "{a}.issued_on {op} {a}.last_reviewed_on", "{a}.last_reviewed_on {op} {b}.issued_on",
)  # fmt: skip


@st.composite
def _beside(draw: st.DrawFn, alias: str, others: list[str]) -> list[str]:
    """Some lines about a certificate: lists, and comparisons with the others, in any order."""
    lists = draw(st.lists(st.sampled_from(_LISTS), max_size=3, unique=True))
    joins = draw(st.lists(st.sampled_from(_JOINED), min_size=1, max_size=3))
    operators = {"op": st.sampled_from(["<", "<=", ">", ">=", "!="]), "eq": st.just("==")}
    lines = [
        line.format(
            a=alias,
            b=draw(st.sampled_from(others)),
            **{name: draw(strategy) for name, strategy in operators.items()},
        )
        for line in [*lists, *joins]
    ]
    return draw(st.permutations(list(dict.fromkeys(lines))))


@st.composite
def _pair_rule(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A rule about two certificates, perhaps without a third."""
    content: dict[str, Any] = {"match": [{"a": "certificate"}, {"b": "certificate"}]}
    content["when"] = draw(_beside("b", ["a"]))
    if draw(st.booleans()):
        block = {"c": "certificate", "when": draw(_beside("c", ["a", "b"]))}
        content["without"] = [block]
    return rule(name, **content)


@st.composite
def join_vectors(draw: st.DrawFn) -> Vector:
    """Lists of texts beside inequalities between facts, where few values make many matches."""
    rules = [draw(_pair_rule(f"rule-{n}")) for n in range(draw(st.integers(1, 4)))]
    days = ["2024-01-01", "2024-01-02", "2024-01-03"]
    facts = [listing(), product()]
    for number in range(draw(st.integers(2, 5))):
        fields = {
            "kind": draw(st.sampled_from(["eu_doc", "test_report", "tech_file"])),
            "act": draw(st.sampled_from(["red", "emc", "lvd"])),
            "status": draw(st.sampled_from(["active", "suspended", "revoked"])),
            "issued_on": draw(st.sampled_from(days)),
        }
        if draw(st.integers(0, 3)):
            later = days[days.index(fields["issued_on"]) :]
            fields["last_reviewed_on"] = draw(st.sampled_from(later))
        facts.append(certificate(f"K{number}", **fields))
    return Vector({"sample/1": pack_texts(*rules)}, as_json(facts), (), AS_OF.isoformat())


GENERATORS: dict[str, st.SearchStrategy[Vector]] = {
    "plain": plain_vectors(),
    "shapes": shape_vectors(),
    "tables": table_vectors(),
    "outcomes": outcome_vectors(),
    "stages": stage_vectors(),
    "closures": closure_vectors(),
    "instants": instant_vectors(),
    "joins": join_vectors(),
}

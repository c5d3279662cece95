"""Random packs with decision tables, mostly valid: tables by type, then lines that read them."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.fixtures_rules import TEXT, rule
from tests.fixtures_tables import table_text

ROW_IDS = ("r0", "r1", "r2", "r3")
GRADES_UNVERIFIED = frozenset(f"{table}.{row}" for table in ("grades", "needs") for row in ROW_IDS)
"""Rows that may be of status U, as officers confirm them."""
_MONTHS = ("-", "< 36", ">= 36", "[0..36]", "(0..168]", "not(36)", '"0, 168"')
_CATEGORIES = ("-", "toy", "helmet", "not(toy)", '"toy, helmet"')
_BOOLEANS = ("-", "-", "true", "false")
_DAYS = ("-", "-", "< 2026-11-23", ">= 2026-11-23", "[2026-11-22..2026-11-24]")
_KINDS = ("eu_doc", "test_report")
_GRADES_VALUES = "value,product.min_age_months,product.category,product.is_foreign_produced,"
_NEEDS_VALUES = "value,product.category,product.is_radio,listing.placed_on,"
_WINDOWS = ("", "", "", "2026-11-23", "2026-11-24")


@dataclass(frozen=True)
class TablePack:
    """A random pack: its tables by file name, rules and measures."""

    tables: dict[str, str]
    rules: list[dict[str, Any]]
    measures: list[dict[str, Any]]


@st.composite
def _row(draw: st.DrawFn, name: str, cells: tuple[tuple[str, ...], ...], *outputs: str) -> str:
    drawn = [draw(st.sampled_from(choices)) for choices in cells]
    status = draw(st.sampled_from(["V", "V", "S", "U"]))
    return ",".join([name, *drawn, *outputs, status, draw(st.sampled_from(_WINDOWS))])


@st.composite
def _grades(draw: st.DrawFn, policy: str) -> str:
    # Every word stands in some row, so that no line compares with what a table never says.
    rows = [
        draw(
            _row(
                name,
                (_MONTHS, _CATEGORIES, _BOOLEANS),
                "AB"[n % 2] if n < 2 else draw(st.sampled_from("AB")),
                draw(st.sampled_from(["", "0", "36", "-5"])),
            )
        )
        for n, name in enumerate(ROW_IDS[: draw(st.integers(2, 4))])
    ]
    order = ('order,,,,"B, A",,,',) if policy in {"P", "O"} else ()
    return table_text(
        policy,
        "in months integer,in category string,in foreign boolean,out grade string,"
        "out step integer,status,valid_from",
        *rows,
        extra=(_GRADES_VALUES, *order),
    )


@st.composite
def _needs(draw: st.DrawFn) -> str:
    rows = [
        draw(
            _row(
                name,
                (_CATEGORIES, _BOOLEANS, _DAYS),
                _KINDS[n % 2] if n < 2 else draw(st.sampled_from(_KINDS)),
                draw(st.sampled_from(["1", "36", "168"])),
            )
        )
        for n, name in enumerate(ROW_IDS[: draw(st.integers(2, 4))])
    ]
    return table_text(
        draw(st.sampled_from(["C", "R"])),
        "in category string,in radio boolean,in placed date,out kind string,out weight integer,"
        "status,valid_from",
        *rows,
        extra=(_NEEDS_VALUES,),
    )


_CASE_LINES = (
    "product.is_radio", "has(product.min_age_months)", 'product.category == "toy"',
    "product.is_foreign_produced || product.is_ppe", "measure.weights > 36", "measure.hits >= 1",
    "product.category in lookup(needs.kind)", '"eu_doc" in lookup(needs.kind)',
    '!("eu_doc" in lookup(needs.kind, "toy", product.is_radio, as_of))',
)  # fmt: skip
_SINGLE_LINES = (
    'lookup(grades.grade) == "A"', "lookup(grades.step) < 36", "measure.doubled != 0",
    'lookup(grades.grade, 36, product.category, product.is_radio) != "A"',
    'lookup(grades.step, measure.hits, "toy", true) >= 0',
    'lookup(grades.grade) == "B" || product.is_ppe',
)  # fmt: skip
_LIST_LINES = ('"A" in lookup(grades.grade)', "36 in lookup(grades.step)")
_LINES = {
    "grades": (
        '{a}.grade == "A"', "{a}.step > 0", "has({a}.step)", '{a}.id != "r1"',
        "{a}.step == product.min_age_months", '{a}.grade == "B" || {a}.step < 0',
    ),
    "needs": (
        '{a}.kind == "eu_doc"', "{a}.weight >= 36", "{a}.weight > product.min_age_months",
        '{a}.id in ["r0", "r1"]', "{a}.kind in lookup(needs.kind)",
    ),
    "certificate": (
        'c.kind == "eu_doc"', "c.is_verified", "has(c.printed_valid_until)",
        "c.printed_valid_until < as_of", "c.kind in lookup(needs.kind)",
        'c.act == "red" || !has(c.number)',
    ),
}  # fmt: skip
_JOINS = ("{c}.kind == {n}.kind", "{n}.weight > {g}.step", "{g}.step != {n}.weight")


def _own_lines(fact_type: str, alias: str) -> list[str]:
    return [line.replace("{a}", alias).replace("c.", f"{alias}.") if fact_type == "certificate"
            else line.replace("{a}", alias) for line in _LINES[fact_type]]  # fmt: skip


def _joins(aliases: dict[str, str]) -> list[str]:
    by_letter = {fact_type[0]: alias for alias, fact_type in aliases.items()}
    return [
        join.format(**by_letter)
        for join in _JOINS
        if all(f"{{{letter}}}" not in join or letter in by_letter for letter in "cng")
    ]


@st.composite
def _rule(draw: st.DrawFn, name: str, *, gives_list: bool) -> dict[str, Any]:
    of_case = [*_CASE_LINES, *(_LIST_LINES if gives_list else _SINGLE_LINES)]
    types = draw(st.lists(st.sampled_from(sorted(_LINES)), max_size=2))
    aliases = {f"m{n}": fact_type for n, fact_type in enumerate(types)}
    own = [line for alias, kind in aliases.items() for line in _own_lines(kind, alias)]
    result = rule(name, severity=draw(st.sampled_from(["blocking", "minor"])))
    result["match"] = [{alias: kind} for alias, kind in aliases.items()]
    pool = st.sampled_from([*own, *own, *_joins(aliases), *of_case])
    result["when"] = draw(st.lists(pool, min_size=1, max_size=3, unique=True))
    if draw(st.integers(0, 3)) == 0:
        result["scope"] = [{"when": draw(st.sampled_from(of_case)), "reason": TEXT}]
    if draw(st.booleans()):
        kind = draw(st.sampled_from(sorted(_LINES)))
        lines = [*_own_lines(kind, "w"), *_joins({**aliases, "w": kind})]
        when = draw(st.lists(st.sampled_from(lines), min_size=1, max_size=2, unique=True))
        result["without"] = [{"w": kind, "when": [line for line in when if "w." in line]}]
    shown = " ".join(f"{{{alias}.id}}" for alias in aliases)
    result["finding"] = {"message": {"en": f"found {shown}", "zh": shown or "无"}, "remedy": TEXT}
    return result


@st.composite
def random_table_packs(draw: st.DrawFn) -> TablePack:
    """Return a random pack with two tables."""
    policy = draw(st.sampled_from(["U", "A", "P", "F", "R", "O", "C", "C+", "C<", "C>", "C#"]))
    gives_list = policy in {"R", "O", "C"}
    aggregated = policy.startswith("C") and not gives_list
    grades = draw(_grades("F" if aggregated else policy))
    tables = {"grades.csv": grades, "needs.csv": draw(_needs())}
    measures = [
        {"name": "weights", "title": TEXT, "function": "sum", "over": {"n": "needs"},
         "of": "n.weight", "when": ['n.kind == "eu_doc"']},
        {"name": "hits", "title": TEXT, "function": "count", "over": {"g": "grades"}},
    ]  # fmt: skip
    if not gives_list:
        measures.append({"name": "doubled", "title": TEXT, "value": "lookup(grades.step) * 2"})
    if aggregated:
        added = grades.replace("hit_policy,F", f"hit_policy,{policy}")
        tables["added.csv"] = added
        value = "lookup(added.step)"
        measures.append({"name": "added", "title": TEXT, "value": value})
    count = draw(st.integers(1, 4))
    rules = [draw(_rule(f"rule-{n}", gives_list=gives_list)) for n in range(count)]
    return TablePack(tables, rules, measures)

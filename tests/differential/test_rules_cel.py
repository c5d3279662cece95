"""What rules mean, compared with CEL: the same lines, read and evaluated by Google's C++ evaluator.

The lines of a pack are a subset of CEL (Common Expression Language). Facts become maps, an absent
field a missing key: reading one is an error there and unknown with us, and `||`, `&&` and `exists`
of CEL absorb errors as Kleene's logic absorbs what is unknown. Dates are timestamps where types are
checked and day numbers where lines are evaluated.
"""

import calendar
import os
import tempfile
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cel_expr_python import cel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carnet.core.errors import RulePackError
from carnet.facts.fact import Fact
from carnet.rules.ast import Line, Pack, Presence, Rule, conditions_of
from carnet.rules.case import Bindings, Case, assemble
from carnet.rules.choices import choices_of
from carnet.rules.evaluate import evaluate_rule
from carnet.rules.finding import bind
from carnet.rules.format.expression import ExpressionError, parse_line
from carnet.rules.format.names import Names
from carnet.rules.pack import check_pack
from carnet.rules.parameters import Known, Unknown
from carnet.rules.run import start_run
from carnet.rules.values import Verdict, computed, line_holds, value_of
from tests.fixtures_rules import (
    AS_OF,
    CONFIRMABLE,
    DERIVED,
    MEASURES,
    PARAMETERS,
    TEXT,
    certificate,
    listing,
    make_pack,
    product,
    random_facts,
    random_packs,
    rule,
    write_pack,
)

EXAMPLES = int(os.environ.get("CARNET_DIFFERENTIAL_EXAMPLES", "80"))
LONG = pytest.mark.timeout(300 + 3 * EXAMPLES)
KINDS = cel.Type
FACT = KINDS.Map(KINDS.STRING, KINDS.DYN)
FACTS = KINDS.List(FACT)


# --- CEL --------------------------------------------------------------------------------------


def _months_later(number: int, months: int) -> int:
    day = date.fromordinal(number)
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return day.replace(year=year, month=month + 1, day=min(day.day, last)).toordinal()


def _functions(day: Any) -> list[Any]:
    """Declare our functions over dates of a type; they are run on day numbers alone."""
    shapes = [
        ("date", day, [KINDS.STRING], lambda text: date.fromisoformat(text).toordinal()),
        ("add_days", day, [day, KINDS.INT], lambda number, count: number + count),
        ("add_months", day, [day, KINDS.INT], _months_later),
        ("days_between", KINDS.INT, [day, day], lambda start, end: end - start),
    ]
    return [
        cel.FunctionDecl(name, [cel.Overload(name, returns, takes, impl=does)])
        for name, returns, takes, does in shapes
    ]


FUNCTIONS = _functions(KINDS.INT)
COMMON = {"param": FACT, "measure": FACT, "as_of": KINDS.INT}


@cache
def _compiled(text: str, names: tuple[tuple[str, bool], ...]) -> Any:
    kinds = {name: FACTS if is_list else FACT for name, is_list in names}
    return cel.NewEnv(variables={**COMMON, **kinds}, functions=FUNCTIONS).compile(text)


def by_cel(text: str, data: Mapping[str, Any]) -> bool | None:
    """Return what CEL says, None for an error."""
    names = ((name, isinstance(value, list)) for name, value in data.items() if name not in COMMON)
    answer = _compiled(text, tuple(sorted(names))).eval(data=dict(data))
    if answer.type() == KINDS.ERROR:
        return None
    assert answer.type() == KINDS.BOOL
    return bool(answer.value())


# --- our facts as CEL's data ------------------------------------------------------------------


def _plain(value: Known) -> Any:
    """Return a value as CEL takes it: a map of its Python binding holds no instants."""
    if isinstance(value, tuple):
        return list(value)
    return value.toordinal() if isinstance(value, date) else value


def _fact_map(fact: Fact, case: Case, depth: int = 2) -> dict[str, Any]:
    result = {"id": fact.id} | {name: _plain(value) for name, value in fact.fields.items()}
    for (owner, name), definition in case.run.pack.derived.items():
        value = computed(definition, fact, case) if owner == fact.type else None
        if value is not None and not isinstance(value, Unknown):
            result[name] = _plain(value)
    for name, value in fact.fields.items():
        target = case.by_key.get((name.removesuffix("_id"), str(value)))
        if name.endswith("_id") and target is not None and depth:
            result[name.removesuffix("_id")] = _fact_map(target, case, depth - 1)
    return result


def _common(case: Case) -> dict[str, Any]:
    parameters = case.run.parameters.items()
    measures = {
        name: computed(one, None, case) for name, one in case.run.pack.measures.items()
    }.items()
    return {
        "param": {name: _plain(v) for name, v in parameters if not isinstance(v, Unknown)},
        "measure": {name: _plain(v) for name, v in measures if not isinstance(v, Unknown)},
        "as_of": case.run.as_of.toordinal(),
    }


def _data(bindings: Bindings, case: Case) -> dict[str, Any]:
    return _common(case) | {alias: _fact_map(fact, case) for alias, fact in bindings.items()}


def _told(verdict: Verdict) -> bool | None:
    return None if isinstance(verdict, Unknown) else verdict


def _asks_for_the_undetermined(lines: tuple[Line, ...], bindings: Bindings, case: Case) -> bool:
    """Return whether `has` asks for what is neither there nor absent: CEL has no such value."""
    for condition in conditions_of(lines):
        if isinstance(condition, Presence) and condition.field.alias in bindings:
            value = value_of(condition.field, bindings, case)
            if isinstance(value, Unknown) and not value.is_absent:
                return True
    return False


# --- generated lines and rules ----------------------------------------------------------------


def _pack(content: dict[str, Any]) -> Pack | None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_pack(
            Path(folder),
            *content["rules"],
            parameters=PARAMETERS,
            derived=DERIVED,
            measures=MEASURES,
        )
        try:
            return check_pack(path)[0]
        except RulePackError:
            return None


def _cases(pack: Pack, facts: list[Fact], *, is_confirmed: bool) -> list[Case]:
    confirmed = frozenset({CONFIRMABLE} if is_confirmed else ())
    cases, _ = assemble(start_run(pack, AS_OF, confirmed), facts)
    return [case for case in cases if not case.broken]


def _text_of(one: Rule) -> str:
    """Return a whole rule as one expression of CEL, but for its choice of facts."""
    parts = [f"({line.text})" for line in one.when]
    for index, block in enumerate(one.without):
        inner = " && ".join(f"({line.text})" for line in block.when) or "true"
        parts.append(f"!further{index}.exists({block.alias}, {inner})")
    return " && ".join(parts)


def _each_choice(one: Rule, case: Case) -> Iterator[tuple[Bindings, list[list[Fact]]]]:
    for choice in choices_of(one, case):
        listed = [case.facts_of(block.fact_type) for block in one.without]
        further = [[fact for fact in some if fact not in choice] for some in listed]
        yield bind(one, choice, case), further


@LONG
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)
@given(content=random_packs(), facts=random_facts(), is_confirmed=st.booleans())
def test_cel__evaluates_lines_and_rules_alike(
    content: dict[str, Any], facts: list[Fact], *, is_confirmed: bool
) -> None:
    pack = _pack(content)
    if pack is None:
        return
    for case in _cases(pack, facts, is_confirmed=is_confirmed):
        for one in pack.rules:
            _compare_rule(one, case)


def _compare_rule(one: Rule, case: Case) -> None:
    matches = evaluate_rule(one, case)
    for bindings, further in _each_choice(one, case):
        data = _data(bindings, case)
        for line in (*one.when, *(each.line for each in one.scope)):
            if not _asks_for_the_undetermined((line,), bindings, case):
                assert by_cel(line.text, data) == _told(line_holds(line, bindings, case)), line.text
        chosen = tuple(bindings[alias] for alias, _ in one.match)
        expected = True if chosen in matches.sure else None if chosen in matches.unsure else False
        if _asks_for_the_undetermined(one.when, bindings, case):
            continue
        for index, (block, some) in enumerate(zip(one.without, further, strict=True)):
            data[f"further{index}"] = [_fact_map(fact, case) for fact in some]
            inner = [{**bindings, block.alias: fact} for fact in some]
            if any(_asks_for_the_undetermined(block.when, each, case) for each in inner):
                break
        else:
            assert by_cel(_text_of(one), data) == expected, _text_of(one)


# --- CEL's own checks in spirit: comparisons, logic, integer arithmetic ------------------------

CASES: list[tuple[str, bool | None]] = [
    ('c.number == "a"', True), ('c.number != "a"', False), ('c.number == "A"', False),
    ('c.number == ""', False), ('c.number in ["b", "a"]', True),
    ('!(c.number in ["b"])', True), ('c.number in ["b"]', False),
    ("c.number == c.body_number", None), ('c.body_number != "a"', None),
    ("has(c.number)", True), ("has(c.body_number)", False), ("!has(c.body_number)", True),
    ("c.is_verified", True), ("!c.is_verified", False), ("c.is_verified == true", True),
    ("c.is_verified != true", False), ("c.is_verified == false", False),
    ('c.issued_on == date("2024-02-29")', True), ("c.issued_on < as_of", True),
    ("c.issued_on >= as_of", False), ('c.issued_on <= date("2024-02-29")', True),
    ('c.issued_on > date("2024-02-28")', True), ("c.last_tested_on < as_of", None),
    ('c.body_number == "a" || c.is_verified', True),
    ('c.is_verified || c.body_number == "a"', True),
    ('c.body_number == "a" || !c.is_verified', None),
    ('!c.is_verified || c.body_number == "a"', None),
    ('!c.is_verified || c.number == "b"', False),
    ("measure.seven == 7", True), ("measure.seven < 7", False), ("measure.seven <= 7", True),
    ("measure.seven > -7", True), ("-7 < measure.seven", True), ("measure.seven != 8", True),
    ("measure.seven + 1 * 2 == 9", True), ("(measure.seven + 1) * 2 == 16", True),
    ("measure.seven - 1 - 2 == 4", True), ("measure.seven - (1 - 2) == 8", True),
    ("-measure.seven == -7", True), ("0 - measure.seven * measure.seven == -49", True),
    ("measure.seven in [6, 7]", True), ("measure.seven in [-7]", False),
    ("measure.seven * 0 == 0", True), ("measure.seven * 1286742750677284 < 9007199254740991", True),
    ('days_between(c.issued_on, date("2024-03-01")) == 1', True),
    ("days_between(as_of, c.issued_on) < 0", True),
    ('add_months(c.issued_on, 12) == date("2025-02-28")', True),
    ('add_months(c.issued_on, -1) == date("2024-01-29")', True),
    ('add_days(c.issued_on, 1) == date("2024-03-01")', True),
]  # fmt: skip
_SEVEN = {"name": "seven", "title": TEXT, "value": "7"}


@pytest.fixture(scope="module")
def one_case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Names, Bindings, Case]:
    folder = tmp_path_factory.mktemp("pack")
    pack = make_pack(folder, rule(when=["product.is_radio"]), measures=[_SEVEN])
    fact = certificate(number="a", issued_on="2024-02-29")
    (case,), _ = assemble(start_run(pack, AS_OF, frozenset()), [listing(), product(), fact])
    names = Names(
        aliases={"c": "certificate"},
        matched=frozenset({"c"}),
        parameters={},
        measures=frozenset({"seven"}),
        derived={},
        reasons=frozenset(),
        types=frozenset({"certificate"}),
    )
    return names, {"c": fact}, case


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text for text, _ in CASES])
def test_cel__says_the_same_of_a_line(
    text: str, expected: bool | None, one_case: tuple[Names, Bindings, Case]
) -> None:
    names, bindings, case = one_case
    assert by_cel(text, _data(bindings, case)) is expected
    assert _told(line_holds(parse_line(text, names), bindings, case)) is expected


# --- types ------------------------------------------------------------------------------------

_LEFT = {
    "string": "c.number",
    "integer": "p.min_age_months",
    "boolean": "c.is_verified",
    "date": "c.issued_on",
}
_RIGHT = {
    "string": ("p.brand", '"x"'),
    "integer": ("measure.seven", "1", "-1"),
    "boolean": ("p.is_ppe", "true", "false"),
    "date": ("as_of", 'date("2026-01-01")', "c.printed_valid_until"),
    "double": ("1.5", "1e3", "-0.5"),
    "unsigned": ("1u",),
    "null": ("null",),
    "list": ('["x"]', "[1]", "[true]"),
    "bytes": ('b"x"',),
}
_TYPES = {
    "c.number": KINDS.STRING, "p.brand": KINDS.STRING, "p.min_age_months": KINDS.INT,
    "measure.seven": KINDS.INT, "c.is_verified": KINDS.BOOL, "p.is_ppe": KINDS.BOOL,
    "c.issued_on": KINDS.TIMESTAMP, "c.printed_valid_until": KINDS.TIMESTAMP,
    "as_of": KINDS.TIMESTAMP,
}  # fmt: skip
_ORDER = ("<", "<=", ">", ">=")
ORDERED_BY_CEL_ALONE = {("string", "string"), ("boolean", "boolean")}
"""CEL orders texts and booleans. We do not: the live engine reads beyond the text."""


def _taken_by_cel(text: str) -> bool:
    try:
        cel.NewEnv(variables=_TYPES, functions=_functions(KINDS.TIMESTAMP)).compile(text)
    except RuntimeError:
        return False
    return True


def _taken_by_us(text: str) -> bool:
    names = Names(
        aliases={"c": "certificate", "p": "product"},
        matched=frozenset({"c"}),
        parameters={},
        measures=frozenset({"seven"}),
        derived={},
        reasons=frozenset(),
        types=frozenset({"certificate", "product"}),
    )
    try:
        parse_line(text, names)
    except ExpressionError:
        return False
    return True


@pytest.mark.parametrize("operator", ["==", "!=", *_ORDER])
def test_cel__refuses_the_coercions_that_we_refuse(operator: str) -> None:
    for left, name in _LEFT.items():
        for right, values in _RIGHT.items():
            for value in values:
                text = f"{name} {operator} {value}"
                by_us, by_them = _taken_by_us(text), _taken_by_cel(text)
                if operator in _ORDER and (left, right) in ORDERED_BY_CEL_ALONE:
                    assert (by_us, by_them) == (False, True), text
                elif right in {"null", "list"}:
                    assert not by_us, text
                else:
                    assert by_us == by_them == (left == right), text


@pytest.mark.parametrize(
    "text",
    [
        "c.number", "p.min_age_months", "!c.number", "!p.min_age_months", "c.is_verified || 1",
        "c.number + 1 == 1", "c.issued_on + 1 == as_of", "c.is_verified + 1 == 1",
        "p.min_age_months * true == 1", "days_between(c.number, as_of) == 1",
        "add_days(as_of, c.number) == as_of", "add_days(1, 1) == as_of", "c.unknown == 1",
        "unknown.number == 1", "date(1) == as_of", "days_between(as_of) == 1",
        "p.min_age_months in 1", "c.is_verified &&", "c.number ==", "== 1", "1 ||", "has(1)",
    ],
)  # fmt: skip
def test_cel__and_we_refuse_the_same_lines(text: str) -> None:
    assert not _taken_by_us(text)
    assert not _taken_by_cel(text) or text in {"c.number", "p.min_age_months"}


@pytest.mark.parametrize(
    "text",
    [
        'c.number < "b"', "c.is_verified < true", "c.number in [1]", 'c.number + "a" == "aa"',
        "p.min_age_months / 2 == 3", "p.min_age_months % 2 == 1", "size(c.number) > 1",
        'c.number.startsWith("a")', 'c.number.matches("a+")', "c.is_verified && c.is_verified",
        "c.is_verified ? c.is_verified : c.is_verified", "[1].exists(x, x == 1)",
        "int(c.number) == 1", "string(p.min_age_months) == c.number",
    ],
)  # fmt: skip
def test_cel__takes_what_is_not_part_of_our_subset(text: str) -> None:
    assert not _taken_by_us(text)

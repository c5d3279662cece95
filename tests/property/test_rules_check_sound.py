"""What the check calls impossible never happens, and no pack, however broken, ends it otherwise."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carnet.core.errors import RulePackError
from carnet.facts.fact import Fact
from carnet.rules.ast import Line, Pack, Rule
from carnet.rules.case import Bindings, Case, assemble
from carnet.rules.check import reach
from carnet.rules.check.inspect import inspect_pack
from carnet.rules.check.possible import Budget
from carnet.rules.choices import choices_of
from carnet.rules.finding import bind
from carnet.rules.format.yaml_strict import parse_yaml
from carnet.rules.pack import check_pack
from carnet.rules.run import start_run, unverified_of
from carnet.rules.values import holds, verdict_of
from tests.fixtures_rules import (
    AS_OF,
    DERIVED,
    MEASURES,
    PARAMETERS,
    certificate,
    header,
    listing,
    parameter,
    product,
    random_facts,
    random_packs,
    rule,
    spell,
    write_pack,
)

EXAMPLES = int(os.environ.get("CARNET_CHECK_EXAMPLES", "60"))
CALM = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)


def _pack(*rules: dict[str, Any], **more: Any) -> Pack | None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return check_pack(write_pack(Path(folder), *rules, **more))[0]
        except RulePackError:
            return None


def _choices(pack: Pack, one: Rule, facts: list[Fact]) -> Iterator[tuple[Bindings, Case]]:
    """Yield the facts that a rule may bind in each case, U parameters confirmed."""
    cases, _ = assemble(start_run(pack, AS_OF, unverified_of(pack)), facts)
    for case in cases:
        if not case.broken and holds(pack.case.when, case.named, case) is True:
            for choice in choices_of(one, case):
                yield bind(one, choice, case), case


def _check_rule(pack: Pack, one: Rule, facts: list[Fact]) -> None:
    scope = tuple(each.line for each in one.scope)
    lines = (*scope, *one.when)
    is_impossible = bool(list(reach._unreachable(pack, one, Budget())))
    idle = {each.message.en for each in reach._idle_lines(pack, one, Budget())}
    empty = list(reach._empty_blocks(pack, one, Budget()))
    for bindings, case in _choices(pack, one, facts):
        is_found = holds(lines, bindings, case) is True
        assert not (is_impossible and is_found), one
        if idle and not is_impossible:
            _check_idle(one, lines, idle, bindings, case)
        if is_found and len(empty) == len(one.without):
            for block in one.without:
                taken = [bindings[alias] for alias, _ in one.match]
                for fact in case.facts_of(block.fact_type):
                    if fact not in taken:
                        inner = {**bindings, block.alias: fact}
                        assert holds(block.when, inner, case) is not True, (one, block)


def _check_idle(
    one: Rule, lines: tuple[Line, ...], idle: set[str], bindings: Bindings, case: Case
) -> None:
    for line in lines:
        others = tuple(each for each in lines if each is not line)
        if holds(others, bindings, case) is not True:
            continue
        if any(text.startswith(f"rules/all.yaml:1: The line {line.text} of") for text in idle):
            assert holds((line,), bindings, case) is True, (one, line)
        for number, condition in enumerate(line.conditions, start=1):
            if any(f"Alternative {number} of the line {line.text} of" in text for text in idle):
                assert verdict_of(condition, bindings, case) is not True, (one, line, number)


@CALM
@given(random_packs(), random_facts())
def test_generated__rules_called_impossible_find_nothing(
    content: dict[str, Any], facts: list[Fact]
) -> None:
    pack = _pack(
        *content["rules"], parameters=PARAMETERS, derived=DERIVED, measures=MEASURES
    )  # fmt: skip
    if pack is not None:
        for one in pack.rules:
            _check_rule(pack, one, facts)


# --- lines about one fact, dense enough that many of them hold ---------------------------------

DAYS = ["2024-01-01", "2024-01-02", "2024-01-03"]
KINDS = ["eu_doc", "qa_cert", "tech_file"]
DATES = ["c.issued_on", "c.valid_from", "as_of", "param.day", *(f'date("{d}")' for d in DAYS)]
TEXTS = ["c.number", "c.body_number", '"0001"', '"0002"']
_VALUES = st.sampled_from([*DATES, "add_days(c.issued_on, 1)", "add_days(c.valid_from, -1)"])
CONDITIONS = st.one_of(
    st.tuples(_VALUES, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), _VALUES).map(" ".join),
    st.tuples(st.sampled_from(TEXTS), st.sampled_from(["==", "!="]), st.sampled_from(TEXTS)).map(
        " ".join
    ),
    st.sampled_from(
        ["c.is_verified", "!c.is_verified", "has(c.number)", "!has(c.valid_from)"]
        + [f'c.kind {sign} "{kind}"' for sign in ("==", "!=") for kind in KINDS]
        + ['c.kind in ["eu_doc", "qa_cert"]', '!(c.kind in ["eu_doc"])']
        + [f"product.min_age_months {sign} {n}" for sign in ("<", ">=", "!=") for n in (0, 1, 2)]
        + ["product.min_age_months in [0, 2]", "product.min_age_months + 1 > 2"]
    ),
)
LINES = st.lists(st.lists(CONDITIONS, min_size=1, max_size=3).map(" || ".join), max_size=5)
FACTS = st.builds(
    lambda age, *given: [listing(), product(**age), *given],
    st.sampled_from([{}, *({"min_age_months": n} for n in range(3))]),
    *[
        st.builds(
            lambda fields, name=name: certificate(name, **fields),
            st.fixed_dictionaries(
                {
                    "kind": st.sampled_from(KINDS),
                    "issued_on": st.sampled_from(DAYS),
                    "is_verified": st.booleans(),
                },
                optional={
                    "valid_from": st.sampled_from(DAYS),
                    "number": st.sampled_from(["0001", "0002"]),
                    "body_number": st.sampled_from(["0001", "0002"]),
                },
            ),
        )
        for name in ("K1", "K2", "K3")
    ],
)
DAY = parameter("day", "date", date(2024, 1, 2))


@settings(CALM, max_examples=4 * EXAMPLES)
@given(LINES, LINES, FACTS)
def test_dense__what_is_called_impossible_never_happens(
    lines: list[str], inner: list[str], facts: list[Fact]
) -> None:
    block = {"n": "certificate", "when": [line.replace("c.", "n.") for line in inner]}
    pack = _pack(rule(match=[{"c": "certificate"}], when=lines, without=[block]), parameters=[DAY])
    if pack is not None and pack.rules:
        _check_rule(pack, pack.rules[0], facts)


# --- broken packs -----------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    "pack.yaml": header(),
    "parameters.yaml": {"parameters": [DAY]},
    "rules/all.yaml": {
        "derived": DERIVED,
        "measures": MEASURES,
        "rules": [
            rule(match=[{"c": "certificate"}], when=["c.issued_on < param.day"],
                 without=[{"n": "certificate", "when": ["n.kind == c.kind"]}],
                 scope=[{"when": "product.is_radio", "reason": {"en": "a", "zh": "甲"}}]),
        ],
    },
}  # fmt: skip
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.text(max_size=20),
    st.sampled_from(["", "a.b", "{", "c.kind", "-> ->", "*", "2024-01-01", "\u0435", "\x00", "||"]),
    st.dates(),
    st.just([]),
    st.just({}),
    st.just([[[]]]),
    st.just({"en": 1}),
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _paths(inner, (*path, number))


PLACES = [(name, path) for name, one in GOOD.items() for path in _paths(one)]


def _changed(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    first, *rest = path
    if isinstance(value, dict):
        return {k: _changed(v, tuple(rest), odd) if k == first else v for k, v in value.items()}
    return [_changed(v, tuple(rest), odd) if n == first else v for n, v in enumerate(value)]


@settings(CALM, max_examples=4 * EXAMPLES)
@given(st.sampled_from(PLACES), ODD)
def test_broken__pack_is_told_and_never_ends_the_check(
    place: tuple[str, tuple[Any, ...]], odd: Any
) -> None:
    name, path = place
    with tempfile.TemporaryDirectory() as folder:
        write_pack(Path(folder), rule(when=["product.is_radio"]))
        for file, content in GOOD.items():
            changed = _changed(content, path, odd) if file == name else content
            (Path(folder) / file).write_text(spell(changed), encoding="utf-8", errors="replace")
        found = inspect_pack(Path(folder))
    assert found.pack is not None or found.errors


@CALM
@given(st.binary(max_size=400))
def test_bytes__are_a_document_or_are_refused(data: bytes) -> None:
    """Nothing but a refusal of the reader comes out."""
    with suppress(RulePackError):
        parse_yaml(data, "x.yaml")

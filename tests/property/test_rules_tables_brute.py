"""Random tables against two slow independent readings: trying rows, and trying every input.

The reading of a table here shares nothing with the program: cells are Python predicates made beside
their text, hit policies are written out from the standard, and gaps and overlaps are looked for by
trying every point of a small domain.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carnet.core.text import Text
from carnet.rules.check.regions import Budget, Space, common, sample_of, uncovered
from carnet.rules.check.tables import table_defects
from carnet.rules.parameters import Unknown
from carnet.rules.tables import CompiledTable
from tests.fixtures_rules import AS_OF
from tests.fixtures_tables import read_table, table_pack, table_text

EXAMPLES = int(os.environ.get("CARNET_TABLE_EXAMPLES", "150"))
NUMBERS = range(-2, 12)
WORDS = ("toy", "helmet", "a, b", "elsewhere")
UNKNOWN = Unknown(Text("no value", "没有值"))
ORDER = ("high", "mid", "low")
Predicate = Callable[[Any], bool]
Truth = bool | None


@dataclass(frozen=True)
class _Row:
    name: str
    tests: tuple[Predicate | None, ...]
    word: str
    number: int
    text: str


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@st.composite
def _number_test(draw: st.DrawFn) -> tuple[str, Predicate]:
    low, high = sorted(draw(st.tuples(st.integers(0, 9), st.integers(0, 9))))
    with_low, with_high = draw(st.booleans()), draw(st.booleans())
    form = draw(st.sampled_from(["value", "<", "<=", ">", ">=", "range"]))
    if form == "range" and high - low >= 2:
        text = f"{'[' if with_low else '('}{low}..{high}{']' if with_high else ')'}"
        inside = {n for n in NUMBERS if low < n < high}
        inside |= ({low} if with_low else set()) | ({high} if with_high else set())
        return text, lambda value: value in inside
    if form == "<":
        return f"< {low}", lambda value: value < low
    if form == "<=":
        return f"<={low}", lambda value: value <= low
    if form == ">":
        return f">{low}", lambda value: value > low
    if form == ">=":
        return f">= {low}", lambda value: value >= low
    return str(low), lambda value: value == low


@st.composite
def _cell(draw: st.DrawFn, kind: str) -> tuple[str, Predicate | None]:
    if draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(["", "-"])), None
    if kind == "boolean":
        wanted = draw(st.booleans())
        return str(wanted).lower(), lambda value: value is wanted
    if kind == "integer":
        parts = draw(st.lists(_number_test(), min_size=1, max_size=3))
    else:
        words = draw(st.lists(st.sampled_from(WORDS[:3]), min_size=1, max_size=2, unique=True))
        spelled = [f'"{word}"' if "," in word else word for word in words]
        parts = [(text, word.__eq__) for text, word in zip(spelled, words, strict=True)]
    text = ", ".join(one for one, _ in parts)
    tests = [test for _, test in parts]
    if draw(st.booleans()):
        return text, lambda value: any(test(value) for test in tests)
    return f"not({text})", lambda value: not any(test(value) for test in tests)


KINDS = ("integer", "string", "boolean")


@st.composite
def _rows(draw: st.DrawFn) -> list[_Row]:
    result = []
    for n in range(draw(st.integers(1, 6))):
        cells = [draw(_cell(kind)) for kind in KINDS]
        word, number = draw(st.sampled_from(ORDER)), draw(st.integers(-3, 3))
        text = ",".join([f"r{n}", *(_quoted(one) for one, _ in cells), word, str(number)])
        result.append(_Row(f"r{n}", tuple(test for _, test in cells), word, number, text))
    return result


def _text(policy: str, rows: list[_Row]) -> str:
    extra = (',,,,"high, mid, low"',) if policy in {"P", "O"} else ()
    return table_text(
        policy,
        "in n integer,in s string,in b boolean,out word string,out number integer",
        *(row.text for row in rows),
        extra=tuple(f"order{one}" for one in extra),
    )


def _verdict(row: _Row, point: tuple[Any, ...]) -> Truth:
    result: Truth = True
    for test, value in zip(row.tests, point, strict=True):
        if test is None:
            continue
        if value is UNKNOWN:
            result = None
        elif not test(value):
            return False
    return result


def _expected(policy: str, rows: list[_Row], point: tuple[Any, ...]) -> Any:
    """Return the words and numbers of a result; "?" where it cannot be told."""
    verdicts = [(row, _verdict(row, point)) for row in rows]
    if policy == "P":
        verdicts.sort(key=lambda pair: ORDER.index(pair[0].word))
    maybe = [pair for pair in verdicts if pair[1] is not False]
    if policy in {"F", "P"}:
        if not maybe:
            return None
        return "?" if maybe[0][1] is None else [maybe[0][0]]
    sure = [row for row, verdict in maybe if verdict]
    if len(sure) < len(maybe):
        return "?"
    if policy == "U":
        return "?" if len(sure) > 1 else sure or None
    if policy == "A":
        differ = len({(row.word, row.number) for row in sure}) > 1
        return "?" if differ else sure[:1] or None
    if policy == "O":
        return sorted(sure, key=lambda row: ORDER.index(row.word))
    return sure


def _collected(policy: str, numbers: list[int]) -> Any:
    if policy == "C#":
        return len(numbers)
    if not numbers:
        return None
    return {"C+": sum, "C<": min, "C>": max}[policy](numbers)


POLICIES = ("U", "A", "P", "F", "R", "O", "C", "C+", "C<", "C>", "C#")


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=_rows(),
    policy=st.sampled_from(POLICIES),
    points=st.lists(
        st.tuples(
            st.sampled_from([*NUMBERS, UNKNOWN]),
            st.sampled_from([*WORDS, UNKNOWN]),
            st.sampled_from([True, False, UNKNOWN]),
        ),
        min_size=1,
        max_size=20,
    ),
)
def test_lookup__is_what_trying_every_row_gives(
    rows: list[_Row], policy: str, points: list[tuple[Any, ...]]
) -> None:
    table = CompiledTable(read_table(_text(policy, rows)), AS_OF, frozenset())
    for point in points:
        expected = _expected(policy, rows, point)
        found = table.lookup(1, point)
        if expected == "?":
            assert isinstance(found, Unknown), (policy, point)
            assert not found.is_absent
            continue
        if policy in {"R", "O", "C"}:
            assert found == tuple(row.number for row in expected or []), (policy, point)
            continue
        numbers = [row.number for row in expected or []]
        wanted = _collected(policy, numbers) if len(policy) > 1 else (numbers or [None])[0]
        if wanted is None:
            assert isinstance(found, Unknown), (policy, point)
            assert found.is_absent
        else:
            assert found == wanted, (policy, point)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=_rows(), policy=st.sampled_from(["U", "A", "F", "P", "C"]))
def test_analysis__is_what_trying_every_input_finds(rows: list[_Row], policy: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = _text(policy, rows)
        pack = table_pack(Path(folder), {"sample.csv": text}, parameters=[])
    table = pack.tables["sample"]
    points = list(product(NUMBERS, WORDS, (True, False)))
    hits = {point: [row.name for row in rows if _verdict(row, point)] for point in points}
    space = Space(table, pack)
    open_boxes = list(uncovered(space.everything, space.boxes, Budget(10**7)))
    assert bool(open_boxes) == any(not names for names in hits.values())
    for box in open_boxes:
        sample = tuple(sample_of(box, space.axes).values())
        assert not any(_verdict(row, sample) for row in rows), sample
    together = {pair for names in hits.values() for pair in product(names, names)}
    for one, first in zip(table.rows, space.boxes, strict=True):
        for other, second in zip(table.rows, space.boxes, strict=True):
            assert (common(first, second) is not None) == ((one.id, other.id) in together)
    _check_told(policy, rows, hits, [error.code for error in table_defects(pack)])


def _check_told(
    policy: str, rows: list[_Row], hits: dict[Any, list[str]], codes: list[str]
) -> None:
    by_name = {row.name: row for row in rows}
    pairs = {(a, b) for names in hits.values() for a in names for b in names if a < b}
    differing = {
        (a, b)
        for a, b in pairs
        if (by_name[a].word, by_name[a].number) != (by_name[b].word, by_name[b].number)
    }
    assert ("CRN-R-015" in codes) == any(not names for names in hits.values())
    assert codes.count("CRN-R-016") == (min(len(pairs), 21) if policy == "U" else 0)
    assert codes.count("CRN-R-017") == (len(differing) if policy == "A" else 0)
    if policy in {"F", "P"}:
        rank = {row.name: (ORDER.index(row.word) if policy == "P" else 0) for row in rows}
        first = {min(names, key=rank.__getitem__) for names in hits.values() if names}
        assert codes.count("CRN-R-018") == len(rows) - len(first)


# --- windows ----------------------------------------------------------------------------------

_FIRST, _SPAN = date(2026, 1, 1), 12
_DAYS = [_FIRST + timedelta(days=n) for n in range(_SPAN)]


@st.composite
def _window(draw: st.DrawFn) -> tuple[date | None, date | None, date | None]:
    days = st.sampled_from([None, None, *_DAYS[1:-1]])
    start, end, known = draw(days), draw(days), draw(days)
    return (start, None, known) if start and end and end < start else (start, end, known)


def _counts(window: tuple[date | None, date | None, date | None], day: date) -> bool:
    start, end, known = window
    return day in {
        one
        for one in _DAYS
        if not (start and one < start) and not (end and one > end) and not (known and one < known)
    }


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["-", "true", "false"]), _window()), min_size=1, max_size=5
    )
)
def test_windows__of_rows_are_what_trying_every_day_finds(rows: list[Any]) -> None:
    lines = [
        ",".join([f"r{n}", cell, str(n), *("" if day is None else str(day) for day in window)])
        for n, (cell, window) in enumerate(rows)
    ]
    text = table_text("U", "in b boolean,out x integer,valid_from,valid_to,known_from", *lines)
    with tempfile.TemporaryDirectory() as folder:
        window = {"from": _DAYS[0], "to": _DAYS[-1]}
        pack = table_pack(Path(folder), {"sample.csv": text}, parameters=[], effective=window)
    hits = {
        (value, day): [
            n
            for n, (cell, window) in enumerate(rows)
            if cell in {"-", str(value).lower()} and _counts(window, day)
        ]
        for value in (True, False)
        for day in _DAYS
    }
    codes = [error.code for error in table_defects(pack)]
    assert ("CRN-R-015" in codes) == any(not names for names in hits.values())
    pairs = {(a, b) for names in hits.values() for a in names for b in names if a < b}
    assert codes.count("CRN-R-016") == len(pairs)
    for (value, day), names in hits.items():
        found = CompiledTable(pack.tables["sample"], day, frozenset()).hits((value,))
        if len(names) > 1:
            assert isinstance(found, Unknown)
        else:
            assert not isinstance(found, Unknown)
            assert [row.id for row in found] == [f"r{n}" for n in names]

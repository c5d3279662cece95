"""The functions of values give in SQL what the reference gives, to the last unit."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from carnet.core.canonical import INTEGER_MAX
from carnet.rules.bulk import arithmetic
from carnet.rules.bulk.arithmetic import FUNCTIONS
from carnet.rules.bulk.dialect import render
from carnet.rules.bulk.sql import column, number
from carnet.rules.functions import apply

INTEGERS = st.one_of(
    st.integers(-20, 20),
    st.integers(-(10**6), 10**6),
    st.integers(-INTEGER_MAX, INTEGER_MAX),
    st.sampled_from([INTEGER_MAX, -INTEGER_MAX, INTEGER_MAX - 1, 2**52, 94906265, 94906266]),
)
DATES = st.one_of(
    st.dates(),
    st.sampled_from([date.min, date.max, date(2024, 2, 29), date(2023, 1, 31), date(2026, 12, 31)]),
)
ROWS = 200
_INTEGER = ["+", "-", "*", "div_down", "div_up", "ratio_bps_down", "ratio_bps_up"]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": "1"}) as one:
        yield one


def in_sql(
    connection: duckdb.DuckDBPyConnection, function: str, pairs: list[tuple[Any, Any]]
) -> list[Any]:
    kinds = ["DATE" if isinstance(one, date) else "BIGINT" for one in pairs[0]]
    connection.execute(f'CREATE OR REPLACE TABLE t (n INTEGER, "a" {kinds[0]}, "b" {kinds[1]})')
    rows = [[place, *pair] for place, pair in enumerate(pairs)]
    connection.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    sql = render(FUNCTIONS[function](column("t", "a"), column("t", "b")), "duckdb")
    return [value for (value,) in connection.execute(f"SELECT {sql} FROM t ORDER BY n").fetchall()]


def assert_same(
    connection: duckdb.DuckDBPyConnection, function: str, pairs: list[tuple[Any, Any]]
) -> None:
    expected = [apply(function, pair) for pair in pairs]
    for pair, found, wanted in zip(
        pairs, in_sql(connection, function, pairs), expected, strict=True
    ):
        assert found == wanted, (function, pair)


@pytest.mark.parametrize("function", _INTEGER)
@settings(max_examples=15, deadline=None)
@given(pairs=st.lists(st.tuples(INTEGERS, INTEGERS), min_size=1, max_size=ROWS))
@example(pairs=[(INTEGER_MAX, 1), (-INTEGER_MAX, -1), (INTEGER_MAX, INTEGER_MAX), (7, -3), (-7, 3)])
@example(pairs=[(0, 0), (1, 0), (0, 5), (-1, 10_000), (1, 10_000), (9_999, 10_000)])
def test_arithmetic__integers_are_exact(
    connection: duckdb.DuckDBPyConnection, function: str, pairs: list[tuple[int, int]]
) -> None:
    assert_same(connection, function, pairs)


@settings(max_examples=15, deadline=None)
@given(
    pairs=st.lists(
        st.one_of(
            st.integers(0, 40).flatmap(lambda n: st.tuples(st.integers(-1, n + 1), st.just(n))),
            st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
            st.integers(1, INTEGER_MAX).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
            st.integers(1, INTEGER_MAX).flatmap(
                lambda n: st.tuples(st.sampled_from([0, 1, n - 1, n]), st.just(n))
            ),
        ),
        min_size=1,
        max_size=ROWS,
    )
)
@example(pairs=[(INTEGER_MAX, INTEGER_MAX), (0, INTEGER_MAX), (0, 0), (5, -1)])
def test_arithmetic__wilson_bound_is_exact(
    connection: duckdb.DuckDBPyConnection, pairs: list[tuple[int, int]]
) -> None:
    assert_same(connection, "wilson_lower_bps", pairs)


def test_arithmetic__wilson_bound_is_exact_for_all_small_samples(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    pairs = [(s, n) for n in range(1, 90) for s in range(n + 1)]
    assert_same(connection, "wilson_lower_bps", pairs)


@pytest.mark.parametrize("off", [-1, 1])
def test_arithmetic__integers_decide_the_wilson_bound_whatever_the_floats_say(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, off: int
) -> None:
    estimate = arithmetic._estimate
    monkeypatch.setattr(
        arithmetic, "_estimate", lambda s, n: arithmetic.add(estimate(s, n), number(off))
    )
    pairs = [(s, n) for n in (1, 7, 50, 10**6, INTEGER_MAX) for s in (0, 1, n // 2, n - 1, n)]
    assert_same(connection, "wilson_lower_bps", pairs)


@pytest.mark.parametrize("function", ["add_days", "add_months", "add_years"])
@settings(max_examples=15, deadline=None)
@given(pairs=st.lists(st.tuples(DATES, INTEGERS), min_size=1, max_size=ROWS))
@example(pairs=[(date.min, -1), (date.max, 1), (date(2024, 1, 31), 1), (date(2024, 2, 29), -12)])
@example(pairs=[(date(1, 1, 31), 1), (date(9999, 12, 31), -1), (date(9999, 11, 30), 1)])
def test_arithmetic__dates_are_clamped_and_bounded(
    connection: duckdb.DuckDBPyConnection, function: str, pairs: list[tuple[date, int]]
) -> None:
    assert_same(connection, function, pairs)


def test_arithmetic__every_day_of_years_with_and_without_a_leap_day(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    days = [date(2023, 12, 1) + timedelta(days=place) for place in range(460)]
    for months in (-25, -12, -1, 1, 2, 11, 13):
        assert_same(connection, "add_months", [(day, months) for day in days])


@settings(max_examples=15, deadline=None)
@given(pairs=st.lists(st.tuples(DATES, DATES), min_size=1, max_size=ROWS))
def test_arithmetic__days_between_counts_both_ways(
    connection: duckdb.DuckDBPyConnection, pairs: list[tuple[date, date]]
) -> None:
    assert_same(connection, "days_between", pairs)

"""What is left of a query where relations hold no rows gives the same rows as the whole."""

from collections.abc import Iterator
from itertools import combinations

import duckdb
import pytest
from sqlglot import exp, parse_one

from carnet.rules.bulk.prune import names_in, prunable, remaining

TABLES = ("a", "b", "c")
QUERIES = [
    "SELECT a.n FROM a JOIN b ON a.n = b.n",
    "SELECT a.n FROM a, b WHERE a.n = b.n",
    "SELECT a.n, b.n AS other FROM a LEFT JOIN b ON a.n = b.n",
    "SELECT a.n FROM a WHERE NOT EXISTS(SELECT 1 FROM b WHERE b.n = a.n)",
    "SELECT a.n FROM a WHERE NOT (EXISTS(SELECT 1 FROM b WHERE b.n = a.n) AND a.n > 1)",
    "SELECT a.n FROM a WHERE EXISTS(SELECT 1 FROM b WHERE b.n = a.n) OR a.n > 1",
    "SELECT a.n FROM a WHERE a.n IN (SELECT b.n FROM b) OR a.n NOT IN (SELECT c.n FROM c)",
    "SELECT n FROM a UNION ALL SELECT n FROM b UNION ALL SELECT n FROM c",
    "SELECT n FROM a UNION SELECT n FROM b",
    "SELECT DISTINCT n FROM (SELECT n FROM a UNION ALL SELECT n FROM b) AS u",
    "SELECT count(*) AS n FROM a",
    "SELECT count(*) AS n FROM a, b WHERE a.n = b.n",
    "SELECT n, count(*) AS k FROM a GROUP BY n",
    "SELECT a.n FROM a WHERE a.n > (SELECT count(*) FROM b)",
    (
        "SELECT a.n, CASE WHEN a.n IN (SELECT n FROM b) THEN 'b' WHEN a.n IN (SELECT n FROM c)"
        " THEN 'c' ELSE 'none' END AS which FROM a"
    ),
    "SELECT a.n, CASE WHEN a.n IN (SELECT n FROM b) THEN 'b' END AS which FROM a",
    "WITH w AS (SELECT n FROM b) SELECT a.n FROM a JOIN w ON w.n = a.n",
    "SELECT u.n FROM (SELECT n FROM a WHERE NOT EXISTS(SELECT 1 FROM c)) AS u JOIN b ON b.n = u.n",
]


def _empties() -> Iterator[frozenset[str]]:
    for count in range(len(TABLES) + 1):
        yield from map(frozenset, combinations(TABLES, count))


@pytest.mark.parametrize("text", QUERIES)
def test_remaining__gives_the_rows_of_the_whole(text: str) -> None:
    query = parse_one(text, dialect="duckdb").assert_is(exp.Query)
    spelled = query.sql("duckdb")
    for empty in _empties():
        with duckdb.connect() as connection:
            for name in TABLES:
                rows = 0 if name in empty else 3
                connection.execute(f"CREATE TABLE {name} AS SELECT range AS n FROM range({rows})")
            expected = sorted(connection.execute(text).fetchall(), key=str)
            rest = remaining(query, empty)
            found = [] if rest is None else connection.execute(rest.sql("duckdb")).fetchall()
            assert sorted(found, key=str) == expected, empty
            # What need not stay is gone.
            staying = set(names_in(query)) - set(prunable(query))
            assert not set(names_in(rest)) & empty - staying - _again(query), empty
    assert query.sql("duckdb") == spelled


def _again(query: exp.Query) -> set[str]:
    """Return the names that also stand where they stay."""
    left = names_in(query)
    left.subtract(prunable(query))
    return {name for name, count in left.items() if count > 0} | (
        set(names_in(query)) if query.find(exp.Count) else set()
    )


def test_remaining__drops_what_cannot_have_rows() -> None:
    def left(text: str, *empty: str) -> str | None:
        rest = remaining(parse_one(text, dialect="duckdb"), empty)
        return None if rest is None else rest.sql("duckdb")

    assert left("SELECT n FROM a JOIN b USING (n)", "b") is None
    assert left("SELECT n FROM a UNION ALL SELECT n FROM b", "b") == "SELECT n FROM a"
    assert left("SELECT n FROM a WHERE NOT EXISTS(SELECT 1 FROM b)", "b") == "SELECT n FROM a"
    assert left("SELECT n FROM a WHERE EXISTS(SELECT 1 FROM b)", "b") is None
    assert left("SELECT n FROM a LEFT JOIN b USING (n)", "b") is not None

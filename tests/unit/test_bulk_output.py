"""The steps of a run and what is made of its result tables."""

import json
from datetime import date
from pathlib import Path

import pytest
from pyarrow import parquet
from sqlglot import exp, parse_one

from carnet.core.digests import PackDigest
from carnet.core.text import Text
from carnet.rules.bulk import output, running
from carnet.rules.bulk.batches import run_on_duck
from carnet.rules.bulk.duck import BulkDatabase, BulkLimits
from carnet.rules.bulk.output import Results, show_results
from carnet.rules.bulk.steps import Program, Step, last_reads
from carnet.rules.decision import Decision, EvaluationResult, Finding, NotApplicable, RuleError

SMALL = BulkLimits(memory_max=256 * 1024 * 1024, threads=1)
HEADER = EvaluationResult("toy", "1", PackDigest(bytes(32)), date(2026, 11, 23), "bulk", ())


def step(name: str, query: str, *, is_view: bool = False) -> Step:
    return Step(name, parse_one(query, dialect="duckdb").assert_is(exp.Query), is_view)


CASES = [
    step("c", "SELECT CAST(range AS VARCHAR) AS case_id, range AS n FROM range(3)"),
    step(
        "r_case",
        "SELECT case_id, CASE n WHEN 0 THEN 'conforming' WHEN 1 THEN 'nonconforming'"
        " ELSE 'undetermined' END AS conformity FROM c",
    ),
    step(
        "r_finding",
        "SELECT case_id, 'rule-1' AS rule, 'blocking' AS severity,"
        " [{'type': 'listing', 'id': case_id}] AS facts,"
        " 'a \"text\"\nof ' || case_id AS message_en, '甲' AS message_zh,"
        " 'do' AS remedy_en, '改' AS remedy_zh, ['LAW-1'] AS citation,"
        ' \'{"listing.id": "1", "n": 1, "yes": true}\' AS values_json, [\'x\'] AS choice'
        " FROM c WHERE n = 1",
        is_view=True,
    ),
    step("r_measure", "SELECT case_id, 'total' AS name, n AS value FROM c WHERE n < 2"),
    step(
        "r_error",
        "SELECT case_id, 'rule-2' AS rule, 'why' AS cause_en, '因' AS cause_zh"
        " FROM c, range(2) WHERE n = 2",
    ),
    step("r_confirmed", "SELECT case_id, 'parameter-1' AS parameter FROM c WHERE n = 0"),
    step("r_unreached", "SELECT 'product' AS type, 'P1' AS id"),
]
EXPECTED = (
    Decision(("listing", "0"), "conforming", ("parameter-1",), {"total": 0}, {}, (), (), ()),
    Decision(
        ("listing", "1"),
        "nonconforming",
        (),
        {"total": 1},
        {},
        (
            Finding(
                "rule-1",
                "blocking",
                (("listing", "1"),),
                Text('a "text"\nof 1', "甲"),
                Text("do", "改"),
                ("LAW-1",),
                {"listing.id": "1", "n": 1, "yes": True},
            ),
        ),
        (),
        (),
    ),
    Decision(
        ("listing", "2"),
        "undetermined",
        (),
        {},
        {},
        (),
        (),
        (RuleError("rule-2", Text("why", "因")),),
    ),
)


def results_of(database: BulkDatabase, handed: tuple[Decision, ...] = ()) -> Results:
    database.execute("CREATE TABLE f_party AS SELECT 'S1' AS id")
    database.note_facts("f_party", {"id": "VARCHAR"}, 1)
    run_on_duck(database, Program(tuple(CASES)))
    if handed:
        ids = " UNION ALL ".join(f"SELECT '{one.case[1]}' AS case_id" for one in handed)
        database.execute(f"CREATE TABLE r_handed AS {ids}")
    return Results(database, HEADER, "listing", show_results(database, handed, ["party"]))


@pytest.mark.parametrize("cases_read", [1, 2, 3, 1000])
def test_results__are_read_in_order_whatever_the_range(
    cases_read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "CASES_READ", cases_read)
    with BulkDatabase(SMALL, is_small=True) as database:
        result = results_of(database).result()
        assert result.decisions == EXPECTED
        assert result.unreached == (("party", "S1"), ("product", "P1"))
        assert result.exit_code == 1


def test_json__is_the_text_of_to_json() -> None:
    with BulkDatabase(SMALL, is_small=True) as database:
        results = results_of(database)
        pieces: list[str] = []
        results.write_json(pieces.append)
        expected = json.dumps(results.result().to_json(), ensure_ascii=False, indent=2) + "\n"
        assert "".join(pieces) == expected
        assert results.exit_code == 1


def test_json__without_decisions_is_the_text_of_to_json() -> None:
    with BulkDatabase(SMALL, is_small=True) as database:
        results = Results(database, HEADER, "listing", show_results(database, (), []))
        pieces: list[str] = []
        results.write_json(pieces.append)
        assert "".join(pieces) == json.dumps(HEADER.to_json(), ensure_ascii=False, indent=2) + "\n"
        assert results.exit_code == 3


def test_handed_cases__are_replaced_by_the_decisions_of_the_reference() -> None:
    said = Text("not for it", "不适用")
    own = Decision(
        ("listing", "1"),
        "conforming",
        (),
        {"total": 7},
        {"x": 1},
        (),
        (NotApplicable("r", said),),
        (),
    )
    with BulkDatabase(SMALL, is_small=True) as database:
        assert results_of(database, (own,)).result().decisions == (EXPECTED[0], own, EXPECTED[2])


def test_parquet__holds_the_rows_of_all_ranges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "CASES_READ", 1)
    folder = tmp_path / "result"
    with BulkDatabase(SMALL, is_small=True) as database:
        results_of(database).write_parquet(folder)
    decisions = parquet.read_table(folder / "decisions.parquet").to_pylist()
    assert [row["conformity"] for row in decisions] == [one.conformity for one in EXPECTED]
    (finding,) = parquet.read_table(folder / "findings.parquet").to_pylist()
    assert (finding["case_id"], finding["message_zh"]) == ("1", "甲")
    assert finding["facts"] == [{"type": "listing", "id": "1"}]
    (error,) = parquet.read_table(folder / "errors.parquet").to_pylist()
    assert error["rule"] == "rule-2"
    assert parquet.read_table(folder / "unreached.parquet").num_rows == 2
    assert json.loads((folder / "result.json").read_text("utf-8"))["engine"] == "bulk"
    assert not list(folder.glob("*.partial"))


def test_steps__a_table_is_dropped_when_nothing_reads_it_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = [
        step("a", "SELECT 1 AS n"),
        step("b", "SELECT n FROM a"),
        step("w", "WITH inner_one AS (SELECT n FROM a) SELECT n FROM inner_one"),
        step("v", "SELECT n FROM b", is_view=True),
        step("r_x", "SELECT n FROM v JOIN w USING (n) JOIN f_party ON true"),
    ]
    assert [(one.name, sorted(unread)) for one, unread in last_reads(steps)] == [
        ("a", []),
        ("b", []),
        ("w", ["a"]),
        ("v", []),
        ("r_x", ["w"]),
    ]
    monkeypatch.setattr(running, "FEW", 0)
    with BulkDatabase(SMALL, is_small=True) as database:
        database.execute("CREATE TABLE f_party AS SELECT 'S1' AS id")
        database.note_facts("f_party", {"id": "VARCHAR"}, 1)
        run_on_duck(database, Program(tuple(steps)))
        assert _tables(database) == {"b", "v", "r_x", "f_party"}
        assert database.rows("FROM r_x") == [(1,)]


def _tables(database: BulkDatabase) -> set[str]:
    return {name for (name,) in database.rows("SELECT table_name FROM information_schema.tables")}


@pytest.mark.parametrize("few", [0, 100])
def test_steps__what_holds_nothing_is_passed_over(
    few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = (
        step("x", "SELECT id FROM f_party WHERE id = 'nobody'"),
        step("y", "SELECT x.id FROM x JOIN f_party AS p ON p.id = x.id"),
        step("z", "SELECT id AS other FROM f_channel"),
        step("v", "SELECT id FROM y", is_view=True),
        step("r_a", "SELECT p.id FROM f_party AS p LEFT JOIN z ON z.other = p.id"),
        step("r_b", "SELECT id FROM v UNION ALL SELECT id FROM r_a", is_view=True),
        step("r_c", "SELECT id FROM v", is_view=True),
    )
    monkeypatch.setattr(running, "FEW", few)
    with BulkDatabase(SMALL, is_small=True) as database:
        database.execute("CREATE TABLE f_party AS SELECT 'S1' AS id")
        database.note_facts("f_party", {"id": "VARCHAR"}, 1)
        database.note_facts("f_channel", {"id": "VARCHAR"}, 0)
        run_on_duck(database, Program(steps))
        # Neither y nor v is made; z is, for a join that keeps its own rows.
        assert _tables(database) >= {"x", "z", "f_channel", "r_a"}
        assert not _tables(database) & {"y", "v"}
        assert database.relation("r_c") is None
        assert database.rows(f"FROM {database.relation('r_b')}") == [("S1",)]


def test_steps__too_few_facts_are_not_counted_by_case() -> None:
    counting = Step("s", parse_one("SELECT id FROM f_party"), beyond={"f_party": 1})
    for count in (1, 2):
        with BulkDatabase(SMALL, is_small=True) as database:
            database.execute("CREATE TABLE f_party AS SELECT 'S1' AS id")
            database.note_facts("f_party", {"id": "VARCHAR"}, count)
            run_on_duck(database, Program((counting,)))
            assert (database.relation("s") is None) == (count == 1)


def test_database__a_text_that_is_null_in_every_row_is_compared() -> None:
    """DuckDB 2.0 ends such a comparison by an error once its statistics tell that it is NULL."""
    with BulkDatabase(SMALL, is_small=True) as database:
        database.create("k", "SELECT 'helmet' AS category")
        graded = "CASE WHEN category = 'toy' THEN 'B' END"
        assert database.rows(f"SELECT category FROM k WHERE {graded} <> 'A'") == []
        assert database.rows(f"SELECT {graded} = 'A' FROM k") == [(None,)]

"""Every source of a bulk run gives the same facts, and refuses what the importer refuses."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet
from sqlalchemy import Engine

from carnet.core.clock import FixedClock
from carnet.facts.fact import Fact
from carnet.facts.intake import IntakeError, read_files
from carnet.rules.bulk.duck import BulkDatabase, BulkLimits
from carnet.rules.bulk.loading import Loader
from carnet.rules.bulk.sources import FactFiles, FactSource, GivenFacts, StoredFacts, facts_in
from carnet.store.engine import writing
from carnet.store.facts import insert_facts, insert_import, version_of

SMALL = BulkLimits(memory_max=256 * 1024 * 1024, threads=1)
LISTING = {
    "type": "listing",
    "id": "L1",
    "product_id": "P1",
    "market": "EU",
    "channel_id": "C1",
    "status": "live",
    "placed_on": "2026-01-31",
    "has_picture": True,
    "source": "given",
}
FACTS: list[dict[str, Any]] = [
    LISTING,
    {**LISTING, "id": "00123", "has_picture": False},
    {"type": "party", "id": "S1", "name": "灯具厂", "country": "CN", "source": "given"},
    {
        "type": "party",
        "id": "S2",
        "name": 'Müller "GmbH", Köln\\',
        "country": "DE",
        "lei": "5493001KJTIIGC8Y1R12",
        "source": "given",
    },
    {
        "type": "incident",
        "id": "I1",
        "seller_id": "S1",
        "kind": "recall",
        "level": 3,
        "opened_at": "1969-12-31T23:59:59Z",
        "closed_at": "2026-11-23T08:00:00Z",
        "source": "given",
    },
    {
        "type": "statement_line",
        "id": "T1",
        "seller_id": "S1",
        "platform_id": "PF",
        "kind": "withdrawal",
        "amount_minor": -(2**53) + 1,
        "currency": "USD",
        "booked_on": "2199-12-31",
        "source": "given",
    },
]


@contextmanager
def loaded(source: FactSource) -> Iterator[BulkDatabase]:
    with BulkDatabase(SMALL, is_small=True) as database:
        source.load(Loader(database))
        yield database


def facts_of(source: FactSource) -> list[dict[str, Any]]:
    with loaded(source) as database:
        return [fact.to_json() for fact in facts_in(database)]


def in_order(facts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(facts, key=lambda fact: (fact["type"], fact["id"]))


def refusal(source: FactSource) -> IntakeError:
    with pytest.raises(IntakeError) as caught:
        facts_of(source)
    return caught.value


def ndjson(*facts: dict[str, Any]) -> str:
    return "".join(json.dumps(fact, ensure_ascii=False) + "\n" for fact in facts)


def csv_cell(value: Any) -> str:
    text = json.dumps(value) if isinstance(value, (bool, int)) else str(value)
    return '"' + text.replace('"', '""') + '"'


def write_csv(folder: Path, facts: list[dict[str, Any]]) -> None:
    for name in {fact["type"] for fact in facts}:
        rows = [fact for fact in facts if fact["type"] == name]
        columns = sorted({key for row in rows for key in row} - {"type"})
        lines = [",".join(columns)]
        lines += [
            ",".join(csv_cell(row[key]) if key in row else "" for key in columns) for row in rows
        ]
        (folder / f"{name}.csv").write_text("\r\n".join(lines), encoding="utf-8")


def write_parquet(folder: Path, facts: list[Fact]) -> None:
    for name in {fact.type for fact in facts}:
        rows = [{"id": fact.id, **fact.fields} for fact in facts if fact.type == name]
        columns = sorted({key for row in rows for key in row})
        table = pa.table({key: [row.get(key) for row in rows] for key in columns})
        parquet.write_table(table, folder / f"{name}.parquet")


def store(engine: Engine, facts: list[Fact], clock: FixedClock) -> None:
    from carnet.facts.fact import Source

    with writing(engine) as connection:
        number = insert_import(
            connection, at=clock.now(), facts_new=1, facts_replaced=0, facts_known=0, files=[]
        )
        insert_facts(connection, number, [version_of(fact, Source("f", 1)) for fact in facts])


@pytest.fixture
def given(tmp_path: Path) -> list[Fact]:
    path = tmp_path / "given.ndjson"
    path.write_text(ndjson(*FACTS), encoding="utf-8")
    return list(read_files([path]).facts)


def test_sources__all_give_the_same_facts(
    tmp_path: Path, given: list[Fact], engine: Engine, clock: FixedClock
) -> None:
    for name in ("csv", "parquet", "ndjson"):
        (tmp_path / name).mkdir()
    write_csv(tmp_path / "csv", FACTS)
    write_parquet(tmp_path / "parquet", given)
    (tmp_path / "ndjson" / "all.ndjson").write_text(ndjson(*FACTS), encoding="utf-8")
    (tmp_path / "facts.json").write_text(json.dumps({"facts": FACTS}), encoding="utf-8")
    store(engine, given, clock)
    sources: list[FactSource] = [
        GivenFacts(given),
        FactFiles(tmp_path / "csv"),
        FactFiles(tmp_path / "parquet"),
        FactFiles(tmp_path / "ndjson"),
        FactFiles(tmp_path / "given.ndjson"),
        FactFiles(tmp_path / "facts.json"),
        FactFiles(Path("-"), io.BytesIO(ndjson(*FACTS).encode())),
        FactFiles(Path("-"), io.BytesIO(json.dumps({"facts": FACTS}, indent=1).encode())),
        StoredFacts(engine),
    ]
    for source in sources:
        assert facts_of(source) == in_order(FACTS), source


def test_sources__only_the_current_version_of_a_stored_fact(
    given: list[Fact], engine: Engine, clock: FixedClock
) -> None:
    from carnet.facts.fact import Source, fact_from_json

    store(engine, given, clock)
    changed = fact_from_json({**LISTING, "status": "withdrawn"})
    with writing(engine) as connection:
        insert_facts(connection, 1, [version_of(changed, Source("g", 1), version=2)])
    (found,) = (fact for fact in facts_of(StoredFacts(engine)) if fact["id"] == "L1")
    assert found["status"] == "withdrawn"


def test_sources__source_is_the_place_where_it_is_absent(tmp_path: Path) -> None:
    fact = {key: value for key, value in LISTING.items() if key != "source"}
    path = tmp_path / "facts.ndjson"
    path.write_text("\n" + ndjson(fact), encoding="utf-8")
    expected = [one.to_json() for one in read_files([path]).facts]
    assert facts_of(FactFiles(path)) == expected
    assert expected[0]["source"] == "facts.ndjson:2"


# --- what is refused --------------------------------------------------------------------------

BAD: dict[str, dict[str, Any]] = {
    "missing": {"market": None},
    "unknown column": {"colour": "red"},
    "wrong kind": {"has_picture": 1},
    "text for boolean": {"has_picture": "true"},
    "choice": {"market": "MARS"},
    "id": {"id": "a b"},
    "fraction": {"product_id": 1.5},
    "day": {"placed_on": "2026-02-30"},
    "day with time": {"placed_on": "2026-02-03T00:00:00"},
    "day beyond": {"placed_on": "2200-01-01"},
    "language": {"language": "GERMAN"},
    "empty": {"language": ""},
    "list": {"language": ["de"]},
    "blank": {"source": " x"},
    "long": {"source": "x" * 1025},
    "not normal": {"source": "e\u0301"},
    "hidden": {"source": "a\u202eb"},
    "type": {"type": "listings"},
    "no type": {"type": 5},
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
def test_ndjson__refused_as_by_the_importer(tmp_path: Path, change: dict[str, Any]) -> None:
    bad = {**LISTING, "id": "L2", **change}
    path = tmp_path / "facts.ndjson"
    path.write_text(ndjson(LISTING, bad), encoding="utf-8")
    with pytest.raises(IntakeError) as expected:
        read_files([path])
    assert refusal(FactFiles(path)).message == expected.value.message
    assert {issue.row for issue in expected.value.issues} == {2}


_PARTY = '{"type":"party","id":"S1","name":"a","country":"CN"'
_INCIDENT = (
    '{"type":"incident","id":"I","seller_id":"S","kind":"k","opened_at":"2026-01-01T00:00:00Z"'
)
LINES = {
    "trailing comma": _PARTY + ",}",
    "key twice": _PARTY + ',"id":"S2"}',
    "null": _PARTY + ',"lei":null}',
    "not a number": _PARTY + ',"is_large_enterprise":NaN}',
    "surrogate": '{"type":"party","id":"S1","name":"\\ud800","country":"CN"}',
    "list": "[]",
    "two": '{"type":"party"} {}',
    "open": '{"type":"party"',
    "huge": _INCIDENT + ',"level":1e400}',
    "real": _INCIDENT + ',"level":1.0}',
    "digits": _INCIDENT + ',"level":12345678901234567890}',
    "across": _INCIDENT + ',"level":1,"closed_at":"2025-01-01T00:00:00Z"}',
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_ndjson__line_refused_as_by_the_importer(tmp_path: Path, line: str) -> None:
    path = tmp_path / "facts.ndjson"
    path.write_text(ndjson(LISTING) + line + "\n", encoding="utf-8")
    with pytest.raises(IntakeError) as expected:
        read_files([path])
    assert refusal(FactFiles(path)).message == expected.value.message


def test_ndjson__a_byte_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "facts.ndjson"
    path.write_bytes(ndjson(LISTING).encode() + b'{"type":"party","id":"\xff"}\n')
    (issue,) = refusal(FactFiles(path)).issues[:1]
    assert (issue.file, issue.row) == (str(path), 2)


CELLS = {
    "integer": ("level", "1.0"),
    "leading zero": ("level", "01"),
    "boolean": ("level", "TRUE"),
    "beyond": ("level", "4"),
    "instant": ("opened_at", "2026-01-01 00:00:00"),
    "no such hour": ("opened_at", "2026-01-01T24:00:00Z"),
    "missing": ("kind", ""),
    "reference": ("seller_id", "a b"),
}


@pytest.mark.parametrize(("column", "cell"), CELLS.values(), ids=CELLS.keys())
def test_csv__cell_refused_as_by_the_importer(tmp_path: Path, column: str, cell: str) -> None:
    good = {
        "id": "I1",
        "seller_id": "S",
        "kind": "recall",
        "level": "1",
        "opened_at": "2026-01-01T00:00:00Z",
    }
    rows = [good, {**good, "id": "I2", column: cell}]
    path = tmp_path / "incident.csv"
    lines = [",".join(good), *(",".join(row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    error = refusal(FactFiles(path))
    with pytest.raises(IntakeError) as expected:
        read_files([path])
    assert error.message == expected.value.message
    assert [(issue.row, issue.column) for issue in error.issues] == [(3, column)]


FILES = {
    "wrong width": "id,name,country\nS1,a,CN\nS2,b\n",
    "unknown column": "id,name,country,colour\nS1,a,CN,red\n",
    "column twice": "id,name,name,country\nS1,a,a,CN\n",
    "missing column": "id,name\nS1,a\n",
    "semicolons": "id;name;country\nS1;a;CN\n",
    "quoting": 'id,name,country\nS1,a,CN\nS2,"b"x,CN\n',
    "open quote": 'id,name,country\nS1,a,CN\nS2,"b,CN\n',
    "empty": "",
    "nul": "id,name,country\nS1,a\0,CN\n",
    "utf-16": "id,name,country\n".encode("utf-16"),
    "latin": "id,name,country\nS1,a,CN\nS2,Müller,DE\n".encode("latin-1"),
    "twice": "id,name,country\nS1,a,CN\n\nS1,b,CN\n",
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES.keys())
def test_csv__file_refused_as_by_the_importer(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "party.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(IntakeError) as expected:
        read_files([path])
    assert refusal(FactFiles(path)).message == expected.value.message


def test_csv__strings_stay_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "notified_body.csv"
    path.write_text(
        "id,number,act,valid_from\n00123,0598,red,2020-01-01\n\n,,,\nNULL,0000,red,2020-01-01\n"
    )
    assert [(fact["id"], fact["number"]) for fact in facts_of(FactFiles(path))] == [
        ("00123", "0598"),
        ("NULL", "0000"),
    ]


def parquet_issue(tmp_path: Path, **columns: Any) -> tuple[Any, ...]:
    path = tmp_path / "batch.parquet"
    table = {
        "id": ["B1", "B2"],
        "product_id": ["P", "P"],
        "lot": ["1", "2"],
        "produced_on": pa.array([20000, 20001], pa.date32()),
        "quantity": [1, 2],
        "uom": ["piece", "piece"],
        **columns,
    }
    parquet.write_table(
        pa.table({name: column for name, column in table.items() if column is not None}), path
    )
    issue = refusal(FactFiles(path)).issues[0]
    return Path(issue.file).name, issue.row, issue.column, issue.found


def test_parquet__wrong_value_is_named_with_its_row(tmp_path: Path) -> None:
    assert parquet_issue(tmp_path, quantity=[1, 0]) == ("batch.parquet", 2, "quantity", "0")
    assert parquet_issue(tmp_path, lot=["1", ""]) == ("batch.parquet", 2, "lot", "''")
    assert parquet_issue(tmp_path, lot=["1", None]) == ("batch.parquet", 2, "lot", "")
    assert parquet_issue(tmp_path, id=["B1", "B1"]) == ("batch.parquet", 2, "id", "'B1'")


def test_parquet__wrong_column_is_named(tmp_path: Path) -> None:
    assert parquet_issue(tmp_path, quantity=[1.0, 2.0])[2:] == ("quantity", "a column of double")
    assert parquet_issue(tmp_path, lot=[1, 2])[2:] == ("lot", "a column of int64")
    assert parquet_issue(tmp_path, colour=["a", "b"])[2] == "colour"
    assert parquet_issue(tmp_path, uom=None)[2] == "uom"
    dates = ["2024-01-01", "2024-01-02"]
    assert parquet_issue(tmp_path, produced_on=dates)[2:] == ("produced_on", "a column of string")


def test_parquet__a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "batch.parquet"
    path.write_bytes(b"PAR1" * 10)
    assert refusal(FactFiles(path)).issues[0].expected.en == "a Parquet file"


def test_folder__a_parquet_folder_holds_its_parts(tmp_path: Path, given: list[Fact]) -> None:
    inner = tmp_path / "all" / "party.parquet"
    inner.mkdir(parents=True)
    write_parquet(tmp_path, given)
    (tmp_path / "party.parquet").rename(inner / "part-0.parquet")
    (inner / "_SUCCESS").write_text("")
    expected = [fact for fact in in_order(FACTS) if fact["type"] == "party"]
    assert facts_of(FactFiles(tmp_path / "all")) == expected


def test_folder__an_unknown_file_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "facts"
    folder.mkdir()
    assert refusal(FactFiles(folder)).issues[0].found == "a folder without files"
    (folder / "party.txt").write_text("id")
    assert refusal(FactFiles(folder)).issues[0].found == "'.txt'"
    (folder / "party.txt").rename(folder / "parties.csv")
    assert refusal(FactFiles(folder)).issues[0].found == "'parties'"


def test_folder__a_duplicate_over_two_files_names_both(tmp_path: Path) -> None:
    folder = tmp_path / "facts"
    folder.mkdir()
    (folder / "party.csv").write_text("id,name,country\nS1,a,CN\n")
    (folder / "party__2.csv").write_text("id,name,country\nS2,a,CN\nS1,b,CN\n")
    (issue,) = refusal(FactFiles(folder)).issues
    assert (Path(issue.file).name, issue.row) == ("party__2.csv", 3)
    assert "party.csv:2" in issue.expected.en


def test_missing_file__is_refused(tmp_path: Path) -> None:
    assert refusal(FactFiles(tmp_path / "none.ndjson")).issues[0].found == "no such file"


# --- the database -----------------------------------------------------------------------------


def test_database__is_shut_off_and_bounded(tmp_path: Path) -> None:
    with BulkDatabase(BulkLimits(memory_max=300 * 1024 * 1024, threads=1)) as database:
        settings = dict(database.rows("SELECT name, value FROM duckdb_settings()"))
        assert settings["memory_limit"] == "300.0 MiB"
        assert settings["threads"] == "1"
        assert settings["enable_external_access"] == "false"
        assert settings["lock_configuration"] == "true"
        assert settings["temp_directory"] == str(database.folder / "spill")
        folder = database.folder
        assert folder.stat().st_mode & 0o077 == 0
        table = pa.table({"a": [1]})
        for statement in (
            "SELECT * FROM read_text('/etc/hostname')",
            f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
            f"ATTACH '{tmp_path / 'other.db'}'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SET memory_limit = '10GB'",
            "SET enable_external_access = true",
            "SELECT * FROM read_parquet('https://example.com/x.parquet')",
            "SELECT * FROM 'https://example.com/x.csv'",
            "SELECT * FROM table",
        ):
            with pytest.raises((duckdb.Error,)):
                database._connection.execute(statement)
        assert table.num_rows == 1
    assert not folder.exists()


def test_database__what_does_not_fit_in_memory_goes_to_disk() -> None:
    with BulkDatabase(BulkLimits(memory_max=64 * 1024 * 1024, threads=1)) as database:
        database.execute(
            "CREATE TABLE big AS SELECT range AS n, 'text ' || range AS s FROM range(3_000_000)"
        )
        (row,) = database.rows("SELECT count(DISTINCT s) FROM big")
        assert row == (3_000_000,)
        (used,) = database.rows("SELECT sum(memory_usage_bytes) FROM duckdb_memory()")
        assert used[0] <= 64 * 1024 * 1024

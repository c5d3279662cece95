"""Rows of facts into the tables of a run, each checked as the importer checks it.

A batch of rows is sieved in SQL; what the sieve holds back goes to the importer's own code, whose
verdict and words count. Nothing that was written is loaded as absent: either every row is a fact or
`IntakeError` names the file, the row, the column and what was expected.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.facts.intake.collector import Collector
from carnet.facts.intake.limits import IntakeLimits
from carnet.facts.issue import FILES, Problem, Source, shown
from carnet.facts.schema import FACT_TYPES, RULE_TYPES, FactType, Kind
from carnet.rules.bulk.duck import BulkDatabase, facts_table
from carnet.rules.bulk.sieve import SQL_TYPES, Spelling, column_of, named, quoted, sieve

BATCH_ROWS = 200_000
"""Rows that are checked together."""

Row = Mapping[str, Any]
Reread = Callable[[Row], None]
"""Gives a row that the sieve held back to the importer."""

ARROW_TYPES: Mapping[Kind, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "instant": pa.int64(),
}
_TRAILING_COMMA = r",\s*[\]}]"


def table_of(type_name: str) -> str:
    """Return the table that holds the facts of a type, as an SQL identifier."""
    return named(facts_table(f"f_{type_name}"))


def _scalar(value: Any) -> Any:
    return int(value.timestamp()) if isinstance(value, datetime) else value


@dataclass(slots=True)
class Loader:
    """Fills the tables of facts of one database.

    Args:
        database: The database, without tables of facts.
        types: The types that get a table.
        is_distinct: Whether each type and id is known to come once.
    """

    database: BulkDatabase
    types: Mapping[str, FactType] = field(default_factory=lambda: RULE_TYPES)
    is_distinct: bool = False
    collector: Collector = field(init=False)
    _files: dict[str, int] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.collector = Collector(IntakeLimits(rows_max=2**62))

    def _table(self, fact_type: FactType) -> str:
        """Return the table of a type's facts, made when the first of them comes."""
        if fact_type.name not in self._counts:
            self._counts[fact_type.name] = 0
            self.database.execute(_create(fact_type))
        return table_of(fact_type.name)

    def number_of(self, file: str) -> int:
        """Return the number that stands for a file in the tables."""
        return self._files.setdefault(file, len(self._files) + 1)

    @contextmanager
    def _registered(self, rows: pa.Table) -> Iterator[str]:
        self.database.register("given", rows)
        try:
            yield "given"
        finally:
            self.database.unregister("given")

    # --- facts that are objects already -------------------------------------------------------

    def add_facts(self, facts: Iterable[Fact], sources: Iterable[Source | None] = ()) -> None:
        """Take facts that were checked when they were made, and where each stands."""
        by_type: dict[str, list[tuple[Fact, Source | None]]] = {}
        places = iter(sources)
        for fact in facts:
            by_type.setdefault(fact.type, []).append((fact, next(places, None)))
        for name, placed in by_type.items():
            self._insert_facts(self.types[name], placed)

    def _insert_facts(
        self, fact_type: FactType, placed: Sequence[tuple[Fact, Source | None]]
    ) -> None:
        columns = {"id": pa.array([fact.id for fact, _ in placed], pa.string())}
        for name, one in fact_type.fields.items():
            values = [_scalar(fact.fields.get(name)) for fact, _ in placed]
            columns[name] = pa.array(values, ARROW_TYPES[one.kind])
        files = [place and self.number_of(place.file) for _, place in placed]
        columns["_file"] = pa.array(files, pa.int32())
        rows = [place and place.row for _, place in placed]
        columns["_row"] = pa.array(rows, pa.int64())
        with self._registered(pa.table(columns)) as name:
            self.database.execute(f"INSERT INTO {self._table(fact_type)} FROM {name}")
        self._counts[fact_type.name] += len(placed)

    # --- rows of one type ---------------------------------------------------------------------

    def add_rows(
        self,
        fact_type: FactType,
        rows: pa.Table,
        spelling: Spelling,
        file_number: int,
        reread: Reread,
    ) -> None:
        """Take rows of one type; `_row` is their place in the file, other columns the fields.

        Raises:
            TooManyProblemsError: So many rows are wrong that reading stops.
        """
        raw = {name: named(name) for name in rows.column_names if name != "_row"}
        with self._registered(rows) as given:
            query = sieve(fact_type, raw, given, spelling=spelling, kept=("_row",))
            self._clear_held()
            self._insert(fact_type, query, file_number, rows.num_rows)
            self._reread(given, reread)

    def _clear_held(self) -> None:
        self.database.execute("CREATE OR REPLACE TEMP TABLE held (_row BIGINT)")

    def _insert(self, fact_type: FactType, query: str, file_number: int | None, count: int) -> None:
        """Insert those of some rows in a sieve's query that pass; note the others as held back."""
        columns = ", ".join(column_of(name) for name in fact_type.columns)
        place = "NULL" if file_number is None else str(file_number)
        table, passed = self._table(fact_type), f"FROM ({query}) WHERE is_sure"
        inserted = self.database.rows(
            f"INSERT INTO {table} SELECT {columns}, {place}, _row {passed}"
        )
        self._counts[fact_type.name] += inserted[0][0]
        # Hardly a batch holds a wrong row, so the sieve is asked for those only if some are left.
        if inserted[0][0] < count:
            held = f"SELECT _row FROM ({query}) WHERE NOT is_sure"  # noqa: S608 (the same)
            self.database.execute(f"INSERT INTO held {held}")

    def _reread(self, given: str, reread: Reread) -> None:
        """Give what was held back to the importer, and take what it takes after all."""
        query = f"FROM {given} WHERE _row IN (SELECT _row FROM held) ORDER BY _row"  # noqa: S608 (our own)
        for batch in self.database.batches(query, is_shared=False):
            for row in batch.to_pylist():
                reread(row)
        self.drain()

    def drain(self) -> None:
        """Move the facts that the importer took into the tables."""
        collected = self.collector
        self.add_facts(collected.facts, collected.sources)
        collected.facts.clear()
        collected.sources.clear()

    # --- JSON ---------------------------------------------------------------------------------

    def add_lines(self, rows: pa.Table, file_number: int | None, reread: Reread) -> None:
        """Take facts that are written as JSON objects; the columns are `_row` and `body`.

        Raises:
            TooManyProblemsError: So many rows are wrong that reading stops.
        """
        with self._registered(rows) as given:
            self._clear_held()
            self.database.execute(
                "CREATE OR REPLACE TEMP TABLE lines AS SELECT _row, body,"  # noqa: S608 (our own)
                " CASE WHEN json_valid(body) AND json_type(body) = 'OBJECT' THEN body ->> '$.type'"
                f" END AS type FROM {given}"
            )
            found = self.database.rows("SELECT type, count(*) FROM lines GROUP BY type")
            known = sorted((name, count) for name, count in found if name in FACT_TYPES)
            for name, count in known:
                self._insert(FACT_TYPES[name], _lines_query(FACT_TYPES[name]), file_number, count)
            others = (
                "true"
                if not known
                else f"type NOT IN ({', '.join(quoted(name) for name, _ in known)})"
            )
            self.database.execute(
                f"INSERT INTO held SELECT _row FROM lines WHERE coalesce({others}, true)"  # noqa: S608 (names of the schema)
            )
            self._reread(given, reread)

    # --- the end ------------------------------------------------------------------------------

    def finish(self, *, is_complete: bool = True) -> None:
        """Refuse what is wrong; else show the facts as tables `f_<type>`.

        Raises:
            IntakeError: Something is wrong with a row, or an id stands twice.
        """
        if is_complete and not self.is_distinct:
            for name in self._counts:
                self._find_duplicates(name)
        self.collector.log.raise_if_any(FILES, is_complete=is_complete)
        for fact_type in self.types.values():
            count = self._counts.get(fact_type.name, 0)
            self.database.note_facts(f"f_{fact_type.name}", _columns(fact_type), count)
            if count:
                self.database.execute(self._view(fact_type))
        self.database.execute("DROP TABLE IF EXISTS held; DROP TABLE IF EXISTS lines")

    def _view(self, fact_type: FactType) -> str:
        columns = [named(name) for name in fact_type.columns]
        if "source" in fact_type.fields and self._files:
            labels = ", ".join(quoted(file.rpartition("/")[2]) for file in self._files)
            label = f"CASE WHEN _file IS NOT NULL THEN ([{labels}])[_file] || ':' || _row END"
            columns[columns.index('"source"')] = f"coalesce(source, {label}) AS source"
        return (
            f"CREATE VIEW {named('f_' + fact_type.name)} AS"  # noqa: S608 (names of the schema)
            f" SELECT {', '.join(columns)} FROM {table_of(fact_type.name)}"
        )

    def _find_duplicates(self, type_name: str) -> None:
        table, most = table_of(type_name), self.collector.limits.issues_max
        twice = self.database.rows(
            f"SELECT id, _file, _row FROM {table} WHERE id IN (SELECT id FROM {table}"  # noqa: S608 (names of the schema)
            f" GROUP BY id HAVING count(*) > 1 ORDER BY id LIMIT {most}) ORDER BY id, _file, _row"
        )
        first: dict[str, Source] = {}
        for fact_id, file_number, row in twice:
            place = self._place(type_name, fact_id, file_number, row)
            if first.setdefault(fact_id, place) is not place:
                self.collector.log.add(place, _duplicate(type_name, fact_id, first[fact_id]))

    def _place(
        self, type_name: str, fact_id: str, file_number: int | None, row: int | None
    ) -> Source:
        if file_number is None:
            return Source(f"{type_name}/{fact_id}")
        return Source(list(self._files)[file_number - 1], row)


def _columns(fact_type: FactType) -> dict[str, str]:
    return {name: SQL_TYPES[fact_type.column(name).kind] for name in fact_type.columns}


def _create(fact_type: FactType) -> str:
    columns = [f"{named(name)} {kind}" for name, kind in _columns(fact_type).items()]
    listed = ", ".join([*columns, "_file INTEGER", "_row BIGINT"])
    return f"CREATE TABLE {table_of(fact_type.name)} ({listed})"


def _lines_query(fact_type: FactType) -> str:
    """Return the sieve of the lines of one type: each value is the token that JSON spells."""
    shape = ", ".join(f'"{name}": "JSON"' for name in fact_type.columns)
    raw = {name: f"token.{named(name)}" for name in fact_type.columns}
    counted = " + ".join(f"CAST({one} IS NOT NULL AS INTEGER)" for one in raw.values())
    table = (
        f"(SELECT _row, body, json_transform(body, {quoted('{' + shape + '}')}) AS token"  # noqa: S608 (names of the schema)
        f" FROM lines WHERE type = {quoted(fact_type.name)})"
    )
    # A key too many is unknown, stands twice or holds null; DuckDB lets a last comma pass.
    extra = (
        f"len(json_keys(body)) = 1 + {counted}"
        f" AND NOT regexp_matches(body, {quoted(_TRAILING_COMMA)})"
    )
    return sieve(fact_type, raw, table, spelling="json", kept=("_row",), extra=extra)


def _duplicate(type_name: str, fact_id: str, first: Source) -> Problem:
    return Problem(
        "id",
        shown(fact_id),
        Text(
            f"an id that no other {type_name} has; it stands already at {first}",
            f"未被其他 {type_name} 使用的标识；它已出现在 {first}",
        ),
        Text(
            "Remove one of the two, or give it an id of its own.",
            "请删除其中之一，或另取标识。",
        ),
    )

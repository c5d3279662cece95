"""DuckDB as the bulk engine runs it: shut off from the machine, within bounded memory.

The database lives in a private folder that goes with it. It reads and writes no other file, loads
no extension and reaches no network: rows come in and go out through Arrow alone. Its settings are
locked before the first row is there.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import duckdb

from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.rules.bulk.sieve import named

if TYPE_CHECKING:
    import pyarrow as pa

MEBIBYTE = 1024 * 1024
ROWS_READ = 20_000
"""Rows that are read from a result at a time."""

_LOCKS = (
    # It turns a text that it takes to be NULL for every row into what it then cannot compare.
    "disabled_optimizers = 'statistics_propagation'",
    "enable_progress_bar = false",
    "enable_external_access = false",
    # A name in a query is a table of the database, never a variable of this program.
    "python_enable_replacements = false",
    "lock_configuration = true",
)


@dataclass(frozen=True, slots=True)
class BulkLimits:
    """What a bulk run takes at most; each is a setting.

    Args:
        memory_max: Bytes of the engine's tables in memory; what is more goes to disk.
        threads: Threads that compute; 0 is one for each processor.
    """

    memory_max: int = 1024 * MEBIBYTE
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one type in a database: their columns with SQL's types, and their number."""

    columns: Mapping[str, str]
    count: int


class BulkDatabase:
    """A database of one run, in a private folder that is removed with it.

    Args:
        limits: The memory and the threads it takes.
        is_small: Whether its tables stand in memory alone, which starts faster; else in a file,
            compressed.
    """

    def __init__(self, limits: BulkLimits, *, is_small: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="carnet-bulk-"))
        self._is_small = is_small
        self.facts: dict[str, Facts] = {}
        self.relations: dict[str, str] = {}
        self._made: dict[str, str] = {}
        try:
            self._connection = self._open(limits, is_small=is_small)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _open(self, limits: BulkLimits, *, is_small: bool) -> duckdb.DuckDBPyConnection:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{limits.memory_max // MEBIBYTE}MiB",
            "temp_directory": str(self.folder / "spill"),
            "extension_directory": str(self.folder / "extensions"),
            "secret_directory": str(self.folder / "secrets"),
            "autoload_known_extensions": "false",
            "autoinstall_known_extensions": "false",
            "allow_community_extensions": "false",
            "preserve_insertion_order": "false",
        }
        if limits.threads:
            config["threads"] = str(limits.threads)
        place = ":memory:" if is_small else str(self.folder / "run.duckdb")
        connection = duckdb.connect(place, config=config)
        for setting in _LOCKS:
            connection.execute(f"SET {setting}")
        return connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, error, trace
        self.close()

    def close(self) -> None:
        """Close the database and remove its folder."""
        self._connection.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- queries ------------------------------------------------------------------------------

    def execute(self, query: str) -> None:
        """Run a statement.

        Raises:
            InputError: Memory and disk do not suffice.
        """
        with _explained():
            self._connection.execute(query)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return all rows of a query whose result is small."""
        with _explained():
            return self._connection.execute(query).fetchall()

    def batches(self, query: str, *, is_shared: bool = True) -> "Iterator[pa.RecordBatch]":
        """Yield the rows of a query in batches.

        Args:
            query: The query.
            is_shared: Whether other queries run meanwhile; it then sees no temporary table.
        """
        connection = self._connection.cursor() if is_shared else self._connection
        try:
            with _explained():
                yield from connection.sql(query).to_arrow_reader(ROWS_READ)
        finally:
            if is_shared:
                connection.close()

    def dicts(self, query: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a query by the names of their columns."""
        if self._is_small:
            # Without Arrow a query is planned once instead of twice.
            with _explained():
                cursor = self._connection.cursor().execute(query)
                names = [one[0] for one in cursor.description or ()]
                while rows := cursor.fetchmany(ROWS_READ):
                    yield from (dict(zip(names, row, strict=True)) for row in rows)
            return
        for batch in self.batches(query):
            yield from batch.to_pylist()

    def reader(self, query: str) -> "pa.RecordBatchReader":
        """Return the rows of a query as a reader of batches, with their types."""
        with _explained():
            return self._connection.cursor().sql(query).to_arrow_reader(ROWS_READ)

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        """Insert one row."""
        marks = ", ".join("?" for _ in row)
        query = f"INSERT INTO {named(table)} ({', '.join(map(named, row))}) VALUES ({marks})"  # noqa: S608 (our own names)
        self._connection.execute(query, list(row.values()))

    def register(self, name: str, table: "pa.Table | pa.RecordBatchReader") -> None:
        """Let queries read an Arrow table under a name."""
        self._connection.register(name, table)

    def unregister(self, name: str) -> None:
        """Forget an Arrow table."""
        self._connection.unregister(name)

    # --- relations ----------------------------------------------------------------------------

    def create(self, name: str, query: str) -> int:
        """Create a table of the rows of a query; return how many there are."""
        with _explained():
            made = self._connection.execute(f"CREATE TABLE {named(name)} AS {query}").fetchone()
        assert made is not None, "DuckDB counts what it writes"
        self._made[name] = "TABLE"
        return int(made[0])

    def create_view(self, name: str, query: str) -> None:
        """Create a view."""
        self.execute(f"CREATE VIEW {named(name)} AS {query}")
        self._made[name] = "VIEW"

    def drop(self, name: str) -> None:
        """Drop a table or a view."""
        self.execute(f"DROP {self._made.pop(name)} {named(name)}")

    def is_made(self, name: str) -> bool:
        """Return whether a step's table or view is there."""
        return name in self._made

    def columns(self, name: str) -> list[str]:
        """Return the columns of a table or a view."""
        return [row[0] for row in self.rows(f"DESCRIBE {named(name)}")]

    def count(self, name: str) -> int:
        """Return how many rows a table has."""
        ((count,),) = self.rows(f"SELECT count(*) FROM {named(name)}")  # noqa: S608 (our own names)
        return int(count)

    def rename(self, name: str, other: str) -> None:
        """Call a table by another name."""
        self.execute(f"ALTER TABLE {named(name)} RENAME TO {named(other)}")
        self._made[other] = self._made.pop(name)

    def clear(self) -> None:
        """Drop what steps made, so that others can run over the same facts."""
        for name in reversed([*self._made]):
            self.drop(name)
        self.relations = {}

    def note_facts(self, name: str, columns: Mapping[str, str], count: int) -> None:
        """Note the columns of a relation `f_<type>`, which is there if it has any rows."""
        self.facts[name] = Facts(columns, count)

    def relation(self, name: str) -> str | None:
        """Return what a query reads the relation of a step from; None where it holds nothing."""
        return self.relations.get(name)


def facts_table(view: str) -> str:
    """Return the table that holds the facts of a view `f_<type>`."""
    return f"facts_{view.removeprefix('f_')}"


@contextmanager
def _explained() -> Iterator[None]:
    """Turn the end of memory or disk into an error for people."""
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        raise _exhausted(str(error)) from None


def _exhausted(reason: str) -> InputError:
    first = reason.splitlines()[0][:200]
    return InputError(
        "CRN-R-160",
        Text(
            f"The bulk engine ran out of memory or disk: {first}.",
            f"批量引擎的内存或磁盘不足：{first}。",
        ),
        Text(
            "Raise CARNET_BULK_MEMORY_MAX, or free space where TMPDIR points.",
            "请提高 CARNET_BULK_MEMORY_MAX，或释放 TMPDIR 所在磁盘的空间。",
        ),
    )

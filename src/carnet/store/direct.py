"""Statements past SQLAlchemy, for the few paths in which its share of the time counts.

An append of one record runs eight statements; each costs SQLAlchemy several times what SQLite takes
for it. Statements are written here once for both databases, with ``?`` for each value; values are
given and returned as the drivers take them, so an instant goes through `stored_instant` and
`read_instant`. The rules of `carnet.store.engine` hold: who reads cannot write.

Source: PostgreSQL 15, COPY, "Text Format".
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, PoolProxiedConnection

from carnet.core.clock import format_instant, parse_instant
from carnet.store.engine import explained, set_query_only
from carnet.store.locks import Lock, statement_of

COPIED_MIN: Final = 8
"""Rows from which on COPY is quicker than a statement for each."""

_ESCAPED: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})

Value = bytes | int | str | datetime | None
Row = Sequence[Value]


@lru_cache(maxsize=256)
def _spelled(statement: str) -> str:
    """Return a statement as psycopg takes it."""
    return statement.replace("%", "%%").replace("?", "%s")


@lru_cache(maxsize=256)
def _insertion(table: str, columns: tuple[str, ...]) -> tuple[str, str]:
    names = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join("?" * len(columns))
    # Names of tables and columns, never a value.
    insertion = f'INSERT INTO "{table}" ({names}) VALUES ({marks})'  # noqa: S608 - see above
    return insertion, f'COPY "{table}" ({names}) FROM STDIN'


@lru_cache(maxsize=1024)
def _insertions(shape: tuple[tuple[str, tuple[str, ...], int], ...]) -> str:
    """Return one statement that inserts rows of several tables, so many into each.

    Source: PostgreSQL 15, "Data-Modifying Statements in WITH".
    """
    found = []
    for table, columns, count in shape:
        first = _insertion(table, columns)[0]
        marks = f"({', '.join('?' * len(columns))})"
        found.append(first + f", {marks}" * (count - 1))
    others = ", ".join([f"part{number} AS ({each})" for number, each in enumerate(found[:-1])])
    return f"WITH {others} {found[-1]}" if others else found[-1]


class Part(NamedTuple):
    """Rows of one table, each with a value for every column."""

    table: str
    columns: tuple[str, ...]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Direct:
    """A connection of the driver, within a transaction.

    Args:
        driver: The driver's connection.
        is_sqlite: Whether it is SQLite's, else psycopg's.
    """

    driver: Any
    is_sqlite: bool

    @classmethod
    def of(cls, connection: Connection) -> "Direct":
        """Return the driver's connection of an open transaction of SQLAlchemy's."""
        if not connection.in_transaction():
            connection.begin()
        driver = connection.connection.driver_connection
        return cls(driver, connection.dialect.name == "sqlite")

    def rows(self, statement: str, values: Row = ()) -> list[tuple[Any, ...]]:
        """Return the rows that a query gives."""
        found: list[tuple[Any, ...]]
        if self.is_sqlite:
            found = self.driver.execute(statement, values).fetchall()
        else:
            with self.driver.cursor() as cursor:
                found = cursor.execute(_spelled(statement), values).fetchall()
        return found

    def run(self, statement: str, values: Row = ()) -> None:
        """Run one statement."""
        if self.is_sqlite:
            self.driver.execute(statement, values).close()
        else:
            with self.driver.cursor() as cursor:
                cursor.execute(_spelled(statement), values)

    def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
        """Insert rows, each with a value for every column."""
        if not rows:
            return
        insertion, copying = _insertion(table, columns)
        if self.is_sqlite:
            self.driver.executemany(insertion, rows).close()
        elif len(rows) >= COPIED_MIN:
            text = "".join(["\t".join(map(_field, row)) + "\n" for row in rows])
            with self.driver.cursor() as cursor, cursor.copy(copying) as copy:
                copy.write(text)
        else:
            for row in rows:
                self.run(insertion, row)

    def insert_all(self, parts: Sequence[Part]) -> None:
        """Insert rows of several tables, of which later ones may refer to earlier ones.

        PostgreSQL takes a few rows in one statement: each statement costs it, and us, more than the
        rows do.
        """
        filled = [part for part in parts if part.rows]
        is_small = all(len(part.rows) < COPIED_MIN for part in filled)
        if self.is_sqlite or not is_small:
            for part in filled:
                self.insert(*part)
            return
        shape = tuple([(part.table, part.columns, len(part.rows)) for part in filled])
        values = [value for part in filled for row in part.rows for value in row]
        with self.driver.cursor() as cursor:
            cursor.execute(_spelled(_insertions(shape)), values)

    @property
    def taken_error(self) -> type[Exception]:
        """The driver's error of a row that breaks a rule, such as of uniqueness."""
        error: type[Exception] = self.driver.IntegrityError
        return error

    def stored_instant(self, instant: datetime) -> datetime | str:
        """Return an instant as the driver takes it."""
        assert instant.tzinfo is not None, "an instant is always aware"
        assert instant.microsecond == 0, "the clock counts whole seconds"
        return format_instant(instant) if self.is_sqlite else instant.astimezone(UTC)


def read_instant(value: datetime | str) -> datetime:
    """Return an instant from what the driver gave."""
    return parse_instant(value) if isinstance(value, str) else value.astimezone(UTC)


def _field(value: Value) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    if isinstance(value, str):
        return value.translate(_ESCAPED)
    return value.isoformat() if isinstance(value, datetime) else str(value)


@contextmanager
def _checked_out(engine: Engine, *, is_writing: bool) -> Iterator[PoolProxiedConnection]:
    """Borrow a connection of the pool; one that broke is not given back."""
    with explained(engine, is_writing=is_writing):
        connection = engine.raw_connection()
        driver: Any = connection.driver_connection
        try:
            yield connection
        finally:
            if getattr(driver, "closed", False):
                connection.invalidate()
            connection.close()


@contextmanager
def reading_directly(engine: Engine) -> Iterator[Direct]:
    """Read with statements that each see one snapshot of their own, on SQLite; or all one."""
    with _checked_out(engine, is_writing=False) as connection:
        yield Direct(connection.driver_connection, engine.dialect.name == "sqlite")


@contextmanager
def writing_directly(engine: Engine, lock: Lock) -> Iterator[Direct]:
    """Write in one transaction, as `carnet.store.engine.writing` does.

    Raises:
        ConflictError: Another writer did not finish in time.
        StoreUnavailableError: The database does not answer; as of `writing`.
    """
    is_sqlite = engine.dialect.name == "sqlite"
    with _checked_out(engine, is_writing=True) as connection:
        driver: Any = connection.driver_connection
        if is_sqlite:
            begun = _sqlite_transaction(driver, set_query_only(connection.info, is_reading=False))
        else:
            begun = _postgresql_transaction(driver, lock)
        with begun:
            yield Direct(driver, is_sqlite)


@contextmanager
def _sqlite_transaction(driver: Any, setting: str | None) -> Iterator[None]:
    if setting is not None:
        driver.execute(setting).close()
    driver.execute("BEGIN IMMEDIATE").close()
    try:
        yield
        driver.execute("COMMIT").close()
    finally:
        if driver.in_transaction:
            driver.execute("ROLLBACK").close()


@contextmanager
def _postgresql_transaction(driver: Any, lock: Lock) -> Iterator[None]:
    from psycopg import IsolationLevel

    before = driver.isolation_level, driver.read_only
    driver.isolation_level, driver.read_only = IsolationLevel.READ_COMMITTED, False
    try:
        with driver.cursor() as cursor:
            cursor.execute(statement_of(lock))
        yield
        driver.commit()
    finally:
        if not driver.closed:
            driver.rollback()
            driver.isolation_level, driver.read_only = before

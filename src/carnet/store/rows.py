"""Inserting many rows at once, by the quickest way of each database.

Values are given as the driver takes them: nothing of SQLAlchemy's types is applied to them but for
instants, which `stored_instant` converts. SQLite runs one prepared statement over all rows;
PostgreSQL takes more than a few of them by COPY, whose text is written here.

Source: PostgreSQL 15, COPY, "Text Format".
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError

from carnet.core.clock import format_instant

COPIED_MIN: Final = 8
"""Rows from which on COPY is quicker than a statement for each."""

_ESCAPED: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})

Row = Sequence[bytes | int | str | datetime | None]


def stored_instant(connection: Connection, instant: datetime) -> datetime | str:
    """Return an instant as the driver takes it."""
    assert instant.tzinfo is not None, "an instant is always aware"
    assert instant.microsecond == 0, "the clock counts whole seconds"
    is_text = connection.dialect.name == "sqlite"
    return format_instant(instant) if is_text else instant.astimezone(UTC)


@lru_cache(maxsize=64)
def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def insert_rows(
    connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row]
) -> None:
    """Insert rows, each with a value for every column.

    Args:
        connection: Of a transaction that writes.
        table: The table.
        columns: The names of the columns.
        rows: Their values, in that order.
    """
    if not rows:
        return
    assert all(len(row) == len(columns) for row in rows), "a value for every column"
    target = f'"{table.name}" ({_names(columns)})'
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite and len(rows) >= COPIED_MIN:
        _copy(connection, f"COPY {target} FROM STDIN", rows)
        return
    values = ", ".join(["?" if is_sqlite else "%s"] * len(columns))
    # Names of tables and columns, never a value.
    statement = f"INSERT INTO {target} VALUES ({values})"  # noqa: S608 - see above
    given: Any = [tuple(row) for row in rows] if len(rows) > 1 else tuple(rows[0])
    connection.exec_driver_sql(statement, given)


def _field(value: bytes | int | str | datetime | None) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    if isinstance(value, str):
        return value.translate(_ESCAPED)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _copy(connection: Connection, statement: str, rows: Sequence[Row]) -> None:
    text = "".join(["\t".join(map(_field, row)) + "\n" for row in rows])
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(text)
    except psycopg.Error as error:
        # As SQLAlchemy would: what the error means is said where the transaction ends.
        raise DBAPIError(statement, None, error) from error

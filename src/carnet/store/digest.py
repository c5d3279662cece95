"""One digest over everything in the database, to show that nothing changed, or that two agree."""

import hashlib
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Table, inspect, select

from carnet.core.canonical import canonical
from carnet.core.clock import format_instant
from carnet.store.engine import reading
from carnet.store.schema import current_revision
from carnet.store.tables import METADATA


def _plain(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, datetime):
        return format_instant(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def _add_table(connection: Connection, table: Table, total: "hashlib._Hash") -> None:
    rows = connection.execution_options(yield_per=1000).execute(
        select(table).order_by(*table.primary_key)
    )
    names: list[Any] = [table.name, *(column.name for column in table.columns)]
    total.update(canonical(names) + b"\n")
    for row in rows:
        total.update(canonical([_plain(value) for value in row]) + b"\n")


def content_digest(engine: Engine) -> str:
    """Return the SHA-256, in hex, over the schema's version and every row of every table.

    Equal content gives equal digests on SQLite and on PostgreSQL. Tables that are not ours count
    by their name.
    """
    total = hashlib.sha256()
    with reading(engine) as connection:
        present = set(inspect(connection).get_table_names())
        total.update(canonical([current_revision(connection), *sorted(present)]) + b"\n")
        for name in sorted(present & METADATA.tables.keys()):
            _add_table(connection, METADATA.tables[name], total)
    return total.hexdigest()

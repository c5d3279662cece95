"""Named locks of the whole database: at most one holder at a time, released with the transaction.

On SQLite every write transaction excludes all others already (BEGIN IMMEDIATE), so a named lock
adds nothing there. On PostgreSQL it is an advisory lock, taken as the first statement: the
statements after it run at READ COMMITTED and so see what the previous holder committed.
"""

from enum import IntEnum

from sqlalchemy import Connection, text


class Lock(IntEnum):
    """What a writer can hold alone. The numbers are the keys of PostgreSQL's advisory locks."""

    MIGRATION = 0x6361726E_0001
    IMPORT = 0x6361726E_0002
    LOG_HEAD = 0x6361726E_0003
    OUTBOX = 0x6361726E_0004
    OFFICER_EVENT = 0x6361726E_0005


def statement_of(lock: Lock) -> str:
    """Return the statement that takes a lock on PostgreSQL."""
    return f"SELECT pg_advisory_xact_lock({int(lock)})"


def take(connection: Connection, lock: Lock) -> None:
    """Hold a lock until the transaction of this connection ends, waiting for it if need be."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(statement_of(lock)))

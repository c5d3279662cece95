"""Taking data of a subject out of the database: the one module that deletes or replaces rows of it.

Tombstones come first: the triggers of the database let go only what they name. After the commit
`purge_files` takes what was deleted out of the files too, where a database leaves it until the
space is used again.
"""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from carnet.core.errors import ConflictError
from carnet.core.text import Text
from carnet.store.engine import reading
from carnet.store.errors import explain
from carnet.store.tables import (
    DECISION,
    ERASED_DECISION,
    ERASED_DISCLOSURE,
    ERASED_FACT,
    ERASURE,
    ERASURE_PURGE,
    FACT,
    SEALED,
    SUBJECT,
    SUBJECT_KEY,
)

HOLDING: Final = ("fact", "decision", "sealed", "subject_key")
"""The tables that data of a subject is deleted from."""

CHUNK: Final = 500
_POLL_S: Final = 0.05

FactKey = tuple[str, str]
"""Type and id."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What is taken out of the database for one subject.

    Args:
        pseudonym: Of the subject.
        record_hash: Of the staged record that says so.
        facts: The facts, each with the number of its versions.
        decisions: By digest, the body and its hash that takes the place of the old body.
    """

    pseudonym: bytes
    record_hash: bytes
    facts: Mapping[FactKey, int]
    decisions: Mapping[bytes, tuple[bytes, bytes]]


def remove(connection: Connection, removal: Removal, at: datetime) -> None:
    """Set the tombstones, then delete the facts, the keys and what is sealed.

    Args:
        connection: Of the one transaction in which all of it happens or nothing.
        removal: What goes.
        at: When.
    """
    name = removal.pseudonym
    erasure = {"pseudonym": name, "record_hash": removal.record_hash, "at": at}
    connection.execute(insert(ERASURE), erasure)
    _bury(connection, removal)
    for fact_type, fact_id in removal.facts:
        connection.execute(delete(FACT).where(FACT.c.type == fact_type, FACT.c.fact_id == fact_id))
    for digest, (body, _) in removal.decisions.items():
        connection.execute(update(DECISION).where(DECISION.c.digest == digest).values(body=body))
    connection.execute(delete(SEALED).where(SEALED.c.pseudonym == name))
    connection.execute(delete(SUBJECT_KEY).where(SUBJECT_KEY.c.pseudonym == name))


def _bury(connection: Connection, removal: Removal) -> None:
    name = removal.pseudonym
    facts = [
        {"type": key[0], "fact_id": key[1], "pseudonym": name, "versions": versions}
        for key, versions in removal.facts.items()
    ]
    decisions = [
        {"digest": digest, "pseudonym": name, "body_digest": body_digest}
        for digest, (_, body_digest) in removal.decisions.items()
    ]
    records = [
        {"record_hash": record_hash, "pseudonym": name}
        for record_hash in sealed_records(connection, name)
    ]
    for table, rows in (
        (ERASED_FACT, facts),
        (ERASED_DECISION, decisions),
        (ERASED_DISCLOSURE, records),
    ):
        if rows:
            connection.execute(insert(table), rows)


def sealed_records(connection: Connection, pseudonym: bytes) -> list[bytes]:
    """Return the hashes of the records that withhold members of a subject."""
    query = select(SEALED.c.record_hash).where(SEALED.c.pseudonym == pseudonym)
    return [bytes(found) for found in connection.execute(query).scalars()]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What stays of an erased fact.

    Args:
        pseudonym: Of the subject it was about.
        subject: The fact that named the subject, as type and id.
        at: When it was erased.
    """

    pseudonym: bytes
    subject: FactKey
    at: datetime


def tombstones(
    connection: Connection, fact_type: str, ids: Sequence[str] | None = None
) -> dict[str, Tombstone]:
    """Return the tombstones of the facts of a type by id; of all of them unless some are named."""
    query = (
        select(
            ERASED_FACT.c.fact_id,
            ERASED_FACT.c.pseudonym,
            SUBJECT.c.type,
            SUBJECT.c.fact_id.label("subject_id"),
            ERASURE.c.at,
        )
        .join(ERASURE, ERASURE.c.pseudonym == ERASED_FACT.c.pseudonym)
        .join(SUBJECT, SUBJECT.c.pseudonym == ERASED_FACT.c.pseudonym)
        .where(ERASED_FACT.c.type == fact_type)
    )
    if ids is None:
        rows = list(connection.execute(query))
    else:
        rows = []
        for start in range(0, len(ids), CHUNK):
            part = ERASED_FACT.c.fact_id.in_(ids[start : start + CHUNK])
            rows += connection.execute(query.where(part))
    return {
        row.fact_id: Tombstone(bytes(row.pseudonym), (row.type, row.subject_id), row.at)
        for row in rows
    }


def erasure_count(connection: Connection) -> int:
    """Return how many subjects were erased."""
    return connection.execute(select(func.count()).select_from(ERASURE)).scalar_one()


def remaining_digests(connection: Connection) -> dict[bytes, frozenset[bytes]]:
    """Return, for each decision that lost something, the hashes of the bodies it may have now."""
    found: dict[bytes, frozenset[bytes]] = {}
    for row in connection.execute(select(ERASED_DECISION.c.digest, ERASED_DECISION.c.body_digest)):
        digest = bytes(row.digest)
        found[digest] = found.get(digest, frozenset()) | {bytes(row.body_digest)}
    return found


def purge_files(engine: Engine, wait_s: float) -> None:
    """Take what was deleted out of the files of the database.

    SQLite: the file is written anew and the write-ahead log emptied. PostgreSQL: the tables are
    written anew; its own write-ahead log, replicas and backups keep the old pages until they are
    replaced.

    Args:
        engine: Of the database.
        wait_s: How long to wait for others who read or write.

    Raises:
        ConflictError: Another process did not finish in time. Doing it again completes it.
        StoreUnavailableError: The disk is full, or the database does not answer.
    """
    engine.dispose()
    try:
        if engine.dialect.name == "postgresql":
            _purge_postgresql(engine, wait_s)
        else:
            _purge_sqlite(engine)
    except DBAPIError as error:
        meaning = explain(error, is_writing=True)
        if meaning is None:
            raise
        raise meaning from error


def _purge_sqlite(engine: Engine) -> None:
    raw = engine.raw_connection()
    try:
        cursor: Any = raw.cursor()
        cursor.execute("PRAGMA query_only = 0")
        cursor.execute("VACUUM")
        is_busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        cursor.close()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise _busy() from error
        raise DBAPIError.instance("VACUUM", None, error, sqlite3.Error) from error
    finally:
        raw.close()
    if is_busy:
        raise _busy()


def _purge_postgresql(engine: Engine, wait_s: float) -> None:
    options = {"isolation_level": "AUTOCOMMIT", "postgresql_readonly": False}
    with engine.connect().execution_options(**options) as connection:
        since = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        _wait_for_readers(connection, since, wait_s)
        connection.execute(text(f"VACUUM (FULL) {', '.join(HOLDING)}"))


_OLDER_READERS: Final = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL AND xact_start < :since"
)


def _wait_for_readers(connection: Connection, since: datetime, wait_s: float) -> None:
    """Wait until nobody reads a state in which the deleted rows are still there.

    A table that is written anew keeps the rows that such a reader may still see.
    """
    deadline = time.monotonic() + wait_s
    while connection.execute(_OLDER_READERS, {"since": since}).scalar_one():
        if time.monotonic() > deadline:
            raise _busy()
        time.sleep(_POLL_S)


def _busy() -> ConflictError:
    return ConflictError(
        "CRN-L-096",
        Text(
            "The data is deleted, but another process reads an older state of the database, so "
            "its files still hold what was deleted.",
            "数据已删除，但另一进程正在读取数据库的较早状态，数据库文件中仍留有已删除的内容。",
        ),
        Text(
            "When that process has ended, run the command again: it completes the erasure.",
            "待该进程结束后请重新运行本命令，以完成删除。",
        ),
    )


def unpurged(engine: Engine) -> list[bytes]:
    """Return the pseudonyms of erased subjects whose data may still be in the files."""
    query = (
        select(ERASURE.c.pseudonym)
        .outerjoin(ERASURE_PURGE, ERASURE_PURGE.c.pseudonym == ERASURE.c.pseudonym)
        .where(ERASURE_PURGE.c.pseudonym.is_(None))
        .order_by(ERASURE.c.pseudonym)
    )
    with reading(engine) as connection:
        return [bytes(found) for found in connection.execute(query).scalars()]

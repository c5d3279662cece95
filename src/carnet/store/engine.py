"""Engines and transactions for SQLite and PostgreSQL.

A connection reads by default, and the database itself refuses a write on it. `writing` is the one
way to write. The reason is SQLite: a transaction that starts by reading and then writes fails with
"database is locked" as soon as another process wrote in between, whatever the timeout, and Python's
own driver opens transactions late. So here the driver never opens one: a reader begins with BEGIN
and sees one snapshot, a writer begins with BEGIN IMMEDIATE and waits for its turn.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from carnet.core.errors import InputError, StoreError
from carnet.core.text import Text
from carnet.store.errors import explain
from carnet.store.locks import Lock, take

WAIT_S_DEFAULT: Final = 30
CACHE_KIB: Final = 32 * 1024
"""Of the pages of an SQLite file, for each connection that reads or writes so many."""

CHECKPOINT_PAGES: Final = 8_000
"""How long the write-ahead log of SQLite gets, of 4 KiB each, before it is copied."""

_WRITES: Final = "carnet_writes"
_QUERY_ONLY: Final = "carnet_query_only"


def _bad_url(shown: str) -> InputError:
    return InputError(
        "CRN-C-023",
        Text(
            f"The database address {shown!r} cannot be used.",
            f"无法使用数据库地址 {shown!r}。",
        ),
        Text(
            "Expected sqlite:///FILE or postgresql://USER@HOST/DATABASE; see docs/settings.md.",
            "应为 sqlite:///文件 或 postgresql://用户@主机/数据库；参见 docs/settings.md。",
        ),
    )


def parse_database_url(text: str) -> URL:
    """Return a database address with its driver: pysqlite on a file, or psycopg.

    Raises:
        InputError: It is not an address, or of another kind of database, or not durable.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        raise _bad_url(text.rsplit("@", maxsplit=1)[-1]) from None
    shown = url.render_as_string(hide_password=True)
    if url.drivername in {"postgresql", "postgresql+psycopg"}:
        return url.set(drivername="postgresql+psycopg")
    is_file = url.database not in {None, "", ":memory:"} and "mode" not in url.query
    if url.drivername in {"sqlite", "sqlite+pysqlite"} and is_file:
        return url.set(drivername="sqlite")
    raise _bad_url(shown)


def _configure_sqlite(connection: Any, wait_s: float) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {int(wait_s * 1000)}")
    mode = cursor.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(
            "CRN-C-024",
            Text(
                f"The folder of the database cannot hold a write-ahead log (mode {mode!r}).",
                f"数据库所在文件夹不支持预写日志（模式 {mode!r}）。",
            ),
            Text("Use a folder on a local disk.", "请使用本地磁盘上的文件夹。"),
        )
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    # Without it, INSERT OR REPLACE would delete a row and no trigger would see the deletion.
    cursor.execute("PRAGMA recursive_triggers = ON")
    cursor.execute("PRAGMA trusted_schema = OFF")
    # Names, hashes and subjects of records are random, so a commit writes all over their indexes.
    # Pages that do not fit the cache are written before the commit and read again; pages that are
    # copied into the database at every few commits are written once for each.
    cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    cursor.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    # What is deleted, or moves to another page, leaves zeros behind: erasure must reach the file.
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()


def set_query_only(info: dict[str, Any], *, is_reading: bool) -> str | None:
    """Return the statement that lets a connection of SQLite only read, or write.

    None where the connection is so already; asking each time would cost a small append dear.

    Args:
        info: What the pool remembers of the connection.
        is_reading: Whether it shall only read.
    """
    if info.get(_QUERY_ONLY) is is_reading:
        return None
    info[_QUERY_ONLY] = is_reading
    return f"PRAGMA query_only = {int(is_reading)}"


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    setting = set_query_only(connection.info, is_reading=not writes)
    if setting is not None:
        connection.exec_driver_sql(setting)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _sqlite_engine(url: URL, wait_s: float) -> Engine:
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        _configure_sqlite(connection, wait_s)

    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgresql_engine(url: URL, wait_s: float) -> Engine:
    options = f"-c lock_timeout={int(wait_s * 1000)} -c TimeZone=UTC -c synchronous_commit=on"
    return create_engine(
        url,
        isolation_level="REPEATABLE READ",
        execution_options={"postgresql_readonly": True},
        connect_args={"options": options, "application_name": "carnet", "connect_timeout": 10},
        pool_pre_ping=True,
    )


def open_engine(
    database_url: str, *, wait_s: float = WAIT_S_DEFAULT, is_new: bool = False
) -> Engine:
    """Return an engine whose connections read unless `writing` says otherwise.

    Args:
        database_url: ``sqlite:///FILE`` or ``postgresql://USER@HOST/DATABASE``.
        wait_s: How long a writer waits for another one.
        is_new: Whether an SQLite file may be created.

    Raises:
        InputError: The address cannot be used.
        StoreError: The SQLite file does not exist.
    """
    url = parse_database_url(database_url)
    if url.drivername != "sqlite":
        return _postgresql_engine(url, wait_s)
    if not is_new and not Path(str(url.database)).is_file():
        raise StoreError(
            "CRN-C-025",
            Text(
                f"The database file {url.database} does not exist.",
                f"数据库文件 {url.database} 不存在。",
            ),
            Text(
                "Restore it from a backup, or make a new workspace with `carnet init DIR`.",
                "请从备份恢复，或用 `carnet init DIR` 新建工作区。",
            ),
        )
    return _sqlite_engine(url, wait_s)


@contextmanager
def explained(engine: Engine, *, is_writing: bool) -> Iterator[None]:
    """Turn what a database or its driver raises into an error that people can read.

    Args:
        engine: Of the database.
        is_writing: Whether the statements were to write.

    Raises:
        ConflictError: Another writer did not finish in time.
        StoreError: The database is damaged, or does not answer.
    """
    driver_error: type[Exception] = engine.dialect.loaded_dbapi.Error
    try:
        yield
    except (DBAPIError, driver_error) as error:
        known = error if isinstance(error, DBAPIError) else DBAPIError(None, None, error)
        meaning = explain(known, is_writing=is_writing)
        if meaning is None:
            raise
        raise meaning from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Read from one snapshot of the database; the database refuses every write."""
    with explained(engine, is_writing=False), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine, lock: Lock | None = None) -> Iterator[Connection]:
    """Write in one transaction: committed at the end of the block, rolled back on any exception.

    Args:
        engine: From `open_engine`.
        lock: What to hold alone meanwhile; on SQLite a writer is alone in any case.

    Raises:
        ConflictError: Another writer did not finish in time.
        StoreUnavailableError: The database does not answer. If that happened at the end, whether
            the transaction was committed is unknown: read before trying again.
    """
    with explained(engine, is_writing=True), engine.connect() as connection:
        # READ COMMITTED, not the readers' level: a snapshot taken before the lock was granted
        # would hide what its previous holder committed.
        if connection.dialect.name == "postgresql":
            connection.execution_options(
                isolation_level="READ COMMITTED", postgresql_readonly=False
            )
        connection.execution_options(**{_WRITES: True})
        with connection.begin():
            if lock is not None:
                take(connection, lock)
            yield connection

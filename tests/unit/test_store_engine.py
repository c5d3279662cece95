"""Engines, transactions, and what the database itself refuses."""

import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Dialect, Engine, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from carnet.core.errors import ConflictError, InputError, StoreError, StoreUnavailableError
from carnet.store.engine import (
    _configure_sqlite,
    open_engine,
    parse_database_url,
    reading,
    writing,
)
from carnet.store.errors import explain
from carnet.store.locks import Lock
from carnet.store.tables import CHECKPOINT
from carnet.store.types import Day, Instant

Mode = Callable[[Engine], AbstractContextManager[Connection]]


def add_checkpoint(connection: Connection, size: int) -> None:
    connection.execute(
        CHECKPOINT.insert().values(
            size=size, root=bytes(32), note="note", at=datetime(2026, 11, 23, tzinfo=UTC)
        )
    )


def sizes(engine: Engine) -> list[int]:
    with reading(engine) as connection:
        return list(connection.execute(text("SELECT size FROM checkpoint ORDER BY 1")).scalars())


@pytest.fixture
def sqlite_engine(sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
    path = tmp_path / "one.db"
    path.write_bytes(sqlite_template.read_bytes())
    engine = open_engine(f"sqlite:///{path}", wait_s=1)
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("busy_timeout", 1000),
        ("recursive_triggers", 1),
        ("trusted_schema", 0),
    ],
)
@pytest.mark.parametrize("mode", [reading, writing])
def test_pragma__in_force_on_every_connection(
    sqlite_engine: Engine, pragma: str, value: str | int, mode: Mode
) -> None:
    with mode(sqlite_engine) as first, mode(sqlite_engine) if mode is reading else first as second:
        assert first.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
        assert second.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_settings_of_postgresql__in_force(database_kind: str, engine: Engine) -> None:
    if database_kind == "postgresql":
        with reading(engine) as connection:
            shown = {
                name: connection.exec_driver_sql(f"SHOW {name}").scalar()
                for name in ("lock_timeout", "synchronous_commit", "fsync", "TimeZone")
            }
        assert shown == {
            "lock_timeout": "1s",
            "synchronous_commit": "on",
            "fsync": "on",
            "TimeZone": "UTC",
        }


def test_reading__refuses_a_write(engine: Engine) -> None:
    refusal = pytest.raises(DBAPIError, match=r"readonly database|read-only transaction")
    with refusal, reading(engine) as connection:
        add_checkpoint(connection, 1)
    assert sizes(engine) == []


def test_reading__sees_one_snapshot(engine: Engine) -> None:
    with reading(engine) as reader:
        before = reader.execute(text("SELECT count(*) FROM checkpoint")).scalar()
        with writing(engine) as writer:
            add_checkpoint(writer, 1)
        assert reader.execute(text("SELECT count(*) FROM checkpoint")).scalar() == before == 0
    assert sizes(engine) == [1]


def test_writing__commits_at_the_end(engine: Engine) -> None:
    with writing(engine) as connection:
        add_checkpoint(connection, 1)
        assert sizes(engine) == []
    assert sizes(engine) == [1]


def test_writing__rolls_back_on_an_exception(engine: Engine) -> None:
    def add_and_fail() -> None:
        with writing(engine) as connection:
            add_checkpoint(connection, 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()
    assert sizes(engine) == []


def test_writing__a_later_reader_on_the_same_connection_is_read_only_again(engine: Engine) -> None:
    with writing(engine) as connection:
        add_checkpoint(connection, 1)
    with pytest.raises(DBAPIError), reading(engine) as connection:
        add_checkpoint(connection, 2)


@pytest.mark.parametrize("lock", [None, Lock.LOG_HEAD])
def test_writing__times_out_while_another_writes(
    database_kind: str, engine: Engine, lock: Lock | None
) -> None:
    if database_kind == "postgresql" and lock is None:
        return  # Writers of different rows do not exclude each other there.
    with writing(engine, lock):
        started = time.monotonic()
        with pytest.raises(ConflictError) as caught, writing(engine, lock):
            pass
        assert 0.8 < time.monotonic() - started < 10
    assert caught.value.is_retryable
    assert caught.value.code == "CRN-C-020"


def test_writing__read_then_write_under_a_lock_loses_nothing(engine: Engine) -> None:
    """Each thread reads the highest size and adds the next one: the classic lost update."""
    failures: list[BaseException] = []

    def append() -> None:
        try:
            for _ in range(10):
                with writing(engine, Lock.LOG_HEAD) as connection:
                    highest = connection.execute(
                        text("SELECT coalesce(max(size), 0) FROM checkpoint")
                    ).scalar_one()
                    add_checkpoint(connection, highest + 1)
        except BaseException as error:  # noqa: BLE001 - reported by the main thread
            failures.append(error)

    threads = [threading.Thread(target=append) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sizes(engine) == list(range(1, 41))


def _append_from_process(url: str) -> None:
    engine = open_engine(url)
    for _ in range(10):
        with writing(engine, Lock.LOG_HEAD) as connection:
            highest = connection.execute(
                text("SELECT coalesce(max(size), 0) FROM checkpoint")
            ).scalar_one()
            add_checkpoint(connection, highest + 1)
    engine.dispose()


def test_writing__two_processes_lose_nothing(engine: Engine, database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_append_from_process, args=(database_url,)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert sizes(engine) == list(range(1, 21))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://u@h/d",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "postgresql+asyncpg://u@h/d",
    ],
)
def test_database_url__refused(url: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_database_url(url)
    assert caught.value.code == "CRN-C-023"


def test_database_url__a_password_is_never_shown() -> None:
    with pytest.raises(InputError) as caught:
        parse_database_url("mysql://user:hunter2@host/db")
    assert "hunter2" not in str(caught.value) + caught.value.message.zh


def test_database_url__gets_psycopg() -> None:
    assert parse_database_url("postgresql://u@h/d").drivername == "postgresql+psycopg"


def test_open_engine__missing_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        open_engine(f"sqlite:///{tmp_path / 'absent.db'}")
    assert list(tmp_path.iterdir()) == []


def test_open_engine__file_is_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("this is not a database, whatever its name says" * 100)
    engine = open_engine(f"sqlite:///{path}")
    with pytest.raises(StoreError) as caught, reading(engine):
        pass
    assert caught.value.code == "CRN-C-022"
    engine.dispose()


def test_open_engine__dead_server(tmp_path: Path) -> None:
    engine = open_engine(f"postgresql://u@/d?host={tmp_path}")
    with pytest.raises(StoreUnavailableError) as caught, reading(engine):
        pass
    assert caught.value.code == "CRN-C-021"
    engine.dispose()


def test_connection__without_a_write_ahead_log_is_refused() -> None:
    connection = sqlite3.connect(":memory:")
    with pytest.raises(StoreError, match="cannot hold a write-ahead log") as caught:
        _configure_sqlite(connection, 1)
    connection.close()
    assert caught.value.code == "CRN-C-024"


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()])
def test_types__nothing_stays_nothing(dialect: Dialect) -> None:
    for kind in (Instant(), Day()):
        assert kind.process_bind_param(None, dialect) is None
        assert kind.process_result_value(None, dialect) is None


def test_explain__a_read_only_disk_is_told_from_our_own_fault(sqlite_template: Path) -> None:
    connection = sqlite3.connect(f"file:{sqlite_template}?mode=ro", uri=True)
    with pytest.raises(sqlite3.OperationalError) as caught:
        connection.execute("DELETE FROM outbox")
    connection.close()
    error = DBAPIError("DELETE", None, caught.value)
    assert isinstance(explain(error, is_writing=True), StoreUnavailableError)
    assert explain(error, is_writing=False) is None

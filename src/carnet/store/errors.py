"""What a database says when it refuses, in the terms of the product."""

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError

from carnet.core.errors import CarnetError, ConflictError, StoreError, StoreUnavailableError
from carnet.core.text import Text

_SQLITE_LOCKED: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SQLITE_DAMAGED: Final = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_SQLITE_DISK: Final = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
_SQLITE_READ_ONLY: Final = sqlite3.SQLITE_READONLY
_POSTGRESQL_LOCKED: Final = {"55P03", "40001", "40P01"}
"""lock_not_available, serialization_failure, deadlock_detected."""

_POSTGRESQL_AWAY: Final = ("08", "57P", "53", "28", "3D")
"""Classes: connection, shutdown, resources, wrong login, no such database."""


def _locked() -> ConflictError:
    return ConflictError(
        "CRN-C-020",
        Text(
            "Another process is writing to the database and did not finish in time.",
            "另一个进程正在写入数据库，且未在时限内完成。",
        ),
        Text(
            "Wait for it to end and run the command again.",
            "请等待其结束后重新运行本命令。",
        ),
    )


def _unavailable(cause: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        "CRN-C-021",
        Text(f"The database does not answer: {cause}", f"数据库没有响应：{cause}"),
        Text(
            "Check that it runs, that the setting database_url is right and that the disk has "
            "room; then run the command again, which first looks at what was stored.",
            "请检查数据库是否在运行、设置项 database_url 是否正确、磁盘是否有空间；"
            "然后重新运行本命令，它会先查看已存储的内容。",
        ),
    )


def _damaged(cause: str) -> StoreError:
    return StoreError(
        "CRN-C-022",
        Text(f"The database file cannot be read: {cause}", f"无法读取数据库文件：{cause}"),
        Text(
            "Keep the file, and restore a backup of the workspace.",
            "请保留该文件，并从备份恢复工作区。",
        ),
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _of_sqlite(error: sqlite3.Error, *, is_writing: bool) -> CarnetError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _SQLITE_LOCKED:
        return _locked()
    if code in _SQLITE_DAMAGED:
        return _damaged(_first_line(error))
    # A reader that meets it tried to write, which is our own fault and not the disk's.
    is_disk = code in _SQLITE_DISK or (is_writing and code == _SQLITE_READ_ONLY)
    return _unavailable(_first_line(error)) if is_disk else None


def explain(error: DBAPIError, *, is_writing: bool) -> CarnetError | None:
    """Return what an error of the database means for a user; None for a fault of our own code."""
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return _of_sqlite(cause, is_writing=is_writing)
    state = getattr(cause, "sqlstate", None)
    if state in _POSTGRESQL_LOCKED:
        return _locked()
    is_away = error.connection_invalidated or (
        state.startswith(_POSTGRESQL_AWAY) if state else type(cause).__name__ == "OperationalError"
    )
    return _unavailable(_first_line(cause)) if is_away and cause is not None else None

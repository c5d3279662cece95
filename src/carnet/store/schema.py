"""The version of the schema: check it on opening, bring it up to date on request."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect, select
from sqlalchemy.sql import column, table

from carnet.core.errors import StoreError
from carnet.core.text import Text
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock

REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005")
"""Every migration this code knows, oldest first. Kept here so that opening a workspace need not
load alembic; a test compares it with the folder."""

_VERSION = table("alembic_version", column("version_num"))
MIGRATIONS_PATH: Final = Path(__file__).parent / "migrations"


def current_revision(connection: Connection) -> str | None:
    """Return the last migration that was applied; None for a database without our tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(select(_VERSION.c.version_num)).scalar_one_or_none()
    return found


def _refuse_newer(revision: str) -> StoreError:
    return StoreError(
        "CRN-C-026",
        Text(
            f"The database was written by a newer version of Carnet: its schema is {revision}, "
            f"this program knows {REVISIONS[-1]}.",
            f"数据库由更新版本的 Carnet 写入：其结构版本为 {revision}，"
            f"本程序只认识到 {REVISIONS[-1]}。",
        ),
        Text(
            "Install the newer version; a database is never taken back.",
            "请安装更新的版本；数据库结构不会降级。",
        ),
    )


def _refuse_older(revision: str | None) -> StoreError:
    return StoreError(
        "CRN-C-027",
        Text(
            f"The database lacks migrations: its schema is {revision or 'empty'}, "
            f"this program needs {REVISIONS[-1]}.",
            f"数据库尚未完成结构迁移：其结构版本为 {revision or '空'}，"
            f"本程序需要 {REVISIONS[-1]}。",
        ),
        Text(
            "Make a backup of the workspace, then run `carnet upgrade`.",
            "请先备份工作区，然后运行 `carnet upgrade`。",
        ),
    )


def check_schema(engine: Engine) -> None:
    """Check that the database has exactly the schema of this code.

    Raises:
        StoreError: It is newer or older; the hint says what to do.
    """
    with reading(engine) as connection:
        revision = current_revision(connection)
    if revision is not None and revision not in REVISIONS:
        raise _refuse_newer(revision)
    if revision != REVISIONS[-1]:
        raise _refuse_older(revision)


def upgrade_schema(engine: Engine) -> tuple[str, ...]:
    """Apply the migrations that are missing, all in one transaction, and return their names.

    Raises:
        StoreError: The database is newer than this code.
    """
    from alembic import command
    from alembic.config import Config

    with writing(engine, Lock.MIGRATION) as connection:
        revision = current_revision(connection)
        if revision is not None and revision not in REVISIONS:
            raise _refuse_newer(revision)
        missing = REVISIONS[REVISIONS.index(revision) + 1 if revision else 0 :]
        if missing:
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS_PATH).replace("%", "%%"))
            config.set_main_option("path_separator", "os")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return missing

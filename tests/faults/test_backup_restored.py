"""A database restored from a backup, by the tools that come with each database.

The published checkpoint lies outside of it: it shows that the copy is older than what was signed.
"""

import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from carnet.core.clock import FixedClock
from carnet.core.errors import LedgerFatalError
from carnet.ledger.reader import LogReader
from carnet.services.appending import append_records
from carnet.services.attesting import issue_attestations
from carnet.services.erasing import Act, approve_erasure, propose_erasure
from carnet.services.erasure_standing import standing
from carnet.services.workspace import Workspace
from carnet.store.digest import content_digest
from carnet.store.engine import reading, writing
from tests.fixtures_chain import SELLER
from tests.fixtures_decisions import attest_and_append, decide
from tests.fixtures_store import ROLE, PostgresqlServer, postgresql_programs

Backup = Callable[[], Callable[[], None]]
"""Makes a backup, and returns what restores it."""


def sqlite_backup(workspace: Workspace, folder: Path) -> Callable[[], None]:
    database, copy = workspace.path / "carnet.db", folder / "backup.db"
    source, target = sqlite3.connect(database), sqlite3.connect(copy)
    source.backup(target)
    source.close()
    target.close()

    def restore() -> None:
        workspace.engine.dispose()
        for path in workspace.path.glob("carnet.db*"):
            path.unlink()
        database.write_bytes(copy.read_bytes())

    return restore


def postgresql_backup(
    workspace: Workspace, folder: Path, server: PostgresqlServer
) -> Callable[[], None]:
    name = make_url(workspace.settings.database_url).database
    assert name is not None
    dump = folder / "backup.dump"
    connect = ["-h", str(server.folder), "-U", ROLE]

    def run(program: str, *words: str) -> None:
        command = [str(postgresql_programs() / program), *connect, *words]
        subprocess.run(command, check=True, capture_output=True)

    run("pg_dump", "-Fc", "-f", str(dump), name)

    def restore() -> None:
        workspace.engine.dispose()
        server.drop(name)
        server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        run("pg_restore", "-d", name, str(dump))

    return restore


@pytest.fixture
def backup(
    seller: Workspace, tmp_path: Path, database_kind: str, request: pytest.FixtureRequest
) -> Backup:
    """What makes a backup of the seller's database, of each kind."""
    if database_kind == "sqlite":
        return lambda: sqlite_backup(seller, tmp_path)
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return lambda: postgresql_backup(seller, tmp_path, server)


def test_restored__behind_its_checkpoint_nothing_is_signed(
    seller: Workspace, clock: FixedClock, backup: Backup
) -> None:
    attest_and_append(seller, clock, [decide(seller)])
    restore = backup()
    digests = [decide(seller, case="LST-2")]
    attest_and_append(seller, clock, digests)
    published = (seller.path / "log" / "checkpoint").read_text("utf-8")
    restore()
    size = LogReader(seller.engine).size()
    digests = [decide(seller, case="LST-2")]
    # What waits may be signed, since no log holds it; the log itself goes no further.
    issue_attestations(seller, digests, clock)
    for _ in range(2):
        with pytest.raises(LedgerFatalError, match="CRN-L-003") as caught:
            append_records(seller, clock)
        assert "older backup" in caught.value.hint.en
    assert LogReader(seller.engine).size() == size
    assert (seller.path / "log" / "checkpoint").read_text("utf-8") == published


def test_restored__the_newest_backup_goes_on(
    seller: Workspace, clock: FixedClock, backup: Backup
) -> None:
    attest_and_append(seller, clock, [decide(seller)])
    size, digest = LogReader(seller.engine).size(), content_digest(seller.engine)
    restore = backup()
    restore()
    assert content_digest(seller.engine) == digest
    attest_and_append(seller, clock, [decide(seller, case="LST-2")])
    assert LogReader(seller.engine).size() == size + 1


@pytest.mark.parametrize("table", ["record", "log_entry", "log_node", "checkpoint", "fact"])
def test_restored__is_append_only_still(
    seller: Workspace, clock: FixedClock, backup: Backup, table: str
) -> None:
    attest_and_append(seller, clock, [decide(seller)])
    backup()()
    for change in (f"DELETE FROM {table}", f"UPDATE {table} SET {_column(table)} = NULL"):
        with (
            pytest.raises(DBAPIError, match="rows are never changed"),
            writing(seller.engine) as connection,
        ):
            connection.execute(text(change))


def _column(table: str) -> str:
    return {"record": "body", "log_entry": "entry", "log_node": "hash", "checkpoint": "note"}.get(
        table, "body"
    )


def test_restored__from_before_an_erasure_is_refused(
    seller: Workspace, clock: FixedClock, backup: Backup
) -> None:
    """The backup still holds the data: the log knows better, and says that it is old."""
    attest_and_append(seller, clock, [decide(seller)])
    restore = backup()
    propose_erasure(seller, Act(SELLER, "officer-1", clock), "subject_request")
    approve_erasure(seller, Act(SELLER, "officer-2", clock))
    restore()
    assert standing(seller, SELLER).state == "planned"
    with pytest.raises(LedgerFatalError, match="CRN-L-003"):
        append_records(seller, clock)
    with reading(seller.engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM erasure")).scalar_one() == 0

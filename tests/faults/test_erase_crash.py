"""An erasure killed with SIGKILL at each of its points, then run again: on both databases.

What was deleted is looked for in the files of the database, byte by byte.
"""

import json
import os
import re
import signal
from pathlib import Path

import pytest
from sqlalchemy import select, text

from carnet.core.clock import FixedClock
from carnet.core.errors import ConflictError
from carnet.ledger.reader import LogReader
from carnet.services.erasing import (
    Act,
    approve_erasure,
    propose_erasure,
)
from carnet.services.erasure_standing import list_erasures, standing
from carnet.services.importing import import_files
from carnet.services.officer_events import read_events
from carnet.services.vault import Subject, find_pseudonym, open_vault
from carnet.services.workspace import Workspace
from carnet.store import facts as stored
from carnet.store.engine import reading
from carnet.store.tables import SEALED, SUBJECT_KEY
from tests.fixtures_chain import SELLER
from tests.fixtures_erasing import SECRET_NAME, SELLER_FACTS, issue_withheld
from tests.fixtures_store import PostgresqlServer
from tests.processes import Completed, run_python

ROOT = Path(__file__).parents[2]
DONE_AT = "erase.after-commit"
POINTS = (
    "act.before-insert",
    "act.before-commit",
    "erase.before-commit",
    DONE_AT,
    "erase.before-purge",
    "erase.after-purge",
    "append.before-checkpoint",
    "append.before-commit",
    "append.after-commit",
)
"""Each point of an approval, in its order."""

CHILD = """
import sys
from pathlib import Path
from carnet.core.clock import FixedClock
from carnet.services.erasing import Act, approve_erasure
from carnet.services.workspace import Workspace
from tests.fixtures_ledger import NOW

with Workspace.open(Path(sys.argv[1])) as workspace:
    print(approve_erasure(workspace, Act(sys.argv[2], "officer-2", FixedClock(NOW))).state)
"""
SALES = 200


@pytest.fixture
def proposed(seller: Workspace, tmp_path: Path, clock: FixedClock) -> Workspace:
    """Return a workspace with enough facts of a seller to fill pages, its erasure proposed."""
    sales = next(each for each in SELLER_FACTS if each["type"] == "sales")
    many = [
        {**sales, "id": f"SALES-{number:04}", "amount_minor": 700_000_000_000 + number}
        for number in range(SALES)
    ]
    path = tmp_path / "seller.json"
    path.write_text(json.dumps({"facts": [*SELLER_FACTS, *many]}), encoding="utf-8")
    import_files(seller, [path], clock, is_replacing=True)
    issue_withheld(seller, clock)
    issue_withheld(seller, clock, 2, "LENDER-1")
    propose_erasure(seller, Act(SELLER, "officer-1", clock), "subject_request")
    return seller


def approve(workspace: Workspace, crash_at: str = "") -> Completed:
    env = {**os.environ, "CARNET_CRASH_AT": crash_at}
    return run_python(CHILD, workspace.path, SELLER, env=env)


def secrets_of(workspace: Workspace) -> list[bytes]:
    """Return what must not be found any more: words, figures, and the key in both its forms."""
    vault = open_vault(workspace)
    with reading(workspace.engine) as connection:
        pseudonym = find_pseudonym(connection, Subject("party", SELLER))
        assert pseudonym is not None
        key = vault._subject_key(connection, pseudonym)
        of_key = SUBJECT_KEY.c.pseudonym == pseudonym
        wrapped = connection.execute(select(SUBJECT_KEY.c.wrapped).where(of_key)).scalar_one()
        of_sealed = SEALED.c.pseudonym == pseudonym
        sealed = connection.execute(select(SEALED.c.ciphertext).where(of_sealed)).scalar_one()
    assert key is not None
    return [SECRET_NAME.encode(), b"700000000077", b"987654321", key, bytes(wrapped), bytes(sealed)]


def content_of(workspace: Workspace, postgresql: PostgresqlServer | None) -> bytes:
    """Return the bytes of every file of the database."""
    if postgresql is None:
        files = sorted(workspace.path.glob("carnet.db*"))
    else:
        postgresql.execute("CHECKPOINT")
        with reading(workspace.engine) as connection:
            query = text("SELECT oid FROM pg_database WHERE datname = current_database()")
            oid = connection.execute(query).scalar_one()
        files = sorted((postgresql.folder / "data" / "base" / str(oid)).iterdir())
    return b"".join(path.read_bytes() for path in files)


@pytest.fixture
def server(database_kind: str, request: pytest.FixtureRequest) -> PostgresqlServer | None:
    """The server of a workspace on PostgreSQL."""
    if database_kind == "sqlite":
        return None
    found: PostgresqlServer = request.getfixturevalue("postgresql")
    return found


def facts_left(workspace: Workspace) -> set[str]:
    with reading(workspace.engine) as connection:
        return {fact.id for fact in stored.all_versions(connection)}


@pytest.mark.parametrize("point", POINTS)
def test_erasure__killed_and_run_again(
    proposed: Workspace, server: PostgresqlServer | None, point: str
) -> None:
    is_done = POINTS.index(point) >= POINTS.index(DONE_AT)
    secrets, before = secrets_of(proposed), facts_left(proposed)
    other = {"SELLER-1", "SALES-1", "RSV-1", *(f"SALES-{number:04}" for number in range(SALES))}
    killed = approve(proposed, crash_at=point)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert killed.stdout == ""
    # All of it or nothing: what a killed process leaves is the state before or the state after.
    assert facts_left(proposed) == (before - other if is_done else before)
    assert standing(proposed, SELLER).state == ("erased" if is_done else "proposed")
    with reading(proposed.engine) as connection:
        assert len(connection.execute(select(SUBJECT_KEY)).all()) == (1 if is_done else 2)

    again = approve(proposed)
    assert (again.returncode, again.stdout) == (0, "erased\n"), again.stderr
    content = content_of(proposed, server)
    assert [secret for secret in secrets if secret in content] == []
    check_erased_once(proposed)


def check_erased_once(workspace: Workspace) -> None:
    (erased,) = list_erasures(workspace)
    assert erased.is_purged
    assert erased.index is not None
    kinds = [kind for _, kind, _, _ in LogReader(workspace.engine).records()]
    assert kinds.count("erasure") == 1
    assert LogReader(workspace.engine).pending() == []
    with reading(workspace.engine) as connection:
        acts = [event.kind for event in read_events(connection)]
        assert acts == ["erasure-proposal", "erasure-approval"]


def test_erasure__before_it_the_files_hold_what_is_looked_for(
    proposed: Workspace, server: PostgresqlServer | None
) -> None:
    """The test above would pass if it looked in the wrong place."""
    proposed.engine.dispose()
    content = content_of(proposed, server)
    missing = [secret for secret in secrets_of(proposed) if secret not in content]
    # All but the key in the clear, which never reaches the disk.
    assert len(missing) == 1
    assert len(missing[0]) == 32


def test_erasure__of_another_subject_nothing_is_lost(
    proposed: Workspace, clock: FixedClock
) -> None:
    approve_erasure(proposed, Act(SELLER, "officer-2", clock))
    vault = open_vault(proposed)
    with reading(proposed.engine) as connection:
        rows = connection.execute(select(SEALED)).all()
        assert len(rows) == 1
        assert len(vault.disclosures(connection, bytes(rows[0].record_hash))) == 3


def test_erasure__waits_for_who_reads_an_older_state(
    proposed: Workspace,
    server: PostgresqlServer | None,
    clock: FixedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets = secrets_of(proposed)
    with Workspace.open(proposed.path) as reader, reading(reader.engine) as connection:
        # A snapshot from before the erasure.
        assert connection.execute(select(SUBJECT_KEY)).all()
        monkeypatch.setenv("CARNET_DATABASE_WAIT_S", "1")
        with (
            Workspace.open(proposed.path) as eraser,
            pytest.raises(ConflictError, match="CRN-L-096"),
        ):
            approve_erasure(eraser, Act(SELLER, "officer-2", clock))
        assert standing(proposed, SELLER).state == "erased"
        assert not list_erasures(proposed)[0].is_purged
    approve_erasure(proposed, Act(SELLER, "officer-2", clock))
    content = content_of(proposed, server)
    assert [secret for secret in secrets if secret in content] == []
    check_erased_once(proposed)


def test_vault__killed_after_its_file(workspace: Workspace) -> None:
    child = (
        "import sys; from pathlib import Path; from carnet.services.vault import open_vault; "
        "from carnet.services.workspace import Workspace; "
        "open_vault(Workspace.open(Path(sys.argv[1])))"
    )
    env = {**os.environ, "CARNET_CRASH_AT": "vault.after-file"}
    done = run_python(child, workspace.path, env=env)
    assert done.returncode == -signal.SIGKILL
    before = (workspace.keys_path / "vault.json").read_bytes()
    open_vault(workspace)
    assert (workspace.keys_path / "vault.json").read_bytes() == before


def test_points__are_those_of_the_source() -> None:
    folder = ROOT / "src" / "carnet" / "services"
    source = "".join((folder / name).read_text("utf-8") for name in ("erasing.py", "vault.py"))
    named = set(re.findall(r'crash_point\("([^"]+)"\)', source))
    assert named == {point for point in POINTS if point.startswith("erase.")} | {"vault.after-file"}

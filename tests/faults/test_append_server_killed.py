"""PostgreSQL dies under an append and is started again; and so does the process that appends.

The server is killed as by a power cut (SIGKILL), told to stop at once (SIGQUIT), or ends the
appender's connection alone. The appender says what it has been acknowledged before each next step.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from carnet.core.clock import FixedClock
from carnet.ledger import merkle
from carnet.ledger.checkpoint import parse_checkpoint
from carnet.ledger.reader import LogReader
from carnet.ledger.record import Record
from carnet.store.engine import open_engine
from carnet.store.schema import upgrade_schema
from tests.fixtures_ledger import NOW, attestation, open_test_log
from tests.fixtures_store import PostgresqlServer, _system_user

ROOT = Path(__file__).parents[2]
RECORDS = 400
ACKNOWLEDGED_MIN = 3
PROGRAM = """
import os, sys
from pathlib import Path
from carnet.core.clock import FixedClock
from carnet.core.errors import CarnetError
from carnet.ledger.record import parse_record
from carnet.store.engine import open_engine
from tests.fixtures_ledger import NOW, open_test_log

url, folder, witness = sys.argv[1], Path(sys.argv[2]), sys.argv[3] == "witness"
records = [parse_record(line) for line in (folder / "records").read_bytes().splitlines()]
engine = open_engine(url)
try:
    log = open_test_log(engine, folder, FixedClock(NOW), witness=witness)
    for record in records:
        print(record.digest.hex(), *log.append([record]), flush=True)
except CarnetError as error:
    print(error, file=sys.stderr)
    os._exit(7)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    """A server of this module's own, since it is killed."""
    folder = Path(tempfile.mkdtemp(prefix="carnet-pg-"))
    started = PostgresqlServer(folder, _system_user())
    try:
        if started.user is not None:
            shutil.chown(folder, started.user)
        started.initialise()
        started.start()
        yield started
    finally:
        if started.process is not None and started.process.poll() is None:
            started.stop()
        shutil.rmtree(folder)


@pytest.fixture
def url(server: PostgresqlServer) -> str:
    address = server.url(server.new_database())
    engine = open_engine(address, is_new=True)
    upgrade_schema(engine)
    engine.dispose()
    return address


def start_again(server: PostgresqlServer) -> None:
    """Start the server; right after a kill its orphans may still hold its memory."""
    for _ in range(40):
        with contextlib.suppress(pytest.fail.Exception):
            server.start()
            return
        time.sleep(0.25)
    pytest.fail("PostgreSQL did not start again")


def start_appender(url: str, folder: Path, who: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url, str(folder), who],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])},
    )


def acknowledged(lines: list[str]) -> dict[str, int]:
    pairs = [line.split() for line in lines if line.endswith("\n")]
    return {digest: int(place) for digest, place in pairs}


def hit(how: str, server: PostgresqlServer, url: str, appender: "subprocess.Popen[str]") -> None:
    """Let what the name says die."""
    if how == "connection":
        database = url.partition("?")[0].rpartition("/")[2]
        query = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = %s AND pid <> pg_backend_pid()"
        )
        with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
            connection.execute(query, [database])
        return
    if how == "both":
        appender.kill()
    server.stop(signal.SIGQUIT if how == "server-at-once" else signal.SIGKILL)


@pytest.mark.parametrize("who", ["witness", "alone"])
@pytest.mark.parametrize("how", ["server", "server-at-once", "connection", "both"])
def test_append__the_server_dies(
    server: PostgresqlServer, url: str, tmp_path: Path, how: str, who: str
) -> None:
    records = [attestation(number) for number in range(1, RECORDS + 1)]
    (tmp_path / "records").write_bytes(b"".join(record.body + b"\n" for record in records))
    appender = start_appender(url, tmp_path, who)
    assert appender.stdout is not None
    lines = [appender.stdout.readline() for _ in range(ACKNOWLEDGED_MIN)]
    hit(how, server, url, appender)
    rest, error = appender.communicate(timeout=60)
    lines += rest.splitlines(keepends=True)
    known = acknowledged(lines)
    # A connection that ends between two appends is replaced without a word.
    is_unharmed = how == "connection" and appender.returncode == 0
    assert is_unharmed == (len(known) == RECORDS)
    if not is_unharmed:
        assert appender.returncode == (-signal.SIGKILL if how == "both" else 7), error
        assert how == "both" or "CRN-C-021" in error
    if how != "connection":
        start_again(server)
    published = (tmp_path / "log" / "checkpoint").read_text()
    check(url, tmp_path, known, records, published, who)


def check(
    url: str,
    folder: Path,
    known: dict[str, int],
    records: list[Record],
    published: str,
    who: str,
) -> None:
    """Check what is stored, append everything again, and check that."""
    engine = open_engine(url)
    try:
        reader = LogReader(engine)
        assert {name: reader.index_of(bytes.fromhex(name)) for name in known} == known
        # At most the one append under way was committed and not acknowledged.
        assert len(known) <= reader.size() <= len(known) + 1
        log = open_test_log(engine, folder, FixedClock(NOW), witness=who == "witness")
        places = log.append(records)
        assert places == list(range(len(records)))
        assert {name: reader.index_of(bytes.fromhex(name)) for name in known} == known
        assert reader.pending() == []
        tree = reader.checkpoint().checkpoint
        assert tree.size == len(records)
        for index in range(0, tree.size, 7):
            proof = reader.inclusion_proof(index, tree.size)
            leaf = merkle.leaf_hash(reader.entry(index))
            merkle.verify_inclusion(leaf, index, tree.size, proof, tree.root)
        old = parse_checkpoint(published).checkpoint
        proof = reader.consistency_proof(old.size, tree.size)
        merkle.verify_consistency(old.size, tree.size, proof, old.root, tree.root)
        assert (folder / "log" / "checkpoint").read_text() == reader.checkpoint().text
    finally:
        engine.dispose()

"""Faults in the writes of an append: each write is found where it reaches the operating system.

The writes are hooked at the driver and at the system calls, not in the code under test: a commit is
the statement COMMIT (SQLite) or the driver's commit (PostgreSQL), a published file is what
`os.fsync` and `os.replace` are called on.
"""

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from carnet.core import files
from carnet.core.clock import FixedClock
from carnet.core.errors import CarnetError
from carnet.ledger.append import Log
from carnet.ledger.checkpoint import Checkpoint
from carnet.ledger.note import NoteSignature
from carnet.ledger.record import parse_record
from carnet.store import direct
from carnet.store.engine import open_engine
from tests.fixtures_ledger import LOG_SIGNER, NOW, ORIGIN, witness_signature

FAILED = 7
FOLDER = "log"
Run = Callable[[], Any]


class Fault:
    """Lets one write fail in one manner, once; `seen` counts the writes by name."""

    def __init__(self, write: str = "none", manner: str = "none") -> None:
        self.write = write
        self.manner = manner
        self.commits = 0
        self.is_armed = False

    def around(self, write: str, run: Run, error: Callable[[], Exception]) -> Any:
        """Make a write, or let it fail."""
        if not self.is_armed or write != self.write:
            return run()
        self.is_armed = False
        if self.manner == "dies-before":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.manner == "raises-before":
            raise error()
        run()
        if self.manner == "dies-after":
            os.kill(os.getpid(), signal.SIGKILL)
        raise error()


def _commit_name(fault: Fault, *, witness: bool) -> str:
    """Return which of an append's commits comes now: with a witness, the first stages."""
    if not fault.is_armed:
        return "unarmed"
    fault.commits += 1
    return "stage" if witness and fault.commits == 1 else "commit"


def _disk_full() -> Exception:
    return OSError(28, "No space left on device")


def hook_commits(fault: Fault, *, is_sqlite: bool, witness: bool) -> None:
    """Let commits go through the fault."""
    if not is_sqlite:
        commit = psycopg.Connection.commit

        def committed(self: psycopg.Connection[Any]) -> None:
            name = _commit_name(fault, witness=witness)
            fault.around(name, lambda: commit(self), lambda: psycopg.OperationalError("lost"))

        psycopg.Connection.commit = committed  # type: ignore[method-assign]  # for this process
        return

    class Driver:
        """The driver's connection, with its commits under the fault."""

        def __init__(self, real: Any) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def execute(self, statement: str, *values: Any) -> Any:
            if statement != "COMMIT":
                return self._real.execute(statement, *values)
            full = sqlite3.OperationalError("disk I/O error")
            full.sqlite_errorcode = sqlite3.SQLITE_IOERR
            name = _commit_name(fault, witness=witness)
            return fault.around(name, lambda: self._real.execute("COMMIT"), lambda: full)

    transaction = direct._sqlite_transaction

    @contextmanager
    def hooked(driver: Any, setting: str | None) -> Iterator[None]:
        with transaction(Driver(driver), setting):
            yield

    direct._sqlite_transaction = hooked


def hook_files(fault: Fault) -> None:
    """Let the system calls of the published file go through the fault."""
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        name = {FOLDER: "publish-folder"}.get(path.name, "elsewhere")
        name = "publish-file" if path.parent.name == FOLDER else name
        fault.around(name, lambda: fsync(descriptor), _disk_full)

    def replaced(self: Path, target: Path) -> Path:
        name = "publish-rename" if target.parent.name == FOLDER else "elsewhere"
        found: Path = fault.around(name, lambda: replace(self, target), _disk_full)
        return found

    os.fsync = synced
    Path.replace = replaced  # type: ignore[assignment]  # for this process


def _witness(fault: Fault, path: Path) -> Callable[[Checkpoint], NoteSignature]:
    """Return a witness that keeps what it signed, and signs nothing that contradicts it."""

    def sign(checkpoint: Checkpoint) -> NoteSignature:
        body = checkpoint.to_body()
        kept = json.loads(path.read_text("utf-8")) if path.exists() else []
        for text in kept:
            size, root = text.split("\n")[1:3]
            if (int(size), root) != (checkpoint.size, body.split("\n")[2]):
                assert int(size) < checkpoint.size, "the witness refuses a fork or a rollback"
        signature = witness_signature(checkpoint)
        note = f"{body}\n{signature.to_line()}"
        fault.around(
            "cosign",
            lambda: files.write_atomic(path, json.dumps([*kept, note]).encode()),
            _disk_full,
        )
        return signature

    return sign


def run_with_fault(url: str, folder: str, write: str, manner: str, witness: str) -> None:
    """Append the records of a file in this process, under a fault; print their places."""
    home, fault, has_witness = Path(folder), Fault(write, manner), witness == "witness"
    lines = (home / "records").read_bytes().splitlines()
    records = [parse_record(line) for line in lines]
    engine = open_engine(url)
    log = Log(
        engine,
        signer=LOG_SIGNER,
        origin=ORIGIN,
        clock=FixedClock(NOW),
        published=home / "log" / "checkpoint",
        cosigners=[_witness(fault, home / "cosigned")] if has_witness else [],
    )
    hook_commits(fault, is_sqlite=engine.dialect.name == "sqlite", witness=has_witness)
    hook_files(fault)
    fault.is_armed = True
    try:
        print(json.dumps(log.append(records)))
    except (CarnetError, OSError) as error:
        print(error, file=sys.stderr)
        sys.stdout.flush()
        os._exit(FAILED)
    finally:
        engine.dispose()


@contextmanager
def counted_writes() -> Iterator[dict[str, int]]:
    """Count the commits, syncs and renames of this process meanwhile."""
    counts = {"commit": 0, "fsync": 0, "replace": 0}
    fsync, replace = os.fsync, Path.replace
    transactions = (direct._sqlite_transaction, direct._postgresql_transaction)

    def count(name: str, run: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            counts[name] += 1
            return run(*arguments)

        return counted

    os.fsync = count("fsync", fsync)
    Path.replace = count("replace", replace)  # type: ignore[method-assign]  # undone below
    direct._sqlite_transaction = count("commit", transactions[0])
    direct._postgresql_transaction = count("commit", transactions[1])
    try:
        yield counts
    finally:
        os.fsync = fsync
        Path.replace = replace  # type: ignore[method-assign]  # as it was
        direct._sqlite_transaction, direct._postgresql_transaction = transactions

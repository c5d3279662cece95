"""How fast the ledger is, as ratios to what the same disk and the same libraries do at that moment.

Appending: records are signed and appended through the services, on SQLite and on PostgreSQL, 1, 100
and 1,000 to a commit. The control is a write of as many bytes with fdatasync, one a record, in
turns with the appends on the same disk: a disk's speed drifts tenfold, the ratio does not. Each
ratio is the median over rounds.

Verifying: a bundle from a workspace, beside PyNaCl checking the same signatures and nothing else.
Proofs: from a stored log of made-up leaves. A read of the chain: beside the same request through a
bare socket. Appenders at once: threads of one log and processes, beside one alone.

Prints what was reached beside the target, and exits 1 where one is missed.

    python3 dev.py bench ledger [--quick] [--full] [--only append,verify,proofs,chain,many]
"""

import argparse
import json
import os
import random
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from nacl.signing import VerifyKey

ROOT = Path(__file__).resolve().parent.parent
APPENDER = ROOT / "benchmarks" / "ledger_parts" / "appender.py"
sys.path.insert(0, str(ROOT))

from ledger_parts.bare_socket import BareSocket  # noqa: E402 - the path comes first

from carnet.core.clock import SystemClock  # noqa: E402
from carnet.core.digests import sha256  # noqa: E402
from carnet.core.subjects import listing_hash  # noqa: E402
from carnet.ledger import signer as signing  # noqa: E402
from carnet.ledger.append import Log  # noqa: E402
from carnet.ledger.checkpoint import origin_hash  # noqa: E402
from carnet.ledger.policy import Policy  # noqa: E402
from carnet.ledger.reader import LogReader  # noqa: E402
from carnet.ledger.record import (  # noqa: E402
    ATTESTATION_TYPE,
    LISTING_URN,
    Issuer,
    Record,
    Validity,
    new_salt,
    sign_record,
    urn_of_digest,
)
from carnet.ledger.verify import verify_bundle  # noqa: E402
from carnet.services.anchoring import push  # noqa: E402
from carnet.services.appending import append_records, open_log  # noqa: E402
from carnet.services.bundling import export_bundle  # noqa: E402
from carnet.services.chaining import open_chain  # noqa: E402
from carnet.services.deploying import deploy  # noqa: E402
from carnet.services.keys import ensure_key  # noqa: E402
from carnet.services.policies import make_policy  # noqa: E402
from carnet.services.verifying import ROOT_AT, anchor_reader  # noqa: E402
from carnet.services.workspace import DATABASE_FILE, Workspace, create  # noqa: E402
from tests.large_log import fill_log  # noqa: E402

CLOCK = SystemClock()
TARGETS = {
    "sqlite": {1: 0.30, 100: 1.8, 1000: 2.0},
    "postgresql": {1: 0.15, 100: 1.0, 1000: 1.4},
}
ROUNDS = {1: 60, 100: 30, 1000: 12}
TURNS = {1: 10, 100: 2, 1000: 1}
"""Appends of a round, each between controls."""

CONTROLS = {1: 1, 100: 10, 1000: 40}
"""Controls before each append of a round, and after the last."""

VERIFY_RATIO_MIN = 0.40
INCLUSION_MS_MAX = 0.1
CHAIN_MS_MAX = 1.0
APPENDERS = 32
PROCESSES = 8
MILLION = 1_000_000


@dataclass(slots=True)
class Report:
    """The lines of the report, printed as they come."""

    missed: list[str] = field(default_factory=list)

    def line(
        self, name: str, value: float, unit: str, target: float | None = None, *, most: bool = False
    ) -> None:
        """Print what was reached, and note a target that was missed; `most` bounds from above."""
        wanted = ""
        if target is not None:
            holds = value <= target if most else value >= target
            wanted = f"{'at most' if most else 'at least'} {target:g}   {'' if holds else 'MISSED'}"
            if not holds:
                self.missed.append(name)
        print(f"{name:<62}{value:>9.3f} {unit:<11}{wanted}", flush=True)


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder beside the repository's caches, so that all is on one disk."""
    path = Path(tempfile.mkdtemp(prefix="carnet-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def workspace_in(path: Path, database_url: str = "") -> Iterator[Workspace]:
    """Give a new workspace with its keys in the log."""
    create(path, clock=CLOCK, database_url=database_url)
    with Workspace.open(path) as workspace:
        append_records(workspace, CLOCK)
        yield workspace


def new_statement() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what an attestation of a made-up listing says, and the rest of what is signed."""
    name = secrets.token_hex(8)
    now = CLOCK.now()
    subject = {
        "id": LISTING_URN + listing_hash(f"LST-{name}", "SELLER-1").hex(),
        "listing": f"LST-{name}",
        "seller": "SELLER-1",
        "pack": {"id": "eu-ce", "version": "2026.1", "digest": "ab" * 32},
        "asOf": now.date().isoformat(),
        "conformity": "conforming",
        "officerConfirmed": ["expiry_warning_days"],
        "findings": [{"rule": "eu-ce-007", "severity": "minor"}],
        "measures": {"days_to_expiry": 41},
        "outputs": {},
        "decisionDigest": secrets.token_hex(32),
        "salt": new_salt(),
    }
    return subject, {
        "record_id": urn_of_digest(sha256(name.encode())),
        "validity": Validity(now, now + timedelta(days=90)),
        "created": now,
    }


def new_record(issuer: Issuer) -> Record:
    """Sign an attestation of a made-up listing."""
    subject, others = new_statement()
    return sign_record(ATTESTATION_TYPE, subject, issuer=issuer, **others)


# --- appending ---------------------------------------------------------------------------------


class Control:
    """A file that records' bytes are written to, each with fdatasync."""

    def __init__(self, path: Path, data: bytes) -> None:
        self._descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self._data = data

    def seconds(self, count: int) -> float:
        """Return the time of some writes."""
        started = time.perf_counter()
        for _ in range(count):
            os.write(self._descriptor, self._data)
            os.fdatasync(self._descriptor)
        return time.perf_counter() - started


def append_ratio(log: Log, issuer: Issuer, control: Control, size: int) -> float:
    """Return records a second, signed and appended, to controls a second, of one round."""
    written = spent = 0.0
    for _ in range(TURNS[size]):
        written += control.seconds(CONTROLS[size])
        statements = [new_statement() for _ in range(size)]
        started = time.perf_counter()
        records = [
            sign_record(ATTESTATION_TYPE, subject, issuer=issuer, **others)
            for subject, others in statements
        ]
        log.append(records)
        spent += time.perf_counter() - started
        assert len(records) == size
    written += control.seconds(CONTROLS[size])
    controls = CONTROLS[size] * (TURNS[size] + 1)
    return (written / controls) / (spent / (size * TURNS[size]))


@contextmanager
def postgresql(path: Path) -> Iterator[str]:
    """Give the address of a database of a server of our own."""
    from tests.fixtures_store import PostgresqlServer, _system_user

    home = Path(tempfile.mkdtemp(prefix="carnet-bench-pg-", dir=path.parent))
    server = PostgresqlServer(home, _system_user())
    try:
        if server.user is not None:
            shutil.chown(home, server.user)
        server.initialise()
        server.start()
        yield server.url(server.new_database())
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()
        shutil.rmtree(home, ignore_errors=True)


def measure_append(report: Report, path: Path, kind: str, url: str, share: float) -> None:
    """Measure appends of each size on one database."""
    with workspace_in(path / kind, url) as workspace:
        issuer, log = ensure_key(workspace, "issuer", CLOCK).issuer, open_log(workspace, CLOCK)
        control = Control(path / f"control-{kind}", new_record(issuer).body)
        log.append([new_record(issuer) for _ in range(1000)])
        for size, rounds in ROUNDS.items():
            found = [
                append_ratio(log, issuer, control, size)
                for _ in range(max(3, round(rounds * share)))
            ]
            name = f"append, {kind}, {size:,} records a commit"
            report.line(name, statistics.median(found), "x control", TARGETS[kind][size])


def part_append(report: Report, path: Path, options: argparse.Namespace) -> None:
    """Measure appends on both databases."""
    share = 0.25 if options.quick else 1.0
    measure_append(report, path, "sqlite", "", share)
    with postgresql(path) as url:
        measure_append(report, path, "postgresql", url, share)


# --- verifying ---------------------------------------------------------------------------------


def signatures_of(run: Callable[[], object]) -> list[tuple[bytes, bytes, bytes]]:
    """Return key, message and signature of every signature that a run checks."""
    found: list[tuple[bytes, bytes, bytes]] = []

    class Noting(VerifyKey):
        def verify(self, smessage: Any, signature: Any = None, encoder: Any = None) -> bytes:
            del encoder
            found.append((bytes(self), smessage, signature))
            return super().verify(smessage, signature)

    signing.VerifyKey = Noting  # type: ignore[misc]  # undone below
    try:
        run()
    finally:
        signing.VerifyKey = VerifyKey  # type: ignore[misc]  # as it was
    return found


def verify_ratio(data: bytes, policy: Policy, rounds: int) -> tuple[int, float]:
    """Return the number of signatures, and their floor to the whole verification."""
    today = CLOCK.now().date()

    def whole() -> None:
        found = verify_bundle(data, policy, today=today)
        assert found.verdict != "not_valid", list(found.steps)

    checked = signatures_of(whole)

    def floor() -> None:
        for key, message, signature in checked:
            VerifyKey(key).verify(message, signature)

    def seconds(run: Callable[[], None]) -> float:
        started = time.perf_counter()
        for _ in range(20):
            run()
        return time.perf_counter() - started

    found = [seconds(floor) / seconds(whole) for _ in range(rounds)]
    return len(checked), statistics.median(found)


def part_verify(report: Report, path: Path, options: argparse.Namespace) -> None:
    """Measure verification of a plain bundle, and of one with a witness."""
    rounds = 10 if options.quick else 40
    for name, roles in (("plain", ()), ("with a witness", ("witness",))):
        with workspace_in(path / f"verify-{len(roles)}") as workspace:
            for role in roles:
                ensure_key(workspace, role, CLOCK)  # type: ignore[arg-type]  # a role from above
            issuer, log = ensure_key(workspace, "issuer", CLOCK).issuer, open_log(workspace, CLOCK)
            log.append(log.pending_records())
            record = new_record(issuer)
            log.append([new_record(issuer) for _ in range(100)] + [record])
            data = export_bundle(workspace, record.record_id).to_bytes()
            count, ratio = verify_ratio(data, make_policy(workspace), rounds)
            title = f"verify a bundle, {name} ({count} signatures, {len(data):,} bytes)"
            report.line(title, ratio, "x floor", VERIFY_RATIO_MIN)


# --- proofs of a large log ---------------------------------------------------------------------


def milliseconds(run: Callable[[], object], count: int) -> float:
    """Return the median time of one run."""
    found = []
    for _ in range(count):
        started = time.perf_counter()
        run()
        found.append(time.perf_counter() - started)
    return 1000 * statistics.median(found)


def measure_proofs(report: Report, path: Path, size: int) -> None:
    """Measure proofs from, and appends to, a stored log of a size."""
    create(path, clock=CLOCK)
    with Workspace.open(path) as workspace:
        issuer = ensure_key(workspace, "issuer", CLOCK).issuer
        signer, origin = ensure_key(workspace, "log", CLOCK).signer, workspace.settings.log_origin
        fill_log(workspace.path / DATABASE_FILE, size, origin, signer, CLOCK.now())
        reader, chooser = LogReader(workspace.engine), random.Random(size)
        reader.size()

        def inclusion() -> None:
            reader.inclusion_proof(chooser.randrange(size), size)

        def consistency() -> None:
            reader.consistency_proof(chooser.randrange(1, size), size)

        bound = INCLUSION_MS_MAX if size == MILLION else None
        name = f"{size:,} leaves"
        report.line(
            f"inclusion proof, {name}", milliseconds(inclusion, 2000), "ms", bound, most=True
        )
        report.line(f"consistency proof, {name}", milliseconds(consistency, 2000), "ms")
        started = time.perf_counter()
        log = open_log(workspace, CLOCK)
        report.line(f"open the log, {name}", 1000 * (time.perf_counter() - started), "ms")

        def append() -> None:
            log.append([new_record(issuer)])

        report.line(f"append of one record, {name}", milliseconds(append, 50), "ms")


def part_proofs(report: Report, path: Path, options: argparse.Namespace) -> None:
    """Measure a log of a million leaves, and of ten million where asked for."""
    sizes = (MILLION, 10 * MILLION) if options.full else (MILLION,)
    for size in sizes:
        measure_proofs(report, path / f"log-{size}", size)
        shutil.rmtree(path / f"log-{size}")


# --- the chain ---------------------------------------------------------------------------------


def part_chain(report: Report, path: Path, options: argparse.Namespace) -> None:
    """Measure one read of an anchored root on top of the node's own time."""
    count = 200 if options.quick else 1000
    with workspace_in(path / "chain") as workspace, open_chain(workspace, clock=CLOCK) as session:
        deploy(session, issuer=ensure_key(workspace, "issuer", CLOCK).did)
        push(session)
        records = LogReader(workspace.engine).records()
        anchor = export_bundle(workspace, records[0][0]).anchor
        assert anchor is not None, "the log is anchored"
        url = session.rpc.shown_url
        data = (
            ROOT_AT + origin_hash(workspace.settings.log_origin) + anchor.size.to_bytes(32, "big")
        )
        call = {"to": anchor.contract, "data": f"0x{data.hex()}"}
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [call, "latest"]}
        bare = BareSocket(url, orjson.dumps(body))
        with anchor_reader(url) as read:
            root = read(anchor)
            assert orjson.loads(bare.exchange())["result"] == f"0x{root.hex() if root else ''}"
            ours, theirs = [], []
            for _ in range(count):
                theirs.append(milliseconds(bare.exchange, 1))
                ours.append(milliseconds(lambda: read(anchor), 1))
        above = statistics.median(ours) - statistics.median(theirs)
        report.line("read of the chain, on top of the node", above, "ms", CHAIN_MS_MAX, most=True)


# --- many at once ------------------------------------------------------------------------------


def check_log(workspace: Workspace, records: list[Record]) -> None:
    """Check that every record stands at a place of its own."""
    places = {row[0]: row[3] for row in LogReader(workspace.engine).records()}
    found = [places[record.record_id] for record in records]
    assert None not in found, "nothing is lost"
    assert len(set(found)) == len(records), "nothing is doubled"
    open_log(workspace, CLOCK)


def threads_seconds(log: Log, groups: list[list[Record]]) -> float:
    """Return how long it takes until each group is appended, one at a time by a thread each."""

    def work(records: list[Record]) -> None:
        for record in records:
            log.append([record])

    threads = [threading.Thread(target=work, args=(group,)) for group in groups]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def processes_seconds(workspace: Workspace, groups: list[list[Record]], path: Path) -> float:
    """Return how long it takes until each group is appended by a process of its own."""
    children = []
    for number, group in enumerate(groups):
        file = path / f"records-{number}"
        file.write_bytes(b"".join(record.body + b"\n" for record in group))
        command = [sys.executable, str(APPENDER), str(workspace.path), str(file)]
        pipe = subprocess.PIPE
        children.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    started = time.time()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    ends = [float(child.communicate()[0]) for child in children]
    assert all(child.returncode == 0 for child in children)
    return max(ends) - started


def part_many(report: Report, path: Path, options: argparse.Namespace) -> None:
    """Measure appenders at once beside one alone."""
    each = 10 if options.quick else 30
    with workspace_in(path / "many") as workspace:
        issuer, log = ensure_key(workspace, "issuer", CLOCK).issuer, open_log(workspace, CLOCK)

        def groups(count: int, size: int) -> list[list[Record]]:
            return [[new_record(issuer) for _ in range(size)] for _ in range(count)]

        done: list[Record] = []
        ratios: dict[str, list[float]] = {"threads": [], "processes": []}
        for _ in range(3):
            for name, count in (("threads", APPENDERS), ("processes", PROCESSES)):
                alone, together = groups(1, each * 4), groups(count, each)
                rate = each * 4 / threads_seconds(log, alone)
                if name == "threads":
                    seconds = threads_seconds(log, together)
                else:
                    seconds = processes_seconds(workspace, together, path)
                ratios[name].append(each * count / seconds / rate)
                done += [record for group in (*alone, *together) for record in group]
        check_log(workspace, done)
        for name, count in (("threads", APPENDERS), ("processes", PROCESSES)):
            title = f"{count} {name} append at once, nothing lost"
            target = 1.0 if name == "threads" else None
            report.line(title, statistics.median(ratios[name]), "x one", target)


PARTS: dict[str, Callable[[Report, Path, argparse.Namespace], None]] = {
    "append": part_append,
    "verify": part_verify,
    "proofs": part_proofs,
    "chain": part_chain,
    "many": part_many,
}


def main() -> int:
    """Measure all parts, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--full", action="store_true", help="also a log of ten million leaves")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, comma-separated")
    options = parser.parse_args()
    report = Report()
    for name in options.only.split(","):
        with folder() as path:
            PARTS[name](report, path, options)
    if report.missed:
        print(json.dumps({"missed": report.missed}), file=sys.stderr)
    return int(bool(report.missed))


if __name__ == "__main__":
    sys.exit(main())

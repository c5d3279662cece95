"""Every durable write of an append fails, before or after it took effect, or kills the process.

The writes are those of `WRITES`. At each, on both databases, with a witness and without:

* it raises an error without having taken effect (a full disk, a lost connection);
* it takes effect and raises an error all the same, so that the outcome looks unknown;
* the process dies before it, or after it, by SIGKILL.

Then the log is opened again by another process and the same append is made again. Whatever
happened, nothing that was acknowledged is lost, nothing is in the log twice, every proof holds, and
the log continues every checkpoint that was published or cosigned before.

The table of docs/operations.md says what each of them leaves behind; a test compares it.
"""

import json
import re
import signal
from pathlib import Path

import pytest
from sqlalchemy import Engine

from carnet.core.clock import FixedClock
from carnet.ledger import merkle
from carnet.ledger.checkpoint import parse_checkpoint, verify_checkpoint, verify_cosignature
from carnet.ledger.reader import LogReader
from carnet.ledger.record import Record
from tests.faults_of_append import counted_writes
from tests.fixtures_ledger import NOW, WITNESS, attestation, open_test_log
from tests.processes import Completed, run_python

ROOT = Path(__file__).parents[2]
WRITES = {
    "stage": "the transaction that stages records before a witness signs",
    "cosign": "a witness keeps the checkpoint that it cosigns",
    "commit": "the transaction of entries, nodes and checkpoint",
    "publish-file": "the new published checkpoint, beside its place",
    "publish-rename": "its move into place",
    "publish-folder": "the sync of the folder",
}
MANNERS = ("raises-before", "raises-after", "dies-before", "dies-after")
BEFORE = 3
NEW = 5
PROGRAM = """
import sys
from tests.faults_of_append import run_with_fault
run_with_fault(*sys.argv[1:])
"""


def run_append(url: str, folder: Path, write: str, manner: str, *, witness: bool) -> Completed:
    who = "witness" if witness else "alone"
    return run_python(PROGRAM, url, folder, write, manner, who)


def write_records(path: Path, records: list[Record]) -> None:
    path.write_text("".join(record.body.decode() + "\n" for record in records), "utf-8")


def check_history(reader: LogReader, seen: list[str]) -> None:
    """Check every proof of the log, and that it continues each checkpoint that was seen."""
    tree = reader.checkpoint().checkpoint
    entries = [reader.entry(index) for index in range(tree.size)]
    assert len(set(entries)) == tree.size
    for index, entry in enumerate(entries):
        proof = reader.inclusion_proof(index, tree.size)
        merkle.verify_inclusion(merkle.leaf_hash(entry), index, tree.size, proof, tree.root)
    for text in seen:
        old = parse_checkpoint(text).checkpoint
        proof = reader.consistency_proof(old.size, tree.size)
        merkle.verify_consistency(old.size, tree.size, proof, old.root, tree.root)


def lines_of(path: Path) -> list[str]:
    return json.loads(path.read_text("utf-8")) if path.exists() else []


ALONE = ("commit", "publish-rename")
"""The writes that are tried without a witness too: the first is another transaction then."""

CASES = [(write, "witness") for write in WRITES] + [(write, "alone") for write in ALONE]


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize(("write", "who"), CASES)
def test_append__a_write_fails(
    engine: Engine, database_url: str, tmp_path: Path, write: str, who: str, manner: str
) -> None:
    witness = who == "witness"
    published = tmp_path / "log" / "checkpoint"
    first = [attestation(number) for number in range(1, BEFORE + 1)]
    log = open_test_log(engine, tmp_path, FixedClock(NOW), witness=witness)
    log.append(first)
    records = [attestation(number) for number in range(10, 10 + NEW)]
    write_records(tmp_path / "records", records)
    before = published.read_text()

    failed = run_append(database_url, tmp_path, write, manner, witness=witness)
    if manner.startswith("dies"):
        assert failed.returncode == -signal.SIGKILL, failed.stderr
    else:
        assert failed.returncode == 7, failed.stderr
    reader = LogReader(engine)
    seen = [before, published.read_text(), *lines_of(tmp_path / "cosigned")]
    # Whether the write took effect decides what is there, and nothing else.
    is_committed = write.startswith("publish") or (write == "commit" and manner.endswith("after"))
    assert reader.size() == BEFORE + NEW * is_committed
    assert [reader.index_of(record.digest) for record in first] == list(range(BEFORE))

    again = run_append(database_url, tmp_path, "none", "none", witness=witness)
    assert again.returncode == 0, again.stderr
    expected = list(range(BEFORE, BEFORE + NEW))
    assert json.loads(again.stdout) == expected
    assert reader.size() == BEFORE + NEW
    assert [reader.index_of(record.digest) for record in records] == expected
    assert published.read_text() == reader.checkpoint().text
    check_history(reader, [*seen, *lines_of(tmp_path / "cosigned")])
    verify_checkpoint(reader.checkpoint(), log.verifier_key)
    if witness:
        verify_cosignature(reader.checkpoint(), WITNESS)
    assert reader.pending() == []
    left = {path.name for path in published.parent.iterdir()}
    assert published.name in left


def test_writes__are_all_that_an_append_makes(engine: Engine, tmp_path: Path) -> None:
    """The table names every write: what an append does to the disk is counted by the hooks."""
    for witness in (True, False):
        log = open_test_log(engine, tmp_path, FixedClock(NOW), witness=witness)
        size = log.size()
        with counted_writes() as counts:
            log.append([attestation(size + 1)])
        expected = {"commit": 2 if witness else 1, "fsync": 2, "replace": 1}
        assert counts == expected, witness


def test_table__is_the_one_of_the_operations_page() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    table = page.partition("## Writes of an append")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == set(WRITES)

"""An append killed with SIGKILL at each of its points, then run again: on both databases."""

import json
import os
import re
import signal
from pathlib import Path

import pytest
from sqlalchemy import Engine

from carnet.core.clock import FixedClock
from carnet.ledger import merkle
from carnet.ledger.reader import LogReader
from carnet.ledger.record import Record
from tests.fixtures_ledger import NOW, attestation, open_test_log
from tests.processes import Completed, run_python

POINTS = {
    "append.before-stage": (0, 0),
    "append.before-checkpoint": (5, 0),
    "append.before-commit": (5, 0),
    "append.after-commit": (5, 5),
    "files.before-rename": (5, 5),
}
"""Each point, and how many of five records are then stored and in the log."""

BEFORE = 3
CHILD = """
import json, sys
from pathlib import Path
from carnet.core.clock import FixedClock
from carnet.ledger.record import parse_record
from carnet.store.engine import open_engine
from tests.fixtures_ledger import NOW, open_test_log

url, folder, bodies = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
records = [parse_record(line.encode()) for line in bodies.read_text("utf-8").splitlines()]
engine = open_engine(url)
log = open_test_log(engine, folder, FixedClock(NOW))
print(json.dumps(log.append(records)))
engine.dispose()
"""
ROOT = Path(__file__).parents[2]


def run_append(url: str, folder: Path, bodies: Path, crash_at: str = "") -> Completed:
    env = {**os.environ, "CARNET_CRASH_AT": crash_at}
    return run_python(CHILD, url, folder, bodies, env=env)


def write_bodies(path: Path, records: list[Record]) -> Path:
    path.write_text("".join(record.body.decode() + "\n" for record in records), "utf-8")
    return path


def check_proofs(reader: LogReader) -> None:
    tree = reader.checkpoint().checkpoint
    for index in range(tree.size):
        leaf = merkle.leaf_hash(reader.entry(index))
        proof = reader.inclusion_proof(index, tree.size)
        merkle.verify_inclusion(leaf, index, tree.size, proof, tree.root)


@pytest.mark.parametrize("point", POINTS)
def test_append__killed_and_run_again(
    engine: Engine, database_url: str, tmp_path: Path, point: str
) -> None:
    published = tmp_path / "log" / "checkpoint"
    open_test_log(engine, tmp_path, FixedClock(NOW)).append(
        [attestation(number) for number in range(1, BEFORE + 1)]
    )
    before = published.read_text()
    records = [attestation(number) for number in range(10, 15)]
    bodies = write_bodies(tmp_path / "bodies", records)

    killed = run_append(database_url, tmp_path, bodies, crash_at=point)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert killed.stdout == ""
    stored, logged = POINTS[point]
    reader = LogReader(engine)
    assert len(reader.records()) == BEFORE + stored
    assert reader.size() == BEFORE + logged
    assert published.read_text() == before

    again = run_append(database_url, tmp_path, bodies)
    assert again.returncode == 0, again.stderr
    expected = list(range(BEFORE, BEFORE + len(records)))
    assert json.loads(again.stdout) == expected
    assert reader.size() == BEFORE + len(records)
    assert [reader.index_of(record.digest) for record in records] == expected
    assert published.read_text() == reader.checkpoint().text
    check_proofs(reader)

    note = reader.checkpoint().text
    assert json.loads(run_append(database_url, tmp_path, bodies).stdout) == expected
    assert reader.checkpoint().text == note


def test_points__are_those_of_the_source() -> None:
    source = (ROOT / "ledger" / "append.py").read_text("utf-8")
    named = set(re.findall(r'crash_point\("([^"]+)"\)', source))
    assert named == {point for point in POINTS if point.startswith("append.")}

"""A large log: what a proof, an append or an opening reads grows with the levels of the tree."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from carnet.core.clock import FixedClock
from carnet.ledger import merkle, reader
from carnet.ledger.append import Log
from carnet.ledger.checkpoint import SignedCheckpoint
from carnet.ledger.reader import LogReader
from carnet.store.direct import Direct, Row
from carnet.store.engine import open_engine
from tests.fixtures_ledger import LOG_SIGNER, NOW, ORIGIN, attestation
from tests.large_log import fill_log

SIZES = (1_000, 70_001)


@pytest.fixture(scope="module", params=SIZES)
def filled(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, SignedCheckpoint]:
    path = tmp_path_factory.mktemp("large") / "carnet.db"
    shutil.copy(sqlite_template, path)
    return path, fill_log(path, request.param, ORIGIN, LOG_SIGNER, NOW)


@pytest.fixture
def large(
    filled: tuple[Path, SignedCheckpoint], tmp_path: Path
) -> Iterator[tuple[Engine, SignedCheckpoint]]:
    shutil.copy(filled[0], tmp_path / "carnet.db")
    engine = open_engine(f"sqlite:///{tmp_path / 'carnet.db'}")
    yield engine, filled[1]
    engine.dispose()


class Counting:
    """How many statements were run, and how many rows came back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statements = self.rows = 0
        real = Direct.rows

        def rows(direct: Direct, statement: str, values: Row = ()) -> list[tuple[object, ...]]:
            found = real(direct, statement, values)
            self.statements += 1
            self.rows += len(found)
            return found

        monkeypatch.setattr(Direct, "rows", rows)

    def reset(self) -> None:
        self.statements = self.rows = 0


def test_proofs__read_a_row_for_each_level(
    large: tuple[Engine, SignedCheckpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, signed = large
    tree, chooser, log = signed.checkpoint, random.Random(1), LogReader(engine)
    log.size()
    counting = Counting(monkeypatch)
    levels = tree.size.bit_length()
    for _ in range(50):
        counting.reset()
        index = chooser.randrange(tree.size)
        proof = log.inclusion_proof(index, tree.size)
        merkle.verify_inclusion(
            merkle.leaf_hash(b"%016d" % index), index, tree.size, proof, tree.root
        )
        assert counting.statements == 1
        assert counting.rows <= 2 * levels
        counting.reset()
        log.consistency_proof(chooser.randrange(1, tree.size), tree.size)
        assert counting.statements == 1
        assert counting.rows <= 2 * levels + 1


def test_proofs__large_subtrees_are_read_once(
    large: tuple[Engine, SignedCheckpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, signed = large
    tree, log = signed.checkpoint, LogReader(engine)
    first = log.inclusion_proof(0, tree.size)
    counting = Counting(monkeypatch)
    proof = log.inclusion_proof(1, tree.size)
    # The small subtrees beside the leaf, and those that the right edge of the tree is made of.
    edge = (tree.size % 2**reader.KEPT_LEVEL_MIN).bit_count()
    assert counting.rows == reader.KEPT_LEVEL_MIN + edge
    assert proof[reader.KEPT_LEVEL_MIN :] == first[reader.KEPT_LEVEL_MIN :]
    merkle.verify_inclusion(merkle.leaf_hash(b"%016d" % 1), 1, tree.size, proof, tree.root)


def test_proofs__no_more_subtrees_are_kept_than_agreed(
    large: tuple[Engine, SignedCheckpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, signed = large
    monkeypatch.setattr(reader, "KEPT_MAX", 20)
    tree, log, chooser = signed.checkpoint, LogReader(engine), random.Random(2)
    for _ in range(50):
        index = chooser.randrange(tree.size)
        proof = log.inclusion_proof(index, tree.size)
        leaf = merkle.leaf_hash(b"%016d" % index)
        merkle.verify_inclusion(leaf, index, tree.size, proof, tree.root)
        assert len(log._kept) <= 20


def test_append__reads_what_does_not_grow(
    large: tuple[Engine, SignedCheckpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, signed = large
    counting, size = Counting(monkeypatch), signed.checkpoint.size
    log = Log(
        engine,
        signer=LOG_SIGNER,
        origin=ORIGIN,
        clock=FixedClock(NOW),
        published=tmp_path / "log" / "checkpoint",
    )
    # The newest checkpoint, a count, the nodes of the root, whether there are two checkpoints.
    assert counting.rows <= size.bit_length() + 6
    for number in range(1, 4):
        counting.reset()
        assert log.append([attestation(number)]) == [size + number - 1]
        assert (counting.statements, counting.rows) == (1, 1)
    tree = log.checkpoint().checkpoint
    proof = log.consistency_proof(size, tree.size)
    merkle.verify_consistency(size, tree.size, proof, signed.checkpoint.root, tree.root)


def test_open__counts_the_newest_entries_only(
    large: tuple[Engine, SignedCheckpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, signed = large
    asked: list[Row] = []
    real = Direct.rows

    def rows(direct: Direct, statement: str, values: Row = ()) -> list[tuple[object, ...]]:
        if "count(*)" in statement:
            asked.append(values)
        return real(direct, statement, values)

    monkeypatch.setattr(Direct, "rows", rows)
    with engine.connect() as connection:
        reader.check_log(Direct.of(connection))
        reader.check_log(Direct.of(connection), signed.checkpoint.size - 1)
    size = signed.checkpoint.size
    assert asked == [(max(0, size - reader.COUNTED_MAX),), (size - 1,)]


def test_proofs__look_nodes_up_by_their_keys(large: tuple[Engine, SignedCheckpoint]) -> None:
    """Rows that come back do not show rows that were passed over: the plan does."""
    engine, _ = large
    with engine.connect() as connection:
        query = "EXPLAIN QUERY PLAN " + reader._nodes_query(5, 2)
        values = [1, 2, 1, 3, 2, 0, 3, 1, 4, 0, 5, 6]
        plan = [row[-1] for row in Direct.of(connection).rows(query, values)]
    assert any(step.startswith("SEARCH log_node USING PRIMARY KEY") for step in plan)
    assert any(step.startswith("SEARCH log_entry") for step in plan)
    assert not [step for step in plan if step.startswith(("SCAN log_node", "SCAN log_entry"))]

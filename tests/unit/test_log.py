"""The log on SQLite and on PostgreSQL: appends, proofs, and everything it refuses to go on from."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from carnet.core.clock import FixedClock
from carnet.core.digests import RootHash, sha256
from carnet.core.errors import (
    LedgerError,
    LedgerFatalError,
    NotFoundError,
    StoreUnavailableError,
)
from carnet.core.text import Text
from carnet.ledger import append, merkle
from carnet.ledger.append import Log, stage_records
from carnet.ledger.checkpoint import (
    Checkpoint,
    parse_checkpoint,
    sign_checkpoint,
    verify_checkpoint,
)
from carnet.ledger.keys import key_event_record
from carnet.ledger.note import NoteSignature
from carnet.ledger.record import Record
from carnet.store.engine import writing
from carnet.store.locks import Lock
from tests.fixtures_ledger import (
    ISSUER_KEY,
    LOG_SIGNER,
    NOW,
    ORIGIN,
    STRANGER,
    attestation,
    open_test_log,
)

Opener = Callable[[], Log]


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def log(engine: Engine, tmp_path: Path, clock: FixedClock) -> Log:
    return open_test_log(engine, tmp_path, clock)


def records_of(*numbers: int) -> list[Record]:
    return [attestation(number) for number in numbers]


def damage(engine: Engine, table: str, statement: str) -> None:
    """Change a row behind the back of the triggers, as a broken disk or an intruder would."""

    def run(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER {table}_no_change"))
        else:
            query = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :t")
            for name in connection.execute(query, {"t": table}).scalars().all():
                connection.execute(text(f"DROP TRIGGER {name}"))
        assert connection.execute(text(statement)).rowcount == 1

    with writing(engine) as connection:
        run(connection)


def zero(engine: Engine) -> str:
    return (
        "decode(repeat('00', 32), 'hex')" if engine.dialect.name == "postgresql" else "zeroblob(32)"
    )


def test_append__gives_places_and_signs_a_checkpoint(log: Log) -> None:
    records = records_of(1, 2, 3)
    assert log.append(records) == [0, 1, 2]
    signed = log.checkpoint()
    verify_checkpoint(signed, log.verifier_key)
    leaves = [record.entry.leaf_hash for record in records]
    tree = dict(merkle.append_leaves(0, leaves, {}.__getitem__))
    assert signed.checkpoint == Checkpoint(ORIGIN, 3, merkle.root_hash(3, tree.__getitem__))
    assert [log.entry(index) for index in range(3)] == [r.entry.to_bytes() for r in records]


def test_append__the_same_again_changes_nothing(log: Log) -> None:
    records = records_of(1, 2, 3)
    first = log.append(records)
    note = log.checkpoint().text
    assert log.append(records) == first
    assert log.append([records[2], records[0], records[2]]) == [2, 0, 2]
    assert log.checkpoint().text == note
    assert log.size() == 3


def test_append__one_record_twice_in_one_call(log: Log) -> None:
    one, two = records_of(1, 2)
    assert log.append([one, two, one]) == [0, 1, 0]
    assert log.size() == 2


def test_append__nothing_at_all(log: Log) -> None:
    assert log.append([]) == []
    assert log.size() == 0
    with pytest.raises(NotFoundError):
        log.checkpoint()


def test_append__another_record_of_the_same_id(log: Log) -> None:
    log.append(records_of(1))
    with pytest.raises(LedgerError, match="CRN-L-008"):
        log.append(records_of(2, 1))  # a new salt makes another record
    assert log.size() == 1
    assert log.pending() == []


def test_proofs__verify_for_every_entry_and_size(log: Log, clock: FixedClock) -> None:
    checkpoints = []
    for count in (1, 2, 5, 1, 7):
        start = log.size()
        clock.advance(timedelta(minutes=1))
        log.append(records_of(*range(start + 1, start + count + 1)))
        checkpoints.append(log.checkpoint().checkpoint)
    for tree in checkpoints:
        for index in range(tree.size):
            proof = log.inclusion_proof(index, tree.size)
            leaf = merkle.leaf_hash(log.entry(index))
            merkle.verify_inclusion(leaf, index, tree.size, proof, tree.root)
    for old in checkpoints:
        for new in checkpoints:
            if old.size <= new.size:
                proof = log.consistency_proof(old.size, new.size)
                merkle.verify_consistency(old.size, new.size, proof, old.root, new.root)


def test_reader__what_is_not_there(log: Log) -> None:
    log.append(records_of(1, 2))
    for ask in (
        lambda: log.entry(2),
        lambda: log.entry(-1),
        lambda: log.inclusion_proof(2, 2),
        lambda: log.inclusion_proof(0, 3),
        lambda: log.consistency_proof(1, 3),
        lambda: log.consistency_proof(2, 1),
        lambda: log.checkpoint(1),
        lambda: log.record("urn:uuid:none"),
    ):
        with pytest.raises(NotFoundError):
            ask()
    assert log.index_of(sha256(b"")) is None


def test_reader__finds_a_record_by_id_and_by_hash(log: Log) -> None:
    (record,) = records_of(1)
    log.append([record])
    assert log.record(record.record_id) == record
    assert log.record(record.digest.hex()) == record
    assert log.records() == [(record.record_id, record.kind, record.digest.hex(), 0)]


def test_append__publishes_and_opening_publishes_what_a_crash_left(
    log: Log, engine: Engine, tmp_path: Path, clock: FixedClock
) -> None:
    log.append(records_of(1))
    published = tmp_path / "log" / "checkpoint"
    old = published.read_text()
    log.append(records_of(2))
    assert published.read_text() == log.checkpoint().text
    published.write_text(old)
    open_test_log(engine, tmp_path, clock)
    assert published.read_text() == log.checkpoint().text


def test_open__published_file_missing_after_the_first_append_alone_is_made_up_for(
    log: Log, engine: Engine, tmp_path: Path, clock: FixedClock
) -> None:
    published = tmp_path / "log" / "checkpoint"
    third = records_of(3)
    log.append(records_of(1))
    published.unlink()
    open_test_log(engine, tmp_path, clock)
    assert published.read_text() == log.checkpoint().text
    log.append(records_of(2))
    published.unlink()
    with pytest.raises(LedgerFatalError, match="CRN-L-018"):
        open_test_log(engine, tmp_path, clock)
    with pytest.raises(LedgerFatalError, match="CRN-L-018"):
        log.append(third)
    assert not published.exists()
    published.write_text(log.checkpoint().text)
    assert log.append(third) == [2]


def test_append__clock_that_goes_back_is_fatal(log: Log, engine: Engine, tmp_path: Path) -> None:
    log.append(records_of(1))
    earlier = open_test_log(engine, tmp_path, FixedClock(NOW - timedelta(seconds=1)))
    with pytest.raises(LedgerFatalError, match="CRN-L-001"):
        earlier.append(records_of(2))
    assert log.size() == 1
    assert len(log.pending()) == 1


def test_open__database_restored_behind_its_checkpoint(
    log: Log, engine: Engine, tmp_path: Path, clock: FixedClock
) -> None:
    log.append(records_of(1, 2))
    newer = parse_checkpoint(log.checkpoint().text).checkpoint
    damage(engine, "checkpoint", "DELETE FROM checkpoint WHERE size = 2")
    damage(engine, "log_node", 'DELETE FROM log_node WHERE level = 1 AND "index" = 0')
    damage(engine, "log_entry", 'DELETE FROM log_entry WHERE "index" = 1')
    damage(engine, "log_entry", 'DELETE FROM log_entry WHERE "index" = 0')
    assert newer.size == 2
    with pytest.raises(LedgerFatalError, match="CRN-L-003"):
        open_test_log(engine, tmp_path, clock)


def test_append__a_fork_of_the_published_checkpoint(
    log: Log, engine: Engine, tmp_path: Path, clock: FixedClock
) -> None:
    log.append(records_of(1, 2))
    fork = sign_checkpoint(Checkpoint(ORIGIN, 2, RootHash(bytes(32))), LOG_SIGNER)
    (tmp_path / "log" / "checkpoint").write_text(fork.text)
    with pytest.raises(LedgerFatalError, match="CRN-L-003"):
        log.append(records_of(3))
    with pytest.raises(LedgerFatalError, match="CRN-L-003"):
        open_test_log(engine, tmp_path, clock)


@pytest.mark.parametrize("content", ["", "nonsense", "a\n1\nb\n\n— a b\n"])
def test_open__published_file_of_something_else(
    log: Log, engine: Engine, tmp_path: Path, clock: FixedClock, content: str
) -> None:
    log.append(records_of(1))
    (tmp_path / "log" / "checkpoint").write_text(content)
    with pytest.raises(LedgerFatalError, match="CRN-L-004"):
        open_test_log(engine, tmp_path, clock)


def test_open__with_another_key(
    log: Log, engine: Engine, tmp_path: Path, clock: FixedClock
) -> None:
    log.append(records_of(1))
    with pytest.raises(LedgerFatalError, match="CRN-L-004"):
        Log(engine, signer=STRANGER, origin=ORIGIN, clock=clock, published=tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("table", "statement", "code"),
    [
        ("log_node", 'UPDATE log_node SET hash = {zero} WHERE level = 1 AND "index" = 0', "002"),
        ("log_node", 'DELETE FROM log_node WHERE level = 1 AND "index" = 0', "006"),
        ("log_entry", 'UPDATE log_entry SET leaf_hash = {zero} WHERE "index" = 2', "002"),
        ("log_entry", 'DELETE FROM log_entry WHERE "index" = 2', "007"),
        ("log_entry", 'DELETE FROM log_entry WHERE "index" = 0', "007"),
        ("checkpoint", "UPDATE checkpoint SET root = {zero} WHERE size = 3", "002"),
        ("checkpoint", "UPDATE checkpoint SET note = 'x' WHERE size = 3", "002"),
    ],
)
def test_open__damaged(
    log: Log,
    engine: Engine,
    tmp_path: Path,
    clock: FixedClock,
    table: str,
    statement: str,
    code: str,
) -> None:
    log.append(records_of(1, 2, 3))
    damage(engine, table, statement.format(zero=zero(engine)))
    with pytest.raises(LedgerFatalError, match=f"CRN-L-{code}"):
        open_test_log(engine, tmp_path, clock)


def test_entry__damaged_bytes_are_not_returned(log: Log, engine: Engine) -> None:
    log.append(records_of(1))
    damage(engine, "log_entry", f'UPDATE log_entry SET entry = {zero(engine)} WHERE "index" = 0')
    with pytest.raises(LedgerFatalError, match="CRN-L-002"):
        log.entry(0)


def test_record__damaged_bytes_are_not_returned(log: Log, engine: Engine) -> None:
    (record,) = records_of(1)
    log.append([record])
    damage(engine, "record", f"UPDATE record SET body = {zero(engine)}")
    for name in (record.record_id, record.digest.hex()):
        with pytest.raises(LedgerFatalError, match="CRN-L-002"):
            log.record(name)


def test_append__damaged_record_is_not_logged(log: Log, engine: Engine, clock: FixedClock) -> None:
    one, two = records_of(1, 2)
    with writing(engine, Lock.LOG_HEAD) as connection:
        stage_records(connection, [one], clock)
    body = two.body.hex()
    value = f"decode('{body}', 'hex')" if engine.dialect.name == "postgresql" else f"x'{body}'"
    damage(engine, "record", f"UPDATE record SET body = {value}")
    with pytest.raises(LedgerFatalError, match="CRN-L-002"):
        log.append_pending()
    assert log.size() == 0


def test_append__a_witness_that_refuses_keeps_the_checkpoint_back(
    engine: Engine, tmp_path: Path, clock: FixedClock
) -> None:
    def refuse(_: Checkpoint) -> NoteSignature:
        raise LedgerError("CRN-L-099", Text("The witness refuses.", "见证者拒绝。"))

    log = Log(
        engine,
        signer=LOG_SIGNER,
        origin=ORIGIN,
        clock=clock,
        published=tmp_path / "log" / "checkpoint",
        cosigners=[refuse],
    )
    with pytest.raises(LedgerError, match="CRN-L-099"):
        log.append(records_of(1))
    assert log.size() == 0
    assert len(log.pending()) == 1
    assert open_test_log(engine, tmp_path, clock).append_pending() == [0]


def test_pending__key_events_come_first(log: Log, engine: Engine, clock: FixedClock) -> None:
    event = key_event_record(ISSUER_KEY, "issuer", ISSUER_KEY.issuer, clock)
    with writing(engine, Lock.LOG_HEAD) as connection:
        stage_records(connection, [*records_of(*range(1, 9)), event], clock)
    assert log.pending()[0] == event.digest
    assert log.append_pending() == list(range(9))
    assert log.index_of(event.digest) == 0
    assert log.append_pending() == []


def test_append__what_another_process_appends_meanwhile(
    log: Log, engine: Engine, tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process is done before our turn comes, after we have asked."""
    records = records_of(1, 2)
    other = open_test_log(engine, tmp_path, clock)
    alone = log._published.held

    @contextmanager
    def overtaken() -> Iterator[None]:
        assert other.append(records) == [0, 1]
        with alone():
            yield

    monkeypatch.setattr(log._published, "held", overtaken)
    assert log.append(records) == [0, 1]
    monkeypatch.undo()

    for start in (3, 5, 7):
        own, others = records_of(start, start + 1)
        assert log.append([own]) == [start - 1]
        assert other.append([others]) == [start]
    assert log.size() == 8
    assert (tmp_path / "log" / "checkpoint").read_text() == log.checkpoint().text
    open_test_log(engine, tmp_path, clock)


def test_append__what_others_did_is_checked_before_signing_on(
    log: Log, engine: Engine, tmp_path: Path, clock: FixedClock
) -> None:
    log.append(records_of(1, 2, 3))
    open_test_log(engine, tmp_path, clock).append(records_of(4, 5))
    damage(engine, "log_entry", 'DELETE FROM log_entry WHERE "index" = 3')
    with pytest.raises(LedgerFatalError, match="CRN-L-007"):
        log.append(records_of(6))
    assert log.size() == 5


def test_append__after_a_commit_that_failed_the_end_is_read_again(
    log: Log, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether such a commit succeeded is unknown, so both must be gone on from."""
    log.append(records_of(1))
    first, second = records_of(2, 3)

    points = iter(("append.before-commit", "append.after-commit"))
    point = ""

    def fail(name: str) -> None:
        if name == point:
            raise StoreUnavailableError("CRN-C-021", Text("It is away.", "已离线。"))

    monkeypatch.setattr(append, "crash_point", fail)
    for record, size in ((first, 1), (second, 2)):
        point = next(points)
        with pytest.raises(StoreUnavailableError):
            log.append([record])
        assert log.size() == size
    monkeypatch.undo()
    assert log.append([first, second]) == [2, 1]
    assert (tmp_path / "log" / "checkpoint").read_text() == log.checkpoint().text

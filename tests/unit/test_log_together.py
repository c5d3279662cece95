"""Several appenders at once: threads of one open log, open logs of their own, and publishing."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from carnet.core.clock import FixedClock
from carnet.core.errors import LedgerError, LedgerFatalError
from carnet.ledger import append
from carnet.ledger.append import Log
from carnet.ledger.reader import LogReader
from carnet.ledger.record import Record
from carnet.store.engine import open_engine, reading
from tests.fixtures_ledger import LOG_SIGNER, NOW, ORIGIN, attestation, open_test_log


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


def records_of(*numbers: int) -> list[Record]:
    return [attestation(number) for number in numbers]


def test_append__threads_of_one_log_are_committed_together(
    engine: Engine, tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_test_log(engine, tmp_path, clock, witness=False)
    records = records_of(*range(1, 33))
    odd = records_of(1)[0]  # of the same id as another, with another salt
    groups = [[record] for record in records] + [[odd, attestation(99)]]
    places: dict[int, list[int]] = {}
    refused: list[str] = []
    gate, ready = threading.Event(), threading.Semaphore(0)
    alone = log._published.held

    @contextmanager
    def held_up() -> Iterator[None]:
        ready.release()
        gate.wait(30)
        with alone():
            yield

    def work(number: int) -> None:
        try:
            places[number] = log.append(groups[number])
        except LedgerError as error:
            refused.append(error.code)

    monkeypatch.setattr(log._published, "held", held_up)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(groups))]
    threads[0].start()
    ready.acquire()
    for thread in threads[1:]:
        thread.start()
    while len(log._together._queue) < len(groups) - 1:
        time.sleep(0.01)
    gate.set()
    for thread in threads:
        thread.join()
    assert refused == ["CRN-L-008"]
    assert sorted(place for [place] in places.values()) == list(range(32))
    assert places[0] == [0]
    with reading(engine) as connection:
        sizes = connection.execute(text("SELECT size FROM checkpoint ORDER BY size")).scalars()
        assert list(sizes) == [1, 32]
    assert log.index_of(attestation(99).digest) is None
    assert log.pending() == []


def test_append__a_thread_that_is_stopped_stops_no_other(
    engine: Engine, tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_test_log(engine, tmp_path, clock)
    gate = threading.Event()
    is_first = True

    def stop(name: str) -> None:
        nonlocal is_first
        if name == "append.before-commit" and is_first:
            is_first = False
            gate.set()
            while len(log._together._queue) < 2:
                time.sleep(0.01)
            raise KeyboardInterrupt

    places: dict[int, list[int]] = {}

    def work(number: int) -> None:
        places[number] = log.append(records_of(number))

    monkeypatch.setattr(append, "crash_point", stop)
    threads = [threading.Thread(target=work, args=(number,)) for number in (2, 3)]

    def start_others() -> None:
        gate.wait(30)
        for thread in threads:
            thread.start()

    starter = threading.Thread(target=start_others)
    starter.start()
    with pytest.raises(KeyboardInterrupt):
        log.append(records_of(1))
    starter.join()
    for thread in threads:
        thread.join()
    assert sorted(places.values()) == [[0], [1]]
    assert len(log.pending()) == 1


def test_append__publishes_within_the_pause_after_the_last_time(
    engine: Engine, tmp_path: Path, clock: FixedClock
) -> None:
    published = tmp_path / "log" / "checkpoint"
    log = Log(
        engine,
        signer=LOG_SIGNER,
        origin=ORIGIN,
        clock=clock,
        published=published,
        publish_pause_s=0.5,
    )
    log.append(records_of(1))
    first = log.checkpoint().text
    assert published.read_text() == first
    log.append(records_of(2))
    log.append(records_of(3))
    assert published.read_text() == first
    deadline = time.monotonic() + 20
    while published.read_text() == first and time.monotonic() < deadline:
        time.sleep(0.02)
    assert published.read_text() == log.checkpoint().text
    assert log.size() == 3
    assert log.append(records_of(4)) == [3]


def test_append__a_pause_in_which_publishing_fails_is_told_of_next_time(
    engine: Engine, tmp_path: Path, clock: FixedClock
) -> None:
    published = tmp_path / "log" / "checkpoint"
    log = Log(
        engine,
        signer=LOG_SIGNER,
        origin=ORIGIN,
        clock=clock,
        published=published,
        publish_pause_s=0.2,
    )
    log.append(records_of(1))
    kept = published.read_text()
    log.append(records_of(2))
    assert log._published._thread is not None
    thread = log._published._thread
    published.write_text("something else")
    thread.join()
    with pytest.raises(LedgerFatalError, match="CRN-L-004"):
        log.append(records_of(3))
    published.write_text(kept)
    assert log.append(records_of(3)) == [2]
    assert published.read_text() == log.checkpoint().text


def test_append__many_at_once_from_many_threads(
    engine: Engine, database_url: str, tmp_path: Path, clock: FixedClock
) -> None:
    groups = [records_of(*range(start, start + 5)) for start in range(1, 31, 5)]
    places: dict[int, list[int]] = {}
    failures: list[BaseException] = []

    def work(number: int) -> None:
        own = open_engine(database_url, wait_s=30)
        try:
            places[number] = open_test_log(own, tmp_path, clock).append(groups[number])
        except BaseException as error:  # noqa: BLE001 - shown by the main thread
            failures.append(error)
        finally:
            own.dispose()

    open_test_log(engine, tmp_path, clock)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(groups))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sorted(place for group in places.values() for place in group) == list(range(30))
    reader = LogReader(engine)
    assert reader.size() == 30
    assert (tmp_path / "log" / "checkpoint").read_text() == reader.checkpoint().text

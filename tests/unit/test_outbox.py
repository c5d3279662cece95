"""The outbox: planned once, moved by compare-and-swap."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert
from sqlalchemy.exc import IntegrityError

from carnet.core.errors import ConflictError, NotFoundError, StoreError
from carnet.store import outbox
from carnet.store.engine import reading, writing
from carnet.store.tables import OUTBOX, OutboxState

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
LATER = AT + timedelta(seconds=12)
HASH = bytes(range(32))


def plan(
    connection: Connection, key: str = "anchor/1", kind: str = "anchor", **payload: int
) -> outbox.Action:
    return outbox.plan(
        connection, kind=kind, idempotency_key=key, payload=payload or {"size": 1}, at=AT
    )


def test_plan__twice_is_one_action(engine: Engine) -> None:
    with writing(engine) as connection:
        first = plan(connection)
    with writing(engine) as connection:
        assert plan(connection) == first
    with reading(engine) as connection:
        assert outbox.pending(connection) == [first]
    assert first.state is OutboxState.PLANNED
    assert first.payload == {"size": 1}
    assert (first.created_at, first.updated_at) == (AT, AT)


@pytest.mark.parametrize("other", [{"kind": "other"}, {"size": 2}])
def test_plan__another_content_under_the_key_is_refused(
    engine: Engine, other: dict[str, Any]
) -> None:
    with writing(engine) as connection:
        first = plan(connection)
    with pytest.raises(StoreError) as caught, writing(engine) as connection:
        plan(connection, **other)
    assert caught.value.code == "CRN-C-029"
    with reading(engine) as connection:
        assert outbox.get(connection, first.id) == first


def test_transition__through_a_whole_life(engine: Engine) -> None:
    with writing(engine) as connection:
        action = plan(connection)
        action = outbox.transition(
            connection,
            action,
            OutboxState.SENT,
            at=LATER,
            attempts=1,
            chain_id=31337,
            nonce=7,
            sender="0x" + "a" * 40,
            raw_tx=b"\x02raw",
            tx_hash=HASH,
        )
        action = outbox.transition(
            connection, action, OutboxState.CONFIRMED, at=LATER, block_number=9, block_hash=HASH
        )
        action = outbox.transition(connection, action, OutboxState.ORPHANED, at=LATER)
        assert [each.id for each in outbox.pending(connection)] == [action.id]
        action = outbox.transition(connection, action, OutboxState.CONFIRMED, at=LATER)
        action = outbox.transition(connection, action, OutboxState.FINALISED, at=LATER)
    with reading(engine) as connection:
        assert outbox.find(connection, "anchor/1") == action
        assert outbox.pending(connection) == []
    assert (action.nonce, action.tx_hash, action.raw_tx) == (7, HASH, b"\x02raw")
    assert (action.block_number, action.block_hash) == (9, HASH)
    assert action.updated_at == LATER


def test_transition__a_stale_action_loses(engine: Engine) -> None:
    with writing(engine) as connection:
        stale = plan(connection)
        outbox.transition(connection, stale, OutboxState.SENT, at=LATER, tx_hash=HASH)
    with pytest.raises(ConflictError) as caught, writing(engine) as connection:
        outbox.transition(connection, stale, OutboxState.SENT, at=LATER, tx_hash=bytes(32))
    assert caught.value.is_retryable
    with reading(engine) as connection:
        assert outbox.get(connection, stale.id).tx_hash == HASH


def test_transition__from_sent_to_sent_also_loses_when_stale(engine: Engine) -> None:
    with writing(engine) as connection:
        stale = outbox.transition(
            connection, plan(connection), OutboxState.SENT, at=LATER, attempts=1, tx_hash=HASH
        )
        outbox.transition(connection, stale, OutboxState.SENT, at=LATER, attempts=2)
        with pytest.raises(ConflictError):
            outbox.transition(connection, stale, OutboxState.SENT, at=LATER, attempts=2)


@pytest.mark.parametrize("to", [OutboxState.FINALISED, OutboxState.ORPHANED])
def test_transition__an_impossible_step_is_a_programming_error(
    engine: Engine, to: OutboxState
) -> None:
    with writing(engine) as connection:
        action = plan(connection)
        with pytest.raises(AssertionError):
            outbox.transition(connection, action, to, at=LATER)


def test_transition__every_state_has_its_steps() -> None:
    assert outbox.TRANSITIONS.keys() == set(OutboxState)


def test_pending__oldest_first_by_kind_and_bounded(engine: Engine) -> None:
    with writing(engine) as connection:
        for number in range(5):
            plan(connection, f"k/{number}", "anchor" if number % 2 else "freeze")
    with reading(engine) as connection:
        keys = [a.idempotency_key for a in outbox.pending(connection, kinds=["anchor"])]
        assert keys == ["k/1", "k/3"]
        assert [a.idempotency_key for a in outbox.pending(connection, limit=2)] == ["k/0", "k/1"]
        assert outbox.pending(connection, states=[OutboxState.FAILED]) == []


def test_get__absent(engine: Engine) -> None:
    with pytest.raises(NotFoundError), reading(engine) as connection:
        outbox.get(connection, 7)


def test_state__unknown_is_refused_by_the_database(engine: Engine) -> None:
    row = {"kind": "k", "idempotency_key": "k", "payload": "{}", "attempts": 0}
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(insert(OUTBOX).values(**row, state="lost", created_at=AT, updated_at=AT))


def test_plan__is_undone_with_what_caused_it(engine: Engine) -> None:
    def plan_and_fail() -> None:
        with writing(engine) as connection:
            plan(connection)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        plan_and_fail()
    with reading(engine) as connection:
        assert outbox.find(connection, "anchor/1") is None

"""The outbox: every action on the chain is a row before it is a transaction.

An action is planned once per idempotency key, and each step is a compare-and-swap of its state, so
of two processes that try the same step one succeeds and the other is told. All functions work
inside the caller's transaction: an action is planned together with what caused it, or not at all.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from carnet.core.canonical import canonical, parse_canonical
from carnet.core.errors import ConflictError, NotFoundError, StoreError
from carnet.core.text import Text
from carnet.store.tables import OUTBOX, OutboxState

OPEN_STATES: Final = (
    OutboxState.PLANNED,
    OutboxState.SENT,
    OutboxState.CONFIRMED,
    OutboxState.ORPHANED,
)
"""States in which something is still to be done or watched."""

TRANSITIONS: Final[Mapping[OutboxState, frozenset[OutboxState]]] = {
    # A planned action can be found done already by someone else: it is then confirmed at once.
    OutboxState.PLANNED: frozenset(
        {OutboxState.SENT, OutboxState.CONFIRMED, OutboxState.FAILED, OutboxState.PLANNED}
    ),
    # Sent again is the same transaction, or one that replaces it with the same nonce.
    OutboxState.SENT: frozenset(
        {OutboxState.SENT, OutboxState.CONFIRMED, OutboxState.FAILED, OutboxState.PLANNED}
    ),
    OutboxState.CONFIRMED: frozenset({OutboxState.FINALISED, OutboxState.ORPHANED}),
    OutboxState.ORPHANED: frozenset(
        {OutboxState.SENT, OutboxState.CONFIRMED, OutboxState.PLANNED, OutboxState.FAILED}
    ),
    OutboxState.FAILED: frozenset({OutboxState.PLANNED}),
    OutboxState.FINALISED: frozenset(),
}

_SETTABLE: Final = frozenset(
    {
        "attempts",
        "chain_id",
        "sender",
        "nonce",
        "raw_tx",
        "tx_hash",
        "block_number",
        "block_hash",
        "error",
    }
)


@dataclass(frozen=True, slots=True)
class Action:
    """One row of the outbox."""

    id: int
    kind: str
    idempotency_key: str
    payload: Mapping[str, Any]
    state: OutboxState
    attempts: int
    chain_id: int | None
    sender: str | None
    nonce: int | None
    raw_tx: bytes | None
    tx_hash: bytes | None
    block_number: int | None
    block_hash: bytes | None
    error: str | None
    created_at: datetime
    updated_at: datetime


def _action(row: Row[Any]) -> Action:
    values = dict(row._mapping)  # noqa: SLF001 - the documented accessor of a SQLAlchemy row
    values["payload"] = parse_canonical(values["payload"].encode("utf-8"))
    values["state"] = OutboxState(values["state"])
    return Action(**values)


def find(connection: Connection, idempotency_key: str) -> Action | None:
    """Return the action of an idempotency key."""
    found = connection.execute(select(OUTBOX).where(OUTBOX.c.idempotency_key == idempotency_key))
    row = found.one_or_none()
    return _action(row) if row is not None else None


def find_newest(connection: Connection, prefix: str) -> Action | None:
    """Return the action planned last of those whose idempotency keys begin with a prefix."""
    row = connection.execute(
        select(OUTBOX)
        .where(OUTBOX.c.idempotency_key.startswith(prefix, autoescape=True))
        .order_by(OUTBOX.c.id.desc())
        .limit(1)
    ).one_or_none()
    return _action(row) if row is not None else None


def get(connection: Connection, action_id: int) -> Action:
    """Return an action by its id.

    Raises:
        NotFoundError: There is none.
    """
    row = connection.execute(select(OUTBOX).where(OUTBOX.c.id == action_id)).one_or_none()
    if row is None:
        raise NotFoundError(
            "CRN-C-028",
            Text(f"There is no action {action_id}.", f"没有编号为 {action_id} 的操作。"),
        )
    return _action(row)


def _refuse_other(action: Action) -> StoreError:
    return StoreError(
        "CRN-C-029",
        Text(
            f"The action {action.idempotency_key!r} is planned already, as {action.kind!r} "
            "with another content.",
            f"操作 {action.idempotency_key!r} 已按 {action.kind!r} 以不同内容登记。",
        ),
        Text(
            "One key stands for one content; look at the planned action first.",
            "一个键只对应一份内容；请先查看已登记的操作。",
        ),
    )


def _insert(connection: Connection) -> Any:
    """Return an insert that knows ON CONFLICT; the two dialects' classes share no such base."""
    if connection.dialect.name == "sqlite":
        return insert_sqlite(OUTBOX)
    # Loading this dialect takes longer than a small command; a workspace on SQLite never needs it.
    from sqlalchemy.dialects.postgresql import insert as insert_postgresql

    return insert_postgresql(OUTBOX)


def plan(
    connection: Connection,
    *,
    kind: str,
    idempotency_key: str,
    payload: Mapping[str, Any],
    at: datetime,
) -> Action:
    """Plan an action, or return the one already planned under the key.

    Raises:
        StoreError: The key stands for an action of another kind or content.
    """
    body = canonical(dict(payload)).decode("utf-8")
    connection.execute(
        _insert(connection)
        .values(
            kind=kind,
            idempotency_key=idempotency_key,
            payload=body,
            state=OutboxState.PLANNED.value,
            attempts=0,
            created_at=at,
            updated_at=at,
        )
        .on_conflict_do_nothing(index_elements=[OUTBOX.c.idempotency_key])
    )
    action = find(connection, idempotency_key)
    assert action is not None, "it was inserted or was there"
    if action.kind != kind or canonical(dict(action.payload)).decode("utf-8") != body:
        raise _refuse_other(action)
    return action


def transition(
    connection: Connection,
    action: Action,
    to: OutboxState,
    *,
    at: datetime,
    **values: int | str | bytes | None,
) -> Action:
    """Move an action to a state and return it as it then is.

    Args:
        connection: From `writing`.
        action: As it was read; the step fails if it changed since.
        to: A state that `TRANSITIONS` allows after the present one.
        at: The present instant.
        values: Columns of the transaction to set, such as ``nonce`` or ``tx_hash``.

    Raises:
        ConflictError: Another process moved the action meanwhile.
    """
    assert to in TRANSITIONS[action.state], f"{action.state} -> {to} is not a step"
    assert values.keys() <= _SETTABLE, f"only {sorted(_SETTABLE)} can be set"
    swapped = connection.execute(
        update(OUTBOX)
        .where(
            OUTBOX.c.id == action.id,
            OUTBOX.c.state == action.state.value,
            # A step from a state to itself is told apart by what it counts and stores.
            OUTBOX.c.attempts == action.attempts,
            OUTBOX.c.tx_hash.is_not_distinct_from(action.tx_hash),
        )
        .values(state=to.value, updated_at=at, **values)
    )
    if swapped.rowcount != 1:
        raise ConflictError(
            "CRN-C-030",
            Text(
                f"The action {action.idempotency_key!r} is no longer {action.state.value!r}.",
                f"操作 {action.idempotency_key!r} 已不处于 {action.state.value!r} 状态。",
            ),
            Text("Read it again; another process works on it.", "请重新读取；另有进程正在处理。"),
        )
    return get(connection, action.id)


def pending(
    connection: Connection,
    *,
    kinds: Collection[str] = (),
    states: Collection[OutboxState] = OPEN_STATES,
    limit: int = 1000,
) -> list[Action]:
    """Return the actions in some states, oldest first; of all kinds unless some are named."""
    query = select(OUTBOX).where(OUTBOX.c.state.in_([state.value for state in states]))
    if kinds:
        query = query.where(OUTBOX.c.kind.in_(sorted(kinds)))
    return [_action(row) for row in connection.execute(query.order_by(OUTBOX.c.id).limit(limit))]

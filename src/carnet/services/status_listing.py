"""Publishing status lists: which records are revoked or replaced, signed and put into the log.

What a list says follows from the database alone: a record is revoked where it was revoked here, and
superseded where another record names it as the one that it replaces. A list is due where none is
there, where it would say something else, where a record of it stands behind it in the log, or where
half of its time is over.

Source: docs/spec/record-and-log.md, section 10.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select

from carnet.core.clock import Clock
from carnet.core.crash import crash_point
from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.ledger.kinds import STATUS_LIST
from carnet.ledger.kinds.status import MESSAGES, REVOKED, STATUS_SIZE, SUPERSEDED
from carnet.ledger.reader import LogReader, stored_record
from carnet.ledger.record import Issuer, Record, Validity
from carnet.ledger.status_list import decode_list, encode_list, value_at
from carnet.services.appending import append_records
from carnet.services.issuing import Statement, open_issuer, stage_statement
from carnet.services.status_entries import list_urn
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import LOG_ENTRY, RECORD, REVOCATION, STATUS_ENTRY

REASON_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class ListState:
    """One status list of a workspace and what it would say now.

    Args:
        number: Its number in the workspace, from 0.
        urn: What it is called.
        entries: How many records have an entry.
        values: The entries that are not current, by their places.
        newest: The newest record of it, None where it was never published.
        index: The place of that record in the log, None while it waits.
        is_behind: Whether a record of the list stands behind it, or waits.
    """

    number: int
    urn: str
    entries: int
    values: dict[int, int]
    newest: Record | None
    index: int | None
    is_behind: bool

    def counted(self, value: int) -> int:
        """Return how many entries have a value."""
        return sum(1 for each in self.values.values() if each == value)

    def is_due(self, now: datetime) -> bool:
        """Return whether a new list must be published."""
        if self.newest is None or self.is_behind or self._said() != self.values:
            return True
        until = self.newest.valid_until
        assert until is not None, "a list that is published has an end"
        return now > self.newest.valid_from + (until - self.newest.valid_from) / 2

    def _said(self) -> dict[int, int]:
        assert self.newest is not None, "asked before"
        bits = decode_list(self.newest.subject["encodedList"])
        places = range(len(bits) * 8 // STATUS_SIZE)
        busy = (place for place in places if bits[place // 4])
        return {place: value for place in busy if (value := value_at(bits, place))}


def list_states(connection: Connection) -> list[ListState]:
    """Return the status lists of a workspace, oldest first.

    Raises:
        LedgerFatalError: A stored list is damaged.
    """
    query = select(STATUS_ENTRY.c.list, func.count()).group_by(STATUS_ENTRY.c.list)
    counts = connection.execute(query.order_by(STATUS_ENTRY.c.list)).all()
    return [_state(connection, row[0], row[1]) for row in counts]


def _state(connection: Connection, number: int, entries: int) -> ListState:
    urn = list_urn(connection, number)
    row = _newest(connection, urn)
    return ListState(
        number=number,
        urn=urn,
        entries=entries,
        values=_values(connection, number),
        newest=stored_record(bytes(row.record_hash), bytes(row.body)) if row else None,
        index=row.at if row else None,
        is_behind=row is None or _is_behind(connection, number, row),
    )


def _newest(connection: Connection, urn: str) -> Any:
    subject = bytes.fromhex(urn.rpartition(":")[2])
    query = (
        select(
            RECORD.c.record_hash, RECORD.c.body, RECORD.c.created_at, LOG_ENTRY.c.index.label("at")
        )
        .outerjoin(LOG_ENTRY, LOG_ENTRY.c.record_hash == RECORD.c.record_hash)
        .where(RECORD.c.kind == STATUS_LIST.name, RECORD.c.subject == subject)
        .order_by(LOG_ENTRY.c.index.is_(None).desc(), LOG_ENTRY.c.index.desc())
        .order_by(RECORD.c.created_at.desc())
    )
    return connection.execute(query.limit(1)).one_or_none()


def _values(connection: Connection, number: int) -> dict[int, int]:
    """Return the entries of a list that are not current; revoked stands above superseded."""
    place = select(STATUS_ENTRY.c.index).where(STATUS_ENTRY.c.list == number)
    replaced = place.join(RECORD, RECORD.c.supersedes == STATUS_ENTRY.c.record_hash)
    revoked = place.join(REVOCATION, REVOCATION.c.record_hash == STATUS_ENTRY.c.record_hash)
    values = dict.fromkeys(connection.execute(replaced).scalars(), SUPERSEDED)
    return values | dict.fromkeys(connection.execute(revoked).scalars(), REVOKED)


def _is_behind(connection: Connection, number: int, newest: Any) -> bool:
    """Return whether a record of a list was staged, or logged, after the list was made."""
    of_list = (
        select(func.max(LOG_ENTRY.c.index))
        .select_from(STATUS_ENTRY)
        .join(LOG_ENTRY, LOG_ENTRY.c.record_hash == STATUS_ENTRY.c.record_hash)
        .where(STATUS_ENTRY.c.list == number)
    )
    last = connection.execute(of_list).scalar_one()
    if newest.at is not None and last is not None and last > newest.at:
        return True
    waiting = (
        select(func.max(RECORD.c.created_at))
        .select_from(STATUS_ENTRY)
        .join(RECORD, RECORD.c.record_hash == STATUS_ENTRY.c.record_hash)
        .outerjoin(LOG_ENTRY, LOG_ENTRY.c.record_hash == STATUS_ENTRY.c.record_hash)
        .where(STATUS_ENTRY.c.list == number, LOG_ENTRY.c.index.is_(None))
    )
    staged = connection.execute(waiting).scalar_one()
    return staged is not None and (newest.at is not None or staged > newest.created_at)


def _stage_list(
    connection: Connection, issuer: Issuer, state: ListState, days: int, clock: Clock
) -> Record:
    now = clock.now()
    subject = {
        "id": state.urn,
        "type": "BitstringStatusList",
        "statusPurpose": "message",
        "statusSize": STATUS_SIZE,
        "statusMessages": [dict(item) for item in MESSAGES],
        "encodedList": encode_list(state.values),
    }
    count = select(func.count()).select_from(RECORD).where(RECORD.c.kind == STATUS_LIST.name)
    statement = Statement(
        kind=STATUS_LIST,
        subject=subject,
        source=f"{state.urn}/{connection.execute(count).scalar_one()}",
        validity=Validity(now, now + timedelta(days=days)),
        supersedes=state.newest.digest if state.newest else None,
    )
    return stage_statement(connection, issuer, statement, clock).record


def stage_due_lists(
    connection: Connection, issuer: Issuer, workspace: Workspace, clock: Clock
) -> list[Record]:
    """Sign and stage the status lists that are due, and return them.

    Args:
        connection: Of a transaction that holds `Lock.LOG_HEAD`.
        issuer: From `open_issuer`.
        workspace: Whose settings say how long a list holds.
        clock: Gives the time of signing.
    """
    now, days = clock.now(), workspace.settings.status_list_days
    due = [state for state in list_states(connection) if state.is_due(now)]
    return [_stage_list(connection, issuer, state, days, clock) for state in due]


def due_lists(workspace: Workspace, clock: Clock) -> list[ListState]:
    """Return the status lists that `publish_lists` would publish; nothing is changed.

    Raises:
        LedgerFatalError: A stored list is damaged.
    """
    now = clock.now()
    with reading(workspace.engine) as connection:
        return [state for state in list_states(connection) if state.is_due(now)]


def publish_lists(workspace: Workspace, clock: Clock) -> list[Record]:
    """Publish the status lists that are due: they go into the log with all that waits.

    Raises:
        LedgerFatalError: The log contradicts itself.
        ConflictError: The issuer's key was changed at this moment or has ended.
    """
    with reading(workspace.engine) as connection:
        states = list_states(connection)
    if not any(state.is_due(clock.now()) for state in states):
        if any(state.newest is not None and state.index is None for state in states):
            # A crash left a list that waits: what it says counts only in the log.
            append_records(workspace, clock)
        return []
    issuer = open_issuer(workspace, clock)
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        staged = stage_due_lists(connection, issuer, workspace, clock)
        crash_point("status.before-commit")
    append_records(workspace, clock)
    return staged


@dataclass(frozen=True, slots=True)
class Revoked:
    """A record that is revoked.

    Args:
        record: The record.
        at: When it was revoked.
        reason: Why.
        is_new: Whether it was revoked now.
    """

    record: Record
    at: datetime
    reason: str
    is_new: bool


def revoke_record(workspace: Workspace, record_id: str, reason: str, clock: Clock) -> Revoked:
    """Revoke a record for ever, and publish the list that says so.

    Args:
        workspace: The workspace.
        record_id: The record's identifier, or its hash in hex.
        reason: Why; it stays in the workspace.
        clock: Gives the time.

    Raises:
        NotFoundError: There is no such record.
        InputError: It has no entry in a status list, or there is no reason.
    """
    record = LogReader(workspace.engine).record(record_id)
    if not reason.strip() or len(reason) > REASON_MAX:
        raise InputError(
            "CRN-L-041",
            Text(
                f"The reason has {len(reason)} characters, expected 1 to {REASON_MAX}.",
                f"理由有 {len(reason)} 个字符，应为 1 至 {REASON_MAX} 个。",
            ),
            Text("Say with --reason why it is revoked.", "请用 --reason 说明撤销理由。"),
        )
    issuer = open_issuer(workspace, clock)
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        _require_entry(connection, record)
        found = _revocation(connection, record)
        if found is None:
            row = {"record_hash": record.digest, "reason": reason, "at": clock.now()}
            connection.execute(insert(REVOCATION), row)
        revoked = found or _revocation(connection, record)
        stage_due_lists(connection, issuer, workspace, clock)
        crash_point("revoke.before-commit")
    append_records(workspace, clock)
    assert revoked is not None, "written above"
    return Revoked(record, revoked.at, revoked.reason, is_new=found is None)


def _revocation(connection: Connection, record: Record) -> Row[Any] | None:
    query = select(REVOCATION).where(REVOCATION.c.record_hash == record.digest)
    return connection.execute(query).one_or_none()


def _require_entry(connection: Connection, record: Record) -> None:
    query = select(STATUS_ENTRY.c.index).where(STATUS_ENTRY.c.record_hash == record.digest)
    if connection.execute(query).one_or_none() is None:
        raise InputError(
            "CRN-L-040",
            Text(
                f"The record {record.record_id} ({record.kind}) has no entry in a status list, so "
                "nothing could tell that it is revoked.",
                f"记录 {record.record_id}（{record.kind}）在状态列表中没有条目，"
                "无法表明其已被撤销。",
            ),
            Text(
                "A key is ended with `carnet key revoke`; an older attestation by a new one.",
                "密钥请用 `carnet key revoke` 终止；较早的证明请签发新证明取代。",
            ),
        )


def newest_list(connection: Connection, urn: str, size: int) -> Record | None:
    """Return the newest record of a status list within a tree, None where there is none.

    Args:
        connection: Of any transaction.
        urn: What the list is called.
        size: Of the tree.
    """
    subject = bytes.fromhex(urn.rpartition(":")[2])
    query = (
        select(RECORD.c.record_hash, RECORD.c.body)
        .join(LOG_ENTRY, LOG_ENTRY.c.record_hash == RECORD.c.record_hash)
        .where(RECORD.c.kind == STATUS_LIST.name, RECORD.c.subject == subject)
        .where(LOG_ENTRY.c.index < size)
        .order_by(LOG_ENTRY.c.index.desc())
    )
    row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else stored_record(bytes(row.record_hash), bytes(row.body))


def has_list(connection: Connection) -> bool:
    """Return whether a status list is in the log."""
    query = select(RECORD.c.record_hash).where(RECORD.c.kind == STATUS_LIST.name)
    logged = query.join(LOG_ENTRY, LOG_ENTRY.c.record_hash == RECORD.c.record_hash)
    return connection.execute(logged.limit(1)).one_or_none() is not None

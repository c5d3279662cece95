"""Issuing: signed records of any kind, each staged for the log once.

What a record is about is told by its *source*: a text that names the fact, act or event that it
records, and that never leaves the workspace. The same source of the same kind gives the record
there is. Withheld members are salted and come back as disclosures, which the caller keeps in the
same transaction: nobody else has them.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from carnet.core.clock import Clock
from carnet.core.crash import crash_point
from carnet.ledger.append import stage_records
from carnet.ledger.disclosure import Disclosure, withhold
from carnet.ledger.kinds import RecordKind
from carnet.ledger.reader import stored_record
from carnet.ledger.record import Issuer, Record, Validity, new_salt, sign_record
from carnet.services.keys import ensure_key, require_current_issuer
from carnet.services.status_entries import allocate_entry
from carnet.services.workspace import Workspace
from carnet.store.engine import writing
from carnet.store.locks import Lock
from carnet.store.tables import LOG_ENTRY, RECORD, RECORD_SOURCE


@dataclass(frozen=True, slots=True)
class Statement:
    """What is to be recorded.

    Args:
        kind: The kind of record.
        subject: Its members without `salt` and `_sd`; `id` only where the kind does not tell it.
        source: What is recorded, in the words of this workspace: one record of a kind each.
        validity: When it holds.
        withhold: The members to withhold; all that may be where None.
        supersedes: The hash of the record that it replaces.
        is_successor: Whether it replaces the standing record of the same kind and subject.
    """

    kind: RecordKind
    subject: Mapping[str, Any]
    source: str
    validity: Validity
    withhold: Sequence[str] | None = None
    supersedes: bytes | None = None
    is_successor: bool = False


@dataclass(frozen=True, slots=True)
class Issued:
    """A record that waits for the log or is in it.

    Args:
        record: The record.
        disclosures: Of its withheld members; none where the record was there before.
        is_new: Whether it was made now.
    """

    record: Record
    disclosures: tuple[Disclosure, ...]
    is_new: bool


Keeper = Callable[[Connection, Issued], None]
"""Keeps the disclosures of a new record, within the transaction that stages it."""


def open_issuer(workspace: Workspace, clock: Clock) -> Issuer:
    """Return the issuer of a workspace, its key made if there is none.

    Raises:
        ConflictError: The issuer's key was revoked.
    """
    return ensure_key(workspace, "issuer", clock).issuer


def issue(
    workspace: Workspace, statement: Statement, clock: Clock, *, keep: Keeper | None = None
) -> Issued:
    """Sign a record and stage it for the log, in a transaction of its own.

    Args:
        workspace: The workspace.
        statement: What is stated.
        clock: Gives the time of signing.
        keep: Keeps the disclosures; required where members are withheld.

    Raises:
        VerificationError: The subject does not have the shape of its kind.
        ConflictError: The issuer's key was changed at this moment or has ended.
    """
    issuer = open_issuer(workspace, clock)
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        issued = stage_statement(connection, issuer, statement, clock)
        if issued.disclosures:
            assert keep is not None, "withheld members are kept by somebody"
            keep(connection, issued)
        crash_point("issue.before-commit")
    return issued


def stage_statement(
    connection: Connection, issuer: Issuer, statement: Statement, clock: Clock
) -> Issued:
    """Sign a record and stage it for the log.

    Args:
        connection: Of a transaction that holds `Lock.LOG_HEAD`.
        issuer: From `open_issuer`.
        statement: What is stated.
        clock: Gives the time of signing.

    Raises:
        VerificationError: The subject does not have the shape of its kind.
        ConflictError: The issuer's key was changed at this moment.
    """
    found = record_of_source(connection, statement.kind, statement.source)
    if found is not None:
        return Issued(found, (), is_new=False)
    require_current_issuer(connection, issuer)
    kind, subject = statement.kind, dict(statement.subject)
    subject.setdefault("id", kind.id_of(subject))
    names = kind.withheld if statement.withhold is None else statement.withhold
    hidden = [name for name in names if name in subject]
    open_subject, disclosures = withhold({**subject, "salt": new_salt()}, hidden)
    supersedes = statement.supersedes
    if statement.is_successor:
        standing = standing_record(connection, kind, kind.subject_hash(subject))
        supersedes = standing.digest if standing else None
    entry = allocate_entry(connection) if kind.has_status else None
    record = sign_record(
        kind.type_name,
        open_subject,
        record_id=uuid.uuid4().urn,
        issuer=issuer,
        validity=statement.validity,
        created=clock.now(),
        supersedes=supersedes,
        status=entry.credential_status if entry else None,
    )
    stage_records(connection, [record], clock)
    if entry is not None:
        entry.keep(connection, record)
    row = {"kind": kind.name, "source": statement.source, "record_hash": record.digest}
    connection.execute(insert(RECORD_SOURCE), row)
    return Issued(record, tuple(disclosures), is_new=True)


def record_of_source(connection: Connection, kind: RecordKind, source: str) -> Record | None:
    """Return the record of a source, None where there is none.

    Raises:
        LedgerFatalError: The stored record is damaged.
    """
    query = (
        select(RECORD.c.record_hash, RECORD.c.body)
        .join(RECORD_SOURCE, RECORD_SOURCE.c.record_hash == RECORD.c.record_hash)
        .where(RECORD_SOURCE.c.kind == kind.name, RECORD_SOURCE.c.source == source)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else stored_record(bytes(row.record_hash), bytes(row.body))


def standing_record(
    connection: Connection, kind: RecordKind, subject_hash: bytes | None
) -> Record | None:
    """Return the newest record of a kind and subject that no other one replaces.

    Raises:
        LedgerFatalError: A stored record is damaged.
    """
    query = (
        select(RECORD.c.record_hash, RECORD.c.body)
        .outerjoin(LOG_ENTRY, LOG_ENTRY.c.record_hash == RECORD.c.record_hash)
        .where(RECORD.c.subject == subject_hash, RECORD.c.kind.in_(kind.log_kinds))
        .order_by(LOG_ENTRY.c.index.is_(None), LOG_ENTRY.c.index, RECORD.c.created_at)
    )
    rows = connection.execute(query)
    records = [stored_record(bytes(row.record_hash), bytes(row.body)) for row in rows]
    replaced = {record.entry.supersedes for record in records}
    standing = [record for record in records if record.digest not in replaced]
    return standing[-1] if standing else None

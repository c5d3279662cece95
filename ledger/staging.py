"""Staging: records are stored, and wait for the append that gives them their place in the log."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection

from carnet.core.clock import Clock
from carnet.core.digests import LeafHash
from carnet.core.errors import LedgerError
from carnet.core.text import Text
from carnet.ledger.merkle import leaf_hash
from carnet.ledger.reader import batches
from carnet.ledger.record import Record
from carnet.store.direct import Direct, Row
from carnet.store.tables import RECORD

_STORED: Final = """
    SELECT record.record_id, record.record_hash, log_entry."index" FROM record
    LEFT JOIN log_entry ON log_entry.record_hash = record.record_hash
    WHERE record.record_id IN ({})
"""
"""To be filled with question marks, never with a value."""

RECORD_COLUMNS: Final = (
    *("record_hash", "kind", "record_id", "issuer", "subject", "supersedes"),
    *("decision_digest", "created_at", "body"),
)


class Leaf(NamedTuple):
    """What the log needs of a record; it follows from the record alone."""

    record: Record
    record_hash: bytes
    kind: str
    subject: bytes | None
    supersedes: bytes | None
    entry: bytes
    leaf_hash: LeafHash


def leaf_of(record: Record) -> Leaf:
    """Return what the log needs of a record."""
    entry = record.entry
    data = entry.to_bytes()
    return Leaf(
        record=record,
        record_hash=entry.record_hash,
        kind=entry.kind,
        subject=entry.subject,
        supersedes=entry.supersedes,
        entry=data,
        leaf_hash=leaf_hash(data),
    )


class Stored(NamedTuple):
    """Where a record that is stored stands; it waits while it has no place in the log."""

    record_hash: bytes
    place: int | None


def find_stored(direct: Direct, leaves: Sequence[Leaf]) -> dict[str, Stored]:
    """Return which of some records are stored, by their identifiers."""
    found: dict[str, Stored] = {}
    for group in batches([leaf.record.record_id for leaf in leaves]):
        query = _STORED.format(", ".join("?" * len(group)))
        found |= {row[0]: Stored(row[1], row[2]) for row in direct.rows(query, group)}
    return found


def find_fresh(leaves: Sequence[Leaf], stored: Mapping[str, bytes]) -> dict[str, Leaf]:
    """Return the records, by identifier, that are not among the stored ones.

    Raises:
        LedgerError: Another record has the same identifier.
    """
    fresh: dict[str, Leaf] = {}
    for leaf in leaves:
        name = leaf.record.record_id
        known = fresh[name].record_hash if name in fresh else stored.get(name)
        if known is None:
            fresh[name] = leaf
        elif known != leaf.record_hash:
            raise LedgerError(
                "CRN-L-008",
                Text(f"Another record has the id {name}.", f"已有其他记录使用标识 {name}。"),
                Text("A record is never changed: issue a new one.", "记录不可修改：请另行签发。"),
            )
    return fresh


def record_rows(
    direct: Direct,
    fresh: Mapping[str, Leaf],
    clock: Clock,
    decisions: Mapping[str, bytes] | None = None,
) -> list[Row]:
    """Return the rows of records by identifier, staged now, in the order of `RECORD_COLUMNS`."""
    now = direct.stored_instant(clock.now())
    decided = decisions or {}
    return [
        (
            *(leaf.record_hash, leaf.kind, name, leaf.record.issuer, leaf.subject),
            *(leaf.supersedes, decided.get(name), now, leaf.record.body),
        )
        for name, leaf in fresh.items()
    ]


def stage_records(
    connection: Connection,
    records: Sequence[Record],
    clock: Clock,
    decisions: Mapping[str, bytes] | None = None,
) -> None:
    """Store the records that are not stored yet, to wait for the next append.

    Args:
        connection: Of a transaction that holds `Lock.LOG_HEAD`.
        records: Signed records.
        clock: Gives the time of staging.
        decisions: The digest of the stored decision that a record id attests.

    Raises:
        LedgerError: Another record has the same identifier.
    """
    leaves, direct = [leaf_of(record) for record in records], Direct.of(connection)
    stored = {name: row.record_hash for name, row in find_stored(direct, leaves).items()}
    rows = record_rows(direct, find_fresh(leaves, stored), clock, decisions)
    direct.insert(RECORD.name, RECORD_COLUMNS, rows)

"""Entries of status lists: which list and place a new record has, drawn at random.

The place is random so that it tells nothing about when, or how many, records were issued. A list
that is half full is followed by another, so that a free place is found at once.

Source: W3C Bitstring Status List v1.0, section 2.1; docs/spec/record-and-log.md, section 10.
"""

import secrets
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select

from carnet.core.canonical import canonical
from carnet.core.digests import sha256
from carnet.ledger.kinds.status import STATUS_ENTRIES, STATUS_URN, status_entry
from carnet.ledger.record import Record
from carnet.services.keys import first_issuer_key
from carnet.store.tables import STATUS_ENTRY

ENTRIES_USED_MAX: Final = STATUS_ENTRIES // 2
"""Entries of one list that are given out."""


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """A free entry of a list, for one record.

    Args:
        list_number: The number of the list in this workspace, from 0.
        urn: What the list is called.
        index: The entry.
    """

    list_number: int
    urn: str
    index: int

    @property
    def credential_status(self) -> dict[str, Any]:
        """What a record says of its entry."""
        return status_entry(self.urn, self.index)

    def keep(self, connection: Connection, record: Record) -> None:
        """Take the entry for a record that was staged in the same transaction."""
        row = {"list": self.list_number, "index": self.index, "record_hash": record.digest}
        connection.execute(insert(STATUS_ENTRY), row)


def list_urn(connection: Connection, number: int) -> str:
    """Return what a list of this workspace is called, now and after every change of keys."""
    root = first_issuer_key(connection)
    assert root is not None, "records are issued by a key"
    return STATUS_URN + sha256(canonical({"issuer": root.hex(), "list": number})).hex()


def allocate_entry(connection: Connection) -> StatusEntry:
    """Return a free entry at random.

    Args:
        connection: Of a transaction that holds `Lock.LOG_HEAD`.
    """
    query = select(STATUS_ENTRY.c.list, func.count()).group_by(STATUS_ENTRY.c.list)
    newest = query.order_by(STATUS_ENTRY.c.list.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    number, used = (row[0], row[1]) if row else (0, 0)
    if used >= ENTRIES_USED_MAX:
        number += 1
    while True:
        index = secrets.randbelow(STATUS_ENTRIES)
        taken = select(STATUS_ENTRY.c.index).where(
            STATUS_ENTRY.c.list == number, STATUS_ENTRY.c.index == index
        )
        if connection.execute(taken).one_or_none() is None:
            return StatusEntry(number, list_urn(connection, number), index)

"""Facts in the database: only ever added, the highest version of a type and id is the current one.

Every function works inside the caller's transaction. Two facts are the same when they are equal
but for the field `source`, which tells only where a fact was read: that field is in the stored
body, not in the digest.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, insert, select

from carnet.core.canonical import canonical
from carnet.core.digests import sha256
from carnet.facts.fact import Fact, Source, fact_from_json
from carnet.store.tables import FACT, IMPORT_BATCH

CHUNK: Final = 500
"""Ids in one query, far below the number of variables that either database takes."""

INSERT_CHUNK: Final = 5_000


@dataclass(frozen=True, slots=True)
class FactVersion:
    """One stored version of a fact, or one about to be stored."""

    type: str
    fact_id: str
    version: int
    digest: bytes
    body: str
    source_file: str
    source_row: int | None

    def fact(self) -> Fact:
        """Return the fact itself."""
        return fact_from_json(json.loads(self.body))


def fact_digest(fact: Fact) -> bytes:
    """Return the SHA-256 of the canonical JSON of a fact without its field `source`."""
    content = fact.to_json()
    content.pop("source", None)
    return sha256(canonical(content))


def version_of(fact: Fact, source: Source, *, version: int = 1) -> FactVersion:
    """Return a fact as a version to be stored."""
    body = canonical(fact.to_json()).decode("utf-8")
    digest = fact_digest(fact)
    return FactVersion(fact.type, fact.id, version, digest, body, source.file, source.row)


def insert_import(
    connection: Connection,
    *,
    at: datetime,
    facts_new: int,
    facts_replaced: int,
    facts_known: int,
    files: Sequence[dict[str, Any]],
) -> int:
    """Insert the row of an import and return its id."""
    inserted = connection.execute(
        insert(IMPORT_BATCH).values(
            imported_at=at,
            facts_new=facts_new,
            facts_replaced=facts_replaced,
            facts_known=facts_known,
            files=canonical(list(files)).decode("utf-8"),
        )
    )
    (import_id,) = inserted.inserted_primary_key or (None,)
    assert isinstance(import_id, int), "the database numbers imports"
    return import_id


def insert_facts(connection: Connection, import_id: int, versions: Sequence[FactVersion]) -> None:
    """Insert versions of facts that belong to an import."""
    for start in range(0, len(versions), INSERT_CHUNK):
        connection.execute(
            insert(FACT),
            [
                {
                    "type": each.type,
                    "fact_id": each.fact_id,
                    "version": each.version,
                    "import_id": import_id,
                    "source_file": each.source_file,
                    "source_row": each.source_row,
                    "digest": each.digest,
                    "body": each.body,
                }
                for each in versions[start : start + INSERT_CHUNK]
            ],
        )


_COLUMNS: Final = (
    FACT.c.type,
    FACT.c.fact_id,
    FACT.c.version,
    FACT.c.digest,
    FACT.c.body,
    FACT.c.source_file,
    FACT.c.source_row,
)


def _is_current() -> ColumnElement[bool]:
    newer = FACT.alias("newer")
    highest = (
        select(func.max(newer.c.version))
        .where(newer.c.type == FACT.c.type, newer.c.fact_id == FACT.c.fact_id)
        .scalar_subquery()
    )
    return FACT.c.version == highest


def existing(
    connection: Connection, fact_type: str, ids: Collection[str]
) -> dict[str, FactVersion]:
    """Return the current versions of those ids that are stored, by id."""
    wanted = sorted(ids)
    found: dict[str, FactVersion] = {}
    for start in range(0, len(wanted), CHUNK):
        query = select(*_COLUMNS).where(
            FACT.c.type == fact_type,
            FACT.c.fact_id.in_(wanted[start : start + CHUNK]),
            _is_current(),
        )
        found.update((row.fact_id, FactVersion(*row)) for row in connection.execute(query))
    return found


def known_ids(connection: Connection, fact_type: str, ids: Collection[str]) -> frozenset[str]:
    """Return which of some ids of a type are stored."""
    wanted = sorted(ids)
    found: set[str] = set()
    for start in range(0, len(wanted), CHUNK):
        query = select(FACT.c.fact_id).where(
            FACT.c.type == fact_type,
            FACT.c.fact_id.in_(wanted[start : start + CHUNK]),
            FACT.c.version == 1,
        )
        found.update(connection.execute(query).scalars())
    return frozenset(found)


def current_facts(connection: Connection, types: Iterable[str] = ()) -> Iterator[Fact]:
    """Yield the current facts sorted by type and id; of all types unless some are named."""
    query = select(*_COLUMNS).where(_is_current())
    names = sorted(types)
    if names:
        query = query.where(FACT.c.type.in_(names))
    rows = connection.execute(query.order_by(FACT.c.type, FACT.c.fact_id))
    for row in rows.yield_per(INSERT_CHUNK):
        yield FactVersion(*row).fact()


def all_versions(connection: Connection) -> Iterator[Fact]:
    """Yield every version of every fact, in no order."""
    rows = connection.execute(select(FACT.c.body)).scalars()
    for body in rows.yield_per(INSERT_CHUNK):
        yield fact_from_json(json.loads(body))


def count_versions(
    connection: Connection, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Return how many versions there are of each of some facts, by type and id."""
    query = select(func.max(FACT.c.version))
    return {
        (name, fact_id): connection.execute(
            query.where(FACT.c.type == name, FACT.c.fact_id == fact_id)
        ).scalar_one()
        for name, fact_id in sorted(keys)
    }


def current_bodies(connection: Connection, size: int) -> Iterator[list[str]]:
    """Yield the canonical JSON of all current facts, in lists of a size, through a cursor."""
    query = select(FACT.c.body).where(_is_current()).order_by(FACT.c.type, FACT.c.fact_id)
    rows = connection.execution_options(stream_results=True).execute(query)
    for found in rows.scalars().partitions(size):
        yield list(found)


def find_fact(connection: Connection, fact_type: str, fact_id: str) -> Fact | None:
    """Return the current version of a fact; None where it is not stored."""
    version = existing(connection, fact_type, [fact_id]).get(fact_id)
    return version.fact() if version is not None else None


def history(connection: Connection, fact_type: str, fact_id: str) -> list[FactVersion]:
    """Return every version of a fact, oldest first."""
    query = select(*_COLUMNS).where(FACT.c.type == fact_type, FACT.c.fact_id == fact_id)
    return [FactVersion(*row) for row in connection.execute(query.order_by(FACT.c.version))]


def count_by_type(connection: Connection) -> dict[str, int]:
    """Return how many facts of each type there are; versions of one fact count once."""
    query = select(FACT.c.type, func.count()).where(FACT.c.version == 1)
    rows = connection.execute(query.group_by(FACT.c.type).order_by(FACT.c.type))
    return {row[0]: row[1] for row in rows}

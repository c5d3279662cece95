"""The credit data pool: figures about a seller as desensitised records.

A record shows openly what the allow-list of its kind names; everything else is withheld behind
salted digests before anything is hashed, and kept in the vault under the seller's key.

Source: docs/spec/credit-passport.md, CP-1 to CP-4; docs/adr/0017-credit-data-points.md.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection, select

from carnet.core.clock import Clock
from carnet.core.crash import crash_point
from carnet.core.errors import NotFoundError
from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.ledger.disclosure import Disclosure
from carnet.ledger.kinds import DATA_POINT
from carnet.ledger.kinds.credit import DATA_POINT_KINDS
from carnet.ledger.reader import stored_record
from carnet.ledger.record import Record, Validity
from carnet.services.issuing import (
    Issued,
    Statement,
    open_issuer,
    record_of_source,
    stage_statement,
)
from carnet.services.vault import (
    PSEUDONYM_URN,
    Subject,
    Vault,
    open_vault,
    pseudonym_of,
    tell_erased,
)
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.facts import FactVersion, current_facts, existing
from carnet.store.locks import Lock
from carnet.store.tables import LOG_ENTRY, RECORD, RECORD_SOURCE

FACT_TYPE: Final = "data_point"
SELLER_TYPE: Final = "party"

_ALWAYS: Final = frozenset(
    ("id", "kind", "unit", "provenance", "periodStart", "periodEnd", "observedOn")
)
OPEN_MEMBERS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    # What a social network shows to everybody tells nothing more here; all other values do.
    {kind: _ALWAYS | {"value"} if kind == "social" else _ALWAYS for kind in DATA_POINT_KINDS}
)
"""The allow-list: the members that a record of each kind shows to everybody."""


@dataclass(frozen=True, slots=True)
class DataPoint:
    """One figure as it stands.

    Args:
        version: The current version of its fact.
        record: Its record, None where it is not recorded.
        index: The place of the record in the log, None while it waits.
    """

    version: FactVersion
    record: Record | None
    index: int | None

    @property
    def fact(self) -> Fact:
        """The figure itself."""
        return self.version.fact()

    def to_json(self) -> dict[str, Any]:
        """Return the figure with its record as JSON."""
        fact = self.fact.to_json()
        fact.pop("type")
        return {
            **fact,
            "version": self.version.version,
            "record": self.record.record_id if self.record else None,
            "record_hash": self.record.digest.hex() if self.record else None,
            "index": self.index,
        }


def source_of(version: FactVersion) -> str:
    """Return what names a version of a figure among the sources of records."""
    return f"data-point/{version.fact_id}/{version.version}"


def _not_found(seller: str) -> NotFoundError:
    return NotFoundError(
        "CRN-L-070",
        Text(f"There is no party {seller!r}.", f"没有主体 {seller!r}。"),
        Text("Import it first; see `carnet status`.", "请先导入；可查看 `carnet status`。"),
    )


def require_seller(connection: Connection, seller: str) -> None:
    """Check that a seller is known.

    Raises:
        NotFoundError: There is no such party, or its data was erased.
    """
    if not existing(connection, SELLER_TYPE, [seller]):
        tell_erased(connection, Subject(SELLER_TYPE, seller))
        raise _not_found(seller)


def data_points(connection: Connection, seller: str | None = None) -> list[DataPoint]:
    """Return the figures of a seller, or of all, in order of their ids.

    Raises:
        LedgerFatalError: A stored record is damaged.
    """
    ids = [
        fact.id
        for fact in current_facts(connection, [FACT_TYPE])
        if seller is None or fact.fields["seller_id"] == seller
    ]
    found = existing(connection, FACT_TYPE, ids)
    records = _records(connection, {source_of(version) for version in found.values()})
    return [
        DataPoint(found[name], *records.get(source_of(found[name]), (None, None)))
        for name in sorted(found)
    ]


def _records(
    connection: Connection, sources: Collection[str]
) -> dict[str, tuple[Record, int | None]]:
    """Return the records of some sources and their places in the log, read at once."""
    query = (
        select(RECORD_SOURCE.c.source, RECORD.c.record_hash, RECORD.c.body, LOG_ENTRY.c.index)
        .join(RECORD, RECORD.c.record_hash == RECORD_SOURCE.c.record_hash)
        .outerjoin(LOG_ENTRY, LOG_ENTRY.c.record_hash == RECORD.c.record_hash)
        .where(RECORD_SOURCE.c.kind == DATA_POINT.name)
    )
    return {
        row[0]: (stored_record(bytes(row[1]), bytes(row[2])), row[3])
        for row in connection.execute(query)
        if row[0] in sources
    }


def list_data_points(workspace: Workspace, seller: str | None = None) -> list[DataPoint]:
    """Return the figures of a seller, or of all, with their records.

    Raises:
        NotFoundError: There is no such seller.
    """
    with reading(workspace.engine) as connection:
        if seller is not None:
            require_seller(connection, seller)
        return data_points(connection, seller)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording did.

    Args:
        issued: The record of each figure, in order of their ids.
    """

    issued: tuple[Issued, ...]

    @property
    def new_count(self) -> int:
        """How many records were made now."""
        return sum(each.is_new for each in self.issued)


def record_data_points(
    workspace: Workspace,
    clock: Clock,
    *,
    seller: str | None = None,
    ids: Collection[str] = (),
) -> Recorded:
    """Sign a desensitised record of each figure that has none; they wait for the next append.

    A figure whose fact has a new version gets a record that replaces the one before.

    Args:
        workspace: The workspace.
        clock: Gives the time of signing.
        seller: Of this seller alone.
        ids: These figures alone.

    Raises:
        NotFoundError: There is no such seller or figure.
        ConflictError: The seller was erased, or the issuer's key has ended.
    """
    issuer, vault = open_issuer(workspace, clock), open_vault(workspace)
    issued: list[Issued] = []
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        if seller is not None:
            require_seller(connection, seller)
        points = _chosen(data_points(connection, seller), ids)
        for point in points:
            statement, about = _statement(connection, point.version, clock)
            found = stage_statement(connection, issuer, statement, clock)
            keep(connection, vault, about, found, clock)
            issued.append(found)
        crash_point("datapoints.before-commit")
    return Recorded(tuple(issued))


def keep(
    connection: Connection, vault: Vault, about: Subject, issued: Issued, clock: Clock
) -> None:
    """Keep what a new record withholds about a seller, in the transaction that stages it."""
    if issued.is_new:
        vault.seal(connection, about, issued.record.digest, issued.disclosures, clock)


def _chosen(points: Sequence[DataPoint], ids: Collection[str]) -> list[DataPoint]:
    missing = sorted(set(ids) - {point.version.fact_id for point in points})
    if missing:
        raise NotFoundError(
            "CRN-L-071",
            Text(f"There is no data point {missing[0]!r}.", f"没有数据点 {missing[0]!r}。"),
            Text("See `carnet data-point list`.", "请查看 `carnet data-point list`。"),
        )
    return [point for point in points if not ids or point.version.fact_id in ids]


def _statement(
    connection: Connection, version: FactVersion, clock: Clock
) -> tuple[Statement, Subject]:
    fact = version.fact()
    about = Subject(SELLER_TYPE, str(fact.fields["seller_id"]))
    pseudonym = pseudonym_of(connection, about, clock)
    subject = _members(fact, pseudonym)
    observed = datetime.fromisoformat(subject["observedOn"])
    kept = OPEN_MEMBERS[subject["kind"]]
    statement = Statement(
        kind=DATA_POINT,
        subject=subject,
        source=source_of(version),
        validity=Validity(datetime.combine(observed, time(), UTC)),
        withhold=[name for name in DATA_POINT.withheld if name in subject and name not in kept],
        supersedes=_before(connection, version),
    )
    return statement, about


_MEMBERS: Final = (
    ("seller_id", "seller"),
    ("kind", "kind"),
    ("unit", "unit"),
    ("provenance", "provenance"),
    ("provider", "provider"),
    ("channel_id", "channel"),
    ("period_start", "periodStart"),
    ("period_end", "periodEnd"),
    ("observed_on", "observedOn"),
    ("value", "value"),
    ("currency", "currency"),
    ("evidence_sha256", "evidenceSha256"),
)


def _members(fact: Fact, pseudonym: bytes) -> dict[str, Any]:
    """Return the members of the record of a figure; an absent field is an absent member."""
    values = fact.to_json()
    found = {member: values[name] for name, member in _MEMBERS if name in values}
    return {"id": f"{PSEUDONYM_URN}{pseudonym.hex()}", "dataPoint": fact.id, **found}


def _before(connection: Connection, version: FactVersion) -> bytes | None:
    """Return the hash of the record of the newest version before this one that has a record."""
    for number in range(version.version - 1, 0, -1):
        source = f"data-point/{version.fact_id}/{number}"
        record = record_of_source(connection, DATA_POINT, source)
        if record is not None:
            return record.digest
    return None


def opened_members(disclosures: Sequence[Disclosure]) -> dict[str, Any]:
    """Return withheld members by name."""
    return {each.name: each.value for each in disclosures}

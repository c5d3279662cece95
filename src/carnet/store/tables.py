"""The tables of a workspace.

The classes define the schema and serve reads; rows are inserted in bulk through the `Table` objects
at the end of the module, which costs a fraction of the object path. Bodies that were hashed or
signed are stored as the exact bytes; everything else about them is a column only where a query
needs it.

`APPEND_ONLY` names the tables in which triggers of the database refuse every change of a row. The
one exception is erasure: a tombstone, itself a row that stays, opens what it names and nothing else
(`fact`, `decision`, `subject_key`, `sealed`).
"""

# pyright: reportAssignmentType=false
# SQLAlchemy declares __tablename__ as a directive; SQLModel documents the plain text used here.

from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
)
from sqlmodel import Field, SQLModel

from carnet.store.naming import is_digest
from carnet.store.types import BigInt, Bytes, Day, Instant, Key
from carnet.store.vault_tables import NAMES as VAULT_TABLES


class OutboxState(StrEnum):
    """Where an action on the chain stands."""

    PLANNED = "planned"
    SENT = "sent"
    CONFIRMED = "confirmed"
    FINALISED = "finalised"
    FAILED = "failed"
    ORPHANED = "orphaned"


class KeyEventKind(StrEnum):
    """What happened to a signing key."""

    ADD = "add"
    ROTATE = "rotate"
    REVOKE = "revoke"


class ImportBatchRow(SQLModel, table=True):
    """One import that brought at least one new fact or version; `files` is canonical JSON."""

    __tablename__ = "import_batch"

    id: int | None = Field(default=None, sa_type=BigInt, primary_key=True)
    imported_at: datetime = Field(sa_type=Instant)
    facts_new: int = Field(sa_type=Integer)
    facts_replaced: int = Field(sa_type=Integer)
    facts_known: int = Field(sa_type=Integer)
    files: str = Field(sa_type=Text)


class FactRow(SQLModel, table=True):
    """One version of a fact; the highest version of a type and id is the current one.

    `body` is the canonical JSON of the fact and `digest` its SHA-256. Where the fact came from is
    not part of it: the same fact in another file is still the same fact.
    """

    __tablename__ = "fact"
    __table_args__: ClassVar = (
        CheckConstraint("version >= 1", name="version"),
        is_digest("digest"),
    )

    type: str = Field(sa_type=Key, primary_key=True)
    fact_id: str = Field(sa_type=Key, primary_key=True)
    version: int = Field(sa_type=Integer, primary_key=True)
    import_id: int = Field(
        sa_type=BigInt, sa_column_args=[ForeignKey("import_batch.id")], index=True
    )
    source_file: str = Field(sa_type=Text)
    source_row: int | None = Field(default=None, sa_type=BigInt)
    digest: bytes = Field(sa_type=Bytes)
    body: str = Field(sa_type=Text)


class ApprovalRow(SQLModel, table=True):
    """One signed confirmation by an officer; `body` is the signed document, canonical.

    `subject` names what was confirmed, such as ``eu-ce/2026.1/parameters/red_cyber_from``.
    """

    __tablename__ = "approval"
    __table_args__: ClassVar = (
        is_digest("digest"),
        Index(None, "kind", "subject"),
    )

    digest: bytes = Field(sa_type=Bytes, primary_key=True)
    kind: str = Field(sa_type=Key)
    subject: str = Field(sa_type=Key)
    officer: str = Field(sa_type=Key)
    approved_at: datetime = Field(sa_type=Instant)
    body: bytes = Field(sa_type=Bytes)


class DecisionRow(SQLModel, table=True):
    """One decision on one case; `body` is its canonical JSON and names pack, date and facts.

    The digest is the key, so deciding the same again about the same facts adds nothing.
    """

    __tablename__ = "decision"
    __table_args__: ClassVar = (
        is_digest("digest"),
        is_digest("pack_digest"),
        is_digest("facts_digest"),
        Index(None, "case_type", "case_id", "as_of"),
        Index(None, "pack", "version"),
    )

    digest: bytes = Field(sa_type=Bytes, primary_key=True)
    case_type: str = Field(sa_type=Key)
    case_id: str = Field(sa_type=Key)
    pack: str = Field(sa_type=Key)
    version: str = Field(sa_type=Key)
    pack_digest: bytes = Field(sa_type=Bytes)
    facts_digest: bytes = Field(sa_type=Bytes)
    as_of: date = Field(sa_type=Day)
    engine: str = Field(sa_type=Key)
    conformity: str = Field(sa_type=Key)
    decided_at: datetime = Field(sa_type=Instant)
    body: bytes = Field(sa_type=Bytes)


class RecordRow(SQLModel, table=True):
    """One signed record; `body` is the document with its proof, canonical.

    A record without a log entry is staged: it waits for the next append. `subject` is the hash
    that its log entry will carry, and `decision_digest` the decision it attests.
    """

    __tablename__ = "record"
    __table_args__: ClassVar = (
        is_digest("record_hash"),
        is_digest("subject", optional=True),
        is_digest("supersedes", optional=True),
        is_digest("decision_digest", optional=True),
    )

    record_hash: bytes = Field(sa_type=Bytes, primary_key=True)
    kind: str = Field(sa_type=Key)
    record_id: str = Field(sa_type=Key, unique=True)
    issuer: str = Field(sa_type=Key)
    subject: bytes | None = Field(default=None, sa_type=Bytes, index=True)
    supersedes: bytes | None = Field(default=None, sa_type=Bytes, index=True)
    decision_digest: bytes | None = Field(
        default=None, sa_type=Bytes, sa_column_args=[ForeignKey("decision.digest")], index=True
    )
    created_at: datetime = Field(sa_type=Instant)
    body: bytes = Field(sa_type=Bytes)


class LogEntryRow(SQLModel, table=True):
    """One leaf of the Merkle log: the canonical entry and its leaf hash."""

    __tablename__ = "log_entry"
    __table_args__: ClassVar = (
        CheckConstraint('"index" >= 0', name="index"),
        is_digest("leaf_hash"),
    )

    index: int = Field(sa_type=BigInt, primary_key=True, sa_column_kwargs={"autoincrement": False})
    record_hash: bytes = Field(
        sa_type=Bytes, sa_column_args=[ForeignKey("record.record_hash")], unique=True
    )
    leaf_hash: bytes = Field(sa_type=Bytes)
    entry: bytes = Field(sa_type=Bytes)


class LogNodeRow(SQLModel, table=True):
    """One inner node over a complete subtree: it never changes once it is known."""

    __tablename__ = "log_node"
    __table_args__: ClassVar = (
        CheckConstraint('level >= 0 AND "index" >= 0', name="position"),
        is_digest("hash"),
    )

    level: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    index: int = Field(sa_type=BigInt, primary_key=True, sa_column_kwargs={"autoincrement": False})
    hash: bytes = Field(sa_type=Bytes)


class CheckpointRow(SQLModel, table=True):
    """One signed checkpoint note; the one of the largest size is the head of the log."""

    __tablename__ = "checkpoint"
    __table_args__: ClassVar = (CheckConstraint("size >= 0", name="size"), is_digest("root"))

    size: int = Field(sa_type=BigInt, primary_key=True, sa_column_kwargs={"autoincrement": False})
    root: bytes = Field(sa_type=Bytes)
    note: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=Instant)


class KeyEventRow(SQLModel, table=True):
    """One event in the life of a signing key; the order in the log is the clock.

    `key_id` is the verification method (did:key or did:web with fragment). The log entry of the
    event, where it has one, is found through `record_hash`.
    """

    __tablename__ = "key_event"
    __table_args__: ClassVar = (is_digest("record_hash", optional=True),)

    id: int | None = Field(default=None, sa_type=BigInt, primary_key=True)
    kind: str = Field(sa_type=Key)
    role: str = Field(sa_type=Key, index=True)
    key_id: str = Field(sa_type=Key, index=True)
    public_key: bytes = Field(sa_type=Bytes)
    reason: str | None = Field(default=None, sa_type=Text)
    record_hash: bytes | None = Field(
        default=None, sa_type=Bytes, sa_column_args=[ForeignKey("record.record_hash")], index=True
    )
    at: datetime = Field(sa_type=Instant)


class OutboxRow(SQLModel, table=True):
    """One intended action on the chain and what became of it; `payload` is canonical JSON.

    The signed transaction is stored before it is sent, so that after a crash the very same
    transaction is sent again instead of a second one.
    """

    __tablename__ = "outbox"
    __table_args__: ClassVar = (
        CheckConstraint(
            "state IN ('planned', 'sent', 'confirmed', 'finalised', 'failed', 'orphaned')",
            name="state",
        ),
        is_digest("tx_hash", optional=True),
        is_digest("block_hash", optional=True),
        Index(None, "state", "id"),
        Index(None, "kind", "id"),
    )

    id: int | None = Field(default=None, sa_type=BigInt, primary_key=True)
    kind: str = Field(sa_type=Key)
    idempotency_key: str = Field(sa_type=Key, unique=True)
    payload: str = Field(sa_type=Text)
    state: str = Field(sa_type=Key)
    attempts: int = Field(default=0, sa_type=Integer)
    chain_id: int | None = Field(default=None, sa_type=BigInt)
    sender: str | None = Field(default=None, sa_type=Key)
    nonce: int | None = Field(default=None, sa_type=BigInt)
    raw_tx: bytes | None = Field(default=None, sa_type=Bytes)
    tx_hash: bytes | None = Field(default=None, sa_type=Bytes, index=True)
    block_number: int | None = Field(default=None, sa_type=BigInt)
    block_hash: bytes | None = Field(default=None, sa_type=Bytes)
    error: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)


class DeploymentRow(SQLModel, table=True):
    """Where a contract lives on a chain; `address` has its EIP-55 spelling."""

    __tablename__ = "deployment"
    __table_args__: ClassVar = (
        CheckConstraint("length(address) = 42", name="address"),
        is_digest("tx_hash", optional=True),
    )

    chain_id: int = Field(
        sa_type=BigInt, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    contract: str = Field(sa_type=Key, primary_key=True)
    address: str = Field(sa_type=Key)
    block: int = Field(sa_type=BigInt)
    tx_hash: bytes | None = Field(default=None, sa_type=Bytes)
    at: datetime = Field(sa_type=Instant)


class OfficerEventRow(SQLModel, table=True):
    """One signed act of an officer; `body` is the signed document, canonical.

    The acts of a workspace form one chain: `seq` counts them from 1, and each body names the digest
    of the one before it.
    """

    __tablename__ = "officer_event"
    __table_args__: ClassVar = (
        CheckConstraint("seq >= 1", name="seq"),
        is_digest("digest"),
        Index(None, "kind", "subject"),
    )

    seq: int = Field(sa_type=BigInt, primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: bytes = Field(sa_type=Bytes, unique=True)
    kind: str = Field(sa_type=Key)
    subject: str = Field(sa_type=Key)
    officer: str = Field(sa_type=Key)
    at: datetime = Field(sa_type=Instant)
    body: bytes = Field(sa_type=Bytes)


class StatusEntryRow(SQLModel, table=True):
    """The entry of a status list that one record has; `list` counts the lists from 0."""

    __tablename__ = "status_entry"
    __table_args__: ClassVar = (CheckConstraint('"list" >= 0 AND "index" >= 0', name="place"),)

    list: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    index: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    record_hash: bytes = Field(
        sa_type=Bytes, sa_column_args=[ForeignKey("record.record_hash")], unique=True
    )


class RevocationRow(SQLModel, table=True):
    """One record that was revoked, and why; the next status list says that it is."""

    __tablename__ = "revocation"

    record_hash: bytes = Field(
        sa_type=Bytes, sa_column_args=[ForeignKey("record.record_hash")], primary_key=True
    )
    reason: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=Instant)


class RecordSourceRow(SQLModel, table=True):
    """What a record records, in the words of this workspace: one record of a kind for each."""

    __tablename__ = "record_source"

    kind: str = Field(sa_type=Key, primary_key=True)
    source: str = Field(sa_type=Key, primary_key=True)
    record_hash: bytes = Field(
        sa_type=Bytes, sa_column_args=[ForeignKey("record.record_hash")], unique=True
    )


class EvidenceFileRow(SQLModel, table=True):
    """A file that was attached as evidence; its content lies in the workspace under its digest."""

    __tablename__ = "evidence_file"
    __table_args__: ClassVar = (
        is_digest("sha256"),
        CheckConstraint('"size" > 0', name="size"),
    )

    sha256: bytes = Field(sa_type=Bytes, primary_key=True)
    size: int = Field(sa_type=BigInt)
    name: str = Field(sa_type=Text)
    attached_at: datetime = Field(sa_type=Instant)


METADATA = SQLModel.metadata

for _each in METADATA.tables.values():
    # Without STRICT, SQLite would store the text "abc" in a column of integers.
    _each.dialect_options["sqlite"]["strict"] = True
# The key of a node is all there is to look up: a rowid would be a second tree beside it.
METADATA.tables["log_node"].dialect_options["sqlite"]["with_rowid"] = False


def _table(name: str) -> Table:
    return METADATA.tables[name]


IMPORT_BATCH = _table("import_batch")
FACT = _table("fact")
APPROVAL = _table("approval")
DECISION = _table("decision")
RECORD = _table("record")
LOG_ENTRY = _table("log_entry")
LOG_NODE = _table("log_node")
CHECKPOINT = _table("checkpoint")
KEY_EVENT = _table("key_event")
OUTBOX = _table("outbox")
DEPLOYMENT = _table("deployment")
OFFICER_EVENT = _table("officer_event")
STATUS_ENTRY = _table("status_entry")
REVOCATION = _table("revocation")
RECORD_SOURCE = _table("record_source")
EVIDENCE_FILE = _table("evidence_file")
SUBJECT = _table("subject")
SUBJECT_KEY = _table("subject_key")
SEALED = _table("sealed")
ERASURE = _table("erasure")
ERASURE_PURGE = _table("erasure_purge")
ERASED_DISCLOSURE = _table("erased_disclosure")
ERASED_FACT = _table("erased_fact")
ERASED_DECISION = _table("erased_decision")

APPEND_ONLY = (
    "import_batch",
    "fact",
    "approval",
    "decision",
    "record",
    "log_entry",
    "log_node",
    "checkpoint",
    "key_event",
    "officer_event",
    "status_entry",
    "revocation",
    "record_source",
    "evidence_file",
    *VAULT_TABLES,
)

"""The first schema: facts, decisions, records, the log, the outbox, and what must never change."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INTEGER = sa.Integer()
TEXT = sa.Text()
BYTES = sa.LargeBinary()
BIGINT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INSTANT = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
DAY = sa.Text().with_variant(sa.Date(), "postgresql")

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
)

REFUSAL = """
CREATE FUNCTION carnet_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%: rows are never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""


def _column(name: str, kind: sa.types.TypeEngine[Any], *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable, autoincrement="auto" if name == "id" else False)


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _digest(table: str, column: str, *, nullable: bool = False) -> sa.CheckConstraint:
    rule = f'length("{column}") = 32'
    return _check(table, column, f'"{column}" IS NULL OR {rule}' if nullable else rule)


def _create_import_batch() -> None:
    op.create_table(
        "import_batch",
        _column("id", BIGINT),
        _column("imported_at", INSTANT),
        _column("facts_new", INTEGER),
        _column("facts_replaced", INTEGER),
        _column("facts_known", INTEGER),
        _column("files", TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_import_batch"),
        sqlite_strict=True,
    )


def _create_fact() -> None:
    op.create_table(
        "fact",
        _column("type", KEY),
        _column("fact_id", KEY),
        _column("version", INTEGER),
        _column("import_id", BIGINT),
        _column("source_file", TEXT),
        _column("source_row", BIGINT, nullable=True),
        _column("digest", BYTES),
        _column("body", TEXT),
        sa.PrimaryKeyConstraint("type", "fact_id", "version", name="pk_fact"),
        _digest("fact", "digest"),
        _check("fact", "version", "version >= 1"),
        sa.ForeignKeyConstraint(["import_id"], ["import_batch.id"], name="fk_fact_import_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_fact_import_id", "fact", ["import_id"])


def _create_approval() -> None:
    op.create_table(
        "approval",
        _column("digest", BYTES),
        _column("kind", KEY),
        _column("subject", KEY),
        _column("officer", KEY),
        _column("approved_at", INSTANT),
        _column("body", BYTES),
        sa.PrimaryKeyConstraint("digest", name="pk_approval"),
        _digest("approval", "digest"),
        sqlite_strict=True,
    )
    op.create_index("ix_approval_kind_subject", "approval", ["kind", "subject"])


def _create_decision() -> None:
    op.create_table(
        "decision",
        _column("digest", BYTES),
        _column("case_type", KEY),
        _column("case_id", KEY),
        _column("pack", KEY),
        _column("version", KEY),
        _column("pack_digest", BYTES),
        _column("facts_digest", BYTES),
        _column("as_of", DAY),
        _column("engine", KEY),
        _column("conformity", KEY),
        _column("decided_at", INSTANT),
        _column("body", BYTES),
        sa.PrimaryKeyConstraint("digest", name="pk_decision"),
        _digest("decision", "digest"),
        _digest("decision", "facts_digest"),
        _digest("decision", "pack_digest"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_decision_case_type_case_id_as_of", "decision", ["case_type", "case_id", "as_of"]
    )
    op.create_index("ix_decision_pack_version", "decision", ["pack", "version"])


def _create_record() -> None:
    op.create_table(
        "record",
        _column("record_hash", BYTES),
        _column("kind", KEY),
        _column("record_id", KEY),
        _column("issuer", KEY),
        _column("subject", BYTES, nullable=True),
        _column("supersedes", BYTES, nullable=True),
        _column("decision_digest", BYTES, nullable=True),
        _column("created_at", INSTANT),
        _column("body", BYTES),
        sa.PrimaryKeyConstraint("record_hash", name="pk_record"),
        _digest("record", "decision_digest", nullable=True),
        _digest("record", "record_hash"),
        _digest("record", "subject", nullable=True),
        _digest("record", "supersedes", nullable=True),
        sa.ForeignKeyConstraint(
            ["decision_digest"], ["decision.digest"], name="fk_record_decision_digest"
        ),
        sa.UniqueConstraint("record_id", name="uq_record_record_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_record_decision_digest", "record", ["decision_digest"])
    op.create_index("ix_record_subject", "record", ["subject"])
    op.create_index("ix_record_supersedes", "record", ["supersedes"])


def _create_log_entry() -> None:
    op.create_table(
        "log_entry",
        _column("index", BIGINT),
        _column("record_hash", BYTES),
        _column("leaf_hash", BYTES),
        _column("entry", BYTES),
        sa.PrimaryKeyConstraint("index", name="pk_log_entry"),
        _check("log_entry", "index", '"index" >= 0'),
        _digest("log_entry", "leaf_hash"),
        sa.ForeignKeyConstraint(
            ["record_hash"], ["record.record_hash"], name="fk_log_entry_record_hash"
        ),
        sa.UniqueConstraint("record_hash", name="uq_log_entry_record_hash"),
        sqlite_strict=True,
    )


def _create_log_node() -> None:
    op.create_table(
        "log_node",
        _column("level", INTEGER),
        _column("index", BIGINT),
        _column("hash", BYTES),
        sa.PrimaryKeyConstraint("level", "index", name="pk_log_node"),
        _digest("log_node", "hash"),
        _check("log_node", "position", 'level >= 0 AND "index" >= 0'),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _create_checkpoint() -> None:
    op.create_table(
        "checkpoint",
        _column("size", BIGINT),
        _column("root", BYTES),
        _column("note", TEXT),
        _column("at", INSTANT),
        sa.PrimaryKeyConstraint("size", name="pk_checkpoint"),
        _digest("checkpoint", "root"),
        _check("checkpoint", "size", "size >= 0"),
        sqlite_strict=True,
    )


def _create_key_event() -> None:
    op.create_table(
        "key_event",
        _column("id", BIGINT),
        _column("kind", KEY),
        _column("role", KEY),
        _column("key_id", KEY),
        _column("public_key", BYTES),
        _column("reason", TEXT, nullable=True),
        _column("record_hash", BYTES, nullable=True),
        _column("at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_key_event"),
        _digest("key_event", "record_hash", nullable=True),
        sa.ForeignKeyConstraint(
            ["record_hash"], ["record.record_hash"], name="fk_key_event_record_hash"
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_key_event_key_id", "key_event", ["key_id"])
    op.create_index("ix_key_event_record_hash", "key_event", ["record_hash"])
    op.create_index("ix_key_event_role", "key_event", ["role"])


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        _column("id", BIGINT),
        _column("kind", KEY),
        _column("idempotency_key", KEY),
        _column("payload", TEXT),
        _column("state", KEY),
        _column("attempts", INTEGER),
        _column("chain_id", BIGINT, nullable=True),
        _column("sender", KEY, nullable=True),
        _column("nonce", BIGINT, nullable=True),
        _column("raw_tx", BYTES, nullable=True),
        _column("tx_hash", BYTES, nullable=True),
        _column("block_number", BIGINT, nullable=True),
        _column("block_hash", BYTES, nullable=True),
        _column("error", TEXT, nullable=True),
        _column("created_at", INSTANT),
        _column("updated_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        _digest("outbox", "block_hash", nullable=True),
        _check(
            "outbox",
            "state",
            "state IN ('planned', 'sent', 'confirmed', 'finalised', 'failed', 'orphaned')",
        ),
        _digest("outbox", "tx_hash", nullable=True),
        sa.UniqueConstraint("idempotency_key", name="uq_outbox_idempotency_key"),
        sqlite_strict=True,
    )
    op.create_index("ix_outbox_kind_id", "outbox", ["kind", "id"])
    op.create_index("ix_outbox_state_id", "outbox", ["state", "id"])
    op.create_index("ix_outbox_tx_hash", "outbox", ["tx_hash"])


def _create_deployment() -> None:
    op.create_table(
        "deployment",
        _column("chain_id", BIGINT),
        _column("contract", KEY),
        _column("address", KEY),
        _column("block", BIGINT),
        _column("tx_hash", BYTES, nullable=True),
        _column("at", INSTANT),
        sa.PrimaryKeyConstraint("chain_id", "contract", name="pk_deployment"),
        _check("deployment", "address", "length(address) = 42"),
        _digest("deployment", "tx_hash", nullable=True),
        sqlite_strict=True,
    )


def _protect_sqlite(table: str) -> None:
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table}: rows are never changed'); END"
        )


def _protect_postgresql(table: str) -> None:
    # Per statement, so that TRUNCATE and a statement that meets no row are refused as well.
    op.execute(
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION carnet_refuse_change()"
    )
    # ALWAYS: also where session_replication_role would switch ordinary triggers off.
    op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_no_change")


def upgrade() -> None:
    """Create every table and protect those that only grow."""
    _create_import_batch()
    _create_fact()
    _create_approval()
    _create_decision()
    _create_record()
    _create_log_entry()
    _create_log_node()
    _create_checkpoint()
    _create_key_event()
    _create_outbox()
    _create_deployment()
    if op.get_bind().dialect.name == "postgresql":
        op.execute(REFUSAL)
        for table in APPEND_ONLY:
            _protect_postgresql(table)
    else:
        for table in APPEND_ONLY:
            _protect_sqlite(table)


def downgrade() -> None:
    """Refuse: records and log entries are never dropped by a migration."""
    message = "the first schema has nothing before it"
    raise NotImplementedError(message)

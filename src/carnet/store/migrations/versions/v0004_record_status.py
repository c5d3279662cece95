"""Places of records in status lists, revocations, and what each record was made from."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = ("status_entry", "revocation", "record_source")
BYTES = sa.LargeBinary()
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INSTANT = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def _of_record(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_record_hash"
    return sa.ForeignKeyConstraint(["record_hash"], ["record.record_hash"], name=name)


def _create() -> None:
    op.create_table(
        "status_entry",
        sa.Column("list", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("record_hash", BYTES, nullable=False),
        sa.PrimaryKeyConstraint("list", "index", name="pk_status_entry"),
        sa.CheckConstraint('"list" >= 0 AND "index" >= 0', name=op.f("ck_status_entry_place")),
        sa.UniqueConstraint("record_hash", name="uq_status_entry_record_hash"),
        _of_record("status_entry"),
        sqlite_strict=True,
    )
    op.create_table(
        "revocation",
        sa.Column("record_hash", BYTES, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("record_hash", name="pk_revocation"),
        _of_record("revocation"),
        sqlite_strict=True,
    )
    op.create_table(
        "record_source",
        sa.Column("kind", KEY, nullable=False),
        sa.Column("source", KEY, nullable=False),
        sa.Column("record_hash", BYTES, nullable=False),
        sa.PrimaryKeyConstraint("kind", "source", name="pk_record_source"),
        sa.UniqueConstraint("record_hash", name="uq_record_source_record_hash"),
        _of_record("record_source"),
        sqlite_strict=True,
    )


def _protect_sqlite(table: str) -> None:
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table}: rows are never changed'); END"
        )


def _protect_postgresql(table: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION carnet_refuse_change()"
    )
    op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_no_change")


def upgrade() -> None:
    """Create the tables and protect them."""
    _create()
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for table in TABLES:
        if is_postgresql:
            _protect_postgresql(table)
        else:
            _protect_sqlite(table)


def downgrade() -> None:
    """Refuse: which records were revoked is never dropped by a migration."""
    message = "revocations are kept"
    raise NotImplementedError(message)

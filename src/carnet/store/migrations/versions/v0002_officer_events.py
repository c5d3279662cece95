"""What officers sign beside confirmations: one chain of acts, which only grows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLE = "officer_event"
BYTES = sa.LargeBinary()
BIGINT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INSTANT = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def _create() -> None:
    op.create_table(
        TABLE,
        sa.Column("seq", BIGINT, nullable=False, autoincrement=False),
        sa.Column("digest", BYTES, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("subject", KEY, nullable=False),
        sa.Column("officer", KEY, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("body", BYTES, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_officer_event"),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_officer_event_seq")),
        sa.CheckConstraint('length("digest") = 32', name=op.f("ck_officer_event_digest")),
        sa.UniqueConstraint("digest", name="uq_officer_event_digest"),
        sqlite_strict=True,
    )
    op.create_index("ix_officer_event_kind_subject", TABLE, ["kind", "subject"])


def _protect_sqlite() -> None:
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {TABLE}_no_{action.lower()} BEFORE {action} ON {TABLE} "
            f"BEGIN SELECT RAISE(ABORT, '{TABLE}: rows are never changed'); END"
        )


def _protect_postgresql() -> None:
    op.execute(
        f"CREATE TRIGGER {TABLE}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {TABLE} "
        "FOR EACH STATEMENT EXECUTE FUNCTION carnet_refuse_change()"
    )
    op.execute(f"ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER {TABLE}_no_change")


def upgrade() -> None:
    """Create the table and protect it."""
    _create()
    if op.get_bind().dialect.name == "postgresql":
        _protect_postgresql()
    else:
        _protect_sqlite()


def downgrade() -> None:
    """Refuse: what officers signed is never dropped by a migration."""
    message = "what officers signed is kept"
    raise NotImplementedError(message)

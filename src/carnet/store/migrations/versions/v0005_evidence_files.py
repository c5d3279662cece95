"""The files that were attached as evidence."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLE = "evidence_file"
BYTES = sa.LargeBinary()
INSTANT = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def _create() -> None:
    op.create_table(
        TABLE,
        sa.Column("sha256", BYTES, nullable=False),
        sa.Column("size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("attached_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=f"pk_{TABLE}"),
        sa.CheckConstraint('length("sha256") = 32', name=op.f(f"ck_{TABLE}_sha256")),
        sa.CheckConstraint('"size" > 0', name=op.f(f"ck_{TABLE}_size")),
        sqlite_strict=True,
    )


def upgrade() -> None:
    """Create the table and protect it."""
    _create()
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {TABLE}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {TABLE} "
            "FOR EACH STATEMENT EXECUTE FUNCTION carnet_refuse_change()"
        )
        op.execute(f"ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER {TABLE}_no_change")
        return
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {TABLE}_no_{action.lower()} BEFORE {action} ON {TABLE} "
            f"BEGIN SELECT RAISE(ABORT, '{TABLE}: rows are never changed'); END"
        )


def downgrade() -> None:
    """Refuse: what was attached is never forgotten by a migration."""
    message = "evidence is kept"
    raise NotImplementedError(message)

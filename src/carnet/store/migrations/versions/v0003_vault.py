"""Keys of subjects, what is sealed under them, and tombstones that alone let such data go."""

from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INTEGER = sa.Integer()
BYTES = sa.LargeBinary()
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INSTANT = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")

GROWING: Final = (
    *("subject", "erasure", "erasure_purge"),
    *("erased_disclosure", "erased_fact", "erased_decision"),
)
"""Tables whose rows are never changed or deleted."""

OF_ERASURE: Final = "EXISTS (SELECT 1 FROM erasure e WHERE e.pseudonym = {row}.pseudonym)"
OF_FACT: Final = (
    "EXISTS (SELECT 1 FROM erased_fact e WHERE e.type = {row}.type AND e.fact_id = {row}.fact_id)"
)
OPENED: Final = {"subject_key": OF_ERASURE, "sealed": OF_ERASURE, "fact": OF_FACT}
"""Tables whose rows are deleted only where a tombstone names them, and do not come back then."""

OF_DECISION: Final = "EXISTS (SELECT 1 FROM erased_decision e WHERE e.digest = OLD.digest)"
NEVER: Final = "rows are never changed"
GONE: Final = "what was erased does not come back"

BODY_ALONE: Final = """
CREATE FUNCTION carnet_keep_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM erased_decision e WHERE e.digest = OLD.digest)
     AND to_jsonb(NEW) - 'body' = to_jsonb(OLD) - 'body' THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'decision: rows are never changed' USING ERRCODE = 'restrict_violation';
END $$
"""
KEEP: Final = """
CREATE FUNCTION carnet_keep_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF {tombstone} THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION '{table}: rows are never changed' USING ERRCODE = 'restrict_violation';
END $$
"""
BAR: Final = """
CREATE FUNCTION carnet_bar_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF {tombstone} THEN
    RAISE EXCEPTION '{table}: what was erased does not come back'
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
"""


def _column(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, autoincrement=False)


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}")


def _create_vault() -> None:
    op.create_table(
        "subject",
        _column("pseudonym", BYTES),
        _column("type", KEY),
        _column("fact_id", KEY),
        _column("created_at", INSTANT),
        sa.PrimaryKeyConstraint("pseudonym", name="pk_subject"),
        _check("subject", "pseudonym", 'length("pseudonym") = 32'),
        sa.UniqueConstraint("type", "fact_id", name="uq_subject_type_fact_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "subject_key",
        _column("pseudonym", BYTES),
        _column("nonce", BYTES),
        _column("wrapped", BYTES),
        _column("created_at", INSTANT),
        sa.PrimaryKeyConstraint("pseudonym", name="pk_subject_key"),
        _check("subject_key", "nonce", 'length("nonce") = 12'),
        _check("subject_key", "wrapped", 'length("wrapped") = 48'),
        _refers("subject_key", "pseudonym", "subject.pseudonym"),
        sqlite_strict=True,
    )
    op.create_table(
        "sealed",
        _column("record_hash", BYTES),
        _column("pseudonym", BYTES),
        _column("nonce", BYTES),
        _column("ciphertext", BYTES),
        sa.PrimaryKeyConstraint("record_hash", "pseudonym", name="pk_sealed"),
        _check("sealed", "nonce", 'length("nonce") = 12'),
        _refers("sealed", "record_hash", "record.record_hash"),
        _refers("sealed", "pseudonym", "subject.pseudonym"),
        sqlite_strict=True,
    )
    op.create_index("ix_sealed_pseudonym", "sealed", ["pseudonym"])


def _create_erasure() -> None:
    op.create_table(
        "erasure",
        _column("pseudonym", BYTES),
        _column("record_hash", BYTES),
        _column("at", INSTANT),
        sa.PrimaryKeyConstraint("pseudonym", name="pk_erasure"),
        _refers("erasure", "pseudonym", "subject.pseudonym"),
        _refers("erasure", "record_hash", "record.record_hash"),
        sa.UniqueConstraint("record_hash", name="uq_erasure_record_hash"),
        sqlite_strict=True,
    )
    op.create_table(
        "erasure_purge",
        _column("pseudonym", BYTES),
        _column("at", INSTANT),
        sa.PrimaryKeyConstraint("pseudonym", name="pk_erasure_purge"),
        _refers("erasure_purge", "pseudonym", "erasure.pseudonym"),
        sqlite_strict=True,
    )


def _create_tombstones() -> None:
    op.create_table(
        "erased_disclosure",
        _column("record_hash", BYTES),
        _column("pseudonym", BYTES),
        sa.PrimaryKeyConstraint("record_hash", "pseudonym", name="pk_erased_disclosure"),
        _refers("erased_disclosure", "record_hash", "record.record_hash"),
        _refers("erased_disclosure", "pseudonym", "erasure.pseudonym"),
        sqlite_strict=True,
    )
    op.create_table(
        "erased_fact",
        _column("type", KEY),
        _column("fact_id", KEY),
        _column("pseudonym", BYTES),
        _column("versions", INTEGER),
        sa.PrimaryKeyConstraint("type", "fact_id", name="pk_erased_fact"),
        _check("erased_fact", "versions", "versions >= 1"),
        _refers("erased_fact", "pseudonym", "erasure.pseudonym"),
        sqlite_strict=True,
    )
    op.create_index("ix_erased_fact_pseudonym", "erased_fact", ["pseudonym"])
    op.create_table(
        "erased_decision",
        _column("digest", BYTES),
        _column("pseudonym", BYTES),
        _column("body_digest", BYTES),
        sa.PrimaryKeyConstraint("digest", "pseudonym", name="pk_erased_decision"),
        _check("erased_decision", "body_digest", 'length("body_digest") = 32'),
        _refers("erased_decision", "digest", "decision.digest"),
        _refers("erased_decision", "pseudonym", "erasure.pseudonym"),
        sqlite_strict=True,
    )


def _sqlite_trigger(name: str, event: str, table: str, reason: str, when: str = "") -> None:
    condition = f"WHEN {when} " if when else ""
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} {condition}"
        f"BEGIN SELECT RAISE(ABORT, '{table}: {reason}'); END"
    )


def _protect_sqlite() -> None:
    for table in GROWING:
        for event in ("UPDATE", "DELETE"):
            _sqlite_trigger(f"{table}_no_{event.lower()}", event, table, NEVER)
    op.execute("DROP TRIGGER fact_no_delete")
    for table, rule in OPENED.items():
        kept = "NOT " + rule.format(row="OLD")
        _sqlite_trigger(f"{table}_no_delete", "DELETE", table, NEVER, kept)
        erased = rule.format(row="NEW")
        _sqlite_trigger(f"{table}_no_return", "INSERT", table, GONE, erased)
        if table != "fact":
            _sqlite_trigger(f"{table}_no_update", "UPDATE", table, NEVER)
    op.execute("DROP TRIGGER decision_no_update")
    columns = [
        *("digest", "case_type", "case_id", "pack", "version", "pack_digest", "facts_digest"),
        *("as_of", "engine", "conformity", "decided_at"),
    ]
    _sqlite_trigger(
        "decision_no_update_beside", f"UPDATE OF {', '.join(columns)}", "decision", NEVER
    )
    kept = "NOT " + OF_DECISION
    _sqlite_trigger("decision_no_update", "UPDATE", "decision", NEVER, kept)


def _postgresql_trigger(name: str, event: str, table: str, scope: str, function: str) -> None:
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} "
        f"FOR EACH {scope} EXECUTE FUNCTION {function}()"
    )
    # ALWAYS: also where session_replication_role would switch ordinary triggers off.
    op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")


def _protect_postgresql() -> None:
    refuse = "carnet_refuse_change"
    for table in GROWING:
        event = "UPDATE OR DELETE OR TRUNCATE"
        _postgresql_trigger(f"{table}_no_change", event, table, "STATEMENT", refuse)
    op.execute("DROP TRIGGER fact_no_change ON fact")
    for table, rule in OPENED.items():
        event = "UPDATE OR TRUNCATE"
        _postgresql_trigger(f"{table}_no_change", event, table, "STATEMENT", refuse)
        op.execute(KEEP.format(table=table, tombstone=rule.format(row="OLD")))
        _postgresql_trigger(f"{table}_no_delete", "DELETE", table, "ROW", f"carnet_keep_{table}")
        op.execute(BAR.format(table=table, tombstone=rule.format(row="NEW")))
        _postgresql_trigger(f"{table}_no_return", "INSERT", table, "ROW", f"carnet_bar_{table}")
    op.execute("DROP TRIGGER decision_no_change ON decision")
    _postgresql_trigger("decision_no_change", "DELETE OR TRUNCATE", "decision", "STATEMENT", refuse)
    op.execute(BODY_ALONE)
    _postgresql_trigger("decision_no_update", "UPDATE", "decision", "ROW", "carnet_keep_decision")


def upgrade() -> None:
    """Create the tables, and let tombstones open what they name."""
    _create_vault()
    _create_erasure()
    _create_tombstones()
    if op.get_bind().dialect.name == "postgresql":
        _protect_postgresql()
    else:
        _protect_sqlite()


def downgrade() -> None:
    """Refuse: what was erased is not there to go back to."""
    message = "erasures are kept"
    raise NotImplementedError(message)

"""Migrations and models agree, other versions are refused, append-only is enforced."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, insert, inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from carnet.core.errors import StoreError
from carnet.store.digest import content_digest
from carnet.store.engine import open_engine, reading, writing
from carnet.store.schema import (
    MIGRATIONS_PATH,
    REVISIONS,
    check_schema,
    current_revision,
    upgrade_schema,
)
from carnet.store.tables import APPEND_ONLY, METADATA
from tests.fixtures_store import PostgresqlServer
from tests.processes import run_python

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
DIGEST = bytes(range(32))
GONE = bytes(reversed(range(32)))

ROWS = {
    "import_batch": {
        "imported_at": AT,
        "facts_new": 1,
        "facts_replaced": 0,
        "facts_known": 0,
        "files": "[]",
    },
    "fact": {
        "type": "party",
        "fact_id": "P-1",
        "version": 1,
        "import_id": 1,
        "source_file": "a.csv",
        "source_row": 2,
        "digest": DIGEST,
        "body": "{}",
    },
    "approval": {
        "digest": DIGEST,
        "kind": "parameter",
        "subject": "eu-ce/1/x",
        "officer": "officer-1",
        "approved_at": AT,
        "body": b"{}",
    },
    "decision": {
        "digest": DIGEST,
        "case_type": "listing",
        "case_id": "L-1",
        "pack": "eu-ce",
        "version": "1",
        "pack_digest": DIGEST,
        "facts_digest": DIGEST,
        "as_of": AT.date(),
        "engine": "live",
        "conformity": "conforming",
        "decided_at": AT,
        "body": b"{}",
    },
    "record": {
        "record_hash": DIGEST,
        "kind": "attestation:listing:conforming",
        "record_id": "urn:uuid:1",
        "issuer": "did:key:z",
        "subject": DIGEST,
        "decision_digest": DIGEST,
        "created_at": AT,
        "body": b"{}",
    },
    "log_entry": {"index": 0, "record_hash": DIGEST, "leaf_hash": DIGEST, "entry": b"{}"},
    "log_node": {"level": 1, "index": 0, "hash": DIGEST},
    "checkpoint": {"size": 1, "root": DIGEST, "note": "note", "at": AT},
    "key_event": {
        "kind": "add",
        "role": "log",
        "key_id": "did:key:z#z",
        "public_key": DIGEST,
        "record_hash": DIGEST,
        "at": AT,
    },
    "officer_event": {
        "seq": 1,
        "digest": DIGEST,
        "kind": "finding-acknowledgement",
        "subject": DIGEST.hex(),
        "officer": "officer-1",
        "at": AT,
        "body": b"{}",
    },
    "status_entry": {"list": 0, "index": 131_071, "record_hash": DIGEST},
    "revocation": {"record_hash": DIGEST, "reason": "wrong facts", "at": AT},
    "record_source": {"kind": "certificate", "source": "certificate/C-1", "record_hash": DIGEST},
    "evidence_file": {"sha256": DIGEST, "size": 403, "name": "report.pdf", "attached_at": AT},
    "subject": {"pseudonym": DIGEST, "type": "party", "fact_id": "P-1", "created_at": AT},
    "subject_key": {
        "pseudonym": DIGEST,
        "nonce": bytes(12),
        "wrapped": bytes(48),
        "created_at": AT,
    },
    "sealed": {
        "record_hash": DIGEST,
        "pseudonym": DIGEST,
        "nonce": bytes(12),
        "ciphertext": b"x",
    },
    "erasure": {"pseudonym": GONE, "record_hash": DIGEST, "at": AT},
    "erasure_purge": {"pseudonym": GONE, "at": AT},
    "erased_disclosure": {"record_hash": DIGEST, "pseudonym": GONE},
    "erased_fact": {"type": "party", "fact_id": "P-0", "pseudonym": GONE, "versions": 1},
    "erased_decision": {"digest": GONE, "pseudonym": GONE, "body_digest": DIGEST},
}
BESIDE = {
    "subject": {"pseudonym": GONE, "type": "party", "fact_id": "P-0", "created_at": AT},
    "decision": ROWS["decision"] | {"digest": GONE},
}
"""What the tombstones among the rows name: another subject, another decision."""


def fill(engine: Engine) -> None:
    with writing(engine) as connection:
        for table in METADATA.sorted_tables:
            for rows in (BESIDE, ROWS):
                if table.name in rows:
                    connection.execute(insert(table).values(**rows[table.name]))


@pytest.fixture
def filled(engine: Engine) -> Engine:
    fill(engine)
    return engine


def schema_of(engine: Engine) -> dict[str, object]:
    with reading(engine) as connection:
        found = inspect(connection)
        return {
            table: {
                "columns": [
                    (c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(table)
                ],
                "pk": found.get_pk_constraint(table),
                "fk": found.get_foreign_keys(table),
                "unique": sorted(map(str, found.get_unique_constraints(table))),
                "index": sorted(map(str, found.get_indexes(table))),
                "check": sorted(map(str, found.get_check_constraints(table))),
            }
            for table in METADATA.tables
        }


def test_migrations__agree_with_the_models(engine: Engine) -> None:
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_migrations__give_the_schema_that_the_models_give(
    engine: Engine, empty_database_url: str
) -> None:
    """Checks and the strictness of SQLite's tables, which alembic's comparison does not see."""
    direct = open_engine(empty_database_url, is_new=True)
    with writing(direct) as connection:
        METADATA.create_all(connection)
    assert schema_of(direct) == schema_of(engine)
    direct.dispose()


def test_sqlite_tables__are_strict(sqlite_template: Path) -> None:
    engine = open_engine(f"sqlite:///{sqlite_template}")
    with reading(engine) as connection:
        rows = connection.exec_driver_sql("PRAGMA table_list").mappings().all()
    engine.dispose()
    ours = {row["name"]: row for row in rows if row["name"] in METADATA.tables}
    assert ours.keys() == METADATA.tables.keys()
    assert all(row["strict"] == 1 for row in ours.values())
    assert ours["log_node"]["wr"] == 1


def test_revisions__are_those_of_the_folder() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_PATH))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert tuple(s.revision for s in scripts.walk_revisions())[::-1] == REVISIONS


def test_upgrade__from_nothing_and_again(empty_database_url: str) -> None:
    engine = open_engine(empty_database_url, is_new=True)
    assert upgrade_schema(engine) == REVISIONS
    assert upgrade_schema(engine) == ()
    check_schema(engine)
    engine.dispose()


def test_upgrade__of_a_database_in_use_keeps_its_rows(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(empty_database_url, is_new=True)
    _first_migration(engine)
    with pytest.raises(StoreError, match="CRN-C-027"):
        check_schema(engine)
    with reading(engine) as connection:
        present = set(inspect(connection).get_table_names())
    for later in ROWS.keys() - present:
        monkeypatch.delitem(ROWS, later)
    for beside in list(BESIDE):
        monkeypatch.delitem(BESIDE, beside)
    fill(engine)
    assert upgrade_schema(engine) == REVISIONS[1:]
    check_schema(engine)
    with reading(engine) as connection:
        for name, row in ROWS.items():
            found = connection.execute(METADATA.tables[name].select()).mappings().one()
            assert {key: found[key] for key in row} == row
    engine.dispose()


def _first_migration(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_PATH))
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, REVISIONS[0])


def test_check__missing_migrations(empty_database_url: str) -> None:
    engine = open_engine(empty_database_url, is_new=True)
    with pytest.raises(StoreError) as caught:
        check_schema(engine)
    assert caught.value.code == "CRN-C-027"
    assert "carnet upgrade" in caught.value.hint.en
    engine.dispose()


@pytest.mark.parametrize("act", [check_schema, upgrade_schema])
def test_newer_database__refused_and_unchanged(
    engine: Engine, act: Callable[[Engine], object]
) -> None:
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = content_digest(engine)
    with pytest.raises(StoreError, match="newer version of Carnet: its schema is 9999") as caught:
        act(engine)
    assert caught.value.code == "CRN-C-026"
    assert content_digest(engine) == before


CRASH_IN_MIGRATION = """
import os, signal, sys
from sqlalchemy import event
from carnet.store.engine import open_engine
from carnet.store.schema import upgrade_schema
engine = open_engine(sys.argv[1], is_new=True)
def die(conn, cursor, statement: str, *rest):
    if "ix_outbox_tx_hash" in statement:
        os.kill(os.getpid(), signal.SIGKILL)
event.listen(engine, "before_cursor_execute", die)
upgrade_schema(engine)
"""


def test_upgrade__killed_in_the_middle_leaves_nothing(empty_database_url: str) -> None:
    done = run_python(CRASH_IN_MIGRATION, empty_database_url)
    assert done.returncode == -signal.SIGKILL
    engine = open_engine(empty_database_url)
    with reading(engine) as connection:
        assert current_revision(connection) is None
        assert inspect(connection).get_table_names() == []
    assert upgrade_schema(engine) == REVISIONS
    engine.dispose()


def test_append_only__names_every_table_but_the_changing_ones() -> None:
    assert set(APPEND_ONLY) == METADATA.tables.keys() - {"outbox", "deployment"}
    assert set(ROWS) == set(APPEND_ONLY)


def refuses(engine: Engine, statement: str) -> None:
    before = content_digest(engine)
    with pytest.raises(DBAPIError, match="rows are never changed"), writing(engine) as connection:
        connection.execute(text(statement))
    assert content_digest(engine) == before


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_append_only__update_refused(filled: Engine, table: str) -> None:
    column = next(iter(ROWS[table]))
    refuses(filled, f'UPDATE {table} SET "{column}" = "{column}"')


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_append_only__delete_refused(filled: Engine, table: str) -> None:
    refuses(filled, f"DELETE FROM {table}")


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_append_only__replacing_insert_refused(
    database_kind: str, filled: Engine, table: str
) -> None:
    if database_kind == "sqlite":
        refuses(filled, f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
    else:
        key = ", ".join(f'"{column.name}"' for column in METADATA.tables[table].primary_key)
        column = next(iter(ROWS[table]))
        refuses(
            filled,
            f"INSERT INTO {table} SELECT * FROM {table} "
            f'ON CONFLICT ({key}) DO UPDATE SET "{column}" = EXCLUDED."{column}"',
        )


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_append_only__truncate_refused(database_kind: str, filled: Engine, table: str) -> None:
    if database_kind == "postgresql":
        refuses(filled, f"TRUNCATE {table} CASCADE")


def test_append_only__holds_in_the_role_of_a_replica(database_kind: str, filled: Engine) -> None:
    if database_kind == "postgresql":
        refuses(filled, "SET LOCAL session_replication_role = replica; DELETE FROM checkpoint")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO log_node VALUES (0, 1, {short})",
        "INSERT INTO log_node VALUES (-1, 0, {digest})",
        "INSERT INTO log_node VALUES (1, 0, {digest})",
        "INSERT INTO fact VALUES ('party', 'P-2', 0, 1, 'a', NULL, {digest}, '{{}}')",
        "INSERT INTO fact VALUES ('party', 'P-2', 1, 7, 'a', NULL, {digest}, '{{}}')",
        "INSERT INTO log_entry VALUES (1, {digest}, {digest}, {short})",
    ],
    ids=["short-hash", "negative", "twice", "version-0", "dangling", "record-twice"],
)
def test_constraint__refused(database_kind: str, filled: Engine, statement: str) -> None:
    kinds = {"sqlite": "X'{}'", "postgresql": "'\\x{}'::bytea"}
    values = {
        "digest": kinds[database_kind].format(DIGEST.hex()),
        "short": kinds[database_kind].format("00"),
    }
    with pytest.raises(IntegrityError), writing(filled) as connection:
        connection.exec_driver_sql(statement.format(**values))


def test_content_digest__same_on_both_databases(
    postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    digests = set()
    for url in (postgresql.url(postgresql.new_database()), f"sqlite:///{tmp_path / 'a.db'}"):
        engine = open_engine(url, is_new=True)
        upgrade_schema(engine)
        empty = content_digest(engine)
        fill(engine)
        digests |= {empty, content_digest(engine)}
        engine.dispose()
    assert len(digests) == 2


def test_content_digest__every_column_counts(filled: Engine) -> None:
    before = content_digest(filled)
    with writing(filled) as connection:
        connection.execute(
            insert(METADATA.tables["checkpoint"]).values(size=2, root=DIGEST, note="n", at=AT)
        )
    assert content_digest(filled) != before


def test_content_digest__a_foreign_table_counts(filled: Engine) -> None:
    before = content_digest(filled)
    with writing(filled) as connection:
        connection.execute(text("CREATE TABLE stranger (a INTEGER)"))
    assert content_digest(filled) != before


def test_values__come_back_as_they_went_in(filled: Engine) -> None:
    with reading(filled) as connection:
        for name, row in ROWS.items():
            stored = connection.execute(METADATA.tables[name].select()).mappings().all()
            (found,) = [each for each in stored if {key: each[key] for key in row} == row]
            assert len(stored) == 1 + (name in BESIDE)
            for value in found.values():
                assert not isinstance(value, datetime) or value.tzinfo is UTC


def test_keys__are_sorted_by_bytes(filled: Engine) -> None:
    """The test server sorts linguistically unless a column says otherwise."""
    ids = ["B", "a", "A", "b", "_", "-1", "C:1", "Z"]
    fact = METADATA.tables["fact"]
    with writing(filled) as connection:
        for each in ids:
            row = ROWS["fact"] | {"type": "order", "fact_id": each}
            connection.execute(insert(fact).values(**row))
    with reading(filled) as connection:
        query = fact.select().where(fact.c.type == "order").order_by(fact.c.fact_id)
        assert [row.fact_id for row in connection.execute(query)] == sorted(ids)


def test_instant__with_a_fraction_is_a_programming_error(engine: Engine) -> None:
    with pytest.raises(StatementError, match="whole seconds"), writing(engine) as connection:
        connection.execute(
            insert(METADATA.tables["checkpoint"]).values(
                size=2, root=DIGEST, note="n", at=AT.replace(microsecond=1)
            )
        )


def test_migrations__load_without_the_environment_of_alembic() -> None:
    """Opening a workspace must not load alembic: it costs as much as everything else together."""
    code = "import sys; import carnet.services.workspace; sys.exit('alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False, env=dict(os.environ))
    assert done.returncode == 0

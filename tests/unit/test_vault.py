"""The vault: what is withheld of a subject opens for its record and its subject, nothing else."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from carnet.core.clock import FixedClock
from carnet.core.errors import ConflictError, InputError, LedgerFatalError, NotFoundError
from carnet.ledger.append import stage_records
from carnet.ledger.disclosure import Disclosure, withhold
from carnet.ledger.record import (
    ATTESTATION_TYPE,
    Record,
    Validity,
    sign_record,
    urn_of_digest,
)
from carnet.services.vault import (
    Subject,
    Vault,
    find_pseudonym,
    open_vault,
    pseudonym_of,
)
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import ERASED_DISCLOSURE, ERASURE, SEALED, SUBJECT_KEY
from tests.fixtures_ledger import ISSUER_KEY, NOW, attestation

ANNA, BEN = Subject("party", "SELLER-1"), Subject("party", "SELLER-2")


def withholding(number: int) -> tuple[Record, list[Disclosure]]:
    """Return an attestation that withholds its listing and seller, and the disclosures."""
    plain = attestation(number)
    fields, disclosures = withhold(plain.subject, ["listing", "seller"])
    record = sign_record(
        ATTESTATION_TYPE,
        fields,
        record_id=urn_of_digest(plain.digest),
        issuer=ISSUER_KEY.issuer,
        validity=Validity(plain.valid_from, plain.valid_until),
        created=NOW,
    )
    return record, disclosures


def sealed(
    workspace: Workspace, vault: Vault, subject: Subject, number: int, clock: FixedClock
) -> tuple[Record, list[Disclosure]]:
    record, disclosures = withholding(number)
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        stage_records(connection, [record], clock)
        vault.seal(connection, subject, record.digest, disclosures, clock)
    return record, disclosures


def erase_in(workspace: Workspace, subject: Subject, record: Record) -> None:
    """Do what an erasure does to the vault."""
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        name = find_pseudonym(connection, subject)
        row = {"pseudonym": name, "record_hash": record.digest, "at": NOW}
        connection.execute(insert(ERASURE), row)
        hashes = connection.execute(
            select(SEALED.c.record_hash).where(SEALED.c.pseudonym == name)
        ).scalars()
        rows = [{"record_hash": found, "pseudonym": name} for found in hashes]
        connection.execute(insert(ERASED_DISCLOSURE), rows)
        connection.execute(delete(SEALED).where(SEALED.c.pseudonym == name))
        connection.execute(delete(SUBJECT_KEY).where(SUBJECT_KEY.c.pseudonym == name))


def test_vault__gives_back_what_was_sealed(workspace: Workspace, clock: FixedClock) -> None:
    vault = open_vault(workspace)
    first, told = sealed(workspace, vault, ANNA, 1, clock)
    second, other = sealed(workspace, vault, ANNA, 2, clock)
    with reading(workspace.engine) as connection:
        assert open_vault(workspace).disclosures(connection, first.digest) == tuple(told)
        assert vault.disclosures(connection, second.digest) == tuple(other)
        keys = connection.execute(select(SUBJECT_KEY)).all()
        rows = connection.execute(select(SEALED)).all()
    assert len(keys) == 1
    assert len({bytes(row.nonce) for row in rows}) == 2
    assert all(b"SELLER-1" not in bytes(row.ciphertext) for row in rows)
    assert (workspace.keys_path / "vault.json").stat().st_mode & 0o777 == 0o600


def test_vault__a_record_without_withheld_members_has_none(
    workspace: Workspace, clock: FixedClock
) -> None:
    vault, record = open_vault(workspace), attestation(1)
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        stage_records(connection, [record], clock)
        vault.seal(connection, ANNA, record.digest, [], clock)
        assert vault.disclosures(connection, record.digest) == ()
        assert find_pseudonym(connection, ANNA) is None


def test_pseudonym__is_drawn_once_and_tells_nothing(
    workspace: Workspace, clock: FixedClock
) -> None:
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        first = pseudonym_of(connection, ANNA, clock)
        clock.advance(timedelta(days=1))
        assert pseudonym_of(connection, ANNA, clock) == first
        same_id = pseudonym_of(connection, Subject("responsible_person", ANNA.id), clock)
        assert len({first, same_id, pseudonym_of(connection, BEN, clock)}) == 3
    assert len(first) == 32


@pytest.mark.parametrize("column", ["ciphertext", "nonce", "pseudonym"])
def test_vault__what_was_moved_or_changed_is_refused(
    workspace: Workspace, clock: FixedClock, column: str
) -> None:
    """A row of one record or subject does not open as that of another."""
    vault = open_vault(workspace)
    record, _ = sealed(workspace, vault, ANNA, 1, clock)
    other, _ = sealed(workspace, vault, BEN, 2, clock)
    third, _ = withholding(3)
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        stage_records(connection, [third], clock)
        row = dict(
            connection.execute(select(SEALED).where(SEALED.c.record_hash == record.digest))
            .mappings()
            .one()
        )
        if column == "pseudonym":
            row[column] = find_pseudonym(connection, BEN)
        else:
            value = bytes(row[column])
            row[column] = value[:-1] + bytes([value[-1] ^ 1])
        connection.execute(insert(SEALED), row | {"record_hash": third.digest})
    with reading(workspace.engine) as connection:
        with pytest.raises(LedgerFatalError, match="CRN-L-092"):
            vault.disclosures(connection, third.digest)
        assert len(vault.disclosures(connection, other.digest)) == 2


def test_vault__a_row_bound_to_another_record_is_refused(
    workspace: Workspace, clock: FixedClock
) -> None:
    vault = open_vault(workspace)
    record, _ = sealed(workspace, vault, ANNA, 1, clock)
    other, _ = withholding(2)
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        stage_records(connection, [other], clock)
        row = connection.execute(select(SEALED)).mappings().one()
        connection.execute(insert(SEALED), dict(row) | {"record_hash": other.digest})
        with pytest.raises(LedgerFatalError, match="CRN-L-092"):
            vault.disclosures(connection, other.digest)
        assert len(vault.disclosures(connection, record.digest)) == 2


def test_vault__rows_are_neither_changed_nor_deleted_without_an_erasure(
    workspace: Workspace, clock: FixedClock
) -> None:
    sealed(workspace, open_vault(workspace), ANNA, 1, clock)
    for table in (SEALED, SUBJECT_KEY):
        for change in (delete(table), update(table).values(nonce=bytes(12))):
            with (
                pytest.raises(DBAPIError, match="rows are never changed"),
                writing(workspace.engine) as connection,
            ):
                connection.execute(change)


def test_erasure__opens_the_rows_of_that_subject_alone(
    workspace: Workspace, clock: FixedClock
) -> None:
    vault = open_vault(workspace)
    record, _ = sealed(workspace, vault, ANNA, 1, clock)
    other, told = sealed(workspace, vault, BEN, 2, clock)
    erase_in(workspace, ANNA, record)
    with reading(workspace.engine) as connection:
        with pytest.raises(NotFoundError, match="CRN-L-091") as caught:
            vault.disclosures(connection, record.digest)
        assert "erased at 2026-11-23" in caught.value.message.en
        assert "已于 2026-11-23" in caught.value.message.zh
        assert vault.disclosures(connection, other.digest) == tuple(told)
    for table in (SEALED, SUBJECT_KEY):
        with pytest.raises(DBAPIError), writing(workspace.engine) as connection:
            connection.execute(delete(table))


def test_erasure__nothing_comes_back(workspace: Workspace, clock: FixedClock) -> None:
    vault = open_vault(workspace)
    record, told = sealed(workspace, vault, ANNA, 1, clock)
    with reading(workspace.engine) as connection:
        keys = dict(connection.execute(select(SUBJECT_KEY)).mappings().one())
        row = dict(connection.execute(select(SEALED)).mappings().one())
    erase_in(workspace, ANNA, record)
    with (
        pytest.raises(ConflictError, match="CRN-L-090"),
        writing(workspace.engine, Lock.LOG_HEAD) as connection,
    ):
        vault.seal(connection, ANNA, record.digest, told, clock)
    for table, values in ((SUBJECT_KEY, keys), (SEALED, row)):
        with (
            pytest.raises(DBAPIError, match="does not come back"),
            writing(workspace.engine) as connection,
        ):
            connection.execute(insert(table), values)


def test_vault__disclosures_that_were_never_kept(workspace: Workspace, clock: FixedClock) -> None:
    record, _ = withholding(1)
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        stage_records(connection, [record], clock)
        with pytest.raises(NotFoundError, match="CRN-L-093"):
            open_vault(workspace).disclosures(connection, record.digest)


def test_vault__its_file_is_not_that_of_another_workspace(
    workspace: Workspace, clock: FixedClock
) -> None:
    sealed(workspace, open_vault(workspace), ANNA, 1, clock)
    path = workspace.keys_path / "vault.json"
    data = path.read_bytes()
    path.unlink()
    other = open_vault(workspace)
    with reading(workspace.engine) as connection, pytest.raises(LedgerFatalError):
        other.disclosures(connection, withholding(1)[0].digest) or other.disclosures(
            connection, connection.execute(select(SEALED.c.record_hash)).scalar_one()
        )
    path.write_bytes(data.replace(b"vault", b"other"))
    with pytest.raises(InputError):
        open_vault(workspace)

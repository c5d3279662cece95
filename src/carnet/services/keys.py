"""The signing keys of a workspace: one for each role, made once, and stated in the log.

Every key that is made stages a record of itself, signed by the issuer, before it signs anything.
"""

from typing import Final

from sqlalchemy import Connection, select

from carnet.core.clock import Clock
from carnet.core.crash import crash_point
from carnet.core.errors import VerificationError
from carnet.core.text import Text
from carnet.ledger.did import did_of_key, key_of_multibase
from carnet.ledger.entry import KEY_EVENT as KEY_EVENT_KIND
from carnet.ledger.keys import (
    Key,
    KeyRole,
    add_key,
    adopt_or_generate,
    current_public_key,
    open_key,
)
from carnet.ledger.note import COSIGNATURE_V1, VerifierKey
from carnet.ledger.record import Record, parse_record, verify_record
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import KEY_EVENT, RECORD

WITNESS_SUFFIX: Final = "/witness"
"""What follows the origin of the log in the name of the workspace's own witness."""


def ensure_key(workspace: Workspace, role: KeyRole, clock: Clock) -> Key:
    """Return the key of a role, made and staged for the log if there is none.

    Raises:
        InputError: The secret of the workspace is wrong, or a key file is missing.
    """
    with reading(workspace.engine) as connection:
        found = current_public_key(connection, role)
    if found is not None:
        return open_key(workspace.keys_path, workspace.secret, role, found)
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        return _make_key(connection, workspace, role, clock)


def _make_key(connection: Connection, workspace: Workspace, role: KeyRole, clock: Clock) -> Key:
    found = current_public_key(connection, role)
    if found is not None:
        return open_key(workspace.keys_path, workspace.secret, role, found)
    key = adopt_or_generate(workspace.keys_path, workspace.secret, role)
    crash_point("keys.after-file")
    issuer = key if role == "issuer" else _make_key(connection, workspace, "issuer", clock)
    origin = workspace.settings.log_origin
    name = {"log": origin, "witness": origin + WITNESS_SUFFIX}.get(role, role)
    add_key(connection, key, name, issuer.issuer, clock)
    return key


def has_key(workspace: Workspace, role: KeyRole) -> bool:
    """Return whether a workspace has a key of a role."""
    with reading(workspace.engine) as connection:
        return current_public_key(connection, role) is not None


def issuer_did(connection: Connection) -> str | None:
    """Return the identifier that this workspace issues under, None before its first key.

    The first key that was stated counts: rows that were added later cannot move it.
    """
    query = select(KEY_EVENT.c.public_key).where(KEY_EVENT.c.role == "issuer")
    found = connection.execute(query.order_by(KEY_EVENT.c.id).limit(1)).scalar()
    return None if found is None else did_of_key(bytes(found))


def check_key_event(record: Record, issuer: str) -> None:
    """Check that a record states a key and that an issuer signed it.

    Raises:
        VerificationError: It does not, or somebody else did.
    """
    if record.kind != KEY_EVENT_KIND or record.issuer != issuer:
        raise VerificationError(
            "CRN-L-016",
            Text(
                f"The record {record.record_id} is no key event of the issuer {issuer}.",
                f"记录 {record.record_id} 不是签发方 {issuer} 的密钥事件。",
            ),
        )
    verify_record(record)


def key_events(
    connection: Connection, role: KeyRole, public_key: bytes | None = None
) -> list[Record]:
    """Return the records that state the keys of a role, oldest first, or those of one key."""
    query = select(RECORD.c.body).join(KEY_EVENT, KEY_EVENT.c.record_hash == RECORD.c.record_hash)
    query = query.where(KEY_EVENT.c.role == role)
    if public_key is not None:
        query = query.where(KEY_EVENT.c.public_key == public_key)
    rows = connection.execute(query.order_by(KEY_EVENT.c.id))
    return [parse_record(row.body) for row in rows]


def witness_keys(workspace: Workspace) -> list[VerifierKey]:
    """Return the witnesses whose keys are in the log of this workspace."""
    with reading(workspace.engine) as connection:
        records = key_events(connection, "witness")
    return [
        VerifierKey(
            name=str(record.subject["name"]),
            signature_type=COSIGNATURE_V1,
            public_key=key_of_multibase(str(record.subject["publicKeyMultibase"])),
        )
        for record in records
    ]

"""Officers' signing keys: one a person, stated in the log by the issuer under the person's name."""

from typing import Any, Final

from sqlalchemy import Connection, Row, select

from carnet.core.clock import Clock
from carnet.core.errors import (
    InputError,
    LedgerFatalError,
    RecordFormatError,
    VerificationError,
)
from carnet.core.ids import is_fact_id
from carnet.core.text import Text
from carnet.ledger.did import key_of_multibase
from carnet.ledger.keys import Key, add_key, adopt_or_generate, open_key
from carnet.ledger.reader import stored_record
from carnet.services.keys import check_key_event, ensure_key, issuer_did
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import KEY_EVENT, RECORD

ROLE: Final = "officer"


def officer_keys(connection: Connection) -> dict[str, bytes]:
    """Return the public key of each officer, by name; one key a name and one name a key.

    Nothing is taken from a row that the issuer of the workspace did not sign.

    Raises:
        LedgerFatalError: A key event is not what the issuer stated, or a key or name stands twice.
    """
    query = (
        select(KEY_EVENT, RECORD.c.body)
        .outerjoin(RECORD, RECORD.c.record_hash == KEY_EVENT.c.record_hash)
        .where(KEY_EVENT.c.role == ROLE)
        .order_by(KEY_EVENT.c.id)
    )
    rows = connection.execute(query).all()
    issuer = issuer_did(connection) if rows else None
    keys: dict[str, bytes] = {}
    for row in rows:
        public_key = bytes(row.public_key)
        name = _stated_name(row, issuer)
        if name in keys or public_key in keys.values():
            raise _forged(name, "its name or its key stands twice", "其名称或密钥重复")
        keys[name] = public_key
    return keys


def _stated_name(row: Row[Any], issuer: str | None) -> str:
    name = row.key_id
    if issuer is None or row.body is None:
        raise _forged(name, "no issuer stated it", "没有签发方登记")
    try:
        record = stored_record(bytes(row.record_hash), bytes(row.body))
        check_key_event(record, issuer)
    except (VerificationError, RecordFormatError) as error:
        raise _forged(name, error.message.en, error.message.zh) from error
    subject = record.subject
    stated = (subject["event"], subject["role"], key_of_multibase(subject["publicKeyMultibase"]))
    if stated != (row.kind, row.role, bytes(row.public_key)):
        raise _forged(name, "its record says something else", "其记录的内容不同")
    return str(subject["name"])


def _forged(name: str, en: str, zh: str) -> LedgerFatalError:
    return LedgerFatalError(
        "CRN-R-101",
        Text(
            f"The stored event of the officer's key {name} cannot be relied on: {en}.",
            f"已存的合规专员密钥事件 {name} 不可信：{zh}。",
        ),
        Text("Restore the workspace from a backup.", "请从备份恢复工作区。"),
    )


def officer_key(workspace: Workspace, name: str, clock: Clock) -> Key:
    """Return the key of an officer, made and staged for the log if there is none.

    Args:
        workspace: The workspace.
        name: The officer's role id, such as ``officer-1``.
        clock: Gives the time of the key's event.

    Raises:
        InputError: The name is not an id, or the secret of the workspace is wrong.
        LedgerFatalError: A stored key event is not what the issuer stated.
    """
    if not is_fact_id(name):
        raise InputError(
            "CRN-R-094",
            Text(f"{name!r} cannot name an officer.", f"{name!r} 不能作为合规专员代号。"),
            Text("Use a role id such as officer-1.", "请使用角色代号，例如 officer-1。"),
        )
    with reading(workspace.engine) as connection:
        found = officer_keys(connection).get(name)
    if found is not None:
        return open_key(workspace.keys_path, workspace.secret, ROLE, found)
    issuer = ensure_key(workspace, "issuer", clock).issuer
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        known = officer_keys(connection)
        if name in known:
            return open_key(workspace.keys_path, workspace.secret, ROLE, known[name])
        key = adopt_or_generate(
            workspace.keys_path, workspace.secret, ROLE, known=frozenset(known.values())
        )
        add_key(connection, key, name, issuer, clock)
    return key

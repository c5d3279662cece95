"""The signing keys of a workspace: one for each role, made once, and stated in the log.

Every key that is made stages a record of itself, signed by the issuer, before it signs anything.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from carnet.core.clock import Clock
from carnet.core.crash import crash_point
from carnet.core.errors import (
    ConflictError,
    LedgerFatalError,
    RecordFormatError,
    VerificationError,
)
from carnet.core.text import Text
from carnet.ledger.did import did_of_key
from carnet.ledger.entry import KEY_EVENT as KEY_EVENT_KIND
from carnet.ledger.keys import (
    Key,
    KeyRole,
    add_key,
    adopt_or_generate,
    current_public_key,
    key_file,
    open_key,
    public_keys,
)
from carnet.ledger.keystate import REVOKE, ROTATE, KeyState, KeyStatement, statement_of
from carnet.ledger.note import COSIGNATURE_V1, ED25519, VerifierKey
from carnet.ledger.reader import stored_record
from carnet.ledger.record import Issuer, Record, parse_record
from carnet.services.workspace import KEYS_OPTION, Workspace
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import KEY_EVENT, LOG_ENTRY, RECORD

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
    known = public_keys(connection, role)
    if role == "issuer" and known:
        raise _issuer_ended()
    key = adopt_or_generate(workspace.keys_path, workspace.secret, role, known=known)
    crash_point("keys.after-file")
    issuer = key if role == "issuer" else _make_key(connection, workspace, "issuer", clock)
    add_key(connection, key, key_name(workspace, role), issuer.issuer, clock)
    return key


def _issuer_ended() -> ConflictError:
    return ConflictError(
        "CRN-L-022",
        Text(
            "The issuer's key was revoked and none followed it: this workspace issues nothing "
            "any more.",
            "签发方密钥已被吊销且没有后续密钥：本工作区不能再签发任何记录。",
        ),
        Text(
            "Records under a new identity need a new workspace, whose policy lenders take over.",
            "以新身份签发记录需要新的工作区，并由资金方采用其策略文件。",
        ),
    )


def key_name(workspace: Workspace, role: KeyRole) -> str:
    """Return the name that the key of a role signs under; an officer's is that of its holder."""
    origin = workspace.settings.log_origin
    return {"log": origin, "witness": origin + WITNESS_SUFFIX}.get(role, role)


def has_key(workspace: Workspace, role: KeyRole) -> bool:
    """Return whether a workspace has a key of a role."""
    with reading(workspace.engine) as connection:
        return current_public_key(connection, role) is not None


def require_current_issuer(connection: Connection, issuer: Issuer) -> None:
    """Check, within the transaction that stages a record, that its signing key is still in use.

    Raises:
        ConflictError: Another process has ended it since it was opened.
    """
    if current_public_key(connection, "issuer") != issuer.signer.public_key:
        raise ConflictError(
            "CRN-L-023",
            Text(
                "The issuer's key was rotated or revoked at this moment.",
                "签发方密钥刚刚被轮换或吊销。",
            ),
            Text("Run the command again.", "请重新运行该命令。"),
        )


def _statement(row: Row[Any]) -> KeyStatement:
    """Return what the record of a row states, after checking that the row says the same."""
    if row.body is None:
        raise _not_stated(row.key_id, "no record states it", "没有记录予以登记")
    try:
        found = statement_of(stored_record(bytes(row.record_hash), bytes(row.body)))
    except (VerificationError, RecordFormatError) as error:
        raise _not_stated(row.key_id, error.message.en, error.message.zh) from error
    if (found.event, found.role, found.public_key) != (row.kind, row.role, bytes(row.public_key)):
        raise _not_stated(row.key_id, "its record says something else", "其记录的内容不同")
    return found


def _not_stated(key_id: str, en: str, zh: str) -> VerificationError:
    return VerificationError(
        "CRN-L-020",
        Text(
            f"The stored event of the key {key_id} cannot be relied on: {en.rstrip('.')}.",
            f"已存的密钥事件 {key_id} 不可信：{zh.rstrip('。')}。",
        ),
    )


@dataclass(frozen=True, slots=True)
class StatedKey:
    """One event in the life of a key, believed because the issuer stated it.

    Args:
        at: When it was staged.
        statement: What it says.
    """

    at: datetime
    statement: KeyStatement


def stated_keys(connection: Connection, role: KeyRole) -> list[StatedKey]:
    """Return the events of a role, oldest first, each by an issuer's key in force at that point.

    Raises:
        VerificationError: An event of the issuer or of the role is not what the issuer stated.
    """
    query = (
        select(KEY_EVENT, RECORD.c.body)
        .outerjoin(RECORD, RECORD.c.record_hash == KEY_EVENT.c.record_hash)
        .where(KEY_EVENT.c.role.in_({"issuer", role}))
        .order_by(KEY_EVENT.c.id)
    )
    rows = connection.execute(query).all()
    state = KeyState(_roots(connection))
    found = []
    for row in rows:
        statement = _statement(row)
        if not state.apply(row.id, statement):
            raise _not_stated(row.key_id, "the issuer did not state it", "并非由签发方登记")
        if statement.role == role:
            found.append(StatedKey(row.at, statement))
    return found


def _roots(connection: Connection) -> frozenset[bytes]:
    found = first_issuer_key(connection)
    return frozenset() if found is None else frozenset({found})


def first_issuer_key(connection: Connection) -> bytes | None:
    """Return the key that every trust of this workspace starts from, None before there is one.

    It is the first that was stated: rows that are added later cannot move it. And it has its file
    among the keys: a row that somebody put in before the first key of the workspace has none.

    Raises:
        LedgerFatalError: The workspace did not make it.
    """
    query = select(KEY_EVENT.c.public_key).where(KEY_EVENT.c.role == "issuer")
    found = connection.execute(query.order_by(KEY_EVENT.c.id).limit(1)).scalar()
    if found is None:
        return None
    folder = connection.get_execution_options()[KEYS_OPTION]
    if not key_file(folder, "issuer", bytes(found)).is_file():
        raise LedgerFatalError(
            "CRN-L-021",
            Text(
                f"The first key of the issuer, {did_of_key(bytes(found))}, has no file in "
                f"{folder}: this workspace did not make it.",
                f"签发方的首个密钥 {did_of_key(bytes(found))} 在 {folder} 中没有文件："
                "它并非由本工作区生成。",
            ),
            Text(
                "Restore the folder of keys from a backup. If it is complete, somebody wrote to "
                "the database: restore that.",
                "请从备份恢复密钥文件夹。若其完整无缺，则有人改写了数据库：请恢复数据库。",
            ),
        )
    return bytes(found)


def logged_state(connection: Connection) -> KeyState:
    """Return the keys in force at the end of the log, by its own order.

    Raises:
        LedgerFatalError: A logged key event is not one of the issuer.
        VerificationError: A logged key event is malformed.
    """
    query = (
        select(LOG_ENTRY.c.index, RECORD.c.record_hash, RECORD.c.body)
        .join(RECORD, RECORD.c.record_hash == LOG_ENTRY.c.record_hash)
        .where(RECORD.c.kind == KEY_EVENT_KIND)
        .order_by(LOG_ENTRY.c.index)
    )
    state = KeyState(_roots(connection))
    for row in connection.execute(query):
        record = stored_record(bytes(row.record_hash), bytes(row.body))
        if not state.apply(row[0], statement_of(record)):
            raise _not_stated(record.record_id, "the issuer did not state it", "并非由签发方登记")
    return state


def key_events(connection: Connection, role: KeyRole) -> list[Record]:
    """Return the records of the events of a role's keys, oldest first."""
    query = select(RECORD.c.body).join(KEY_EVENT, KEY_EVENT.c.record_hash == RECORD.c.record_hash)
    rows = connection.execute(query.where(KEY_EVENT.c.role == role).order_by(KEY_EVENT.c.id))
    return [parse_record(row.body) for row in rows]


def witness_keys(workspace: Workspace, *, is_current: bool = False) -> list[VerifierKey]:
    """Return the witnesses whose keys are in the log of this workspace.

    Args:
        workspace: The workspace.
        is_current: Leave out those whose keys were rotated or revoked.
    """
    return _verifier_keys(workspace, "witness", COSIGNATURE_V1, is_current=is_current)


def log_keys(workspace: Workspace) -> list[VerifierKey]:
    """Return the keys that the log has signed checkpoints with, the oldest first."""
    return _verifier_keys(workspace, "log", ED25519, is_current=False)


def _verifier_keys(
    workspace: Workspace, role: KeyRole, signature_type: int, *, is_current: bool
) -> list[VerifierKey]:
    with reading(workspace.engine) as connection:
        stated = [item.statement for item in stated_keys(connection, role)]
    ended = {item.previous for item in stated if item.event == ROTATE}
    ended |= {item.public_key for item in stated if item.event == REVOKE}
    return [
        VerifierKey(item.name, signature_type, item.public_key)
        for item in stated
        if item.event != REVOKE and not (is_current and item.public_key in ended)
    ]

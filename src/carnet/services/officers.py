"""Officers' signing keys: one a person, stated in the log by the issuer under the person's name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from carnet.core.clock import Clock, parse_instant
from carnet.core.errors import (
    ConflictError,
    InputError,
    LedgerFatalError,
    VerificationError,
)
from carnet.core.ids import is_fact_id
from carnet.core.text import Text
from carnet.ledger.did import key_multibase
from carnet.ledger.keys import Key, add_key, adopt_or_generate, open_key
from carnet.ledger.keystate import REVOKE
from carnet.services.keys import StatedKey, ensure_key, require_current_issuer, stated_keys
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import KEY_EVENT

ROLE: Final = "officer"


@dataclass(frozen=True, slots=True)
class HeldKey:
    """One key of an officer.

    Args:
        public_key: The key.
        since: When it was stated.
        until: When it was rotated or revoked; None while it is in use.
    """

    public_key: bytes
    since: datetime
    until: datetime | None = None


OfficerKeys = Mapping[str, Sequence[HeldKey]]
"""The keys of each officer, by name."""


def officer_key_history(connection: Connection) -> dict[str, tuple[HeldKey, ...]]:
    """Return the keys of each officer by name, oldest first; one key a name at any time.

    Nothing is taken from a row that the issuer of the workspace did not sign.

    Raises:
        LedgerFatalError: A key event is not what the issuer stated, or a key or name stands twice.
    """
    query = select(KEY_EVENT.c.key_id).where(KEY_EVENT.c.role == ROLE).limit(1)
    first = connection.execute(query).scalar()
    if first is None:
        return {}
    try:
        stated = stated_keys(connection, ROLE)
    except VerificationError as error:
        raise _forged(first, error.message.en, error.message.zh) from error
    found: dict[str, list[HeldKey]] = {}
    for item in stated:
        held = found.setdefault(item.statement.name, [])
        _take_up(held, item)
    return {name: tuple(held) for name, held in found.items()}


def _take_up(held: list[HeldKey], item: StatedKey) -> None:
    statement = item.statement
    present = held[-1] if held and held[-1].until is None else None
    ended = statement.public_key if statement.event == REVOKE else statement.previous
    if (present.public_key if present else None) != ended:
        raise _forged(statement.name, "its name or its key stands twice", "其名称或密钥重复")
    if present is not None:
        held[-1] = replace(present, until=item.at)
    if statement.event != REVOKE:
        held.append(HeldKey(statement.public_key, item.at))


def officer_keys(connection: Connection) -> dict[str, bytes]:
    """Return the public key that each officer uses now, by name.

    Raises:
        LedgerFatalError: A key event is not what the issuer stated, or a key or name stands twice.
    """
    history = officer_key_history(connection)
    return {name: held[-1].public_key for name, held in history.items() if held[-1].until is None}


def key_of_act(held: Sequence[HeldKey], document: Mapping[str, Any]) -> bytes | None:
    """Return the key of an officer under which an act is to be checked, None where there is none.

    It is the one that the act's proof names, if that was in use when the act was signed, else the
    present one.

    The time is the signer's own word: it shows an honest officer's order of events, and whoever
    holds a stolen key can state an earlier one.

    Args:
        held: The keys of the officer.
        document: The act, whose proof is not checked yet.
    """
    proof = document["proof"]
    created = parse_instant(proof["created"])
    for item in held:
        is_named = proof["verificationMethod"].endswith(f"#{key_multibase(item.public_key)}")
        if is_named and (item.until is None or created <= item.until):
            return item.public_key
    # Nothing else can have signed it: the check of the proof then says so.
    return held[-1].public_key if held and held[-1].until is None else None


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
        require_current_issuer(connection, issuer)
        history = officer_key_history(connection)
        held = history.get(name, ())
        if held and held[-1].until is None:
            return open_key(workspace.keys_path, workspace.secret, ROLE, held[-1].public_key)
        if held:
            raise _revoked(name)
        known = frozenset(item.public_key for keys in history.values() for item in keys)
        key = adopt_or_generate(workspace.keys_path, workspace.secret, ROLE, known=known)
        add_key(connection, key, name, issuer, clock)
    return key


def _revoked(name: str) -> ConflictError:
    return ConflictError(
        "CRN-L-024",
        Text(f"The key of {name} was revoked.", f"{name} 的密钥已被吊销。"),
        Text("Whoever takes over signs under another role id.", "接任者请使用另一个角色代号签名。"),
    )

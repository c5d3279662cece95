"""The signing keys of a workspace: one encrypted file each, and a logged event for each.

A key's file comes first and its event second: a crash between the two leaves a file without an
event, which the next call adopts. The event is a record that waits for the next append.

Source: docs/spec/record-and-log.md, section 2.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import Connection, insert, select

from carnet.core.clock import Clock
from carnet.core.envelope import Secret, open_file, seal_file
from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.ledger.append import stage_records
from carnet.ledger.did import (
    did_of_key,
    key_multibase,
    key_of_multibase,
    verification_method,
)
from carnet.ledger.keystate import key_event_id
from carnet.ledger.record import (
    KEY_EVENT_TYPE,
    Issuer,
    Record,
    Validity,
    new_salt,
    sign_record,
)
from carnet.ledger.signer import SEED_SIZE, Ed25519Signer, Signer, check_public_key
from carnet.store.tables import KEY_EVENT, KeyEventKind

KeyRole = Literal["issuer", "log", "officer", "witness"]
FILE_SUFFIX: Final = ".key"
_SHORT: Final = 16


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key of a workspace that is unlocked."""

    role: KeyRole
    signer: Signer

    @property
    def did(self) -> str:
        """The did:key of the key."""
        return did_of_key(self.signer.public_key)

    @property
    def key_id(self) -> str:
        """The verification method that names the key."""
        return verification_method(self.did, self.signer.public_key)

    @property
    def issuer(self) -> Issuer:
        """The issuer that signs with this key under its own identifier."""
        return Issuer(self.did, self.signer)


def _envelope_role(role: KeyRole) -> str:
    return f"ledger-{role}"


def key_file(folder: Path, role: KeyRole, public_key: bytes) -> Path:
    """Return where the envelope of a key lies."""
    return folder / f"{role}-{public_key.hex()[:_SHORT]}{FILE_SUFFIX}"


def _unlock(path: Path, secret: Secret, role: KeyRole) -> Key:
    seed = open_file(path, secret, role=_envelope_role(role))
    if len(seed) != SEED_SIZE:
        raise InputError(
            "CRN-L-009",
            Text(f"{path} does not hold a signing key.", f"{path} 中没有签名密钥。"),
            Text("Restore the file from a backup.", "请从备份恢复该文件。"),
        )
    return Key(role, Ed25519Signer(seed))


def _generate(folder: Path, secret: Secret, role: KeyRole) -> Key:
    seed = os.urandom(SEED_SIZE)
    key = Key(role, Ed25519Signer(seed))
    check_public_key(key.signer.public_key)
    path = key_file(folder, role, key.signer.public_key)
    seal_file(path, secret, seed, role=_envelope_role(role))
    return key


def public_keys(connection: Connection, role: KeyRole) -> list[bytes]:
    """Return every public key that a role has had, oldest first."""
    query = select(KEY_EVENT.c.public_key).where(
        KEY_EVENT.c.role == role, KEY_EVENT.c.kind != KeyEventKind.REVOKE.value
    )
    return [bytes(row[0]) for row in connection.execute(query.order_by(KEY_EVENT.c.id))]


def current_public_key(connection: Connection, role: KeyRole) -> bytes | None:
    """Return the public key that a role uses now, None before its first and after its last."""
    keys = public_keys(connection, role)
    if not keys:
        return None
    query = select(KEY_EVENT.c.id).where(
        KEY_EVENT.c.role == role,
        KEY_EVENT.c.kind == KeyEventKind.REVOKE.value,
        KEY_EVENT.c.public_key == keys[-1],
    )
    is_revoked = connection.execute(query.limit(1)).scalar() is not None
    return None if is_revoked else keys[-1]


def open_key(folder: Path, secret: Secret, role: KeyRole, public_key: bytes) -> Key:
    """Return a key of a workspace, unlocked.

    Raises:
        InputError: Its file is missing or cannot be opened, or holds another key.
    """
    path = key_file(folder, role, public_key)
    key = _unlock(path, secret, role)
    if key.signer.public_key != public_key:
        raise InputError(
            "CRN-L-009",
            Text(f"{path} holds another key than its name says.", f"{path} 中的密钥与文件名不符。"),
            Text("Restore the file from a backup.", "请从备份恢复该文件。"),
        )
    return key


def adopt_or_generate(
    folder: Path, secret: Secret, role: KeyRole, *, known: Collection[bytes] = ()
) -> Key:
    """Return the key of a file that a crash left without an event, else a new one.

    Args:
        folder: Where the keys are.
        secret: What opens them.
        role: The role of the key.
        known: The public keys of this role that have an event.
    """
    taken = {key_file(folder, role, public_key) for public_key in known}
    left = sorted(set(folder.glob(f"{role}-*{FILE_SUFFIX}")) - taken)
    return _unlock(left[0], secret, role) if left else _generate(folder, secret, role)


def _subject(event: str, role: KeyRole, name: str, public_key: bytes) -> dict[str, Any]:
    return {
        "id": did_of_key(public_key),
        "event": event,
        "role": role,
        "name": name,
        "publicKeyMultibase": key_multibase(public_key),
        "salt": new_salt(),
    }


def _sign_event(subject: Mapping[str, Any], public_key: bytes, issuer: Issuer, at: Clock) -> Record:
    now = at.now()
    return sign_record(
        KEY_EVENT_TYPE,
        subject,
        record_id=key_event_id(subject["event"], public_key, subject["role"]),
        issuer=issuer,
        validity=Validity(now),
        created=now,
    )


def key_event_record(key: Key, name: str, issuer: Issuer, clock: Clock) -> Record:
    """Return the signed record of a new key.

    Args:
        key: The new key.
        name: The name it signs notes with, or its holder's.
        issuer: Who states it; the issuer's first key states itself.
        clock: Gives the time of signing.
    """
    public_key = key.signer.public_key
    subject = _subject(KeyEventKind.ADD.value, key.role, name, public_key)
    return _sign_event(subject, public_key, issuer, clock)


def rotation_record(key: Key, name: str, previous: bytes, issuer: Issuer, clock: Clock) -> Record:
    """Return the signed record of a key that takes the place of another.

    Args:
        key: The new key.
        name: The name it signs notes with, or its holder's.
        previous: The public key that ends.
        issuer: Who states it; an issuer's old key states the new one.
        clock: Gives the time of signing.
    """
    public_key = key.signer.public_key
    subject = _subject(KeyEventKind.ROTATE.value, key.role, name, public_key)
    subject["previousMultibase"] = key_multibase(previous)
    return _sign_event(subject, public_key, issuer, clock)


def revocation_record(
    role: KeyRole, name: str, public_key: bytes, reason: str, issuer: Issuer, clock: Clock
) -> Record:
    """Return the signed record that a key is not used any more.

    Args:
        role: Of the key.
        name: The name it signed notes with, or its holder's.
        public_key: The key that ends.
        reason: One of `REVOCATION_REASONS`.
        issuer: Who states it.
        clock: Gives the time of signing.
    """
    subject = _subject(KeyEventKind.REVOKE.value, role, name, public_key)
    return _sign_event({**subject, "reason": reason}, public_key, issuer, clock)


def stage_key_event(connection: Connection, record: Record, clock: Clock) -> None:
    """Stage the record of a key event and note the event beside it.

    Args:
        connection: Of a transaction that holds `Lock.LOG_HEAD`.
        record: From one of the functions above.
        clock: Gives the time.
    """
    stage_records(connection, [record], clock)
    subject = record.subject
    public_key = key_of_multibase(str(subject["publicKeyMultibase"]))
    connection.execute(
        insert(KEY_EVENT),
        {
            "kind": subject["event"],
            "role": subject["role"],
            "key_id": verification_method(did_of_key(public_key), public_key),
            "public_key": public_key,
            "reason": subject.get("reason"),
            "record_hash": record.digest,
            "at": clock.now(),
        },
    )


def add_key(connection: Connection, key: Key, name: str, issuer: Issuer, clock: Clock) -> None:
    """Stage the record of a new key and note the event beside it.

    Args:
        connection: Of a transaction that holds `Lock.LOG_HEAD`.
        key: The key.
        name: The name it signs notes with, or its holder's.
        issuer: Who states it.
        clock: Gives the time.
    """
    stage_key_event(connection, key_event_record(key, name, issuer, clock), clock)

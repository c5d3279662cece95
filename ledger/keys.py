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
from carnet.core.digests import sha256
from carnet.core.envelope import Secret, open_file, seal_file
from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.ledger.append import stage_records
from carnet.ledger.did import did_of_key, key_multibase, verification_method
from carnet.ledger.record import (
    KEY_EVENT_TYPE,
    Issuer,
    Record,
    Validity,
    new_salt,
    sign_record,
    urn_of_digest,
)
from carnet.ledger.signer import SEED_SIZE, Ed25519Signer, check_public_key
from carnet.store.tables import KEY_EVENT, KeyEventKind

KeyRole = Literal["issuer", "log", "officer", "witness"]
FILE_SUFFIX: Final = ".key"
_SHORT: Final = 16


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key of a workspace that is unlocked."""

    role: KeyRole
    signer: Ed25519Signer

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


def _file(folder: Path, role: KeyRole, public_key: bytes) -> Path:
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
    path = _file(folder, role, key.signer.public_key)
    seal_file(path, secret, seed, role=_envelope_role(role))
    return key


def current_public_key(connection: Connection, role: KeyRole) -> bytes | None:
    """Return the public key that a role uses now, None before its first."""
    query = select(KEY_EVENT.c.public_key).where(
        KEY_EVENT.c.role == role, KEY_EVENT.c.kind == KeyEventKind.ADD.value
    )
    found = connection.execute(query.order_by(KEY_EVENT.c.id.desc()).limit(1)).scalar()
    return None if found is None else bytes(found)


def open_key(folder: Path, secret: Secret, role: KeyRole, public_key: bytes) -> Key:
    """Return a key of a workspace, unlocked.

    Raises:
        InputError: Its file is missing or cannot be opened, or holds another key.
    """
    path = _file(folder, role, public_key)
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
    taken = {_file(folder, role, public_key) for public_key in known}
    left = sorted(set(folder.glob(f"{role}-*{FILE_SUFFIX}")) - taken)
    return _unlock(left[0], secret, role) if left else _generate(folder, secret, role)


def key_event_id(public_key: bytes, role: KeyRole) -> str:
    """Return the identifier of the record that adds a key: the same for the same key and role."""
    return urn_of_digest(sha256(f"key-event/add/{role}/{public_key.hex()}".encode()))


def key_event_subject(key: Key, name: str) -> Mapping[str, Any]:
    """Return what the record of a new key states."""
    return {
        "id": key.did,
        "event": KeyEventKind.ADD.value,
        "role": key.role,
        "name": name,
        "publicKeyMultibase": key_multibase(key.signer.public_key),
        "salt": new_salt(),
    }


def key_event_record(key: Key, name: str, issuer: Issuer, clock: Clock) -> Record:
    """Return the signed record of a new key.

    Args:
        key: The new key.
        name: The name it signs notes with, or its holder's.
        issuer: Who states it; the issuer's first key states itself.
        clock: Gives the time of signing.
    """
    now = clock.now()
    return sign_record(
        KEY_EVENT_TYPE,
        key_event_subject(key, name),
        record_id=key_event_id(key.signer.public_key, key.role),
        issuer=issuer,
        validity=Validity(now),
        created=now,
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
    record = key_event_record(key, name, issuer, clock)
    stage_records(connection, [record], clock)
    connection.execute(
        insert(KEY_EVENT),
        {
            "kind": KeyEventKind.ADD.value,
            "role": key.role,
            "key_id": key.key_id,
            "public_key": key.signer.public_key,
            "record_hash": record.digest,
            "at": clock.now(),
        },
    )

"""The vault: what records withhold about a subject, encrypted under a key of that subject alone.

Each subject has a random key; its salts and values are sealed under it with AES-256-GCM. The keys
themselves are wrapped under one key of the workspace, an envelope among its other keys. Who erases
a subject deletes its key and what is sealed under it: no record then tells more than its digests.

Nonces are random, 96 bits. A subject's key seals one message for each record about it, and the
workspace's one for each subject: both stay far below the 2^32 messages that random nonces allow.

Source: docs/spec/record-and-log.md, section 9; NIST SP 800-38D, section 8.3.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, insert, select

from carnet.core.canonical import canonical, parse_canonical
from carnet.core.clock import Clock, format_instant
from carnet.core.crash import crash_point
from carnet.core.envelope import KEY_SIZE, open_file, seal_file
from carnet.core.errors import (
    ConflictError,
    InputError,
    LedgerFatalError,
    NotFoundError,
    RecordFormatError,
    VerificationError,
)
from carnet.core.text import Text
from carnet.ledger.disclosure import Disclosure, parse_disclosure
from carnet.services.workspace import Workspace
from carnet.store.tables import (
    ERASED_DISCLOSURE,
    ERASURE,
    RECORD,
    SEALED,
    SUBJECT,
    SUBJECT_KEY,
)

VAULT_FILE: Final = "vault.json"
ENVELOPE_ROLE: Final = "vault"
PSEUDONYM_SIZE: Final = 32
PSEUDONYM_URN: Final = "urn:carnet:subject:"
NONCE_SIZE: Final = 12


class Subject(NamedTuple):
    """Whom or what data is about: the type and the id of the fact that names it."""

    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


def pseudonym_of(connection: Connection, subject: Subject, clock: Clock) -> bytes:
    """Return the pseudonym of a subject, 32 random bytes that are drawn when first asked for.

    Args:
        connection: Of a transaction that holds `Lock.LOG_HEAD`.
        subject: The subject.
        clock: Gives the time.
    """
    found = find_pseudonym(connection, subject)
    if found is not None:
        return found
    drawn = os.urandom(PSEUDONYM_SIZE)
    connection.execute(
        insert(SUBJECT),
        {
            "pseudonym": drawn,
            "type": subject.type,
            "fact_id": subject.id,
            "created_at": clock.now(),
        },
    )
    return drawn


def find_pseudonym(connection: Connection, subject: Subject) -> bytes | None:
    """Return the pseudonym of a subject, None where it has none yet."""
    query = select(SUBJECT.c.pseudonym).where(
        SUBJECT.c.type == subject.type, SUBJECT.c.fact_id == subject.id
    )
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else bytes(found)


def _wrap_context(pseudonym: bytes) -> bytes:
    return canonical({"subject": pseudonym.hex(), "use": "subject-key", "v": 1})


def _seal_context(pseudonym: bytes, record_hash: bytes) -> bytes:
    return canonical(
        {"record": record_hash.hex(), "subject": pseudonym.hex(), "use": "disclosures", "v": 1}
    )


@dataclass(frozen=True, slots=True)
class Vault:
    """The open vault of a workspace."""

    _key: bytes = field(repr=False)

    def seal(
        self,
        connection: Connection,
        subject: Subject,
        record_hash: bytes,
        disclosures: Sequence[Disclosure],
        clock: Clock,
    ) -> None:
        """Keep the disclosures of a record about a subject.

        Args:
            connection: Of a transaction that holds `Lock.LOG_HEAD`.
            subject: Whom or what they are about.
            record_hash: Of the record, which is staged already.
            disclosures: What the record withholds of the subject.
            clock: Gives the time.

        Raises:
            ConflictError: The subject was erased.
        """
        if not disclosures:
            return
        pseudonym = pseudonym_of(connection, subject, clock)
        require_not_erased(connection, subject)
        key = self._subject_key(connection, pseudonym) or self._new_key(
            connection, pseudonym, clock
        )
        nonce = os.urandom(NONCE_SIZE)
        text = canonical([item.text for item in disclosures])
        connection.execute(
            insert(SEALED),
            {
                "record_hash": record_hash,
                "pseudonym": pseudonym,
                "nonce": nonce,
                "ciphertext": AESGCM(key).encrypt(
                    nonce, text, _seal_context(pseudonym, record_hash)
                ),
            },
        )

    def disclosures(self, connection: Connection, record_hash: bytes) -> tuple[Disclosure, ...]:
        """Return all that a record withholds; nothing where it withholds nothing.

        Raises:
            NotFoundError: Something of it was erased, or is not kept here.
            LedgerFatalError: What is kept cannot be opened.
        """
        found = self.kept(connection, record_hash)
        withheld = withheld_digests(connection, record_hash)
        if withheld - {item.digest for item in found}:
            raise not_kept(connection, record_hash)
        return found

    def kept(self, connection: Connection, record_hash: bytes) -> tuple[Disclosure, ...]:
        """Return what is kept of the members that a record withholds, be it all or not.

        Raises:
            LedgerFatalError: What is kept cannot be opened.
        """
        query = select(SEALED).where(SEALED.c.record_hash == record_hash)
        found: list[Disclosure] = []
        for row in connection.execute(query.order_by(SEALED.c.pseudonym)).all():
            pseudonym = bytes(row.pseudonym)
            key = self._subject_key(connection, pseudonym)
            if key is None:
                raise _damaged("its key is missing", "其密钥缺失")
            context = _seal_context(pseudonym, record_hash)
            found += _parse(_decrypt(key, bytes(row.nonce), bytes(row.ciphertext), context))
        return tuple(found)

    def _subject_key(self, connection: Connection, pseudonym: bytes) -> bytes | None:
        query = select(SUBJECT_KEY.c.nonce, SUBJECT_KEY.c.wrapped)
        row = connection.execute(query.where(SUBJECT_KEY.c.pseudonym == pseudonym)).one_or_none()
        if row is None:
            return None
        context = _wrap_context(pseudonym)
        return _decrypt(self._key, bytes(row.nonce), bytes(row.wrapped), context)

    def _new_key(self, connection: Connection, pseudonym: bytes, clock: Clock) -> bytes:
        key, nonce = os.urandom(KEY_SIZE), os.urandom(NONCE_SIZE)
        row = {
            "pseudonym": pseudonym,
            "nonce": nonce,
            "wrapped": AESGCM(self._key).encrypt(nonce, key, _wrap_context(pseudonym)),
            "created_at": clock.now(),
        }
        connection.execute(insert(SUBJECT_KEY), row)
        return key


def open_vault(workspace: Workspace) -> Vault:
    """Return the vault of a workspace, whose key is made if there is none.

    Raises:
        InputError: The secret of the workspace is wrong, or the file of the key cannot be used.
    """
    path = workspace.keys_path / VAULT_FILE
    if not path.exists():
        try:
            seal_file(path, workspace.secret, os.urandom(KEY_SIZE), role=ENVELOPE_ROLE)
        except InputError:
            # Another process made it at this moment.
            if not path.exists():
                raise
        crash_point("vault.after-file")
    key = open_file(path, workspace.secret, role=ENVELOPE_ROLE)
    if len(key) != KEY_SIZE:
        raise _damaged("the file of its key holds something else", "其密钥文件的内容不符")
    return Vault(key)


def withheld_digests(connection: Connection, record_hash: bytes) -> frozenset[str]:
    """Return the digests that stand in a stored record in place of its withheld members."""
    body = connection.execute(
        select(RECORD.c.body).where(RECORD.c.record_hash == record_hash)
    ).scalar_one_or_none()
    if body is None:
        return frozenset()
    return frozenset(parse_canonical(bytes(body))["credentialSubject"].get("_sd", ()))


def subject_erased_at(connection: Connection, subject: Subject) -> datetime | None:
    """Return when a subject was erased, None where it was not."""
    query = (
        select(ERASURE.c.at)
        .join(SUBJECT, SUBJECT.c.pseudonym == ERASURE.c.pseudonym)
        .where(SUBJECT.c.type == subject.type, SUBJECT.c.fact_id == subject.id)
    )
    found: datetime | None = connection.execute(query).scalar_one_or_none()
    return found


def require_not_erased(connection: Connection, subject: Subject) -> None:
    """Check that a subject may be recorded.

    Raises:
        ConflictError: It was erased.
    """
    at = subject_erased_at(connection, subject)
    if at is not None:
        raise ConflictError(
            "CRN-L-090",
            Text(
                f"The data of {subject} was erased at {format_instant(at)}: nothing more is "
                "recorded under this name.",
                f"{subject} 的数据已于 {format_instant(at)} 删除：不再以此标识记录任何内容。",
            ),
            Text(
                "If they come back as a customer, import them under a new id.",
                "若其再次成为客户，请以新的标识导入。",
            ),
        )


def tell_erased(connection: Connection, subject: Subject) -> None:
    """Say of a subject that is not found that it was erased, if so.

    Raises:
        NotFoundError: It was erased.
    """
    at = subject_erased_at(connection, subject)
    if at is not None:
        raise NotFoundError(
            "CRN-L-106",
            Text(
                f"The data of {subject} was erased at {format_instant(at)}. Its records still "
                "verify; what they withhold cannot be shown any more.",
                f"{subject} 的数据已于 {format_instant(at)} 删除。"
                "其记录仍可核验；隐藏的内容已无法再出示。",
            ),
            Text(
                f"`carnet erase {subject.id}` tells what went; `carnet record revoke` revokes a "
                "record.",
                f"`carnet erase {subject.id}` 列出已删除的内容；`carnet record revoke` 撤销记录。",
            ),
        )


def erased_at(connection: Connection, record_hash: bytes) -> datetime | None:
    """Return when members that a record withholds were erased, None where none were."""
    query = (
        select(ERASURE.c.at)
        .join(ERASED_DISCLOSURE, ERASED_DISCLOSURE.c.pseudonym == ERASURE.c.pseudonym)
        .where(ERASED_DISCLOSURE.c.record_hash == record_hash)
        .order_by(ERASURE.c.at.desc())
        .limit(1)
    )
    found: datetime | None = connection.execute(query).scalar_one_or_none()
    return found


def not_kept(connection: Connection, record_hash: bytes) -> NotFoundError:
    """Return the error of a record whose withheld members cannot be revealed from here."""
    at = erased_at(connection, record_hash)
    if at is None:
        return NotFoundError(
            "CRN-L-093",
            Text(
                f"Members that the record {record_hash.hex()} withholds are not kept in this "
                "workspace.",
                f"记录 {record_hash.hex()} 隐藏的成员未保存在本工作区。",
            ),
            Text("Ask whoever was given the disclosures.", "请向持有披露项的一方索取。"),
        )
    shown = format_instant(at)
    return NotFoundError(
        "CRN-L-091",
        Text(
            f"Members that the record {record_hash.hex()} withholds cannot be revealed any more: "
            f"they were erased at {shown}.",
            f"记录 {record_hash.hex()} 隐藏的成员已于 {shown} 删除，无法再披露。",
        ),
        Text(
            "The record itself still verifies. Show it without these members.",
            "记录本身仍可核验。请在不披露这些成员的情况下出示。",
        ),
    )


def _decrypt(key: bytes, nonce: bytes, ciphertext: bytes, context: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, context)
    except InvalidTag as error:
        raise _damaged(
            "it was changed, or sealed with another key", "内容被改动，或以其他密钥加密"
        ) from error


def _parse(data: bytes) -> list[Disclosure]:
    try:
        return [parse_disclosure(text) for text in parse_canonical(data)]
    except (RecordFormatError, VerificationError, TypeError) as error:
        raise _damaged("it does not hold disclosures", "内容不是披露项") from error


def _damaged(en: str, zh: str) -> LedgerFatalError:
    return LedgerFatalError(
        "CRN-L-092",
        Text(f"The vault cannot be opened: {en}.", f"无法打开保管库：{zh}。"),
        Text(
            "Restore the database and the folder of keys from one backup.",
            "请从同一份备份恢复数据库和密钥文件夹。",
        ),
    )

"""What officers did and signed: one chain of acts in the workspace, checked whole on every read.

Each act is a document that its officer signs: its kind, what it is about, its content, its number
and the hash of the act before it. No act can be changed, put in, moved or taken out without
breaking the chain behind it. Taking the newest acts off the end leaves a whole chain: what refuses
that is the database, whose triggers let no row be deleted, and what shows it is a backup.

Source: docs/spec/officer-acts.md, OA-1 to OA-6.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from carnet.core.canonical import canonical, parse_canonical
from carnet.core.clock import Clock, format_instant
from carnet.core.crash import crash_point
from carnet.core.digests import sha256
from carnet.core.errors import LedgerFatalError, RecordFormatError, VerificationError
from carnet.core.text import Text
from carnet.ledger.keys import Key
from carnet.ledger.proof import add_proof, verify_proof
from carnet.services.officers import OfficerKeys, key_of_act, officer_key_history
from carnet.store.tables import OFFICER_EVENT


@dataclass(frozen=True, slots=True)
class OfficerEvent:
    """One act of an officer.

    Args:
        seq: Its number in the workspace, counted from 1.
        digest: SHA-256 of the signed document.
        kind: What was done, such as ``finding-waiver``.
        subject: What it was done to.
        officer: Who signed.
        at: When it was signed.
        content: What else the officer signed, as the kind says.
    """

    seq: int
    digest: bytes
    kind: str
    subject: str
    officer: str
    at: datetime
    content: Mapping[str, Any]


def append_event(
    connection: Connection,
    kind: str,
    subject: str,
    content: Mapping[str, Any],
    *,
    officer: str,
    key: Key,
    clock: Clock,
) -> OfficerEvent:
    """Sign an act, put it at the end of the chain, and return it.

    Args:
        connection: Of a transaction that holds `Lock.OFFICER_EVENT`.
        kind: What is done.
        subject: What it is done to.
        content: JSON inside the canonical profile.
        officer: Who signs.
        key: The officer's key, from `carnet.services.officers.officer_key`.
        clock: Gives the time.
    """
    head = connection.execute(
        select(OFFICER_EVENT.c.seq, OFFICER_EVENT.c.digest)
        .order_by(OFFICER_EVENT.c.seq.desc())
        .limit(1)
    ).one_or_none()
    seq, at = (head.seq if head else 0) + 1, clock.now()
    document = {
        "v": 1,
        "kind": kind,
        "subject": subject,
        "seq": seq,
        "previous": bytes(head.digest).hex() if head else None,
        "officer": officer,
        "at": format_instant(at),
        "content": dict(content),
    }
    body = canonical(add_proof(document, key.key_id, key.signer, at))
    row = {"seq": seq, "digest": sha256(body), "kind": kind, "subject": subject}
    crash_point("act.before-insert")
    connection.execute(insert(OFFICER_EVENT), row | {"officer": officer, "at": at, "body": body})
    crash_point("act.before-commit")
    return OfficerEvent(seq, sha256(body), kind, subject, officer, at, dict(content))


def _damaged(seq: int, en: str, zh: str) -> LedgerFatalError:
    return LedgerFatalError(
        "CRN-R-110",
        Text(
            f"The stored act {seq} of an officer cannot be relied on: {en}.",
            f"已存的第 {seq} 项合规专员操作不可信：{zh}。",
        ),
        Text("Restore the workspace from a backup.", "请从备份恢复工作区。"),
    )


def _document(row: Row[Any]) -> dict[str, Any]:
    body = bytes(row.body)
    if sha256(body) != bytes(row.digest):
        raise _damaged(row.seq, "it does not have that hash", "内容与该哈希不符")
    try:
        document: dict[str, Any] = parse_canonical(body)
        stated = tuple(document[name] for name in ("seq", "kind", "subject", "officer", "at"))
    except (RecordFormatError, KeyError, TypeError) as error:
        raise _damaged(row.seq, "it is not such a document", "内容不是此类文档") from error
    if stated != (row.seq, row.kind, row.subject, row.officer, format_instant(row.at)):
        raise _damaged(row.seq, "its row says something else", "所在行的内容与其不一致")
    return document


def _check_signature(seq: int, document: Mapping[str, Any], keys: OfficerKeys) -> None:
    key = key_of_act(keys.get(document["officer"], ()), document)
    if key is None:
        raise _damaged(seq, "its officer has no key in the log", "该合规专员在日志中没有密钥")
    try:
        verify_proof(document, key)
    except VerificationError as error:
        raise _damaged(seq, "its officer did not sign it", "并非该合规专员所签") from error


def _event(row: Row[Any], document: Mapping[str, Any]) -> OfficerEvent:
    return OfficerEvent(
        row.seq,
        bytes(row.digest),
        row.kind,
        row.subject,
        row.officer,
        row.at,
        document["content"],
    )


def read_events(
    connection: Connection, kinds: Collection[str] | None = None, subject: str | None = None
) -> list[OfficerEvent]:
    """Return the acts of some kinds on a subject, oldest first; all of them unless they are named.

    The whole chain is checked, whatever is asked for.

    Raises:
        LedgerFatalError: An act is missing, moved, changed, or not signed by its officer.
    """
    found, previous = [], None
    keys: OfficerKeys | None = None
    rows = connection.execute(select(OFFICER_EVENT).order_by(OFFICER_EVENT.c.seq))
    for number, row in enumerate(rows, start=1):
        keys = officer_key_history(connection) if keys is None else keys
        document = _document(row)
        if row.seq != number or document.get("previous") != previous:
            raise _damaged(row.seq, "the chain is broken before it", "其之前的操作链已断裂")
        _check_signature(row.seq, document, keys)
        previous = bytes(row.digest).hex()
        if (kinds is None or row.kind in kinds) and subject in {None, row.subject}:
            found.append(_event(row, document))
    return found

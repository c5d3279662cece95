"""Appending to the log: one writer, and after a crash at any point the same call finishes the work.

The order is fixed: records are staged; the new tree is computed and its checkpoint signed; entries,
nodes and checkpoint are committed together if the head is still the one that was read; then the
checkpoint is published to a file. What a crash leaves behind:

* before the stage: nothing;
* after it: records without an entry, which the next append takes up;
* before the commit: a signed checkpoint that nobody saw, forgotten with the process;
* after it: an older published file, which opening the log replaces.

The published file lies outside the database. A database restored from a backup is behind it, and is
refused: signing again would show two histories under one key.

Source: docs/spec/record-and-log.md, section 5.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select

from carnet.core.clock import Clock, format_instant
from carnet.core.crash import crash_point
from carnet.core.errors import LedgerError, LedgerFatalError, VerificationError
from carnet.core.files import write_atomic
from carnet.core.text import Text
from carnet.ledger.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    is_origin,
    parse_checkpoint,
    sign_checkpoint,
    verify_checkpoint,
    with_signatures,
)
from carnet.ledger.merkle import (
    NodeId,
    append_leaves,
    root_hash,
    root_nodes,
)
from carnet.ledger.note import ED25519, NoteSignature, VerifierKey
from carnet.ledger.reader import (
    Head,
    LogReader,
    batches,
    check_log,
    indexes_of,
    read_head,
    read_nodes,
    state_unknown,
    stored_record,
)
from carnet.ledger.record import Record
from carnet.ledger.signer import Signer
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import CHECKPOINT, LOG_ENTRY, LOG_NODE, RECORD

PUBLISHED_SIZE_MAX = 64 * 1024

Cosigner = Callable[[Checkpoint], NoteSignature]
"""A witness: returns its cosignature, or raises to keep the checkpoint from being published."""


def record_row(
    record: Record, created_at: object, decision_digest: bytes | None = None
) -> dict[str, Any]:
    """Return the row of a record."""
    entry = record.entry
    return {
        "record_hash": record.digest,
        "kind": record.kind,
        "record_id": record.record_id,
        "issuer": record.issuer,
        "subject": entry.subject,
        "supersedes": entry.supersedes,
        "decision_digest": decision_digest,
        "created_at": created_at,
        "body": record.body,
    }


def stage_records(
    connection: Connection,
    records: Sequence[Record],
    clock: Clock,
    decisions: Mapping[str, bytes] | None = None,
) -> None:
    """Store the records that are not stored yet, to wait for the next append.

    Args:
        connection: Of a transaction that holds `Lock.LOG_HEAD`.
        records: Signed records.
        clock: Gives the time of staging.
        decisions: The digest of the stored decision that a record id attests.

    Raises:
        LedgerError: Another record has the same identifier.
    """
    known: dict[str, bytes] = {}
    for group in batches([item.record_id for item in records]):
        query = select(RECORD.c.record_id, RECORD.c.record_hash)
        found = connection.execute(query.where(RECORD.c.record_id.in_(group)))
        known |= {row[0]: row[1] for row in found}
    fresh: dict[str, dict[str, Any]] = {}
    now = clock.now()
    for record in records:
        name = record.record_id
        row = record_row(record, now, (decisions or {}).get(name))
        stored = known.get(name) or (fresh[name]["record_hash"] if name in fresh else None)
        if stored is None:
            fresh[name] = row
        elif stored != record.digest:
            raise LedgerError(
                "CRN-L-008",
                Text(f"Another record has the id {name}.", f"已有其他记录使用标识 {name}。"),
                Text("A record is never changed: issue a new one.", "记录不可修改：请另行签发。"),
            )
    if fresh:
        connection.execute(insert(RECORD), list(fresh.values()))


class Log(LogReader):
    """The log as its one writer holds it. Opening it checks it and finishes what a crash left.

    Args:
        engine: Of the workspace's database.
        signer: The log's key.
        origin: The log's name, also the name of its key.
        clock: Gives the time of each checkpoint.
        published: The file that the newest checkpoint is published to.
        cosigners: Witnesses; each must sign before a checkpoint is published.
        former: Keys that the log signed with before; what they signed stands.

    Raises:
        LedgerFatalError: The log contradicts itself or its published checkpoint.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        signer: Signer,
        origin: str,
        clock: Clock,
        published: Path,
        cosigners: Sequence[Cosigner] = (),
        former: Sequence[VerifierKey] = (),
    ) -> None:
        assert is_origin(origin), "an origin is printable ASCII without space and plus"
        super().__init__(engine)
        self._signer = signer
        self._clock = clock
        self._published = published
        self._cosigners = tuple(cosigners)
        self._former = tuple(key for key in former if key.name == origin)
        self.origin = origin
        # The file first: another process may commit and publish between two readings, and what it
        # published would be missing from an older snapshot of the database.
        seen = self._read_published()
        with reading(engine) as connection:
            self._check_head(connection, check_log(connection), seen)
        self._publish()

    @property
    def verifier_key(self) -> VerifierKey:
        """The key that checkpoints of this log verify under."""
        return VerifierKey(self.origin, ED25519, self._signer.public_key)

    def append(self, records: Sequence[Record]) -> list[int]:
        """Return the places of records in the log, appending those that have none.

        Raises:
            LedgerError: A record cannot be staged.
            LedgerFatalError: Time or size would go back, or the stored log is damaged.
        """
        crash_point("append.before-stage")
        if self._unstaged(records):
            with writing(self._engine, Lock.LOG_HEAD) as connection:
                stage_records(connection, records, self._clock)
        return self._sequence([record.digest for record in records])

    def append_pending(self) -> list[int]:
        """Append every staged record and return their places."""
        crash_point("append.before-stage")
        return self._sequence(self.pending())

    def _unstaged(self, records: Sequence[Record]) -> bool:
        hashes = [record.digest for record in records]
        count = 0
        with reading(self._engine) as connection:
            for group in batches(sorted(set(hashes))):
                query = select(RECORD.c.record_hash).where(RECORD.c.record_hash.in_(group))
                count += len(connection.execute(query).all())
        return count < len(set(hashes))

    def _sequence(self, hashes: Sequence[bytes]) -> list[int]:
        with reading(self._engine) as connection:
            places = indexes_of(connection, hashes)
        if len(places) == len(set(hashes)):
            return [places[item] for item in hashes]
        with writing(self._engine, Lock.LOG_HEAD) as connection:
            # Read again under the lock: another process may have appended some of them meanwhile.
            places = indexes_of(connection, hashes)
            fresh = list(dict.fromkeys(item for item in hashes if item not in places))
            head = check_log(connection)
            published = self._read_published()
            self._check_head(connection, head, published)
            if fresh:
                if head is not None and published is None:
                    # The second checkpoint is never committed before the first is published.
                    self._write_published(head)
                self._extend(connection, head, fresh)
            places |= indexes_of(connection, fresh)
            crash_point("append.before-commit")
        crash_point("append.after-commit")
        self._publish()
        return [places[item] for item in hashes]

    def _extend(self, connection: Connection, head: Head | None, hashes: Sequence[bytes]) -> None:
        now = self._clock.now()
        if head is not None and now < head.at:
            raise LedgerFatalError(
                "CRN-L-001",
                Text(
                    f"The clock says {format_instant(now)}, the newest checkpoint is of "
                    f"{format_instant(head.at)}: time went back.",
                    f"时钟为 {format_instant(now)}，而最新检查点的时间为 "
                    f"{format_instant(head.at)}：时间倒退。",
                ),
                Text(
                    "Set the clock of this machine right. If it is right, the log was written by "
                    "a machine whose clock was ahead: append when that time has passed.",
                    "请校正本机时钟。若时钟无误，则日志曾由时钟偏快的机器写入：请待该时间过后再追加。",
                ),
            )
        size = head.size if head else 0
        entries = [record.entry for record in _read_records(connection, hashes)]
        old = read_nodes(connection, root_nodes(size))
        leaves = [entry.leaf_hash for entry in entries]
        new = dict(append_leaves(size, leaves, old.__getitem__))
        root = root_hash(size + len(entries), {**old, **new}.__getitem__)
        crash_point("append.before-checkpoint")
        signed = self._sign(Checkpoint(self.origin, size + len(entries), root))
        rows = [
            {
                "index": size + offset,
                "record_hash": entry.record_hash,
                "leaf_hash": entry.leaf_hash,
                "entry": entry.to_bytes(),
            }
            for offset, entry in enumerate(entries)
        ]
        connection.execute(insert(LOG_ENTRY), rows)
        _insert_nodes(connection, new)
        _insert_checkpoint(connection, signed, now)

    def _sign(self, checkpoint: Checkpoint) -> SignedCheckpoint:
        signed = sign_checkpoint(checkpoint, self._signer)
        return with_signatures(signed, tuple(cosign(checkpoint) for cosign in self._cosigners))

    def _verify(self, signed: SignedCheckpoint) -> None:
        keys = [self.verifier_key, *self._former]
        for key in [key for key in keys if signed.note.signatures_of(key)] or keys[:1]:
            verify_checkpoint(signed, key)

    def _check_head(
        self, connection: Connection, head: Head | None, published: SignedCheckpoint | None
    ) -> None:
        if head is not None:
            try:
                self._verify(head.signed)
            except VerificationError as error:
                raise state_unknown(
                    "CRN-L-004",
                    f"The newest checkpoint is not by the log's key: {error.message.en}",
                    f"最新检查点不是由日志密钥签名：{error.message.zh}",
                ) from error
        if published is None:
            published = self._first_published(connection)
        if published is None:
            return
        size, root = published.checkpoint.size, published.checkpoint.root
        query = select(CHECKPOINT.c.root).where(CHECKPOINT.c.size == size)
        if connection.execute(query).scalar_one_or_none() != root:
            raise _rolled_back(size, head.size if head else 0)

    def _first_published(self, connection: Connection) -> SignedCheckpoint | None:
        """Return what was published since; nothing was only before the first file is written.

        The second checkpoint is committed after the first was published. Without the file nothing
        shows that the database is not an old copy, on which a second history would be signed.
        """
        query = select(func.count()).select_from(CHECKPOINT)
        if connection.execute(query).scalar_one() <= 1:
            return None
        published = self._read_published()
        if published is None:
            raise _unpublished(self._published)
        return published

    def _read_published(self) -> SignedCheckpoint | None:
        try:
            text = self._published.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            published = parse_checkpoint(text)
            self._verify(published)
        except (VerificationError, UnicodeError) as error:
            raise state_unknown(
                "CRN-L-004",
                f"The published checkpoint {self._published} is not one of this log.",
                f"已发布的检查点 {self._published} 不属于本日志。",
            ) from error
        return published

    def _publish(self) -> None:
        # Under the lock, so that of two processes the one with the older head never writes last.
        with writing(self._engine, Lock.LOG_HEAD) as connection:
            head = read_head(connection)
            published = self._read_published()
            if head is None or (published and published.checkpoint.size >= head.size):
                return
            self._write_published(head)

    def _write_published(self, head: Head) -> None:
        self._published.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._published, head.signed.text.encode())


def _unpublished(path: Path) -> LedgerFatalError:
    return LedgerFatalError(
        "CRN-L-018",
        Text(
            f"The published checkpoint {path} is missing, so nothing shows that the database is "
            "not an older copy.",
            f"缺少已发布的检查点 {path}，因此无法表明数据库不是较旧的副本。",
        ),
        Text(
            "Restore the newest copy of the file, kept apart from the database. If there is none, "
            "compare the output of "
            "`carnet log checkpoint` with the newest checkpoint that lenders, witnesses or the "
            "chain hold; only if it is no older, write that output to the file.",
            "请恢复该文件（与数据库分开保存）的最新副本。若没有，"
            "请将 `carnet log checkpoint` 的输出与资金方、"
            "见证者或链上持有的最新检查点比对；仅当其不更旧时，才将该输出写入该文件。",
        ),
    )


def _rolled_back(published: int, stored: int) -> LedgerFatalError:
    return LedgerFatalError(
        "CRN-L-003",
        Text(
            f"A checkpoint of size {published} was published, but the database does not hold it "
            f"(its log has {stored} entries).",
            f"已发布大小为 {published} 的检查点，但数据库中没有（其日志有 {stored} 个条目）。",
        ),
        Text(
            "The database was restored from an older backup or replaced. Restore a newer one; "
            "never sign on from here, since a second history could then be shown.",
            "数据库来自较旧的备份或已被替换。请恢复更新的备份；"
            "切勿在此基础上继续签名，否则会出现第二份历史。",
        ),
    )


def _read_records(connection: Connection, hashes: Sequence[bytes]) -> list[Record]:
    bodies: dict[bytes, bytes] = {}
    for group in batches(hashes):
        query = select(RECORD.c.record_hash, RECORD.c.body).where(RECORD.c.record_hash.in_(group))
        bodies |= {row[0]: row[1] for row in connection.execute(query)}
    return [stored_record(item, bodies[item]) for item in hashes]


def _insert_nodes(connection: Connection, nodes: Mapping[NodeId, bytes]) -> None:
    rows = [
        {"level": node.level, "index": node.number, "hash": digest}
        for node, digest in nodes.items()
        if node.level > 0
    ]
    if rows:
        connection.execute(insert(LOG_NODE), rows)


def _insert_checkpoint(connection: Connection, signed: SignedCheckpoint, at: object) -> None:
    checkpoint = signed.checkpoint
    # The size is the primary key: of two writers that read one head, the second cannot insert.
    connection.execute(
        insert(CHECKPOINT),
        {"size": checkpoint.size, "root": checkpoint.root, "note": signed.text, "at": at},
    )

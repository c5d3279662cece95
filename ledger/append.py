"""Appending to the log: one writer, and after a crash at any point the same call finishes the work.

The order is fixed: records are staged; the new tree is computed and its checkpoint signed; entries,
nodes and checkpoint are committed together if the head is still the one that was read; then the
checkpoint is published to a file. What a crash leaves behind:

* before the stage: nothing;
* after it: records without an entry, which the next append takes up;
* before the commit: a signed checkpoint that nobody saw, forgotten with the process;
* after it: an older published file, which opening the log replaces.

Where no witness cosigns, nobody outside sees a checkpoint before it is committed: the records are
then staged in the transaction that logs them, and a crash before its end leaves nothing. A witness
keeps what it signed: the records are committed first, so that the tree it saw can be made again.

The published file lies outside the database. A database restored from a backup is behind it, and is
refused: signing again would show two histories under one key.

An open log remembers the head it has checked and the subtrees its root is made of. An append reads
what lies between that head and the newest, which is nothing while nobody else appends.

Source: docs/spec/record-and-log.md, section 5; docs/adr/0019-one-commit-for-an-append.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import Connection, Engine

from carnet.core.clock import Clock, format_instant
from carnet.core.crash import crash_point
from carnet.core.digests import LeafHash
from carnet.core.errors import LedgerError, LedgerFatalError, VerificationError
from carnet.core.text import Text
from carnet.ledger.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    is_origin,
    sign_checkpoint,
    verify_checkpoint,
    with_signatures,
)
from carnet.ledger.merkle import NodeId, append_leaves, leaf_hash, root_hash, root_nodes
from carnet.ledger.note import ED25519, NoteSignature, VerifierKey
from carnet.ledger.publishing import Published, rolled_back, unpublished
from carnet.ledger.reader import (
    Head,
    LogReader,
    batches,
    check_log,
    read_head,
    state_unknown,
)
from carnet.ledger.record import Record
from carnet.ledger.signer import Signer
from carnet.ledger.together import Request, Together
from carnet.store.direct import Direct, Row, writing_directly
from carnet.store.engine import reading
from carnet.store.locks import Lock
from carnet.store.tables import CHECKPOINT, LOG_ENTRY, LOG_NODE, RECORD

TOGETHER_MAX: Final = 5_000
"""Records of several requests that are committed at once."""

Cosigner = Callable[[Checkpoint], NoteSignature]
"""A witness: returns its cosignature, or raises to keep the checkpoint from being published."""

_NEWEST_NOTE: Final = "SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1"

_STORED: Final = """
    SELECT record.record_id, record.record_hash, log_entry."index" FROM record
    LEFT JOIN log_entry ON log_entry.record_hash = record.record_hash
    WHERE record.record_id IN ({})
"""
"""To be filled with question marks, never with a value."""

_RECORD_COLUMNS: Final = (
    *("record_hash", "kind", "record_id", "issuer", "subject", "supersedes"),
    *("decision_digest", "created_at", "body"),
)


class _Leaf(NamedTuple):
    """What the log needs of a record; it follows from the record alone."""

    record: Record
    record_hash: bytes
    kind: str
    subject: bytes | None
    supersedes: bytes | None
    entry: bytes
    leaf_hash: LeafHash


def _leaf_of(record: Record) -> _Leaf:
    entry = record.entry
    data = entry.to_bytes()
    return _Leaf(
        record=record,
        record_hash=entry.record_hash,
        kind=entry.kind,
        subject=entry.subject,
        supersedes=entry.supersedes,
        entry=data,
        leaf_hash=leaf_hash(data),
    )


class _Stored(NamedTuple):
    """Where a record that is stored stands; it waits while it has no place in the log."""

    record_hash: bytes
    place: int | None


def _stored(direct: Direct, leaves: Sequence[_Leaf]) -> dict[str, _Stored]:
    """Return which of some records are stored, by their identifiers."""
    found: dict[str, _Stored] = {}
    for group in batches([leaf.record.record_id for leaf in leaves]):
        query = _STORED.format(", ".join("?" * len(group)))
        found |= {row[0]: _Stored(row[1], row[2]) for row in direct.rows(query, group)}
    return found


def _fresh(leaves: Sequence[_Leaf], stored: Mapping[str, bytes]) -> dict[str, _Leaf]:
    """Return the records, by identifier, that are not among the stored ones.

    Raises:
        LedgerError: Another record has the same identifier.
    """
    fresh: dict[str, _Leaf] = {}
    for leaf in leaves:
        name = leaf.record.record_id
        known = fresh[name].record_hash if name in fresh else stored.get(name)
        if known is None:
            fresh[name] = leaf
        elif known != leaf.record_hash:
            raise LedgerError(
                "CRN-L-008",
                Text(f"Another record has the id {name}.", f"已有其他记录使用标识 {name}。"),
                Text("A record is never changed: issue a new one.", "记录不可修改：请另行签发。"),
            )
    return fresh


def _insert_records(
    direct: Direct,
    fresh: Mapping[str, _Leaf],
    clock: Clock,
    decisions: Mapping[str, bytes] | None = None,
) -> None:
    if not fresh:
        return
    now = direct.stored_instant(clock.now())
    decided = decisions or {}
    rows: list[Row] = [
        (
            *(leaf.record_hash, leaf.kind, name, leaf.record.issuer, leaf.subject),
            *(leaf.supersedes, decided.get(name), now, leaf.record.body),
        )
        for name, leaf in fresh.items()
    ]
    direct.insert(RECORD.name, _RECORD_COLUMNS, rows)


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
    leaves, direct = [_leaf_of(record) for record in records], Direct.of(connection)
    stored = {name: row.record_hash for name, row in _stored(direct, leaves).items()}
    _insert_records(direct, _fresh(leaves, stored), clock, decisions)


_Asked = Request[list[_Leaf], list[int]]


def _waiting(requests: Sequence[_Asked], stored: Mapping[str, _Stored]) -> list[_Leaf]:
    """Return the records that have no place in the log yet, each once, in the order asked."""
    leaves = {
        leaf.record_hash: leaf
        for request in requests
        if request.error is None
        for leaf in request.asked
        if stored[leaf.record.record_id].place is None
    }
    return list(leaves.values())


@dataclass(frozen=True, slots=True)
class _Tip:
    """The end of the log as it was checked: its head and the subtrees that its root is made of."""

    head: Head | None
    nodes: Mapping[NodeId, bytes]

    @property
    def size(self) -> int:
        return self.head.size if self.head else 0


class Log(LogReader):
    """The log as its one writer holds it. Opening it checks it and finishes what a crash left.

    Several threads may append to one open log: what they bring meanwhile is committed together.

    Args:
        engine: Of the workspace's database.
        signer: The log's key.
        origin: The log's name, also the name of its key.
        clock: Gives the time of each checkpoint.
        published: The file that the newest checkpoint is published to.
        cosigners: Witnesses; each must sign before a checkpoint is published.
        former: Keys that the log signed with before; what they signed stands.
        publish_pause_s: How long publishing may wait after the last time; 0 for never.

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
        publish_pause_s: float = 0.0,
    ) -> None:
        assert is_origin(origin), "an origin is printable ASCII without space and plus"
        super().__init__(engine)
        self._signer = signer
        self._clock = clock
        self._cosigners = tuple(cosigners)
        self._former = tuple(key for key in former if key.name == origin)
        self._published = Published(published, self._verify, publish_pause_s)
        self._together = Together(self._append_all, len, TOGETHER_MAX)
        self._tip = _Tip(None, {})
        self._compared: SignedCheckpoint | None = None
        self.origin = origin
        # The file first: another process may commit and publish between two readings, and what it
        # published would be missing from an older snapshot of the database.
        seen = self._published.read()
        with reading(engine) as connection:
            self._tip = self._check(Direct.of(connection), seen)
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
        return self._together.ask([_leaf_of(record) for record in records]) if records else []

    def append_pending(self) -> list[int]:
        """Append every staged record and return their places."""
        return self.append(self.pending_records())

    def _append_all(self, requests: Sequence[_Asked]) -> None:
        """Append what several threads ask for, in one transaction, and answer them."""
        with self._published.held():
            if self._cosigners:
                with writing_directly(self._engine, Lock.LOG_HEAD) as direct:
                    self._take_up(direct, requests)
            with writing_directly(self._engine, Lock.LOG_HEAD) as direct:
                stored = self._take_up(direct, requests)
                waiting = _waiting(requests, stored)
                tip, start = self._sequence(direct, waiting)
                crash_point("append.before-commit")
            crash_point("append.after-commit")
            self._tip = tip
            if waiting and tip.head is not None:
                self._published.offer(tip.head.signed)
        placed = {leaf.record_hash: start + offset for offset, leaf in enumerate(waiting)}
        for request in requests:
            found = [stored[leaf.record.record_id] for leaf in request.asked if not request.error]
            request.answer = [
                placed[row.record_hash] if row.place is None else row.place for row in found
            ]

    def _take_up(self, direct: Direct, requests: Sequence[_Asked]) -> dict[str, _Stored]:
        """Stage what is not staged yet, and return where all of it stands.

        A request whose records cannot be staged gets its error here, the others go on.
        """
        asked = [request for request in requests if request.error is None]
        stored = _stored(direct, [leaf for request in asked for leaf in request.asked])
        known = {name: row.record_hash for name, row in stored.items()}
        fresh: dict[str, _Leaf] = {}
        for request in asked:
            try:
                found = _fresh(request.asked, known)
            except LedgerError as error:
                request.error = error
                continue
            fresh |= found
            known |= {name: leaf.record_hash for name, leaf in found.items()}
        _insert_records(direct, fresh, self._clock)
        return stored | {name: _Stored(leaf.record_hash, None) for name, leaf in fresh.items()}

    def _sequence(self, direct: Direct, leaves: Sequence[_Leaf]) -> tuple[_Tip, int]:
        """Put records at the end of the log, and return its new end and where they begin."""
        if not leaves:
            return self._tip, 0
        published = self._published.read()
        # Until the commit is known to have succeeded, nothing is remembered.
        before, self._tip = self._tip, _Tip(None, {})
        if not self._is_unchanged(direct, before, published):
            before = self._check(direct, published, before.size)
            if before.head is not None and published is None:
                # The second checkpoint is never committed before the first is published.
                self._published.write(before.head.signed)
        return self._extend(direct, before, leaves), before.size

    def _is_unchanged(self, direct: Direct, tip: _Tip, published: SignedCheckpoint | None) -> bool:
        """Return whether nobody else has appended or published since the tip was checked."""
        if tip.head is None or published is None:
            return False
        is_same = direct.rows(_NEWEST_NOTE) == [(tip.size, tip.head.signed.text)]
        return is_same and (published is self._compared or published is self._published.own)

    def _extend(self, direct: Direct, tip: _Tip, leaves: Sequence[_Leaf]) -> _Tip:
        now = self._clock.now()
        if tip.head is not None and now < tip.head.at:
            raise _time_went_back(now, tip.head.at)
        size = tip.size + len(leaves)
        hashes = [leaf.leaf_hash for leaf in leaves]
        new = dict(append_leaves(tip.size, hashes, tip.nodes.__getitem__))
        nodes = {**tip.nodes, **new}
        crash_point("append.before-checkpoint")
        root = root_hash(size, nodes.__getitem__)
        signed = self._sign(Checkpoint(self.origin, size, root))
        _insert_leaves(direct, tip.size, leaves, new)
        _insert_checkpoint(direct, signed, now)
        return _Tip(Head(signed, now), {node: nodes[node] for node in root_nodes(size)})

    def _sign(self, checkpoint: Checkpoint) -> SignedCheckpoint:
        signed = sign_checkpoint(checkpoint, self._signer)
        return with_signatures(signed, tuple(cosign(checkpoint) for cosign in self._cosigners))

    def _verify(self, signed: SignedCheckpoint) -> None:
        keys = [self.verifier_key, *self._former]
        for key in [key for key in keys if signed.note.signatures_of(key)] or keys[:1]:
            verify_checkpoint(signed, key)

    def _check(
        self, direct: Direct, published: SignedCheckpoint | None, known_size: int = 0
    ) -> _Tip:
        """Check the stored log and what was published of it, and return its end."""
        head, nodes = check_log(direct, known_size)
        self._check_head(direct, head, published)
        self._compared = published
        return _Tip(head, nodes)

    def _check_head(
        self, direct: Direct, head: Head | None, published: SignedCheckpoint | None
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
            published = self._first_published(direct)
        if published is None:
            return
        size, root = published.checkpoint.size, published.checkpoint.root
        if direct.rows("SELECT root FROM checkpoint WHERE size = ?", (size,)) != [(root,)]:
            raise rolled_back(size, head.size if head else 0)

    def _first_published(self, direct: Direct) -> SignedCheckpoint | None:
        """Return what was published since; nothing was only before the first file is written.

        The second checkpoint is committed after the first was published. Without the file nothing
        shows that the database is not an old copy, on which a second history would be signed.
        """
        if len(direct.rows("SELECT size FROM checkpoint LIMIT 2")) <= 1:
            return None
        published = self._published.read()
        if published is None:
            raise unpublished(self._published.path)
        return published

    def _publish(self) -> None:
        """Publish the head if an older one is published, as a crash leaves it."""
        if self._tip.head is None or self._is_published(self._tip.head):
            return
        # Alone, so that of two processes the one with the older head never writes last.
        with self._published.held():
            with reading(self._engine) as connection:
                head = read_head(connection)
            assert head is not None, "a log never loses its checkpoints"
            if not self._is_published(head):
                self._published.write(head.signed)

    def _is_published(self, head: Head) -> bool:
        found = self._published.read()
        return found is not None and found.checkpoint.size >= head.size


def _time_went_back(now: datetime, newest: datetime) -> LedgerFatalError:
    return LedgerFatalError(
        "CRN-L-001",
        Text(
            f"The clock says {format_instant(now)}, the newest checkpoint is of "
            f"{format_instant(newest)}: time went back.",
            f"时钟为 {format_instant(now)}，而最新检查点的时间为 "
            f"{format_instant(newest)}：时间倒退。",
        ),
        Text(
            "Set the clock of this machine right. If it is right, the log was written by "
            "a machine whose clock was ahead: append when that time has passed.",
            "请校正本机时钟。若时钟无误，则日志曾由时钟偏快的机器写入：请待该时间过后再追加。",
        ),
    )


def _insert_leaves(
    direct: Direct, start: int, leaves: Sequence[_Leaf], nodes: Mapping[NodeId, bytes]
) -> None:
    entries: list[Row] = [
        (start + offset, leaf.record_hash, leaf.leaf_hash, leaf.entry)
        for offset, leaf in enumerate(leaves)
    ]
    direct.insert(LOG_ENTRY.name, ("index", "record_hash", "leaf_hash", "entry"), entries)
    inner = sorted((level, number, digest) for (level, number), digest in nodes.items() if level)
    direct.insert(LOG_NODE.name, ("level", "index", "hash"), inner)


def _insert_checkpoint(direct: Direct, signed: SignedCheckpoint, at: datetime) -> None:
    checkpoint = signed.checkpoint
    # The size is the primary key: of two writers that read one head, the second cannot insert.
    row = (checkpoint.size, checkpoint.root, signed.text, direct.stored_instant(at))
    direct.insert(CHECKPOINT.name, ("size", "root", "note", "at"), [row])

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

from sqlalchemy import Engine

from carnet.core.clock import Clock, format_instant
from carnet.core.crash import crash_point
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
from carnet.ledger.merkle import NodeId, append_leaves, root_hash, root_nodes
from carnet.ledger.note import ED25519, NoteSignature, VerifierKey
from carnet.ledger.publishing import Published, rolled_back, unpublished
from carnet.ledger.reader import (
    Head,
    LogReader,
    check_log,
    read_head,
    state_unknown,
)
from carnet.ledger.record import Record
from carnet.ledger.signer import Signer
from carnet.ledger.staging import (
    RECORD_COLUMNS,
    Leaf,
    Stored,
    find_fresh,
    find_stored,
    leaf_of,
    record_rows,
    stage_records,
)
from carnet.ledger.together import Request, Together
from carnet.store.direct import Direct, Part, Row, writing_directly
from carnet.store.engine import reading
from carnet.store.locks import Lock
from carnet.store.tables import CHECKPOINT, LOG_ENTRY, LOG_NODE, RECORD

__all__ = ("Cosigner", "Log", "stage_records")

TOGETHER_MAX: Final = 5_000
"""Records of several requests that are committed at once."""

Cosigner = Callable[[Checkpoint], NoteSignature]
"""A witness: returns its cosignature, or raises to keep the checkpoint from being published."""

_NEWEST_NOTE: Final = "SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1"


class _Ask(NamedTuple):
    """Records to append; those that are staged are looked up first."""

    leaves: list[Leaf]
    are_staged: bool


_Asked = Request[_Ask, list[int]]


class _KnownError(Exception):
    """A record that was taken for new is stored already."""


class _Staged(NamedTuple):
    """Where the records stand that are asked for, and the rows of those to be stored with them."""

    stored: Mapping[str, Stored]
    rows: Sequence[Row]


def _unplaced(fresh: Mapping[str, Leaf]) -> dict[str, Stored]:
    return {name: Stored(leaf.record_hash, None) for name, leaf in fresh.items()}


def _all_fresh(requests: Sequence[_Asked], known: Mapping[str, bytes]) -> dict[str, Leaf]:
    """Return the records that are not stored; a request that cannot be staged gets its error."""
    fresh: dict[str, Leaf] = {}
    known = dict(known)
    for request in requests:
        try:
            found = find_fresh(request.asked.leaves, known)
        except LedgerError as error:
            request.error = error
            continue
        fresh |= found
        known |= {name: leaf.record_hash for name, leaf in found.items()}
    return fresh


def _waiting(requests: Sequence[_Asked], stored: Mapping[str, Stored]) -> list[Leaf]:
    """Return the records that have no place in the log yet, each once, in the order asked."""
    leaves = {
        leaf.record_hash: leaf
        for request in requests
        if request.error is None
        for leaf in request.asked.leaves
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
        self._together = Together(self._append_all, lambda ask: len(ask.leaves), TOGETHER_MAX)
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

    def append(self, records: Sequence[Record], *, are_staged: bool = False) -> list[int]:
        """Return the places of records in the log, appending those that have none.

        Args:
            records: Signed records.
            are_staged: Whether they probably are stored; if not, that is noticed.

        Raises:
            LedgerError: A record cannot be staged.
            LedgerFatalError: Time or size would go back, or the stored log is damaged.
        """
        crash_point("append.before-stage")
        if not records:
            return []
        return self._together.ask(_Ask([leaf_of(record) for record in records], are_staged))

    def append_pending(self) -> list[int]:
        """Append every staged record and return their places."""
        return self.append(self.pending_records(), are_staged=True)

    def _append_all(self, requests: Sequence[_Asked]) -> None:
        """Append what several threads ask for, in one transaction, and answer them."""
        are_staged = any(request.asked.are_staged for request in requests)
        with self._published.held():
            if self._cosigners:
                with writing_directly(self._engine, Lock.LOG_HEAD) as direct:
                    self._take_up(direct, requests)
            try:
                self._append_once(requests, are_new=not (self._cosigners or are_staged))
            except _KnownError:
                for request in requests:
                    request.error = None
                self._append_once(requests, are_new=False)

    def _append_once(self, requests: Sequence[_Asked], *, are_new: bool) -> None:
        with writing_directly(self._engine, Lock.LOG_HEAD) as direct:
            staged = self._as_new(direct, requests) if are_new else self._take_up(direct, requests)
            waiting = _waiting(requests, staged.stored)
            tip, start = self._sequence(direct, waiting, staged.rows)
            crash_point("append.before-commit")
        crash_point("append.after-commit")
        self._tip = tip
        if waiting and tip.head is not None:
            self._published.offer(tip.head.signed)
        placed = {leaf.record_hash: start + offset for offset, leaf in enumerate(waiting)}
        for request in requests:
            if request.error is None:
                found = [staged.stored[leaf.record.record_id] for leaf in request.asked.leaves]
                request.answer = [
                    placed[row.record_hash] if row.place is None else row.place for row in found
                ]

    def _as_new(self, direct: Direct, requests: Sequence[_Asked]) -> _Staged:
        """Return the records as if none of them were stored, to be inserted with their entries.

        A request whose records cannot be staged gets its error here, the others go on.
        """
        fresh = _all_fresh(requests, {})
        return _Staged(_unplaced(fresh), record_rows(direct, fresh, self._clock))

    def _take_up(self, direct: Direct, requests: Sequence[_Asked]) -> _Staged:
        """Stage what is not staged yet, and return where all of it stands.

        A request whose records cannot be staged gets its error here, the others go on.
        """
        asked = [request for request in requests if request.error is None]
        stored = find_stored(direct, [leaf for request in asked for leaf in request.asked.leaves])
        fresh = _all_fresh(asked, {name: row.record_hash for name, row in stored.items()})
        rows = record_rows(direct, fresh, self._clock)
        direct.insert(RECORD.name, RECORD_COLUMNS, rows)
        return _Staged(stored | _unplaced(fresh), [])

    def _sequence(
        self, direct: Direct, leaves: Sequence[Leaf], rows: Sequence[Row]
    ) -> tuple[_Tip, int]:
        """Put records at the end of the log, and return its new end and where they begin.

        Args:
            direct: Of the transaction.
            leaves: Of the records.
            rows: Of those that are stored with their entries.

        Raises:
            _KnownError: One of those was stored before.
        """
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
        tip, parts = self._extend(direct, before, leaves)
        try:
            direct.insert_all([Part(RECORD.name, RECORD_COLUMNS, rows), *parts])
        except direct.taken_error as error:
            if not rows:
                raise
            # This transaction ends with nothing stored, so what was checked stands.
            self._tip = before
            raise _KnownError from error
        return tip, before.size

    def _is_unchanged(self, direct: Direct, tip: _Tip, published: SignedCheckpoint | None) -> bool:
        """Return whether nobody else has appended or published since the tip was checked."""
        if tip.head is None or published is None:
            return False
        is_same = direct.rows(_NEWEST_NOTE) == [(tip.size, tip.head.signed.text)]
        return is_same and (published is self._compared or self._published.is_own(published))

    def _extend(self, direct: Direct, tip: _Tip, leaves: Sequence[Leaf]) -> tuple[_Tip, list[Part]]:
        """Return the end of the log with further leaves, and what has to be stored for it."""
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
        parts = [*_leaf_parts(tip.size, leaves, new), _checkpoint_part(direct, signed, now)]
        return _Tip(Head(signed, now), {node: nodes[node] for node in root_nodes(size)}), parts

    def _sign(self, checkpoint: Checkpoint) -> SignedCheckpoint:
        signed = sign_checkpoint(checkpoint, self._signer)
        if not self._cosigners:
            return signed
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
        with reading(self._engine) as connection:
            head = read_head(connection)
        assert head is not None, "a log never loses its checkpoints"
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


def _leaf_parts(
    start: int, leaves: Sequence[Leaf], nodes: Mapping[NodeId, bytes]
) -> tuple[Part, Part]:
    entries: list[Row] = [
        (start + offset, leaf.record_hash, leaf.leaf_hash, leaf.entry)
        for offset, leaf in enumerate(leaves)
    ]
    inner = sorted((level, number, digest) for (level, number), digest in nodes.items() if level)
    return (
        Part(LOG_ENTRY.name, ("index", "record_hash", "leaf_hash", "entry"), entries),
        Part(LOG_NODE.name, ("level", "index", "hash"), inner),
    )


def _checkpoint_part(direct: Direct, signed: SignedCheckpoint, at: datetime) -> Part:
    checkpoint = signed.checkpoint
    # The size is the primary key: of two writers that read one head, the second cannot insert.
    row = (checkpoint.size, checkpoint.root, signed.text, direct.stored_instant(at))
    return Part(CHECKPOINT.name, ("size", "root", "note", "at"), [row])

"""Reading the log: entries, checkpoints and proofs, from one snapshot of the database at a time.

Readers never wait for the writer and need no key.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Select, select

from carnet.core.digests import DIGEST_SIZE, RecordDigest
from carnet.core.errors import CheckpointError, LedgerFatalError, NotFoundError
from carnet.core.text import Text
from carnet.ledger.checkpoint import SignedCheckpoint, parse_checkpoint
from carnet.ledger.merkle import (
    EMPTY_ROOT,
    NodeId,
    Span,
    consistency_spans,
    fold,
    inclusion_spans,
    leaf_hash,
    root_hash,
    root_nodes,
    span_nodes,
)
from carnet.ledger.record import Record, parse_record, record_digest
from carnet.store.direct import Direct, read_instant, reading_directly
from carnet.store.engine import reading
from carnet.store.tables import CHECKPOINT, LOG_ENTRY, RECORD

T = TypeVar("T")

_RANK = (RECORD.c.kind != "key-event", RECORD.c.kind == "status-list")
BATCH = 400
"""Keys of one query, below the limit of variables of every database."""

_OF_NODES = """
    SELECT log_node.level, log_node."index", log_node.hash
    FROM (SELECT column1 AS level, column2 AS number FROM (VALUES {}) AS given) AS wanted
    JOIN log_node ON log_node.level = wanted.level AND log_node."index" = wanted.number
"""
"""To be filled with question marks, never with a value. SQLite would answer a condition on pairs by
reading the whole table; joined, it looks each up by its key."""

_OF_LEAVES = 'SELECT 0, "index", leaf_hash FROM log_entry WHERE "index" IN ({})'

KEPT_LEVEL_MIN = 6
KEPT_MAX = 16_384
"""Hashes of subtrees of at least 64 leaves that a reader keeps: of a million leaves, all."""

COUNTED_MAX = 65_536
"""Entries that are counted when a log is opened."""


def missing(en: str, zh: str) -> NotFoundError:
    """Return the error of something that the log does not hold."""
    return NotFoundError(
        "CRN-L-005",
        Text(en, zh),
        Text(
            "See what the log holds with `carnet log checkpoint`.",
            "请用 `carnet log checkpoint` 查看日志内容。",
        ),
    )


def state_unknown(code: str, en: str, zh: str) -> LedgerFatalError:
    """Return the error of a log that contradicts itself."""
    return LedgerFatalError(
        code,
        Text(en, zh),
        Text(
            "Stop writing, keep the workspace as it is, and restore the newest backup that opens.",
            "请停止写入并保留工作区现状，然后恢复可以打开的最新备份。",
        ),
    )


@dataclass(frozen=True, slots=True)
class Head:
    """The newest checkpoint of the log and its time."""

    signed: SignedCheckpoint
    at: datetime

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.signed.checkpoint.size


def batches(items: Sequence[T]) -> Iterable[Sequence[T]]:
    """Yield the items in groups that fit one query."""
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


def read_head(connection: Connection) -> Head | None:
    """Return the newest checkpoint, None before the first."""
    return newest(Direct.of(connection))


def newest(direct: Direct) -> Head | None:
    """Return the newest checkpoint, None before the first."""
    rows = direct.rows("SELECT size, root, note, at FROM checkpoint ORDER BY size DESC LIMIT 1")
    if not rows:
        return None
    size, root, note, at = rows[0]
    return Head(_signed(size, root, note), read_instant(at))


def _signed(size: int, root: bytes, note: str) -> SignedCheckpoint:
    try:
        signed = parse_checkpoint(note)
    except CheckpointError as error:
        raise state_unknown(
            "CRN-L-002",
            f"The stored checkpoint of size {size} cannot be read: {error.message.en}",
            f"已存储的大小为 {size} 的检查点无法读取：{error.message.zh}",
        ) from error
    if (signed.checkpoint.size, signed.checkpoint.root) != (size, root):
        raise state_unknown(
            "CRN-L-002",
            f"The stored checkpoint of size {size} does not say what its note says.",
            f"已存储的大小为 {size} 的检查点与其注记不符。",
        )
    return signed


def stored_record(record_hash: bytes, body: bytes) -> Record:
    """Return the record of a stored row.

    Raises:
        LedgerFatalError: The bytes do not have the hash that they are stored under.
    """
    if record_digest(body) != record_hash:
        raise state_unknown(
            "CRN-L-002",
            f"The record {record_hash.hex()} does not have the hash it is stored under.",
            f"记录 {record_hash.hex()} 与其存储的哈希不符。",
        )
    return parse_record(body)


def read_nodes(direct: Direct, nodes: Sequence[NodeId]) -> dict[NodeId, bytes]:
    """Return the hashes of complete subtrees; leaves are kept with their entries.

    Raises:
        LedgerFatalError: One is missing.
    """
    found: dict[NodeId, bytes] = {}
    for group in batches(nodes):
        leaves = [node.number for node in group if node.level == 0]
        inner = [part for node in group if node.level > 0 for part in node]
        rows = direct.rows(_nodes_query(len(inner) // 2, len(leaves)), [*inner, *leaves])
        found |= {NodeId(level, number): digest for level, number, digest in rows}
    absent = sorted(set(nodes) - found.keys())
    if absent:
        raise state_unknown(
            "CRN-L-006", f"The log lacks the node {absent[0]}.", f"日志缺少节点 {absent[0]}。"
        )
    return found


@lru_cache(maxsize=256)
def _nodes_query(inner_count: int, leaf_count: int) -> str:
    of_nodes = _OF_NODES.format(", ".join(["(?, ?)"] * inner_count))
    of_leaves = _OF_LEAVES.format(", ".join("?" * leaf_count))
    wanted = ((of_nodes, inner_count), (of_leaves, leaf_count))
    return " UNION ALL ".join(query for query, count in wanted if count)


def indexes_of(connection: Connection, hashes: Sequence[bytes]) -> dict[bytes, int]:
    """Return the places in the log of those records that have one."""
    found: dict[bytes, int] = {}
    for group in batches(hashes):
        query = select(LOG_ENTRY.c.record_hash, LOG_ENTRY.c.index)
        rows = connection.execute(query.where(LOG_ENTRY.c.record_hash.in_(group)))
        found |= {row[0]: row[1] for row in rows}
    return found


def check_log(direct: Direct, known_size: int = 0) -> tuple[Head | None, dict[NodeId, bytes]]:
    """Check that entries, nodes and newest checkpoint agree.

    The nodes lead to the root whatever the size. Entries are counted from `known_size` on, and at
    most `COUNTED_MAX` of them, so that a large log opens as quickly as a small one; an older entry
    that is missing is noticed where it is read.

    Args:
        direct: Of one transaction.
        known_size: Up to where the entries were counted before.

    Returns:
        The newest checkpoint, and the subtrees that its root is made of.

    Raises:
        LedgerFatalError: They do not agree.
    """
    head = newest(direct)
    size = head.size if head else 0
    start = max(0, min(known_size, size), size - COUNTED_MAX)
    counted = 'SELECT count(*), max("index") FROM log_entry WHERE "index" >= ?'
    entries, last = direct.rows(counted, (start,))[0]
    # Both: the number alone misses a row that was moved, the last place one that is gone.
    if entries != size - start or (entries > 0 and last != size - 1):
        raise state_unknown(
            "CRN-L-007",
            f"From place {start} on the log holds {entries} entries, its checkpoint of size {size} "
            f"says {size - start}.",
            f"自位置 {start} 起日志有 {entries} 个条目，而大小为 {size} 的检查点应有 "
            f"{size - start} 个。",
        )
    nodes = read_nodes(direct, root_nodes(size))
    root = head.signed.checkpoint.root if head else EMPTY_ROOT
    if root_hash(size, nodes.__getitem__) != root:
        raise state_unknown(
            "CRN-L-002",
            f"The nodes of the log do not lead to the root of its checkpoint of size {size}.",
            f"日志节点导出的根与大小为 {size} 的检查点不符。",
        )
    return head, nodes


def _pending(*columns: ColumnElement[Any]) -> Select[Any]:
    return (
        select(*columns)
        .outerjoin(LOG_ENTRY, LOG_ENTRY.c.record_hash == RECORD.c.record_hash)
        .where(LOG_ENTRY.c.index.is_(None))
        .order_by(RECORD.c.created_at, *_RANK, RECORD.c.record_id)
    )


class LogReader:
    """The log as anyone may read it.

    Args:
        engine: Of the workspace's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._size_seen = 0
        self._kept: dict[NodeId, bytes] = {}

    def size(self) -> int:
        """Return the number of entries."""
        with reading(self._engine) as connection:
            head = read_head(connection)
        self._size_seen = max(self._size_seen, head.size if head else 0)
        return head.size if head else 0

    def _holds(self, size: int) -> bool:
        # A log never gets smaller: what was there once need not be asked for again.
        return size <= self._size_seen or size <= self.size()

    def checkpoint(self, size: int | None = None) -> SignedCheckpoint:
        """Return the newest checkpoint, or the one of a size.

        Raises:
            NotFoundError: The log has none, or none of that size.
        """
        query = select(CHECKPOINT).order_by(CHECKPOINT.c.size.desc()).limit(1)
        if size is not None:
            query = query.where(CHECKPOINT.c.size == size)
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            which = "yet" if size is None else f"of size {size}"
            raise missing(f"There is no checkpoint {which}.", "没有这样的检查点。")
        return _signed(row.size, row.root, row.note)

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """Return the proof that an entry is in the tree of a size.

        Raises:
            NotFoundError: The log is smaller, or the entry lies outside that tree.
        """
        if not (0 <= index < size and self._holds(size)):
            raise missing(
                f"No entry {index} in a tree of size {size} of this log.",
                f"本日志大小为 {size} 的树中没有条目 {index}。",
            )
        return self._hashes(inclusion_spans(index, size))

    def consistency_proof(self, first: int, second: int) -> list[bytes]:
        """Return the proof that the tree of one size is a prefix of the tree of another.

        Raises:
            NotFoundError: The log is smaller, or the sizes are the wrong way round.
        """
        if not (0 <= first <= second and self._holds(second)):
            raise missing(
                f"No proof from size {first} to size {second} in this log.",
                f"本日志无法给出从大小 {first} 到 {second} 的证明。",
            )
        return [] if first in {0, second} else self._hashes(consistency_spans(first, second))

    def _hashes(self, spans: Sequence[Span]) -> list[bytes]:
        parts = [span_nodes(span) for span in spans]
        kept = self._kept
        found = {node: kept[node] for nodes in parts for node in nodes if node in kept}
        absent = [node for nodes in parts for node in nodes if node not in found]
        if absent:
            with reading_directly(self._engine) as direct:
                fresh = read_nodes(direct, absent)
            self._keep(fresh)
            found |= fresh
        return [fold([found[node] for node in nodes]) for nodes in parts]

    def _keep(self, nodes: Mapping[NodeId, bytes]) -> None:
        """Remember large subtrees: proofs share them, and a complete one never changes."""
        large = {node: held for node, held in nodes.items() if node.level >= KEPT_LEVEL_MIN}
        if len(self._kept) + len(large) > KEPT_MAX:
            self._kept = {}
        self._kept |= large

    def entry(self, index: int) -> bytes:
        """Return the canonical bytes of an entry.

        Raises:
            NotFoundError: The log is smaller.
            LedgerFatalError: The bytes do not have the hash of their leaf.
        """
        query = select(LOG_ENTRY).where(LOG_ENTRY.c.index == index)
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise missing(f"The log has no entry {index}.", f"日志没有条目 {index}。")
        if leaf_hash(row.entry) != row.leaf_hash:
            raise state_unknown(
                "CRN-L-002",
                f"The entry {index} does not have the hash of its leaf.",
                f"条目 {index} 与其叶子哈希不符。",
            )
        return bytes(row.entry)

    def index_of(self, record_hash: bytes) -> int | None:
        """Return the place of a record in the log, None where it has none."""
        with reading(self._engine) as connection:
            return indexes_of(connection, [record_hash]).get(record_hash)

    def record(self, record_id: str) -> Record:
        """Return a stored record by its identifier or by its hash in hex.

        Raises:
            NotFoundError: There is none.
        """
        is_hash = len(record_id) == 2 * DIGEST_SIZE and set(record_id) <= set("0123456789abcdef")
        query = select(RECORD.c.record_hash, RECORD.c.body)
        if is_hash:
            query = query.where(RECORD.c.record_hash == bytes.fromhex(record_id))
        else:
            query = query.where(RECORD.c.record_id == record_id)
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise missing(f"There is no record {record_id!r}.", f"没有记录 {record_id!r}。")
        return stored_record(row.record_hash, row.body)

    def records(self) -> list[tuple[str, str, str, int | None]]:
        """Return id, kind, hash in hex and place of every record; waiting ones come last."""
        place = LOG_ENTRY.c.index
        query = (
            select(RECORD.c.record_id, RECORD.c.kind, RECORD.c.record_hash, place)
            .outerjoin(LOG_ENTRY, LOG_ENTRY.c.record_hash == RECORD.c.record_hash)
            .order_by(place.is_(None), place, RECORD.c.created_at, RECORD.c.record_id)
        )
        with reading(self._engine) as connection:
            return [(row[0], row[1], row[2].hex(), row[3]) for row in connection.execute(query)]

    def pending(self) -> list[RecordDigest]:
        """Return the records that wait for the next append, in the order they will have.

        Key events go first within one instant: a key is used only after it is in the log. Status
        lists go last: what they say of a record counts only behind it.
        """
        query = _pending(RECORD.c.record_hash)
        with reading(self._engine) as connection:
            return [RecordDigest(row[0]) for row in connection.execute(query)]

    def pending_records(self) -> list[Record]:
        """Return the records of `pending`.

        Raises:
            LedgerFatalError: The bytes of one do not have the hash they are stored under.
        """
        query = _pending(RECORD.c.record_hash, RECORD.c.body)
        with reading(self._engine) as connection:
            rows = connection.execute(query)
            return [stored_record(row.record_hash, row.body) for row in rows]

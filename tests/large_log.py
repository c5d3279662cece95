"""A stored log of many made-up leaves, written straight into SQLite."""

import sqlite3
from datetime import datetime
from pathlib import Path

from carnet.core.clock import format_instant
from carnet.ledger.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint
from carnet.ledger.merkle import NodeId, append_leaves, leaf_hash, root_hash
from carnet.ledger.signer import Signer

CHUNK = 100_000


def fill_log(path: Path, size: int, origin: str, signer: Signer, at: datetime) -> SignedCheckpoint:
    """Put leaves into an empty log, with their nodes and one checkpoint, and return that.

    The leaves have no records: what is measured on such a log never reads one.
    """
    database = sqlite3.connect(path, isolation_level=None)
    for setting in ("foreign_keys = OFF", "synchronous = OFF", "cache_size = -200000"):
        database.execute(f"PRAGMA {setting}")
    edge: dict[NodeId, bytes] = {}
    for start in range(0, size, CHUNK):
        count = min(CHUNK, size - start)
        entries = [b"%016d" % number for number in range(start, start + count)]
        leaves = [leaf_hash(entry) for entry in entries]
        new = dict(append_leaves(start, leaves, edge.__getitem__))
        rows = zip(range(start, start + count), entries, leaves, strict=True)
        database.execute("BEGIN")
        database.executemany(
            'INSERT INTO log_entry ("index", record_hash, leaf_hash, entry) VALUES (?, ?, ?, ?)',
            ((index, 2 * entry, leaf, entry) for index, entry, leaf in rows),
        )
        inner = sorted((*node, digest) for node, digest in new.items() if node.level)
        database.executemany('INSERT INTO log_node (level, "index", hash) VALUES (?, ?, ?)', inner)
        database.execute("COMMIT")
        edge |= new
        end = start + count
        edge = {node: edge[node] for node in edge if node.number + 1 == end >> node.level}
    signed = sign_checkpoint(Checkpoint(origin, size, root_hash(size, edge.__getitem__)), signer)
    database.execute(
        "INSERT INTO checkpoint (size, root, note, at) VALUES (?, ?, ?, ?)",
        (size, signed.checkpoint.root, signed.text, format_instant(at)),
    )
    database.close()
    return signed

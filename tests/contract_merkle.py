"""A small Merkle tree of its own, straight from RFC 9162, section 2.1, for the contract tests."""

import hashlib


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def tree_hash(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    middle = split_point(len(leaves))
    children = tree_hash(leaves[:middle]) + tree_hash(leaves[middle:])
    return hashlib.sha256(b"\x01" + children).digest()


def inclusion_proof(leaves: list[bytes], index: int) -> list[bytes]:
    if len(leaves) == 1:
        return []
    middle = split_point(len(leaves))
    if index < middle:
        return [*inclusion_proof(leaves[:middle], index), tree_hash(leaves[middle:])]
    return [*inclusion_proof(leaves[middle:], index - middle), tree_hash(leaves[:middle])]


def split_point(count: int) -> int:
    """Return the largest power of two below a count."""
    return 1 << (count - 1).bit_length() - 1

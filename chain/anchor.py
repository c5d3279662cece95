"""Anchors: the root of a checkpoint, written once on the chain and readable in one ``eth_call``."""

from collections.abc import Sequence
from dataclasses import dataclass

from carnet.chain.bound import BoundContract
from carnet.core.digests import DIGEST_SIZE, RootHash, sha256

_NO_ROOT = bytes(DIGEST_SIZE)


@dataclass(frozen=True, slots=True)
class AnchorHead:
    """The largest anchored tree of an origin; size 0 and no root where nothing was anchored."""

    size: int
    root: RootHash | None
    anchored_at_s: int


def origin_hash_of(origin: str) -> bytes:
    """Return the name of a log on the chain: SHA-256 of its origin line."""
    return sha256(origin.encode("utf-8"))


class AnchorRegistry:
    """The registry contract, for one origin."""

    def __init__(self, contract: BoundContract, origin: str) -> None:
        self.contract = contract
        self.origin_hash = origin_hash_of(origin)

    def root_at(self, size: int) -> RootHash | None:
        """Return the root anchored for a tree size, or None where none was."""
        root = bytes(self.contract.read("rootAt", self.origin_hash, size))
        return None if root == _NO_ROOT else RootHash(root)

    def roots_at(self, sizes: Sequence[int]) -> list[RootHash | None]:
        """Return the roots anchored for several tree sizes, in one request."""
        found = self.contract.read_many("rootAt", [(self.origin_hash, size) for size in sizes])
        return [None if bytes(root) == _NO_ROOT else RootHash(bytes(root)) for root in found]

    def head(self) -> AnchorHead:
        """Return the largest anchored tree of the origin."""
        size, root = self.contract.read("head", self.origin_hash)
        if size == 0:
            return AnchorHead(0, None, 0)
        at = self.contract.read("anchoredAt", self.origin_hash)
        return AnchorHead(int(size), RootHash(bytes(root)), int(at))

    def anchor_call(self, size: int, root: RootHash) -> bytes:
        """Return the call data that anchors a root."""
        return self.contract.abi.encode_call("anchor", self.origin_hash, size, bytes(root))

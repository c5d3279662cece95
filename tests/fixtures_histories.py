"""Two histories of one log, as its key alone could sign them."""

from carnet.ledger.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint
from carnet.ledger.merkle import NodeId, append_leaves, consistency_proof, leaf_hash, root_hash
from carnet.ledger.note import ED25519, VerifierKey
from carnet.ledger.seen import ConsistencyProof
from tests.fixtures_ledger import LOG_SIGNER, ORIGIN

KEY = VerifierKey(ORIGIN, ED25519, LOG_SIGNER.public_key)
OTHER = b"another history"


class Tree:
    """A log of made-up leaves, of which the last ones may be another history's."""

    def __init__(self, size: int, fork_at: int | None = None) -> None:
        leaves = [
            leaf_hash(OTHER if fork_at is not None and number >= fork_at else b"%d" % number)
            for number in range(size)
        ]
        self.nodes: dict[NodeId, bytes] = {}
        self.nodes.update(append_leaves(0, leaves, self.nodes.__getitem__))

    def at(self, size: int) -> Checkpoint:
        return Checkpoint(ORIGIN, size, root_hash(size, self.nodes.__getitem__))

    def signed(self, size: int) -> SignedCheckpoint:
        return sign_checkpoint(self.at(size), LOG_SIGNER)

    def proof(self, first: int, second: int) -> ConsistencyProof:
        hashes = consistency_proof(first, second, self.nodes.__getitem__)
        return ConsistencyProof(first, second, tuple(hashes))

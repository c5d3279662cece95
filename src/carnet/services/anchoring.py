"""Anchoring: the newest checkpoint of the log goes onto the chain, exactly once."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from carnet.chain.anchor import AnchorHead, AnchorRegistry
from carnet.chain.deployment import REGISTRY, CodeState, code_state
from carnet.chain.keys import ChainRole
from carnet.chain.rpc import DEV_CHAIN_ID
from carnet.core.digests import RootHash
from carnet.core.errors import ChainError, ConflictError, NotFoundError
from carnet.core.text import Text
from carnet.ledger.reader import Head, read_head
from carnet.services.appending import append_records
from carnet.services.chaining import ChainSession
from carnet.services.deploying import deploy
from carnet.services.dispatching import Call, Intent
from carnet.services.event_records import record_pack_events, record_receivable_events
from carnet.services.keys import ensure_key
from carnet.services.status_listing import publish_lists
from carnet.services.workspace import Workspace
from carnet.store import outbox
from carnet.store.engine import reading
from carnet.store.outbox import Action
from carnet.store.tables import OutboxState

ANCHOR_KIND = "anchor"
ANCHORS_CHECKED_MAX = 200
"""Confirmed anchors whose presence `anchor status` looks up."""


class AnchorState(StrEnum):
    """How the log stands to the chain."""

    NONE = "none"
    """There is no checkpoint yet."""
    ANCHORED = "anchored"
    """The newest checkpoint is on the chain."""
    BEHIND = "behind"
    """The chain has an older one, or none: `carnet anchor push` brings it."""
    AHEAD = "ahead"
    """The chain has a newer one than the log: the database was restored from a backup."""
    CONFLICT = "conflict"
    """The chain has another root for this size: two logs use one origin."""


@dataclass(frozen=True, slots=True)
class Anchored:
    """An anchor that is confirmed.

    Args:
        origin: The log.
        size: The size of the anchored tree.
        root: Its root.
        contract: The registry that holds it.
        chain_id: The chain.
        tx_hash: The transaction, where it was ours.
        block_number: Its block.
        is_new: Whether this call brought it there.
    """

    origin: str
    size: int
    root: RootHash
    contract: str
    chain_id: int
    tx_hash: bytes | None
    block_number: int | None
    is_new: bool


@dataclass(frozen=True, slots=True)
class AnchorStatus:
    """How the log stands to the chain.

    Args:
        origin: The log.
        state: The verdict.
        size: The size of the newest checkpoint, 0 where there is none.
        root: Its root.
        anchored_size: The size of the largest anchored tree.
        anchored_at: When it was anchored.
        orphaned: Sizes of anchors that were confirmed, that the chain no longer has, and that no
            larger anchored tree covers.
    """

    origin: str
    state: AnchorState
    size: int
    root: RootHash | None
    anchored_size: int
    anchored_at: datetime | None
    orphaned: tuple[int, ...]


def push(session: ChainSession) -> Anchored:
    """Anchor the newest checkpoint, or find that it is anchored.

    What happened to packs and receivables is recorded first, and status lists that are due are
    published, so that what is anchored tells of its records.
    On a development chain that was begun anew the contracts are deployed again first.

    Raises:
        NotFoundError: There is no checkpoint.
        ConflictError: The chain has a newer tree, or another root for this size.
        ChainUnavailableError: The node does not answer; run it again.
    """
    workspace = session.workspace
    _newest(workspace)
    _bring_up_to_date(session)
    head = _newest(workspace)
    if _is_lost(session):
        deploy(session, issuer=ensure_key(workspace, "issuer", session.clock).did)
    registry = _registry(session)
    size, root = head.size, RootHash(head.signed.checkpoint.root)
    _check_order(registry.head(), registry.root_at(size), size, root)

    key = f"anchor:{session.chain_id}:{workspace.settings.log_origin}:{size}:{root.hex()}"
    before = session.dispatcher.find(key)
    contract = registry.contract
    action = session.dispatcher.perform(
        Intent(
            kind=ANCHOR_KIND,
            key=key,
            payload={"origin": workspace.settings.log_origin, "root": root.hex(), "size": size},
            sender=session.sender(ChainRole.ANCHORER),
            make_call=lambda: Call(contract.address, registry.anchor_call(size, root)),
            is_done=lambda _: registry.root_at(size) == root,
        )
    )
    return Anchored(
        origin=workspace.settings.log_origin,
        size=size,
        root=root,
        contract=contract.address,
        chain_id=session.chain_id,
        tx_hash=action.tx_hash,
        block_number=action.block_number,
        is_new=before != action,
    )


def _bring_up_to_date(session: ChainSession) -> None:
    workspace, clock = session.workspace, session.clock
    count = record_pack_events(workspace, clock)
    if not _is_lost(session):
        count += record_receivable_events(session)
    if not publish_lists(workspace, clock) and count:
        append_records(workspace, clock)


def status(session: ChainSession) -> AnchorStatus:
    """Return how the log stands to the chain; nothing is changed."""
    workspace = session.workspace
    registry = None if _is_lost(session) else _registry(session)
    with reading(workspace.engine) as connection:
        newest = read_head(connection)
        confirmed = outbox.pending(
            connection,
            kinds=(ANCHOR_KIND,),
            states=(OutboxState.CONFIRMED, OutboxState.FINALISED),
            limit=ANCHORS_CHECKED_MAX,
        )
    head = registry.head() if registry is not None else AnchorHead(0, None, 0)
    size = newest.size if newest is not None else 0
    root = RootHash(newest.signed.checkpoint.root) if newest is not None and size > 0 else None
    return AnchorStatus(
        origin=workspace.settings.log_origin,
        state=_state(head, registry.root_at(size) if registry and size else None, size, root),
        size=size,
        root=root,
        anchored_size=head.size,
        anchored_at=datetime.fromtimestamp(head.anchored_at_s, UTC) if head.size else None,
        orphaned=_orphaned(registry, confirmed, head.size),
    )


def _orphaned(
    registry: AnchorRegistry | None, confirmed: list[Action], covered: int
) -> tuple[int, ...]:
    sizes = [int(action.payload["size"]) for action in confirmed]
    roots = registry.roots_at(sizes) if registry is not None else [None] * len(sizes)
    return tuple(
        size
        for action, size, root in zip(confirmed, sizes, roots, strict=True)
        # A smaller tree that the chain lost cannot be anchored any more; a larger one covers it.
        if (root is None and size > covered)
        or (root is not None and root.hex() != action.payload["root"])
    )


def _state(
    head: AnchorHead, found: RootHash | None, size: int, root: RootHash | None
) -> AnchorState:
    if root is None:
        return AnchorState.AHEAD if head.size > 0 else AnchorState.NONE
    if found == root:
        return AnchorState.ANCHORED if head.size == size else AnchorState.AHEAD
    if found is not None:
        return AnchorState.CONFLICT
    return AnchorState.AHEAD if head.size > size else AnchorState.BEHIND


def _newest(workspace: Workspace) -> Head:
    with reading(workspace.engine) as connection:
        head = read_head(connection)
    if head is None or head.size == 0:
        raise NotFoundError(
            "CRN-H-020",
            Text("There is no checkpoint to anchor.", "没有可锚定的检查点。"),
            Text(
                "Append records and make one: `carnet log append`.",
                "请先追加记录并生成检查点：`carnet log append`。",
            ),
        )
    return head


def _is_lost(session: ChainSession) -> bool:
    """Return whether a development chain was begun anew, without what was deployed on it.

    Raises:
        ChainError: The registry was never deployed on this chain.
    """
    address = session.contract(REGISTRY).address
    is_absent = code_state(session.rpc, REGISTRY, address) is CodeState.ABSENT
    return is_absent and session.chain_id == DEV_CHAIN_ID


def _registry(session: ChainSession) -> AnchorRegistry:
    return AnchorRegistry(session.contract(REGISTRY), session.workspace.settings.log_origin)


def _check_order(head: AnchorHead, found: RootHash | None, size: int, root: RootHash) -> None:
    state = _state(head, found, size, root)
    if state is AnchorState.CONFLICT:
        assert found is not None, "a conflict has two roots"
        raise ChainError(
            "CRN-H-021",
            Text(
                f"The chain holds the root {found.hex()} for size {size}, the log {root.hex()}.",
                f"链上大小为 {size} 的根为 {found.hex()}，日志的根为 {root.hex()}。",
            ),
            Text(
                "Two logs use one origin, or the log was rewritten: stop and compare backups.",
                "两个日志使用了同一来源，或日志被改写：请停止操作并比对备份。",
            ),
        )
    if state is AnchorState.AHEAD and found != root:
        raise ConflictError(
            "CRN-H-022",
            Text(
                f"The chain holds a tree of {head.size} entries, the log has only {size}.",
                f"链上锚定的树有 {head.size} 个条目，而日志只有 {size} 个。",
            ),
            Text(
                "The database is older than the chain: restore the newest backup.",
                "数据库比链上的状态旧：请恢复最新备份。",
            ),
        )

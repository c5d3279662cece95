"""The chain of a workspace: its node, its connection, its keys, its contracts."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from carnet.chain.anvil import AnvilNode, NodeStatus
from carnet.chain.bound import BoundContract
from carnet.chain.deployment import (
    CodeState,
    Deployment,
    bind,
    code_state,
    error_abis,
    find_deployments,
)
from carnet.chain.devtime import catch_up, chain_now
from carnet.chain.keys import ChainRole, KeyRing, fund_on_dev_chain
from carnet.chain.rpc import RpcClient, redact_url
from carnet.chain.transactions import Sender
from carnet.chain.words import ERROR_WORDS
from carnet.core.clock import Clock, SystemClock
from carnet.core.errors import ChainError
from carnet.core.text import Text
from carnet.services.dispatching import Dispatcher
from carnet.services.workspace import Workspace
from carnet.store.engine import reading


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """What `carnet chain status` shows.

    Args:
        url: The node's address without anything secret in it.
        is_managed: Whether the node is the workspace's own development node.
        node: That node, where it runs.
        chain_id: The chain, or None where no node answers.
        block_number: The latest block.
        now: Its instant.
        deployments: The contracts recorded for this chain.
        codes: What stands at their addresses, by name, where a node answers.
    """

    url: str
    is_managed: bool
    node: NodeStatus | None
    chain_id: int | None
    block_number: int | None
    now: datetime | None
    deployments: tuple[Deployment, ...]
    codes: Mapping[str, CodeState]


class ChainSession:
    """An open connection to the chain of a workspace, with its keys and contracts."""

    def __init__(self, workspace: Workspace, rpc: RpcClient, chain_id: int, clock: Clock) -> None:
        self.workspace = workspace
        self.rpc = rpc
        self.chain_id = chain_id
        self.clock = clock
        self.keys = KeyRing(workspace.keys_path, workspace.secret)
        self.dispatcher = Dispatcher(workspace.engine, rpc, clock)
        self._senders: dict[tuple[ChainRole, str], Sender] = {}

    def sender(self, role: ChainRole, party_id: str = "") -> Sender:
        """Return who sends for a role, given native units on a development chain."""
        found = self._senders.get((role, party_id))
        if found is None:
            account = self.keys.account(role, party_id)
            found = Sender(
                self.rpc,
                account,
                chain_id=self.chain_id,
                lock_folder=self.workspace.chain_path,
                confirmations=self.workspace.settings.confirmations,
                abis=error_abis(),
                words=ERROR_WORDS,
            )
            self._senders[(role, party_id)] = found
        fund_on_dev_chain(self.rpc, self.chain_id, found.address)
        return found

    def contract(self, name: str) -> BoundContract:
        """Return a deployed contract.

        Raises:
            ChainError: It is not deployed on this chain.
        """
        with reading(self.workspace.engine) as connection:
            found = find_deployments(connection, self.chain_id).get(name)
        if found is None:
            raise ChainError(
                "CRN-H-014",
                Text(
                    f"The contract {name} is not deployed on chain {self.chain_id}.",
                    f"合约 {name} 尚未部署到链 {self.chain_id}。",
                ),
                Text("Run `carnet chain deploy`.", "请运行 `carnet chain deploy`。"),
            )
        return bind(self.rpc, found)

    def now(self) -> datetime:
        """Return the instant of the chain's latest block.

        On the workspace's own development chain that is the present one, unless the chain was told
        when to begin.
        """
        is_managed = not self.workspace.settings.rpc_url
        if is_managed and not AnvilNode(self.workspace.chain_path).keeps_own_time():
            catch_up(self.rpc)
        return chain_now(self.rpc)


@contextmanager
def open_chain(
    workspace: Workspace, *, clock: Clock | None = None, start_at: datetime | None = None
) -> Iterator[ChainSession]:
    """Connect to the chain of a workspace for the length of a block.

    Where the workspace names no node of its own, its development node is started if it does not
    run, and stopped at the end unless `up` left it running or another command uses it.

    Args:
        workspace: The workspace.
        clock: Stamps the rows of the outbox.
        start_at: The instant a new development chain begins at.

    Raises:
        ChainUnavailableError: The node does not answer.
        ChainError: It is on another chain, or anvil is missing.
    """
    stamps = clock or SystemClock()
    settings = workspace.settings
    if settings.rpc_url:
        with RpcClient(settings.rpc_url, chain_id=settings.chain_id) as rpc:
            yield ChainSession(workspace, rpc, rpc.check_chain(), stamps)
        return
    node = AnvilNode(workspace.chain_path)
    node.join()
    try:
        status, _ = node.start(start_at=start_at)
        with RpcClient(status.url, chain_id=settings.chain_id) as rpc:
            yield ChainSession(workspace, rpc, rpc.check_chain(), stamps)
    finally:
        node.leave()


def up(workspace: Workspace, *, start_at: datetime | None = None) -> tuple[NodeStatus, bool]:
    """Start the development node so that it stays, and return it and whether it was started.

    Raises:
        ChainError: The workspace uses a node of its own, or anvil is missing.
    """
    _require_managed(workspace)
    return AnvilNode(workspace.chain_path).start(start_at=start_at, is_detached=True)


def down(workspace: Workspace) -> bool:
    """Stop the development node with its state kept; return whether one was running.

    Raises:
        ChainError: The workspace uses a node of its own.
    """
    _require_managed(workspace)
    return AnvilNode(workspace.chain_path).stop()


def status(workspace: Workspace) -> ChainStatus:
    """Return what is known of the chain without starting anything.

    Raises:
        ChainUnavailableError: The node that rpc_url names does not answer.
    """
    settings = workspace.settings
    is_managed = not settings.rpc_url
    node = AnvilNode(workspace.chain_path).status() if is_managed else None
    url = node.url if node is not None else settings.rpc_url
    with reading(workspace.engine) as connection:
        known = tuple(find_deployments(connection, settings.chain_id).values())
    if not url:
        return ChainStatus("", is_managed, None, None, None, None, known, {})
    with RpcClient(url, chain_id=settings.chain_id) as rpc:
        found = rpc.check_chain()
        codes = {each.contract: code_state(rpc, each.contract, each.address) for each in known}
        block, now = rpc.block_number(), chain_now(rpc)
    return ChainStatus(redact_url(url), is_managed, node, found, block, now, known, codes)


def _require_managed(workspace: Workspace) -> None:
    if workspace.settings.rpc_url:
        shown = redact_url(workspace.settings.rpc_url)
        raise ChainError(
            "CRN-H-015",
            Text(
                f"This workspace uses the node at {shown}; Carnet does not start or stop it.",
                f"本工作区使用节点 {shown}；Carnet 不会启动或停止它。",
            ),
            Text(
                "Take rpc_url out of carnet.toml (or unset CARNET_RPC_URL) to use a development "
                "node.",
                "如需使用开发节点，请从 carnet.toml 中删除 rpc_url（或取消 CARNET_RPC_URL）。",
            ),
        )

"""Time on a development chain: it can be moved forward, so that a story of months takes seconds."""

from datetime import UTC, date, datetime, time

from carnet.chain.keys import require_dev_chain
from carnet.chain.rpc import RpcClient
from carnet.core.text import Text

LAG_MAX_S = 5
"""How much older than the node's time the latest block may be where the present instant matters."""


def chain_now(rpc: RpcClient) -> datetime:
    """Return the instant of the latest block."""
    return datetime.fromtimestamp(rpc.block_timestamp_s(), UTC)


def catch_up(rpc: RpcClient) -> None:
    """Mine a block where the latest one is older than the time of a development node.

    Such a node mines only when something is sent, so that after idle days its views would answer
    for the day of the last block.
    """
    latest = rpc.block_timestamp_s()
    # The pending block would be mined at the present instant of the node.
    if rpc.block_timestamp_s("pending") - latest > LAG_MAX_S:
        rpc.call("evm_mine")


def advance_to(rpc: RpcClient, chain_id: int, instant: datetime) -> datetime:
    """Mine a block at an instant, if the chain is not there yet; return where it stands.

    Raises:
        ChainError: It is not a development chain.
    """
    require_dev_chain(chain_id, Text("Moving time", "调整时间"))
    now = chain_now(rpc)
    if instant <= now:
        return now
    rpc.call("evm_setNextBlockTimestamp", int(instant.timestamp()))
    rpc.call("evm_mine")
    return chain_now(rpc)


def advance_to_day(rpc: RpcClient, chain_id: int, day: date) -> datetime:
    """Mine a block at the start of a UTC day, if the chain is not there yet."""
    return advance_to(rpc, chain_id, datetime.combine(day, time.min, UTC))

"""Verifying a bundle with two files and, unless offline, one node: no workspace, no account.

The chain is read by three requests to the node that the lender names: its chain id, whether the
registry has code, and one ``rootAt``. Whatever goes wrong there leaves the step not checked.
"""

from dataclasses import replace
from datetime import date

from eth_utils.crypto import keccak

from carnet.chain.rpc import RpcClient
from carnet.core.digests import DIGEST_SIZE
from carnet.core.errors import ChainUnavailableError
from carnet.core.text import Text
from carnet.ledger.bundle import AnchorCoordinates
from carnet.ledger.policy import parse_policy
from carnet.ledger.verify import AnchorReader, Verification, verify_bundle

TIMEOUT_S = 5.0
ROOT_AT = keccak(text="rootAt(bytes32,uint64)")[:4]
_NO_ROOT = bytes(DIGEST_SIZE)


def _unreadable(en: str, zh: str) -> ChainUnavailableError:
    return ChainUnavailableError(
        "CRN-V-031", Text(f"The anchor was not read: {en}.", f"未能读取锚定：{zh}。")
    )


def _call_data(found: AnchorCoordinates) -> str:
    return "0x" + (ROOT_AT + found.origin_hash + found.size.to_bytes(32, "big")).hex()


def _read_root(rpc: RpcClient, found: AnchorCoordinates) -> bytes | None:
    chain_id = rpc.chain_id()
    if chain_id != found.chain_id:
        raise _unreadable(
            f"the node is on chain {chain_id}, not {found.chain_id}",
            f"节点位于链 {chain_id}，而不是 {found.chain_id}",
        )
    code = rpc.call("eth_getCode", found.contract, "latest")
    if not isinstance(code, str) or len(code) <= len("0x"):
        raise _unreadable(
            f"there is no contract at {found.contract}", f"{found.contract} 处没有合约"
        )
    call = {"to": found.contract, "data": _call_data(found)}
    root = bytes.fromhex(str(rpc.call("eth_call", call, "latest")).removeprefix("0x"))
    if len(root) != DIGEST_SIZE:
        raise _unreadable("the answer is not 32 bytes", "返回值不是 32 字节")
    return None if root == _NO_ROOT else root


def anchor_reader(url: str, *, timeout_s: float = TIMEOUT_S) -> AnchorReader:
    """Return a function that reads an anchored root from a node, None where none is anchored.

    That function raises ChainUnavailableError where the node does not tell.

    Args:
        url: The node's RPC address.
        timeout_s: How long one request may take.
    """

    def read(found: AnchorCoordinates) -> bytes | None:
        try:
            with RpcClient(url, timeout_s=timeout_s) as rpc:
                return _read_root(rpc, found)
        except (ValueError, TypeError) as error:
            raise _unreadable("the node's answer is malformed", "节点返回的内容格式错误") from error

    return read


def verify_file(
    data: bytes,
    policy: bytes,
    *,
    today: date,
    as_of: date | None = None,
    rpc_url: str | None = None,
) -> Verification:
    """Return what the bytes of a bundle prove under the bytes of a policy.

    Args:
        data: The bundle.
        policy: The policy file.
        today: The UTC day at which validity is judged, unless the policy names one.
        as_of: The day at which validity is judged, whatever the policy names.
        rpc_url: The node to read the anchor from; None to stay offline.

    Raises:
        InputError: The policy cannot be used.
    """
    trusted = parse_policy(policy)
    if as_of is not None:
        trusted = replace(trusted, as_of=as_of)
    reader = anchor_reader(rpc_url) if rpc_url else None
    return verify_bundle(data, trusted, today=today, read_anchor=reader)

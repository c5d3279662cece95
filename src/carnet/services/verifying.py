"""Verifying a bundle with two files and, unless offline, one node: no workspace, no account.

The chain is read by three requests to the node that the lender names: its chain id, whether the
registry has code, and one ``rootAt``. Whatever goes wrong there leaves the step not checked.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final, Self

from eth_utils.crypto import keccak

from carnet.chain.rpc import RpcClient
from carnet.core.digests import DIGEST_SIZE
from carnet.core.errors import (
    ChainUnavailableError,
    ConflictError,
    InputError,
    RecordFormatError,
    VerificationError,
)
from carnet.core.text import Text
from carnet.ledger.bundle import AnchorCoordinates
from carnet.ledger.checkpoint import SignedCheckpoint
from carnet.ledger.policy import Policy, parse_policy
from carnet.ledger.seen import ConsistencyProof, parse_consistency
from carnet.ledger.verify import AnchorReader, Verification, verify_bundle
from carnet.services.seen import SeenStore

TIMEOUT_S = 5.0
ATTEMPTS_MAX: Final = 8
"""How often a bundle is verified again because another verification moved the state meanwhile."""

ROOT_AT = keccak(text="rootAt(bytes32,uint64)")[:4]
_NO_ROOT = bytes(DIGEST_SIZE)


def _unreadable(en: str, zh: str) -> ChainUnavailableError:
    return ChainUnavailableError(
        "CRN-V-031", Text(f"The anchor was not read: {en}.", f"未能读取锚定：{zh}。")
    )


def _call_data(found: AnchorCoordinates) -> str:
    return "0x" + (ROOT_AT + found.origin_hash + found.size.to_bytes(32, "big")).hex()


def _check_registry(rpc: RpcClient, found: AnchorCoordinates) -> None:
    """Check that the node is on the chain and has a contract where the bundle names it."""
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


def _read_root(rpc: RpcClient, found: AnchorCoordinates) -> bytes | None:
    call = {"to": found.contract, "data": _call_data(found)}
    root = bytes.fromhex(str(rpc.call("eth_call", call, "latest")).removeprefix("0x"))
    if len(root) != DIGEST_SIZE:
        raise _unreadable("the answer is not 32 bytes", "返回值不是 32 字节")
    return None if root == _NO_ROOT else root


class ChainReader:
    """Reads anchored roots from a node; None where none is anchored.

    Used as a context manager it keeps one connection for all reads and asks for chain and contract
    once; else each read has its own. A read raises ChainUnavailableError where the node does not
    tell.

    Args:
        url: The node's RPC address.
        timeout_s: How long one request may take.
    """

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._kept: RpcClient | None = None
        self._checked: set[tuple[int, str]] = set()

    def __enter__(self) -> Self:
        self._kept = RpcClient(self._url, timeout_s=self._timeout_s)
        return self

    def __exit__(self, *_: object) -> None:
        if self._kept is not None:
            self._kept.close()
        self._kept = None
        self._checked.clear()

    def __call__(self, found: AnchorCoordinates) -> bytes | None:
        """Return the root that a registry holds for a tree."""
        if self._kept is None:
            with self:
                return self(found)
        registry = (found.chain_id, found.contract)
        try:
            if registry not in self._checked:
                _check_registry(self._kept, found)
                self._checked.add(registry)
            return _read_root(self._kept, found)
        except (ValueError, TypeError) as error:
            raise _unreadable("the node's answer is malformed", "节点返回的内容格式错误") from error


def anchor_reader(url: str, *, timeout_s: float = TIMEOUT_S) -> ChainReader:
    """Return a function that reads an anchored root from a node, None where none is anchored.

    That function raises ChainUnavailableError where the node does not tell.

    Args:
        url: The node's RPC address.
        timeout_s: How long one request may take.
    """
    return ChainReader(url, timeout_s=timeout_s)


def verify_file(
    data: bytes,
    policy: bytes,
    *,
    today: date,
    as_of: date | None = None,
    rpc_url: str | None = None,
    state: Path | None = None,
    proofs: Sequence[bytes] = (),
) -> Verification:
    """Return what the bytes of a bundle prove under the bytes of a policy.

    Args:
        data: The bundle.
        policy: The policy file.
        today: The UTC day at which validity is judged, unless the policy names one.
        as_of: The day at which validity is judged, whatever the policy names.
        rpc_url: The node to read the anchor from; None to stay offline.
        state: The folder that remembers what was seen of each log; None to remember nothing.
        proofs: Consistency proofs, each as ``carnet log consistency`` prints it.

    Raises:
        InputError: The policy, a proof or the state cannot be used.
        ConflictError: Other verifications keep moving the state.
    """
    trusted = parse_policy(policy)
    if as_of is not None:
        trusted = replace(trusted, as_of=as_of)
    reader = anchor_reader(rpc_url) if rpc_url else None
    given = [read_consistency(item) for item in proofs]
    if state is None:
        return verify_bundle(data, trusted, today=today, read_anchor=reader, proofs=given)
    store = SeenStore(state, trusted.logs)
    for _ in range(ATTEMPTS_MAX):
        found, before = _verify_with_state(data, trusted, today, reader, store, given)
        if found.newest is None or store.advance(before, found.newest):
            return found
    raise ConflictError(
        "CRN-V-044",
        Text(
            f"What was seen before changed {ATTEMPTS_MAX} times while the bundle was verified.",
            f"核验期间，所见检查点的记录改变了 {ATTEMPTS_MAX} 次。",
        ),
        Text("Run the command again.", "请重新运行该命令。"),
    )


def _verify_with_state(
    data: bytes,
    policy: Policy,
    today: date,
    read_anchor: AnchorReader | None,
    store: SeenStore,
    proofs: Sequence[ConsistencyProof],
) -> tuple[Verification, SignedCheckpoint | None]:
    seen: list[SignedCheckpoint | None] = []

    def read(origin: str) -> SignedCheckpoint | None:
        seen.append(store.read(origin))
        return seen[-1]

    found = verify_bundle(
        data, policy, today=today, read_anchor=read_anchor, read_seen=read, proofs=proofs
    )
    return found, seen[-1] if seen else None


def read_consistency(data: bytes) -> ConsistencyProof:
    """Return the proof that ``carnet log consistency`` printed.

    Raises:
        InputError: The bytes are not such a proof.
    """
    try:
        return parse_consistency(data)
    except (RecordFormatError, VerificationError) as error:
        raise InputError(
            "CRN-V-043",
            Text(
                f"The consistency proof cannot be used: {error.message.en}",
                f"无法使用该一致性证明：{error.message.zh}",
            ),
            Text(
                "Give the output of `carnet log consistency` as it is.",
                "请原样提供 `carnet log consistency` 的输出。",
            ),
        ) from error

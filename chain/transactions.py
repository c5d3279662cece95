"""Transactions: simulate, sign, send, wait, compare.

Guarantees: a transaction is simulated before it is signed; its hash is known and handed to the
caller before it is sent; after an unknown outcome the chain is read before the very same bytes are
sent again, so that nothing is ever sent twice under two nonces. One process at a time gives out
nonces for one account.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from carnet.chain.contract import ContractAbi, Event
from carnet.chain.reverts import explained
from carnet.chain.rpc import NodeRefusedError, RpcClient
from carnet.core.errors import ChainError, ChainUnavailableError, TransactionRevertedError
from carnet.core.text import Text

SEND_ATTEMPTS_MAX = 3
WAIT_TIMEOUT_S = 60.0

_PAUSE_MIN_S = 0.01
_PAUSE_MAX_S = 1.0
_GAS_SPARE = 200_000
_KNOWN_MARKS = ("already known", "already imported", "known transaction")


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction that is signed and perhaps sent; its hash is final."""

    sender: str
    nonce: int
    chain_id: int
    raw: bytes
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transaction that stands in a block and did not revert."""

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    gas_used: int
    contract_address: str | None
    logs: tuple[Mapping[str, Any], ...]


def _ignore(_: SignedTransaction) -> None:
    """Do nothing: the default of a step nobody wants to see."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What the caller does around the sending of a transaction.

    Args:
        signed: Called with the final hash before anything leaves this machine; raising stops it.
        sent: Called as soon as the node has it.
    """

    signed: Callable[[SignedTransaction], None] = _ignore
    sent: Callable[[SignedTransaction], None] = _ignore


NO_STEPS = Steps()


class Sender:
    """One account that sends to one node.

    Args:
        rpc: The node; its chain id was checked.
        account: The key that signs.
        chain_id: The chain that the signatures are for.
        lock_folder: Where the lock of this account's nonces lives.
        confirmations: Blocks that make a transaction final enough, its own included.
        abis: The contracts whose errors can come back, for messages.
        words: What each custom error means.
    """

    def __init__(
        self,
        rpc: RpcClient,
        account: LocalAccount,
        *,
        chain_id: int,
        lock_folder: Path,
        confirmations: int = 1,
        abis: Sequence[ContractAbi] = (),
        words: Mapping[str, Text] | None = None,
    ) -> None:
        assert confirmations >= 1, "the block of the transaction counts as one"
        self.address = to_checksum_address(account.address)
        self._rpc = rpc
        self._account = account
        self._chain_id = chain_id
        self._lock_path = lock_folder / f"nonce-{chain_id}-{self.address}.lock"
        self._confirmations = confirmations
        self._abis = abis
        self._words = words or {}

    def send(
        self, to: str | None, data: bytes, *, gas_min: int = 0, steps: Steps = NO_STEPS
    ) -> Receipt:
        """Send one transaction and return its receipt once it is confirmed.

        Args:
            to: The contract, or None to create one.
            data: Call data, or creation code with its arguments.
            gas_min: Gas to give at least. An estimate is the least with which the whole does not
                fail, which is too little where inner calls may fail by themselves.
            steps: What the caller does around the sending.

        Raises:
            TransactionRevertedError: It would revert, or did.
            ChainUnavailableError: The outcome is unknown; read the state before trying again.
        """
        with self._nonce_lock():
            transaction = self._sign(to, data, gas_min)
            steps.signed(transaction)
            self.broadcast(transaction)
            steps.sent(transaction)
        return self.wait(transaction.tx_hash)

    def broadcast(self, transaction: SignedTransaction) -> None:
        """Hand a signed transaction to the node; harmless where the node has it already.

        Raises:
            ChainUnavailableError: The node does not answer; whether it has it is unknown.
            NodeRefusedError: The node refused it and does not know it.
        """
        text = "0x" + transaction.raw.hex()
        for attempt in range(1, SEND_ATTEMPTS_MAX + 1):
            try:
                self._rpc.call("eth_sendRawTransaction", text)
            except ChainUnavailableError:
                if self.is_known(transaction.tx_hash):
                    return
                if attempt == SEND_ATTEMPTS_MAX:
                    raise
            except NodeRefusedError as error:
                marks = any(mark in error.detail.lower() for mark in _KNOWN_MARKS)
                if marks or self.is_known(transaction.tx_hash):
                    return
                raise
            else:
                return

    def is_known(self, tx_hash: bytes) -> bool:
        """Return whether the node has a transaction, in a block or waiting for one."""
        return self._rpc.call("eth_getTransactionByHash", "0x" + tx_hash.hex()) is not None

    def nonces(self) -> tuple[int, int]:
        """Return how many transactions of the account stand in blocks, and with those waiting."""
        asked = [("eth_getTransactionCount", [self.address, at]) for at in ("latest", "pending")]
        mined, pending = self._rpc.batch(asked)
        with self._rpc.decoding("eth_getTransactionCount"):
            return int(mined, 16), int(pending, 16)

    def wait(self, tx_hash: bytes, *, timeout_s: float = WAIT_TIMEOUT_S) -> Receipt:
        """Return the receipt of a transaction once it has its confirmations.

        Raises:
            TransactionRevertedError: It stands in a block but reverted.
            ChainUnavailableError: It is not confirmed in time; it may be later.
        """
        deadline = time.monotonic() + timeout_s
        pause = _PAUSE_MIN_S
        while True:
            found = self._rpc.call("eth_getTransactionReceipt", "0x" + tx_hash.hex())
            with self._rpc.decoding("eth_getTransactionReceipt"):
                if found is not None and self._is_deep(int(found["blockNumber"], 16)):
                    return self._checked(found)
            if time.monotonic() > deadline:
                raise _not_confirmed(tx_hash, timeout_s, self._confirmations)
            time.sleep(pause)
            pause = min(pause * 1.5, _PAUSE_MAX_S)

    def _is_deep(self, block_number: int) -> bool:
        if self._confirmations == 1:
            return True
        return self._rpc.block_number() - block_number + 1 >= self._confirmations

    def _sign(self, to: str | None, data: bytes, gas_min: int) -> SignedTransaction:
        request = {"from": self.address, "data": "0x" + data.hex()}
        if to is not None:
            request["to"] = to
        try:
            gas, nonce, block, tip = self._rpc.batch(
                [
                    ("eth_estimateGas", [request]),
                    ("eth_getTransactionCount", [self.address, "pending"]),
                    ("eth_getBlockByNumber", ["latest", False]),
                    ("eth_maxPriorityFeePerGas", []),
                ]
            )
        except TransactionRevertedError as error:
            raise explained(error, self._abis, self._words) from None
        with self._rpc.decoding("eth_estimateGas"):
            tip_fee, base_fee = int(tip, 16), int(block["baseFeePerGas"], 16)
            estimate, next_nonce = int(gas, 16), int(nonce, 16)
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": self._chain_id,
            "nonce": next_nonce,
            # The payment of one leg may fail without failing the whole: give more than the
            # estimate. What is not used is not paid.
            "gas": max(estimate * 3 // 2 + _GAS_SPARE, gas_min),
            "maxFeePerGas": 2 * base_fee + tip_fee,
            "maxPriorityFeePerGas": tip_fee,
            "value": 0,
            "data": data,
        }
        if to is not None:
            fields["to"] = to
        signed = self._account.sign_transaction(fields)
        return SignedTransaction(
            sender=self.address,
            nonce=fields["nonce"],
            chain_id=self._chain_id,
            raw=bytes(signed.raw_transaction),
            tx_hash=bytes(signed.hash),
        )

    def _checked(self, found: Mapping[str, Any]) -> Receipt:
        if int(found["status"], 16) != 1:
            raise self._reverted(found)
        address = found.get("contractAddress")
        return Receipt(
            tx_hash=_bytes(found["transactionHash"]),
            block_number=int(found["blockNumber"], 16),
            block_hash=_bytes(found["blockHash"]),
            gas_used=int(found["gasUsed"], 16),
            contract_address=to_checksum_address(address) if address else None,
            logs=tuple(found["logs"]),
        )

    def _reverted(self, found: Mapping[str, Any]) -> ChainError:
        """Return why a mined transaction failed, by calling the same again at its block."""
        sent = self._rpc.call("eth_getTransactionByHash", found["transactionHash"])
        request = {key: sent[key] for key in ("from", "to", "value") if sent.get(key)}
        request["data"] = sent["input"]
        try:
            self._rpc.call("eth_call", request, found["blockNumber"])
        except TransactionRevertedError as error:
            return explained(error, self._abis, self._words)
        shown = found["transactionHash"]
        return TransactionRevertedError(
            "CRN-H-006",
            Text(
                f"The transaction {shown} failed in its block, though it does not fail now.",
                f"交易 {shown} 在区块中执行失败，但现在模拟执行不会失败。",
            ),
            Text(
                "The state changed between simulation and block; run the command again.",
                "模拟与入块之间状态发生了变化；请重新运行该命令。",
            ),
            reason="unknown",
        )

    @contextmanager
    def _nonce_lock(self) -> Iterator[None]:
        self._lock_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def expect_event(
    receipt: Receipt, abi: ContractAbi, address: str, name: str, **expected: Any
) -> Event:
    """Return the event that shows a transaction did what was meant.

    Args:
        receipt: The confirmed transaction.
        abi: The interface of the contract.
        address: The contract that must have written it.
        name: The event.
        expected: Arguments it must carry; others are not compared.

    Raises:
        ChainError: There is no such event, or it carries other values.
    """
    events = [e for e in abi.decode_logs(receipt.logs, address=address) if e.name == name]
    for event in events:
        if all(event.values.get(key) == value for key, value in expected.items()):
            return event
    shown = "0x" + receipt.tx_hash.hex()
    raise ChainError(
        "CRN-H-008",
        Text(
            f"The transaction {shown} was mined, but wrote no event {name} with the values meant.",
            f"交易 {shown} 已入块，但没有写出符合预期的事件 {name}。",
        ),
        Text(
            "Check that the deployed contracts are of this version: `carnet chain status`.",
            "请用 `carnet chain status` 检查已部署合约的版本。",
        ),
    )


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _not_confirmed(tx_hash: bytes, timeout_s: float, confirmations: int) -> ChainUnavailableError:
    shown = "0x" + tx_hash.hex()
    return ChainUnavailableError(
        "CRN-H-007",
        Text(
            f"The transaction {shown} has no {confirmations} confirmation(s) "
            f"after {timeout_s:.0f} s.",
            f"交易 {shown} 在 {timeout_s:.0f} 秒内未获得 {confirmations} 次确认。",
        ),
        Text(
            "Run the same command again: it looks for this transaction before it sends another.",
            "请重新运行同一命令：它会先查找这笔交易，而不会重复发送。",
        ),
    )

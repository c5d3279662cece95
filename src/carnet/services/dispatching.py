"""Actions on the chain, each exactly once: first a row of the outbox, then a transaction.

The order of one action is: plan the row, sign, store the signed transaction in the row, send it,
wait, mark the row confirmed. A crash between any two steps leaves a row from which the same call
goes on: it reads the chain first, then sends the stored bytes again if the chain lacks them. Only
if a stored transaction can no longer be mined, because another one with its nonce stands in a
block, is the action signed anew; two transactions of one action can thus never both take effect
unless the contract itself allows the action twice. A transaction that a reorganisation dropped is
first sent again as it was, since a peer that still has it may do the same. A node that refuses the
stored bytes for any other reason is asked again later.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from sqlalchemy import Engine

from carnet.chain.rpc import DEV_CHAIN_ID, NodeRefusedError, RpcClient
from carnet.chain.transactions import Receipt, Sender, SignedTransaction, Steps
from carnet.core.clock import Clock
from carnet.core.crash import crash_point
from carnet.core.errors import ChainError, ChainUnavailableError, TransactionRevertedError
from carnet.core.text import Text
from carnet.store import outbox
from carnet.store.engine import reading, writing
from carnet.store.outbox import Action
from carnet.store.tables import OutboxState

STEPS_MAX = 8
"""State changes of one action in one call: more would be two processes undoing each other."""

_ERROR_MAX = 400


@dataclass(frozen=True, slots=True)
class Call:
    """What a transaction carries: where it goes (None creates a contract) and its data."""

    to: str | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Intent:
    """One action that must take effect exactly once.

    Args:
        kind: What it is, such as ``anchor``; its first word names its crash points.
        key: Names the action for ever; the same key is the same action.
        payload: What it means, for people and audits; equal for equal keys.
        sender: Who signs.
        make_call: Builds the call when it is to be signed; may read the chain.
        is_done: Whether the chain shows the effect. Without it the receipt of the stored
            transaction decides.
    """

    kind: str
    key: str
    payload: Mapping[str, Any]
    sender: Sender
    make_call: Callable[[], Call]
    is_done: Callable[[Action], bool] | None = None


class Dispatcher:
    """Performs intents for one workspace on one chain."""

    def __init__(self, engine: Engine, rpc: RpcClient, clock: Clock) -> None:
        self._engine = engine
        self._rpc = rpc
        self._clock = clock

    def perform(self, intent: Intent) -> Action:
        """Bring an action to its effect and return its confirmed row.

        Calling it again, at any time and after any crash, returns the same confirmed action; an
        effect that the chain has lost is brought about again.

        Raises:
            TransactionRevertedError: The contract refuses; the row is failed and may be retried.
            ChainUnavailableError: The node does not answer; the row tells how far it came.
            ConflictError: Another process performs the same action at this moment.
        """
        crash_point(_point(intent, "before-plan"))
        action = self._plan(intent)
        for _ in range(STEPS_MAX):
            if self._has_effect(intent, action):
                if action.state in {OutboxState.CONFIRMED, OutboxState.FINALISED}:
                    return action
                action = self._confirm(intent, action)
            elif action.state is OutboxState.CONFIRMED:
                action = self._move(action, OutboxState.ORPHANED)
            elif action.state is OutboxState.FAILED:
                action = self._move(action, OutboxState.PLANNED, error=None)
            elif action.state is OutboxState.SENT or _is_to_be_sent_as_it_was(intent, action):
                action = self._send_again(intent, action)
            else:
                action = self._send_new(intent, action)
        raise AssertionError("an action settles within a bounded number of steps")

    def _plan(self, intent: Intent) -> Action:
        with writing(self._engine) as connection:
            return outbox.plan(
                connection,
                kind=intent.kind,
                idempotency_key=intent.key,
                payload=intent.payload,
                at=self._clock.now(),
            )

    def _has_effect(self, intent: Intent, action: Action) -> bool:
        if intent.is_done is not None:
            return intent.is_done(action)
        return self._receipt_status(action) == 1

    def _receipt_status(self, action: Action) -> int | None:
        if action.tx_hash is None:
            return None
        found = self._rpc.call("eth_getTransactionReceipt", "0x" + action.tx_hash.hex())
        with self._rpc.decoding("eth_getTransactionReceipt"):
            return None if found is None else int(found["status"], 16)

    def _confirm(self, intent: Intent, action: Action) -> Action:
        """Mark an action whose effect the chain shows, with its block where the tx is ours."""
        values: dict[str, Any] = {"error": None}
        if action.tx_hash is not None and self._receipt_status(action) == 1:
            receipt = intent.sender.wait(action.tx_hash)
            values |= {"block_number": receipt.block_number, "block_hash": receipt.block_hash}
        if action.state is OutboxState.FAILED:
            action = self._move(action, OutboxState.PLANNED)
        confirmed = self._move(action, OutboxState.CONFIRMED, **values)
        crash_point(_point(intent, "after-confirm"))
        return confirmed

    def _send_new(self, intent: Intent, action: Action) -> Action:
        call = intent.make_call()
        current = action

        def store(transaction: SignedTransaction) -> None:
            nonlocal current
            current = self._move(
                current,
                OutboxState.SENT,
                attempts=current.attempts + 1,
                chain_id=transaction.chain_id,
                sender=transaction.sender,
                nonce=transaction.nonce,
                raw_tx=transaction.raw,
                tx_hash=transaction.tx_hash,
                block_number=None,
                block_hash=None,
                error=None,
            )
            crash_point(_point(intent, "before-send"))

        steps = Steps(signed=store, sent=lambda _: crash_point(_point(intent, "after-send")))
        try:
            receipt = intent.sender.send(call.to, call.data, steps=steps)
        except TransactionRevertedError as error:
            self._fail(current, error)
        return self._mined(intent, current, receipt)

    def _send_again(self, intent: Intent, action: Action) -> Action:
        """Go on with a transaction that was stored, and perhaps sent, before a crash."""
        transaction = _stored(action)
        sender = intent.sender
        if self._is_void(sender, transaction):
            return self._move(action, OutboxState.PLANNED)
        try:
            crash_point(_point(intent, "before-send"))
            sender.broadcast(transaction)
            crash_point(_point(intent, "after-send"))
            receipt = sender.wait(transaction.tx_hash)
        except NodeRefusedError as error:
            if self._is_void(sender, transaction):
                return self._move(action, OutboxState.PLANNED)
            raise _not_taken(transaction, error) from None
        except TransactionRevertedError as error:
            self._fail(action, error)
        return self._mined(intent, action, receipt)

    def _is_void(self, sender: Sender, transaction: SignedTransaction) -> bool:
        """Return whether a stored transaction can never take effect.

        So it is once another one with its nonce stands in a block; the order of the questions
        matters, since a transaction that is mined between them counts itself. On a development
        chain, and only there, a nonce that lies beyond the next one means a chain begun anew.
        """
        mined, pending = sender.nonces()
        if transaction.nonce < mined:
            return not sender.is_known(transaction.tx_hash)
        is_begun_anew = transaction.chain_id == DEV_CHAIN_ID and transaction.nonce > pending
        return is_begun_anew and not sender.is_known(transaction.tx_hash)

    def _mined(self, intent: Intent, action: Action, receipt: Receipt) -> Action:
        confirmed = self._move(
            action,
            OutboxState.CONFIRMED,
            block_number=receipt.block_number,
            block_hash=receipt.block_hash,
        )
        crash_point(_point(intent, "after-confirm"))
        return confirmed

    def _fail(self, action: Action, error: ChainError) -> NoReturn:
        self._move(action, OutboxState.FAILED, error=str(error)[:_ERROR_MAX])
        raise error

    def _move(self, action: Action, to: OutboxState, **values: int | str | bytes | None) -> Action:
        with writing(self._engine) as connection:
            return outbox.transition(connection, action, to, at=self._clock.now(), **values)

    def find(self, key: str) -> Action | None:
        """Return the action of a key, if it was ever planned."""
        with reading(self._engine) as connection:
            return outbox.find(connection, key)

    def newest(self, prefix: str) -> Action | None:
        """Return the action planned last of those whose keys begin alike."""
        with reading(self._engine) as connection:
            return outbox.find_newest(connection, prefix)


def _point(intent: Intent, step: str) -> str:
    return f"{intent.kind.partition('.')[0]}.{step}"


def _is_to_be_sent_as_it_was(intent: Intent, action: Action) -> bool:
    """Return whether the lost transaction of an action must be brought back, not replaced.

    Where the contract tells whether the action is done, a second transaction does no harm, and the
    first may name a contract that the chain lost.
    """
    is_lost = action.state is OutboxState.ORPHANED and action.raw_tx is not None
    return is_lost and intent.is_done is None


def _not_taken(transaction: SignedTransaction, error: NodeRefusedError) -> ChainUnavailableError:
    shown = "0x" + transaction.tx_hash.hex()
    return ChainUnavailableError(
        "CRN-H-009",
        Text(
            f"The node does not take the stored transaction {shown} now: {error.detail}.",
            f"节点目前不接受已保存的交易 {shown}：{error.detail}。",
        ),
        Text(
            "Run the same command again later: these bytes are sent again, never others.",
            "请稍后重新运行同一命令：只会重发这些字节，不会另签交易。",
        ),
    )


def _stored(action: Action) -> SignedTransaction:
    assert action.raw_tx is not None, "a sent action holds its transaction"
    assert action.tx_hash is not None, "a sent action holds its hash"
    assert action.sender is not None, "a sent action holds its sender"
    assert action.nonce is not None, "a sent action holds its nonce"
    assert action.chain_id is not None, "a sent action holds its chain"
    return SignedTransaction(
        action.sender, action.nonce, action.chain_id, action.raw_tx, action.tx_hash
    )

"""Payments, which no contract recognises, when node and chain lose their transactions."""

import shutil
from datetime import timedelta
from typing import Any

import pytest

from carnet.chain.devtime import advance_to_day
from carnet.chain.keys import ChainRole
from carnet.chain.rpc import DEV_CHAIN_ID, NodeRefusedError
from carnet.chain.transactions import Sender, SignedTransaction
from carnet.core.errors import ChainUnavailableError
from carnet.core.text import Text
from carnet.services import financing
from carnet.services.anchoring import push
from carnet.services.chaining import ChainSession, open_chain
from carnet.services.deploying import deploy
from carnet.services.keys import ensure_key
from carnet.services.receivables import open_book, show
from carnet.services.workspace import Workspace
from carnet.store.outbox import Action
from tests.fixtures_chain import CHAIN_START, CLOCK

PAID = 1_000
REFUSED = NodeRefusedError(
    "CRN-H-004",
    Text("rate limit", "限流"),
    Text("", ""),
    rpc_code=-32005,
    detail="rate limit exceeded",
)


def _begin(session: ChainSession) -> None:
    financing.confirm(session, "RCV-1")
    advance_to_day(session.rpc, DEV_CHAIN_ID, CHAIN_START.date() + timedelta(days=1))
    financing.fund(session, "RCV-1")
    # Enough money for two payments: only the code under test keeps it at one.
    token = open_book(session).token
    platform = session.keys.address(ChainRole.PLATFORM, "PLATFORM-A")
    call = token.abi.encode_call("mint", platform, 5 * PAID)
    session.sender(ChainRole.MINTER).send(token.address, call)


def _pay(session: ChainSession, reference: str = "first") -> Action:
    return financing.pay(session, "RCV-1", units=PAID, reference=reference)


def _lockbox(session: ChainSession) -> int:
    found = show(session, "RCV-1").on_chain
    assert found is not None
    return found.lockbox_balance


def _die_before_paying(
    session: ChainSession, monkeypatch: pytest.MonkeyPatch, reference: str = "first"
) -> bytes:
    """Leave a payment signed and stored but not sent, and return its bytes."""
    kept: list[bytes] = []
    original = Sender.broadcast

    def broadcast(sender: Sender, transaction: SignedTransaction) -> None:
        if sender.address == session.keys.address(ChainRole.PLATFORM, "PLATFORM-A"):
            kept.append(transaction.raw)
            raise KeyboardInterrupt
        original(sender, transaction)

    with monkeypatch.context() as patched:
        patched.setattr(Sender, "broadcast", broadcast)
        with pytest.raises(KeyboardInterrupt):
            _pay(session, reference)
    return kept[0]


def test_pay__reorganised_away_is_brought_back_as_the_same_transaction(
    session: ChainSession,
) -> None:
    _begin(session)
    first = _pay(session)
    session.rpc.call("anvil_reorg", 1, [])
    assert _lockbox(session) == 0
    again = _pay(session)
    assert (again.tx_hash, again.nonce) == (first.tx_hash, first.nonce)
    assert _lockbox(session) == PAID


def test_pay__a_node_that_refuses_for_now_never_leads_to_a_second_payment(
    session: ChainSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    _begin(session)
    raw = _die_before_paying(session, monkeypatch)

    def refuse(_: Sender, __: SignedTransaction) -> None:
        raise REFUSED

    with monkeypatch.context() as patched:
        patched.setattr(Sender, "broadcast", refuse)
        with pytest.raises(ChainUnavailableError, match=r"CRN-H-009.*rate limit"):
            _pay(session)
    # The bytes that were refused arrive by another way.
    session.rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
    assert _pay(session).raw_tx == raw
    assert _lockbox(session) == PAID


def test_pay__a_nonce_that_another_transaction_used_is_signed_anew(
    session: ChainSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    _begin(session)
    raw = _die_before_paying(session, monkeypatch)
    token = open_book(session).token
    platform = session.sender(ChainRole.PLATFORM, "PLATFORM-A")
    platform.send(token.address, token.abi.encode_call("approve", platform.address, 1))
    assert _pay(session).raw_tx != raw
    assert _lockbox(session) == PAID


def test_pay__stored_for_a_chain_that_was_begun_anew_is_signed_anew(
    chain_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = ensure_key(chain_workspace, "issuer", CLOCK).did

    def begun() -> Any:
        return open_chain(chain_workspace, clock=CLOCK, start_at=CHAIN_START)

    with begun() as session:
        deploy(session, issuer=issuer)
        push(session)
        _begin(session)
        _pay(session)
        kept = _die_before_paying(session, monkeypatch, "second")
    shutil.rmtree(chain_workspace.chain_path)
    monkeypatch.setattr(Sender.wait, "__kwdefaults__", {"timeout_s": 5.0})
    with begun() as session:
        deploy(session, issuer=issuer)
        push(session)
        financing.confirm(session, "RCV-1")
        paid = _pay(session, "second")
        assert paid.raw_tx != kept
        assert _lockbox(session) == PAID


def test_now__after_idle_days_is_that_of_the_machine_and_not_of_the_last_block(
    chain_workspace: Workspace,
) -> None:
    idle = 61 * 86_400
    with open_chain(chain_workspace, clock=CLOCK) as session:
        deploy(session, issuer=ensure_key(chain_workspace, "issuer", CLOCK).did)
        push(session)
        before = session.rpc.block_timestamp_s()
        session.rpc.call("evm_setTime", before + idle)
        assert session.rpc.block_timestamp_s() == before
        assert session.now().timestamp() >= before + idle
        block = session.rpc.block_number()
        session.now()
        assert session.rpc.block_number() == block


def test_now__on_a_chain_told_when_to_begin_mines_nothing(session: ChainSession) -> None:
    session.rpc.call("evm_setTime", session.rpc.block_timestamp_s() + 86_400)
    block = session.rpc.block_number()
    session.now()
    assert session.rpc.block_number() == block

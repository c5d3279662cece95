"""Sending, where the node answers late, never, or twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from carnet.chain.bound import BoundContract
from carnet.chain.deployment import REGISTRY, contract_abi, created_address, creation_code
from carnet.chain.keys import fund_on_dev_chain
from carnet.chain.rpc import DEV_CHAIN_ID, NodeRefusedError, RpcClient
from carnet.chain.transactions import Sender, SignedTransaction, Steps, expect_event
from carnet.chain.words import ERROR_WORDS
from carnet.core.errors import ChainError, ChainUnavailableError, TransactionRevertedError
from carnet.core.text import Text

ORIGIN = b"\x07" * 32
GONE = ChainUnavailableError("CRN-H-002", Text("gone", "断开"))
SEND = "eth_sendRawTransaction"

Call = Callable[..., Any]


@pytest.fixture
def sender(rpc: RpcClient, tmp_path: Path) -> Sender:
    return _sender(rpc, tmp_path)


def _sender(rpc: RpcClient, folder: Path, confirmations: int = 1) -> Sender:
    account = Account.create()
    fund_on_dev_chain(rpc, DEV_CHAIN_ID, account.address)
    return Sender(
        rpc,
        account,
        chain_id=DEV_CHAIN_ID,
        lock_folder=folder,
        confirmations=confirmations,
        abis=(contract_abi(REGISTRY),),
        words=ERROR_WORDS,
    )


@pytest.fixture
def registry(rpc: RpcClient, sender: Sender) -> BoundContract:
    receipt = sender.send(None, creation_code(REGISTRY))
    address = created_address(sender.address, 0)
    assert receipt.contract_address == address
    return BoundContract(rpc, contract_abi(REGISTRY), address, words=ERROR_WORDS)


def _count(rpc: RpcClient, sender: Sender) -> int:
    return int(rpc.call("eth_getTransactionCount", sender.address, "latest"), 16)


def _replace_send(
    monkeypatch: pytest.MonkeyPatch, rpc: RpcClient, send: Callable[[Call, str], Any]
) -> None:
    original = rpc.call

    def call(method: str, *params: Any) -> Any:
        return send(original, params[0]) if method == SEND else original(method, *params)

    monkeypatch.setattr(rpc, "call", call)


def test_send__sent_but_not_answered_is_found_and_not_sent_again(
    rpc: RpcClient, sender: Sender, registry: BoundContract, monkeypatch: pytest.MonkeyPatch
) -> None:
    sends: list[str] = []

    def late(original: Call, raw: str) -> Any:
        sends.append(raw)
        original(SEND, raw)
        raise GONE

    _replace_send(monkeypatch, rpc, late)
    registry.send(sender, "claim", ORIGIN)
    assert len(sends) == 1
    assert _count(rpc, sender) == 2
    assert registry.read("ownerOf", ORIGIN) == sender.address


def test_send__lost_on_the_way_is_sent_again_as_the_same_bytes(
    rpc: RpcClient, sender: Sender, registry: BoundContract, monkeypatch: pytest.MonkeyPatch
) -> None:
    sends: list[str] = []

    def lost(original: Call, raw: str) -> Any:
        sends.append(raw)
        if len(sends) == 1:
            raise GONE
        return original(SEND, raw)

    _replace_send(monkeypatch, rpc, lost)
    registry.send(sender, "claim", ORIGIN)
    assert len(sends) == 2
    assert sends[0] == sends[1]
    assert _count(rpc, sender) == 2


def test_send__never_taken_is_unavailable_after_a_bounded_number_of_tries(
    rpc: RpcClient, sender: Sender, registry: BoundContract, monkeypatch: pytest.MonkeyPatch
) -> None:
    sends: list[str] = []

    def never(_: Call, raw: str) -> Any:
        sends.append(raw)
        raise GONE

    _replace_send(monkeypatch, rpc, never)
    with pytest.raises(ChainUnavailableError):
        registry.send(sender, "claim", ORIGIN)
    assert len(sends) == 3
    assert len(set(sends)) == 1


def test_broadcast__what_the_node_has_already_is_fine(
    sender: Sender, registry: BoundContract
) -> None:
    kept: list[SignedTransaction] = []
    registry.send(sender, "claim", ORIGIN, steps=Steps(signed=kept.append))
    sender.broadcast(kept[0])
    assert sender.wait(kept[0].tx_hash).tx_hash == kept[0].tx_hash


def test_broadcast__a_nonce_that_another_used_is_refused(
    sender: Sender, registry: BoundContract
) -> None:
    kept: list[SignedTransaction] = []

    def stop(transaction: SignedTransaction) -> None:
        kept.append(transaction)
        raise GONE

    with pytest.raises(ChainUnavailableError):
        registry.send(sender, "claim", b"\x01" * 32, steps=Steps(signed=stop))
    registry.send(sender, "claim", b"\x02" * 32)
    with pytest.raises(NodeRefusedError):
        sender.broadcast(kept[0])
    assert not sender.is_known(kept[0].tx_hash)


def test_send__what_would_revert_is_refused_in_words_before_it_is_signed(
    rpc: RpcClient, sender: Sender, registry: BoundContract, tmp_path: Path
) -> None:
    registry.send(sender, "claim", ORIGIN)
    other = _sender(rpc, tmp_path)
    with pytest.raises(TransactionRevertedError) as caught:
        registry.send(other, "anchor", ORIGIN, 1, b"\x09" * 32)
    assert caught.value.reason.startswith("NotOriginOwner(originHash=0x0707")
    assert "another account owns the origin" in caught.value.message.en
    assert _count(rpc, other) == 0


def test_wait__reverted_in_its_block_is_told_in_words(
    rpc: RpcClient, sender: Sender, registry: BoundContract, tmp_path: Path
) -> None:
    other = _sender(rpc, tmp_path)
    kept: list[SignedTransaction] = []

    def hold(transaction: SignedTransaction) -> None:
        kept.append(transaction)
        raise GONE

    with pytest.raises(ChainUnavailableError):
        registry.send(other, "claim", ORIGIN, steps=Steps(signed=hold))
    registry.send(sender, "claim", ORIGIN)
    other.broadcast(kept[0])
    with pytest.raises(TransactionRevertedError) as caught:
        other.wait(kept[0].tx_hash)
    assert caught.value.reason.startswith("OriginTaken(")


def test_wait__needs_all_its_confirmations(
    rpc: RpcClient, registry: BoundContract, tmp_path: Path
) -> None:
    patient = _sender(rpc, tmp_path, confirmations=3)
    hashes: list[bytes] = []

    def keep(transaction: SignedTransaction) -> None:
        hashes.append(transaction.tx_hash)
        raise GONE

    with pytest.raises(ChainUnavailableError):
        registry.send(patient, "claim", ORIGIN, steps=Steps(sent=keep))
    with pytest.raises(ChainUnavailableError, match="CRN-H-007"):
        patient.wait(hashes[0], timeout_s=0.1)
    rpc.call("evm_mine")
    rpc.call("evm_mine")
    assert patient.wait(hashes[0], timeout_s=0.1).block_number == rpc.block_number() - 2


def test_expect_event__other_values_are_told(sender: Sender, registry: BoundContract) -> None:
    receipt = registry.send(sender, "anchor", ORIGIN, 5, b"\x09" * 32)
    found = expect_event(receipt, registry.abi, registry.address, "Anchored", size=5)
    assert found.values["root"] == b"\x09" * 32
    with pytest.raises(ChainError, match="CRN-H-008"):
        expect_event(receipt, registry.abi, registry.address, "Anchored", size=6)


def test_events__come_in_order_and_by_their_topics(sender: Sender, registry: BoundContract) -> None:
    for size in (5, 6, 9):
        registry.send(sender, "anchor", ORIGIN, size, bytes([size]) * 32)
    assert [e.values["size"] for e in registry.events("Anchored")] == [5, 6, 9]
    assert registry.events("Anchored", topics=(b"\x08" * 32,)) == []
    names = [event.name for event in registry.events_about(ORIGIN)]
    assert names == ["OriginOwned", "Anchored", "Anchored", "Anchored"]

"""Gas is deterministic: what the busiest calls take against the ceilings of docs/contracts.md.

The state is made in the test's own EVM, copied word by word into a node, and the one transaction
that is measured runs there, in a block of its own, as it would on a chain.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from carnet.chain.rpc import RpcClient
from tests.fixtures_contracts import ORIGIN_HASH, Contract, World, artifact, signer, struct

CODE_SIZE_MAX = 24_576  # EIP-170
PAGE = Path(__file__).resolve().parents[2] / "docs" / "contracts.md"


def documented() -> dict[str, tuple[int, int]]:
    """Return gas and ceiling of each call as docs/contracts.md tells them."""
    table = PAGE.read_text("utf-8").split("| call | gas | ceiling |")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in table.splitlines()[2:]]
    return {name: (number(gas), number(ceiling)) for name, gas, ceiling in rows}


def number(text: str) -> int:
    return int(text.replace(",", ""))


Measure = Callable[..., None]


def wait_for_receipt(rpc: RpcClient, transaction_hash: str) -> dict[str, str]:
    """Return the receipt; the node answers a moment before it has mined the block."""
    for _ in range(200):
        receipt: dict[str, str] | None = rpc.call("eth_getTransactionReceipt", transaction_hash)
        if receipt is not None:
            return receipt
        time.sleep(0.01)
    raise AssertionError(transaction_hash)


@pytest.fixture
def measure(rpc: RpcClient, capsys: pytest.CaptureFixture[str]) -> Measure:
    """Return a function that measures one transaction, prints it and compares it."""

    def copy_state(contract: Contract) -> None:
        chain = contract.chain
        calls: list[Any] = []
        for address, slots in chain.storage().items():
            if code := chain.evm.get_code(address):
                calls.append(("anvil_setCode", [address, "0x" + bytes(code).hex()]))
            calls += [
                ("anvil_setStorageAt", [address, f"0x{slot:064x}", f"0x{value:064x}"])
                for slot, value in slots.items()
            ]
        for start in range(0, len(calls), 100):
            rpc.batch(calls[start : start + 100])

    def run(name: str, contract: Contract, sender: str, function: str, *values: object) -> None:
        copy_state(contract)
        address = signer(sender).address
        rpc.call("anvil_setBalance", address, hex(10**20))
        rpc.call("anvil_impersonateAccount", address)
        rpc.call("evm_setNextBlockTimestamp", contract.chain.now)
        data = "0x" + contract.data(function, *values).hex()
        # An explicit limit: what is measured must not depend on an estimate.
        transaction = {"from": address, "to": contract.address, "data": data, "gas": hex(2_000_000)}
        receipt = wait_for_receipt(rpc, rpc.call("eth_sendTransaction", transaction))
        assert receipt["status"] == "0x1"
        gas = int(receipt["gasUsed"], 16)
        figure, ceiling = documented()[name]
        with capsys.disabled():
            print(f"\n  gas {name}: {gas:,} (ceiling {ceiling:,})", end="")
        assert gas <= ceiling
        assert gas == figure, "docs/contracts.md tells another figure"

    return run


def give_dust(world: World, *names: str) -> None:
    """Make recipients warm: a first balance is a new word of storage."""
    for name in names:
        world.asset.send(signer("admin"), "mint", signer(name).address, 1)


def test_gas__register(world: World, measure: Measure) -> None:
    # One use of a word of nonces in 256 is the first and 17,100 gas dearer: this is the usual one.
    world.register()
    values = world.confirmation()
    signature = world.sign("platform", "Confirmation", values)
    measure(
        "register", world.book, "stranger", "register", struct("Confirmation", values), signature
    )


def test_gas__fund(world: World, measure: Measure) -> None:
    receivable_id = world.register()
    world.chain.set_day(world.chain.today + 1)
    measure("fund", world.book, "lender", "fund", receivable_id, 0, 10_000)


def test_gas__settle_in_full(world: World, measure: Measure) -> None:
    give_dust(world, "treasury")
    receivable_id = world.funded()
    measure("settle in full", world.book, "debtor", "settle", receivable_id, 2**96 - 1)


def test_gas__settle_in_part(world: World, measure: Measure) -> None:
    give_dust(world, "treasury")
    receivable_id = world.funded()
    measure("settle in part", world.book, "debtor", "settle", receivable_id, 10**10)


def test_gas__freeze(world: World, measure: Measure) -> None:
    world.freeze(world.register())
    receivable_id = world.funded()
    values = world.finding(receivable_id)
    signature = world.sign("compliance", "Finding", values)
    measure("freeze", world.book, "stranger", "freeze", struct("Finding", values), signature)


def test_gas__sweep(world: World, measure: Measure) -> None:
    give_dust(world, "treasury")
    receivable_id = world.funded()
    world.pay_lockbox(receivable_id, world.record(receivable_id)["face"])
    measure("sweep with a new lockbox", world.book, "stranger", "sweep", receivable_id)


def test_gas__perform_upkeep(world: World, measure: Measure) -> None:
    give_dust(world, "treasury")
    receivable_id = world.funded()
    world.pay_lockbox(receivable_id, world.record(receivable_id)["face"])
    item = receivable_id + b"\x01"
    measure("performUpkeep of one such sweep", world.book, "stranger", "performUpkeep", item)


def test_gas__anchor(world: World, measure: Measure) -> None:
    registry = world.chain.deploy("AnchorRegistry", sender=signer("admin").address)
    measure("anchor, first of an origin", registry, "log", "anchor", ORIGIN_HASH, 1, b"\x01" * 32)


def test_gas__anchor_later(world: World, measure: Measure) -> None:
    registry = world.chain.deploy("AnchorRegistry", sender=signer("admin").address)
    registry.send(signer("log"), "anchor", ORIGIN_HASH, 1, b"\x01" * 32)
    measure("anchor, later", registry, "log", "anchor", ORIGIN_HASH, 2, b"\x02" * 32)


@pytest.mark.parametrize(
    "name", ["AnchorRegistry", "ComplianceGate", "Lockbox", "ReceivableBook", "TestDollar"]
)
def test_code_size__fits_the_limit(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    size = len(artifact(name).deployed_bytecode)
    with capsys.disabled():
        print(f"\n  code {name}: {size:,} of {CODE_SIZE_MAX:,} bytes", end="")
    assert size < CODE_SIZE_MAX


def changed_words(world: World, act: Callable[[], object]) -> int:
    """Return how many words of the book's storage an action changes."""
    before = world.chain.storage()[world.book.address]
    act()
    after = world.chain.storage()[world.book.address]
    return sum(after[slot] != before.get(slot, 0) for slot in after)


def test_words__each_step_changes_as_few_as_designed(world: World) -> None:
    ids: list[bytes] = []
    # Seller and face, listing, terms; the index and its counter; the nonce.
    assert changed_words(world, lambda: ids.append(world.register())) == 6
    world.chain.set_day(world.chain.today + 1)
    # Terms (state and day), lender.
    assert changed_words(world, lambda: world.fund(ids[0])) == 2

    def pay(amount: int) -> Callable[[], object]:
        return lambda: world.book.send(signer("debtor"), "settle", ids[0], amount)

    # Lender (received), progress.
    assert changed_words(world, pay(10**10)) == 2
    # Terms (state), lender (received).
    assert changed_words(world, pay(2**96 - 1)) == 2

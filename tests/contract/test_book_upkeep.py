"""What a keeper does: find sweeps, perform them, never revert, and have no power of its own."""

from eth_abi.abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st

from carnet.contracts.model import State
from tests.fixtures_contracts import Receipt, World, make_world, signer

EVERYTHING = 2**96 - 1
PERFORM_WORLD = make_world()
PERFORM_IDS = [PERFORM_WORLD.register() for _ in range(4)]


def check(world: World, offset: int, limit: int) -> tuple[bool, bytes]:
    answer: tuple[bool, bytes] = world.book.read(
        "checkUpkeep", encode(["uint256", "uint256"], [offset, limit])
    )
    return answer


def items(*ids: bytes) -> bytes:
    return b"".join(i + b"\x01" for i in ids)


def perform(world: World, data: bytes, gas: int = 16_000_000) -> Receipt:
    return world.book.send(signer("stranger"), "performUpkeep", data, gas=gas)


def test_check__finds_what_is_due_in_the_order_of_registration(world: World) -> None:
    ids = [world.register() for _ in range(6)]
    assert check(world, 0, 200) == (False, b"")
    for position in (4, 1):
        world.pay_lockbox(ids[position], 7)
    assert check(world, 0, 200) == (True, items(ids[1], ids[4]))
    assert check(world, 2, 200) == (True, items(ids[4]))
    assert check(world, 0, 4) == (True, items(ids[1]))
    assert check(world, 5, 2**256 - 1) == (False, b"")
    assert check(world, 2**256 - 1, 2**256 - 1) == (False, b"")


def test_check__at_most_twenty_items_of_33_bytes(world: World) -> None:
    ids = [world.register() for _ in range(23)]
    for receivable_id in ids:
        world.pay_lockbox(receivable_id, 1)
    is_needed, data = check(world, 0, 200)
    assert is_needed
    assert data == items(*ids[:20])
    assert len(data) == 660
    perform(world, data)
    assert check(world, 0, 200) == (True, items(*ids[20:]))


def test_check__looks_at_200_at_most(world: World) -> None:
    ids = [world.register() for _ in range(201)]
    last = ids[-1]
    world.pay_lockbox(last, 1)
    assert check(world, 0, 10_000) == (False, b"")
    assert world.chain.evm.result is not None
    assert world.chain.evm.result.gas_used < 3_000_000
    assert check(world, 1, 10_000) == (True, items(last))


def test_check__finds_a_hold_whose_freeze_expired(world: World) -> None:
    receivable_id = world.funded()
    world.freeze(receivable_id)
    world.book.send(signer("debtor"), "settle", receivable_id, EVERYTHING)
    assert check(world, 0, 9) == (False, b"")
    world.chain.set_day(world.chain.today + 60)
    assert check(world, 0, 9) == (True, items(receivable_id))
    assert perform(world, items(receivable_id)).has("HoldReleased")


def test_perform__sweeps(world: World) -> None:
    first, second = world.funded(), world.funded()
    for receivable_id in (first, second):
        world.pay_lockbox(receivable_id, 10**11)
    perform(world, items(first, second))
    for receivable_id in (first, second):
        assert world.record(receivable_id)["state"] == State.SETTLED
    assert world.balance(world.book.address) == 0


def test_perform__skips_stale_duplicate_and_unknown_items(world: World) -> None:
    receivable_id = world.funded()
    world.pay_lockbox(receivable_id, 10**11)
    data = b"\xff" * 32 + b"\x01" + receivable_id + b"\x02" + items(receivable_id, receivable_id)
    receipt = perform(world, data)
    assert len([name for name, _ in receipt.events if name == "Settled"]) == 1
    assert perform(world, data).events == ()


def test_perform__one_failing_item_stops_no_other(hostile_world: World) -> None:
    world = hostile_world
    first, second = world.funded(), world.funded()
    for receivable_id in (first, second):
        world.pay_lockbox(receivable_id, 10**11)
    # The first release to the book is refused, as by an asset that blocks the book for a moment.
    world.asset.send(signer("admin"), "setBlocked", world.book.address, True)
    assert perform(world, items(first)).events == ()
    world.asset.send(signer("admin"), "setBlocked", world.book.address, False)
    perform(world, items(first, second))
    assert world.balance(world.book.address) == 0


def test_perform__stops_when_gas_runs_short(world: World) -> None:
    ids = [world.funded() for _ in range(6)]
    for receivable_id in ids:
        world.pay_lockbox(receivable_id, 10**11)
    receipt = perform(world, items(*ids), gas=600_000)
    done = [world.record(i)["state"] == State.SETTLED for i in ids]
    assert 0 < sum(done) < 6
    assert done == sorted(done, reverse=True)
    assert receipt.gas_used < 600_000
    perform(world, items(*ids))
    assert all(world.record(i)["state"] == State.SETTLED for i in ids)


@settings(max_examples=150, deadline=None)
@given(
    junk=st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from(range(4)).map(lambda n: bytes([n])),
        ),
        max_size=30,
    )
)
def test_perform__any_bytes(junk: list[bytes]) -> None:
    world = PERFORM_WORLD
    before = world.balance(world.book.address)
    parts = [
        items(PERFORM_IDS[part[0]]) if len(part) == 1 and part[0] < 4 else part for part in junk
    ]
    perform(world, b"".join(parts))
    assert world.balance(world.book.address) == before == 0


def test_attack__ten_thousand_items(world: World) -> None:
    ids = [world.register() for _ in range(22)]
    for receivable_id in ids:
        world.pay_lockbox(receivable_id, 1)
    receipt = perform(world, items(*ids) + bytes(33 * 10_000))
    assert len([name for name, _ in receipt.events if name == "Swept"]) == 20

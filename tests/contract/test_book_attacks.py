"""What an attacker tries with payments and with the asset itself; each test is one attempt."""

import pytest

from carnet.contracts.model import State
from tests.fixtures_contracts import DAY, MINTED, ONE_DOLLAR, RevertedError, World, signer

FACE = 100_000 * ONE_DOLLAR
ADVANCE = 80_000 * ONE_DOLLAR
FEE = 500 * ONE_DOLLAR
A_DAY_OF_INTEREST = 20 * ONE_DOLLAR
NEEDED = ADVANCE + FEE + 59 * A_DAY_OF_INTEREST  # Funded on the day after registration, due in 60.
EVERYTHING = 2**96 - 1


def pay(world: World, receivable_id: bytes, amount: int = EVERYTHING, who: str = "debtor") -> int:
    return int(world.book.send(signer(who), "settle", receivable_id, amount).value)


def test_attack__fund_after_paid(world: World) -> None:
    receivable_id = world.register()
    world.pay_lockbox(receivable_id, FACE)
    world.book.send(signer("stranger"), "sweep", receivable_id)
    assert world.balance("seller") == MINTED + FACE
    world.chain.set_day(world.chain.today + 1)
    refused = world.refused("FaceInsufficient", "fund", receivable_id, 0, 10_000, sender="lender")
    assert refused == (receivable_id, 0, NEEDED)
    assert world.record(receivable_id)["diluted"] == FACE


def test_attack__fund_after_paid_and_released_from_hold(world: World) -> None:
    receivable_id = world.register()
    world.freeze(receivable_id)
    world.pay_lockbox(receivable_id, FACE)
    world.book.send(signer("stranger"), "sweep", receivable_id)
    assert world.record(receivable_id)["held"] == FACE
    world.freeze(receivable_id, "unfreeze", code=0)
    assert world.balance("seller") == MINTED + FACE
    world.chain.set_day(world.chain.today + 1)
    world.refused("FaceInsufficient", "fund", receivable_id, 0, 10_000, sender="lender")


def test_attack__fund_while_the_face_is_on_hold(world: World) -> None:
    receivable_id = world.register(dueDay=world.chain.today + 90)
    world.freeze(receivable_id)
    world.pay_lockbox(receivable_id, FACE)
    world.book.send(signer("stranger"), "sweep", receivable_id)
    world.chain.set_day(world.chain.today + 60)
    assert not world.book.read("isFrozen", receivable_id)
    refused = world.refused("HoldNotReleased", "fund", receivable_id, 0, 10_000, sender="lender")
    assert refused == (receivable_id, FACE)
    world.book.send(signer("stranger"), "sweep", receivable_id)
    world.refused("FaceInsufficient", "fund", receivable_id, 0, 10_000, sender="lender")


@pytest.mark.parametrize("excess", [0, 1])
def test_attack__fund_after_paid_in_part(world: World, excess: int) -> None:
    receivable_id = world.register()
    for amount in (7, FACE - NEEDED - 7 + excess):
        world.pay_lockbox(receivable_id, amount)
        world.book.send(signer("stranger"), "sweep", receivable_id)
    world.chain.set_day(world.chain.today + 1)
    if excess:
        world.refused("FaceInsufficient", "fund", receivable_id, 0, 10_000, sender="lender")
        return
    world.fund(receivable_id)
    due_day = world.record(receivable_id)["dueDay"]
    assert world.book.read("quote", receivable_id, due_day)[3:] == (NEEDED, 0)
    world.chain.set_day(due_day)
    assert pay(world, receivable_id) == NEEDED
    assert world.record(receivable_id)["state"] == State.SETTLED
    assert world.balance("lender") == MINTED + NEEDED - FEE - ADVANCE


def test_attack__dust_does_not_stop_funding(world: World) -> None:
    receivable_id = world.register()
    world.freeze(receivable_id)
    world.pay_lockbox(receivable_id, 3)
    world.book.send(signer("stranger"), "sweep", receivable_id)
    world.freeze(receivable_id, "unfreeze", code=0)
    world.pay_lockbox(receivable_id, 2)
    world.book.send(signer("stranger"), "sweep", receivable_id)
    world.pay_lockbox(receivable_id, 1)
    world.chain.set_day(world.chain.today + 1)
    world.fund(receivable_id)
    assert world.book.read("quote", receivable_id, world.chain.today)[4] == (
        FACE - 5 - ADVANCE - FEE - A_DAY_OF_INTEREST
    )
    world.pay_lockbox(receivable_id, FACE)
    receipt = world.book.send(signer("stranger"), "sweep", receivable_id)
    assert receipt.event("Swept")["passedOn"] == 6
    assert world.balance("lender") == MINTED + A_DAY_OF_INTEREST
    assert world.record(receivable_id)["state"] == State.SETTLED


def test_attack__fund_what_needs_nothing_and_is_paid(world: World) -> None:
    receivable_id = world.register(face=100, advBps=0, feeBps=0)
    world.pay_lockbox(receivable_id, 100)
    world.book.send(signer("stranger"), "sweep", receivable_id)
    world.chain.set_day(world.chain.today + 1)
    world.refused("FaceInsufficient", "fund", receivable_id, 0, 10_000, sender="lender")


def test_attack__payment_before_funding_above_the_face(world: World) -> None:
    receivable_id = world.register()
    for _ in range(2):
        world.pay_lockbox(receivable_id, FACE + 1)
        world.book.send(signer("stranger"), "sweep", receivable_id)
    assert world.record(receivable_id)["diluted"] == FACE


def test_attack__fund_again_after_settled(world: World) -> None:
    receivable_id = world.funded()
    pay(world, receivable_id)
    world.refused("StateUnexpected", "fund", receivable_id, 0, 10_000, sender="lender")


def test_attack__day_boundary(world: World) -> None:
    receivable_id = world.register()
    world.chain.set_day(world.chain.today + 1, second=86_399)
    world.fund(receivable_id)
    funded_day = world.chain.today
    world.chain.set_time(world.chain.now + 1)
    assert world.chain.today == funded_day + 1
    assert world.book.read("quote", receivable_id, world.chain.today)[1] == A_DAY_OF_INTEREST
    world.chain.set_time(world.chain.now + DAY - 1)
    assert world.book.read("quote", receivable_id, world.chain.today)[1] == A_DAY_OF_INTEREST
    world.chain.set_time(world.chain.now + 1)
    assert world.book.read("quote", receivable_id, world.chain.today)[1] == 2 * A_DAY_OF_INTEREST


@pytest.mark.parametrize("shift", [-15, 15])
def test_attack__block_time_shifted_by_seconds(world: World, shift: int) -> None:
    receivable_id = world.funded()
    midnight = (world.chain.today + 11) * DAY
    world.chain.set_time(midnight + shift)
    interest = world.book.read("quote", receivable_id, world.chain.today)[1]
    # A miner near midnight can move one day of interest, and nothing else.
    assert interest == (10 if shift < 0 else 11) * A_DAY_OF_INTEREST


def test_attack__many_tiny_payments_change_nothing(world: World) -> None:
    spammed, plain = world.register(), world.register()
    world.chain.set_day(world.chain.today + 1)
    world.fund(spammed)
    world.fund(plain)
    for _ in range(40):
        pay(world, spammed, 1)  # The fee is far from paid, so the principal stays whole.
        world.chain.set_day(world.chain.today + 1)
    due_spammed = world.book.read("quote", spammed, world.chain.today)
    due_plain = world.book.read("quote", plain, world.chain.today)
    assert due_spammed[0] == due_plain[0] - 40
    assert due_spammed[1:3] == due_plain[1:3] == (40 * A_DAY_OF_INTEREST, ADVANCE)


@pytest.mark.parametrize("days", [0, 1, 37, 75])
def test_attack__split_payments_pay_the_same_interest(world: World, days: int) -> None:
    whole, parts = world.register(), world.register()
    world.chain.set_day(world.chain.today + 1)
    world.fund(whole)
    world.fund(parts)
    world.chain.set_day(world.chain.today + days)
    first = world.book.send(signer("debtor"), "settle", whole, EVERYTHING).event("Settled")
    sums = dict.fromkeys(("fee", "interest", "principal", "residual"), 0)
    for amount in (1, 17, FEE, 999_999, EVERYTHING):
        event = world.book.send(signer("debtor"), "settle", parts, amount).event("Settled")
        for name in sums:
            sums[name] += event[name]
    assert sums == {name: first[name] for name in sums}


def test_attack__over_payment_is_never_pulled(world: World) -> None:
    receivable_id = world.funded()
    before = world.balance("debtor")
    assert pay(world, receivable_id) == FACE
    assert world.balance("debtor") == before - FACE


def test_attack__repay_and_be_refunded_in_a_loop(world: World) -> None:
    receivable_id = world.funded()
    for _ in range(3):
        pay(world, receivable_id, 1_000 * ONE_DOLLAR, who="seller")
    assert world.balance("seller") == MINTED + ADVANCE - 3_000 * ONE_DOLLAR
    pay(world, receivable_id, who="seller")
    assert world.record(receivable_id)["state"] == State.SETTLED
    paid_by_seller = MINTED + ADVANCE - world.balance("seller")
    assert paid_by_seller == FEE + A_DAY_OF_INTEREST + ADVANCE
    world.pay_lockbox(receivable_id, FACE)
    world.book.send(signer("stranger"), "sweep", receivable_id)
    assert world.balance("seller") == MINTED + FACE - FEE - A_DAY_OF_INTEREST


def test_attack__donation_to_the_book_is_no_ones(world: World) -> None:
    receivable_id = world.funded()
    world.asset.send(signer("stranger"), "transfer", world.book.address, 12_345)
    pay(world, receivable_id)
    assert world.balance(world.book.address) == 12_345
    assert world.book.read("claimable", signer("seller").address) == 0


def test_attack__face_at_the_limit_of_its_field(hostile_world: World) -> None:
    world = hostile_world
    face = 2**96 - 1
    for who in ("lender", "debtor"):
        world.asset.send(signer("admin"), "mint", signer(who).address, 2**97)
    receivable_id = world.funded(face=face, bps=3_600, lateBps=0, advBps=9_000)
    world.chain.set_day(world.chain.today + 365 * 200)
    owed = world.book.read("owed", receivable_id)
    assert owed > face
    paid = pay(world, receivable_id)
    # Two payments that together exceed the field are refused, not wrapped.
    with pytest.raises(RevertedError, match="Panic"):
        pay(world, receivable_id)
    assert paid == face
    assert world.book.read("owed", receivable_id) == owed - face


# --- assets that misbehave -----------------------------------------------------------------------


def test_attack__asset_that_answers_false(hostile_world: World) -> None:
    world = hostile_world
    receivable_id = world.register()
    other = world.funded()
    world.asset.send(signer("admin"), "setAnswersFalse", True)
    world.refused("SafeERC20FailedOperation", "fund", receivable_id, 0, 10_000, sender="lender")
    world.refused("SafeERC20FailedOperation", "settle", other, 5, sender="debtor")
    assert world.record(receivable_id)["state"] == State.CONFIRMED
    assert world.record(other)["received"] == 0


def test_attack__payout_answered_false_waits_as_a_claim(hostile_world: World) -> None:
    world = hostile_world
    receivable_id = world.funded()
    seller = signer("seller").address
    world.asset.send(signer("admin"), "setBlocked", seller, True)
    residual = world.book.send(signer("debtor"), "settle", receivable_id, EVERYTHING).event(
        "Settled"
    )["residual"]
    assert world.book.read("claimable", seller) == residual
    assert world.balance("lender") == MINTED + A_DAY_OF_INTEREST


def test_attack__all_recipients_blocked(hostile_world: World) -> None:
    world = hostile_world
    receivable_id = world.funded()
    for who in ("treasury", "lender", "seller"):
        world.asset.send(signer("admin"), "setBlocked", signer(who).address, True)
    pay(world, receivable_id)
    claims = sum(
        world.book.read("claimable", signer(who).address)
        for who in ("treasury", "lender", "seller")
    )
    assert claims == FACE == world.balance(world.book.address)


def test_attack__asset_that_keeps_a_part(hostile_world: World) -> None:
    world = hostile_world
    receivable_id = world.register()
    funded = world.funded()
    world.asset.send(signer("admin"), "setKeeps", 1)
    values = world.refused("TransferInexact", "fund", receivable_id, 0, 10_000, sender="lender")
    assert values == (ADVANCE, ADVANCE - 1)
    world.refused("TransferInexact", "settle", funded, 100, sender="debtor")
    world.pay_lockbox(funded, 100)
    world.refused("TransferInexact", "sweep", funded)


@pytest.mark.parametrize("function", ["settle", "sweep", "payoutClaim", "cancel", "repayEarly"])
def test_attack__reentrant_asset(hostile_world: World, function: str) -> None:
    world = hostile_world
    receivable_id, other = world.funded(), world.funded()
    world.pay_lockbox(other, 50)
    values: dict[str, tuple[object, ...]] = {
        "settle": (other, 10),
        "sweep": (other,),
        "payoutClaim": (signer("seller").address,),
        "cancel": (other,),
        "repayEarly": (other, 10),
    }
    data = world.book.data(function, *values[function])
    world.asset.send(signer("admin"), "setCallback", world.book.address, data)
    before = world.record(other)
    pay(world, receivable_id)
    assert world.asset.read("callbackSucceeded") is False
    assert world.record(other) == before
    assert world.record(receivable_id)["state"] == State.SETTLED
    assert world.balance(world.book.address) == 0


def test_attack__reentrant_upkeep_does_nothing(hostile_world: World) -> None:
    world = hostile_world
    receivable_id, other = world.funded(), world.funded()
    world.pay_lockbox(other, 50)
    data = world.book.data("performUpkeep", other + b"\x01")
    world.asset.send(signer("admin"), "setCallback", world.book.address, data)
    before = world.record(other)
    pay(world, receivable_id)
    assert world.record(other) == before


def test_attack__keeper_has_no_power(world: World) -> None:
    receivable_id = world.funded()
    for function, values in (
        ("fund", (receivable_id, 0, 10_000)),
        ("cancel", (receivable_id,)),
        ("pause", ()),
    ):
        with pytest.raises(RevertedError):
            world.book.send(signer("keeper"), function, *values)
    owners = {"seller", "lender", "face", "received", "held"}
    before = {name: world.record(receivable_id)[name] for name in owners}
    world.book.send(signer("keeper"), "performUpkeep", receivable_id + b"\x01")
    assert {name: world.record(receivable_id)[name] for name in owners} == before

"""Funding, paying and sweeping: each refusal, then events, state and balances to the cent."""

from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from carnet.contracts.model import FLAG_LATE, State
from tests.fixtures_contracts import (
    MINTED,
    ONE_DOLLAR,
    Chain,
    RevertedError,
    World,
    make_world,
    signer,
)

FACE = 100_000 * ONE_DOLLAR
ADVANCE = 80_000 * ONE_DOLLAR
FEE = 500 * ONE_DOLLAR
A_DAY_OF_INTEREST = 20 * ONE_DOLLAR  # 80,000 at 9 % over 360
A_LATE_DAY = 33_333_334  # 80,000 at 15 % over 360 is 33.333333..: rounded up
EVERYTHING = 2**96 - 1


# --- fund ----------------------------------------------------------------------------------------


def test_fund__state(world: World) -> None:
    receivable_id = world.funded()
    world.refused("StateUnexpected", "fund", receivable_id, 0, 10_000, sender="lender")
    world.refused("StateUnexpected", "fund", bytes(32), 0, 10_000, sender="lender")


def test_fund__only_lenders(world: World) -> None:
    receivable_id = world.register()
    world.chain.set_day(world.chain.today + 1)
    world.refused("AccessControlUnauthorizedAccount", "fund", receivable_id, 0, 10_000)


def test_fund__not_on_the_day_of_registration(world: World) -> None:
    receivable_id = world.register()
    world.chain.set_day(world.chain.today, second=86_399)
    values = world.refused("FundedTooEarly", "fund", receivable_id, 0, 10_000, sender="lender")
    assert values[1] == world.chain.today + 1
    world.chain.set_day(world.chain.today + 1, second=0)
    world.fund(receivable_id)


def test_fund__not_on_the_due_day(world: World) -> None:
    receivable_id = world.register(dueDay=world.chain.today + 3)
    other = world.register(dueDay=world.chain.today + 3)
    world.chain.set_day(world.chain.today + 2, second=86_399)
    world.fund(other)
    world.chain.set_day(world.chain.today + 1, second=0)
    world.refused("FundedTooLate", "fund", receivable_id, 0, 10_000, sender="lender")


def test_fund__paused(world: World) -> None:
    receivable_id = world.register()
    world.chain.set_day(world.chain.today + 1)
    world.book.send(signer("pauser"), "pause")
    world.refused("EnforcedPause", "fund", receivable_id, 0, 10_000, sender="lender")


def test_fund__frozen(world: World) -> None:
    receivable_id = world.register()
    world.freeze(receivable_id)
    world.chain.set_day(world.chain.today + 1)
    world.refused("ReceivableFrozen", "fund", receivable_id, 0, 10_000, sender="lender")


def test_fund__recourse_needs_the_sellers_authorisation(world: World) -> None:
    receivable_id = world.register(recourse=True)
    world.chain.set_day(world.chain.today + 1)
    world.refused("PullNotAuthorised", "fund", receivable_id, 0, 10_000, sender="lender")


def test_fund__lender_is_the_seller(world: World) -> None:
    receivable_id = world.register(seller=signer("lender").address)
    world.chain.set_day(world.chain.today + 1)
    world.refused("LenderIsSeller", "fund", receivable_id, 0, 10_000, sender="lender")


@pytest.mark.parametrize(("advance", "bps"), [(ADVANCE + 1, 900), (ADVANCE, 899)])
def test_fund__callers_bounds(world: World, advance: int, bps: int) -> None:
    receivable_id = world.register()
    world.chain.set_day(world.chain.today + 1)
    values = world.refused("TermsOutOfBounds", "fund", receivable_id, advance, bps, sender="lender")
    assert values == (ADVANCE, 900)
    world.book.send(signer("lender"), "fund", receivable_id, ADVANCE, 900)


def test_fund__terms_that_the_face_cannot_cover(world: World) -> None:
    receivable_id = world.register(advBps=9_000, feeBps=1_000)
    world.chain.set_day(world.chain.today + 1)
    refused = world.refused("FaceInsufficient", "fund", receivable_id, 0, 10_000, sender="lender")
    assert refused == (receivable_id, FACE, FACE + 59 * 22_500_000)


def test_fund__without_money(world: World) -> None:
    world.asset.send(signer("lender"), "transfer", signer("debtor").address, MINTED)
    receivable_id = world.register()
    world.chain.set_day(world.chain.today + 1)
    world.refused("ERC20InsufficientBalance", "fund", receivable_id, 0, 10_000, sender="lender")
    assert world.record(receivable_id)["state"] == State.CONFIRMED


def test_fund__pays_the_seller(world: World) -> None:
    receivable_id = world.register()
    world.chain.set_day(world.chain.today + 1)
    receipt = world.fund(receivable_id)
    assert receipt.event("Funded") == {
        "id": receivable_id,
        "lender": signer("lender").address.lower(),
        "advance": ADVANCE,
        "day": world.chain.today,
    }
    record = world.record(receivable_id)
    assert (record["state"], record["fundedDay"]) == (State.FUNDED, world.chain.today)
    assert record["lender"] == signer("lender").address.lower()
    assert world.balance("seller") == MINTED + ADVANCE
    assert world.balance("lender") == MINTED - ADVANCE
    assert world.balance(world.book.address) == 0


def test_fund__advance_is_rounded_down(world: World) -> None:
    receivable_id = world.register(face=9_999, advBps=3_333)
    world.chain.set_day(world.chain.today + 1)
    assert world.fund(receivable_id).event("Funded")["advance"] == 3_332


def test_fund__pledges_and_releases_the_quality_deposit() -> None:
    chain = Chain()
    deposit = chain.deploy("QualityDepositFake", sender=signer("admin").address)
    world = make_world(deposit=deposit.address, chain=chain)
    receivable_id = world.funded()
    assert deposit.read("pledged", receivable_id) == FACE
    assert not deposit.read("released", receivable_id)
    world.book.send(signer("debtor"), "settle", receivable_id, EVERYTHING)
    assert deposit.read("released", receivable_id)


def test_settle__deposit_that_refuses_does_not_stop_it() -> None:
    chain = Chain()
    deposit = chain.deploy("QualityDepositFake", sender=signer("admin").address)
    world = make_world(deposit=deposit.address, chain=chain)
    receivable_id = world.funded()
    deposit.send(signer("admin"), "setRefusesRelease", True)
    world.book.send(signer("debtor"), "settle", receivable_id, EVERYTHING)
    assert world.record(receivable_id)["state"] == State.SETTLED


# --- the gate ------------------------------------------------------------------------------------


def test_fund__asks_the_gate() -> None:
    chain = Chain()
    admin = signer("admin").address
    registry = chain.deploy("AnchorRegistry", sender=admin)
    origin = bytes(31) + b"\x01"
    registry.send(signer("log"), "claim", origin)
    gate = chain.deploy(
        "ComplianceGate",
        registry.address,
        origin,
        signer("log").address,
        "did:web:carnet.example",
        admin,
        0,
        sender=admin,
    )
    world = make_world(gate=gate.address, chain=chain)
    listing = keccak(text="listing")
    receivable_id = world.register(listingHash=listing)
    chain.set_day(chain.today + 1)
    refused = world.refused("NotEligible", "fund", receivable_id, 0, 10_000, sender="lender")
    assert refused == (receivable_id, listing)
    prove_alone(world, gate, registry, origin, listing)
    world.fund(receivable_id)


def prove_alone(world: World, gate: Any, registry: Any, origin: bytes, listing: bytes) -> None:
    """Anchor a log of one entry, and prove it."""
    import hashlib

    today = world.chain.today
    attestation = (keccak(text="r"), listing, today, today + 9, bytes(32), "")
    entry = gate.read("entryBytes", attestation)
    leaf = hashlib.sha256(b"\x00" + entry).digest()
    registry.send(signer("log"), "anchor", origin, 1, leaf)
    gate.send(signer("stranger"), "prove", origin, 1, attestation, 0, [])


def test_deploy__says_what_it_does_not_ask_for(world: World) -> None:
    names = [name for name, _ in deploy_events(world)]
    assert "DeployedWithoutGate" in names
    assert "DeployedWithoutQualityDeposit" in names


def deploy_events(world: World) -> list[tuple[str, dict[str, Any]]]:
    from tests.fixtures_contracts import ZERO, decode_event

    treasury, admin = signer("treasury").address, signer("admin").address
    config = (world.asset.address, treasury, ZERO, ZERO, admin, 0, 3_600, 30)
    world.chain.deploy("ReceivableBook", config, sender=admin)
    result = world.chain.evm.result
    assert result is not None
    return [decode_event("ReceivableBook", *log.data) for log in result.logs]


@pytest.mark.parametrize(
    ("position", "value", "name"),
    [
        (0, "0x" + "00" * 20, "AddressInvalid"),
        (0, "0x" + "11" * 20, "AddressInvalid"),
        (1, "0x" + "00" * 20, "AddressInvalid"),
        (6, 10_001, "RateOutOfRange"),
    ],
)
def test_deploy__configuration_that_cannot_work(
    world: World, position: int, value: Any, name: str
) -> None:
    zero, admin = "0x" + "00" * 20, signer("admin").address
    config: list[Any] = [world.asset.address, admin, zero, zero, admin, 0, 3_600, 30]
    config[position] = value
    with pytest.raises(RevertedError, match=name):
        world.chain.deploy("ReceivableBook", tuple(config), sender=admin)


# --- settle --------------------------------------------------------------------------------------


def test_settle__state(world: World) -> None:
    receivable_id = world.register()
    world.refused("StateUnexpected", "settle", receivable_id, 1, sender="debtor")
    world.refused("StateUnexpected", "settle", bytes(32), 1, sender="debtor")


def test_settle__nothing(world: World) -> None:
    receivable_id = world.funded()
    world.refused("AmountIsZero", "settle", receivable_id, 0, sender="debtor")


def test_settle__in_full_on_the_due_day(world: World) -> None:
    receivable_id = world.funded()
    funded_day = world.chain.today
    world.chain.set_day(world.record(receivable_id)["dueDay"], second=86_399)
    days = world.chain.today - funded_day
    receipt = world.book.send(signer("debtor"), "settle", receivable_id, EVERYTHING)
    interest = days * A_DAY_OF_INTEREST
    residual = FACE - FEE - interest - ADVANCE
    assert receipt.value == FACE
    assert receipt.event("Settled") == {
        "id": receivable_id,
        "payer": signer("debtor").address.lower(),
        "paid": FACE,
        "fee": FEE,
        "interest": interest,
        "principal": ADVANCE,
        "residual": residual,
        "day": world.chain.today,
        "early": False,
    }
    assert receipt.event("Closed")["flags"] == 0
    assert world.record(receivable_id)["state"] == State.SETTLED
    assert world.balance("treasury") == FEE
    assert world.balance("lender") == MINTED + interest
    assert world.balance("seller") == MINTED + ADVANCE + residual
    assert world.balance(world.book.address) == 0
    world.refused("StateUnexpected", "settle", receivable_id, 1, sender="debtor")


def test_settle__at_least_one_day_of_interest(world: World) -> None:
    receivable_id = world.funded()
    receipt = world.book.send(signer("debtor"), "settle", receivable_id, EVERYTHING)
    assert receipt.event("Settled")["interest"] == A_DAY_OF_INTEREST


def test_settle__first_midnight_adds_nothing(world: World) -> None:
    receivable_id = world.funded()
    world.chain.set_day(world.chain.today + 1)
    receipt = world.book.send(signer("debtor"), "settle", receivable_id, EVERYTHING)
    assert receipt.event("Settled")["interest"] == A_DAY_OF_INTEREST


def test_settle__late_days_bear_the_late_rate(world: World) -> None:
    receivable_id = world.funded()
    funded_day = world.chain.today
    due_day = world.record(receivable_id)["dueDay"]
    world.chain.set_day(due_day + 1)
    assert world.book.read("stateAt", receivable_id, due_day) == State.FUNDED
    assert world.book.read("stateAt", receivable_id, due_day + 1) == State.OVERDUE
    receipt = world.book.send(signer("debtor"), "settle", receivable_id, EVERYTHING)
    expected = (due_day - funded_day) * A_DAY_OF_INTEREST + A_LATE_DAY
    assert receipt.event("Settled")["interest"] == expected
    assert receipt.event("Closed")["flags"] == FLAG_LATE


def test_settle__fills_the_legs_in_order(world: World) -> None:
    receivable_id = world.funded()
    legs = []
    for amount in (FEE - 1, 1 + A_DAY_OF_INTEREST - 5, 5 + 7, ADVANCE - 7, 9):
        receipt = world.book.send(signer("debtor"), "settle", receivable_id, amount)
        event = receipt.event("Settled")
        legs.append(tuple(event[name] for name in ("fee", "interest", "principal", "residual")))
    assert legs == [
        (FEE - 1, 0, 0, 0),
        (1, A_DAY_OF_INTEREST - 5, 0, 0),
        (0, 5, 7, 0),
        (0, 0, ADVANCE - 7, 0),
        (0, 0, 0, 9),
    ]
    assert world.record(receivable_id)["state"] == State.FUNDED
    assert world.book.read("owed", receivable_id) == 0


def test_settle__interest_runs_on_the_lower_principal_from_the_next_day(world: World) -> None:
    receivable_id = world.funded()
    world.chain.set_day(world.chain.today + 10)
    half = FEE + 10 * A_DAY_OF_INTEREST + ADVANCE // 2
    world.book.send(signer("debtor"), "settle", receivable_id, half)
    world.chain.set_day(world.chain.today + 10)
    quote = world.book.read("quote", receivable_id, world.chain.today)
    assert quote[:4] == (
        0,
        10 * A_DAY_OF_INTEREST // 2,
        ADVANCE // 2,
        10 * A_DAY_OF_INTEREST // 2 + ADVANCE // 2,
    )
    assert quote[4] == FACE - half - quote[3]


def test_settle__more_than_the_face_when_more_is_owed(world: World) -> None:
    receivable_id = world.funded(advBps=9_000, feeBps=700)
    world.chain.set_day(world.chain.today + 300)
    receipt = world.book.send(signer("debtor"), "settle", receivable_id, EVERYTHING)
    event = receipt.event("Settled")
    assert event["paid"] > FACE
    assert event["residual"] == 0
    assert receipt.has("Closed")


def test_settle__by_the_seller_takes_what_is_owed_only(world: World) -> None:
    receivable_id = world.funded()
    receipt = world.book.send(signer("seller"), "settle", receivable_id, EVERYTHING)
    event = receipt.event("Settled")
    assert event["paid"] == FEE + A_DAY_OF_INTEREST + ADVANCE
    assert event["residual"] == 0
    assert world.record(receivable_id)["state"] == State.SETTLED


def test_settle__by_the_seller_when_nothing_is_owed(world: World) -> None:
    receivable_id = world.funded()
    world.book.send(signer("debtor"), "settle", receivable_id, FEE + A_DAY_OF_INTEREST + ADVANCE)
    world.refused("NothingOwed", "settle", receivable_id, 1, sender="seller")


def test_repay_early__only_the_seller(world: World) -> None:
    receivable_id = world.funded()
    world.refused("NotSeller", "repayEarly", receivable_id, 1, sender="debtor")


def test_repay_early__says_so(world: World) -> None:
    receivable_id = world.funded()
    receipt = world.book.send(signer("seller"), "repayEarly", receivable_id, EVERYTHING)
    assert receipt.event("Settled")["early"] is True
    assert world.record(receivable_id)["state"] == State.SETTLED


def test_repay_early__closes_when_nothing_is_owed(world: World) -> None:
    receivable_id = world.funded()
    world.book.send(signer("debtor"), "settle", receivable_id, FEE + A_DAY_OF_INTEREST + ADVANCE)
    before = world.balance("seller")
    world.refused("AmountIsZero", "repayEarly", receivable_id, 0, sender="seller")
    receipt = world.book.send(signer("seller"), "repayEarly", receivable_id, 1)
    assert receipt.value == 0
    assert receipt.event("Settled")["paid"] == 0
    assert receipt.has("Closed")
    assert world.balance("seller") == before
    assert world.record(receivable_id)["state"] == State.SETTLED
    world.refused("StateUnexpected", "repayEarly", receivable_id, 1, sender="seller")


def test_quote__of_what_is_not_funded(world: World) -> None:
    receivable_id = world.register()
    assert world.book.read("quote", receivable_id, world.chain.today) == (0, 0, 0, 0, 0)
    assert world.book.read("owed", receivable_id) == 0


# --- sweep ---------------------------------------------------------------------------------------


def test_sweep__nothing(world: World) -> None:
    world.refused("StateUnexpected", "sweep", bytes(32))
    world.refused("NothingToSweep", "sweep", world.funded())


def test_sweep__applies_the_waterfall(world: World) -> None:
    receivable_id = world.funded()
    box = world.pay_lockbox(receivable_id, FACE)
    receipt = world.book.send(signer("stranger"), "sweep", receivable_id)
    assert receipt.event("Settled")["payer"] == box.lower()
    assert receipt.event("Swept") == {
        "id": receivable_id,
        "lockbox": box.lower(),
        "applied": FACE,
        "passedOn": 0,
    }
    assert world.balance(box) == 0
    assert world.balance("treasury") == FEE
    assert world.balance("lender") == MINTED + A_DAY_OF_INTEREST
    assert world.record(receivable_id)["state"] == State.SETTLED


def test_sweep__in_two_payments_through_one_lockbox(world: World) -> None:
    receivable_id = world.funded()
    for amount in (FACE // 4, FACE - FACE // 4):
        world.pay_lockbox(receivable_id, amount)
        world.book.send(signer("stranger"), "sweep", receivable_id)
    assert world.record(receivable_id)["state"] == State.SETTLED
    assert world.balance(world.book.address) == 0


@pytest.mark.parametrize("step", ["registered", "cancelled", "settled"])
def test_sweep__passes_on_to_the_seller(world: World, step: str) -> None:
    receivable_id = world.funded() if step == "settled" else world.register()
    if step == "cancelled":
        world.book.send(signer("seller"), "cancel", receivable_id)
    if step == "settled":
        world.book.send(signer("debtor"), "settle", receivable_id, EVERYTHING)
    before = world.balance("seller")
    box = world.pay_lockbox(receivable_id, 123)
    receipt = world.book.send(signer("stranger"), "sweep", receivable_id)
    assert receipt.event("Swept")["passedOn"] == 123
    assert world.balance("seller") == before + 123
    assert world.balance(box) == 0


def test_sweep__what_is_too_much_is_the_sellers(world: World) -> None:
    receivable_id = world.funded()
    world.pay_lockbox(receivable_id, FACE + 77)
    receipt = world.book.send(signer("stranger"), "sweep", receivable_id)
    assert receipt.event("Swept")["applied"] == FACE
    assert receipt.event("Swept")["passedOn"] == 77
    assert world.balance(world.book.address) == 0


def test_sweep__address_is_known_before_registration(world: World) -> None:
    document = keccak(text="tomorrow's statement")
    receivable_id = world.book.read("idOf", 7, document)
    box = to_checksum_address(world.book.read("lockboxOf", receivable_id))
    world.asset.send(signer("debtor"), "transfer", box, 5)
    assert world.register(docHash=document) == receivable_id
    world.book.send(signer("stranger"), "sweep", receivable_id)
    assert world.balance("seller") == MINTED + 5


def test_lockbox__only_the_book(world: World) -> None:
    receivable_id = world.funded()
    box = world.pay_lockbox(receivable_id, FACE)
    world.book.send(signer("stranger"), "sweep", receivable_id)
    world.pay_lockbox(receivable_id, 5)
    lockbox = type(world.book)(world.chain, "Lockbox", box)
    with pytest.raises(RevertedError, match="NotBook"):
        lockbox.send(signer("seller"), "release", 5)
    assert lockbox.read("BOOK") == world.book.address.lower()


# --- claims --------------------------------------------------------------------------------------


def test_payout_claim__nothing(world: World) -> None:
    world.refused("NothingToClaim", "payoutClaim", signer("lender").address)


def test_payout_claim__delivers_what_could_not_be_delivered(hostile_world: World) -> None:
    world = hostile_world
    receivable_id = world.funded()
    lender = signer("lender").address
    world.asset.send(signer("admin"), "setBlocked", lender, True)
    receipt = world.book.send(signer("debtor"), "settle", receivable_id, EVERYTHING)
    waiting = A_DAY_OF_INTEREST + ADVANCE
    assert receipt.event("ClaimCredited") == {"account": lender.lower(), "amount": waiting}
    assert world.book.read("claimable", lender) == waiting
    assert world.balance(world.book.address) == waiting
    assert world.balance("treasury") == FEE
    assert world.record(receivable_id)["state"] == State.SETTLED
    with pytest.raises(RevertedError):
        world.book.send(signer("stranger"), "payoutClaim", lender)
    world.asset.send(signer("admin"), "setBlocked", lender, False)
    receipt = world.book.send(signer("stranger"), "payoutClaim", lender)
    assert receipt.event("Claimed")["amount"] == waiting
    assert world.balance("lender") == MINTED - ADVANCE + waiting
    assert world.book.read("claimable", lender) == 0
    world.refused("NothingToClaim", "payoutClaim", lender)

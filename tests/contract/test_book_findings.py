"""Freezing by signed findings: one receivable or one seller, for a time, never anyone's money."""

from typing import Any

import pytest

from carnet.contracts import typed_data
from carnet.contracts.model import State
from tests.fixtures_contracts import (
    DAY,
    MINTED,
    ONE_DOLLAR,
    RevertedError,
    World,
    make_world,
    signer,
    struct,
)

FACE = 100_000 * ONE_DOLLAR
ADVANCE = 80_000 * ONE_DOLLAR
A_DAY_OF_INTEREST = 20 * ONE_DOLLAR
EVERYTHING = 2**96 - 1


def expect_refusal(
    world: World,
    name: str,
    subject: bytes,
    *,
    function: str = "freeze",
    who: str = "compliance",
    **changes: Any,
) -> None:
    values = world.finding(subject, **changes)
    with pytest.raises(RevertedError) as caught:
        world.bring(function, "Finding", values, who)
    assert caught.value.name == name, caught.value


# --- freeze --------------------------------------------------------------------------------------


def test_freeze__state(world: World) -> None:
    expect_refusal(world, "StateUnexpected", bytes(32))


def test_freeze__hold_of_a_settled_receivable_is_renewed(world: World) -> None:
    receivable_id = world.funded()
    world.freeze(receivable_id)
    first_day = world.chain.today
    world.book.send(signer("debtor"), "settle", receivable_id, EVERYTHING)
    held = world.record(receivable_id)["held"]
    world.chain.set_day(first_day + 59)
    world.freeze(receivable_id)
    assert world.record(receivable_id)["frozenUntilDay"] == first_day + 119
    world.chain.set_day(first_day + 60)
    world.refused("NothingToSweep", "sweep", receivable_id)
    world.freeze(receivable_id, "unfreeze", code=0)
    assert world.balance("seller") == MINTED + ADVANCE + held
    assert world.record(receivable_id)["state"] == State.SETTLED


def test_freeze__again_after_the_end_counts_no_interest(world: World) -> None:
    receivable_id = world.funded()
    due_day = world.record(receivable_id)["dueDay"]
    world.chain.set_day(due_day + 1)
    world.freeze(receivable_id)
    world.book.send(signer("debtor"), "settle", receivable_id, 10_000 * ONE_DOLLAR)
    world.book.send(signer("debtor"), "settle", receivable_id, EVERYTHING)
    before = world.record(receivable_id)
    world.chain.set_day(due_day + 70)
    world.freeze(receivable_id)
    after = world.record(receivable_id)
    assert after["priorFrozenDays"] == 60
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"frozenFromDay", "frozenUntilDay", "priorFrozenDays", "findingAt"}
    assert world.book.read("quote", receivable_id, due_day + 90) == (0, 0, 0, 0, 0)


def test_freeze__cancelled_holds_what_comes_later(world: World) -> None:
    receivable_id = world.register()
    world.book.send(signer("seller"), "cancel", receivable_id)
    world.freeze(receivable_id)
    world.pay_lockbox(receivable_id, FACE)
    world.book.send(signer("stranger"), "sweep", receivable_id)
    assert world.record(receivable_id)["held"] == FACE
    assert world.balance("seller") == MINTED


def test_freeze__code_that_lifts(world: World) -> None:
    expect_refusal(world, "FindingCodeInvalid", world.register(), code=0)


def test_freeze__only_compliance(world: World) -> None:
    expect_refusal(world, "NotCompliance", world.register(), who="platform")


def test_freeze__malformed_signature(world: World) -> None:
    values = struct("Finding", world.finding(world.register()))
    world.refused("SignatureInvalid", "freeze", values, b"\x01" * 64)


def test_freeze__finding_of_the_future_or_too_old(world: World) -> None:
    receivable_id = world.register()
    now = world.chain.now
    expect_refusal(world, "FindingNotCurrent", receivable_id, issuedAt=now + 1)
    expect_refusal(world, "FindingNotCurrent", receivable_id, issuedAt=now - 7 * DAY - 1)
    world.bring(
        "freeze", "Finding", world.finding(receivable_id, issuedAt=now - 7 * DAY), "compliance"
    )


def test_freeze__nonce_used(world: World) -> None:
    first, second = world.register(), world.register()
    world.bring("freeze", "Finding", world.finding(first, nonce=900), "compliance")
    expect_refusal(world, "NonceUsed", second, nonce=900)


def test_freeze__writes_until_when(world: World) -> None:
    receivable_id = world.funded()
    today = world.chain.today
    receipt = world.freeze(receivable_id)
    assert receipt.event("Frozen")["untilDay"] == today + 60
    assert receipt.event("Frozen")["code"] == 3
    assert world.book.read("isFrozen", receivable_id)
    world.chain.set_day(today + 59, second=86_399)
    assert world.book.read("isFrozen", receivable_id)
    world.chain.set_day(today + 60, second=0)
    assert not world.book.read("isFrozen", receivable_id)


def test_freeze__renewed(world: World) -> None:
    receivable_id = world.funded()
    world.freeze(receivable_id)
    first_day = world.chain.today
    world.chain.set_day(first_day + 50)
    world.freeze(receivable_id)
    record = world.record(receivable_id)
    assert (record["frozenFromDay"], record["frozenUntilDay"]) == (first_day, first_day + 110)


def test_freeze__money_still_flows_to_lender_and_treasury(world: World) -> None:
    receivable_id = world.funded()
    world.freeze(receivable_id)
    receipt = world.book.send(signer("debtor"), "settle", receivable_id, EVERYTHING)
    residual = receipt.event("Settled")["residual"]
    assert receipt.event("Held")["amount"] == residual > 0
    assert world.balance("lender") == MINTED + A_DAY_OF_INTEREST
    assert world.balance("seller") == MINTED + ADVANCE
    assert world.balance(world.book.address) == residual
    assert world.record(receivable_id)["held"] == residual
    world.refused("NothingToClaim", "payoutClaim", signer("seller").address)
    world.refused("NothingToSweep", "sweep", receivable_id)


def test_freeze__late_days_bear_the_base_rate(world: World) -> None:
    receivable_id = world.funded()
    funded_day, due_day = world.chain.today, world.record(receivable_id)["dueDay"]
    world.chain.set_day(due_day + 1)
    world.freeze(receivable_id)
    days = due_day + 10 - funded_day
    world.chain.set_day(due_day + 10)
    late = 13_333_334 * 1  # One late day at the added 6 %: 13.3333.. rounded up.
    assert world.book.read("quote", receivable_id, due_day + 10)[1] == (
        days * A_DAY_OF_INTEREST + late
    )


def test_freeze__two_freezes_are_both_excused(world: World) -> None:
    receivable_id = world.funded()
    due_day = world.record(receivable_id)["dueDay"]
    for start in (due_day + 2, due_day + 8):
        world.chain.set_day(start)
        world.freeze(receivable_id)
        world.chain.set_day(start + 3)
        world.freeze(receivable_id, "unfreeze", code=0)
    record = world.record(receivable_id)
    assert record["priorFrozenDays"] == 3
    funded_day = record["fundedDay"]
    day = due_day + 15
    numerator = ADVANCE * (900 * (day - funded_day) + 600 * (15 - 6))
    expected = -(-numerator // (10_000 * 360))
    assert world.book.read("quote", receivable_id, day)[1] == expected


def test_freeze__days_before_the_due_day_excuse_nothing(world: World) -> None:
    receivable_id = world.funded()
    due_day = world.record(receivable_id)["dueDay"]
    world.chain.set_day(due_day - 10)
    world.freeze(receivable_id)
    world.chain.set_day(due_day + 4)
    world.freeze(receivable_id, "unfreeze", code=0)
    world.freeze(receivable_id)
    assert world.record(receivable_id)["priorFrozenDays"] == 4


# --- unfreeze ------------------------------------------------------------------------------------


def test_unfreeze__each_refusal(world: World) -> None:
    receivable_id = world.register()
    expect_refusal(world, "NotFrozen", receivable_id, function="unfreeze", code=0)
    world.freeze(receivable_id)
    world.chain.set_time(world.chain.now + 1)
    for name, who, changes in (
        ("FindingCodeInvalid", "compliance", {"code": 3}),
        ("NotCompliance", "thief", {"code": 0}),
        ("FindingNotCurrent", "compliance", {"code": 0, "issuedAt": world.chain.now - 1}),
    ):
        expect_refusal(world, name, receivable_id, function="unfreeze", who=who, **changes)


def test_unfreeze__releases_what_is_on_hold(world: World) -> None:
    receivable_id = world.funded()
    world.freeze(receivable_id)
    world.pay_lockbox(receivable_id, FACE + 5)
    receipt = world.book.send(signer("stranger"), "sweep", receivable_id)
    held = receipt.event("Held")["amount"]
    assert held == receipt.event("Settled")["residual"] + 5
    receipt = world.freeze(receivable_id, "unfreeze", code=0)
    assert receipt.event("HoldReleased")["amount"] == held
    assert world.balance("seller") == MINTED + ADVANCE + held
    assert world.balance(world.book.address) == 0
    assert world.record(receivable_id)["held"] == 0


def test_sweep__releases_a_hold_whose_freeze_expired(world: World) -> None:
    receivable_id = world.funded()
    world.freeze(receivable_id)
    world.book.send(signer("debtor"), "settle", receivable_id, EVERYTHING)
    world.chain.set_day(world.chain.today + 59)
    world.refused("NothingToSweep", "sweep", receivable_id)
    world.chain.set_day(world.chain.today + 1)
    receipt = world.book.send(signer("stranger"), "sweep", receivable_id)
    assert receipt.has("HoldReleased")
    assert world.balance(world.book.address) == 0


def test_sweep__unfunded_and_frozen_stays_on_hold(world: World) -> None:
    receivable_id = world.register()
    world.freeze(receivable_id)
    world.pay_lockbox(receivable_id, 40)
    world.book.send(signer("stranger"), "sweep", receivable_id)
    assert world.record(receivable_id)["held"] == 40
    world.freeze(receivable_id, "unfreeze", code=0)
    assert world.balance("seller") == MINTED + 40


def test_unfreeze__works_while_paused(world: World) -> None:
    receivable_id = world.register()
    world.freeze(receivable_id)
    world.book.send(signer("pauser"), "pause")
    assert world.freeze(receivable_id, "unfreeze", code=0).has("Unfrozen")


# --- sellers -------------------------------------------------------------------------------------


def test_freeze_seller__subject_must_be_an_address(world: World) -> None:
    expect_refusal(world, "AddressInvalid", b"\x01" * 32, function="freezeSeller")


def test_freeze_seller__code(world: World) -> None:
    subject = typed_data.address_subject(signer("seller").address)
    expect_refusal(world, "FindingCodeInvalid", subject, function="freezeSeller", code=0)
    expect_refusal(world, "FindingCodeInvalid", subject, function="unfreezeSeller", code=3)


def test_freeze_seller__stops_new_receivables_only(world: World) -> None:
    old = world.register()
    subject = typed_data.address_subject(signer("seller").address)
    receipt = world.freeze(subject, "freezeSeller")
    assert receipt.event("SellerFrozen")["untilDay"] == world.chain.today + 60
    with pytest.raises(RevertedError, match="SellerFrozen"):
        world.register()
    world.register(seller=signer("other seller").address)
    world.chain.set_day(world.chain.today + 1)
    world.fund(old)
    assert not world.book.read("isFrozen", old)
    world.book.send(signer("debtor"), "settle", old, EVERYTHING)
    assert world.record(old)["state"] == State.SETTLED


def test_freeze_seller__ends_by_itself_or_is_lifted(world: World) -> None:
    subject = typed_data.address_subject(signer("seller").address)
    world.freeze(subject, "freezeSeller")
    until = world.book.read("sellerFrozenUntil", signer("seller").address)
    receipt = world.freeze(subject, "unfreezeSeller", code=0)
    assert receipt.has("SellerUnfrozen")
    world.register()
    world.freeze(subject, "freezeSeller")
    world.chain.set_day(until)
    world.register()


# --- attacks -------------------------------------------------------------------------------------


def test_attack__freezing_one_touches_no_word_of_another(world: World) -> None:
    first, second = world.funded(), world.funded()
    world.book.send(signer("debtor"), "settle", second, 10_000 * ONE_DOLLAR)
    record, quote = world.record(second), world.book.read("quote", second, world.chain.today + 90)
    before = world.chain.storage()[world.book.address]
    world.freeze(first)
    after = world.chain.storage()[world.book.address]
    changed = {slot for slot in after if after[slot] != before.get(slot, 0)}
    # The freeze itself is one word of the first receivable, and the finding's nonce is another.
    assert len(changed) == 2
    assert world.record(second) == record
    assert world.book.read("quote", second, world.chain.today + 90) == quote
    world.book.send(signer("debtor"), "settle", second, EVERYTHING)
    assert world.record(second)["state"] == State.SETTLED


def test_attack__seller_repays_ahead_of_a_finding(world: World) -> None:
    receivable_id = world.funded()
    world.book.send(signer("seller"), "repayEarly", receivable_id, EVERYTHING)
    world.freeze(receivable_id)
    before = world.balance("seller")
    world.pay_lockbox(receivable_id, FACE)
    world.book.send(signer("stranger"), "sweep", receivable_id)
    assert world.record(receivable_id)["held"] == FACE
    assert world.balance("seller") == before


def test_attack__seller_cancels_what_is_frozen(world: World) -> None:
    receivable_id = world.register()
    world.freeze(receivable_id)
    until = world.record(receivable_id)["frozenUntilDay"]
    refused = world.refused("ReceivableFrozen", "cancel", receivable_id, sender="seller")
    assert refused == (receivable_id, until)
    world.freeze(receivable_id, "unfreeze", code=0)
    world.book.send(signer("seller"), "cancel", receivable_id)


def test_cancel_by_signature__the_platform_may_although_frozen(world: World) -> None:
    receivable_id = world.register()
    world.freeze(receivable_id)
    values = {
        "id": receivable_id,
        "nonce": world.next_nonce(),
        "deadline": world.chain.now + DAY,
    }
    world.bring("cancelBySignature", "Cancel", values, "platform")
    assert world.record(receivable_id)["state"] == State.CANCELLED


def test_attack__older_finding_kept_back(world: World) -> None:
    receivable_id = world.register()
    world.freeze(receivable_id)
    world.chain.set_time(world.chain.now + 1)
    kept_back = world.finding(receivable_id, code=0)
    world.freeze(receivable_id)
    with pytest.raises(RevertedError, match="FindingNotCurrent"):
        world.bring("unfreeze", "Finding", kept_back, "compliance")


def test_attack__finding_replayed_after_the_freeze(world: World) -> None:
    receivable_id = world.register()
    world.chain.set_time(world.chain.now + 1)
    values = world.finding(receivable_id)
    world.bring("freeze", "Finding", values, "compliance")
    world.freeze(receivable_id, "unfreeze", code=0)
    with pytest.raises(RevertedError, match="FindingNotCurrent"):
        world.bring("freeze", "Finding", values, "compliance")


def test_attack__finding_of_another_book(world: World) -> None:
    receivable_id = world.register()
    other = make_world(chain=world.chain)
    values = world.finding(receivable_id)
    signature = other.sign("compliance", "Finding", values)
    world.refused("NotCompliance", "freeze", struct("Finding", values), signature)


def test_attack__stolen_compliance_key_only_freezes(world: World) -> None:
    receivable_id = world.funded()
    record = world.record(receivable_id)
    world.freeze(receivable_id)
    frozen = world.record(receivable_id)
    changed = {name for name in record if record[name] != frozen[name]}
    assert changed == {"frozenFromDay", "frozenUntilDay", "findingAt"}
    for function, values in (
        ("pause", ()),
        ("unpause", ()),
        ("setPlatform", (1, signer("thief").address)),
        ("fund", (receivable_id, 0, 10_000)),
    ):
        with pytest.raises(RevertedError):
            world.book.send(signer("compliance"), function, *values)

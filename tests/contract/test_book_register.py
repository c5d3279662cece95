"""Registering and cancelling receivables: each refusal, then what success writes."""

from typing import Any

import pytest
from eth_utils.crypto import keccak

from carnet.contracts.model import State
from tests.fixtures_contracts import (
    DAY,
    ONE_DOLLAR,
    PLATFORM_ID,
    ZERO,
    Chain,
    RevertedError,
    World,
    make_world,
    signer,
    struct,
)


def expect_refusal(world: World, name: str, **changes: Any) -> tuple[Any, ...]:
    with pytest.raises(RevertedError) as caught:
        world.register(**changes)
    assert caught.value.name == name, caught.value
    return caught.value.values


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("FaceIsZero", {"face": 0}),
        ("RateOutOfRange", {"advBps": 9_001}),
        ("RateOutOfRange", {"feeBps": 1_001}),
        ("RateOutOfRange", {"bps": 3_601}),
        ("RateOutOfRange", {"bps": 3_000, "lateBps": 601}),
        ("RateOutOfRange", {"lateBps": 65_535}),
        ("BasisInvalid", {"basis": 0}),
        ("BasisInvalid", {"basis": 364}),
        ("GraceOutOfRange", {"graceDays": 91}),
        ("AddressInvalid", {"seller": ZERO}),
        ("PlatformUnknown", {"platformId": 8}),
    ],
)
def test_register__terms_out_of_range(world: World, name: str, changes: dict[str, Any]) -> None:
    expect_refusal(world, name, **changes)


@pytest.mark.parametrize("days", [-1, 0, 367])
def test_register__due_day_out_of_range(world: World, days: int) -> None:
    expect_refusal(world, "DueDayOutOfRange", dueDay=world.chain.today + days)


@pytest.mark.parametrize("days", [1, 366])
def test_register__due_day_at_its_limits(world: World, days: int) -> None:
    world.register(dueDay=world.chain.today + days)


def test_register__seller_is_the_book(world: World) -> None:
    expect_refusal(world, "AddressInvalid", seller=world.book.address)


def test_register__seller_is_its_own_lockbox(world: World) -> None:
    document = keccak(text="statement")
    box = world.book.read("lockboxOf", world.book.read("idOf", 7, document))
    expect_refusal(world, "AddressInvalid", docHash=document, seller=box)


def test_register__deadline(world: World) -> None:
    now = world.chain.now
    expect_refusal(world, "DeadlinePassed", deadline=now - 1)
    expect_refusal(world, "DeadlineTooFar", deadline=now + 7 * DAY + 1)
    world.register(deadline=now)
    world.register(deadline=now + 7 * DAY)


def test_register__nonce_used(world: World) -> None:
    world.register(nonce=5)
    expect_refusal(world, "NonceUsed", nonce=5)
    world.register(nonce=2**256 - 1)
    world.register(nonce=6)


def test_register__nonce_withdrawn(world: World) -> None:
    world.book.send(signer("platform"), "withdrawNonce", 77)
    expect_refusal(world, "NonceUsed", nonce=77)


def test_register__paused(world: World) -> None:
    world.book.send(signer("pauser"), "pause")
    expect_refusal(world, "EnforcedPause")


def test_register__deposit_insufficient() -> None:
    chain = Chain()
    deposit = chain.deploy("QualityDepositFake", sender=signer("admin").address)
    world = make_world(deposit=deposit.address, chain=chain)
    deposit.send(signer("admin"), "setCovered", False)
    expect_refusal(world, "DepositInsufficient")


def test_register__signed_by_another_key(world: World) -> None:
    values = world.confirmation()
    signature = world.sign("thief", "Confirmation", values)
    world.refused("SignatureInvalid", "register", struct("Confirmation", values), signature)


@pytest.mark.parametrize(
    "field", ["face", "seller", "docHash", "listingHash", "dueDay", "recourse", "feeBps"]
)
def test_register__each_field_is_signed(world: World, field: str) -> None:
    values = world.confirmation()
    signature = world.sign("platform", "Confirmation", values)
    changed: dict[str, Any] = {
        "face": values["face"] + 1,
        "seller": signer("thief").address,
        "docHash": keccak(text="x"),
        "listingHash": keccak(text="x"),
        "dueDay": values["dueDay"] + 1,
        "recourse": True,
        "feeBps": values["feeBps"] + 1,
    }
    forged = values | {field: changed[field]}
    world.refused("SignatureInvalid", "register", struct("Confirmation", forged), signature)


def test_register__writes_the_record(world: World) -> None:
    values = world.confirmation(recourse=True)
    receipt = world.bring("register", "Confirmation", values, "platform")
    receivable_id = receipt.value
    expected = keccak(
        world.chain.chain_id.to_bytes(32, "big")
        + bytes.fromhex(world.book.address[2:]).rjust(32, b"\0")
        + PLATFORM_ID.to_bytes(32, "big")
        + values["docHash"]
    )
    assert receivable_id == expected == world.book.read("idOf", PLATFORM_ID, values["docHash"])
    assert receipt.event("Confirmed") == {
        "id": receivable_id,
        "platformId": PLATFORM_ID,
        "seller": values["seller"].lower(),
        "face": values["face"],
        "dueDay": values["dueDay"],
        "docHash": values["docHash"],
        "listingHash": values["listingHash"],
    }
    record = world.record(receivable_id)
    for name in ("face", "listingHash", "dueDay", "advBps", "bps", "lateBps", "feeBps", "basis"):
        assert record[name] == values[name], name
    assert (record["state"], record["flags"]) == (State.CONFIRMED, 1)
    assert record["confirmedDay"] == world.chain.today
    assert world.book.read("count") == 1
    assert world.book.read("idAt", 0) == receivable_id
    assert world.book.read("isNonceUsed", signer("platform").address, values["nonce"])


def test_register__largest_face(world: World) -> None:
    receivable_id = world.register(face=2**96 - 1)
    assert world.record(receivable_id)["face"] == 2**96 - 1


def test_register__contract_wallet_signs(world: World) -> None:
    wallet = world.chain.deploy(
        "Wallet", signer("platform").address, sender=signer("admin").address
    )
    world.book.send(signer("admin"), "setPlatform", 9, wallet.address)
    assert world.register(platformId=9)


def test_attack__contract_wallet_revoked_between_signing_and_use(world: World) -> None:
    wallet = world.chain.deploy(
        "Wallet", signer("platform").address, sender=signer("admin").address
    )
    world.book.send(signer("admin"), "setPlatform", 9, wallet.address)
    values = world.confirmation(platformId=9)
    signature = world.sign("platform", "Confirmation", values)
    wallet.send(signer("platform"), "revoke")
    world.refused("SignatureInvalid", "register", struct("Confirmation", values), signature)


# --- cancel --------------------------------------------------------------------------------------


def test_cancel__only_the_seller(world: World) -> None:
    receivable_id = world.register()
    world.refused("NotSeller", "cancel", receivable_id)
    world.refused("NotSeller", "cancel", bytes(32), sender="seller")


def test_cancel__not_after_funding(world: World) -> None:
    receivable_id = world.funded()
    world.refused("StateUnexpected", "cancel", receivable_id, sender="seller")


def test_cancel__by_the_seller(world: World) -> None:
    receivable_id = world.register()
    receipt = world.book.send(signer("seller"), "cancel", receivable_id)
    assert receipt.event("Cancelled")["by"] == signer("seller").address.lower()
    assert world.record(receivable_id)["state"] == State.CANCELLED
    world.refused("StateUnexpected", "cancel", receivable_id, sender="seller")


def cancellation(world: World, receivable_id: bytes, **changes: Any) -> dict[str, Any]:
    return {
        "id": receivable_id,
        "nonce": world.next_nonce(),
        "deadline": world.chain.now + DAY,
    } | changes


def test_cancel_by_signature__each_refusal(world: World) -> None:
    receivable_id = world.register()
    for who, name, changes in (
        ("thief", "SignatureInvalid", {}),
        ("platform", "DeadlinePassed", {"deadline": world.chain.now - 1}),
        ("platform", "DeadlineTooFar", {"deadline": world.chain.now + 8 * DAY}),
        ("platform", "NonceUsed", {"nonce": 1}),
        ("platform", "StateUnexpected", {"id": bytes(32)}),
    ):
        values = cancellation(world, receivable_id, **changes)
        with pytest.raises(RevertedError, match=name):
            world.bring("cancelBySignature", "Cancel", values, who)


def test_cancel_by_signature__platform_cannot_undo_a_funding(world: World) -> None:
    receivable_id = world.funded()
    with pytest.raises(RevertedError, match="StateUnexpected"):
        world.bring("cancelBySignature", "Cancel", cancellation(world, receivable_id), "platform")


def test_cancel_by_signature__cancels(world: World) -> None:
    receivable_id = world.register()
    receipt = world.bring(
        "cancelBySignature", "Cancel", cancellation(world, receivable_id), "platform"
    )
    assert receipt.has("Cancelled")
    assert world.record(receivable_id)["state"] == State.CANCELLED


def test_attack__register_again_after_cancel(world: World) -> None:
    values = world.confirmation()
    receivable_id = world.bring("register", "Confirmation", values, "platform").value
    world.book.send(signer("seller"), "cancel", receivable_id)
    again = values | {"nonce": world.next_nonce()}
    with pytest.raises(RevertedError, match="AlreadyRegistered"):
        world.bring("register", "Confirmation", again, "platform")


def test_attack__same_statement_twice(world: World) -> None:
    document = keccak(text="one statement")
    world.register(docHash=document)
    expect_refusal(world, "AlreadyRegistered", docHash=document, face=5 * ONE_DOLLAR)


def test_attack__two_platforms_with_one_document_hash(world: World) -> None:
    document = keccak(text="one statement")
    world.book.send(signer("admin"), "setPlatform", 9, signer("other platform").address)
    first = world.register(docHash=document)
    values = world.confirmation(docHash=document, platformId=9)
    second = world.bring("register", "Confirmation", values, "other platform").value
    assert first != second


def test_attack__replay_on_another_book(world: World) -> None:
    values = world.confirmation()
    signature = world.sign("platform", "Confirmation", values)
    other = make_world(chain=world.chain)
    other.refused("SignatureInvalid", "register", struct("Confirmation", values), signature)


def test_attack__replay_on_another_chain(world: World) -> None:
    values = world.confirmation()
    signature = world.sign("platform", "Confirmation", values)
    other = make_world(chain=Chain(chain_id=1))
    assert other.book.address == world.book.address
    other.refused("SignatureInvalid", "register", struct("Confirmation", values), signature)


def test_attack__malleable_signature(world: World) -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    values = world.confirmation()
    signature = world.sign("platform", "Confirmation", values)
    flipped = order - int.from_bytes(signature[32:64], "big")
    v = 27 + 28 - signature[64]
    forged = signature[:32] + flipped.to_bytes(32, "big") + bytes([v])
    world.refused("SignatureInvalid", "register", struct("Confirmation", values), forged)


@pytest.mark.parametrize("signature", [b"", b"\x00" * 64, b"\x00" * 65, b"\xff" * 65])
def test_attack__empty_and_short_signatures(world: World, signature: bytes) -> None:
    values = struct("Confirmation", world.confirmation())
    world.refused("SignatureInvalid", "register", values, signature)


def test_attack__old_key_after_rotation(world: World) -> None:
    values = world.confirmation()
    signature = world.sign("platform", "Confirmation", values)
    world.book.send(signer("admin"), "setPlatform", PLATFORM_ID, signer("new platform").address)
    world.refused("SignatureInvalid", "register", struct("Confirmation", values), signature)

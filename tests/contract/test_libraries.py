"""The arithmetic libraries and the signed types by themselves, against Python."""

import pytest
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from carnet.contracts import model, typed_data
from tests.fixtures_contracts import ZERO, Chain, World, signer

LIBRARIES = Chain().deploy("Libraries", sender=signer("admin").address)
amounts = st.integers(0, 2**96 - 1)
days = st.integers(0, 400)


def legs_of(values: dict[str, int]) -> model.Legs:
    return model.Legs(values["fee"], values["interest"], values["principal"], values["residual"])


@settings(max_examples=300, deadline=None)
@given(
    principal=amounts,
    bps=st.integers(0, 3_600),
    late_bps=st.integers(0, 3_600),
    due=days,
    start=days,
    length=days,
    freeze=days,
    frozen=days,
)
def test_numerator__is_the_sum_over_the_days(
    principal: int,
    bps: int,
    late_bps: int,
    due: int,
    start: int,
    length: int,
    freeze: int,
    frozen: int,
) -> None:
    expected = sum(
        principal * (bps + (late_bps if day > due and not freeze < day <= freeze + frozen else 0))
        for day in range(start + 1, start + length + 1)
    )
    terms = (bps, late_bps, due, freeze, freeze + frozen)
    assert LIBRARIES.read("numerator", principal, terms, start, start + length) == expected


def test_numerator__of_no_days() -> None:
    assert LIBRARIES.read("numerator", 10**6, (900, 600, 5, 0, 0), 7, 7) == 0
    assert LIBRARIES.read("numerator", 10**6, (900, 600, 5, 0, 0), 8, 7) == 0


@settings(max_examples=200, deadline=None)
@given(numerator=st.integers(0, 2**126), basis=st.sampled_from([360, 365]))
def test_interest_up__equals_the_model(numerator: int, basis: int) -> None:
    assert LIBRARIES.read("interestUp", numerator, basis) == model.interest_up(numerator, basis)


@settings(max_examples=200, deadline=None)
@given(payment=amounts, fee=amounts, interest=amounts, principal=amounts)
def test_split__equals_the_model(payment: int, fee: int, interest: int, principal: int) -> None:
    found = LIBRARIES.read("split", payment, (fee, interest, principal, 0))
    assert legs_of(found) == model.split(payment, model.Legs(fee, interest, principal))


@settings(max_examples=200, deadline=None)
@given(
    payments=st.lists(st.integers(1, 2_000), max_size=8),
    fee=st.integers(0, 500),
    interests=st.lists(st.integers(0, 300), min_size=8, max_size=8),
    principal=st.integers(0, 3_000),
)
def test_paid_of__recovers_the_legs_from_the_sum(
    payments: list[int], fee: int, interests: list[int], principal: int
) -> None:
    paid, interest = model.Legs(), 0
    for payment, accrued in zip(payments, interests, strict=False):
        # Interest grows only while there is principal to bear it.
        interest += accrued if paid.principal < principal else 0
        due = model.Legs(fee - paid.fee, interest - paid.interest, principal - paid.principal)
        paid = paid.plus(model.split(payment, due))
        found = LIBRARIES.read("paidOf", paid.total, fee, interest, paid.principal)
        assert legs_of(found) == paid


# --- signed types --------------------------------------------------------------------------------


def test_types__hash_as_the_contracts_do() -> None:
    hashes = [keccak(text=typed_data.encode_type(name)) for name in typed_data.TYPES]
    assert list(LIBRARIES.read("typeHashes")) == hashes


@pytest.mark.parametrize(
    ("constant", "name"),
    [
        ("CONFIRMATION_TYPEHASH", "Confirmation"),
        ("FINDING_TYPEHASH", "Finding"),
        ("CANCEL_TYPEHASH", "Cancel"),
    ],
)
def test_book__shows_its_type_hashes(world: World, constant: str, name: str) -> None:
    assert world.book.read(constant) == keccak(text=typed_data.encode_type(name))


def test_domain__is_that_of_the_book(world: World) -> None:
    _, name, version, chain_id, contract, _, _ = world.book.read("eip712Domain")
    assert (name, version) == (typed_data.BOOK_DOMAIN_NAME, typed_data.DOMAIN_VERSION)
    assert (chain_id, contract) == (world.chain.chain_id, world.book.address.lower())


def test_typed_message__needs_exactly_the_members() -> None:
    values = {"id": bytes(32), "nonce": 1}
    with pytest.raises(ValueError, match="deadline"):
        typed_data.typed_message("Cancel", values, domain_name="x", chain_id=1, contract=ZERO)


def test_typed_message__is_what_a_wallet_encodes() -> None:
    message = typed_data.typed_message(
        "Cancel",
        {"id": bytes(32), "nonce": 1, "deadline": 2},
        domain_name=typed_data.BOOK_DOMAIN_NAME,
        chain_id=1,
        contract=ZERO,
    )
    expected = keccak(
        keccak(text=typed_data.encode_type("Cancel"))
        + bytes(32)
        + (1).to_bytes(32, "big")
        + (2).to_bytes(32, "big")
    )
    assert encode_typed_data(full_message=message).body == expected


def test_address_subject__is_left_padded() -> None:
    assert typed_data.address_subject("0x" + "ab" * 20) == bytes(12) + b"\xab" * 20

"""The reference model by itself, against figures worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carnet.contracts import model

FUNDED = 100


def a_book(**changes: int) -> tuple[model.Book, model.Receivable]:
    values = {
        "face": 1_000_000,
        "due_day": 130,
        "adv_bps": 8_000,
        "bps": 900,
        "late_bps": 600,
        "fee_bps": 50,
        "basis": 360,
        "grace_days": 5,
    } | changes
    asset = model.Asset({"lender": 10**9, "debtor": 10**9, "seller": 10**9})
    book = model.Book(asset)
    book.register("R", model.Terms(seller="seller", recourse=False, **values), FUNDED - 1)
    book.fund("R", "lender", FUNDED)
    return book, book.receivables["R"]


@pytest.mark.parametrize(
    ("timestamp_s", "day"), [(0, 0), (86_399, 0), (86_400, 1), (1_795_391_999, 20_779)]
)
def test_day_of__boundaries(timestamp_s: int, day: int) -> None:
    assert model.day_of(timestamp_s) == day


def test_rounding__goes_the_way_its_name_says() -> None:
    assert model.share_down(9_999, 3_333) == 3_332
    assert model.interest_up(1, 360) == 1
    assert model.interest_up(3_600_000, 360) == 1
    assert model.interest_up(3_600_001, 360) == 2
    assert model.interest_up(0, 360) == 0


def test_split__fills_in_order() -> None:
    due = model.Legs(5, 7, 11)
    assert model.split(4, due) == model.Legs(4)
    assert model.split(12, due) == model.Legs(5, 7)
    assert model.split(24, due) == model.Legs(5, 7, 11, 1)


@given(payment=st.integers(0, 10**30), due=st.builds(model.Legs, *[st.integers(0, 10**29)] * 3))
def test_split__sums_to_the_payment(payment: int, due: model.Legs) -> None:
    legs = model.split(payment, due)
    assert legs.total == payment
    assert legs.residual == 0 or legs.debt == due.debt


@pytest.mark.parametrize(
    ("day", "interest"),
    [
        (FUNDED, 200),  # 800,000 at 9 % over 360: 200 a day, at least one day
        (FUNDED + 1, 200),
        (FUNDED + 2, 400),
        (130, 6_000),
        (131, 6_334),  # one late day at 15 %: 333.33.., rounded up once, at the end
        (133, 7_000),
    ],
)
def test_due_on__counts_days(day: int, interest: int) -> None:
    _, receivable = a_book()
    assert receivable.due_on(day) == model.Legs(5_000, interest, 800_000)


def test_due_on__days_in_a_freeze_bear_no_late_rate() -> None:
    book, receivable = a_book()
    book.freeze("R", 131)
    book.unfreeze("R", 133)
    assert receivable.due_on(133).interest == 6_334 + 2 * 200


def test_payment__lowers_the_principal_from_the_next_day() -> None:
    book, receivable = a_book()
    book.settle("R", "debtor", 5_000 + 2_000 + 400_000, 110)
    assert receivable.due_on(110) == model.Legs(0, 0, 400_000)
    assert receivable.due_on(111) == model.Legs(0, 100, 400_000)


@given(
    cuts=st.lists(st.integers(1, 900_000), max_size=6),
    day=st.integers(FUNDED, FUNDED + 90),
)
def test_payments__splitting_one_on_a_day_changes_nothing(cuts: list[int], day: int) -> None:
    whole, _ = a_book()
    parts, receivable = a_book()
    whole.settle("R", "debtor", model.AMOUNT_MAX, day)
    for amount in [*cuts, model.AMOUNT_MAX]:
        if receivable.is_open:
            parts.settle("R", "debtor", amount, day)
    assert parts.asset.balances == whole.asset.balances
    assert receivable.paid == whole.receivables["R"].paid


@given(
    days=st.lists(st.integers(0, 20), min_size=1, max_size=6),
    amounts=st.lists(st.integers(1, 400_000), min_size=6, max_size=6),
)
def test_money__is_conserved_and_nobody_gets_more(days: list[int], amounts: list[int]) -> None:
    book, receivable = a_book()
    day = FUNDED
    for gap, amount in zip(days, amounts, strict=False):
        day += gap
        if receivable.is_open:
            book.settle("R", "debtor", amount, day)
        paid = receivable.paid
        assert sum(book.asset.balances.values()) == 3 * 10**9
        assert book.asset.balance("book") == 0
        assert paid.fee <= receivable.terms.fee
        assert paid.principal <= receivable.terms.advance
        assert paid.residual == 0 or receivable.due_on(day).debt == 0


def test_refusal__names_the_custom_error() -> None:
    book, _ = a_book()
    with pytest.raises(model.RefusedError, match="StateUnexpected"):
        book.fund("R", "lender", FUNDED + 1)
    with pytest.raises(model.RefusedError, match="NothingToSweep"):
        book.sweep("R", FUNDED)


def test_state_at__overdue_is_derived() -> None:
    _, receivable = a_book()
    assert receivable.state_at(130) is model.State.FUNDED
    assert receivable.state_at(131) is model.State.OVERDUE
    assert receivable.state is model.State.FUNDED

"""The worked example of docs/contracts.md: computed by the model, repeated on the chain."""

from datetime import date
from pathlib import Path

from carnet.contracts import model
from tests.fixtures_contracts import ONE_DOLLAR, World, make_world, signer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "contracts.md"
EPOCH = date(1970, 1, 1)
FACE = 100_000 * ONE_DOLLAR
PAYMENTS = (
    ("2027-01-22", "the platform pays 60,000.00 into the lockbox", 60_000 * ONE_DOLLAR),
    ("2027-01-27", "the platform pays the rest, five days late", 40_000 * ONE_DOLLAR),
)
TERMS = model.Terms(
    seller="seller",
    face=FACE,
    due_day=(date(2027, 1, 22) - EPOCH).days,
    adv_bps=8_000,
    bps=900,
    late_bps=600,
    fee_bps=50,
    basis=360,
    grace_days=5,
)


def day(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


def six(amount: int) -> str:
    return f"{amount // ONE_DOLLAR:,}.{amount % ONE_DOLLAR:06d}"


def two(amount: int) -> str:
    return f"{amount // ONE_DOLLAR:,}.{amount % ONE_DOLLAR // 10_000:02d}"


def row(when: str, what: str, legs: model.Legs, left: int) -> str:
    parts = (legs.total, legs.fee, legs.interest, legs.principal, legs.residual)
    return " | ".join((f"| {when}", what, *map(six, parts), f"{two(left)} |"))


def rows_of_the_model() -> list[str]:
    asset = model.Asset({"lender": FACE, "debtor": FACE})
    book = model.Book(asset)
    book.register("R", TERMS, day("2026-11-23"))
    book.fund("R", "lender", day("2026-11-24"))
    rows = []
    for when, what, amount in PAYMENTS:
        asset.move("debtor", model.lockbox("R"), amount)
        book.sweep("R", day(when))
        receivable = book.receivables["R"]
        left = receivable.due_on(day(when)).debt
        rows.append(row(when, what, receivable.payments[-1].legs, left))
    return rows


def rows_of_the_chain(world: World) -> list[str]:
    world.chain.set_day(day("2026-11-23"))
    receivable_id = world.funded(dueDay=TERMS.due_day)
    assert world.chain.today == day("2026-11-24")
    rows = []
    for when, what, amount in PAYMENTS:
        world.chain.set_day(day(when))
        world.pay_lockbox(receivable_id, amount)
        event = world.book.send(signer("stranger"), "sweep", receivable_id).event("Settled")
        names = ("fee", "interest", "principal", "residual")
        legs = model.Legs(*(event[name] for name in names))
        rows.append(row(when, what, legs, world.book.read("owed", receivable_id)))
    return rows


def test_worked_example__is_what_the_model_computes() -> None:
    page = PAGE.read_text("utf-8")
    for line in rows_of_the_model():
        assert line in page


def test_worked_example__is_what_the_chain_does() -> None:
    assert rows_of_the_chain(make_world()) == rows_of_the_model()

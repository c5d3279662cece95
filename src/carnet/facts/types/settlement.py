"""How a platform and its seller settle: deposits, quality, sales, receivables, statements."""

from typing import Annotated, ClassVar, Final, Literal

from carnet.core.text import Text
from carnet.facts.types.base import (
    AgreementRef,
    Amount,
    ChannelRef,
    Count,
    Currency,
    Day,
    FactModel,
    Line,
    ListingRef,
    Note,
    PartyRef,
    ReceivableRef,
    Sha256,
    ShareBps,
    SignedAmount,
)
from carnet.facts.types.checks import CrossCheck, NotAbove, NotBefore
from carnet.facts.types.trading import Category, Market

StatementKind = Literal[
    "income",
    "after_sales_reserve",
    "after_sales_release",
    "compensation",
    "deduction",
    "warehouse_fee",
    "epr_fee",
    "ads_fee",
    "other_fee",
    "withdrawal",
]
FAVOURABLE: Final = frozenset({"income", "after_sales_release"})
"""The kinds of statement lines that are in the seller's favour."""


class DepositAccount(FactModel):
    """A seller's quality deposit with a platform."""

    TYPE = "deposit_account"
    TITLE = Text("Quality deposit account", "质量保证金账户")

    seller_id: PartyRef
    platform_id: PartyRef
    category: Category
    base_bps: ShareBps
    current_bps: ShareBps
    balance_minor: Amount
    currency: Currency
    changed_on: Day


class QualityStat(FactModel):
    """A seller's quality figures with a platform over a period."""

    TYPE = "quality_stat"
    TITLE = Text("Quality statistics", "质量统计")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (
        NotBefore("period_start", "period_end"),
        NotAbove("orders", "orders_otif"),
        NotAbove("units", "units_defective"),
        NotAbove("aql_lots", "aql_lots_passed"),
        NotAbove("disputes", "disputes_lost"),
    )

    seller_id: PartyRef
    platform_id: PartyRef
    period_start: Day
    period_end: Day
    orders: Count
    orders_otif: Annotated[Count, Note("orders delivered on time and in full")]
    units: Count
    units_defective: Count
    aql_lots: Annotated[Count, Note("lots inspected by AQL sampling")]
    aql_lots_passed: Count
    units_returned_quality: Annotated[
        Count, Note("may exceed `units`: returns follow sales of earlier periods")
    ]
    disputes: Count
    disputes_lost: Count
    recalls_open: Count
    penalties_unpaid: Count


class Sales(FactModel):
    """A seller's sales in a channel and market over a period."""

    TYPE = "sales"
    TITLE = Text("Sales", "销售额")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (NotBefore("period_start", "period_end"),)

    seller_id: PartyRef
    channel_id: ChannelRef
    market: Market
    period_start: Day
    period_end: Day
    amount_minor: Amount
    currency: Currency


class Reserve(FactModel):
    """A reserve of a seller at a day."""

    TYPE = "reserve"
    TITLE = Text("Reserve", "准备金")

    seller_id: PartyRef
    kind: Literal["compliance", "specific_asset", "cash"]
    balance_minor: Amount
    currency: Currency
    as_of: Day


class Receivable(FactModel):
    """A platform's duty to pay a seller."""

    TYPE = "receivable"
    TITLE = Text("Receivable", "应收账款")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (NotBefore("delivered_on", "due_on"),)

    seller_id: PartyRef
    debtor_id: PartyRef
    document_sha256: Sha256
    face_minor: Amount
    currency: Currency
    delivered_on: Day
    qc_passed_on: Annotated[Day | None, Note("when the platform's own inspection passed")] = None
    confirmed_on: Annotated[Day | None, Note("the UTC day of the platform's confirmation")] = None
    due_on: Day
    listing_id: ListingRef | None = None
    agreement_id: AgreementRef | None = None


class StatementLine(FactModel):
    """A line of a platform's settlement statement.

    The kind decides the direction: `income` and `after_sales_release` are in the seller's favour,
    every other kind reduces what it gets. A negative amount reverses earlier lines of its kind.
    """

    TYPE = "statement_line"
    TITLE = Text("Settlement statement line", "结算单明细")

    seller_id: PartyRef
    platform_id: PartyRef
    kind: StatementKind
    amount_minor: Annotated[
        SignedAmount, Note("its kind decides the direction; negative reverses lines of its kind")
    ]
    currency: Currency
    booked_on: Day
    receivable_id: ReceivableRef | None = None
    payment_reference: Annotated[
        Line | None, Note("the reference that the payer gave, such as EndToEndId")
    ] = None
    bank_reference: Annotated[
        Line | None, Note("the reference of whoever keeps the account, such as AcctSvcrRef")
    ] = None


MODELS: tuple[type[FactModel], ...] = (
    DepositAccount,
    QualityStat,
    Sales,
    Reserve,
    Receivable,
    StatementLine,
)
"""The types of this topic, in the order of the documentation."""

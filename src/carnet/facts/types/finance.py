"""What a seller owes and has: agreements, covenants, clauses, liabilities, debts, statements."""

from typing import Annotated, ClassVar, Literal

from carnet.core.text import Text
from carnet.facts.types.base import (
    AgreementRef,
    Amount,
    Boolean,
    ClauseRef,
    Currency,
    Day,
    Days,
    FactModel,
    Line,
    Note,
    PartyRef,
    ProductRef,
    RatioBps,
    SignedAmount,
)
from carnet.facts.types.checks import CrossCheck, ExactlyOne, NotBefore
from carnet.facts.types.trading import Market

LiabilityKind = Literal[
    "product_liability", "ip_infringement", "regulatory_fine", "recall_cost", "tax", "other"
]
Probability = Literal["remote", "possible", "probable", "virtually_certain"]
"""Classes of likelihood. Source: IAS 37; CAS 13."""


class Agreement(FactModel):
    """A financing agreement."""

    TYPE = "agreement"
    TITLE = Text("Financing agreement", "融资协议")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (NotBefore("signed_on", "ends_on"),)

    lender_id: PartyRef
    borrower_id: PartyRef
    kind: Literal["loan", "factoring", "pledge"]
    signed_on: Day
    ends_on: Day
    currency: Currency
    cross_default_threshold_minor: Amount | None = None


class Covenant(FactModel):
    """A financial covenant and its limit: a ratio or an amount."""

    TYPE = "covenant"
    TITLE = Text("Covenant", "财务承诺")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (ExactlyOne("limit_bps", "limit_minor"),)

    agreement_id: AgreementRef
    measure: Literal[
        "leverage", "dscr", "current_ratio", "gearing", "liability_ratio", "minimum_liquidity"
    ]
    at: Literal["most", "least"]
    limit_bps: Annotated[RatioBps | None, Note("for ratios; may exceed 10000")] = None
    limit_minor: Annotated[Amount | None, Note("in the agreement's currency")] = None
    tested_on: Day


class Clause(FactModel):
    """A risk-isolation clause of an agreement."""

    TYPE = "clause"
    TITLE = Text("Risk-isolation clause", "风险隔离条款")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (NotBefore("effective_from", "effective_to"),)

    agreement_id: AgreementRef
    kind: Literal[
        "contingent_liability_carveout", "cross_default_carveout", "ring_fence", "non_recourse"
    ]
    cap_minor: Annotated[Amount | None, Note("in the agreement's currency")] = None
    period_days: Days | None = None
    notice_days: Days
    cure_days: Days
    effective_from: Day
    effective_to: Day | None = None
    source_ref: Annotated[Line, Note("where the contract says so")]


class ClauseScope(FactModel):
    """A kind of liability that a clause covers."""

    TYPE = "clause_scope"
    TITLE = Text("Scope of a clause", "条款范围")

    clause_id: ClauseRef
    liability_kind: LiabilityKind


class ClauseExclusion(FactModel):
    """An event that ends a clause's protection."""

    TYPE = "clause_exclusion"
    TITLE = Text("Exclusion of a clause", "条款除外情形")

    clause_id: ClauseRef
    event: Literal["judgment_final", "accelerated", "fraud", "unpaid"]
    after_days: Days | None = None


class Liability(FactModel):
    """A contingent or certain liability of a party."""

    TYPE = "liability"
    TITLE = Text("Liability", "负债与或有负债")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (
        NotBefore("arose_on", "notice_given_on"),
        NotBefore("arose_on", "judgment_final_on"),
        NotBefore("arose_on", "paid_on"),
    )

    party_id: PartyRef
    kind: LiabilityKind
    estimate_minor: Amount
    currency: Currency
    probability: Probability
    arose_on: Day
    product_id: ProductRef | None = None
    notice_given_on: Day | None = None
    judgment_final_on: Day | None = None
    paid_on: Day | None = None
    reimbursement_minor: Amount | None = None
    reimbursement_probability: Probability | None = None


class Debt(FactModel):
    """What a party owes under an agreement."""

    TYPE = "debt"
    TITLE = Text("Debt", "债务")

    party_id: PartyRef
    agreement_id: AgreementRef
    principal_minor: Amount
    interest_due_minor: Amount
    principal_due_minor: Amount
    currency: Currency
    is_in_default: Boolean
    defaulted_on: Day | None = None


_LOSS_NOTE = Note("negative where the period lost money")


class Financials(FactModel):
    """A party's financial statement at the end of a period."""

    TYPE = "financials"
    TITLE = Text("Financial statement", "财务报表")

    party_id: PartyRef
    period_end: Day
    currency: Currency
    total_assets_minor: Amount
    total_liabilities_minor: Amount
    current_assets_minor: Amount
    current_liabilities_minor: Amount
    cash_minor: Amount
    ebitda_minor: Annotated[SignedAmount, _LOSS_NOTE]
    revenue_minor: Amount
    cash_for_debt_service_minor: Annotated[SignedAmount, _LOSS_NOTE]
    monthly_operating_outflow_minor: Amount
    specific_assets_minor: Amount | None = None


class Insurance(FactModel):
    """An insurance policy in force for a market and time."""

    TYPE = "insurance"
    TITLE = Text("Insurance", "保险")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (NotBefore("valid_from", "valid_until"),)

    seller_id: PartyRef
    kind: Literal["product_liability", "ip"]
    market: Market
    insured_minor: Amount
    currency: Currency
    valid_from: Day
    valid_until: Day


class LegalRetainer(FactModel):
    """A yearly agreement with a law firm."""

    TYPE = "legal_retainer"
    TITLE = Text("Law-firm agreement", "律所年度协议")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (NotBefore("valid_from", "valid_until"),)

    seller_id: PartyRef
    firm_id: PartyRef
    valid_from: Day
    valid_until: Day


MODELS: tuple[type[FactModel], ...] = (
    Agreement,
    Covenant,
    Clause,
    ClauseScope,
    ClauseExclusion,
    Liability,
    Debt,
    Financials,
    Insurance,
    LegalRetainer,
)
"""The types of this topic, in the order of the documentation."""

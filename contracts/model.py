"""The receivable in plain Python: the specification that runs, and the contract's yardstick.

It counts interest day by day from the whole history and keeps every leg by itself, where the
contract adds up numerators and derives the legs from one sum: two ways to the same cent. Integers
only. Every rounding is named: ``_up`` against the payer, ``_down`` towards the payer; what rounding
leaves over goes to the seller, as part of the residual.

Left out: signatures, roles and the chain. The caller says who acts and on which day.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

BPS: Final = 10_000
ADV_BPS_MAX: Final = 9_000
FEE_BPS_MAX: Final = 1_000
GRACE_DAYS_MAX: Final = 90
TENOR_DAYS_MAX: Final = 366
FREEZE_DAYS: Final = 60
BASES: Final = (360, 365)
AMOUNT_MAX: Final = 2**96 - 1
SECONDS_A_DAY: Final = 86_400


class State(IntEnum):
    """State of a receivable; the numbers are those of the contract."""

    NONE = 0
    CONFIRMED = 1
    FUNDED = 2
    OVERDUE = 3
    RECOURSE = 4
    DEFAULTED = 5
    WRITTEN_OFF = 6
    SETTLED = 7
    CANCELLED = 8


FLAG_RECOURSE: Final = 1
FLAG_LATE: Final = 2
FLAG_SHORT: Final = 4


class RefusedError(Exception):
    """The book refuses; the reason is the name of the contract's custom error."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def require(*, condition: bool, reason: str) -> None:
    """Refuse for a reason unless a condition holds.

    Raises:
        RefusedError: It does not hold.
    """
    if not condition:
        raise RefusedError(reason)


# --- arithmetic --------------------------------------------------------------------------------


def day_of(timestamp_s: int) -> int:
    """Return the UTC day of an instant, days since 1970-01-01."""
    return timestamp_s // SECONDS_A_DAY


def share_down(amount: int, bps: int) -> int:
    """Return a share of an amount, rounded down."""
    return amount * bps // BPS


def interest_up(numerator: int, basis: int) -> int:
    """Return the interest that a numerator stands for, rounded up."""
    return -(-numerator // (BPS * basis))


@dataclass(frozen=True, slots=True)
class Legs:
    """The parts of a debt or of a payment, in minor units."""

    fee: int = 0
    interest: int = 0
    principal: int = 0
    residual: int = 0

    @property
    def debt(self) -> int:
        """What treasury and lender get together."""
        return self.fee + self.interest + self.principal

    @property
    def total(self) -> int:
        """The sum of all four."""
        return self.debt + self.residual

    def plus(self, other: "Legs") -> "Legs":
        """Return the sum, leg by leg."""
        return Legs(
            self.fee + other.fee,
            self.interest + other.interest,
            self.principal + other.principal,
            self.residual + other.residual,
        )


def split(payment: int, due: Legs) -> Legs:
    """Return a payment split over what is due: fee, interest, principal, and the rest."""
    fee = min(payment, due.fee)
    interest = min(payment - fee, due.interest)
    principal = min(payment - fee - interest, due.principal)
    result = Legs(fee, interest, principal, payment - fee - interest - principal)
    assert result.total == payment
    return result


# --- one receivable ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Terms:
    """What a confirmation fixes; the names are those of the signed type."""

    seller: str
    face: int
    due_day: int
    adv_bps: int
    bps: int
    late_bps: int
    fee_bps: int
    basis: int
    grace_days: int
    recourse: bool = False
    platform_id: int = 0

    @property
    def advance(self) -> int:
        """What the lender pays, rounded down."""
        return share_down(self.face, self.adv_bps)

    @property
    def fee(self) -> int:
        """The servicing fee, rounded down."""
        return share_down(self.face, self.fee_bps)

    def needed(self, days: int) -> int:
        """Return what repays treasury and lender after some days at the base rate."""
        numerator = sum(self.advance * self.bps for _ in range(days))
        return self.advance + self.fee + interest_up(numerator, self.basis)


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment as it was split, and the last day it was charged interest for."""

    charged_to_day: int
    legs: Legs


@dataclass(slots=True)
class Receivable:
    """One receivable with its whole history."""

    terms: Terms
    confirmed_day: int
    state: State = State.CONFIRMED
    flags: int = 0
    funded_day: int = 0
    lender: str = ""
    payments: list[Payment] = field(default_factory=list)
    freezes: list[tuple[int, int]] = field(default_factory=list)
    held: int = 0
    paid_before_funding: int = 0

    @property
    def paid(self) -> Legs:
        """What was paid so far, leg by leg."""
        total = Legs()
        for payment in self.payments:
            total = total.plus(payment.legs)
        return total

    @property
    def received(self) -> int:
        """The sum of all payments."""
        return self.paid.total

    @property
    def is_open(self) -> bool:
        """Whether payments are taken."""
        return State.FUNDED <= self.state <= State.WRITTEN_OFF

    @property
    def principal(self) -> int:
        """The outstanding principal."""
        if self.funded_day == 0:
            return 0
        return self.terms.advance - self.paid.principal

    @property
    def expected(self) -> int:
        """What the platform has still to pay of the face."""
        return max(0, self.terms.face - self.paid_before_funding - self.received)

    def is_frozen(self, day: int) -> bool:
        """Return whether a freeze is in force on a day."""
        return bool(self.freezes) and self.freezes[-1][0] <= day < self.freezes[-1][1]

    def charged_to(self, day: int) -> int:
        """Return the last day that is charged: at least one day after funding."""
        return max(day, self.funded_day + 1)

    def principal_during(self, day: int) -> int:
        """Return the principal that bears interest on a day: payments count from the next day."""
        repaid = sum(p.legs.principal for p in self.payments if p.charged_to_day < day)
        return self.terms.advance - repaid

    def rate_on(self, day: int) -> int:
        """Return the yearly rate of a day: more after the due day, unless frozen then."""
        is_excused = any(start < day <= end for start, end in self.freezes)
        is_late = day > self.terms.due_day and not is_excused
        return self.terms.bps + (self.terms.late_bps if is_late else 0)

    def numerator_on(self, day: int) -> int:
        """Return the sum of principal * rate over all charged days."""
        days = range(self.funded_day + 1, self.charged_to(day) + 1)
        return sum(self.principal_during(d) * self.rate_on(d) for d in days)

    def due_on(self, day: int) -> Legs:
        """Return what is owed on a day."""
        if not self.is_open:
            return Legs()
        paid = self.paid
        interest = interest_up(self.numerator_on(day), self.terms.basis)
        return Legs(self.terms.fee - paid.fee, interest - paid.interest, self.principal)

    def state_at(self, day: int) -> State:
        """Return the state on a day; overdue is derived, never stored."""
        is_overdue = self.state is State.FUNDED and day > self.terms.due_day
        return State.OVERDUE if is_overdue else self.state


# --- the asset and the book --------------------------------------------------------------------


@dataclass(slots=True)
class Asset:
    """Balances, and the accounts to which the asset refuses to send."""

    balances: dict[str, int] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)

    def balance(self, account: str) -> int:
        """Return a balance."""
        return self.balances.get(account, 0)

    def move(self, source: str, target: str, amount: int) -> None:
        """Move an amount, or refuse."""
        can_move = self.balance(source) >= amount and target not in self.blocked
        require(condition=can_move, reason="asset")
        self.balances[source] = self.balance(source) - amount
        self.balances[target] = self.balance(target) + amount


def lockbox(receivable_id: str) -> str:
    """Return the account that stands for a receivable's payment address."""
    return f"lockbox:{receivable_id}"


@dataclass(slots=True)
class Book:
    """All receivables of one book, its claims and its asset."""

    asset: Asset
    treasury: str = "treasury"
    account: str = "book"
    apr_bps_max: int = 3_600
    receivables: dict[str, Receivable] = field(default_factory=dict)
    claimable: dict[str, int] = field(default_factory=dict)
    seller_frozen_until: dict[str, int] = field(default_factory=dict)
    eligible: Mapping[str, bool] | None = None
    is_paused: bool = False

    def register(self, receivable_id: str, terms: Terms, today: int) -> None:
        """Register what a platform confirmed."""
        require(condition=not self.is_paused, reason="EnforcedPause")
        require(condition=receivable_id not in self.receivables, reason="AlreadyRegistered")
        self._require_terms(terms, today)
        is_frozen = today < self.seller_frozen_until.get(terms.seller, 0)
        require(condition=not is_frozen, reason="SellerFrozen")
        flags = FLAG_RECOURSE if terms.recourse else 0
        self.receivables[receivable_id] = Receivable(terms, today, flags=flags)

    def _require_terms(self, terms: Terms, today: int) -> None:
        require(condition=terms.face > 0, reason="FaceIsZero")
        is_due_in_range = today < terms.due_day <= today + TENOR_DAYS_MAX
        require(condition=is_due_in_range, reason="DueDayOutOfRange")
        are_rates_in_range = (
            terms.adv_bps <= ADV_BPS_MAX
            and terms.fee_bps <= FEE_BPS_MAX
            and terms.bps + terms.late_bps <= self.apr_bps_max
        )
        require(condition=are_rates_in_range, reason="RateOutOfRange")
        require(condition=terms.basis in BASES, reason="BasisInvalid")
        require(condition=terms.grace_days <= GRACE_DAYS_MAX, reason="GraceOutOfRange")

    def _get(self, receivable_id: str) -> Receivable:
        require(condition=receivable_id in self.receivables, reason="StateUnexpected")
        return self.receivables[receivable_id]

    def cancel(self, receivable_id: str, caller: str, today: int) -> None:
        """Cancel what nobody has funded."""
        found = self.receivables.get(receivable_id)
        if found is None or found.terms.seller != caller:
            raise RefusedError("NotSeller")
        require(condition=not found.is_frozen(today), reason="ReceivableFrozen")
        require(condition=found.state is State.CONFIRMED, reason="StateUnexpected")
        found.state = State.CANCELLED

    def fund(
        self, receivable_id: str, lender: str, today: int, min_advance: int = 0, max_bps: int = BPS
    ) -> None:
        """Pay the advance to the seller, from the day after registration on."""
        require(condition=not self.is_paused, reason="EnforcedPause")
        r = self._get(receivable_id)
        terms = r.terms
        require(condition=r.state is State.CONFIRMED, reason="StateUnexpected")
        require(condition=today > r.confirmed_day, reason="FundedTooEarly")
        require(condition=today < terms.due_day, reason="FundedTooLate")
        require(condition=not r.is_frozen(today), reason="ReceivableFrozen")
        require(condition=not terms.recourse, reason="PullNotAuthorised")
        require(condition=lender != terms.seller, reason="LenderIsSeller")
        is_within_bounds = terms.advance >= min_advance and terms.bps <= max_bps
        require(condition=is_within_bounds, reason="TermsOutOfBounds")
        require(condition=r.held == 0, reason="HoldNotReleased")
        is_covered = r.expected >= max(1, terms.needed(terms.due_day - today))
        require(condition=is_covered, reason="FaceInsufficient")
        is_eligible = self.eligible is None or self.eligible.get(receivable_id, False)
        require(condition=is_eligible, reason="NotEligible")
        self.asset.move(lender, terms.seller, terms.advance)
        r.state, r.funded_day, r.lender = State.FUNDED, today, lender

    def repay_early(self, receivable_id: str, caller: str, amount: int, today: int) -> Legs:
        """Take what the seller owes; where that is nothing any more, close.

        Raises:
            RefusedError: The caller is not the seller, or the receivable is not open.
        """
        found = self.receivables.get(receivable_id)
        if found is None or found.terms.seller != caller:
            raise RefusedError("NotSeller")
        if not found.is_open or amount == 0 or found.due_on(today).debt > 0:
            return self.settle(receivable_id, caller, amount, today)
        self._apply(found, Legs(), today, is_seller=True)
        return Legs()

    def settle(self, receivable_id: str, payer: str, amount: int, today: int) -> Legs:
        """Take a payment and split it; return the legs."""
        r = self._get(receivable_id)
        legs = self._split(r, amount, today, is_seller=payer == r.terms.seller)
        self.asset.move(payer, self.account, legs.total)
        self._apply(r, legs, today, is_seller=payer == r.terms.seller)
        self._pay_out(r, legs, today)
        return legs

    def sweep(self, receivable_id: str, today: int) -> None:
        """Apply what lies in a lockbox, pass the rest on, and release what is no longer on hold."""
        r = self._get(receivable_id)
        box = lockbox(receivable_id)
        balance = self.asset.balance(box)
        is_hold_over = r.held > 0 and not r.is_frozen(today)
        require(condition=balance > 0 or is_hold_over, reason="NothingToSweep")
        if balance > 0:
            self._sweep(r, box, balance, today)
        if is_hold_over:
            self._release_hold(r)

    def _sweep(self, r: Receivable, box: str, balance: int, today: int) -> None:
        legs = Legs()
        if r.state is State.CONFIRMED:
            r.paid_before_funding += balance
        if r.is_open and (r.due_on(today).debt > 0 or r.expected > 0):
            legs = self._split(r, balance, today, is_seller=False)
            self._apply(r, legs, today, is_seller=False)
        self.asset.move(box, self.account, balance)
        self._pay_out(r, legs.plus(Legs(residual=balance - legs.total)), today)

    def _split(self, r: Receivable, amount: int, today: int, *, is_seller: bool) -> Legs:
        require(condition=r.is_open, reason="StateUnexpected")
        require(condition=amount > 0, reason="AmountIsZero")
        due = r.due_on(today)
        acceptable = due.debt if is_seller else max(due.debt, r.expected)
        require(condition=acceptable > 0, reason="NothingOwed")
        return split(min(amount, acceptable), due)

    def _apply(self, r: Receivable, legs: Legs, today: int, *, is_seller: bool) -> None:
        debt = r.due_on(today).debt
        r.payments.append(Payment(r.charged_to(today), legs))
        if legs.total >= debt and (is_seller or r.expected == 0):
            r.state = State.SETTLED
            r.flags |= FLAG_LATE if today > r.terms.due_day else 0

    def _pay_out(self, r: Receivable, legs: Legs, today: int) -> None:
        residual = legs.residual
        if r.is_frozen(today):
            r.held += residual
            residual = 0
        self._pay(self.treasury, legs.fee)
        self._pay(r.lender, legs.interest + legs.principal)
        self._pay(r.terms.seller, residual)

    def _pay(self, account: str, amount: int) -> None:
        if amount == 0:
            return
        try:
            self.asset.move(self.account, account, amount)
        except RefusedError:
            self.claimable[account] = self.claimable.get(account, 0) + amount

    def _release_hold(self, r: Receivable) -> None:
        amount, r.held = r.held, 0
        self._pay(r.terms.seller, amount)

    def payout_claim(self, account: str) -> None:
        """Deliver what could not be delivered before."""
        amount = self.claimable.get(account, 0)
        require(condition=amount > 0, reason="NothingToClaim")
        self.asset.move(self.account, account, amount)
        self.claimable[account] = 0

    def freeze(self, receivable_id: str, today: int) -> None:
        """Freeze one receivable, or renew its freeze; in whatever state it is."""
        r = self._get(receivable_id)
        if r.is_frozen(today):
            r.freezes[-1] = (r.freezes[-1][0], today + FREEZE_DAYS)
        else:
            r.freezes.append((today, today + FREEZE_DAYS))

    def unfreeze(self, receivable_id: str, today: int) -> None:
        """Lift a freeze and release what is on hold."""
        r = self.receivables.get(receivable_id)
        if r is None or not r.is_frozen(today):
            raise RefusedError("NotFrozen")
        r.freezes[-1] = (r.freezes[-1][0], today)
        if r.held:
            self._release_hold(r)

    def freeze_seller(self, seller: str, today: int) -> None:
        """Refuse new receivables of a seller."""
        self.seller_frozen_until[seller] = today + FREEZE_DAYS

    def unfreeze_seller(self, seller: str) -> None:
        """Take new receivables of a seller again."""
        self.seller_frozen_until[seller] = 0

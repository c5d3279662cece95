"""What parties do with a receivable on the chain: confirm, fund, freeze, pay, sweep."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from carnet.chain.deployment import BOOK
from carnet.chain.keys import ChainRole, platform_id_of, require_dev_chain
from carnet.chain.receivable import ReceivableBook, ReceivableState
from carnet.chain.signing import Confirmation, Finding, nonce_of, sign_statement
from carnet.chain.transactions import expect_event
from carnet.core.clock import day_number
from carnet.core.errors import ConflictError, InputError, TransactionRevertedError
from carnet.core.money import mul_bps_down
from carnet.core.text import Text
from carnet.services.chaining import ChainSession
from carnet.services.deploying import LENDER_ROLE, NO_ADDRESS, grant_role
from carnet.services.dispatching import Call, Intent
from carnet.services.gating import require_code, require_eligible, revoke
from carnet.services.receivables import (
    ReceivableFact,
    ReceivableView,
    find_receivable,
    id_on_chain,
    lender_of,
    open_book,
    show,
)
from carnet.store.outbox import Action

CONFIRMATION_VALID_S = 86_400
_UNPAID = ("ERC20InsufficientAllowance(", "ERC20InsufficientBalance(", "SafeERC20FailedOperation(")
FULL_PAYMENT = "settlement"
"""The reference of the payment that settles the whole face at once."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a platform's receivable is financed; basis points, days.

    Args:
        advance_bps: The share of the face that the lender advances.
        rate_bps: Yearly interest until the due day.
        late_rate_bps: Yearly interest added after it.
        fee_bps: The servicing fee, a share of the face.
        basis: Days of the interest year, 360 or 365.
        grace_days: Days after the due day before a reserve may be drawn.
    """

    advance_bps: int = 8_000
    rate_bps: int = 900
    late_rate_bps: int = 300
    fee_bps: int = 50
    basis: int = 360
    grace_days: int = 5

    def __str__(self) -> str:
        return (
            f"advance {self.advance_bps}, rate {self.rate_bps}, late {self.late_rate_bps}, "
            f"fee {self.fee_bps} bps, basis {self.basis}, grace {self.grace_days} days"
        )


_TERM_MEMBERS = ("advBps", "bps", "lateBps", "feeBps", "basis", "graceDays")
"""What the book calls the terms, in their order."""


def confirm(
    session: ChainSession, receivable_id: str, terms: Terms | None = None
) -> ReceivableView:
    """Let the platform sign that it owes a receivable (确权), and register it in the book.

    Raises:
        NotFoundError: There is no such receivable.
        TransactionRevertedError: The book refuses it, such as a document registered before.
        ConflictError: It is registered with other terms, or was cancelled.
    """
    deal = _Deal.of(session, receivable_id)
    chosen = terms or Terms()
    _admit_platform(deal)
    fact = deal.fact
    deal.perform(
        "confirm",
        f"confirm:{deal.place}",
        {"receivable": fact.id, "document": fact.doc_hash.hex(), "face": str(fact.face_units)},
        (ChainRole.PLATFORM, fact.debtor_id),
        lambda: Call(deal.address, _signed_confirmation(deal, chosen)),
        is_done=lambda _: deal.book.state_of(deal.id) is not ReceivableState.NONE,
    )
    _require_as_confirmed(deal, chosen)
    return show(session, receivable_id)


def fund(session: ChainSession, receivable_id: str, *, lender_id: str = "") -> ReceivableView:
    """Let the lender pay the advance to the seller, not before the day after confirmation (T+1).

    On a development chain the lender is given the role and exactly the test money it needs; the
    listing's newest attestation is shown to the gate if it was not yet.

    Raises:
        TransactionRevertedError: Too early, frozen, or not confirmed.
        ChainError: The attestation of the listing that decides is not conforming, or the gate
            does not accept it.
    """
    deal = _Deal.of(session, receivable_id)
    lender = lender_id or lender_of(session.workspace, deal.fact)
    account = session.keys.address(ChainRole.LENDER, lender)
    if deal.book.state_of(deal.id) is ReceivableState.CONFIRMED:
        if deal.fact.listing_id is not None:
            require_eligible(session, deal.fact.listing_id, deal.fact.seller_id)
        _prepare_lender(deal, lender, account)
    bounds = deal.bounds()
    deal.perform(
        "fund",
        # Each lender's attempt is an action of its own: one that fails must not bar the others.
        f"fund:{deal.place}:{account}",
        {"receivable": deal.fact.id, "lender": lender},
        (ChainRole.LENDER, lender),
        lambda: Call(deal.address, deal.book.fund_call(deal.id, *bounds)),
        is_done=lambda _: deal.lender() == account,
    )
    return show(session, receivable_id)


def freeze(
    session: ChainSession, receivable_id: str, *, code: int, evidence: bytes
) -> ReceivableView:
    """Hold back a receivable's residual by a finding that compliance signs.

    Args:
        session: An open chain.
        receivable_id: The receivable.
        code: Why, 1 to 65535.
        evidence: SHA-256 of the evidence, such as the hash of a nonconforming attestation.

    Raises:
        InputError: The code is outside its range.
        TransactionRevertedError: The book refuses the finding.
    """
    require_code(code)
    return _present_finding(session, receivable_id, code, evidence)


def unfreeze(session: ChainSession, receivable_id: str, *, evidence: bytes) -> ReceivableView:
    """Lift a freeze by a finding that compliance signs, and release what is on hold."""
    return _present_finding(session, receivable_id, 0, evidence)


def revoke_listing(
    session: ChainSession, receivable_id: str, *, code: int, evidence: bytes
) -> ReceivableView:
    """Let the gate forget what was proved of a receivable's listing; see `gating.revoke`.

    Raises:
        InputError: The receivable names no listing, or the code is outside its range.
        TransactionRevertedError: The gate refuses the finding.
    """
    fact = find_receivable(session.workspace, receivable_id)
    if fact.listing_id is None:
        raise InputError(
            "CRN-H-043",
            Text(
                f"The receivable {fact.id} names no listing.",
                f"应收账款 {fact.id} 未指明上架商品。",
            ),
        )
    revoke(session, fact.listing_id, fact.seller_id, code=code, evidence=evidence)
    return show(session, receivable_id)


def pay(
    session: ChainSession,
    receivable_id: str,
    *,
    units: int | None = None,
    reference: str = FULL_PAYMENT,
) -> Action:
    """Let the platform pay a receivable's lockbox: a plain transfer of the token.

    Args:
        session: An open chain.
        receivable_id: The receivable.
        units: How much, in units of the token; the whole face unless given.
        reference: Names the payment; the same reference is never paid twice.

    Raises:
        InputError: The amount is not above zero.
        ChainError: The chain is not a development chain.
    """
    deal = _Deal.of(session, receivable_id)
    amount = deal.fact.face_units if units is None else units
    if amount <= 0:
        raise InputError(
            "CRN-H-036",
            Text(f"The amount {amount} is not above zero.", f"金额 {amount} 必须大于零。"),
        )
    # Money for a document that is not in the book could not be swept yet.
    deal.require_confirmed()
    purpose = f"pay:{deal.place}:{reference}"
    platform = (ChainRole.PLATFORM, deal.fact.debtor_id)
    _mint(deal, purpose, session.keys.address(*platform), amount)
    token = deal.book.token
    lockbox = deal.book.lockbox_of(deal.id)
    return deal.perform(
        "pay",
        purpose,
        {"receivable": deal.fact.id, "reference": reference, "units": str(amount)},
        platform,
        lambda: Call(token.address, token.abi.encode_call("transfer", lockbox, amount)),
    )


def sweep(session: ChainSession, receivable_id: str) -> bool:
    """Apply the balance of a receivable's lockbox; return whether there was anything to do.

    It needs no row of the outbox: the book itself does nothing twice.
    """
    deal = _Deal.of(session, receivable_id)
    found = deal.book.receivable(deal.id, day_number(session.now().date()))
    if found.lockbox_balance == 0 and (found.held == 0 or found.is_frozen):
        return False
    receipt = deal.book.contract.send(session.sender(ChainRole.KEEPER), "sweep", deal.id)
    name = "Swept" if found.lockbox_balance else "HoldReleased"
    expect_event(receipt, deal.book.contract.abi, deal.address, name, id=deal.id)
    return True


IsDone = Callable[[Action], bool]


@dataclass(frozen=True, slots=True)
class _Deal:
    """One receivable in one book, and how actions on it are performed."""

    session: ChainSession
    book: ReceivableBook
    fact: ReceivableFact
    id: bytes

    @classmethod
    def of(cls, session: ChainSession, receivable_id: str) -> "_Deal":
        # What the book says depends on the day: a chain that idled is brought up to it first.
        session.now()
        book = open_book(session)
        fact = find_receivable(session.workspace, receivable_id)
        return cls(session, book, fact, id_on_chain(book, fact))

    @property
    def address(self) -> str:
        return self.book.contract.address

    @property
    def place(self) -> str:
        return f"{self.session.chain_id}:{self.address}:{self.id.hex()}"

    @property
    def findings(self) -> str:
        """How the keys of all findings about this receivable begin."""
        return f"finding:{self.place}:"

    def require_confirmed(self) -> None:
        self.book.receivable(self.id, day_number(self.session.now().date()))

    def lender(self) -> str:
        return str(self.book.contract.read("receivable", self.id)["lender"])

    def bounds(self) -> tuple[int, int]:
        """Return the advance and the yearly rate that the lender takes, as confirmed."""
        record = self.book.contract.read("receivable", self.id)
        return mul_bps_down(record["face"], record["advBps"]), record["bps"]

    def perform(
        self,
        kind: str,
        key: str,
        payload: dict[str, str],
        role: tuple[ChainRole, str],
        make_call: Callable[[], Call],
        *,
        is_done: IsDone | None = None,
    ) -> Action:
        return self.session.dispatcher.perform(
            Intent(
                kind=f"receivable.{kind}",
                key=key,
                payload=payload,
                sender=self.session.sender(*role),
                make_call=make_call,
                is_done=is_done,
            )
        )


def _admit_platform(deal: _Deal) -> None:
    """Let the book know the key of the platform, once."""
    number = platform_id_of(deal.fact.debtor_id)
    signer = deal.session.keys.address(ChainRole.PLATFORM, deal.fact.debtor_id)
    contract = deal.book.contract
    known = contract.read("platformSigner", number)
    if known not in {signer, NO_ADDRESS}:
        raise ConflictError(
            "CRN-H-037",
            Text(
                f"The book knows another key ({known}) for the platform {deal.fact.debtor_id}.",
                f"账簿中平台 {deal.fact.debtor_id} 登记的是另一把密钥（{known}）。",
            ),
            Text(
                "Use the keys folder that the platform was admitted with.",
                "请使用该平台接入时的密钥文件夹。",
            ),
        )
    deal.perform(
        "admit",
        f"platform:{deal.session.chain_id}:{deal.address}:{number}:{signer}",
        {"platform": deal.fact.debtor_id, "number": str(number), "signer": signer},
        (ChainRole.ADMIN, ""),
        lambda: Call(deal.address, contract.abi.encode_call("setPlatform", number, signer)),
        is_done=lambda _: contract.read("platformSigner", number) == signer,
    )


def _signed_confirmation(deal: _Deal, terms: Terms) -> bytes:
    fact, session = deal.fact, deal.session
    statement = Confirmation(
        doc_hash=fact.doc_hash,
        listing_hash=fact.listing_hash,
        platform_id=platform_id_of(fact.debtor_id),
        seller=session.keys.address(ChainRole.SELLER, fact.seller_id),
        face=fact.face_units,
        due_day=day_number(fact.due_on),
        advance_bps=terms.advance_bps,
        rate_bps=terms.rate_bps,
        late_rate_bps=terms.late_rate_bps,
        fee_bps=terms.fee_bps,
        basis=terms.basis,
        grace_days=terms.grace_days,
        has_recourse=False,
        nonce=nonce_of("confirm", deal.id),
        deadline_s=int(session.now().timestamp()) + CONFIRMATION_VALID_S,
    )
    account = session.keys.account(ChainRole.PLATFORM, fact.debtor_id)
    signature = sign_statement(account, statement, deal.book.domain(session.chain_id))
    return deal.book.register_call(statement, signature)


def _require_as_confirmed(deal: _Deal, terms: Terms) -> None:
    """Check that the book holds a receivable with the terms that were asked for.

    Raises:
        ConflictError: It holds others, or the receivable was cancelled.
    """
    record = deal.book.contract.read("receivable", deal.id)
    if record["state"] == ReceivableState.CANCELLED:
        raise ConflictError(
            "CRN-H-045",
            Text(
                f"The receivable {deal.fact.id} was cancelled in the book.",
                f"应收账款 {deal.fact.id} 已在账簿中取消。",
            ),
            Text(
                "A document is registered once; import the receivable with its new document.",
                "同一凭证只能登记一次；请以新凭证重新导入该应收账款。",
            ),
        )
    found = Terms(*(record[name] for name in _TERM_MEMBERS))
    if found != terms:
        raise ConflictError(
            "CRN-H-046",
            Text(
                f"The receivable {deal.fact.id} is registered with other terms: {found}.",
                f"应收账款 {deal.fact.id} 已按其他条款登记：{found}。",
            ),
            Text(
                "What was confirmed stands; see `carnet receivable show`.",
                "已确权的条款不变；请查看 `carnet receivable show`。",
            ),
        )


def _prepare_lender(deal: _Deal, lender: str, account: str) -> None:
    """Give the lender its role, the money and the allowance that funding takes."""
    session, token = deal.session, deal.book.token
    grant_role(session, session.contract(BOOK), LENDER_ROLE, account, name=f"lender {lender}")
    advance, rate_bps = deal.bounds()
    _require_fundable(deal, account, advance, rate_bps)
    _mint(deal, f"fund:{deal.place}:{account}", account, advance)
    deal.perform(
        "approve",
        f"approve:{deal.place}:{account}",
        {"lender": lender, "receivable": deal.fact.id, "units": str(advance)},
        (ChainRole.LENDER, lender),
        lambda: Call(token.address, token.abi.encode_call("approve", deal.address, advance)),
        is_done=lambda _: token.read("allowance", account, deal.address) >= advance,
    )


def _require_fundable(deal: _Deal, account: str, advance: int, rate_bps: int) -> None:
    """Ask the book whether it would let this lender fund now, before any money is made for it.

    Raises:
        TransactionRevertedError: Too early, too late, frozen or not eligible.
    """
    try:
        deal.book.contract.read("fund", deal.id, advance, rate_bps, sender=account)
    except TransactionRevertedError as error:
        # The payment is the last thing the book does: all else is as it must be.
        if not error.reason.startswith(_UNPAID):
            raise


def _mint(deal: _Deal, purpose: str, account: str, units: int) -> None:
    """Make exactly the test money that one purpose needs, once."""
    require_dev_chain(deal.session.chain_id, Text("Making test money", "发放测试币"))
    token = deal.book.token
    deal.perform(
        "mint",
        f"mint:{purpose}",
        {"account": account, "purpose": purpose, "units": str(units)},
        (ChainRole.MINTER, ""),
        lambda: Call(token.address, token.abi.encode_call("mint", account, units)),
    )


def _present_finding(
    session: ChainSession, receivable_id: str, code: int, evidence: bytes
) -> ReceivableView:
    """Present a finding once, and again where another one came between.

    Raises:
        ConflictError: The receivable is not as the finding says, though the book took it.
    """
    deal = _Deal.of(session, receivable_id)
    contract, signer = deal.book.contract, session.keys.address(ChainRole.COMPLIANCE)
    is_holding = code != 0
    after = _finding_before(deal, code, evidence)
    nonce = nonce_of("finding", deal.id, code, evidence, after)
    if contract.read("isNonceUsed", signer, nonce) and deal.book.is_frozen(deal.id) != is_holding:
        # It was undone by a later finding, or its days are over: it is a new one now.
        after = int(contract.read("receivable", deal.id)["findingAt"])
        nonce = nonce_of("finding", deal.id, code, evidence, after)
    deal.perform(
        "freeze" if is_holding else "unfreeze",
        f"{deal.findings}{code}:{evidence.hex()}:{after}",
        {"code": str(code), "evidence": evidence.hex(), "receivable": deal.fact.id},
        (ChainRole.COMPLIANCE, ""),
        lambda: Call(deal.address, _signed_finding(deal, code, evidence, nonce)),
        is_done=lambda _: bool(contract.read("isNonceUsed", signer, nonce)),
    )
    if deal.book.is_frozen(deal.id) != is_holding:
        raise _not_in_force(deal, is_holding=is_holding)
    return show(session, receivable_id)


def _finding_before(deal: _Deal, code: int, evidence: bytes) -> int:
    """Return the instant of the finding that this one follows.

    A command that is run again goes on with the finding it began; it is the newest one then.
    """
    newest = deal.session.dispatcher.newest(deal.findings)
    if newest is not None:
        what, _, after = newest.idempotency_key.rpartition(":")
        if what == f"{deal.findings}{code}:{evidence.hex()}":
            return int(after)
    return int(deal.book.contract.read("receivable", deal.id)["findingAt"])


def _not_in_force(deal: _Deal, *, is_holding: bool) -> ConflictError:
    en, zh = ("is not frozen", "未被冻结") if is_holding else ("is still frozen", "仍处于冻结状态")
    return ConflictError(
        "CRN-H-044",
        Text(
            f"The finding was presented, yet the receivable {deal.fact.id} {en}.",
            f"发现项已提交，但应收账款 {deal.fact.id} {zh}。",
        ),
        Text(
            "Another finding came between; look at it with `carnet receivable show`, then present "
            "this one again.",
            "期间另有发现项提交；请用 `carnet receivable show` 查看后重新提交。",
        ),
    )


def _signed_finding(deal: _Deal, code: int, evidence: bytes, nonce: int) -> bytes:
    session = deal.session
    last = int(deal.book.contract.read("receivable", deal.id)["findingAt"])
    now = int(session.now().timestamp())
    if now <= last:
        # The contract wants each finding to be later than the one before it.
        time.sleep(1.1)
        now = last + 1
    statement = Finding(deal.id, code, evidence, now, nonce)
    account = session.keys.account(ChainRole.COMPLIANCE)
    signature = sign_statement(account, statement, deal.book.domain(session.chain_id))
    return deal.book.finding_call(statement, signature)

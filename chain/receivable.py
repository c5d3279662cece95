"""Receivables on the chain: what the book holds of one, and what its events tell of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from carnet.chain.bound import BoundContract
from carnet.chain.contract import Event
from carnet.chain.rpc import BATCH_MAX
from carnet.chain.signing import Confirmation, Finding, SigningDomain
from carnet.contracts.typed_data import BOOK_DOMAIN_NAME
from carnet.core.errors import ChainError, NotFoundError
from carnet.core.text import Text


class ReceivableState(IntEnum):
    """The states of the book; overdue is derived from the day and never stored."""

    NONE = 0
    CONFIRMED = 1
    FUNDED = 2
    OVERDUE = 3
    RECOURSE = 4
    DEFAULTED = 5
    WRITTEN_OFF = 6
    SETTLED = 7
    CANCELLED = 8


OPEN_STATES = frozenset(range(ReceivableState.CONFIRMED, ReceivableState.DEFAULTED + 1))
"""States in which money of a receivable can still move by the book."""


@dataclass(frozen=True, slots=True)
class Receivable:
    """One receivable as the book holds it; amounts in units of the token, days as day numbers."""

    id: bytes
    state: ReceivableState
    seller: str
    lender: str
    platform_id: int
    listing_hash: bytes
    face: int
    advance_bps: int
    rate_bps: int
    fee_bps: int
    confirmed_day: int
    funded_day: int
    due_day: int
    principal: int
    received: int
    held: int
    is_frozen: bool
    frozen_until_day: int
    finding_at_s: int
    owed: int
    lockbox: str
    lockbox_balance: int

    @property
    def advance(self) -> int:
        """What the lender pays the seller, rounded down."""
        return self.face * self.advance_bps // 10_000


@dataclass(frozen=True, slots=True)
class Waterfall:
    """One payment and its legs, as the event of the book tells them."""

    payer: str
    paid: int
    fee: int
    interest: int
    principal: int
    residual: int
    day: int
    is_early: bool
    block_number: int
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class Happening:
    """Something else that happened to a receivable.

    Args:
        name: The event of the book, such as ``Frozen``.
        values: Its arguments but the id.
        block_number: Its block.
        log_index: Its place there.
        tx_hash: Its transaction.
    """

    name: str
    values: Mapping[str, Any]
    block_number: int
    log_index: int
    tx_hash: bytes


class ReceivableBook:
    """The book contract, together with the token it settles in."""

    def __init__(self, contract: BoundContract, token: BoundContract) -> None:
        self.contract = contract
        self.token = token

    def id_of(self, platform_id: int, doc_hash: bytes) -> bytes:
        """Return the id that a platform's document has in this book."""
        return bytes(self.contract.read("idOf", platform_id, doc_hash))

    def lockbox_of(self, receivable_id: bytes) -> str:
        """Return where the platform pays a receivable."""
        return str(self.contract.read("lockboxOf", receivable_id))

    def state_of(self, receivable_id: bytes) -> ReceivableState:
        """Return the stored state."""
        return ReceivableState(self.contract.read("receivable", receivable_id)["state"])

    def is_frozen(self, receivable_id: bytes) -> bool:
        """Return whether a freeze is in force."""
        return bool(self.contract.read("isFrozen", receivable_id))

    def balance_of(self, account: str) -> int:
        """Return what an account holds of the token."""
        return int(self.token.read("balanceOf", account))

    def receivable(self, receivable_id: bytes, day: int) -> Receivable:
        """Return a receivable as it stands on a UTC day.

        Raises:
            NotFoundError: The book has none of this id.
        """
        record = self.contract.read("receivable", receivable_id)
        if record["state"] == ReceivableState.NONE:
            raise NotFoundError(
                "CRN-H-030",
                Text(
                    f"The book holds no receivable {receivable_id.hex()}.",
                    f"账簿中没有应收账款 {receivable_id.hex()}。",
                ),
                Text(
                    "Confirm it first: `carnet receivable confirm ID`.",
                    "请先确权：`carnet receivable confirm ID`。",
                ),
            )
        lockbox = self.lockbox_of(receivable_id)
        _, _, principal, owed, _ = self.contract.read("quote", receivable_id, day)
        return Receivable(
            id=receivable_id,
            state=ReceivableState(self.contract.read("stateAt", receivable_id, day)),
            seller=record["seller"],
            lender=record["lender"],
            platform_id=record["platformId"],
            listing_hash=record["listingHash"],
            face=record["face"],
            advance_bps=record["advBps"],
            rate_bps=record["bps"],
            fee_bps=record["feeBps"],
            confirmed_day=record["confirmedDay"],
            funded_day=record["fundedDay"],
            due_day=record["dueDay"],
            principal=principal,
            received=record["received"],
            held=record["held"],
            is_frozen=self.is_frozen(receivable_id),
            frozen_until_day=record["frozenUntilDay"],
            finding_at_s=record["findingAt"],
            owed=owed,
            lockbox=lockbox,
            lockbox_balance=self.balance_of(lockbox),
        )

    def count_open(self) -> int:
        """Return how many receivables of the book are open, or have money on hold."""
        count = int(self.contract.read("count"))
        found = 0
        for start in range(0, count, BATCH_MAX):
            places = [(place,) for place in range(start, min(start + BATCH_MAX, count))]
            ids = [(each,) for each in self.contract.read_many("idAt", places)]
            records = self.contract.read_many("receivable", ids)
            found += sum(r["state"] in OPEN_STATES or r["held"] > 0 for r in records)
        return found

    def waterfalls(self, receivable_id: bytes) -> list[Waterfall]:
        """Return every payment of a receivable with its legs, oldest first.

        Raises:
            ChainError: The legs of a payment do not sum to it.
        """
        events = self.contract.events("Settled", topics=(receivable_id,))
        found = [_waterfall(event) for event in events]
        for each in found:
            legs = each.fee + each.interest + each.principal + each.residual
            if legs != each.paid:
                raise _unequal(each, legs)
        return found

    def happenings(self, receivable_id: bytes) -> list[Happening]:
        """Return everything that happened to a receivable, oldest first."""
        events = self.contract.events_about(receivable_id)
        return [_happening(event) for event in events if "id" in event.values]

    def happenings_between(self, first: int, last: int) -> list[tuple[bytes, Happening]]:
        """Return what happened in some blocks, both ends included, and to which receivable."""
        events = self.contract.events_between(first, last)
        return [(e.values["id"], _happening(e)) for e in events if "id" in e.values]

    def register_call(self, confirmation: Confirmation, signature: bytes) -> bytes:
        """Return the call data that registers a confirmed receivable."""
        return self.contract.abi.encode_call("register", confirmation.members(), signature)

    def fund_call(self, receivable_id: bytes, advance_least: int, rate_bps_most: int) -> bytes:
        """Return the call data that funds a receivable within the lender's bounds."""
        return self.contract.abi.encode_call("fund", receivable_id, advance_least, rate_bps_most)

    def finding_call(self, finding: Finding, signature: bytes) -> bytes:
        """Return the call data that freezes a receivable, or unfreezes it where the code is 0."""
        name = "freeze" if finding.code else "unfreeze"
        return self.contract.abi.encode_call(name, finding.members(), signature)

    def domain(self, chain_id: int) -> SigningDomain:
        """Return for which contract its statements are signed."""
        return SigningDomain(BOOK_DOMAIN_NAME, chain_id, self.contract.address)


def _happening(event: Event) -> Happening:
    return Happening(
        name=event.name,
        values={name: value for name, value in event.values.items() if name != "id"},
        block_number=event.block_number,
        log_index=event.log_index,
        tx_hash=event.tx_hash,
    )


def _waterfall(event: Event) -> Waterfall:
    values = event.values
    return Waterfall(
        payer=values["payer"],
        paid=values["paid"],
        fee=values["fee"],
        interest=values["interest"],
        principal=values["principal"],
        residual=values["residual"],
        day=values["day"],
        is_early=values["early"],
        block_number=event.block_number,
        tx_hash=event.tx_hash,
    )


def _unequal(waterfall: Waterfall, legs: int) -> ChainError:
    shown = "0x" + waterfall.tx_hash.hex()
    return ChainError(
        "CRN-H-031",
        Text(
            f"The legs of the payment in {shown} sum to {legs}, not to {waterfall.paid}.",
            f"交易 {shown} 中各分项之和为 {legs}，而不是 {waterfall.paid}。",
        ),
        Text(
            "The book is not the contract of this version: `carnet chain status`.",
            "账簿不是此版本的合约：请运行 `carnet chain status`。",
        ),
    )

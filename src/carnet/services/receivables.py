"""Receivables from fact to repayment: confirmed, funded, frozen, paid, swept, and read back.

A fact of type ``receivable`` says what a platform owes a seller; the book on the chain says what
became of it. Every change goes through the outbox under a key that names it, so that a command
that is run again does nothing twice.
"""

from dataclasses import dataclass
from datetime import date
from typing import cast

from carnet.chain.deployment import BOOK, DOLLAR
from carnet.chain.keys import platform_id_of
from carnet.chain.receivable import (
    Happening,
    Receivable,
    ReceivableBook,
    ReceivableState,
    Waterfall,
)
from carnet.core.clock import day_number
from carnet.core.digests import DIGEST_SIZE, digest_from_hex
from carnet.core.errors import InputError, NotFoundError
from carnet.core.money import MINOR_DIGITS, format_digits
from carnet.core.subjects import listing_hash
from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.services.chaining import ChainSession
from carnet.services.workspace import Workspace
from carnet.store.engine import reading
from carnet.store.facts import current_facts, find_fact

TOKEN_DIGITS = 6
SETTLED_IN = "USD"


@dataclass(frozen=True, slots=True)
class ReceivableFact:
    """What a workspace knows of a receivable before the chain does.

    Args:
        id: The fact's id.
        seller_id: Who is owed.
        debtor_id: The platform that owes.
        doc_hash: The platform's hash of its document.
        face_minor: What is owed, in minor units of the currency.
        currency: The currency.
        due_on: When it is due.
        listing_id: The listing that the goods were sold under, where it is known.
        agreement_id: The agreement it is financed under, where there is one.
    """

    id: str
    seller_id: str
    debtor_id: str
    doc_hash: bytes
    face_minor: int
    currency: str
    due_on: date
    listing_id: str | None
    agreement_id: str | None

    @property
    def face_units(self) -> int:
        """What is owed, in units of the token."""
        return token_units(self.face_minor, self.currency)

    @property
    def listing_hash(self) -> bytes:
        """The listing as log and gate name it; zero where there is none."""
        if self.listing_id is None:
            return bytes(DIGEST_SIZE)
        return listing_hash(self.listing_id, self.seller_id)


@dataclass(frozen=True, slots=True)
class ReceivableView:
    """A receivable as fact and chain tell it.

    Args:
        fact: What was imported.
        on_chain: What the book holds, None where it is not confirmed there.
    """

    fact: ReceivableFact
    on_chain: Receivable | None

    @property
    def state(self) -> ReceivableState:
        """The state in the book."""
        return self.on_chain.state if self.on_chain is not None else ReceivableState.NONE


def token_units(minor: int, currency: str) -> int:
    """Return an amount of money in units of the token, exactly.

    Raises:
        InputError: The book settles in another currency.

    >>> token_units(12345, "USD")
    123450000
    """
    if currency != SETTLED_IN:
        raise InputError(
            "CRN-H-032",
            Text(
                f"The amount is in {currency}; the book settles in {SETTLED_IN}.",
                f"金额币种为 {currency}；账簿以 {SETTLED_IN} 结算。",
            ),
            Text(
                "Only receivables of the book's currency can be put on this chain.",
                "只有与账簿币种一致的应收账款才能上链。",
            ),
        )
    scale: int = 10 ** (TOKEN_DIGITS - MINOR_DIGITS[currency])
    return minor * scale


def format_units(units: int) -> str:
    """Return an amount of the token for people: to the cent where it is whole cents, else exactly.

    >>> format_units(12_345_670_000), format_units(1)
    ('12,345.67', '0.000001')
    """
    digits = MINOR_DIGITS[SETTLED_IN]
    minor, rest = divmod(units, 10 ** (TOKEN_DIGITS - digits))
    return format_digits(units, TOKEN_DIGITS) if rest else format_digits(minor, digits)


def find_receivable(workspace: Workspace, receivable_id: str) -> ReceivableFact:
    """Return a receivable that was imported.

    Raises:
        NotFoundError: There is none of this id.
    """
    with reading(workspace.engine) as connection:
        fact = find_fact(connection, "receivable", receivable_id)
    if fact is None:
        raise NotFoundError(
            "CRN-H-033",
            Text(
                f"There is no receivable {receivable_id!r} in this workspace.",
                f"本工作区中没有应收账款 {receivable_id!r}。",
            ),
            Text(
                "Import it, or see `carnet receivable list`.",
                "请先导入，或查看 `carnet receivable list`。",
            ),
        )
    return _of_fact(fact)


def _of_fact(fact: Fact) -> ReceivableFact:
    fields = fact.fields
    listing_id, agreement_id = fields.get("listing_id"), fields.get("agreement_id")
    return ReceivableFact(
        id=fact.id,
        seller_id=str(fields["seller_id"]),
        debtor_id=str(fields["debtor_id"]),
        doc_hash=digest_from_hex(str(fields["document_sha256"])),
        face_minor=int(cast("int", fields["face_minor"])),
        currency=str(fields["currency"]),
        due_on=cast("date", fields["due_on"]),
        listing_id=None if listing_id is None else str(listing_id),
        agreement_id=None if agreement_id is None else str(agreement_id),
    )


def lender_of(workspace: Workspace, receivable: ReceivableFact) -> str:
    """Return the lender of the agreement that a receivable is financed under.

    Raises:
        InputError: It names no agreement.
    """
    if receivable.agreement_id is not None:
        with reading(workspace.engine) as connection:
            fact = find_fact(connection, "agreement", receivable.agreement_id)
        if fact is not None:
            return str(fact.fields["lender_id"])
    raise InputError(
        "CRN-H-034",
        Text(
            f"The receivable {receivable.id} names no agreement, so its lender is unknown.",
            f"应收账款 {receivable.id} 未指明协议，因此资金方未知。",
        ),
        Text("Name the lender with --lender.", "请用 --lender 指定资金方。"),
    )


def open_book(session: ChainSession) -> ReceivableBook:
    """Return the book of a chain and its token.

    Raises:
        ChainError: They are not deployed.
    """
    return ReceivableBook(session.contract(BOOK), session.contract(DOLLAR))


def id_on_chain(book: ReceivableBook, receivable: ReceivableFact) -> bytes:
    """Return the id that a receivable has, or would have, in the book."""
    return book.id_of(platform_id_of(receivable.debtor_id), receivable.doc_hash)


def show(session: ChainSession, receivable_id: str) -> ReceivableView:
    """Return a receivable as fact and chain tell it."""
    return _view(session, open_book(session), find_receivable(session.workspace, receivable_id))


def list_facts(workspace: Workspace) -> list[ReceivableFact]:
    """Return every imported receivable as a workspace knows it, sorted by id."""
    with reading(workspace.engine) as connection:
        return [_of_fact(fact) for fact in current_facts(connection, ["receivable"])]


def list_all(session: ChainSession) -> list[ReceivableView]:
    """Return every imported receivable, sorted by id."""
    book = open_book(session)
    return [_view(session, book, fact) for fact in list_facts(session.workspace)]


def _view(session: ChainSession, book: ReceivableBook, fact: ReceivableFact) -> ReceivableView:
    try:
        today = day_number(session.now().date())
        return ReceivableView(fact, book.receivable(id_on_chain(book, fact), today))
    except NotFoundError:
        return ReceivableView(fact, None)


def waterfalls(session: ChainSession, receivable_id: str) -> list[Waterfall]:
    """Return every payment of a receivable with its legs, read from the events of the chain."""
    book = open_book(session)
    fact = find_receivable(session.workspace, receivable_id)
    return book.waterfalls(id_on_chain(book, fact))


def happenings(session: ChainSession, receivable_id: str) -> list[Happening]:
    """Return everything that happened to a receivable, read from the events of the chain."""
    book = open_book(session)
    fact = find_receivable(session.workspace, receivable_id)
    return book.happenings(id_on_chain(book, fact))

"""More due items than one transaction takes."""

from carnet.chain.keys import ChainRole, platform_id_of
from carnet.chain.receivable import ReceivableBook
from carnet.chain.signing import Confirmation, nonce_of, sign_statement
from carnet.core.clock import day_number
from carnet.core.digests import sha256
from carnet.services import financing
from carnet.services.chaining import ChainSession
from carnet.services.receivables import open_book
from carnet.services.upkeep import ITEMS_MAX, find_due, keep_up
from tests.fixtures_chain import CHAIN_START, SELLER

COUNT = ITEMS_MAX + 5
PLATFORM = "PLATFORM-A"
UNITS = 1_000_000


def _register(session: ChainSession, book: ReceivableBook, number: int) -> bytes:
    statement = Confirmation(
        doc_hash=sha256(f"document {number}".encode()),
        listing_hash=bytes(32),
        platform_id=platform_id_of(PLATFORM),
        seller=session.keys.address(ChainRole.SELLER, SELLER),
        face=UNITS,
        due_day=day_number(CHAIN_START.date()) + 30,
        advance_bps=8_000,
        rate_bps=900,
        late_rate_bps=300,
        fee_bps=50,
        basis=360,
        grace_days=5,
        has_recourse=False,
        nonce=nonce_of("many", number),
        deadline_s=int(session.now().timestamp()) + 3_600,
    )
    account = session.keys.account(ChainRole.PLATFORM, PLATFORM)
    signature = sign_statement(account, statement, book.domain(session.chain_id))
    keeper = session.sender(ChainRole.KEEPER)
    keeper.send(book.contract.address, book.register_call(statement, signature))
    return book.id_of(statement.platform_id, statement.doc_hash)


def test_keeper__more_than_one_transaction_takes(session: ChainSession) -> None:
    financing.confirm(session, "RCV-1")
    book = open_book(session)
    minter = session.sender(ChainRole.MINTER)
    ids = [_register(session, book, number) for number in range(COUNT)]
    for each in ids:
        book.token.send(minter, "mint", book.lockbox_of(each), UNITS)
    assert [item.receivable_id for item in find_due(session)] == ids
    assert len(find_due(session, limit=3)) == 3
    report = keep_up(session)
    assert [each.receivable_id for each in report.swept] == ids
    assert (report.failed, find_due(session)) == ((), [])
    seller = session.keys.address(ChainRole.SELLER, SELLER)
    assert book.balance_of(seller) == COUNT * UNITS

"""Upkeep: what the book says is due, and doing it. Anyone may; no key of this has any power.

The book names the due items in a view and checks each again when it acts, so a stale, doubled or
foreign item does nothing. Nothing is kept here between two calls.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from eth_abi.abi import encode

from carnet.chain.bound import BoundContract
from carnet.chain.deployment import BOOK
from carnet.chain.keys import ChainRole
from carnet.core.digests import sha256
from carnet.services.chaining import ChainSession

ITEMS_MAX = 20
"""Items of one transaction; the book takes no more."""

ITEMS_PER_TICK_MAX = 1_000
REGISTERED_MAX = 200_000

_ITEM_SIZE = 33
_WINDOWS_PER_BATCH = 100
_GAS_BASE = 300_000
_GAS_PER_ITEM = 450_000
"""A sweep that makes its lockbox and pays three accounts for the first time takes about half."""


@dataclass(frozen=True, slots=True)
class DueItem:
    """Something that is due: what the book calls it, and for which receivable."""

    receivable_id: bytes
    action: int


@dataclass(frozen=True, slots=True)
class Swept:
    """A lockbox that was emptied; amounts in units of the token."""

    receivable_id: bytes
    applied: int
    passed_on: int
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class UpkeepReport:
    """What one round of upkeep found and did.

    Args:
        at: The instant of the chain when it looked.
        due: What was due.
        swept: What was done.
        failed: Due items that the book passed over; they are looked at again next time.
        gas_used: Of all transactions of the round.
        is_dry_run: Whether it only looked.
    """

    at: datetime
    due: tuple[DueItem, ...]
    swept: tuple[Swept, ...]
    failed: tuple[DueItem, ...]
    gas_used: int
    is_dry_run: bool


def find_due(
    session: ChainSession, *, limit: int = ITEMS_PER_TICK_MAX, turn: int = 0
) -> list[DueItem]:
    """Return what is due, in the order of registration.

    All that is registered is looked through, in windows no larger than one transaction. Where more
    is due than the limit, the turn says where in it to begin, so that items which fail again and
    again can never hide those behind them.

    Args:
        session: An open chain.
        limit: The most items to return.
        turn: Any number, another one for each round.
    """
    book = session.contract(BOOK)
    count = min(int(book.read("count")), REGISTERED_MAX)
    found: list[DueItem] = []
    for windows in _batches(range(0, count, ITEMS_MAX)):
        arguments = [(encode(["uint256", "uint256"], [start, ITEMS_MAX]),) for start in windows]
        for _, data in book.read_many("checkUpkeep", arguments):
            found.extend(_items(data))
    if len(found) <= limit:
        return found
    first = turn % len(found)
    return (found[first:] + found[:first])[:limit]


def keep_up(session: ChainSession, *, is_dry_run: bool = False) -> UpkeepReport:
    """Do what is due, once; calling it again does nothing that was done.

    Raises:
        ChainUnavailableError: The node does not answer.
    """
    at = session.now()
    due = find_due(session, turn=_turn(at))
    swept: list[Swept] = []
    gas_used = 0
    if due and not is_dry_run:
        book = session.contract(BOOK)
        for start in range(0, len(due), ITEMS_MAX):
            done, gas = _perform(session, book, due[start : start + ITEMS_MAX])
            swept.extend(done)
            gas_used += gas
    settled = {each.receivable_id for each in swept}
    failed = () if is_dry_run else tuple(i for i in due if i.receivable_id not in settled)
    return UpkeepReport(at, tuple(due), tuple(swept), failed, gas_used, is_dry_run)


def _perform(
    session: ChainSession, book: BoundContract, items: Sequence[DueItem]
) -> tuple[list[Swept], int]:
    data = b"".join(item.receivable_id + bytes([item.action]) for item in items)
    receipt = book.send(
        session.sender(ChainRole.KEEPER),
        "performUpkeep",
        data,
        # It goes on without an item that fails, so its estimate is the gas of doing nothing.
        gas_min=_GAS_BASE + _GAS_PER_ITEM * len(items),
    )
    done: dict[bytes, Swept] = {}
    for event in book.decode_logs(receipt.logs):
        if event.name == "Swept":
            values = event.values
            done[values["id"]] = Swept(
                values["id"], values["applied"], values["passedOn"], receipt.tx_hash
            )
        elif event.name == "HoldReleased" and event.values["id"] not in done:
            name = event.values["id"]
            done[name] = Swept(name, 0, event.values["amount"], receipt.tx_hash)
    return list(done.values()), receipt.gas_used


def _turn(at: datetime) -> int:
    """Return a number for a round that has no pattern: the keeper keeps nothing between rounds."""
    return int.from_bytes(sha256(str(int(at.timestamp())).encode("ascii"))[:8], "big")


def _items(data: bytes) -> Iterator[DueItem]:
    for start in range(0, len(data) - _ITEM_SIZE + 1, _ITEM_SIZE):
        yield DueItem(data[start : start + 32], data[start + 32])


def _batches(starts: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(starts), _WINDOWS_PER_BATCH):
        yield starts[start : start + _WINDOWS_PER_BATCH]

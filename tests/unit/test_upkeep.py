"""What the keeper takes up where more is due than one round can do."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from eth_abi.abi import decode

from carnet.services.upkeep import ITEMS_PER_TICK_MAX, _turn, find_due

if TYPE_CHECKING:
    from carnet.services.chaining import ChainSession

STUCK = 1_000
LATER = 1_500
COUNT = 2_000


class _Book:
    """A book in which the first thousand receivables and a later one are always due."""

    def read(self, name: str) -> int:
        assert name == "count"
        return COUNT

    def read_many(self, _: str, argument_lists: Sequence[Sequence[bytes]]) -> list[Any]:
        found = []
        for (data,) in argument_lists:
            offset, limit = decode(["uint256", "uint256"], data)
            due = [i for i in range(offset, offset + limit) if i < STUCK or i == LATER]
            found.append((bool(due), b"".join(i.to_bytes(32, "big") + b"\1" for i in due)))
        return found


class _Session:
    def contract(self, _: str) -> _Book:
        return _Book()


def _found(turn: int) -> list[int]:
    due = find_due(cast("ChainSession", _Session()), turn=turn)
    return [int.from_bytes(item.receivable_id, "big") for item in due]


def test_find_due__what_fails_again_and_again_never_hides_what_is_behind_it() -> None:
    assert _found(0) == list(range(STUCK))
    start = datetime(2026, 11, 23, tzinfo=UTC)
    rounds = [_found(_turn(start + timedelta(minutes=i))) for i in range(5)]
    assert all(len(each) == len(set(each)) == ITEMS_PER_TICK_MAX for each in rounds)
    assert sum(LATER in each for each in rounds) >= 4

"""The stored decisions, each compared with its hash on every read, in the order they were made.

Decisions of one pack on one case for one date form a chain: each names the one that it follows. The
order is that of the chain and not of a clock, so a verdict that comes back after another one is the
latest again.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, func, select, tuple_

from carnet.core.canonical import parse_canonical
from carnet.core.digests import sha256
from carnet.core.errors import LedgerFatalError, NotFoundError, RecordFormatError
from carnet.core.text import Text
from carnet.ledger.reader import batches
from carnet.store.erasing import remaining_digests
from carnet.store.tables import DECISION

LISTING: Final = "listing"
ROWS_READ: Final = 5_000
_RAISED: Final = b'"findings":[{'
_FOLLOWS: Final = b'"follows":"'
"""How the body of a decision spells that it raises something, and that it follows another one.

Inside a text stand escapes.
"""


class Line(NamedTuple):
    """What the decisions of one chain have in common."""

    case_type: str
    case_id: str
    pack: str
    as_of: date


class Course(NamedTuple):
    """What the decisions of one pack on one case have in common, whatever their day."""

    case_type: str
    case_id: str
    pack: str


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """One decision as its body says it; the columns beside the body say the same.

    Args:
        digest: SHA-256 of the body as it was decided.
        content: The body; after an erasure, what is left of it.
    """

    digest: bytes
    content: Mapping[str, Any]

    @property
    def line(self) -> Line:
        """The chain that it belongs to."""
        case = self.content["case"]
        as_of = date.fromisoformat(self.content["as_of"])
        return Line(case["type"], case["id"], self.content["pack"], as_of)

    @property
    def pack_digest(self) -> bytes:
        """The hash of the pack that decided."""
        return bytes.fromhex(self.content["pack_digest"])

    @property
    def facts_digest(self) -> bytes:
        """The hash of the facts that it rests on."""
        return bytes.fromhex(self.content["facts_digest"])

    @property
    def follows(self) -> bytes | None:
        """The decision of the same chain that was the latest before, None for the first."""
        found = self.content["follows"]
        return None if found is None else bytes.fromhex(found)


def _damaged(digest: bytes, en: str, zh: str) -> LedgerFatalError:
    return LedgerFatalError(
        "CRN-R-098",
        Text(
            f"The stored decision {digest.hex()} cannot be relied on: {en}.",
            f"已存判定 {digest.hex()} 不可信：{zh}。",
        ),
        Text("Restore the workspace from a backup.", "请从备份恢复工作区。"),
    )


def _require_hash(digest: bytes, body: bytes, remaining: Mapping[bytes, frozenset[bytes]]) -> None:
    """Check that the body of a stored decision has the hash it is stored under."""
    # An erasure leaves a decision without what it said of the subject, and keeps the hash of that.
    if sha256(body) not in {digest, *remaining.get(digest, ())}:
        raise _damaged(digest, "it does not have that hash", "内容与该哈希不符")


def _checked(row: Row[Any], remaining: Mapping[bytes, frozenset[bytes]]) -> StoredDecision:
    digest, body = bytes(row.digest), bytes(row.body)
    _require_hash(digest, body, remaining)
    try:
        found = StoredDecision(digest, parse_canonical(body))
        stated = (
            *found.line,
            found.content["version"],
            found.content["conformity"],
            found.pack_digest,
            found.facts_digest,
        )
    except (RecordFormatError, KeyError, TypeError, ValueError) as error:
        raise _damaged(digest, "it is not a decision", "内容不是判定") from error
    columns = (
        *(row.case_type, row.case_id, row.pack, row.as_of, row.version, row.conformity),
        *(bytes(row.pack_digest), bytes(row.facts_digest)),
    )
    if stated != columns:
        raise _damaged(digest, "its row says something else", "所在行的内容与其不一致")
    return found


def read_decisions(
    connection: Connection, condition: ColumnElement[bool]
) -> dict[bytes, StoredDecision]:
    """Return the stored decisions that meet a condition, by digest.

    Raises:
        LedgerFatalError: One is not what its digest or its row says.
    """
    remaining = remaining_digests(connection)
    rows = connection.execute(select(DECISION).where(condition))
    return {found.digest: found for found in (_checked(row, remaining) for row in rows)}


def decisions_of(connection: Connection, digests: Sequence[bytes]) -> list[StoredDecision]:
    """Return the decisions of some digests, in their order.

    Raises:
        NotFoundError: One is not stored.
        LedgerFatalError: One is not what its digest or its row says.
    """
    found: dict[bytes, StoredDecision] = {}
    for group in batches(digests):
        found |= read_decisions(connection, DECISION.c.digest.in_(group))
    missing = [item for item in digests if item not in found]
    if missing:
        raise NotFoundError(
            "CRN-L-010",
            Text(f"There is no decision {missing[0].hex()}.", f"没有判定 {missing[0].hex()}。"),
            Text("Decide first: `carnet review --all`.", "请先审核：`carnet review --all`。"),
        )
    return [found[item] for item in digests]


def latest_decisions(
    connection: Connection, as_of: date, case_type: str = LISTING
) -> dict[Line, StoredDecision]:
    """Return the latest decision of each chain of a date.

    Raises:
        LedgerFatalError: A decision is damaged, or a chain has a gap or two ends.
    """
    condition = (DECISION.c.as_of == as_of) & (DECISION.c.case_type == case_type)
    chains: defaultdict[Line, list[StoredDecision]] = defaultdict(list)
    for found in read_decisions(connection, condition).values():
        chains[found.line].append(found)
    return {line: _latest(chain) for line, chain in chains.items()}


@dataclass(frozen=True, slots=True)
class Mark:
    """The latest decision of a chain without what it says.

    Args:
        digest: Its hash.
        follows: The hash of the one before it.
    """

    digest: bytes
    follows: bytes | None


def latest_marks(connection: Connection, as_of: date, case_type: str = LISTING) -> dict[Line, Mark]:
    """Return the latest decision of each chain of a date, without what they say.

    They are checked as `latest_decisions` checks them; memory holds their hashes alone.

    Raises:
        LedgerFatalError: A decision is damaged, or a chain has a gap or two ends.
    """
    condition = (DECISION.c.as_of == as_of) & (DECISION.c.case_type == case_type)
    remaining = remaining_digests(connection)
    chains: defaultdict[Line, list[Mark]] = defaultdict(list)
    for row in connection.execute(select(DECISION).where(condition)).yield_per(ROWS_READ):
        found = _checked(row, remaining)
        chains[found.line].append(Mark(found.digest, found.follows))
    return {line: _in_order(chain)[-1] for line, chain in chains.items()}


def decision_history(
    connection: Connection, until: date, condition: ColumnElement[bool] | None = None
) -> dict[Course, list[StoredDecision]]:
    """Return every decision for days up to one, for each pack and case in order.

    The order is that of the days the decisions are for; for one day, that of their chain. When a
    decision was made does not count: a decision for an earlier day, made later, stands before.

    Raises:
        LedgerFatalError: A decision is damaged, or a chain has a gap or two ends.
    """
    wanted = DECISION.c.as_of <= until
    found = read_decisions(connection, wanted if condition is None else wanted & condition)
    chains: defaultdict[Line, list[StoredDecision]] = defaultdict(list)
    for each in found.values():
        chains[each.line].append(each)
    courses: defaultdict[Course, list[StoredDecision]] = defaultdict(list)
    for line in sorted(chains, key=lambda line: line.as_of):
        courses[Course(line.case_type, line.case_id, line.pack)] += _in_order(chains[line])
    return dict(courses)


def raising_history(
    connection: Connection, until: date, condition: ColumnElement[bool]
) -> dict[Course, list[StoredDecision]]:
    """Return the history of the packs and cases that matter for findings, as `decision_history`.

    Left out is where no decision up to the day raises any, and none follows another one that could
    be gone. Of what is left out the hashes are checked alone: reading it costs ten times as much.

    Raises:
        LedgerFatalError: A decision is damaged, or a chain has a gap or two ends.
    """
    wanted = (DECISION.c.as_of <= until) & condition
    remaining = remaining_digests(connection)
    bodies = select(DECISION.c.digest, DECISION.c.body).where(wanted)
    for row in connection.execute(bodies).yield_per(ROWS_READ):
        _require_hash(bytes(row.digest), bytes(row.body), remaining)
    matters = _spells(connection, _RAISED) | _spells(connection, _FOLLOWS)
    course = (DECISION.c.case_type, DECISION.c.case_id, DECISION.c.pack)
    courses = select(*course).where(wanted, matters)
    return decision_history(connection, until, condition & tuple_(*course).in_(courses))


def _spells(connection: Connection, spelling: bytes) -> ColumnElement[bool]:
    """Return the condition of decisions in whose bodies something is spelled."""
    if connection.dialect.name == "sqlite":
        return func.instr(DECISION.c.body, spelling) > 0
    return func.strpos(func.convert_from(DECISION.c.body, "UTF8"), spelling.decode()) > 0


def _latest(chain: Sequence[StoredDecision]) -> StoredDecision:
    return _in_order(chain)[-1]


_Linked = TypeVar("_Linked", StoredDecision, Mark)


def _in_order(chain: Sequence[_Linked]) -> list[_Linked]:
    """Return the decisions of a chain, the first one first."""
    followers = {found.follows: found for found in chain}
    ordered: list[_Linked] = []
    found = followers.get(None)
    while found is not None and len(ordered) < len(chain):
        ordered.append(found)
        found = followers.get(found.digest)
    if found is not None or len(ordered) != len(chain):
        raise _damaged(chain[0].digest, "the chain it is part of is broken", "其所在的判定链已断裂")
    return ordered

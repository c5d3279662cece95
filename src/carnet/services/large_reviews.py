"""The entry review of very many listings: the same decisions as `reviewing`, kept without objects.

The facts are loaded into the bulk engine once for all packs, decisions are spelled there as they
are stored, wait in a file until the last pack has decided, and are stored in one transaction. In
memory are the worst listings and, of each other, its verdicts and the hashes of its decisions.
"""

import heapq
import pickle
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import orjson
from sqlalchemy import Connection, insert, select

from carnet.core.clock import Clock
from carnet.core.digests import sha256
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.decision import Conformity, decision_from_json
from carnet.services.approvals import confirmed_parameters
from carnet.services.decisions import LISTING, Line, Mark, latest_marks
from carnet.services.dossiers import Judged
from carnet.services.overviews import RANKS, SHOWN_MAX
from carnet.services.packs import keep_pack, packs_in_force
from carnet.services.reviewing import (
    NotReviewed,
    of_listings,
    require_same_pack,
    require_unerased,
    uncovered,
)
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.erasing import erasure_count, tombstones
from carnet.store.facts import count_by_type
from carnet.store.locks import Lock
from carnet.store.tables import DECISION

if TYPE_CHECKING:
    # The engine is loaded when it is needed: it takes long, and starts threads.
    from carnet.rules.bulk.duck import BulkDatabase
    from carnet.rules.bulk.spelled import Spelled

CHUNK: Final = 5_000
"""Decisions that are written together."""


@dataclass(slots=True)
class LargeReview:
    """What the packs decided about very many listings on one date.

    Args:
        as_of: The date.
        packs: Every pack that decided.
        verdicts: The worst verdict of each listing that a pack decided.
        severities: How many findings there are of each severity.
        not_reviewed: The listings that no pack decided.
        worst: The decisions on the worst listings, by listing.
        facts: The facts that these rest on.
        digests: Each decision by its hash.
    """

    as_of: date
    packs: tuple[Pack, ...] = ()
    verdicts: dict[str, Conformity] = field(default_factory=dict)
    severities: Counter[str] = field(default_factory=Counter)
    not_reviewed: tuple[NotReviewed, ...] = ()
    worst: dict[str, list[Judged]] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()
    digests: set[bytes] = field(default_factory=set)

    @property
    def conformities(self) -> frozenset[Conformity]:
        """The verdicts that occur."""
        return frozenset(self.verdicts.values())

    @property
    def counts(self) -> dict[Conformity, int]:
        """How many listings came to each verdict; those that no pack decided left out."""
        found = Counter(self.verdicts.values())
        return {verdict: found[verdict] for verdict in RANKS}


def is_large(workspace: Workspace) -> bool:
    """Return whether a workspace holds so many facts that a review of all is a large one."""
    from carnet.rules.bulk import running

    with reading(workspace.engine) as connection:
        counts = count_by_type(connection)
    return sum(counts.values()) > running.FEW


def review_large(
    workspace: Workspace,
    *,
    as_of: date,
    clock: Clock,
    market: str | None = None,
) -> LargeReview | None:
    """Decide all listings by the packs of their markets and keep the decisions.

    Args:
        workspace: The workspace.
        as_of: The date that decides.
        clock: Gives the time at which it was decided.
        market: The one market whose listings are decided; every one unless it is named.

    Returns:
        The review; None where `reviewing.review` has to make it, because the facts are few or a
        pack rests on what others decided.

    Raises:
        NotFoundError: No listing is in the market.
        InputError: A pack is not what decided before under its version.
        LedgerFatalError: A stored confirmation or decision, or a kept pack, is damaged.
    """
    from carnet.rules.bulk.duck import BulkLimits
    from carnet.rules.bulk.run import BulkOptions, decide, open_facts
    from carnet.rules.bulk.sources import DigestedFacts
    from carnet.rules.bulk.spelled import spell

    settings = workspace.settings
    options = BulkOptions(limits=BulkLimits(settings.bulk_memory_max, settings.bulk_threads))
    installed = of_listings(packs_in_force(workspace, as_of))
    if any(each.pack.after for each in installed.values()) or not is_large(workspace):
        return None
    with reading(workspace.engine) as connection:
        erased, erasures = tombstones(connection, "party"), erasure_count(connection)
    with open_facts(DigestedFacts(workspace.engine), options) as database:
        listings = _listings(database, market)
        if not listings:
            return None
        gone = _of_erased(database, erased)
        found = LargeReview(as_of)
        chosen = listings.keys() - gone
        waiting = database.folder / "decisions"
        with waiting.open("wb") as file:
            for each in installed.values():
                confirmed = confirmed_parameters(workspace, each.pack)
                results = decide(each.pack, database, as_of, confirmed, options=options)
                decided = (one for one in spell(results, each.pack) if one.case_id in chosen)
                if _take(each.pack, decided, found, file):
                    # Before the decisions are: whoever reads one can decide it again.
                    keep_pack(workspace, each)
                    found.packs += (each.pack,)
                database.clear()
        packs = [each.pack for each in installed.values()]
        left = (one for name, one in listings.items() if name not in found.verdicts)
        found.not_reviewed = tuple(uncovered(one, packs, gone) for one in left)
        _find_worst(database, found)
        with writing(workspace.engine, Lock.IMPORT) as connection:
            require_unerased(connection, erasures)
            _store(connection, found, waiting, options.engine, clock)
    return found


# --- deciding ---------------------------------------------------------------------------------


def _listings(database: "BulkDatabase", market: str | None) -> dict[str, Fact]:
    """Return the listings that are asked for by id, with their market and status alone."""
    if not database.facts[f"f_{LISTING}"].count:
        return {}
    rows = database.rows("SELECT id, market, status FROM f_listing ORDER BY id")
    return {
        name: Fact(LISTING, name, {"market": of_market, "status": status})
        for name, of_market, status in rows
        if market in {None, of_market}
    }


def _of_erased(database: "BulkDatabase", sellers: Collection[str]) -> frozenset[str]:
    """Return the listings of sellers whose data was erased."""
    if not sellers or not database.facts["f_product"].count:
        return frozenset()
    query = (
        "SELECT l.id, p.seller_id FROM f_listing AS l JOIN f_product AS p ON p.id = l.product_id"
    )
    return frozenset(name for name, seller in database.rows(query) if seller in sellers)


def _take(pack: Pack, decided: "Iterator[Spelled]", found: LargeReview, file: BinaryIO) -> bool:
    """Take what one pack decided; the decisions go into a file. Return whether there is any."""
    is_any = False
    for some in _chunks(decided):
        drafts = [
            (one.case_id, one.conformity, one.facts_digest, _parts(one, pack, found.as_of))
            for one in some
        ]
        pickle.dump((pack.id, drafts), file)
        is_any = True
        for one in some:
            found.severities.update(one.severities)
            known = found.verdicts.get(one.case_id, one.conformity)
            found.verdicts[one.case_id] = min(known, one.conformity, key=RANKS.__getitem__)
    return is_any


def _parts(one: "Spelled", pack: Pack, as_of: date) -> tuple[str, str]:
    """Return the body of a decision before and after the hash of the one that it follows."""
    members = one.members
    actions = f'"actions":{members["actions"]},' if "actions" in members else ""
    case = canonical_text({"id": one.case_id, "type": pack.case.fact_type})
    before = (
        f'{{{actions}"as_of":"{as_of.isoformat()}","case":{case},"conformity":"{one.conformity}",'
        f'"errors":{members["errors"]},"facts_digest":"{one.facts_digest}",'
        f'"findings":{members["findings"]},"follows":'
    )
    after = (
        f',"measures":{members["measures"]},"not_applicable":{members["not_applicable"]},'
        f'"officer_confirmed":{members["officer_confirmed"]},"outputs":{members["outputs"]},'
        f'"pack":"{pack.id}","pack_digest":"{pack.digest.hex()}","version":"{pack.version}"}}'
    )
    return before, after


def canonical_text(value: dict[str, str]) -> str:
    """Return the canonical JSON of texts that the vocabulary has checked."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _chunks(items: "Iterator[Spelled]") -> "Iterator[list[Spelled]]":
    some: list[Spelled] = []
    for one in items:
        some.append(one)
        if len(some) == CHUNK:
            yield some
            some = []
    if some:
        yield some


def _find_worst(database: "BulkDatabase", found: LargeReview) -> None:
    """Note the worst listings and the facts that their decisions rest on."""
    from carnet.rules.bulk.run import facts_reaching

    ranked = ((RANKS[verdict], name) for name, verdict in found.verdicts.items())
    names = [name for _, name in heapq.nsmallest(SHOWN_MAX, ranked)]
    found.worst = {name: [] for name in names}
    near = {
        (fact.type, fact.id): fact
        for pack in found.packs
        for fact in facts_reaching(pack, database, names)
    }
    found.facts = tuple(near[key] for key in sorted(near))


# --- storing ----------------------------------------------------------------------------------


def _waiting(path: Path) -> Iterator[tuple[str, list[Any]]]:
    with path.open("rb") as file:
        while True:
            try:
                # This process has just written it into a folder of its own.
                yield pickle.load(file)  # noqa: S301 (as said)
            except EOFError:
                return


def _store(
    connection: Connection, found: LargeReview, waiting: Path, engine: str, clock: Clock
) -> None:
    """Store what differs from the latest decisions."""
    packs = {pack.id: pack for pack in found.packs}
    for pack in found.packs:
        require_same_pack(connection, pack)
    latest = latest_marks(connection, found.as_of)
    common = {"engine": engine, "decided_at": clock.now(), "as_of": found.as_of}
    for pack_id, drafts in _waiting(waiting):
        pack = packs[pack_id]
        own = {
            "case_type": pack.case.fact_type,
            "pack": pack.id,
            "version": pack.version,
            "pack_digest": pack.digest,
            **common,
        }
        fresh = []
        for case_id, conformity, facts_digest, parts in drafts:
            last = latest.get(Line(pack.case.fact_type, case_id, pack.id, found.as_of))
            digest, body, is_new = _body(parts, last)
            found.digests.add(digest)
            if is_new:
                row = {"digest": digest, "case_id": case_id, "conformity": conformity, "body": body}
                fresh.append(row | own | {"facts_digest": bytes.fromhex(facts_digest)})
            if case_id in found.worst:
                judged = Judged(pack, found.as_of, decision_from_json(orjson.loads(body)))
                found.worst[case_id].append(judged)
        if fresh:
            connection.execute(insert(DECISION), fresh)


def _body(parts: tuple[str, str], last: Mark | None) -> tuple[bytes, bytes, bool]:
    """Return the hash and the body of a decision, and whether it is not the latest already."""
    before, after = parts
    if last is not None:
        follows = f'"{last.follows.hex()}"' if last.follows else "null"
        body = f"{before}{follows}{after}".encode()
        if sha256(body) == last.digest:
            return last.digest, body, False
    follows = f'"{last.digest.hex()}"' if last is not None else "null"
    body = f"{before}{follows}{after}".encode()
    return sha256(body), body, True


# --- reading back -----------------------------------------------------------------------------


def stored_bodies(workspace: Workspace, found: LargeReview) -> Iterator[tuple[bytes, bytes]]:
    """Yield the hash and the stored body of each decision of a review, by listing and pack."""
    query = (
        select(DECISION.c.digest, DECISION.c.body)
        .where(DECISION.c.case_type == LISTING, DECISION.c.as_of == found.as_of)
        .order_by(DECISION.c.case_id, DECISION.c.pack)
    )
    with reading(workspace.engine) as connection:
        for digest, body in connection.execute(query).yield_per(CHUNK):
            if bytes(digest) in found.digests:
                yield bytes(digest), bytes(body)

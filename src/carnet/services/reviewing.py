"""The entry review: every listing decided by the packs of its market, the decisions kept.

A decision is stored under the hash of what it says, together with the hash of the facts it rests
on, so deciding the same about the same facts adds nothing. A listing that no pack decided is
reported as not reviewed: it is never passed over in silence.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from carnet.core.canonical import canonical, parse_canonical
from carnet.core.clock import Clock
from carnet.core.digests import sha256
from carnet.core.errors import NotFoundError
from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.case import assemble, start_run
from carnet.rules.decision import Decision
from carnet.rules.engine import evaluate
from carnet.rules.pack import load_pack
from carnet.rules.shelf import SHELF, shelved_packs
from carnet.services.approvals import confirmed_parameters
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.facts import current_facts, fact_digest
from carnet.store.locks import Lock
from carnet.store.tables import DECISION

LISTING: Final = "listing"
REVIEWABLE: Final = ("draft", "released")
"""The statuses of packs that decide; a proposal is for what-if alone."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One decision on one listing, as it is stored.

    Args:
        digest: The hash it is stored under.
        pack: The pack that decided.
        decision: What it decided.
    """

    digest: bytes
    pack: Pack
    decision: Decision

    @property
    def listing_id(self) -> str:
        """The listing."""
        return self.decision.case[1]


@dataclass(frozen=True, slots=True)
class NotReviewed:
    """A listing that no pack decided, and why."""

    listing_id: str
    reason: Text


@dataclass(frozen=True, slots=True)
class Review:
    """What the packs decided about listings on one date."""

    as_of: date
    reviewed: tuple[Reviewed, ...]
    not_reviewed: tuple[NotReviewed, ...]

    @property
    def conformities(self) -> frozenset[str]:
        """The verdicts that occur."""
        return frozenset(each.decision.conformity for each in self.reviewed)

    def to_json(self) -> dict[str, Any]:
        """Return the review as JSON."""
        return {
            "as_of": self.as_of.isoformat(),
            "decisions": [
                {
                    "pack": each.pack.id,
                    "version": each.pack.version,
                    "digest": each.digest.hex(),
                    **each.decision.to_json(),
                }
                for each in self.reviewed
            ],
            "not_reviewed": [
                {
                    "listing": each.listing_id,
                    "reason": each.reason.to_json(),
                }
                for each in self.not_reviewed
            ],
        }


def newest_packs() -> dict[str, Pack]:
    """Return the newest shipped version of each pack that may decide, by id."""
    folders = {found.id: found.folder for found in shelved_packs(SHELF)}
    packs = {name: load_pack(folder) for name, folder in folders.items()}
    return {
        name: pack
        for name, pack in packs.items()
        if pack.status in REVIEWABLE and pack.case.fact_type == LISTING
    }


def _body(pack: Pack, as_of: date, decision: Decision, facts_digest: bytes) -> bytes:
    return canonical(
        {
            "pack": pack.id,
            "version": pack.version,
            "pack_digest": pack.digest.hex(),
            "as_of": as_of.isoformat(),
            "facts_digest": facts_digest.hex(),
            **decision.to_json(),
        }
    )


def _facts_digests(
    pack: Pack, facts: Collection[Fact], as_of: date, confirmed: frozenset[str]
) -> dict[str, bytes]:
    """Return for each case the hash over the ids and contents of its facts."""
    cases, _ = assemble(start_run(pack, as_of, confirmed), facts)
    return {
        case.anchor.id: sha256(
            canonical(
                [[*key, fact_digest(fact).hex()] for key, fact in sorted(case.by_key.items())]
            )
        )
        for case in cases
    }


def _decide(
    pack: Pack, facts: Collection[Fact], as_of: date, confirmed: frozenset[str], engine: str
) -> Iterator[tuple[Reviewed, dict[str, Any]]]:
    digests = _facts_digests(pack, facts, as_of, confirmed)
    result = evaluate(pack, facts, as_of, engine, confirmed)
    for decision in result.decisions:
        facts_digest = digests[decision.case[1]]
        body = _body(pack, as_of, decision, facts_digest)
        digest = sha256(body)
        yield (
            Reviewed(digest, pack, decision),
            {
                "digest": digest,
                "case_type": decision.case[0],
                "case_id": decision.case[1],
                "pack": pack.id,
                "version": pack.version,
                "pack_digest": pack.digest,
                "facts_digest": facts_digest,
                "as_of": as_of,
                "engine": engine,
                "conformity": decision.conformity,
                "body": body,
            },
        )


def _store(connection: Connection, rows: Mapping[bytes, dict[str, Any]], clock: Clock) -> None:
    known = set(
        connection.execute(
            select(DECISION.c.digest).where(
                DECISION.c.as_of.in_({r["as_of"] for r in rows.values()})
            )
        ).scalars()
    )
    now = clock.now()
    fresh = [{**row, "decided_at": now} for digest, row in rows.items() if digest not in known]
    if fresh:
        connection.execute(insert(DECISION), fresh)


def _uncovered(listing: Fact, packs: Collection[Pack]) -> NotReviewed:
    market, status = listing.fields["market"], listing.fields["status"]
    if not any(pack.jurisdiction == market for pack in packs):
        reason = Text(f"No pack covers the market {market}.", f"没有规则包覆盖市场 {market}。")
    else:
        reason = Text(
            f"Its status {status} is not under review.", f"其状态 {status} 不在审核范围内。"
        )
    return NotReviewed(listing.id, reason)


def _select(listings: Collection[Fact], wanted: Collection[str]) -> list[Fact]:
    by_id = {listing.id: listing for listing in listings}
    missing = sorted(set(wanted) - by_id.keys())
    if missing:
        raise NotFoundError(
            "CRN-R-095",
            Text(f"There is no listing {missing[0]!r}.", f"没有上架商品 {missing[0]!r}。"),
            Text("See `carnet status`, or import it.", "请查看 `carnet status`，或先导入。"),
        )
    return [by_id[name] for name in sorted(wanted)] if wanted else list(listings)


def review(
    workspace: Workspace,
    *,
    as_of: date,
    clock: Clock,
    listing_ids: Collection[str] = (),
    engine: str = "live",
) -> Review:
    """Decide listings by the packs of their markets and keep the decisions.

    Args:
        workspace: The workspace.
        as_of: The date that decides.
        clock: Gives the time at which it was decided.
        listing_ids: The listings; all unless some are named.
        engine: The engine, as for `evaluate`.

    Raises:
        NotFoundError: A listing is not there.
        LedgerFatalError: A stored confirmation of an officer does not verify.
    """
    packs = newest_packs()
    with reading(workspace.engine) as connection:
        facts = list(current_facts(connection))
    listings = _select([fact for fact in facts if fact.type == LISTING], listing_ids)
    chosen = {listing.id for listing in listings}
    reviewed: list[Reviewed] = []
    rows: dict[bytes, dict[str, Any]] = {}
    for pack in packs.values():
        confirmed = confirmed_parameters(workspace, pack)
        for found, row in _decide(pack, facts, as_of, confirmed, engine):
            if found.listing_id in chosen:
                reviewed.append(found)
                rows[found.digest] = row
    with writing(workspace.engine, Lock.IMPORT) as connection:
        _store(connection, rows, clock)
    covered = {each.listing_id for each in reviewed}
    return Review(
        as_of,
        tuple(sorted(reviewed, key=lambda each: (each.listing_id, each.pack.id))),
        tuple(_uncovered(each, packs.values()) for each in listings if each.id not in covered),
    )


def stored_decisions(workspace: Workspace, as_of: date) -> list[dict[str, Any]]:
    """Return the decisions that are stored for a date, each with its digest, in order of listing.

    Where a listing was decided several times for one date by one pack, the latest counts.
    """
    query = select(DECISION.c.digest, DECISION.c.body).where(
        DECISION.c.as_of == as_of, DECISION.c.case_type == LISTING
    )
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    with reading(workspace.engine) as connection:
        for row in connection.execute(query.order_by(DECISION.c.decided_at, DECISION.c.digest)):
            body = parse_canonical(bytes(row.body))
            newest[(body["case"]["id"], body["pack"])] = {**body, "digest": bytes(row.digest).hex()}
    return [newest[key] for key in sorted(newest)]


def find_decisions(
    workspace: Workspace, as_of: date, listing_ids: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Return the stored decisions for a date on some listings, or on all of them.

    Raises:
        NotFoundError: There is none, or none on one of the listings.
    """
    found = stored_decisions(workspace, as_of)
    decided = {each["case"]["id"] for each in found}
    missing = sorted(set(listing_ids) - decided)
    if missing or not found:
        what = missing[0] if missing else "any listing"
        what_zh = missing[0] if missing else "任何上架商品"
        raise NotFoundError(
            "CRN-R-097",
            Text(
                f"There is no decision on {what} for {as_of}.",
                f"没有 {what_zh} 在 {as_of} 的判定。",
            ),
            Text(
                f"Decide first: `carnet review --all --as-of {as_of}`.",
                f"请先审核：`carnet review --all --as-of {as_of}`。",
            ),
        )
    wanted = set(listing_ids) or decided
    return [each for each in found if each["case"]["id"] in wanted]

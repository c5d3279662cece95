"""The entry review: every listing decided by the packs of its market, the decisions kept.

A decision is stored under the hash of what it says, together with the hash of the facts it rests
on and the decision that it follows. Deciding the same as the latest one about the same facts adds
nothing; a verdict that comes back after another one is a new decision. A listing that no pack
decided is reported as not reviewed: it is never passed over in silence.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, insert, select

from carnet.core.canonical import canonical
from carnet.core.clock import Clock
from carnet.core.digests import sha256
from carnet.core.errors import ConflictError, InputError, NotFoundError
from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.case import assemble
from carnet.rules.decision import NOTHING_EARLIER, Decision, Earlier
from carnet.rules.pack import load_pack
from carnet.rules.run import start_run
from carnet.rules.shelf import SHELF, shelved_packs
from carnet.rules.stages import Stages
from carnet.services.approvals import confirmed_parameters
from carnet.services.decisions import LISTING, Line, StoredDecision, latest_decisions
from carnet.services.packs import REVIEWABLE, Installed, in_force, keep_pack, packs_in_force
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.erasing import erasure_count, tombstones
from carnet.store.facts import current_facts, fact_digest
from carnet.store.locks import Lock
from carnet.store.tables import DECISION


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


def of_listings(installed: Mapping[str, Installed]) -> dict[str, Installed]:
    """Return the packs that decide listings."""
    return {name: each for name, each in installed.items() if each.pack.case.fact_type == LISTING}


def stages_of(
    workspace: Workspace,
    installed: Mapping[str, Installed],
    facts: Collection[Fact],
    as_of: date,
    engine: str,
) -> Stages:
    """Return the stages of a review: earlier packs are the versions in force as well."""

    def resolve(name: str) -> Pack:
        return in_force(installed, name, as_of)

    def confirmed(pack: Pack) -> frozenset[str]:
        return confirmed_parameters(workspace, pack)

    return Stages(facts, as_of, engine, confirmed, resolve)


def facts_digests(
    pack: Pack, facts: Collection[Fact], as_of: date, earlier: Earlier = NOTHING_EARLIER
) -> dict[str, bytes]:
    """Return for each case of a pack, by id, the hash over the ids and contents of its facts.

    What packs of earlier stages decided on a case is part of its facts.
    """
    cases, _ = assemble(start_run(pack, as_of, frozenset()), facts, earlier.facts)
    return {
        case.anchor.id: sha256(
            canonical(
                [[*key, fact_digest(fact).hex()] for key, fact in sorted(case.by_key.items())]
            )
        )
        for case in cases
    }


@dataclass(frozen=True, slots=True)
class _Draft:
    """One decision before it is known which one it follows."""

    pack: Pack
    decision: Decision
    as_of: date
    facts_digest: bytes

    @property
    def line(self) -> Line:
        return Line(*self.decision.case, self.pack.id, self.as_of)

    def body(self, follows: bytes | None) -> bytes:
        return canonical(
            {
                "pack": self.pack.id,
                "version": self.pack.version,
                "pack_digest": self.pack.digest.hex(),
                "as_of": self.as_of.isoformat(),
                "facts_digest": self.facts_digest.hex(),
                "follows": follows and follows.hex(),
                **self.decision.to_json(),
            }
        )

    def row(self, digest: bytes, follows: bytes | None) -> dict[str, Any]:
        return {
            "digest": digest,
            "case_type": self.decision.case[0],
            "case_id": self.decision.case[1],
            "pack": self.pack.id,
            "version": self.pack.version,
            "pack_digest": self.pack.digest,
            "facts_digest": self.facts_digest,
            "as_of": self.as_of,
            "conformity": self.decision.conformity,
            "body": self.body(follows),
        }


def _decide(pack: Pack, facts: Collection[Fact], as_of: date, stages: Stages) -> Iterator[_Draft]:
    digests = facts_digests(pack, facts, as_of, stages.earlier(pack))
    for decision in stages.result(pack).decisions:
        yield _Draft(pack, decision, as_of, digests[decision.case[1]])


def _store(
    connection: Connection, drafts: Collection[_Draft], as_of: date, engine: str, clock: Clock
) -> list[Reviewed]:
    """Store what differs from the latest decisions, and return each under its digest."""
    for pack in {draft.pack.id: draft.pack for draft in drafts}.values():
        require_same_pack(connection, pack)
    latest = latest_decisions(connection, as_of)
    common = {"engine": engine, "decided_at": clock.now()}
    reviewed, fresh = [], []
    for draft in drafts:
        last = latest.get(draft.line)
        digest = sha256(draft.body(last.follows if last else None))
        if last is None or digest != last.digest:
            follows = last.digest if last else None
            digest = sha256(draft.body(follows))
            fresh.append(draft.row(digest, follows) | common)
        reviewed.append(Reviewed(digest, draft.pack, draft.decision))
    if fresh:
        connection.execute(insert(DECISION), fresh)
    return reviewed


def require_unerased(connection: Connection, count: int) -> None:
    """Check that nothing was erased since the facts were read: it would come back in a decision."""
    if erasure_count(connection) != count:
        raise ConflictError(
            "CRN-L-095",
            Text(
                "Data of a subject was erased while it was reviewed.",
                "审核期间有主体的数据被删除。",
            ),
            Text("Review again.", "请重新审核。"),
        )


def require_same_pack(connection: Connection, pack: Pack) -> None:
    """Check that a version of a pack is the one that decided before under its number."""
    query = select(DECISION.c.pack_digest).where(
        DECISION.c.pack == pack.id,
        DECISION.c.version == pack.version,
        DECISION.c.pack_digest != pack.digest,
    )
    other = connection.execute(query.limit(1)).scalar()
    if other is not None:
        raise InputError(
            "CRN-R-100",
            Text(
                f"The pack {pack.id} {pack.version} ({pack.digest.hex()}) is not the one of that "
                f"version that decided before ({bytes(other).hex()}).",
                f"规则包 {pack.id} {pack.version}（{pack.digest.hex()}）与此前以该版本作出判定的"
                f"规则包（{bytes(other).hex()}）不同。",
            ),
            Text(
                "Give the changed pack a new version, or restore it.",
                "请为已修改的规则包指定新版本，或恢复原内容。",
            ),
        )


def of_erased_sellers(connection: Connection, facts: Collection[Fact]) -> frozenset[str]:
    """Return the listings of sellers whose data was erased: what is left of it decides nothing."""
    sellers = tombstones(connection, "party")
    products = {
        fact.id for fact in facts if fact.type == "product" and fact.fields["seller_id"] in sellers
    }
    return frozenset(
        fact.id for fact in facts if fact.type == LISTING and fact.fields["product_id"] in products
    )


def uncovered(listing: Fact, packs: Collection[Pack], erased: Collection[str]) -> NotReviewed:
    """Return why no pack decided a listing."""
    market, status = listing.fields["market"], listing.fields["status"]
    if listing.id in erased:
        reason = Text("The data of its seller was erased.", "其卖家的数据已被删除。")
    elif not any(pack.jurisdiction == market for pack in packs):
        reason = Text(f"No pack covers the market {market}.", f"没有规则包覆盖市场 {market}。")
    else:
        reason = Text(
            f"Its status {status} is not under review.", f"其状态 {status} 不在审核范围内。"
        )
    return NotReviewed(listing.id, reason)


def select_listings(
    listings: Collection[Fact], wanted: Collection[str], market: str | None
) -> list[Fact]:
    """Return the listings that are asked for: some of them or all, in one market or in any.

    Raises:
        NotFoundError: One is not there, or none of them is in the market.
    """
    found = _named(listings, wanted)
    if market is None:
        return found
    inside = [each for each in found if each.fields["market"] == market]
    if not inside:
        markets = ", ".join(sorted({str(each.fields["market"]) for each in found}))
        raise NotFoundError(
            "CRN-R-200",
            Text(
                f"None of these listings is in the market {market}.",
                f"所选上架商品均不在市场 {market}。",
            ),
            Text(f"Their markets: {markets or '-'}.", f"其市场：{markets or '-'}。"),
        )
    return inside


def _named(listings: Collection[Fact], wanted: Collection[str]) -> list[Fact]:
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
    market: str | None = None,
    engine: str = "live",
) -> Review:
    """Decide listings by the packs of their markets and keep the decisions.

    Args:
        workspace: The workspace.
        as_of: The date that decides.
        clock: Gives the time at which it was decided.
        listing_ids: The listings; all unless some are named.
        market: The one market whose listings are decided; every one unless it is named.
        engine: The engine, as for `evaluate`.

    Raises:
        NotFoundError: A listing is not there, or none is in the market.
        InputError: A pack is not what decided before under its version, or comes after one that
            cannot decide for the date.
        LedgerFatalError: A stored confirmation or act of an officer does not verify, or a stored
            decision or a kept pack is damaged.
    """
    installed = packs_in_force(workspace, as_of)
    packs = {name: each.pack for name, each in of_listings(installed).items()}
    with reading(workspace.engine) as connection:
        facts = list(current_facts(connection))
        erased, erasures = of_erased_sellers(connection, facts), erasure_count(connection)
    of_type = [fact for fact in facts if fact.type == LISTING]
    listings = select_listings(of_type, listing_ids, market)
    chosen = {listing.id for listing in listings} - erased
    drafts = []
    stages = stages_of(workspace, installed, facts, as_of, engine)
    for pack in packs.values():
        decided = _decide(pack, facts, as_of, stages)
        found = [draft for draft in decided if draft.decision.case[1] in chosen]
        if found:
            # Before the decisions are: whoever reads one can decide it again with the same packs.
            for name in (pack.id, *(one.id for one in stages.earlier(pack).packs)):
                keep_pack(workspace, installed[name])
        drafts += found
    with writing(workspace.engine, Lock.IMPORT) as connection:
        require_unerased(connection, erasures)
        reviewed = _store(connection, drafts, as_of, engine, clock)
    covered = {each.listing_id for each in reviewed}
    return Review(
        as_of,
        tuple(sorted(reviewed, key=lambda each: (each.listing_id, each.pack.id))),
        tuple(
            uncovered(each, packs.values(), erased) for each in listings if each.id not in covered
        ),
    )


def stored_decisions(workspace: Workspace, as_of: date) -> list[dict[str, Any]]:
    """Return the decisions that are stored for a date, each with its digest, in order of listing.

    Where a listing was decided several times for one date by one pack, the latest counts.

    Raises:
        LedgerFatalError: A stored decision is damaged.
    """
    with reading(workspace.engine) as connection:
        latest = latest_decisions(connection, as_of)
    return [
        {**latest[line].content, "digest": latest[line].digest.hex()} for line in sorted(latest)
    ]


def require_current(
    workspace: Workspace, connection: Connection, decisions: Collection[StoredDecision]
) -> None:
    """Check that decisions still stand: the latest of their chains, by present rules and facts.

    Raises:
        ConflictError: One does not.
    """
    if not decisions:
        return
    facts = list(current_facts(connection))
    dates = {each.line.as_of for each in decisions}
    packs = {day: packs_in_force(workspace, day, connection) for day in dates}
    stages = {day: stages_of(workspace, packs[day], facts, day, "live") for day in dates}
    latest = {day: latest_decisions(connection, day) for day in dates}
    digests: dict[tuple[str, date], dict[str, bytes]] = {}
    for each in decisions:
        line = each.line
        installed = packs[line.as_of].get(line.pack)
        if latest[line.as_of][line].digest != each.digest:
            raise _outdated(line, "it was decided again since", "此后已重新判定")
        if installed is None or installed.pack.digest != each.pack_digest:
            raise _outdated(line, "the rule pack has changed since", "此后规则包已变更")
        key = (line.pack, line.as_of)
        if key not in digests:
            earlier = stages[line.as_of].earlier(installed.pack)
            digests[key] = facts_digests(installed.pack, facts, line.as_of, earlier)
        if digests[key].get(line.case_id) != each.facts_digest:
            raise _outdated(line, "its facts have changed since", "此后其事实已变更")


def _outdated(line: Line, en: str, zh: str) -> ConflictError:
    return ConflictError(
        "CRN-R-099",
        Text(
            f"The decision on {line.case_id} by {line.pack} for {line.as_of} no longer stands: "
            f"{en}.",
            f"规则包 {line.pack} 对 {line.case_id} 在 {line.as_of} 的判定已不成立：{zh}。",
        ),
        Text(
            f"Review again: `carnet review {line.case_id} --as-of {line.as_of}`.",
            f"请重新审核：`carnet review {line.case_id} --as-of {line.as_of}`。",
        ),
    )


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

"""A review at a glance: how many listings are admitted, held and rejected, and the worst of them.

A listing is admitted where every pack that decided it says conforming, rejected where one says
nonconforming, and held else. What no pack decided is none of the three.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.case import types_read
from carnet.rules.decision import Conformity
from carnet.services.approvals import confirmed_parameters
from carnet.services.dossiers import Confirmed, Dossiers, Judged, dossiers_of, packs_of
from carnet.services.reviewing import NotReviewed, Review
from carnet.services.workspace import Workspace
from carnet.store.engine import reading
from carnet.store.facts import current_facts

SHOWN_MAX: Final = 250
"""Listings that a page shows one by one; the worst come first."""
RANKS: Final[Mapping[Conformity, int]] = {"nonconforming": 0, "undetermined": 1, "conforming": 2}
"""The verdicts, the worst first."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A listing with all that was decided about it.

    Args:
        listing_id: The listing.
        verdict: The worst of the decisions; None where no pack decided.
        judged: The decisions.
        reason: Why there is none, if so.
        market: The market, where it is known.
        product_id: The product.
        model: What the product is called.
    """

    listing_id: str
    verdict: Conformity | None
    judged: tuple[Judged, ...]
    reason: Text | None = None
    market: str = ""
    product_id: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    """A review at a glance.

    Args:
        as_of: The day of the review.
        counts: How many of the listings that a pack decided came to each verdict.
        not_reviewed: How many listings no pack decided.
        severities: How many findings there are of each severity.
        packs: Every pack that decided.
        shown: The listings that are shown, the worst first.
        dossiers: What stands behind these.
    """

    as_of: date
    counts: Mapping[Conformity, int]
    not_reviewed: int
    severities: Mapping[str, int]
    packs: tuple[Pack, ...]
    shown: tuple[Reviewed, ...]
    dossiers: Dossiers

    @property
    def total(self) -> int:
        """How many listings there are, shown or not."""
        return sum(self.counts.values()) + self.not_reviewed


def judged_of(review: Review) -> dict[str, list[Judged]]:
    """Return the decisions of a review by listing."""
    found: dict[str, list[Judged]] = {}
    for each in review.reviewed:
        judged = Judged(each.pack, review.as_of, each.decision)
        found.setdefault(each.listing_id, []).append(judged)
    return found


def overview_of(
    workspace: Workspace,
    judged: Mapping[str, Sequence[Judged]],
    not_reviewed: Iterable[NotReviewed],
    as_of: date,
) -> Overview:
    """Return a review of a workspace at a glance.

    Args:
        workspace: The workspace.
        judged: The decisions, by listing.
        not_reviewed: The listings that no pack decided.
        as_of: The day of the review.

    Raises:
        LedgerFatalError: A stored confirmation of an officer does not verify.
    """
    types = types_read(packs_of(judged))
    with reading(workspace.engine) as connection:
        facts = list(current_facts(connection, types | {"listing", "product"}))
    return overview_among(
        facts, judged, not_reviewed, as_of, lambda pack: confirmed_parameters(workspace, pack)
    )


def overview_among(
    facts: Collection[Fact],
    judged: Mapping[str, Sequence[Judged]],
    not_reviewed: Iterable[NotReviewed],
    as_of: date,
    confirmed: Confirmed,
    shown_max: int = SHOWN_MAX,
) -> Overview:
    """Return a review at a glance, with what stands behind the listings that are shown.

    Args:
        facts: The facts that decided.
        judged: The decisions, by listing.
        not_reviewed: The listings that no pack decided.
        as_of: The day of the review.
        confirmed: Returns what officers confirmed of a pack.
        shown_max: How many listings are shown.
    """
    listings = [_reviewed(name, found) for name, found in judged.items()]
    counts = Counter(each.verdict for each in listings)
    left = [Reviewed(each.listing_id, None, (), each.reason) for each in not_reviewed]
    shown = sorted([*listings, *left], key=_gravity)[:shown_max]
    behind = {each.listing_id: each.judged for each in shown}
    decided = [one for found in judged.values() for one in found]
    return Overview(
        as_of,
        {verdict: counts[verdict] for verdict in RANKS},
        len(left),
        Counter(finding.severity for one in decided for finding in one.decision.findings),
        packs_of(judged),
        tuple(_named(shown, facts)),
        dossiers_of(behind, facts, confirmed, as_of),
    )


def _gravity(each: Reviewed) -> tuple[int, str]:
    """Return what sorts listings, the worst first; what no pack decided is as open as a hold."""
    rank = RANKS["undetermined"] if each.verdict is None else RANKS[each.verdict]
    return rank, each.listing_id


def _reviewed(listing: str, judged: Sequence[Judged]) -> Reviewed:
    worst = min(judged, key=lambda one: RANKS[one.decision.conformity])
    return Reviewed(listing, worst.decision.conformity, tuple(judged))


def _named(shown: Sequence[Reviewed], facts: Collection[Fact]) -> Iterable[Reviewed]:
    """Yield the listings with their market and product, as far as they are on record."""
    wanted = {each.listing_id for each in shown}
    listings = {one.id: one for one in facts if one.type == "listing" and one.id in wanted}
    names = {str(one.fields["product_id"]) for one in listings.values()}
    products = {one.id: one for one in facts if one.type == "product" and one.id in names}
    for each in shown:
        listing = listings.get(each.listing_id)
        if listing is None:
            yield each
            continue
        product = products.get(str(listing.fields["product_id"]))
        yield Reviewed(
            each.listing_id,
            each.verdict,
            each.judged,
            each.reason,
            str(listing.fields["market"]),
            str(listing.fields["product_id"]),
            str(product.fields.get("model", "")) if product else "",
        )

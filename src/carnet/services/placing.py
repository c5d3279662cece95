"""Batches judged on the day on which they were placed on the market, by the packs of that day.

The law judges each unit on its placing date: a certificate that ended in May does not taint what
was placed in April, and one that was issued in June does not mend it. A review decides a listing
for one day, for what is placed from then on; here each batch of its product and market is judged
for its own day. Nothing is stored: the decision for a placing date is the one that a review as of
that day makes and keeps.

A batch that names no market counts for every market in which its product is listed. One without a
placing date is not placed yet, and is judged by the review itself.

Source: docs/adr/0022-batches-by-their-placing-date.md.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.decision import Conformity, Decision
from carnet.rules.stages import Stages
from carnet.services.approvals import confirmed_parameters
from carnet.services.decisions import LISTING
from carnet.services.packs import Installed, in_force, packs_in_force
from carnet.services.reviewing import of_listings
from carnet.services.words import CONFORMITIES
from carnet.services.workspace import Workspace
from carnet.store.engine import reading
from carnet.store.facts import current_facts

BULK_MIN: Final = 1_000
"""Listings of one day from which the bulk engine is worth its start."""
_WORST_FIRST: Final[tuple[Conformity, ...]] = ("nonconforming", "undetermined", "conforming")


@dataclass(frozen=True, slots=True)
class Placed:
    """The batches of one listing that were placed on one day, as they are judged for it.

    Args:
        listing_id: The listing.
        placed_on: The day that decides.
        batches: The ids of the batches, in order.
        decisions: What each pack decides for the day.
        not_encoded: Packs of the market that know no law of the day.
    """

    listing_id: str
    placed_on: date
    batches: tuple[str, ...]
    decisions: tuple[tuple[Pack, Decision], ...]
    not_encoded: tuple[str, ...]

    @property
    def conformity(self) -> Conformity:
        """The worst verdict; undetermined where a pack of the market knows no law of the day."""
        found = {decision.conformity for _, decision in self.decisions}
        if self.not_encoded or not found:
            found |= {"undetermined"}
        return next(each for each in _WORST_FIRST if each in found)

    def to_json(self) -> dict[str, Any]:
        """Return the judgement as JSON."""
        return {
            "listing": self.listing_id,
            "placed_on": self.placed_on.isoformat(),
            "batches": list(self.batches),
            "conformity": self.conformity,
            "decisions": [
                {"pack": pack.id, "version": pack.version, **decision.to_json()}
                for pack, decision in self.decisions
            ],
            "not_encoded": list(self.not_encoded),
        }

    def to_text(self) -> Text:
        """Return the judgement as one line: the day, the batches, the verdict, and why."""
        said = [
            f"{pack.id}/{name}"
            for pack, decision in self.decisions
            for name in sorted(_rules_of(decision))
        ]
        reasons = ", ".join(said)
        none_en = f"no law of that day in {', '.join(self.not_encoded)}"
        none_zh = f"{'、'.join(self.not_encoded)} 未收录当日法规"
        why_en = "; ".join(each for each in (reasons, none_en if self.not_encoded else "") if each)
        why_zh = "；".join(each for each in (reasons, none_zh if self.not_encoded else "") if each)
        verdict, names = CONFORMITIES[self.conformity], ", ".join(self.batches)
        return Text(
            f"{self.listing_id}, placed on {self.placed_on} ({names}): {verdict.en}"
            + (f": {why_en}" if why_en else ""),
            f"{self.listing_id}，投放日 {self.placed_on}（{names}）：{verdict.zh}"
            + (f"：{why_zh}" if why_zh else ""),
        )


def _rules_of(decision: Decision) -> set[str]:
    """Return the rules that found something or could not tell."""
    return {each.rule for each in decision.findings} | {each.rule for each in decision.errors}


def batches_by_day(
    facts: Collection[Fact], listing_ids: Collection[str]
) -> dict[date, dict[str, tuple[str, ...]]]:
    """Return the batches of some listings by placing date, and by listing within it."""
    batches: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.type == "batch" and "placed_on" in fact.fields:
            batches[str(fact.fields["product_id"])].append(fact)
    days: defaultdict[date, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    wanted = set(listing_ids)
    for listing in facts:
        if listing.type != LISTING or listing.id not in wanted:
            continue
        market = listing.fields["market"]
        for batch in batches[str(listing.fields["product_id"])]:
            placed_on = batch.fields["placed_on"]
            if batch.fields.get("market", market) == market and isinstance(placed_on, date):
                days[placed_on][listing.id].append(batch.id)
    return {
        day: {name: tuple(sorted(days[day][name])) for name in sorted(days[day])}
        for day in sorted(days)
    }


def judge_batches(
    workspace: Workspace, listing_ids: Collection[str], engine: str = "live"
) -> tuple[Placed, ...]:
    """Return how the batches of some listings are judged, in order of listing and day.

    Args:
        workspace: The workspace; nothing of it changes.
        listing_ids: The listings, such as those that a review decided.
        engine: The engine, as for `evaluate`; for few listings of a day the reference decides
            where bulk is named, with the same meaning.

    Raises:
        LedgerFatalError: A stored act of an officer does not verify, or a kept pack is damaged.
    """
    with reading(workspace.engine) as connection:
        facts = list(current_facts(connection))
    found: list[Placed] = []
    confirmed = _Confirmed(workspace)
    for day, batches in batches_by_day(facts, listing_ids).items():
        found += _judged(confirmed, facts, day, batches, engine)
    return tuple(sorted(found, key=lambda each: (each.listing_id, each.placed_on)))


class _Confirmed:
    """What officers confirmed of each pack, read and checked once for all days."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._known: dict[bytes, frozenset[str]] = {}

    def __call__(self, pack: Pack) -> frozenset[str]:
        if pack.digest not in self._known:
            self._known[pack.digest] = confirmed_parameters(self.workspace, pack)
        return self._known[pack.digest]


def _judged(
    confirmed: _Confirmed,
    facts: Sequence[Fact],
    day: date,
    batches: Mapping[str, tuple[str, ...]],
    engine: str,
) -> Iterator[Placed]:
    installed = packs_in_force(confirmed.workspace, day)
    packs = [each.pack for each in of_listings(installed).values()]
    encoded = [pack for pack in packs if _knows(pack, day)]
    known = {pack.id for pack in encoded}
    chosen = "reference" if engine == "bulk" and len(batches) < BULK_MIN else engine
    about = _about(facts, batches, installed)
    stages = Stages(about, day, chosen, confirmed, lambda name: in_force(installed, name, day))
    decided: defaultdict[str, list[tuple[Pack, Decision]]] = defaultdict(list)
    for pack in encoded:
        for decision in stages.result(pack).decisions:
            decided[decision.case[1]].append((pack, decision))
    markets = {fact.id: fact.fields["market"] for fact in facts if fact.type == LISTING}
    for name, ids in batches.items():
        missing = sorted(
            pack.id for pack in packs if pack.id not in known and pack.jurisdiction == markets[name]
        )
        if decided[name] or missing:
            yield Placed(name, day, ids, tuple(decided[name]), tuple(missing))


def _knows(pack: Pack, day: date) -> bool:
    return pack.effective_from <= day and not (pack.effective_to and day > pack.effective_to)


def _about(
    facts: Sequence[Fact], batches: Mapping[str, object], installed: Mapping[str, Installed]
) -> Sequence[Fact]:
    """Return the facts without other listings, unless a pack could read those beside its case."""
    if any(each.pack.after for each in of_listings(installed).values()):
        return facts
    return [fact for fact in facts if fact.type != LISTING or fact.id in batches]

"""What-if: how listings would be decided if another pack counted, beside how they are decided.

Nothing is stored and nothing follows from it: it is no decision. The other pack may be a proposal
or a draft, of which none decides otherwise; it takes the place of the pack in force with its id, or
counts in addition where there is none.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.rules.ast import Pack
from carnet.rules.decision import Conformity, Decision, Finding, RuleError, conformity_of
from carnet.rules.stages import Stages
from carnet.services.decisions import LISTING
from carnet.services.dossiers import Judged
from carnet.services.packs import Installed, find_installed, packs_in_force
from carnet.services.reviewing import (
    NotReviewed,
    of_erased_sellers,
    select_listings,
    stages_of,
    uncovered,
)
from carnet.services.workspace import Workspace
from carnet.store.engine import reading
from carnet.store.facts import current_facts

NO_DECISION: Final = Text(
    "What-if: this is no decision. Nothing is stored, and nothing is admitted or rejected by it.",
    "假设分析：本结果不是判定，不予保存，也不构成准入或拒绝。",
)


@dataclass(frozen=True, slots=True)
class Trial:
    """A pack that is tried.

    Args:
        pack: The pack.
        replaces: The pack in force whose place it takes, None where it counts in addition.
    """

    pack: Pack
    replaces: Pack | None

    def to_json(self) -> dict[str, Any]:
        """Return the trial as JSON."""
        return {**_version(self.pack), "replaces": self.replaces and _version(self.replaces)}


def _version(pack: Pack) -> dict[str, str]:
    return {
        "pack": pack.id,
        "version": pack.version,
        "digest": pack.digest.hex(),
        "status": pack.status,
    }


@dataclass(frozen=True, slots=True)
class Point:
    """Something that one side says of a listing and the other does not.

    Args:
        pack: The pack that says it.
        said: A finding, or a rule that could not be evaluated.
    """

    pack: Pack
    said: Finding | RuleError

    @property
    def key(self) -> tuple[object, ...]:
        """What makes it the same on both sides; texts alone are no change."""
        if isinstance(self.said, Finding):
            return self.pack.id, self.said.rule, self.said.severity, self.said.facts
        return self.pack.id, self.said.rule, "undetermined", ()

    def to_json(self) -> dict[str, Any]:
        """Return the point as JSON."""
        if isinstance(self.said, Finding):
            return {"pack": self.pack.id, "kind": "finding", **self.said.to_json()}
        told = {"rule": self.said.rule, "cause": self.said.cause.to_json()}
        return {"pack": self.pack.id, "kind": "error", **told}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One listing with and without the packs that are tried.

    Args:
        listing_id: The listing.
        before: Its verdict by the packs in force; None where none decides it.
        after: Its verdict with the packs that are tried.
        added: What is newly missing.
        removed: What is no longer missing.
    """

    listing_id: str
    before: Conformity | None
    after: Conformity | None
    added: tuple[Point, ...]
    removed: tuple[Point, ...]

    @property
    def is_changed(self) -> bool:
        """Whether anything differs."""
        return self.before != self.after or bool(self.added or self.removed)

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON."""
        return {
            "listing": self.listing_id,
            "before": self.before,
            "after": self.after,
            "newly_missing": [each.to_json() for each in self.added],
            "no_longer_missing": [each.to_json() for each in self.removed],
        }


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What would change for listings on one date.

    Args:
        as_of: The date.
        engine: The engine.
        trials: The packs that are tried.
        comparisons: The listings, in order of their ids.
        judged: The decisions with the packs that are tried, by listing.
        not_reviewed: Listings that no pack would decide.
    """

    as_of: date
    engine: str
    trials: tuple[Trial, ...]
    comparisons: tuple[Comparison, ...]
    judged: Mapping[str, Sequence[Judged]]
    not_reviewed: tuple[NotReviewed, ...]

    @property
    def changed(self) -> tuple[Comparison, ...]:
        """The listings for which anything differs."""
        return tuple(each for each in self.comparisons if each.is_changed)

    @property
    def conformities(self) -> frozenset[str]:
        """The verdicts with the packs that are tried."""
        return frozenset(each.after for each in self.comparisons if each.after is not None)

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON; it says itself that it is no decision."""
        return {
            "is_decision": False,
            "notice": NO_DECISION.to_json(),
            "as_of": self.as_of.isoformat(),
            "engine": self.engine,
            "what_if": [each.to_json() for each in self.trials],
            "changed": len(self.changed),
            "listings": [each.to_json() for each in self.comparisons],
            "not_reviewed": [
                {"listing": each.listing_id, "reason": each.reason.to_json()}
                for each in self.not_reviewed
            ],
        }


def what_if(
    workspace: Workspace,
    names: Sequence[str],
    *,
    as_of: date,
    listing_ids: Collection[str] = (),
    market: str | None = None,
    engine: str = "live",
) -> WhatIf:
    """Compare how listings are decided with how they would be decided by other packs.

    Args:
        workspace: The workspace; nothing of it changes.
        names: The packs that are tried, each as for `find_installed`.
        as_of: The date that decides.
        listing_ids: The listings; all unless some are named.
        market: The one market whose listings are compared; every one unless it is named.
        engine: The engine, as for `evaluate`.

    Raises:
        NotFoundError: A pack or a listing is not there, or none is in the market.
        InputError: A pack does not decide listings, two have one id, or one cannot decide for the
            date.
        LedgerFatalError: A stored act of an officer does not verify, or a kept pack is damaged.
    """
    installed = packs_in_force(workspace, as_of)
    tried = _tried(find_installed(workspace, name, as_of) for name in names)
    trials = tuple(_trial(each.pack, installed) for each in tried.values())
    with reading(workspace.engine) as connection:
        facts = list(current_facts(connection))
        erased = of_erased_sellers(connection, facts)
    of_type = [fact for fact in facts if fact.type == LISTING]
    listings = select_listings(of_type, listing_ids, market)
    chosen = {listing.id for listing in listings} - erased
    now = _Side(installed, stages_of(workspace, installed, facts, as_of, engine))
    others = {**installed, **tried}
    then = _Side(others, stages_of(workspace, others, facts, as_of, engine))
    before = _judged(now, as_of, chosen)
    after = _judged(then, as_of, chosen, unchanged=now)
    packs = [each.pack for each in others.values()]
    return WhatIf(
        as_of,
        engine,
        trials,
        tuple(_compare(name, before.get(name, ()), after.get(name, ())) for name in sorted(chosen)),
        after,
        tuple(uncovered(each, packs, erased) for each in listings if each.id not in after),
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """Packs and the run of them."""

    installed: Mapping[str, Installed]
    stages: Stages

    def is_as_on(self, other: "_Side", name: str) -> bool:
        """Return whether a pack and all that it comes after are the same on both sides."""
        own, its = self.installed.get(name), other.installed.get(name)
        if own is None or its is None or own.pack.digest != its.pack.digest:
            return False
        return all(self.is_as_on(other, each) for each in own.pack.after)


def _tried(found: Iterable[Installed]) -> dict[str, Installed]:
    tried: dict[str, Installed] = {}
    for each in found:
        pack = each.pack
        if pack.case.fact_type != LISTING:
            raise InputError(
                "CRN-R-201",
                Text(
                    f"{pack.id}@{pack.version} decides {pack.case.fact_type}, not listings.",
                    f"{pack.id}@{pack.version} 判定 {pack.case.fact_type}，而非上架商品。",
                ),
                Text("Name a pack whose case is a listing.", "请指定以上架商品为案件的规则包。"),
            )
        if pack.id in tried:
            raise InputError(
                "CRN-R-202",
                Text(
                    f"Two of the packs to try are versions of {pack.id}.",
                    f"所试规则包中有两个是 {pack.id} 的版本。",
                ),
                Text("Try one version at a time.", "请每次只试一个版本。"),
            )
        tried[pack.id] = each
    return tried


def _trial(pack: Pack, installed: Mapping[str, Installed]) -> Trial:
    found = installed.get(pack.id)
    return Trial(pack, None if found is None else found.pack)


def _judged(
    side: _Side, as_of: date, chosen: Collection[str], unchanged: _Side | None = None
) -> dict[str, list[Judged]]:
    """Return the decisions of a side on listings; those that are the same are asked once."""
    found: dict[str, list[Judged]] = {}
    for name, each in sorted(side.installed.items()):
        if each.pack.case.fact_type != LISTING:
            continue
        is_same = unchanged is not None and side.is_as_on(unchanged, name)
        stages = unchanged.stages if unchanged is not None and is_same else side.stages
        for decision in stages.result(each.pack).decisions:
            if decision.case[1] in chosen:
                judged = Judged(each.pack, as_of, decision)
                found.setdefault(decision.case[1], []).append(judged)
    return found


def _compare(name: str, before: Sequence[Judged], after: Sequence[Judged]) -> Comparison:
    old, new = list(_points(before)), list(_points(after))
    return Comparison(
        name, verdict_of(before), verdict_of(after), _beyond(new, old), _beyond(old, new)
    )


def _points(judged: Iterable[Judged]) -> Iterator[Point]:
    for each in judged:
        yield from (Point(each.pack, said) for said in each.decision.findings)
        yield from (Point(each.pack, said) for said in each.decision.errors)


def _beyond(points: Iterable[Point], others: Iterable[Point]) -> tuple[Point, ...]:
    """Return the points of one side that the other does not have, as often as it lacks them."""
    there = Counter(each.key for each in others)
    found = []
    for each in points:
        if there[each.key]:
            there[each.key] -= 1
        else:
            found.append(each)
    return tuple(found)


def verdict_of(judged: Sequence[Judged]) -> Conformity | None:
    """Return the verdict on a listing: the worst of its decisions, None where there is none."""
    decisions: list[Decision] = [each.decision for each in judged]
    if not decisions:
        return None
    findings = [finding for each in decisions for finding in each.findings]
    return conformity_of(findings, [error for each in decisions for error in each.errors])
